"""A dataset on disk: parquet, manifest and card, and the folder that they lie in."""
