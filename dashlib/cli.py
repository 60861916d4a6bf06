"""The command line: parse, call one function, print. Results go to stdout, talk to stderr."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import click
import polars as pl

from dashlib import database, demo, display, exports, leases, notebook, runs, serve, texts, validation
from dashlib.database import Database
from dashlib.errors import DashError, ExportRefused, UsageError
from dashlib.runs import Run
from dashlib.settings import Settings, read_settings
from dashlib.workbench import Workbench, open_workbench

DAY = click.DateTime(formats=["%Y-%m-%d"])
SEVERITIES = ("error", "warning", "info")
# What a whole command returns when its files ended differently: the gravest, which is not the highest number.
GRAVEST = (5, 6, 3, 8, 4, 7, 1, 0)


class Group(click.Group):
    """Turns what the user can mend into its sentence and its own exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        lang = ctx.params["lang"] = spoken(ctx.params["lang"], ctx.params["env_file"])
        with texts.speaking(lang):
            try:
                return super().invoke(ctx)
            except DashError as error:
                tell(error)
                ctx.exit(error.exit_code)
            except KeyboardInterrupt:
                click.echo(texts.text("cli.interrupted", lang), err=True)
                ctx.exit(130)


def spoken(given: texts.Language | None, env_file: Path | None) -> texts.Language:
    """The language asked for, else the settings' own."""
    if given is not None or env_file is None:
        return given or "fr"
    try:
        return read_settings(env_file).lang
    except UsageError:
        return "fr"  # a command that needs the settings says what is wrong with them


class Desk:
    """What commands share: the language, and where to look for settings. The workbench is opened by who needs it."""

    def __init__(self, lang: str, env_file: Path | None) -> None:
        self.lang = lang
        self.env_file = env_file

    @property
    def settings(self) -> Settings:
        return read_settings(self.env_file)

    def open(self) -> Workbench:
        return open_workbench(self.env_file)

    def database(self) -> Database:
        """The database as it is, at whatever migration."""
        return database.open_database(self.settings, check=False)

    def moved(self, backup: Path | None) -> None:
        """Says that the schema is where it was wanted, and where the dump made before lies."""
        key, facts = ("cli.backup", {"path": str(backup)}) if backup else ("cli.migrated", {})
        click.echo(texts.text(key, self.lang, **facts))

    def run(self, wanted: str) -> Run:
        return runs.find_run(self.open(), wanted)

    def open_with_lost_runs_failed(self) -> Workbench:
        """The workbench, in which no run whose process was killed is still under way."""
        wb = self.open()
        leases.fail_lost_runs(wb.database)
        return wb


def tell(error: DashError) -> None:
    """The error's sentence on stderr, and below it every fault of the file."""
    click.echo(f"✕ {error}", err=True)
    for fault in getattr(error, "faults", ())[1:]:  # the first is the error itself
        click.echo(f"  {exports.said(fault)}", err=True)


@contextmanager
def writing(*files: Path | None) -> Iterator[None]:
    """What cannot be written is said with its folder."""
    try:
        yield
    except OSError:
        folders = dict.fromkeys(str(file.absolute().parent) for file in files if file)
        raise UsageError("DL-OUT-001", folder=", ".join(folders)) from None


def as_json(value: Any) -> None:
    click.echo(json.dumps(value, ensure_ascii=False, default=str))


def show_json(rows: pl.DataFrame) -> None:
    """A frame on stdout as JSON objects whose keys are the columns, one a line."""
    click.echo(rows.write_ndjson(), nl=False)


def show_table(rows: pl.DataFrame, lang: str, *, of: int) -> None:
    """The first rows of so many on stdout, as a table."""
    click.echo(display.frame(rows, lang))
    if of > rows.height:
        click.echo(texts.plural("cli.more", of - rows.height, lang), err=True)


SOME = click.IntRange(1, 1_000_000)
limit_option = click.option("--limit", default=50, show_default=True, type=SOME, help="Rows of the table.")
json_option = click.option("--json", "json_lines", is_flag=True, help="One JSON object a line, for another program.")


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--lang", type=click.Choice(texts.LANGUAGES), envvar="DASHLIB_LANG", help="Language spoken (default: fr)."
)
@click.option("--env-file", type=click.Path(path_type=Path), help="Read settings from this file too.")
@click.version_option(package_name="dashlib")
@click.pass_context
def main(ctx: click.Context, lang: str, env_file: Path | None) -> None:
    """Find what is wrong, and what is missing, in Quebec physicians' claims."""
    ctx.obj = Desk(lang, env_file)


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
        as_json(run.as_dict()) if json_lines else click.echo(display.summary(run, desk.lang))
        codes.append(exit_code(run, fail_on))
    sys.exit(min(codes, key=GRAVEST.index))


def exit_code(run: Run, fail_on: str | None) -> int:
    """7 when lines were rejected; else 1 when a result is at or above `fail_on`."""
    if run.figures["rejected_count"]:
        return 7
    grave = SEVERITIES[: SEVERITIES.index(fail_on) + 1] if fail_on else ()
    return int(any(run.figures[f"{severity}_count"] for severity in grave))


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
    as_json(found.as_dict()) if json_lines else click.echo(display.summary(found, desk.lang))


@main.command()
@click.argument("run")
@click.option("--rule", help="Only results of this rule.")
@click.option("--severity", type=click.Choice(SEVERITIES), help="Only results of this severity.")
@click.option("--csv", "csv_file", type=click.Path(path_type=Path, dir_okay=False), help="Write them all to this file.")
@limit_option
@json_option
@click.pass_obj
def results(
    desk: Desk, run: str, rule: str | None, severity: str | None, csv_file: Path | None, limit: int, json_lines: bool
) -> None:
    """List the results of RUN; patients and doctors are pseudonyms."""
    whole, found = json_lines or csv_file is not None, desk.run(run)
    rows = found.results_in(desk.lang, rule=rule, severity=severity, limit=None if whole else limit)
    if csv_file is not None:
        with writing(csv_file):
            click.echo(display.write_csv(rows, csv_file, desk.lang), err=True)
    elif json_lines:
        show_json(rows)
    else:
        show_table(rows.select(display.RESULT_COLUMNS), desk.lang, of=found.count_results(rule, severity))


@main.command()
@click.argument("run")
@click.option("--rejected", is_flag=True, help="The lines that could not become records, and why.")
@limit_option
@json_option
@click.pass_obj
def records(desk: Desk, run: str, rejected: bool, limit: int, json_lines: bool) -> None:
    """List the lines of RUN; patients and doctors are pseudonyms."""
    found = desk.run(run)
    read, count = (
        (found.first_rejected, found.count_rejected) if rejected else (found.first_records, found.count_records)
    )
    show_json(read(None)) if json_lines else show_table(read(limit), desk.lang, of=count())


@main.command()
@click.argument("run")
@limit_option
@json_option
@click.pass_obj
def logs(desk: Desk, run: str, limit: int, json_lines: bool) -> None:
    """Tell what happened in RUN."""
    found = desk.run(run).logs
    show_json(found) if json_lines else show_table(found.head(limit), desk.lang, of=found.height)


@main.command()
@click.argument("run")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Default: run-NUMBER.html, here.")
@click.pass_obj
def report(desk: Desk, run: str, out: Path | None) -> None:
    """Write the report of RUN: one HTML file that asks nothing of the network."""
    found = desk.run(run)
    found.require_completed()
    path = notebook.report(found.wb, str(found.id), lang=desk.lang, out=out or Path(f"run-{found.number}.html"))
    click.echo(texts.text("cli.report", desk.lang, path=str(path)))


@main.command()
@click.option(
    "--port", default=8866, show_default=True, type=click.IntRange(1, 65535), help="Where, on this machine only."
)
@click.option("--no-browser", is_flag=True, help="Serve only; open nothing.")
@click.pass_obj
def dashboards(desk: Desk, port: int, no_browser: bool) -> None:
    """Serve the dashboards to this machine's browser."""
    desk.open()
    serve.serve(desk.settings, port=port, browser=not no_browser, lang=desk.lang)


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
    facts = {"lines": made.rows, "planted": made.planted, "day": texts.day(made.run_date)}
    click.echo(texts.text("cli.demo", desk.lang, path=str(out), **facts), err=True)


@main.group()
def db() -> None:
    """The database: its schema, and the embedded server."""


@db.command()
@click.option("--to", "revision", default="head", show_default=True, help="How far.")
@click.option("--no-backup", is_flag=True, help="Do not write a dump first.")
@click.pass_obj
def migrate(desk: Desk, revision: str, no_backup: bool) -> None:
    """Bring the schema up to date; a database that holds data is dumped first."""
    desk.moved(database.migrate(desk.database(), revision, backup=not no_backup))


@db.command()
@click.argument("revision")
@click.option("--no-backup", is_flag=True, help="Do not write a dump first.")
@click.pass_obj
def downgrade(desk: Desk, revision: str, no_backup: bool) -> None:
    """Take the schema back to REVISION, or away altogether with `base`; data is dumped first."""
    desk.moved(database.downgrade(desk.database(), revision, backup=not no_backup))


@db.command()
@click.argument("message")
@click.pass_obj
def revision(desk: Desk, message: str) -> None:
    """Draft a migration from what the models have and the database has not."""
    click.echo(database.new_revision(desk.database(), message))


@db.command("show")
@json_option
@click.pass_obj
def show_revisions(desk: Desk, json_lines: bool) -> None:
    """List the migrations, and which of them the database has."""
    for name, says, applied in database.show(desk.database()):
        found = {"revision": name, "says": says, "applied": applied}
        as_json(found) if json_lines else click.echo(f"{'✓' if applied else '·'} {name}  {says}")


@db.command()
@json_option
@click.pass_obj
def status(desk: Desk, json_lines: bool) -> None:
    """Tell where the database is, what it holds, and whether it is up to date."""
    found = database.status(desk.database())
    as_json(found) if json_lines else click.echo(display.pairs(found, desk.lang))


@db.command()
@click.pass_obj
def stop(desk: Desk) -> None:
    """Stop the embedded server; what was committed stays."""
    stopped = database.stop(desk.settings)
    click.echo(texts.text("cli.stopped" if stopped else "cli.not_running", desk.lang))
