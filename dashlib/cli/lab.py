"""Open the notebooks in JupyterLab."""

from pathlib import Path

import click

from dashlib import lab as jupyter
from dashlib import reference
from dashlib.cli.desk import Desk, main


@main.command()
@click.option(
    "--port", default=8888, show_default=True, type=click.IntRange(1, 65535), help="Where, on this machine only."
)
@click.option("--no-browser", is_flag=True, help="Serve only; open nothing.")
@click.option(
    "--folder",
    type=click.Path(path_type=Path, exists=True, file_okay=False, resolve_path=True),
    help="Open this folder instead of your copies of the notebooks.",
)
@click.pass_obj
def lab(desk: Desk, port: int, no_browser: bool, folder: Path | None) -> None:
    """Open JupyterLab on your own copies of the notebooks."""
    reference.warm(desk.open())
    jupyter.open_lab(desk.settings, folder=folder, port=port, browser=not no_browser, lang=desk.lang)
