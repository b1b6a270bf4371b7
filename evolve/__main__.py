"""`python -m evolve`: the command, where its script is not on the path."""

from evolve.cli import main

main()
