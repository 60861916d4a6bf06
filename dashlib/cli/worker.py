"""The worker: what is done in the background, done in the foreground of a terminal or a service."""

import click

from dashlib import worker as workers
from dashlib.cli.desk import Desk, main


@main.command()
@click.option("--once", is_flag=True, help="Do what is due, empty the queue, and end.")
@click.option("--beside", is_flag=True, hidden=True, help="End when the input does: with the program that started it.")
@click.pass_obj
def worker(desk: Desk, once: bool, beside: bool) -> None:
    """Work on the queue: make the reports that are due, validate uploads. Ctrl-C finishes what was begun."""
    workers.serve(desk.open(), lang=desk.lang, once=once, ends_with_input=beside)
