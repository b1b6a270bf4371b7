"""What is missing in a pool, and how one piece of it is made."""
