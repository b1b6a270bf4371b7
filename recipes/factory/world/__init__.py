"""A small closed world: instructions, answers of varied quality, and checkers that tell how good an answer is."""
