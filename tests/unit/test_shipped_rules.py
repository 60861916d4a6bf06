import re
from collections import Counter
from decimal import Decimal

import pytest

from dashlib.rules import Rule, shipped_rules

RULES = shipped_rules()
DISABLED = [
    "CODE_PLACE_WITHOUT_TARIFF",
    "DQ_DATE_MISSING",
    "DQ_NAM_CHECKSUM",
    "GMF_8875_MISSED",
    "OPP_PLATEAU_CABINET",
    "TARIFF_ALL_CODES",
    "UNKNOWN_ESTABLISHMENT",
]
COUNTED = {
    "amount_limit": {"total", "max"},
    "duration_check": {"minutes", "range"},
    "frequency_limit": {"count", "max"},
    "office_fee_validation": {"registered", "need_registered", "walkIn", "need_walkIn"},
}


def facts(message: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", message))


def test_the_rulebook_holds_these_rules_of_each_type():
    assert Counter(rule.condition.type for rule in RULES) == {
        "age_restriction": 27,
        "amount_limit": 26,
        "data_quality": 17,
        "duration_check": 16,
        "frequency_limit": 63,
        "location_restriction": 21,
        "mutual_exclusion": 6,
        "office_fee_validation": 2,
        "opportunity": 17,
        "prohibition": 49,
        "reference_check": 5,
        "requirement": 61,
        "tariff_check": 8,
        "time_restriction": 25,
    }


def test_the_rulebook_holds_these_severities():
    assert Counter(rule.severity for rule in RULES) == {"error": 201, "warning": 104, "info": 38}


def test_names_are_unique():
    assert len({rule.name for rule in RULES}) == len(RULES) == 343


def test_rules_that_wait_for_data_are_disabled():
    assert sorted(rule.name for rule in RULES if not rule.enabled) == DISABLED


def test_only_the_full_office_fee_has_a_threshold():
    fees = [rule for rule in RULES if rule.condition.type == "office_fee_validation"]
    assert {rule.name: rule.threshold for rule in fees if rule.threshold} == {"OFFICE_FEE_19929": Decimal("64.80")}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_rule_speaks_both_languages_and_has_a_source(rule: Rule):
    assert rule.source
    assert rule.confidence in ("high", "medium")
    for words in (rule.label, rule.message, rule.solution):
        assert set(words) == {"fr", "en"}
        assert all(words.values())


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_both_languages_of_a_message_tell_the_same_facts(rule: Rule):
    assert facts(rule.message["fr"]) == facts(rule.message["en"])


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.condition.type in COUNTED], ids=lambda rule: rule.name)
def test_a_rule_that_counts_says_what_it_counted_and_the_limit(rule: Rule):
    assert facts(rule.message["fr"]) >= COUNTED[rule.condition.type]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_no_message_holds_an_identity(rule: Rule):
    told = {fact for words in (*rule.message.values(), *rule.solution.values()) for fact in facts(words)}
    assert not told & {"patient", "patient_name", "patient_key", "nam", "doctor_name", "doctor_key", "id_ramq"}
