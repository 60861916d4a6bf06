import re
from datetime import date
from decimal import Decimal

import pytest

from dashlib import metrics
from dashlib.metrics import Scope
from dashlib.reports import Report
from tests import seed
from tests.integration import loading

pytestmark = pytest.mark.database

JUNE = Scope(date(2025, 6, 1), date(2025, 6, 30))
OLD_DAYS = """
    date_de_service | doctor | lieu_de_pratique|lines | lines_in_error | invoices | clean_invoices | at_risk | patients
    2025-06-02      | M1     | 54321           | 100   | 10             | 50       | 40             | 300.00  | 20
    2025-06-03      | M1     | 54321           | 100   | 10             | 50       | 40             | 300.00  | 20
    2025-06-03      | M2     | 54321           | 40    | 1              | 20       | 19             | 15.00   | 9
"""
NEW_DAYS = """
    date_de_service | doctor | lieu_de_pratique|lines | lines_in_error | lines_in_info | invoices | clean_invoices | at_risk | patients
    2025-06-03      | M1     | 55102           | 90    | 2              | 0             | 45       | 43             | 60.00   | 18
    2025-06-04      | M1     | 55102           | 80    | 0              | 4             | 40       | 40             | 0.00    | 16
"""
OLD_RULES = """
    date_de_service | doctor | lieu_de_pratique | rule_id | severity | results | lines | amount
    2025-06-02      | M1     | 54321            | FEE     | error    | 10      | 10    | 300.00
    2025-06-03      | M1     | 54321            | FEE     | error    | 10      | 10    | 300.00
    2025-06-03      | M2     | 54321            | TIME    | warning  | 3       | 2     | 9.00
    2025-06-03      | M2     | 54321            | VISIT   | error    | 1       | 1     | 15.00
"""
NEW_RULES = """
    date_de_service | doctor | lieu_de_pratique | rule_id | severity | results | lines | amount
    2025-06-03      | M1     | 55102            | FEE     | error    | 2       | 2     | 60.00
    2025-06-04      | M1     | 55102            | ADVICE  | info     | 4       | 4     | 37.40
"""
OLD_SEEN = """
    date_de_service | doctor | patients | registered | walk_in
    2025-06-02      | M1     | 20       | 12         | 8
    2025-06-03      | M1     | 20       | 12         | 8
    2025-06-03      | M2     | 9        | 9          | 0
"""
NEW_SEEN = """
    date_de_service | doctor | patients | registered | walk_in
    2025-06-03      | M1     | 18       | 10         | 8
    2025-06-04      | M1     | 16       | 10         | 6
"""


@pytest.fixture
def two_runs(wb):
    """Two completed runs that both hold the 3rd of June of M1; after them one that failed, with the same days."""
    drawn = ((OLD_DAYS, OLD_RULES, OLD_SEEN), (NEW_DAYS, NEW_RULES, NEW_SEEN))
    with wb.database.connect() as connection:
        seed.labels(connection, FEE="Frais de bureau", VISIT="Visite périodique")
        runs = [seed.run(connection, wb.viewer.id) for _ in drawn]
        for run, (days, rules, seen) in zip(runs, drawn, strict=True):
            seed.days(connection, run, days)
            seed.rules(connection, run, rules)
            seed.doctor_days(connection, run, seen)
        seed.days(connection, seed.run(connection, wb.viewer.id, status="failed"), OLD_DAYS)
    return runs


def counts(frame, *columns):
    return frame.select(columns).rows()


def test_a_database_without_a_run_holds_nothing_to_show(wb):
    assert metrics.holdings(wb) is None


def test_the_days_doctors_and_places_to_choose_from_are_those_held(wb, two_runs):
    held = metrics.holdings(wb)
    assert (held.first, held.last, held.lines) == (date(2025, 6, 2), date(2025, 6, 4), 310)
    assert (held.doctors, held.places) == (("M1", "M2"), ("54321", "55102"))


def test_a_day_that_two_runs_hold_counts_once_from_the_newest_completed_run(wb, two_runs):
    days = metrics.error_days(wb, JUNE)
    assert counts(days, "date_de_service", "lines", "lines_in_error", "hits", "at_risk") == [
        (date(2025, 6, 2), 100, 10, 10, Decimal("300.00")),
        (date(2025, 6, 3), 130, 3, 3, Decimal("75.00")),
        (date(2025, 6, 4), 80, 0, 0, Decimal("0.00")),
    ]


def test_a_day_that_a_newer_run_moved_elsewhere_is_gone_from_the_first_place(wb, two_runs):
    here = Scope(JUNE.since, JUNE.until, places=("54321",))
    assert counts(metrics.error_days(wb, here), "date_de_service", "lines") == [
        (date(2025, 6, 2), 100),
        (date(2025, 6, 3), 40),
    ]
    assert counts(metrics.rules_by_stake(wb, here), "rule_id", "results") == [("FEE", 10), ("VISIT", 1), ("TIME", 3)]


def test_a_doctor_and_a_period_leave_only_their_days(wb, two_runs):
    scope = Scope(date(2025, 6, 3), date(2025, 6, 3), doctors=("M1",))
    assert counts(metrics.error_days(wb, scope), "lines", "clean_invoices") == [(90, 43)]
    assert counts(metrics.doctor_days(wb, scope), "doctor", "patients", "registered", "walk_in") == [("M1", 18, 10, 8)]


def test_a_scope_without_lines_gives_empty_frames_with_the_same_columns(wb, two_runs):
    nowhere = Scope(JUNE.since, JUNE.until, places=("55102",), doctors=("M2",))
    for asked in (metrics.error_days, metrics.doctor_days, metrics.rules_by_stake):
        assert asked(wb, nowhere).is_empty()
        assert asked(wb, nowhere).schema == asked(wb, JUNE).schema


def test_rules_stand_errors_first_then_by_the_money_at_stake(wb, two_runs):
    shown = ("rule_id", "label", "severity", "results", "lines", "amount")
    assert metrics.rules_by_stake(wb, JUNE).select(shown).rows() == [
        ("FEE", "Frais de bureau", "error", 12, 12, Decimal("360.00")),
        ("VISIT", "Visite périodique", "error", 1, 1, Decimal("15.00")),
        ("TIME", "TIME", "warning", 3, 2, Decimal("9.00")),
        ("ADVICE", "ADVICE", "info", 4, 4, Decimal("37.40")),
    ]


@pytest.mark.parametrize(("severity", "hits"), [("error", [10, 3, 0]), ("warning", [0, 0, 0]), ("info", [0, 0, 4])])
def test_a_severity_decides_what_the_trend_counts(wb, two_runs, severity, hits):
    assert metrics.error_days(wb, JUNE, severity=severity)["hits"].to_list() == hits


@pytest.mark.parametrize(
    ("severity", "rules"), [("warning", ["TIME"]), ("info", ["ADVICE"]), ("error", ["FEE", "VISIT"])]
)
def test_a_severity_leaves_only_its_rules(wb, two_runs, severity, rules):
    assert metrics.rules_by_stake(wb, JUNE, severity=severity)["rule_id"].to_list() == rules


def test_the_facts_of_a_page_compare_with_the_equal_period_before(wb, two_runs):
    facts = metrics.error_facts(wb, Scope(date(2025, 6, 3), date(2025, 6, 3)), severity=None, lang="fr")
    assert (facts.now.lines, facts.now.lines_in_error) == (130, 3)
    assert (facts.before.lines, facts.before.lines_in_error) == (100, 10)
    assert (facts.places, facts.doctors) == (2, 2)


def test_a_period_is_not_compared_with_one_of_hardly_a_line(wb, two_runs):
    late = """
        date_de_service | doctor | lieu_de_pratique | lines | lines_in_error | invoices | clean_invoices | at_risk | patients
        2025-05-20      | M3     | 54321            | 5     | 5              | 5        | 0              | 100.00  | 5
    """
    with wb.database.connect() as connection:
        seed.days(connection, seed.run(connection, wb.viewer.id), late)
    assert metrics.error_facts(wb, JUNE, severity=None, lang="fr").before is None


def test_a_first_period_has_none_before(wb, two_runs):
    assert metrics.error_facts(wb, JUNE, severity=None, lang="fr").before is None


def test_the_patients_of_a_place_are_counted_there_and_not_over_all_places(wb, two_runs):
    there = Scope(JUNE.since, JUNE.until, places=("55102",))
    assert counts(metrics.doctor_days(wb, there), "date_de_service", "patients") == [
        (date(2025, 6, 3), 18),
        (date(2025, 6, 4), 16),
    ]


def test_a_run_shows_its_own_days_and_rules_whatever_came_after(wb, two_runs):
    old, _ = map(str, two_runs)
    assert counts(metrics.most_common_rules(wb, old), "rule_id", "results") == [("FEE", 20), ("TIME", 3), ("VISIT", 1)]
    assert counts(metrics.patient_days(wb, old), "doctor", "patients") == [("M1", 20), ("M1", 20), ("M2", 9)]
    summary = metrics.run_summary(wb, old)
    assert (summary["status"], summary["first"], summary["last"]) == ("completed", date(2025, 6, 2), date(2025, 6, 3))


AWAITING_RULES = """
    date_de_service | doctor | lieu_de_pratique | rule_id | severity | category    | results | lines | amount | at_risk
    2025-06-02      | M1     | 54321            | FEE     | error    | office_fee  | 1       | 1     | 300.00 | 300.00
    2025-06-02      | M1     | 54321            | LATER   | info     | awaiting    | 2       | 2     | 500.00 | 0.00
    2025-06-03      | M1     | 54321            | LATER   | info     | awaiting    | 1       | 1     | 50.50  | 0.00
    2025-06-03      | M1     | 54321            | VISIT   | error    | annual      | 9       | 9     | 20.00  | 20.00
"""


@pytest.fixture
def reported(wb):
    with wb.database.connect() as connection:
        seed.labels(connection, FEE="Frais de bureau", VISIT="Visite périodique", LATER="Ligne impayée")
        run = seed.run(connection, wb.viewer.id, record_count=10, run_date=date(2025, 7, 2))
        seed.rules(connection, run, AWAITING_RULES)
    return Report(wb, str(run))


def test_a_report_treats_first_what_the_dashboard_treats_first(wb, reported):
    first = reported.rules.index("À traiter en premier")
    assert re.findall("Frais de bureau|Visite périodique|Ligne impayée", reported.rules[first:]) == [
        "Frais de bureau",
        "Visite périodique",
        "Ligne impayée",
    ]
    everything = metrics.most_common_rules(wb, reported.run_id)
    assert everything["rule_id"].to_list() == ["VISIT", "LATER", "FEE"]
    assert metrics.first_to_treat(everything)["rule_id"].to_list() == ["FEE", "VISIT", "LATER"]


def test_a_report_says_as_of_which_day_and_what_only_awaits_an_answer(reported):
    said = reported.summary.replace("\u202f", " ").replace("\u00a0", " ")
    assert "au 2 juillet 2025" in said
    assert "550,50 $ attendent une réponse" in said


def test_a_run_that_is_not_there_has_no_summary(wb):
    assert metrics.run_summary(wb, "00000000-0000-0000-0000-000000000000") is None


def test_rejected_lines_are_grouped_by_reason_with_the_first_line_numbers(wb):
    with wb.database.connect() as connection:
        run = loading.run(connection, wb.viewer.id)
        loading.load(connection, run, 14)
    assert metrics.rejected_lines(wb, str(run)).rows() == [
        ("DL-DATE-001", None, 14, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])
    ]


def test_a_report_says_that_rejected_lines_were_cleared(wb):
    with wb.database.connect() as connection:
        run = seed.run(connection, wb.viewer.id, rejected_count=3, record_count=10)
    assert "a été effacé" in Report(wb, str(run)).rejections


def test_a_report_of_a_clean_run_says_so(wb):
    with wb.database.connect() as connection:
        run = seed.run(connection, wb.viewer.id, record_count=10)
    report = Report(wb, str(run))
    assert "Aucune erreur sur 10 lignes." in report.summary
    assert "Aucun constat" in report.rules
    assert "Aucun patient identifié" in report.patients
    assert "Aucune ligne rejetée" in report.rejections


def test_no_question_of_a_dashboard_names_a_patient(wb, two_runs):
    frames = (metrics.error_days(wb, JUNE), metrics.rules_by_stake(wb, JUNE), metrics.doctor_days(wb, JUNE))
    columns = {column for frame in frames for column in frame.columns}
    assert columns.isdisjoint({"patient", "patient_name", "doctor_name"})
