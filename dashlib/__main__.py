"""`python -m dashlib` is the command `dashlib`."""

from dashlib.cli import main

main()
