import json
import re
from importlib import import_module
from pathlib import Path

import click
import pytest

from dashlib.cli.desk import ROOMS, main
from dashlib.rules import shipped_rules
from dashlib.settings import Settings

HOUSE = Path(__file__).parent.parent
README = (HOUSE / "README.md").read_text("utf-8")
NOTEBOOKS = sorted([*HOUSE.glob("notebooks/*.ipynb"), *HOUSE.glob("dashboards/*.ipynb")])
TYPES = sorted({rule.condition.type for rule in shipped_rules()})
NAM = re.compile(r"\b[A-Z]{4}\d{8}\b")


for room in ROOMS:
    import_module(f"dashlib.cli.{room}")


def commands(group: click.Group) -> list[click.Command]:
    below = [commands(c) if isinstance(c, click.Group) else [c] for c in group.commands.values()]
    return [command for each in below for command in each]


@pytest.mark.parametrize("command", commands(main), ids=lambda command: str(command.name))
def test_every_command_has_help_that_starts_with_a_verb_and_stands_in_the_readme(command):
    assert re.match(r"[A-Z][a-z]+ ", command.help)
    assert re.search(rf"(`|dashlib |dashlib \w+ ){command.name}\b", README)


@pytest.mark.parametrize("option", [o for c in commands(main) for o in c.params if isinstance(o, click.Option)])
def test_every_option_that_is_no_number_says_what_it_does(option):
    assert option.help or option.show_default


@pytest.mark.parametrize("kind", TYPES)
def test_every_rule_type_has_a_naive_twin_and_a_table_of_cases(kind):
    twins = "".join(file.read_text("utf-8") for file in HOUSE.glob("tests/oracle/*.py"))
    cases = "".join(file.read_text("utf-8") for file in HOUSE.glob("tests/spec/*.py"))
    assert kind in twins
    assert f'"{kind}"' in cases


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda notebook: notebook.name)
def test_notebooks_are_thin_stripped_and_hold_no_identity(notebook):
    cells = json.loads(notebook.read_text("utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    source = "\n".join("".join(cell["source"]) for cell in code)
    assert len(code) <= 10
    assert not any(cell["outputs"] or cell["execution_count"] for cell in code)
    assert not re.search(r"^\s*(def|class|for|while) ", source, re.M)
    assert not NAM.search("\n".join("".join(cell["source"]) for cell in cells))
    imported = re.findall(r"^\s*(?:from|import) (\w+)", source, re.M)
    assert set(imported) == {"dashlib"}


@pytest.mark.parametrize("notebook", sorted(HOUSE.glob("notebooks/*.ipynb")), ids=lambda notebook: notebook.name)
def test_a_notebook_for_papermill_has_one_cell_of_parameters(notebook):
    cells = json.loads(notebook.read_text("utf-8"))["cells"]
    assert sum("parameters" in cell["metadata"].get("tags", []) for cell in cells) == 1


def test_the_settings_that_users_need_stand_in_the_readme():
    for name in ("DATABASE_URL", "DASHLIB_HOME", "DASHLIB_LANG", "DASHLIB_PHI_KEY", "DASHLIB_PHI_KEY_FILE"):
        assert f"`{name}`" in README
        assert name.removeprefix("DASHLIB_").lower() in Settings.model_fields


def test_the_lock_names_no_registry():
    lock = (HOUSE / "requirements.lock").read_text("utf-8")
    assert not re.search(r"https?://|--(extra-)?index-url|--find-links|file:", lock)
