"""Reports that make themselves: their schedules, their history, and the worker that makes them."""

from pathlib import Path
from typing import Any

import click
import polars as pl

from dashlib import delivery, display, queue, schedules, texts
from dashlib.cli.desk import Desk, as_json, json_option, main, show_json, tell
from dashlib.cli.report import tell_written
from dashlib.errors import MailFailed
from dashlib.mailing import server_of


@main.group()
def schedule() -> None:
    """Reports that make themselves, each week or each month."""


@schedule.command()
@click.argument("kind", metavar="weekly|monthly")
@click.option("--cron", required=True, help="When: minute hour day month weekday, in Toronto's time.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The folder of its reports.")
@click.option("--name", help="What it is called (default: its kind).")
@click.option("--lang", type=click.Choice(texts.LANGUAGES), help="Language of the report (default: as spoken).")
@click.option("--place", help="Only lines of this place (5 digits).")
@click.option("--formats", default=",".join(schedules.FORMATS), show_default=True, help="Separated by commas.")
@click.option("--mail", multiple=True, help="Send its figures to this address; may be given several times.")
@click.pass_obj
def add(
    desk: Desk, /, kind: str, cron: str, lang: str | None, formats: str, mail: tuple[str, ...], **options: Any
) -> None:
    """Make a report of the last whole week or month whenever CRON comes."""
    wb = desk.open()
    readers = tuple(address.strip() for given in mail for address in given.replace(",", " ").split())
    wanted = tuple(form.strip() for form in formats.split(","))
    name = schedules.add(wb, kind, cron=cron, lang=lang or desk.lang, formats=wanted, mail=readers, **options)
    [made] = [each for each in schedules.list_schedules(wb) if each["name"] == name]
    click.echo(texts.text("schedule.added", desk.lang, name=name, when=texts.moment(made["next"], desk.lang)))
    if not queue.queue_state(wb).is_served:
        click.echo(texts.text("queue.no_worker", desk.lang), err=True)
    if readers:
        _say_whether_mail_leaves(desk)


def _say_whether_mail_leaves(desk: Desk) -> None:
    try:
        server_of(desk.settings)
    except MailFailed as unset:
        click.echo(str(unset), err=True)


@schedule.command("list")
@json_option
@click.pass_obj
def list_schedules(desk: Desk, json_lines: bool) -> None:
    """List the schedules, and when each comes next."""
    found = schedules.list_schedules(desk.open())
    if json_lines:
        for row in found:
            as_json(row)
        return
    if not found:
        click.echo(texts.text("schedule.none", desk.lang))
        return
    asleep = texts.text("schedule.asleep", desk.lang)
    shown = [
        {name: row[name] for name in ("name", "kind", "cron")}
        | {"next": (row["next"] and display.cell(row["next"], desk.lang)) or asleep, "out": row["options"]["out"]}
        for row in found
    ]
    click.echo(_table(pl.DataFrame(shown), desk.lang))


@schedule.command()
@click.argument("name")
@click.pass_context
def run(ctx: click.Context, name: str) -> None:
    """Make the report of the last whole week or month of NAME now, also when it is there already."""
    desk: Desk = ctx.obj
    wb = desk.open()
    made = delivery.make(wb, schedules.now_for(wb, name), again=True)
    if made is None:
        return
    tell_written(made.written, desk.lang)
    if made.unsent:
        tell(made.unsent)
    ctx.exit(7 if made.written.failed_sections or made.unsent else 0)


@schedule.command()
@click.argument("name")
@click.pass_obj
def remove(desk: Desk, name: str) -> None:
    """Remove the schedule NAME and its history; its reports stay where they are."""
    schedules.remove(desk.open(), name)
    click.echo(texts.text("schedule.removed", desk.lang, name=name))


@schedule.command()
@click.argument("name")
@click.pass_obj
def pause(desk: Desk, name: str) -> None:
    """Let the schedule NAME rest."""
    schedules.enable(desk.open(), name, on=False)
    click.echo(texts.text("schedule.paused", desk.lang, name=name))


@schedule.command()
@click.argument("name")
@click.pass_obj
def resume(desk: Desk, name: str) -> None:
    """Wake the schedule NAME; what it missed is not made up for."""
    schedules.enable(desk.open(), name, on=True)
    click.echo(texts.text("schedule.resumed", desk.lang, name=name))


@schedule.command()
@click.argument("name", required=False)
@json_option
@click.pass_obj
def history(desk: Desk, name: str | None, json_lines: bool) -> None:
    """Tell what became of each period's report, of NAME or of all schedules."""
    found = schedules.history(desk.open(), name)
    if json_lines:
        show_json(found, desk.lang, of=found.height)
        return
    if found.is_empty():
        click.echo(texts.text("schedule.no_history", desk.lang))
        return
    columns = ("schedule", "period", "status", "attempts", "finished_at", "error_code", "mail", "paths")
    click.echo(_table(found.select(columns), desk.lang))


def _table(rows: pl.DataFrame, lang: str) -> str:
    """A table under its own words; states and kinds are said in words too."""
    words = texts.words(lang)
    said = {
        name: pl.col(name).replace(
            {value: words.get(f"schedule.{name}.{value}", value) for value in rows[name].unique()}
        )
        for name in ("status", "mail", "kind")
        if name in rows.columns
    }
    return display.frame(rows.with_columns(**said).rename(lambda name: words[f"schedule.field.{name}"]), lang)
