import importlib
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from dashlib import cli, texts
from dashlib.cli import desk

HEAVY = ("polars", "sqlalchemy", "psycopg", "pydantic", "altair", "papermill", "redis", "numpy")


def commands(group=cli.main, path=("help",)):
    for name, command in group.commands.items():
        yield ".".join((*path, name)), command
        yield from commands(command, (*path, name)) if isinstance(command, click.Group) else ()


@pytest.fixture(scope="module")
def everything():
    rooms = [file.stem for file in Path(desk.__file__).parent.glob("*.py") if file.stem not in ("__init__", "desk")]
    for room in rooms:
        importlib.import_module(f"dashlib.cli.{room}")
    return dict(commands())


def test_every_command_is_listed(everything):
    assert set(cli.main.commands) == set(desk.COMMANDS)


def test_every_command_says_in_both_languages_what_it_does(everything):
    said = {path: " ".join(command.help.split()) for path, command in everything.items()}
    assert {path: " ".join(texts.words("en")[path].split()) for path in everything} == said
    assert set(everything) <= set(texts.words("fr"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--help"], "Valider FILES par les règles en vigueur"),
        (["--lang", "en", "--help"], "Validate FILES by the rules in force"),
        (["rules", "--help"], "Montrer la fiche de la règle NAME."),
        (["--lang", "en", "rules", "--help"], "Show the rule NAME as a sheet."),
        (["rules", "show", "--help"], "Montrer la fiche de la règle NAME."),
        (["report", "--help"], "Écrire le rapport de RUN"),
    ],
)
def test_help_is_in_the_language_of_its_reader(arguments, words):
    assert words in CliRunner().invoke(cli.main, arguments, terminal_width=200).stdout


def test_help_follows_the_language_of_the_settings(monkeypatch):
    monkeypatch.setenv("DASHLIB_LANG", "en")
    assert "Validate FILES" in CliRunner().invoke(cli.main, ["--help"]).stdout


@pytest.mark.parametrize("option", ["--help", "--version", "--nonsense"])
def test_what_needs_nothing_imports_nothing_heavy(option):
    program = "import sys\nfrom dashlib.cli import main\nmain([sys.argv[1]], standalone_mode=False)"
    script = f"try:\n    exec({program!r})\nexcept BaseException:\n    pass\nprint(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", f"import sys\n{script}", option], capture_output=True, text=True)
    assert done.stdout.split().count("dashlib.cli.desk") == 1
    assert set(done.stdout.split()).isdisjoint(HEAVY)
