from datetime import date

import polars as pl
import pytest

from dashlib.errors import RuleError
from dashlib.rules import shipped_rules
from dashlib.rules.base import CODES, Reference
from tests.tables import RUN_DATE, broken, results, rule, skipped

SHIPPED = {rule.name: rule for rule in shipped_rules()}
VISITS = pl.DataFrame({"code": ["15801", "15804"], "leaf": ["Visite", "Visite"]}, schema_overrides=CODES)
WITH_VISITS = Reference(
    run_date=RUN_DATE, codes=pl.concat([pl.DataFrame(schema=CODES), VISITS], how="diagonal").select(list(CODES))
)
EITHER = {"type": "mutual_exclusion", "codes": ["15801", "15804"], "per": "patient_doctor", "period": "day"}
THREE = EITHER | {"codes": ["15801", "15804", "15820"]}
FAMILIES = {
    "type": "mutual_exclusion",
    "groups": [["15801", "15803"], ["15802", "15804"]],
    "per": "doctor",
    "period": "quarter",
}


@pytest.mark.parametrize(
    ("name", "lines", "expected"),
    [
        ("COMM_TIER_EXCLUSIVE", "code | date_de_service\n 15841 | 2025-01-10\n 15842 | 2025-02-11", [2]),
        ("COMM_TIER_EXCLUSIVE", "code | date_de_service\n 15841 | 2025-03-31\n 15842 | 2025-04-01", []),
        ("ROSTER_SIZE_COHERENT", "code | date_de_service\n 15803 | 2025-01-06\n 15804 | 2025-01-07", [2]),
        ("WRIST_SUPPLEMENT_ONE_A_DAY", "code\n 02958\n 02960", [2]),
    ],
    ids=["ME1", "ME2", "ME3", "ME4"],
)
def test_one_of_several_services(name, lines, expected):
    assert broken(SHIPPED[name], lines) == expected


def test_a_line_tells_which_services_were_found_and_which_is_kept():
    lines = """
        code  | date_de_service | patient
        15841 | 2025-01-10      | P1
        15842 | 2025-02-11      | P2
        15841 | 2025-03-31      | P3
    """
    [found] = results(SHIPPED["COMM_TIER_EXCLUSIVE"], lines).rows(named=True)
    facts = ("row_number", "severity", "codes", "count", "max", "period", "other", "other_date", "related")
    assert {name: found[name] for name in facts} == {
        "row_number": 2,
        "severity": "warning",
        "codes": "15841, 15842",
        "count": 2,
        "max": 1,
        "period": "2025-Q1",
        "other": "15841",
        "other_date": date(2025, 1, 10),
        "related": [1, 3],
    }


def test_the_service_of_a_paid_line_is_kept():
    lines = "code | montant_paye\n 15801 | 0\n 15804 | 10\n 15801 | 0"
    assert broken(rule(EITHER), lines) == [1, 3]


def test_every_line_of_a_kept_service_is_kept():
    lines = "code | montant_paye\n 15801 | 10\n 15804 | 10\n 15801 | 0\n 15804 | 0"
    assert broken(rule(EITHER), lines) == [2, 4]


def test_repeats_of_one_service_are_no_fault():
    assert broken(rule(EITHER), "code\n 15804\n 15804") == []
    assert broken(rule(FAMILIES), "code\n 15801\n 15803") == []


def test_lists_of_codes_are_one_service_each():
    lines = "code\n 15801\n 15803\n 15802\n 15804"
    assert broken(rule(FAMILIES), lines) == [3, 4]


def test_several_services_may_be_allowed():
    lines = "code | debut\n 15801 | 11:00\n 15804 | 09:00\n 15820 | 10:00\n 15804 | 12:00"
    assert broken(rule(THREE | {"max_distinct": 2}), lines) == [1]
    assert broken(rule(THREE), lines) == [1, 3]


def test_every_code_may_be_meant_and_a_line_without_code_is_skipped():
    lines = "code\n 99999\n -\n 15804\n 99999"
    every = rule(EITHER | {"codes": ["*"]})
    assert (broken(every, lines), skipped(every, lines)) == ([3], 1)


def test_four_and_five_digits_are_the_same_service():
    assert broken(rule(EITHER | {"codes": ["8857", "08859"]}), "code\n 8857\n 08857\n 8859") == [3]


def test_services_may_follow_the_reference():
    following = {"type": "mutual_exclusion", "code_groups": {"leaf": ["Visite"]}, "per": "doctor", "period": "day"}
    assert broken(rule(following), "code\n 15801\n 15804\n 15820", WITH_VISITS) == [2]
    assert broken(rule(following), "code\n 15801\n 15804") == []


@pytest.mark.parametrize(
    ("per", "expected"),
    [
        ("patient", [2, 3, 4]),
        ("doctor", [2, 3, 5]),
        ("patient_doctor", [2, 3]),
        ("establishment", [2, 4, 5]),
        ("patient_establishment", [2, 4]),
        ("doctor_location", [2, 5]),
    ],
)
def test_who_is_looked_at(per, expected):
    lines = """
        code  | patient | doctor | lieu_de_pratique
        15801 | P1      | D1     | 54999
        15804 | P1      | D1     | 54999
        15804 | P1      | D1     | 00123
        15804 | P1      | D2     | 54999
        15804 | P2      | D1     | 54999
    """
    assert broken(rule(EITHER | {"per": per}), lines) == expected


@pytest.mark.parametrize(
    ("period", "second", "expected"),
    [
        ({"period": "day"}, "2025-03-05", []),
        ({"period": "week"}, "2025-03-09", [2]),
        ({"period": "week"}, "2025-03-10", []),
        ({"period": "month"}, "2025-03-31", [2]),
        ({"period": "month"}, "2025-04-01", []),
        ({"period": "calendar_year"}, "2025-12-31", [2]),
        ({"period": "calendar_year"}, "2026-01-01", []),
        ({"period": "lifetime"}, "2026-01-01", [2]),
        ({"period": "rolling_days", "days": 7}, "2025-03-10", [2]),
        ({"period": "rolling_days", "days": 7}, "2025-03-11", []),
        ({"period": "rolling_months", "months": 1}, "2025-04-03", [2]),
        ({"period": "rolling_months", "months": 1}, "2025-04-04", []),
    ],
)
def test_periods(period, second, expected):
    lines = f"code | date_de_service\n 15801 | 2025-03-04\n 15804 | {second}"
    assert broken(rule(EITHER | period), lines) == expected


def test_dates_of_long_ago_have_weeks_too():
    lines = "code | date_de_service\n 15801 | 1960-01-04\n 15804 | 1960-01-10\n 15804 | 1960-01-11"
    assert broken(rule(EITHER | {"period": "week"}), lines) == [2]


def test_in_a_rolling_period_each_line_is_judged_among_those_before_it():
    lines = """
        code  | date_de_service
        15801 | 2025-03-01
        15804 | 2025-03-05
        15801 | 2025-03-09
        15801 | 2025-03-12
        15801 | 2025-03-15
    """
    rolling = rule(EITHER | {"period": "rolling_days", "days": 10})
    found = results(rolling, lines).select("row_number", "codes", "count", "other", "other_date", "days", "related")
    assert found.rows() == [
        (2, "15801, 15804", 2, "15801", date(2025, 3, 1), 10, [1]),
        (4, "15804, 15801", 2, "15804", date(2025, 3, 5), 10, [2, 3]),
    ]


def test_a_reversal_and_the_line_it_cancels_take_no_part():
    lines = "code | montant_paye\n 15801 | 49.15\n 15801 | -49.15\n 15804 | 49.15"
    assert broken(rule(EITHER), lines) == []


def test_lines_without_key_or_date_are_skipped():
    lines = "code | patient | date_de_service\n 15801 | - | 2025-03-04\n 15804 | P1 | -\n 15804 | P1 | 2025-03-04"
    assert (broken(rule(EITHER), lines), skipped(rule(EITHER), lines)) == ([], 2)


def test_filters_remove_lines_before_services_are_found():
    lines = """
        code  | element_de_contexte   | lieu_de_pratique
        15801 | #SEANCE_DIFFERENTE,85 | 54999
        15804 | -                     | 54999
        15801 | -                     | 00123
    """
    assert broken(rule(EITHER | {"unless_contexts": ["SEANCE_DIFFERENTE"]}), lines) == [3]
    assert broken(rule(EITHER | {"where": {"places": ["cabinet"]}}), lines) == [2]
    assert broken(rule(EITHER | {"unless_same_day_codes": ["15804"]}), lines) == []


def test_the_codes_of_many_services_are_cut_short():
    lines = "code\n" + "\n".join(f"1580{digit}" for digit in range(10)) + "\n 15810"
    [*_, last] = results(rule(EITHER | {"codes": ["*"], "max_distinct": 10}), lines)["codes"]
    assert last == "15800, 15801, 15802, 15803, 15804, 15805, 15806, 15807, 15808, 15809, …"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"codes": []}, "codes: either codes, code_groups or groups is needed"),
        ({"groups": [["15801"], ["15804"]]}, "codes: either codes, code_groups or groups is needed"),
        ({"codes": [], "groups": [["15801"], []]}, "groups: an empty one"),
        ({"codes": [], "groups": [["15801"], ["*"]]}, "groups: * is not possible here"),
        ({"codes": [], "groups": [["8857"], ["08857"]]}, "groups: a code stands in two of them"),
        ({"max_distinct": 2}, "max_distinct: as many as there are services"),
        ({"codes": ["8857", "08857"]}, "max_distinct: as many as there are services"),
        ({"max_distinct": 0}, "max_distinct"),
        ({"period": "rolling_days"}, "days: needed by rolling_days"),
        ({"months": 2}, "months: only for rolling_months"),
        ({"max": 1}, "max: Extra inputs are not permitted"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused_with_the_field_and_the_reason(change, reason):
    with pytest.raises(RuleError) as refused:
        rule(EITHER | change)
    assert reason in str(refused.value.facts["faults"])


def test_all_faults_are_told_at_once():
    with pytest.raises(RuleError) as refused:
        rule(EITHER | {"months": 2, "max_distinct": 2, "period": "rolling_days"})
    faults = str(refused.value.facts["faults"])
    assert "days: needed by rolling_days; months: only for rolling_months; max_distinct: as many" in faults


@pytest.mark.parametrize(
    ("change", "scope"),
    [
        ({}, "patient_doctor_day"),
        ({"period": "lifetime"}, "patient"),
        ({"per": "doctor", "period": "quarter"}, "doctor"),
        ({"per": "establishment", "unless_same_day_codes": ["15645"]}, "file"),
    ],
)
def test_the_work_can_be_split_by_whom_a_rule_looks_at(change, scope):
    assert rule(EITHER | change).condition.scope == scope
