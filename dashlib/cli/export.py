"""Hand results out, and take back what clerks did with them."""

import sys
from pathlib import Path
from typing import Any

import click

from dashlib import exporting, followups, texts, ticks
from dashlib.cli.desk import SEVERITIES, Desk, as_json, json_option, main, writing
from dashlib.errors import UsageError
from dashlib.followups import Taken
from dashlib.handing_out import AUDIENCES
from dashlib.sending import Sorted

FILE = click.Path(path_type=Path, dir_okay=False)


@main.command()
@click.argument("run")
@click.option("--out", required=True, type=FILE, help="The file to write; its ending tells the format.")
@click.option("--for", "audience", type=click.Choice(tuple(AUDIENCES)), help="A workbook for them (xlsx).")
@click.option("--format", "kind", type=click.Choice(exporting.KINDS), help="The format, whatever the file's name.")
@click.option("--rule", help="Only results of this rule.")
@click.option("--severity", type=click.Choice(SEVERITIES), help="Only results of this severity.")
@click.option("--doctor", help="Only results of this doctor, by the pseudonym (MÉD-…).")
@click.option("--due", type=click.IntRange(0, 3650), help="Only results with at most so many days left.")
@click.option("--sendable", is_flag=True, help="The file's own lines that can be sent now.")
@click.option("--held", is_flag=True, help="The file's own lines that are held back by errors.")
@click.option("--source", type=FILE, help="Where the run's file is now, if it was moved (--sendable, --held).")
@click.option("--force", is_flag=True, help="Replace a file that is already there.")
@click.pass_obj
def export(
    desk: Desk, /, run: str, out: Path, sendable: bool, held: bool, source: Path | None, force: bool, **asked: Any
) -> None:
    """Write the results of RUN to a file: a list, a workbook, or the lines that can be sent; people are pseudonyms."""
    wanted = [f"--{'for' if name == 'audience' else name}" for name, value in asked.items() if value is not None]
    lines = [f"--{name}" for name, given in {"sendable": sendable, "held": held}.items() if given]
    if (lines and wanted) or len(lines) == 2 or (source and not lines):
        options = [*lines, *wanted, *(["--source"] if source else [])]
        raise UsageError("DL-OUT-005", options=", ".join(options))
    found = desk.run(run)
    with writing(out):
        if lines:
            done = found.export_lines(out, held=held, source=source, force=force)
            said = _sorted(done, held, out, desk.lang)
        else:
            rows = found.export(out, lang=desk.lang, force=force, **asked)
            key = f"export.{asked['audience'] or 'list'}"
            said = texts.plural(key, rows, desk.lang, path=str(out))
    click.echo(said, err=True)


def _sorted(found: Sorted, held: bool, out: Path, lang: str) -> str:
    """How many lines were written, and what became of the others."""
    key, lines = ("export.held", found.held) if held else ("export.sendable", found.sendable)
    said = [texts.plural(key, len(lines), lang, path=str(out))]
    if found.paid and not held:
        said.append(texts.plural("export.paid", found.paid, lang))
    said += [texts.plural("export.in_error", len(found.in_error), lang)]
    said += [texts.plural("export.waiting", len(found.waiting), lang)] if len(found.waiting) else []
    return "\n".join(said)


@main.command("import-followup")
@click.argument("file", type=FILE)
@json_option
@click.pass_obj
def import_followup(desk: Desk, file: Path, json_lines: bool) -> None:
    """Take back what clerks ticked and noted in the workbook FILE."""
    taken = followups.take(desk.open(), ticks.read_ticks(file))
    if json_lines:
        as_json(vars(taken) | {"faults": taken.faults.to_dicts()})
    else:
        click.echo("\n".join(_taken(taken, desk.lang)))
    sys.exit(7 if taken.refused else 0)


def _taken(taken: Taken, lang: str) -> list[str]:
    """What was taken, and what was not and why; what there is none of is not said."""
    counts = ("replaced", "older", "unchanged", "masked", "unknown", "foreign", "opposed", "faulty")
    said = [texts.plural("followup.taken", taken.taken, lang)]
    said += [f"  {texts.plural(f'followup.{name}', n, lang)}" for name in counts if (n := getattr(taken, name))]
    for sheet, row, fault in taken.faults.iter_rows():
        said.append(f"    {texts.text(f'followup.fault.{fault}', lang, sheet=sheet, row=row)}")
    return said
