"""Reports written by hand: of a run, or of a week or month."""

from pathlib import Path

import click

from dashlib import display, notebook, periodicals, reports, schedules, texts
from dashlib.cli.desk import Desk, main, tell
from dashlib.errors import UsageError
from dashlib.periodicals import Written
from dashlib.timetable import Kind, period_called


@main.command()
@click.argument("of", metavar="RUN|weekly|monthly")
@click.option("--out", type=click.Path(path_type=Path), help="A run's file (run-NUMBER.html), or a period's folder.")
@click.option("--period", help="The week (2025-W26) or month (2025-06); default: the last whole one that runs hold.")
@click.option("--place", help="Only lines of this place (5 digits).")
@click.option("--formats", default=",".join(schedules.FORMATS), show_default=True, help="Of a period's report.")
@click.pass_context
def report(ctx: click.Context, of: str, out: Path | None, period: str | None, place: str | None, formats: str) -> None:
    """Write the report of RUN as one HTML file, or that of a week or month as HTML, PDF and a workbook for clerks."""
    desk: Desk = ctx.obj
    if kind := next((kind for kind in schedules.KINDS if kind == of), None):
        written = _periodical(desk, kind, period, out=out or Path(), place=place, formats=formats)
        tell_written(written, desk.lang)
        ctx.exit(7 if written.failed_sections else 0)
    if period or place:
        raise UsageError("DL-REP-003")
    run = desk.run(of)
    run.require_completed()
    with display.busy("busy.report", desk.lang):
        path = notebook.report(run.wb, str(run.id), lang=desk.lang, out=out or Path(f"run-{run.number}.html"))
    click.echo(texts.text("cli.report", desk.lang, path=str(path)))


def tell_written(written: Written, lang: str) -> None:
    """Where a report is, what is missing in it, and why."""
    for path in written.paths:
        click.echo(texts.text("cli.report", lang, path=str(path)))
    if written.failed_sections:
        click.echo(texts.text("schedule.partial", lang, sections=written.missing(lang)), err=True)
    for reason in written.reasons:
        tell(reason)


def _periodical(desk: Desk, kind: Kind, period: str | None, *, out: Path, place: str | None, formats: str) -> Written:
    asked = schedules.options_of(
        out=out, place=place, lang=desk.lang, formats=[form.strip() for form in formats.split(",")]
    )
    days = period_called(kind, period) if period else None
    wb = desk.open()
    days = days or reports.newest_period(wb, kind)
    with display.busy("busy.report", desk.lang):
        return periodicals.write(wb, kind, days.since, days.until, **asked.model_dump(exclude={"mail"}))
