from datetime import date

import polars as pl
import pytest

from dashlib.engine import find_results
from dashlib.errors import RuleError
from dashlib.records import prepare
from dashlib.rules import parse_rules
from dashlib.rules.base import Reference
from tests.tables import RUN_DATE, broken, records, results, rule

ONCE_A_DAY = {"type": "frequency_limit", "codes": ["15804"], "max": 1, "per": "patient", "period": "day"}
TWICE = """
    code  | patient | debut
    15804 | P1      | 09:00
    15804 | P1      | 10:00
"""


def test_a_disabled_rule_and_a_removed_one_do_not_run():
    rules = [rule(ONCE_A_DAY, enabled=False), rule(ONCE_A_DAY, active=False)]
    findings = find_results(prepare(records(TWICE)), rules, Reference(run_date=RUN_DATE))
    assert (findings.results.height, findings.counts.height) == (0, 0)


def test_a_rule_looks_only_at_lines_of_its_time():
    assert broken(rule(ONCE_A_DAY, valid_from="2025-03-04", valid_to="2025-03-04"), TWICE) == [2]
    assert broken(rule(ONCE_A_DAY, valid_from="2025-03-05"), TWICE) == []
    assert broken(rule(ONCE_A_DAY, valid_to="2025-03-03"), TWICE) == []


def test_one_defect_is_reported_once():
    [first, second] = parse_rules(
        [
            {"name": "FIRST", "category": "test", "condition": ONCE_A_DAY},
            {"name": "SECOND", "category": "test", "condition": ONCE_A_DAY | {"unless_rules": ["FIRST"]}},
        ]
    )
    assert results([first, second], TWICE)["rule_id"].to_list() == ["FIRST"]
    assert results([second], TWICE)["rule_id"].to_list() == ["SECOND"]


def test_a_rule_follows_the_codes_of_its_groups():
    condition = {k: v for k, v in ONCE_A_DAY.items() if k != "codes"} | {"code_groups": {"leaf": ["Visite périodique"]}}
    codes = pl.DataFrame(
        {"code": ["15804"], "place": ["all"], "leaf": ["Visite périodique"], "section": [None], "level1_group": [None]}
    )
    assert broken(rule(condition), TWICE, Reference(run_date=RUN_DATE, codes=codes)) == [2]


def test_a_rule_whose_groups_hold_no_code_is_silent_and_is_counted_as_having_checked_nothing():
    condition = {k: v for k, v in ONCE_A_DAY.items() if k != "codes"} | {"code_groups": {"leaf": ["Nothing"]}}
    findings = find_results(prepare(records(TWICE)), [rule(condition)], Reference(run_date=RUN_DATE))
    assert findings.results.is_empty()
    assert findings.counts.row(0, named=True) == {
        "rule_id": "RULE",
        "rule_version": 1,
        "checked": 0,
        "skipped": 0,
        "results": 0,
    }


def test_prefixes_and_parts_of_groups_are_found_whatever_their_case_and_accents():
    codes = pl.DataFrame(
        {
            "code": ["15804"],
            "place": ["all"],
            "leaf": [None],
            "section": ["B - Évaluation"],
            "level1_group": ["Visites à domicile"],
        }
    )
    for groups in ({"section_prefix": ["b - EVAL"]}, {"level1_group_contains": ["A DOMICILE"]}):
        condition = {k: v for k, v in ONCE_A_DAY.items() if k != "codes"} | {"code_groups": groups}
        assert broken(rule(condition), TWICE, Reference(run_date=RUN_DATE, codes=codes)) == [2]


def test_lines_whose_age_is_unknown_are_skipped_not_passed():
    condition = ONCE_A_DAY | {"max": 0, "where": {"age_min_years": 80}}
    lines = """
        code  | patient
        15804 | TEST45031000
        15804 | TESTxxxx1000
        15804 | TEST80031000
    """
    findings = find_results(
        prepare(records(lines, date_de_service="2025-03-10")), [rule(condition)], Reference(run_date=RUN_DATE)
    )
    assert findings.results["row_number"].to_list() == [1]
    assert findings.counts.select("checked", "skipped").row(0) == (1, 1)


def test_the_guides_example_rule_is_accepted_letter_for_letter():
    [example] = parse_rules(
        [
            {
                "name": "OFFICE_FEE_19929",
                "category": "office_fee",
                "condition": {
                    "type": "office_fee_validation",
                    "codes": ["19929"],
                    "thresholds": {"19929": {"registered": 12, "walkIn": 20}},
                },
                "threshold": 64.80,
                "enabled": True,
            }
        ]
    )
    assert str(example.threshold) == "64.8"


def test_all_faults_of_all_rules_are_told_at_once_with_their_field():
    with pytest.raises(RuleError) as refused:
        parse_rules(
            [
                {"name": "A", "category": "x", "condition": ONCE_A_DAY | {"maximum": 1}},
                {"name": "B", "category": "x", "condition": {"type": "unheard_of"}},
                {"name": "C", "condition": ONCE_A_DAY},
            ]
        )
    faults = str(refused.value.facts["faults"])
    assert "A, condition.frequency_limit.maximum" in faults
    assert "B, condition" in faults
    assert "C, category" in faults


def test_faults_of_fields_words_and_combinations_of_one_rule_are_told_together():
    rolling = ONCE_A_DAY | {"maximum": 1, "period": "rolling_days"}
    with pytest.raises(RuleError) as refused:
        parse_rules(
            [
                {"name": "A", "category": "x", "condition": rolling},
                {"name": "B", "category": "x", "condition": ONCE_A_DAY | {"max": -1}, "severity": "grave"},
                {"name": "C", "category": "x", "condition": ONCE_A_DAY, "message": {"fr": "{it}"}, "threshold": 1},
                {"name": "C", "category": 3, "condition": ONCE_A_DAY},
            ]
        )
    assert str(refused.value.facts["faults"]).split("; ") == [
        "A, condition.frequency_limit.maximum: Extra inputs are not permitted",
        "A, condition.frequency_limit: days: needed by rolling_days",
        "B, condition.frequency_limit.max: Input should be greater than or equal to 0",
        "B, severity: Input should be one of error, warning, info",
        "C, message: unknown word {it}",
        "C, threshold: acts only for office_fee_validation",
        "C, category: Input should be a valid string",
        "C: name given twice",
    ]


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ({"where": {"age_min_years": 10, "age_max_months": 119}}, "where: age_min_months, age_min_years: nobody"),
        ({"where": {"date_from": "2025-02-01", "date_to": "2025-01-31"}}, "where: date_to: before date_from"),
        ({"where": {"contexts_any": ["#G160"], "contexts_none": ["G160"]}}, "where: contexts_any: all of them"),
        ({"where": {"sectors": [" "]}}, "where.sectors.0: an empty text would match everything"),
        ({"where": {"establishment_prefixes": [""]}}, "where.establishment_prefixes.0: an empty text"),
        ({"unless_contexts": ["#"]}, "unless_contexts.0: an empty text is no context"),
        ({"unless_same_day_codes": ["*"]}, "unless_same_day_codes.0: a code is named here, * is not possible"),
        ({"unless_rules": ["RULE"]}, "unless_rules: names the rule itself"),
        ({"code_groups": {}}, "code_groups: leaf: one of leaf, level1_group_contains, section_prefix is needed"),
        ({"code_groups": {"section_prefix": [""]}}, "code_groups.section_prefix.0: an empty text"),
        ({"period": "rolling_days", "days": 10**9}, "days: Input should be less than or equal to 36600"),
        ({"max": 10**30}, "max: Input should be less than or equal to 1000000000"),
        ({"anchor_codes": []}, "anchor_codes: At least 1 are needed"),
    ],
)
def test_what_no_line_could_meet_or_every_line_would_is_refused(more, fault):
    with pytest.raises(RuleError) as refused:
        rule(ONCE_A_DAY | more)
    assert fault in str(refused.value.facts["faults"])


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ({"message": {"fr": "{nonsense}"}}, "unknown word {nonsense}"),
        ({"threshold": 3}, "threshold: acts only for office_fee_validation"),
        ({"valid_from": "2025-02-01", "valid_to": "2025-01-01"}, "valid_to: before valid_from"),
    ],
)
def test_an_impossible_rule_is_refused_with_its_field(more, fault):
    with pytest.raises(RuleError) as refused:
        rule(ONCE_A_DAY, **more)
    assert fault in str(refused.value.facts["faults"])


def test_a_name_given_twice_is_refused():
    once = {"name": "A", "category": "x", "condition": ONCE_A_DAY}
    with pytest.raises(RuleError, match="A\u00a0: nom donné deux fois"):
        parse_rules([once, once])


def test_a_refused_rule_does_not_quote_its_values():
    with pytest.raises(RuleError) as refused:
        parse_rules([{"name": "A", "category": "x", "condition": ONCE_A_DAY | {"per": "TEST00000000"}}])
    assert "TEST00000000" not in str(refused.value)


def test_no_line_and_no_rule_give_no_result():
    assert broken(rule(ONCE_A_DAY), records(TWICE).clear()) == []
    assert find_results(prepare(records(TWICE)), [], Reference(run_date=date(2025, 1, 1))).counts.is_empty()
