"""What an invocation has done so far: counts, stages, memory, progress."""
