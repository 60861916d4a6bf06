import re
from datetime import date

import pytest

from dashlib.metrics import Scope
from dashlib.reports import SECTIONS, PeriodReport, newest_period
from dashlib.reports.facts import PeriodFacts
from dashlib.validation import validate_file
from tests import seed
from tests.exports import export, line

pytestmark = pytest.mark.database

WEEK = Scope(date(2025, 6, 9), date(2025, 6, 15))
MAY = Scope(date(2025, 5, 1), date(2025, 5, 31))
ONE = {"doctor": "9100001-00001 | Exemple, Ève - Omnipraticien"}
TWO = {"doctor": "9100002-00001 | Modèle, Guy - Omnipraticien", "lieu": "54998"}
EARLIER = line(facture="900000001", code="15815", date="2025-06-02", **ONE)
AGAIN = line(facture="900000002", code="15815", date="2025-06-09", **ONE)
ELSEWHERE = (
    line(facture="900000003", code="15815", date="2025-06-10", debut="10:00", **TWO),
    line(facture="900000004", code="15815", date="2025-06-11", debut="10:00", **TWO),
)
MENDED = line(facture="900000004", code="15804", date="2025-06-11", debut="10:00", **TWO)
HEAD = "date_de_service | doctor | lieu_de_pratique | rule_id | severity | results | lines | at_risk"
TWENTY_RULES = "\n".join([HEAD, *(f"2025-06-10 | M1 | 54999 | RULE_{n:02} | error | 1 | 1 | 10.00" for n in range(20))])


@pytest.fixture
def clinic(wb, tmp_path):
    """A first export, and a second in which one line was mended."""
    for number, lines in enumerate(((EARLIER, AGAIN, *ELSEWHERE), (EARLIER, AGAIN, ELSEWHERE[0], MENDED))):
        path = tmp_path / f"{number}.csv"
        path.write_text(export(*lines), "utf-8")
        validate_file(wb, path, run_date=date(2025, 6, 30))
    return wb


def at(scope, place):
    return Scope(scope.since, scope.until, (place,))


def fates(wb, scope):
    compared, before = PeriodFacts(wb, scope, "fr").change
    rows = compared.totals.select("status", "results", "at_risk").rows()
    return before, {status: (results, str(at_risk)) for status, results, at_risk in rows}


def plain(html):
    return re.sub(r"[\s\u00a0\u202f]+", " ", re.sub(r"<[^>]+>", " ", html)).strip()


@pytest.mark.parametrize(
    ("scope", "changed"),
    [
        (WEEK, {"new": (3, "0.00"), "fixed": (3, "49.15"), "persisting": (6, "98.30")}),
        (at(WEEK, "54999"), {"new": (0, "0.00"), "fixed": (0, "0.00"), "persisting": (3, "49.15")}),
        (at(WEEK, "54998"), {"new": (3, "0.00"), "fixed": (3, "49.15"), "persisting": (3, "49.15")}),
    ],
)
def test_what_came_and_went_is_of_the_days_and_the_place_of_the_report(clinic, scope, changed):
    before, told = fates(clinic, scope)
    assert before == [1]
    assert told == changed | {"rule_changed": (0, "0.00")}


def test_days_that_were_validated_once_have_nothing_to_compare(wb, tmp_path):
    (tmp_path / "1.csv").write_text(export(AGAIN), "utf-8")
    validate_file(wb, tmp_path / "1.csv", run_date=date(2025, 6, 30))
    assert PeriodFacts(wb, WEEK, "fr").change is None
    assert "validated only once" in PeriodReport(wb, "weekly", WEEK, "en").changes


def test_a_week_and_the_month_around_it_are_cut_to_their_days(clinic):
    june = Scope(date(2025, 6, 1), date(2025, 6, 30))
    week, month = (PeriodReport(clinic, kind, scope, "en") for kind, scope in (("weekly", WEEK), ("monthly", june)))
    assert "Weekly billing report June 9 – June 15, 2025 2 places, 2 doctors" in plain(week.cover)
    assert "At risk $98.30" in plain(week.cover)
    assert "Monthly billing report June 1 – June 30, 2025 2 places, 2 doctors" in plain(month.cover)
    assert "At risk $147.45" in plain(month.cover)
    assert "80-and-over visit codes 2 2 $98.30" in plain(week.rules)
    assert "80-and-over visit codes 3 3 $147.45" in plain(month.rules)
    assert "4 things to do" in plain(week.to_do)
    assert "900000001" in month.to_do
    assert "900000001" not in week.to_do
    assert "2025-06-11 Wednesday" in week.patients
    assert "2025-06-02 Monday" not in week.patients
    assert (week.failed, month.failed) == ([], [])


def test_a_period_without_lines_says_so_in_every_section(clinic):
    report = PeriodReport(clinic, "monthly", MAY, "en")
    made = [plain(getattr(report, name)) for name in SECTIONS]
    assert report.failed == []
    said = ("No line for this period", "no earlier period", "No result in this period", "", "No patient identified")
    assert [words in section for words, section in zip(said, made, strict=False)] == [True] * 5
    assert "Nothing to do for this period" in made[5]
    assert "nothing to compare yet" in made[6]
    assert "Sections made: 8 of 8" in made[7]


def test_the_newest_period_is_the_last_whole_one_that_runs_hold_or_the_one_that_they_begin_in(clinic):
    assert newest_period(clinic, "weekly").name == "2025-W23"
    assert newest_period(clinic, "monthly").name == "2025-06"


def test_shares_beside_the_first_rules_are_of_all_rules(wb):
    with wb.database.connect() as connection:
        run = seed.run(connection, wb.viewer.id)
        seed.days(connection, run, "date_de_service | doctor | lieu_de_pratique | lines\n2025-06-10 | M1 | 54999 | 90")
        seed.rules(connection, run, TWENTY_RULES)
    bars = PeriodReport(wb, "weekly", WEEK).rules.partition("</svg>")[0]
    assert re.findall(r">(\d+\s%)<", bars) == [f"{5 * rules}\u00a0%" for rules in range(1, 11)]
