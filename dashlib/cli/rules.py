"""The rules: looked at, tried, and changed."""

import shlex
from typing import Any

import click

from dashlib import display, preview, reference, rulebook, sheets, texts
from dashlib.cli.desk import SOME, Desk, as_json, json_option, main
from dashlib.edits import differences, edited, read_changes, rule_data
from dashlib.rulebook import Saved

set_option = click.option("--set", "changes", multiple=True, required=True, help="A change, FIELD=VALUE; repeat it.")
note_option = click.option("--note", default="", help="Why; it stays with the version. No patient in it.")


class Span(click.ParamType[int]):
    """A number of days, written 90d or 90."""

    name = "days"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        text = str(value).removesuffix("d")
        if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 3660:
            self.fail("days are written 90d, from 1d to 3660d", param, ctx)
        return int(text)


@main.group()
def rules() -> None:
    """The rules: looked at, tried, and changed."""


@rules.command("list")
@click.option("--type", "kind", help="Only rules of this type.")
@click.option("--disabled", is_flag=True, help="Only rules that do not judge.")
@click.option("--search", help="Only rules that hold this word, in name, label or codes.")
@json_option
@click.pass_obj
def list_rules(desk: Desk, kind: str | None, disabled: bool, search: str | None, json_lines: bool) -> None:
    """List the rules in force, those that are disabled too."""
    found = rulebook.chosen(reference.rules_in_force(desk.open()), kind=kind, disabled=disabled, search=search)
    if json_lines:
        for rule in found:
            as_json(rule_data(rule))
    else:
        click.echo(sheets.listed(found, desk.lang) if found else texts.text("rule.none", desk.lang))


@rules.command()
@click.argument("name")
@json_option
@click.pass_obj
def show(desk: Desk, name: str, json_lines: bool) -> None:
    """Show the rule NAME as a sheet."""
    found = rulebook.sheet(desk.open(), name)
    as_json(found.as_dict()) if json_lines else click.echo(sheets.sheet(found, desk.lang))


@rules.command()
@click.argument("name")
@json_option
@click.pass_obj
def history(desk: Desk, name: str, json_lines: bool) -> None:
    """Tell the versions of the rule NAME: who changed what, when and why."""
    versions = rulebook.history(desk.open(), name)
    if not json_lines:
        click.echo(sheets.history(versions, desk.lang))
    for version in versions if json_lines else ():
        as_json(version.as_dict())


@rules.command()
@click.argument("name")
@note_option
@json_option
@click.pass_obj
def enable(desk: Desk, name: str, note: str, json_lines: bool) -> None:
    """Let the rule NAME judge."""
    wb = desk.open()
    _tell(desk, rulebook.set_enabled(wb, name, True, note=note), json_lines)


@rules.command()
@click.argument("name")
@note_option
@json_option
@click.pass_obj
def disable(desk: Desk, name: str, note: str, json_lines: bool) -> None:
    """Keep the rule NAME silent."""
    wb = desk.open()
    _tell(desk, rulebook.set_enabled(wb, name, False, note=note), json_lines)


@rules.command("set")
@click.argument("name")
@click.argument("assignments", nargs=-1)
@click.option("--set", "changes", multiple=True, help="A change, FIELD=VALUE; repeat it.")
@note_option
@json_option
@click.pass_obj
def set_rule(
    desk: Desk, name: str, assignments: tuple[str, ...], changes: tuple[str, ...], note: str, json_lines: bool
) -> None:
    """Change the rule NAME: FIELD=VALUE, as many as you like, in one new version."""
    wanted = read_changes([*assignments, *changes])
    wb = desk.open()
    before = rulebook.find_rule(wb, name)
    _tell(desk, rulebook.save_rule(wb, before, edited(before, wanted), note=note), json_lines)


@rules.command()
@click.argument("name")
@note_option
@json_option
@click.pass_obj
def reset(desk: Desk, name: str, note: str, json_lines: bool) -> None:
    """Put the rule NAME back to what dashlib ships, as a new version."""
    wb = desk.open()
    _tell(desk, rulebook.reset_rule(wb, name, note=note), json_lines)


@rules.command("preview")
@click.argument("name")
@set_option
@click.option(
    "--over", "days", default="90d", show_default=True, type=Span(), help="How far back from the last day held."
)
@click.option("--examples", default=5, show_default=True, type=SOME, help="Results shown of each kind.")
@json_option
@click.pass_obj
def preview_rule(desk: Desk, name: str, changes: tuple[str, ...], days: int, examples: int, json_lines: bool) -> None:
    """Try a change of the rule NAME on the lines that are kept; nothing is saved."""
    wanted = read_changes(changes)
    wb = desk.open()
    before = rulebook.find_rule(wb, name)
    after = edited(before, wanted)
    with display.busy("busy.judging", desk.lang, unless=json_lines):
        shown = preview.preview(wb, before, after, days=days, lang=desk.lang)
    if json_lines:
        as_json(shown.as_dict(examples))
        return
    made = differences(rule_data(before), rule_data(after))
    click.echo(sheets.previewed(shown, desk.lang, examples=examples, changes=made))
    command = shlex.join(["dashlib", "rules", "set", before.name, *changes, "--note", "…"])
    click.echo(texts.text("preview.next", desk.lang, command=command), err=True)


def _tell(desk: Desk, saved: Saved, json_lines: bool) -> None:
    """What was saved, on stdout; what could not be checked, on stderr."""
    if json_lines:
        as_json(saved.as_dict())
    for rule, version in saved.versions.items() if not json_lines else ():
        click.echo(texts.text("rule.saved", desk.lang, rule=rule, version=str(version)))
    for rule in saved.equal if not json_lines else ():
        click.echo(texts.text("rule.unchanged", desk.lang, rule=rule))
    if saved.unjudged:
        click.echo(texts.text("rule.unjudged", desk.lang, codes=", ".join(saved.unjudged)), err=True)
