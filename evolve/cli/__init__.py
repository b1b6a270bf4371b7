"""The command line: a file for each family of commands, and the program that they belong to."""

from __future__ import annotations


def main() -> None:
    """The command `evolve`."""
    from evolve.cli.program import main as program

    program()
