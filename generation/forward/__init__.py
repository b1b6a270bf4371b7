"""The packed forward: one pass of a causal backbone over many rows without padding."""
