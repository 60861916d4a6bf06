"""The database: its schema, and the embedded server."""

import click

from dashlib import database, display, texts
from dashlib.cli.desk import Desk, as_json, json_option, main


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
    """Stop the embedded servers, the cache's too; what was committed stays."""
    stopped = database.stop(desk.settings)
    click.echo(texts.text("cli.stopped" if stopped else "cli.not_running", desk.lang))
