"""The reference: imported, looked up, changed and written back."""

import json
from datetime import datetime
from pathlib import Path

import click
import polars as pl

from dashlib import catalogue, display, entering, importing, reference, rulebook, texts
from dashlib.cli.desk import DAY, ROWS, Desk, as_json, json_option, limit_option, main, show_json, show_table, writing
from dashlib.display_tables import worded
from dashlib.edits import rule_data
from dashlib.errors import UsageError
from dashlib.importing import Plan
from dashlib.imports import KINDS, read_rules
from dashlib.rules import parse_rules

COUNTS = ("rows", "codes", "passed", "refused", "suspect", "added", "changed", "closed", "removed", "unchanged")
SHOWN = 10  # rows shown of each kind of doubt, and of each kind of change
TABLES = click.Choice(tuple(catalogue.TABLES))
IN_LISTS = ("code", "place", "role", "kind", "tariff_value", "units", "description")


@main.group("reference")
def group() -> None:
    """The reference: codes, contexts, establishments and holidays."""


@group.command("import")
@click.argument("kind", type=click.Choice((*KINDS, "rules")))
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Show what would change, and write nothing.")
@click.option("--effective", type=DAY, help="The day from which the tariffs of the file hold.")
@click.option(
    "--replace",
    is_flag=True,
    help="The file is the whole table (of holidays, of its years and places): what it lacks goes, whoever brought it.",
)
@json_option
@click.pass_obj
def import_file(
    desk: Desk,
    kind: str,
    file: Path,
    dry_run: bool,
    effective: datetime | None,
    replace: bool,
    json_lines: bool,
) -> None:
    """Import FILE: the manual's page as saved from a browser, or a list (CSV; JSON for rules).

    What FILE lacks goes only if a file of its kind brought it: rows set by hand and those that come with dashlib stay.
    """
    if kind == "rules":
        if replace or effective:
            raise UsageError("DL-REF-058")
        _import_rules(desk, file, dry_run=dry_run, json_lines=json_lines)
        return
    run = importing.plan_import if dry_run else importing.import_reference
    day = effective.date() if effective else None
    with display.busy("busy.importing", desk.lang, unless=json_lines):
        plan = run(desk.open(), kind, file, effective=day, replace=replace)
    if json_lines:
        rows = {f"{name}_rows": rows.drop("id", strict=False).to_dicts() for name, rows in plan.changes.items()}
        as_json(plan.as_dict() | {"dry_run": dry_run} | (rows if dry_run else {}))
        return
    click.echo("\n".join([*_plan(plan, kind, desk.lang), *(_changes(plan, desk.lang) if dry_run else [])]))
    key = "planned" if dry_run else "nothing" if plan.is_empty else "done"
    click.echo(texts.text(f"reference.{key}", desk.lang), err=True)


@group.command("export")
@click.argument("table", type=click.Choice((*catalogue.TABLES, "rules")))
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="Where to write it.")
@click.pass_obj
def export_table(desk: Desk, table: str, out: Path) -> None:
    """Write all rows of TABLE, as `import` takes them back."""
    wb = desk.open()
    with writing(out):
        if table == "rules":
            rules = [rule_data(rule) for rule in reference.rules_in_force(wb)]
            out.write_text(json.dumps(rules, ensure_ascii=False, indent=2) + "\n", "utf-8")
            count = len(rules)
        else:
            rows = catalogue.export_rows(wb, table)
            rows.write_csv(out, include_bom=True)
            count = rows.height
    click.echo(texts.plural("reference.exported", count, desk.lang, path=str(out)), err=True)


@group.command("set")
@click.argument("table", type=TABLES)
@click.argument("key")
@click.argument("fields", nargs=-1, required=True)
@click.pass_obj
def set_row(desk: Desk, table: str, key: str, fields: tuple[str, ...]) -> None:
    """Change the row KEY of TABLE, or add it: FIELD=VALUE, as many as you like; «-» empties a field."""
    entry = entering.set_row(desk.open(), table, key, _fields(fields))
    click.echo(texts.text(f"reference.set.{entry.outcome}", desk.lang, table=table, row=key))
    for name, day in (("before", entry.before_ends), ("ends", entry.ends)):
        if day:
            click.echo(texts.text(f"reference.set.{name}", desk.lang, day=texts.day(day)))


@group.command("remove")
@click.argument("table", type=TABLES)
@click.argument("key")
@click.argument("fields", nargs=-1)
@click.pass_obj
def remove_row(desk: Desk, table: str, key: str, fields: tuple[str, ...]) -> None:
    """Take the row KEY of TABLE out of force; FIELD=VALUE says which of several."""
    rows = entering.remove_row(desk.open(), table, key, _fields(fields))
    click.echo(texts.plural("reference.removed", rows, desk.lang, table=table, row=key))


@group.command("status")
@json_option
@click.pass_obj
def show_status(desk: Desk, json_lines: bool) -> None:
    """Tell what is loaded: rows, codes, source, and whether it is trusted."""
    found = catalogue.status(desk.open())
    shown = worded(found.drop("version"), desk.lang)
    show_json(found, desk.lang, of=found.height) if json_lines else show_table(shown, desk.lang, of=found.height)


@group.command("search")
@click.argument("words", nargs=-1, required=True)
@limit_option
@json_option
@click.pass_obj
def search_codes(desk: Desk, words: tuple[str, ...], limit: int | None, json_lines: bool) -> None:
    """Find codes by the words of their labels, accents or not, or by number."""
    found = catalogue.search(desk.open(), " ".join(words), limit=limit or ROWS)
    if json_lines:
        show_json(found, desk.lang, of=found.height)
    elif found.is_empty():
        click.echo(texts.text("reference.none", desk.lang))
    else:
        show_table(found.select(IN_LISTS), desk.lang, of=found.height)


def _import_rules(desk: Desk, file: Path, *, dry_run: bool, json_lines: bool) -> None:
    rules = parse_rules(read_rules(file), origin=file.name)
    saved = rulebook.save_rules(desk.open(), rules, note="import", dry_run=dry_run)
    counts = {"added": len(saved.added), "changed": len(saved.changed), "unchanged": len(saved.equal)}
    if json_lines:
        as_json({"table": "rules", "read": len(rules), **counts, "dry_run": dry_run})
        return
    click.echo("\n".join(_counted(counts, desk.lang)))
    key = "planned" if dry_run else "done" if saved.versions else "nothing"
    click.echo(texts.text(f"reference.{key}", desk.lang), err=True)


def _fields(given: tuple[str, ...]) -> dict[str, str]:
    pairs = [field.partition("=") for field in given]
    if any(not name.strip() or not equals for name, equals, _ in pairs):
        raise UsageError("DL-REF-056")
    return {name: value for name, _, value in pairs}


def _plan(plan: Plan, kind: str, lang: str) -> list[str]:
    """What an import does, in counts; then the rows refused and in doubt by reason, with their first lines."""
    counts = plan.as_dict()
    key = "reference.read.manual" if kind == "manual" else "reference.read"
    head = texts.text(key, lang, source=counts["source"], read=counts["read"])
    said = _counted({name: counts[name] for name in COUNTS if counts[name] is not None}, lang)
    doubts = {"passed": plan.passed, "refused": plan.refused, "suspect": plan.suspects}
    return [head, *said, *(line for name, rows in doubts.items() for line in _reasons(rows, name, lang))]


def _changes(plan: Plan, lang: str) -> list[str]:
    """The first rows that would come, change and go."""
    said = list[str]()
    for name, rows in plan.changes.items():
        if rows.height:
            known = dict.fromkeys((*IN_LISTS, *plan.table.names))
            columns = [column for column in known if column in rows.columns and column != plan.table.origin]
            brought = [plan.table.origin] if name == "removed" else []
            shown = display.frame(rows.select([*columns[: len(IN_LISTS)], *brought]).head(SHOWN), lang)
            head = f"{texts.text(f'reference.count.{name}', lang)} : {texts.integer(rows.height, lang)}"
            said += ["", head, *(_by_source(plan, lang) if name == "removed" else []), shown]
    return said


def _by_source(plan: Plan, lang: str) -> list[str]:
    """How many rows go, by who brought them."""
    counted = plan.as_dict()["removed_by_source"]
    return [f"  {texts.integer(rows, lang):>5}  {source}" for source, rows in counted.items()]


def _counted(counts: dict[str, int], lang: str) -> list[str]:
    words = {name: texts.text(f"reference.count.{name}", lang) for name in counts}
    width = max(map(len, words.values()))
    return [f"  {words[name]:<{width}}  {texts.integer(count, lang):>7}" for name, count in counts.items()]


def _reasons(rows: pl.DataFrame, kind: str, lang: str) -> list[str]:
    if rows.is_empty():
        return []
    said = ["", texts.text(f"reference.count.{kind}", lang)]
    for (reason,), of_reason in rows.group_by("reason", maintain_order=True):
        more = ", …" if of_reason.height > SHOWN else ""
        lines = ", ".join(map(str, of_reason["line"].head(SHOWN))) + more
        words = texts.text(f"reference.reason.{reason}", lang)
        where = texts.text("reference.lines", lang, lines=lines)
        codes = ", ".join(of_reason["code"].drop_nulls().unique(maintain_order=True).head(SHOWN))
        said.append(
            f"  {texts.integer(of_reason.height, lang):>5}  {words} : {where}" + (f" ({codes})" if codes else "")
        )
    return said
