"""Invented exports, to try dashlib on."""

from datetime import datetime
from pathlib import Path
from typing import Any

import click

from dashlib import demo, texts
from dashlib.cli.desk import DAY, Desk, main, writing
from dashlib.errors import UsageError


@main.command("demo-data")
@click.argument("out", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--rows", default=20_000, show_default=True, type=click.IntRange(1, 20_000_000))
@click.option("--seed", default=7, show_default=True, help="The same seed gives the same file.")
@click.option("--errors", default="3%", show_default=True, help="Share of lines with a planted result.")
@click.option("--truth", type=click.Path(path_type=Path, dir_okay=False), help="Write what must be found to this file.")
@click.option("--delimiter", type=click.Choice(tuple(demo.DELIMITERS)), default="semicolon", show_default=True)
@click.option("--encoding", type=click.Choice(demo.ENCODINGS), default="utf-8", show_default=True)
@click.option("--run-date", type=DAY, help="The day it will be judged on (default: today in Toronto).")
@click.option("--if-missing", is_flag=True, help="Leave a file that is already there as it is.")
@click.option("--force", is_flag=True, help="Replace a file that is already there.")
@click.pass_obj
def demo_data(
    desk: Desk, /, out: Path, errors: str, run_date: datetime | None, if_missing: bool, force: bool, **options: Any
) -> None:
    """Write a synthetic export to OUT: a believable clinic group, and no real person."""
    if if_missing and out.exists():
        return
    if out.exists() and not force:
        raise UsageError("DL-OUT-002")
    day = run_date.date() if run_date else None
    with writing(out, options["truth"]):
        made = demo.write_demo(out, errors=demo.share(errors), run_date=day, **options)
    facts = {"lines": made.rows, "planted": made.planted, "expected": made.expected, "day": texts.day(made.run_date)}
    click.echo(texts.text("cli.demo", desk.lang, path=str(out), **facts), err=True)
