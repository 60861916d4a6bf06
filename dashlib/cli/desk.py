"""What all commands share: the desk, the languages, how errors and tables are shown, and `main` itself.

Frames, rules and the database take a second to import, so that here and in `main` they are imported where they are
used: help and usage errors do without.
"""

import copy
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dashlib import texts
from dashlib.cards import holds_card, without_cards
from dashlib.errors import DashError, UsageError

if TYPE_CHECKING:
    import polars as pl

    from dashlib.database import Database
    from dashlib.runs import Run
    from dashlib.settings import Settings
    from dashlib.workbench import Workbench

# The modules of commands, and what each adds to `main` when it is imported.
ROOMS = {
    "cache": ("cache",),
    "dashboards": ("dashboards",),
    "db": ("db",),
    "demo": ("demo-data",),
    "explain": ("why", "diff", "whatif", "ack", "unack"),
    "export": ("export", "import-followup"),
    "lab": ("lab",),
    "reference": ("reference",),
    "report": ("report",),
    "rules": ("rules",),
    "runs": ("validate", "runs", "show", "results", "records", "logs"),
    "schedule": ("schedule",),
    "worker": ("worker",),
}
COMMANDS = {command: room for room, commands in ROOMS.items() for command in commands}
DAY = click.DateTime(formats=["%Y-%m-%d"])
SEVERITIES = ("error", "warning", "info")
# What a whole command returns when its files ended differently: the gravest, which is not the highest number.
GRAVEST = (5, 6, 3, 8, 4, 7, 1, 0)


class Spoken(click.Group):
    """Says in the reader's language what each of its commands does."""

    group_class: type[click.Group] | type[type] | None = type  # groups in it are spoken too

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        command = super().get_command(ctx, cmd_name)
        if command is None:
            return None
        told = copy.copy(command)
        told.help = texts.words(asked(ctx)).get(".".join(("help", *_path(ctx), cmd_name)), command.help)
        return told


def _path(ctx: click.Context) -> list[str]:
    """The groups that lead here, from the command line's own on."""
    return [*_path(ctx.parent), str(ctx.info_name)] if ctx.parent else []


class Group(Spoken):
    """Turns what the user can mend into its sentence and its own exit code; imports a command when it is called."""

    group_class = Spoken

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in COMMANDS:
            import_module(f"dashlib.cli.{COMMANDS[cmd_name]}")
        return super().get_command(ctx, cmd_name)

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(texts.text("help", asked(ctx)))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        said = [(name, texts.text(f"help.{name}", asked(ctx))) for name in self.list_commands(ctx)]
        with formatter.section(texts.text("help.commands", asked(ctx))):
            formatter.write_dl(said)

    def make_context(self, *named: Any, **given: Any) -> click.Context:
        with quoting_no_card():
            return super().make_context(*named, **given)

    def invoke(self, ctx: click.Context) -> Any:
        lang = ctx.params["lang"] = spoken(ctx.params["lang"], ctx.params["env_file"])
        with texts.speaking(lang), quoting_no_card():
            try:
                return super().invoke(ctx)
            except DashError as error:
                tell(error)
                ctx.exit(error.exit_code)
            except KeyboardInterrupt:
                click.echo(texts.text("cli.interrupted", lang), err=True)
                ctx.exit(130)


@contextmanager
def quoting_no_card() -> Iterator[None]:
    """Usage errors quote what was typed, but no health insurance number."""
    try:
        yield
    except click.UsageError as refused:
        said = refused.format_message()
        if not holds_card(said):
            raise
        raise click.UsageError(without_cards(said), refused.ctx) from None


def asked(ctx: click.Context) -> texts.Language:
    """The language in which help is wanted; it is given before the language has been read, or beside it."""
    given = ctx.find_root().params.get("lang") or os.environ.get("DASHLIB_LANG")
    return "en" if given == "en" else "fr"


def spoken(given: texts.Language | None, env_file: Path | None) -> texts.Language:
    """The language asked for, else the settings' own."""
    if given is not None or env_file is None:
        return given or "fr"
    from dashlib.settings import read_settings

    try:
        return read_settings(env_file).lang
    except DashError:
        return "fr"  # a command that needs the settings says what is wrong with them


def open_workbench(env_file: Path | None) -> "Workbench":
    """The workbench by these settings."""
    from dashlib import workbench

    return workbench.open_workbench(env_file)


class Desk:
    """What commands share: the language, and where to look for settings. The workbench is opened by who needs it."""

    def __init__(self, lang: str, env_file: Path | None) -> None:
        self.lang = lang
        self.env_file = env_file

    @property
    def settings(self) -> "Settings":
        from dashlib.settings import read_settings

        return read_settings(self.env_file)

    def open(self) -> "Workbench":
        return open_workbench(self.env_file)

    def database(self) -> "Database":
        """The database as it is, at whatever migration."""
        from dashlib import database

        return database.open_database(self.settings, check=False)

    def moved(self, backup: Path | None) -> None:
        """Says that the schema is where it was wanted, and where the dump made before lies."""
        key, facts = ("cli.backup", {"path": str(backup)}) if backup else ("cli.migrated", {})
        click.echo(texts.text(key, self.lang, **facts))

    def run(self, wanted: str) -> "Run":
        from dashlib import runs

        return runs.find_run(self.open(), wanted)

    def open_with_lost_runs_failed(self) -> "Workbench":
        """The workbench, in which no run whose process was killed is still under way."""
        from dashlib import leases

        wb = self.open()
        leases.fail_lost_runs(wb.database)
        return wb


def tell(error: DashError) -> None:
    """The error's sentence on stderr, and below it every fault of the file."""
    click.echo(f"✕ {error}", err=True)
    if more := getattr(error, "faults", ())[1:]:  # the first is the error itself
        from dashlib import exports

        click.echo("\n".join(f"  {exports.said(fault)}" for fault in more), err=True)


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


def show_json(rows: "pl.DataFrame", lang: str, *, of: int) -> None:
    """The first rows of so many on stdout as JSON objects whose keys are the columns, one a line."""
    click.echo(rows.write_ndjson(), nl=False)
    tell_more(rows, lang, of=of)


def show_table(rows: "pl.DataFrame", lang: str, *, of: int) -> None:
    """The first rows of so many on stdout, as a table."""
    from dashlib import display

    click.echo(display.frame(rows, lang))
    tell_more(rows, lang, of=of)


def tell_more(rows: "pl.DataFrame", lang: str, *, of: int) -> None:
    """How many rows were left out, on stderr."""
    if of > rows.height:
        click.echo(texts.plural("cli.more", of - rows.height, lang), err=True)


SOME = click.IntRange(1, 1_000_000)
ROWS = 50  # of a table, unless asked otherwise
limit_option = click.option("--limit", type=SOME, help=f"Rows at most (default: {ROWS} in a table, else all).")
json_option = click.option("--json", "json_lines", is_flag=True, help="One JSON object a line, for another program.")


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--lang",
    type=click.Choice(texts.LANGUAGES),
    envvar="DASHLIB_LANG",
    is_eager=True,  # `--lang en --help` is in English
    help="Language spoken (default: fr).",
)
@click.option("--env-file", type=click.Path(path_type=Path), help="Read settings from this file too.")
@click.version_option(package_name="dashlib")
@click.pass_context
def main(ctx: click.Context, lang: str, env_file: Path | None) -> None:
    """Find what is wrong, and what is missing, in Quebec physicians' claims."""
    ctx.obj = Desk(lang, env_file)
