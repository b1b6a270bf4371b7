"""What is said of a run: its status, and the summary at its end."""
