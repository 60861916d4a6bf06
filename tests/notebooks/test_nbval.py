import json
import os
import subprocess
import sys
from datetime import date

import pytest

from dashlib import demo, resources
from dashlib.embedded import APP
from dashlib.validation import validate_file
from dashlib.workbench import open_workbench
from tests.exports import export, line

pytestmark = [pytest.mark.notebooks, pytest.mark.database, pytest.mark.slow]

FIRST = resources.folder("notebooks") / "start.ipynb"
OTHERS = sorted({*FIRST.parent.glob("*.ipynb"), *resources.folder("dashboards").glob("*.ipynb")} - {FIRST})
TWICE = (line(facture="900000001", code="15815"), line(facture="900000002", code="15815", date="2025-03-11"))
# What the cells of start.ipynb that are tagged nbval-check-output must show, by what they ask.
RUNS = {"text/plain": "[Run(2, completed), Run(1, completed)]"}
ERRORS = {
    "text/html": (
        '<div class="scroll" role="region" tabindex="0" aria-label="2 lignes, 3 colonnes"><table class="d-t"><caption>2 lignes, 3 colonnes</caption><thead><tr>'
        '<th scope="col" style="text-align: left">rule_id</th>'
        '<th scope="col" class="n">constats</th><th scope="col" class="n">montant</th></tr></thead><tbody>'
        '<tr><td style="text-align: left">AGE_80_PLUS_VISITS</td><td class="n">2</td><td class="n">98,30</td></tr>'
        '<tr><td style="text-align: left">ANNUAL_INTAKE_VISIT</td><td class="n">1</td><td class="n">49,15</td></tr>'
        "</tbody></table></div>"
    ),
    "text/plain": """\
rule_id              constats  montant
AGE_80_PLUS_VISITS          2    98,30
ANNUAL_INTAKE_VISIT         1    49,15
2 lignes, 3 colonnes""",
}


@pytest.fixture
def surroundings(database, redis_url, tmp_path, monkeypatch):
    """What kernels are told: where to find a database with a run of a clinic's month, and one of two lines."""
    named = {
        "DATABASE_URL": database.cluster.conninfo(APP, database.name),
        "REDIS_URL": redis_url,
        "DASHLIB_PHI_KEY": "a key for tests only",
        "DASHLIB_HOME": str(tmp_path),
    }
    for name, value in named.items():
        monkeypatch.setenv(name, value)
    wb = open_workbench()
    demo.write_demo(tmp_path / "clinic.csv", rows=1500, seed=7, errors=0.03, run_date=date(2025, 6, 30))
    (tmp_path / "twice.csv").write_text(export(*TWICE), "utf-8")
    validate_file(wb, tmp_path / "clinic.csv", run_date=date(2025, 6, 30))
    validate_file(wb, tmp_path / "twice.csv", run_date=date(2025, 3, 31))
    wb.database.close()
    return {**os.environ, **named}


def nbval(surroundings, folder, *notebooks):
    command = (sys.executable, "-m", "pytest", "-q", "--nbval-lax", "--nbval-kernel-name", "python3")
    # Not under this project's own settings of pytest: kernels have warnings of their own.
    apart = ("-c", os.devnull, "--rootdir", str(folder), "-p", "no:cacheprovider")
    done = subprocess.run([*command, *apart, *notebooks], env=surroundings, cwd=folder, capture_output=True, text=True)
    return done.returncode, done.stdout


def with_outputs(notebook, shown):
    """The notebook with what its tagged cells must show."""
    written = json.loads(notebook.read_text("utf-8"))
    tagged = [cell for cell in written["cells"] if "nbval-check-output" in cell["metadata"].get("tags", [])]
    for cell, (kind, data) in zip(tagged, shown, strict=True):
        count = {"execution_count": None} if kind == "execute_result" else {}
        cell["execution_count"] = 1
        cell["outputs"] = [{"output_type": kind, "data": data, "metadata": {}, **count}]
    return json.dumps(written)


def test_every_notebook_runs_and_the_first_shows_the_runs_and_what_is_wrong_with_the_last(surroundings, tmp_path):
    first = tmp_path / FIRST.name
    first.write_text(with_outputs(FIRST, [("execute_result", RUNS), ("display_data", ERRORS)]), "utf-8")
    code, said = nbval(surroundings, tmp_path, first, *OTHERS)
    assert code == 0, said
    other = {"text/plain": "[Run(1, completed)]"}
    first.write_text(with_outputs(FIRST, [("execute_result", other), ("display_data", ERRORS)]), "utf-8")
    code, said = nbval(surroundings, tmp_path, first)
    assert (code, said.count("FAILED")) == (1, 1), said
