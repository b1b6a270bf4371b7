"""Pure functions of the pool: responses, pairs, X', what was selected. No model, no GPU, seconds."""
