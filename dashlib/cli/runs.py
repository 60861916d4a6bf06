"""Validate exports and look at what was found."""

import sys
from datetime import datetime
from pathlib import Path

import click

from dashlib import display, runs, validation
from dashlib.cli.desk import (
    DAY,
    GRAVEST,
    ROWS,
    SEVERITIES,
    SOME,
    Desk,
    as_json,
    json_option,
    limit_option,
    main,
    show_json,
    show_table,
    tell,
    tell_more,
    writing,
)
from dashlib.display_tables import worded
from dashlib.errors import ExportRefused
from dashlib.runs import Run


@main.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--run-date", type=DAY, help="Judge as of this day (default: today in Toronto).")
@click.option("--force", is_flag=True, help="Validate again what was validated before.")
@click.option("--fail-on", type=click.Choice(SEVERITIES), help="Exit with 1 when a result is at least this grave.")
@json_option
@click.pass_obj
def validate(
    desk: Desk, files: tuple[Path, ...], run_date: datetime | None, force: bool, fail_on: str | None, json_lines: bool
) -> None:
    """Validate FILES by the rules in force, and keep the results."""
    wb, codes = desk.open(), []
    for file in files:
        try:
            with display.progress(desk.lang) as told:
                day = run_date.date() if run_date else None
                run = runs.find_run(wb, validation.validate_file(wb, file, run_date=day, force=force, told=told))
        except ExportRefused as refused:
            tell(refused)
            codes.append(refused.exit_code)
            continue
        as_json(run.as_dict() | run.set_aside()) if json_lines else click.echo(display.summary(run, desk.lang))
        codes.append(exit_code(run, fail_on))
    sys.exit(min(codes, key=GRAVEST.index))


def exit_code(run: Run, fail_on: str | None) -> int:
    """7 when lines were rejected; else 1 when a result that is not set aside is at or above `fail_on`."""
    if run.figures["rejected_count"]:
        return 7
    grave = SEVERITIES[: SEVERITIES.index(fail_on) + 1] if fail_on else ()
    aside = run.set_aside() if grave else {}
    return int(any(run.figures[f"{s}_count"] > aside[f"acknowledged_{s}_count"] for s in grave))


@main.command("runs")
@click.option("--last", default=20, show_default=True, type=SOME, help="How many.")
@json_option
@click.pass_obj
def list_runs(desk: Desk, last: int, json_lines: bool) -> None:
    """List the newest runs."""
    for run in (found := runs.list_runs(desk.open_with_lost_runs_failed(), last)):
        if json_lines:
            as_json(run.as_dict())
    if not json_lines:
        click.echo(display.runs(found, desk.lang))


@main.command()
@click.argument("run")
@json_option
@click.pass_obj
def show(desk: Desk, run: str, json_lines: bool) -> None:
    """Show what RUN found, in short."""
    found = runs.find_run(desk.open_with_lost_runs_failed(), run)
    as_json(found.as_dict() | found.set_aside()) if json_lines else click.echo(display.summary(found, desk.lang))


@main.command()
@click.argument("run")
@click.option("--rule", help="Only results of this rule.")
@click.option("--severity", type=click.Choice(SEVERITIES), help="Only results of this severity.")
@click.option("--csv", "csv_file", type=click.Path(path_type=Path, dir_okay=False), help="Write them all to this file.")
@limit_option
@json_option
@click.pass_obj
def results(
    desk: Desk,
    run: str,
    rule: str | None,
    severity: str | None,
    csv_file: Path | None,
    limit: int | None,
    json_lines: bool,
) -> None:
    """List the results of RUN; patients and doctors are pseudonyms."""
    found = desk.run(run)
    found.require_completed()
    rule = rule and found.rule_called(rule)
    whole, of = json_lines or csv_file is not None, found.count_results(rule, severity)
    rows = found.results_in(desk.lang, rule=rule, severity=severity, limit=limit if whole else limit or ROWS)
    if csv_file is not None:
        with writing(csv_file):
            click.echo(display.write_csv(rows, csv_file, desk.lang), err=True)
        tell_more(rows, desk.lang, of=of)
    elif json_lines:
        show_json(rows, desk.lang, of=of)
    else:
        show_table(display.shown_results(rows, desk.lang), desk.lang, of=of)


@main.command()
@click.argument("run")
@click.option("--rejected", is_flag=True, help="The lines that could not become records, and why.")
@limit_option
@json_option
@click.pass_obj
def records(desk: Desk, run: str, rejected: bool, limit: int | None, json_lines: bool) -> None:
    """List the lines of RUN; patients and doctors are pseudonyms."""
    found = desk.run(run)
    read, count = (
        (found.first_rejected, found.count_rejected) if rejected else (found.first_records, found.count_records)
    )
    if json_lines:
        show_json(read(limit), desk.lang, of=count())
        return
    first = read(limit or ROWS)
    # Records keep their columns' names: corrections are made under them.
    show_table(worded(first, desk.lang) if rejected else first, desk.lang, of=count())


@main.command()
@click.argument("run")
@limit_option
@json_option
@click.pass_obj
def logs(desk: Desk, run: str, limit: int | None, json_lines: bool) -> None:
    """Tell what happened in RUN."""
    found = desk.run(run).logs
    if json_lines:
        show_json(found.head(limit or found.height), desk.lang, of=found.height)
        return
    show_table(worded(found.head(limit or ROWS), desk.lang), desk.lang, of=found.height)
