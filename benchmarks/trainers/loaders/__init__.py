"""How each trainer loads pairs: one file a trainer, run inside that trainer's environment."""
