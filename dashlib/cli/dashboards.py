"""The dashboards, in the browser."""

import click

from dashlib import reference, serve, worker
from dashlib.cli.desk import Desk, main


@main.command()
@click.option(
    "--port", default=8866, show_default=True, type=click.IntRange(1, 65535), help="Where, on this machine only."
)
@click.option("--no-browser", is_flag=True, help="Serve only; open nothing.")
@click.pass_obj
def dashboards(desk: Desk, port: int, no_browser: bool) -> None:
    """Serve the dashboards to this machine's browser."""
    reference.warm(desk.open())
    # It ends with this process: uploads are validated while the dashboards are served.
    beside = worker.beside(desk.settings)
    try:
        serve.serve(desk.settings, port=port, browser=not no_browser, lang=desk.lang)
    finally:
        beside.terminate()
