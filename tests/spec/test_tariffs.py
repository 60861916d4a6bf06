import polars as pl
import pytest

from dashlib.errors import RuleError
from dashlib.rules import shipped_rules
from dashlib.rules.base import CODES, Reference
from dashlib.rules.tariffs import tariffs
from dashlib.starter import starter_reference
from tests.tables import RUN_DATE, broken, cells, results, rule, skipped

SHIPPED = {rule.name: rule for rule in shipped_rules()}
STARTER = starter_reference(RUN_DATE)
CHECK = {"type": "tariff_check", "codes": ["15804"]}


def reference(drawn: str, *, trusted: frozenset[str] = frozenset()) -> Reference:
    rows = [{name: None if cell in ("", "-") else cell for name, cell in row.items()} for row in cells(drawn)]
    text = pl.DataFrame(
        [{name: row.get(name) for name in CODES} for row in rows], schema=dict.fromkeys(CODES, pl.String)
    )
    dates = [pl.col(name).str.to_date() for name in ("valid_from", "valid_to")]
    codes = text.with_columns(
        pl.col("tariff_value").cast(CODES["tariff_value"]), *dates, pl.col("trusted") == "yes", indicators=None
    )
    return Reference(RUN_DATE, codes=codes.cast(pl.Schema(CODES)), trusted=trusted)


def said(a_rule, lines: str, ref: Reference = STARTER) -> list[tuple[int, str, int]]:
    return results(a_rule, lines, ref).select("row_number", pl.col("amount").cast(pl.String), "expected_cents").rows()


def test_tc1_tc2_a_visit_is_worth_the_tariff_of_its_place():
    lines = """
        code  | lieu_de_pratique | montant_preliminaire
        15804 | 54999            | 49.15
        15804 | 00999            | 49.15
        15804 | 54999            | 36.95
    """
    assert said(SHIPPED["TARIFF_TAB_B_VISITS"], lines) == [(2, "49.15", 3695), (3, "36.95", 4915)]


def test_tc3_a_fixed_tariff_goes_before_the_table():
    assert said(SHIPPED["OFFICE_FEE_TARIFF"], "code | montant_preliminaire\n 19929 | 64.20") == [(1, "64.20", 6480)]


def test_tc4_a_premium_is_considered():
    lines = "code | montant_preliminaire\n 09099 | 158.48\n 09099 | 158.50"
    assert broken(SHIPPED["NIGHT_09099_AMOUNT"], lines, STARTER) == [2]


def test_tc5_without_a_tariff_a_line_is_skipped():
    all_codes = SHIPPED["TARIFF_ALL_CODES"].model_copy(update={"enabled": True})
    assert broken(all_codes, "code\n 17238", STARTER) == []
    assert skipped(all_codes, "code\n 17238", STARTER) == 1


def test_no_amount_zero_and_less_are_skipped():
    lines = "code | montant_preliminaire\n 15804 | -\n 15804 | 0.00\n 15804 | -49.16"
    assert skipped(rule(CHECK), lines, STARTER) == 3


SEVERAL = """
    code  | place   | tariff_value | role | kind       | valid_from | valid_to   | trusted
    15804 | Cabinet | 40.00        | -    | fee        | -          | 2024-12-31 | yes
    15804 | Cabinet | 50.00        | -    | -          | 2025-01-01 | -          | yes
    15804 | Cabinet | 55.00        | -    | supplement | 2025-03-04 | 2025-03-04 | yes
    15804 | all     | 60.00        | -    | fee        | -          | -          | yes
    15804 | all     | 7.00         | 2    | -          | -          | -          | yes
    15804 | all     | 9.00         | -    | base_units | -          | -          | yes
    15804 | all     | 99.00        | -    | maximum    | -          | -          | yes
    15804 | all     | 45.00        | 3    | fee        | -          | -          | yes
    15804 | all     | 70.00        | -    | fee        | -          | -          | -
"""


@pytest.mark.parametrize(
    ("day", "place", "role", "right", "nearest"),
    [
        ("2024-12-31", "54999", "1", ["40.00"], 4000),
        ("2025-01-01", "54999", "1", ["50.00"], 5000),
        ("2025-03-04", "54999", "1", ["50.00", "55.00"], 5000),
        ("2025-03-05", "00999", "1", ["60.00"], 6000),
        ("2025-03-05", "00999", "3", ["45.00", "60.00"], 4500),
        ("2025-03-05", "00999", "2", ["60.00"], 6000),
        ("2025-03-05", "-", "1", ["60.00"], 6000),
        ("-", "54999", "1", ["60.00"], 6000),
    ],
)
def test_candidates_are_those_of_place_role_and_day(day, place, role, right, nearest):
    amounts = ["1.00", "7.00", "9.00", "40.00", "45.00", "50.00", "55.00", "60.00", "70.00", "99.00"]
    lines = "code | date_de_service | lieu_de_pratique | role | montant_preliminaire\n" + "\n".join(
        f"15804 | {day} | {place} | {role} | {amount}" for amount in amounts
    )
    found = said(rule(CHECK), lines, reference(SEVERAL))
    assert [amount for amount in amounts if amount not in [told for _, told, _ in found]] == right
    assert found[0] == (1, "1.00", nearest)


def test_the_nearest_candidate_is_told_and_of_two_as_near_the_lower():
    two = "code | place | tariff_value\n 15804 | all | 40.00\n 15804 | all | 50.00"
    lines = "code | montant_preliminaire\n 15804 | 45.00\n 15804 | 45.01"
    assert said(rule(CHECK), lines, reference(two)) == [(1, "45.00", 4000), (2, "45.01", 5000)]


def test_a_trusted_row_goes_before_others_and_an_implausible_amount_is_none():
    rows = """
        code  | place | tariff_value | trusted
        15804 | all   | 40.00        | yes
        15804 | all   | 50.00        | -
        15803 | all   | 50.00        | -
        15803 | all   | 1.99         | -
        15803 | all   | 10000.01     | -
        857   | all   | 20.00        | -
    """
    starter = tariffs(reference(rows)).sort("code", "cents")
    assert starter.select("code", "cents").rows() == [("00857", 2000), ("15803", 5000), ("15804", 4000)]
    complete = tariffs(reference(rows, trusted=frozenset({"codes"})))
    assert complete.select("code", "cents").rows() == [("15804", 4000)]


def test_where_a_source_is_named_only_trusted_rows_count():
    named = rule(CHECK | {"reference": {"sources": ["manuel"]}})
    untrusted = reference("code | place | tariff_value\n 15804 | all | 40.00")
    assert skipped(named, "code\n 15804", untrusted) == 1
    assert skipped(rule(CHECK), "code\n 15804", untrusted) == 0


def test_without_regard_to_the_place_every_row_is_a_candidate():
    lines = "code | lieu_de_pratique | montant_preliminaire\n 15804 | 54999 | 36.95\n 15804 | 54999 | 37.00"
    assert broken(rule(CHECK | {"place_aware": False}), lines, STARTER) == [2]


def test_units_multiply_a_tariff_only_for_rules_that_ask():
    lines = "code | unites | montant_preliminaire\n 15804 | 2 | 98.30\n 15804 | 2 | 49.15\n 15804 | 0 | 98.30\n 15804 | 0.5 | 24.58"
    by_units, plain = rule(CHECK | {"units_aware": True}), rule(CHECK).model_copy(update={"name": "PLAIN"})
    found = results([by_units, plain], lines, STARTER)
    assert found.filter(rule_id="RULE")["row_number"].to_list() == [3]
    assert found.filter(rule_id="PLAIN")["row_number"].to_list() == [1, 3, 4]


def test_further_periods_are_worth_their_number_the_last_from_8_minutes_of_15_and_one_at_least():
    lines = """
        code  | debut | fin   | montant_preliminaire
        08859 | 09:00 | 09:31 | 59.70
        08859 | 09:00 | 09:31 | 29.85
        08859 | 09:00 | 09:37 | 89.55
        08859 | 09:00 | 09:38 | 89.55
        08859 | 09:00 | 09:38 | 59.70
        08859 | 09:00 | 09:07 | 29.85
        08859 | -     | -     | 29.85
        08857 | 09:00 | 10:00 | 59.70
    """
    periods = rule({"type": "tariff_check", "codes": ["08857", "08859"], "per_minutes": 15})
    assert said(periods, lines) == [(2, "29.85", 5970), (3, "89.55", 5970), (5, "59.70", 8955)]


def test_a_paid_amount_is_compared_with_what_was_billed_and_only_too_little_is_told():
    lines = """
        code  | montant_preliminaire | montant_paye
        15804 | 49.15                | 40.00
        15804 | 49.15                | 49.14
        15804 | 49.15                | 60.00
        15804 | 49.15                | 0.00
        15804 | -                    | 60.00
    """
    assert said(SHIPPED["PAID_LESS_THAN_PRELIMINARY"], lines) == [(1, "40.00", 4915)]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"codes": []}, "codes: one of codes, code_groups is needed"),
        ({"fixed": {"15803": 1}}, "fixed: must be among codes"),
        ({"fixed": {"15804": 0}}, "condition.tariff_check.fixed.15804"),
        ({"multipliers": []}, "condition.tariff_check.multipliers"),
        ({"multipliers": [-1]}, "condition.tariff_check.multipliers.0"),
        ({"tolerance": -0.01}, "condition.tariff_check.tolerance"),
        ({"reference": {"sources": ["hearsay"]}}, "condition.tariff_check.reference.sources.0"),
        ({"compare_to": "montant_preliminaire"}, "amount_field: must be montant_paye with compare_to"),
        (
            {"compare_to": "montant_preliminaire", "amount_field": "montant_paye", "multipliers": [2]},
            "multipliers: only with compare_to reference",
        ),
        ({"factor": 2}, "condition.tariff_check.factor"),
    ],
)
def test_an_impossible_tariff_check_is_refused_with_its_field(change, fault):
    with pytest.raises(RuleError) as refused:
        rule(CHECK | change)
    assert fault in str(refused.value.facts["faults"])


def test_a_rule_reads_back_as_it_was_written():
    written = {"fixed": {"15804": 49.15}, "multipliers": [1, 1.13, 0.61712], "tolerance": 0.01}
    read = rule(CHECK | written).condition.model_dump(mode="json")
    assert {name: read[name] for name in written} == written


def test_lines_that_agree_are_judged_together_and_all_told():
    drawn = "code | montant_preliminaire\n" + "15804 | 49.15\n15804 | 49.14\n15804 | 49.13\n" * 1000
    assert broken(rule(CHECK | {"tolerance": 0.01}), drawn, STARTER) == list(range(3, 3001, 3))
