"""The cache: what it holds, and how often that was of use."""

import click
import polars as pl

from dashlib import display, reference, texts
from dashlib.cli.desk import Desk, as_json, json_option, main
from dashlib.display_tables import worded


@main.group()
def cache() -> None:
    """The cache of rules and reference tables."""


@cache.command()
@json_option
@click.pass_obj
def status(desk: Desk, json_lines: bool) -> None:
    """Tell where the cache is, what it holds, and how often that was of use."""
    show(desk, json_lines=json_lines)


@cache.command()
@json_option
@click.pass_obj
def warm(desk: Desk, json_lines: bool) -> None:
    """Read into the cache what it is for, so that nobody need wait for the database."""
    reference.warm(desk.open())
    show(desk, json_lines=json_lines)


@cache.command()
@click.pass_obj
def clear(desk: Desk) -> None:
    """Drop what the cache holds, and its counts; all of it can be read again."""
    desk.open().cache.clear(list(reference.SLOTS.values()))
    click.echo(texts.text("cache.cleared", desk.lang))


def show(desk: Desk, *, json_lines: bool) -> None:
    found = reference.cached(desk.open())
    if json_lines:
        as_json(found)
        return
    keys = found.pop("keys")
    ratios = [texts.percent(key["ratio"], desk.lang) for key in keys]
    click.echo(texts.text(f"cache.{found['kind']}", desk.lang))
    click.echo(display.pairs(found, desk.lang))
    slots = pl.DataFrame(keys).drop("revision").with_columns(ratio=pl.Series(ratios))
    click.echo(display.frame(worded(slots, desk.lang), desk.lang))
