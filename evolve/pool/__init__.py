"""The pool: append-only tables of what models have made, and the files and locks that it stands on."""
