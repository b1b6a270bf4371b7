"""The paper's comparison in miniature: every arm of its Tables 1 and 2 on the embedded world, judged by the world's checkers."""
