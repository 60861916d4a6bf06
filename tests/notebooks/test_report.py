import json
import re

import pytest

from dashlib import notebook, resources
from dashlib.embedded import APP
from dashlib.errors import NotebookFailed, UsageError
from dashlib.settings import Settings
from dashlib.workbench import open_workbench
from tests import seed
from tests.integration import loading

pytestmark = [pytest.mark.notebooks, pytest.mark.database]

REPORT = resources.folder("notebooks") / "validation_report.ipynb"
DAYS = """
    date_de_service | doctor        | lieu_de_pratique | lines | lines_in_error | patients | registered | walk_in
    2025-06-02      | MÉD-0A11AA1111 | 54321           | 1000  | 30             | 24       | 16         | 8
    2025-06-03      | MÉD-0A11AA1111 | 54321           | 500   | 0              | 25       | 17         | 8
"""
RULES = """
    date_de_service | doctor        | lieu_de_pratique | rule_id | severity | results | lines | amount  | at_risk
    2025-06-02      | MÉD-0A11AA1111 | 54321           | FEE     | error    | 30      | 30    | 1944.00 | 1944.00
"""
SEEN = """
    date_de_service | doctor        | patients | registered | walk_in
    2025-06-02      | MÉD-0A11AA1111 | 24      | 16         | 8
    2025-06-03      | MÉD-0A11AA1111 | 25      | 17         | 8
"""


@pytest.fixture
def wb(database, redis_url, tmp_path, monkeypatch):
    """The test's database as its own address tells it, which is how a kernel of a report finds it again."""
    monkeypatch.setenv("DATABASE_URL", database.cluster.conninfo(APP, database.name))
    monkeypatch.setenv("REDIS_URL", redis_url)
    monkeypatch.setenv("DASHLIB_PHI_KEY", "a key for tests only")
    monkeypatch.setenv("DASHLIB_HOME", str(tmp_path))
    opened = open_workbench()
    yield opened
    opened.database.close()


@pytest.fixture
def run_id(wb):
    """A run of 1,500 lines, 30 of them in error and 14 more rejected."""
    with wb.database.connect() as connection:
        run = loading.run(connection, wb.viewer.id)
        loading.load(connection, run, 14)
        seed.figures(
            connection, run, record_count=1500, lines_in_error=30, error_count=30, rejected_count=14, at_risk="1944.00"
        )
        seed.labels(connection, FEE="Frais de bureau")
        seed.days(connection, run, DAYS)
        seed.rules(connection, run, RULES)
        seed.doctor_days(connection, run, SEEN)
    return str(run)


def words(html):
    shown = re.sub(r"<style>.*?</style>|<[^>]+>", " ", html, flags=re.S)
    return re.sub(r"[\s\u00a0\u202f]+", " ", shown)


def test_a_report_says_what_a_run_found_in_one_file_that_asks_for_nothing(wb, run_id, tmp_path):
    page = notebook.report(wb, run_id, lang="fr", out=tmp_path / "report.html")
    html = page.read_text("utf-8")
    said = words(html)
    assert "2,0 % des 1 500 lignes sont en erreur : 30 lignes." in said
    assert "14 autres lignes rejetées" in said
    assert "Frais de bureau 30 30 1 944,00 $" in said
    assert "MÉD-0A11AA1111 2 24,5 25 33 16" in said
    assert "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 et 2 autres" in said
    assert not re.search(r"(src|href)\s*=\s*[\"']?(https?:)?//|@import|url\([\"']?https?:|<script", html)
    assert "TEST0000" not in html
    assert [oct(file.stat().st_mode & 0o777) for file in (page, page.with_suffix(".ipynb"))] == ["0o600", "0o600"]


@pytest.mark.browser
def test_a_report_opens_in_a_browser_without_a_request_and_speaks_english(wb, run_id, tmp_path, visit):
    report = notebook.report(wb, run_id, lang="en", out=tmp_path / "report.html")
    page = visit(report.as_uri())
    assert page.get_by_role("heading", level=1).inner_text() == "Validation report"
    assert page.locator("figure svg .mark-rect path, figure svg .mark-symbol path").count() == 4
    assert (page.outside, page.faults) == ([], [])


def test_a_parameter_that_the_notebook_does_not_have_is_refused(tmp_path):
    with pytest.raises(
        UsageError, match=r"^DL-NB-001.*n’a pas de paramètre langage, run. Il connaît.*language, run_id"
    ):
        notebook.run_notebook(REPORT, tmp_path / "out.html", {"run": "last", "langage": "fr"})
    assert list(tmp_path.iterdir()) == []


def test_a_parameter_that_could_be_a_name_is_refused_and_not_quoted(tmp_path):
    with pytest.raises(UsageError, match=r"^DL-NB-004.*run_id ne l’est pas") as refused:
        notebook.run_notebook(REPORT, tmp_path / "out.html", {"run_id": "Tremblay, Marie"})
    assert "Tremblay" not in str(refused.value)


def test_a_notebook_that_stops_says_where_keeps_what_it_made_and_quotes_nothing(wb, tmp_path):
    with pytest.raises(NotebookFailed) as stopped:
        notebook.report(wb, "00000000-0000-0000-0000-000000000000", lang="fr", out=tmp_path / "report.html")
    said = str(stopped.value)
    assert "(NotFound)" in said
    assert str(tmp_path / "report.ipynb") in said
    kept = json.loads((tmp_path / "report.ipynb").read_text("utf-8"))
    assert kept["metadata"]["papermill"]["exception"] is True
    assert not (tmp_path / "report.html").exists()


def test_a_folder_that_cannot_be_written_is_said_before_anything_runs(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(NotebookFailed, match=r"^DL-NB-003"):
        notebook.run_notebook(REPORT, tmp_path / "file" / "report.html", {"run_id": "last"})


def test_settings_say_themselves_as_the_variables_that_a_kernel_reads(tmp_path):
    given = Settings(DATABASE_URL="postgresql://somewhere/x", REDIS_URL="redis://there", home=tmp_path, lang="en")
    told = notebook.environment(given)
    assert (told["DATABASE_URL"], told["REDIS_URL"], told["DASHLIB_HOME"], told["DASHLIB_LANG"]) == (
        "postgresql://somewhere/x",
        "redis://there",
        str(tmp_path),
        "en",
    )
    assert "DASHLIB_PHI_KEY" not in told
