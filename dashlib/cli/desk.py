"""What all commands share: the desk, the languages, how errors and tables are shown, and `main` itself."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import polars as pl

from dashlib import database, display, exports, leases, runs, texts
from dashlib.database import Database
from dashlib.errors import DashError, UsageError
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
