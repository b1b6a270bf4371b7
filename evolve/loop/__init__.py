"""Iterations: dataset, training, and the trained policy as that of the next iteration."""
