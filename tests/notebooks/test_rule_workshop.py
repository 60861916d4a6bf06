import json

import pytest

from dashlib import notebook, resources
from dashlib.embedded import APP
from dashlib.errors import NotebookFailed
from dashlib.workbench import open_workbench

pytestmark = [pytest.mark.notebooks, pytest.mark.database]
WORKSHOP = resources.folder("notebooks") / "rule_workshop.ipynb"


@pytest.fixture
def wb(database, redis_url, tmp_path, monkeypatch):
    """The test's database as its own address tells it, which is how a kernel finds it again."""
    monkeypatch.setenv("DATABASE_URL", database.cluster.conninfo(APP, database.name))
    monkeypatch.setenv("REDIS_URL", redis_url)
    monkeypatch.setenv("DASHLIB_PHI_KEY", "a key for tests only")
    monkeypatch.setenv("DASHLIB_HOME", str(tmp_path))
    opened = open_workbench()
    yield opened
    opened.database.close()


def test_the_workshop_runs_in_a_kernel_and_shows_the_rule(wb, tmp_path):
    made = notebook.run_notebook(WORKSHOP, tmp_path / "out.html", {"days": 30, "language": "en"})
    outputs = [output for cell in json.loads(made.read_text("utf-8"))["cells"] for output in cell.get("outputs", [])]
    shown = json.dumps(outputs, ensure_ascii=False)
    assert "ANNUAL_PERIODIC_VISIT" in shown
    assert "application/vnd.jupyter.widget-view+json" in shown
    assert {output["output_type"] for output in outputs} <= {"display_data", "execute_result"}


def test_the_workshop_of_a_rule_that_there_is_not_stops_and_says_so(wb, tmp_path):
    with pytest.raises(NotebookFailed, match="NotFound"):
        notebook.run_notebook(WORKSHOP, tmp_path / "out.html", {"rule": "NO_SUCH_RULE"})
