"""Ask why, compare runs, try corrections out, and set results aside."""

from datetime import datetime
from pathlib import Path

import click

from dashlib import display, display_explain, results, texts
from dashlib.acknowledgements import REASONS
from dashlib.cli.desk import DAY, ROWS, Desk, as_json, json_option, limit_option, main, show_json, show_table
from dashlib.comparison import STATUSES
from dashlib.errors import UsageError
from dashlib.runs import Run


@main.command()
@click.argument("result")
@json_option
@click.pass_obj
def why(desk: Desk, result: str, json_lines: bool) -> None:
    """Tell why RESULT (as 418:37) was reported: the rule, the lines counted, the arithmetic, the versions."""
    [(run, _)] = _named(desk, (result,))
    found = run.why(result, desk.lang)
    as_json(found.as_dict(desk.lang)) if json_lines else click.echo(display_explain.why(found, desk.lang))


@main.command()
@click.argument("before")
@click.argument("after")
@click.option("--only", type=click.Choice(STATUSES), help="List these results.")
@limit_option
@json_option
@click.pass_obj
def diff(desk: Desk, before: str, after: str, only: str | None, limit: int | None, json_lines: bool) -> None:
    """Compare run AFTER with the earlier run BEFORE: results new, fixed and persisting, with their money."""
    with display.busy("busy.comparing", desk.lang, unless=json_lines):
        found = desk.run(after).diff(desk.run(before), desk.lang)
    if only is not None:
        rows = getattr(found, only)
        if json_lines:
            show_json(rows.head(limit or rows.height), desk.lang, of=rows.height)
        else:
            show_table(display.shown_results(rows.head(limit or ROWS), desk.lang), desk.lang, of=rows.height)
    elif json_lines:
        gone = {f"{name}_without_line": found.without_line(getattr(found, name)) for name in ("new", "fixed")}
        as_json(
            {"before": found.before, "after": found.after, "totals": found.totals.to_dicts(), **gone}
            | {"reference_changed": found.reference_changed}
        )
    else:
        click.echo(display_explain.diff(found, desk.lang))


@main.command()
@click.argument("run")
@click.option(
    "--edits",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="A CSV file: row_number and the columns to correct; an empty cell leaves what is there, - empties it.",
)
@json_option
@click.pass_obj
def whatif(desk: Desk, run: str, edits: Path, json_lines: bool) -> None:
    """Judge RUN again with corrected lines, and keep nothing."""
    with display.busy("busy.judging", desk.lang, unless=json_lines):
        found = desk.run(run).whatif(edits, desk.lang)
    if not json_lines:
        click.echo(display_explain.whatif(found, desk.lang))
        return
    sums = {"before": found.before, "after": found.after, "delta": found.delta}
    told = {name: getattr(found, name) for name in ("corrected", "touched", "judged", "basis_changed")}
    as_json(told | sums | {"gained": found.gained.to_dicts(), "lost": found.lost.to_dicts()})


@main.command()
@click.argument("named", metavar="RESULT...", nargs=-1, required=True)
@click.option("--reason", required=True, type=click.Choice(REASONS), help="Why it may stand.")
@click.option("--note", help="Your own words; only you see them.")
@click.option("--until", type=DAY, help="The last day on which it holds (default: until the line changes).")
@click.pass_obj
def ack(desk: Desk, named: tuple[str, ...], reason: str, note: str | None, until: datetime | None) -> None:
    """Set results (as 418:37) aside: they stay, are counted apart, and come back when their line changes."""
    day = until.date() if until else None
    done = sum(run.ack(*numbers, reason=reason, note=note, until=day) for run, numbers in _named(desk, named))
    click.echo(texts.plural("aside.done", done, desk.lang))


@main.command()
@click.argument("named", metavar="RESULT...", nargs=-1, required=True)
@click.pass_obj
def unack(desk: Desk, named: tuple[str, ...]) -> None:
    """Open results (as 418:37) again that were set aside."""
    done = sum(run.unack(*numbers) for run, numbers in _named(desk, named))
    click.echo(texts.plural("aside.back", done, desk.lang))


def _named(desk: Desk, called: tuple[str, ...]) -> list[tuple[Run, list[int]]]:
    """The runs that are named, each with the numbers of its results."""
    numbers: dict[str, list[int]] = {}
    for each in called:
        run, number = results.number_of(each)
        if run is None:
            raise UsageError("DL-WHY-001")
        numbers.setdefault(run, []).append(number)
    return [(desk.run(run), found) for run, found in numbers.items()]
