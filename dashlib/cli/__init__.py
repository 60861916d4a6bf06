"""The command line: parse, call one function, print. Results go to stdout, talk to stderr."""

from dashlib.cli import cache, db, desk, explain, reference, rules, runs  # each adds its commands to main
from dashlib.cli.desk import main

__all__ = ["cache", "db", "desk", "explain", "main", "reference", "rules", "runs"]
