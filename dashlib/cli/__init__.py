"""The command line: parse, call one function, print. Results go to stdout, talk to stderr."""

from dashlib.cli.desk import main

__all__ = ["main"]
