from datetime import date

import pytest

from dashlib import periodicals
from dashlib.errors import PdfUnavailable
from dashlib.periodicals import Written
from dashlib.validation import validate_file
from tests.exports import export, line
from tests.integration.conftest import run as run

pytestmark = pytest.mark.database


@pytest.fixture
def asked(wb, tmp_path, monkeypatch):
    """What the report of a period is asked for, of a clinic that worked on 2025-06-29, a Sunday; nothing is written."""
    path = tmp_path / "june.csv"
    path.write_text(export(line(date="2025-06-02"), line(facture="900000002", date="2025-06-29")), "utf-8")
    validate_file(wb, path, run_date=date(2025, 6, 30))
    made = []

    def write(_, kind, since, until, **options):
        made.append((kind, str(since), str(until), options))
        return Written((options["out"] / "r.html",), (), "sujet", "texte")

    monkeypatch.setattr(periodicals, "write", write)
    return made


@pytest.mark.parametrize(
    ("arguments", "days"),
    [
        (("weekly",), ("weekly", "2025-06-23", "2025-06-29")),
        (("monthly",), ("monthly", "2025-06-01", "2025-06-30")),
        (("weekly", "--period", "2025-W10"), ("weekly", "2025-03-03", "2025-03-09")),
        (("monthly", "--period", "2025-02"), ("monthly", "2025-02-01", "2025-02-28")),
    ],
)
def test_a_report_of_a_period_is_of_the_newest_that_runs_hold_or_of_the_one_that_is_named(run, asked, arguments, days):
    done = run("report", *arguments, "--out", "rapports", "--place", "54999", "--formats", "html, pdf")
    assert done.exit_code == 0
    [(*told, options)] = asked
    assert tuple(told) == days
    assert (options["place"], options["formats"], options["lang"]) == ("54999", ("html", "pdf"), "fr")
    assert str(options["out"] / "r.html") in done.stdout


def test_a_report_that_lacks_something_says_what_and_why_and_ends_with_7(run, asked, tmp_path, monkeypatch):
    reasons = (PdfUnavailable("DL-PDF-001"),)
    written = Written((tmp_path / "r.html",), ("to_do", "pdf"), "sujet", "texte", reasons)
    monkeypatch.setattr(periodicals, "write", lambda *_, **__: written)
    done = run("report", "weekly")
    assert done.exit_code == 7
    assert "il y manque : À faire, pdf." in done.stderr
    assert "DL-PDF-001" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("weekly", "--period", "2025-06"), "DL-REP-002"),
        (("weekly", "--period", "2025-W54"), "DL-REP-002"),
        (("monthly", "--period", "2025-13"), "DL-REP-002"),
        (("monthly", "--place", "Clinique"), "DL-SCHED-003"),
        (("monthly", "--formats", "docx"), "DL-SCHED-003"),
        (("1", "--period", "2025-W10"), "DL-REP-003"),
    ],
)
def test_what_cannot_be_reported_ends_with_2_and_a_sentence(run, asked, arguments, code):
    done = run("report", *arguments)
    assert (done.exit_code, asked) == (2, [])
    assert code in done.stderr


@pytest.mark.parametrize("kind", ["weekly", "monthly"])
def test_without_a_line_there_is_no_period_to_report(run, kind):
    done = run("report", kind)
    assert done.exit_code == 8
    assert "DL-REP-405" in done.stderr
