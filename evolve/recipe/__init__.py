"""The recipe: what a dataset depends on, and the identities that follow from it."""
