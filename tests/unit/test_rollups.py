from decimal import Decimal

import polars as pl
import pytest

from dashlib.phi import Pseudonyms
from dashlib.records import prepare
from dashlib.rollups import RollUps, roll_up, totals
from tests.tables import records

PSEUDONYMS = Pseudonyms(b"key")
LINES = """
    facture | date_de_service | code  | patient | doctor  | lieu_de_pratique | element_de_contexte | montant_preliminaire | montant_paye
    F1      | 2025-03-04      | 15804 | P1      | 9100001 | 54999            |                     | 49,15                | 0
    F1      | 2025-03-04      | 08857 | P1      | 9100001 | 54999            |                     | 59,70                | 59,70
    F2      | 2025-03-04      | 15804 | P2      | 9100001 | 54999            | #G160               | 49,15                | 49,15
    F3      | 2025-03-04      | 15804 | P2      | 9100001 | 00123            |                     | 36,95                | 0
    F4      | 2025-03-05      | 15804 | P1      | 9100002 | 54999            |                     | 49,15                | 49,15
    F4      | 2025-03-05      | 19929 |         | 9100002 | 54999            |                     | 64,80                | 0
"""


def found(*rows: tuple[str, str, int]) -> pl.DataFrame:
    schema = {"rule_id": pl.String, "severity": pl.String, "row_number": pl.Int64}
    return pl.DataFrame(list(rows), schema=schema, orient="row").with_columns(
        category=pl.lit("test"), amount=pl.lit("10.00").cast(pl.Decimal(10, 2))
    )


RESULTS = found(("A", "error", 1), ("B", "error", 1), ("A", "error", 2), ("C", "warning", 4), ("C", "info", 5))
WANTED = pl.DataFrame({"rule_id": ["A"], "context": ["SEANCE_DIFFERENTE"]})


@pytest.fixture(scope="module")
def counted() -> RollUps:
    return roll_up(prepare(records(LINES)), RESULTS, WANTED, PSEUDONYMS)


def test_a_line_with_two_errors_counts_once_and_money_is_kept_in_two_sums(counted):
    doctor = PSEUDONYMS.doctors(pl.Series(["9100001"]))[0]
    [cell] = counted.days.filter(pl.col("doctor") == doctor, pl.col("lieu_de_pratique") == "54999").to_dicts()
    assert (cell["lines"], cell["lines_in_error"], cell["lines_in_warning"]) == (3, 2, 0)
    assert (cell["at_risk"], cell["to_repay"], cell["gain"]) == (Decimal("49.15"), Decimal("59.70"), 0)


def test_what_is_taken_back_is_neither_at_risk_nor_to_repay():
    lines = """
        code  | montant_preliminaire | montant_paye
        15804 | 49,15                | 49,15
        15804 | 49,15                | -49,15
        15804 | -20,00               | 0
        15804 | 30,00                | 0
    """
    figures = totals(prepare(records(lines)), found(*(("A", "error", row) for row in (1, 2, 3, 4))))
    assert (figures["at_risk"], figures["to_repay"]) == (Decimal("30.00"), Decimal("0.00"))


def test_what_is_no_places_number_is_not_kept():
    lines = """
        lieu_de_pratique | patient
        TEST80010112     | P1
        Chez Zoé         | P2
        54999            | P3
    """
    counted = roll_up(prepare(records(lines)), found(), WANTED, PSEUDONYMS).days.sort("lieu_de_pratique")
    assert counted.select("lieu_de_pratique", "lines", "patients").rows() == [("", 2, 2), ("54999", 1, 1)]


def test_an_invoice_is_clean_when_none_of_its_lines_is_in_error(counted):
    assert counted.days.select(pl.col("invoices", "clean_invoices").sum()).row(0) == (4, 3)


def test_a_patient_seen_at_two_places_counts_once_for_the_doctor_and_as_a_walk_in(counted):
    doctor = PSEUDONYMS.doctors(pl.Series(["9100001"]))[0]
    [day] = counted.doctor_days.filter(pl.col("doctor") == doctor).to_dicts()
    assert (day["patients"], day["registered"], day["walk_in"]) == (2, 1, 1)
    assert (day["patients_paid"], day["registered_paid"], day["walk_in_paid"]) == (2, 1, 1)


def test_each_day_counts_its_distinct_patients_over_all_doctors(counted):
    days = counted.run_days.sort("date_de_service").select("patients", "registered", "walk_in")
    assert days.rows() == [(2, 1, 1), (1, 1, 0)]


def test_results_are_counted_by_rule_and_severity(counted):
    by_rule = counted.rules.group_by("rule_id", "severity").agg(pl.col("results", "lines", "amount").sum())
    assert sorted(by_rule.rows()) == [
        ("A", "error", 2, 2, Decimal("20.00")),
        ("B", "error", 1, 1, Decimal("10.00")),
        ("C", "info", 1, 1, Decimal("10.00")),
        ("C", "warning", 1, 1, Decimal("10.00")),
    ]


def test_codes_in_error_without_a_context_that_would_have_exempted_them_are_counted(counted):
    assert sorted(counted.contexts.rows()) == [("08857", "SEANCE_DIFFERENTE", 1), ("15804", "SEANCE_DIFFERENTE", 1)]


def test_no_identity_is_left_in_a_roll_up(counted):
    for frame in vars(counted).values():
        assert not any(word in frame.write_csv() for word in ("9100001", "9100002", "P1", "P2"))


def test_a_run_adds_up_to_its_days(counted):
    figures = totals(prepare(records(LINES)), RESULTS)
    assert figures == {
        "lines_in_error": 2,
        "lines_in_warning": 1,
        "at_risk": Decimal("49.15"),
        "to_repay": Decimal("59.70"),
        "gain": 0,
    }
    assert counted.days.select(pl.col("at_risk", "to_repay", "lines_in_error").sum()).row(0) == (
        figures["at_risk"],
        figures["to_repay"],
        2,
    )


def test_a_run_without_lines_has_empty_roll_ups():
    empty = roll_up(prepare(records(LINES).clear()), found(), WANTED, PSEUDONYMS)
    assert all(frame.is_empty() for frame in vars(empty).values())
