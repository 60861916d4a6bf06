import re
from collections import Counter
from decimal import Decimal

import pytest

from dashlib.rules import Rule, shipped_rules

RULES = shipped_rules()
DISABLED = ["CODE_PLACE_WITHOUT_TARIFF", "DQ_DATE_MISSING", "DQ_NAM_CHECKSUM", "UNKNOWN_ESTABLISHMENT"]


def test_the_rulebook_holds_these_rules_of_each_type():
    assert Counter(rule.condition.type for rule in RULES) == {
        "office_fee_validation": 2,
        "frequency_limit": 63,
        "prohibition": 49,
        "reference_check": 5,
        "data_quality": 17,
    }


def test_the_rulebook_holds_these_severities():
    assert Counter(rule.severity for rule in RULES) == {"error": 87, "warning": 36, "info": 13}


def test_names_are_unique():
    assert len({rule.name for rule in RULES}) == len(RULES)


def test_rules_that_wait_for_data_are_disabled():
    assert sorted(rule.name for rule in RULES if not rule.enabled) == DISABLED


def test_only_the_full_office_fee_has_a_threshold():
    assert {rule.name: rule.threshold for rule in RULES if rule.threshold} == {"OFFICE_FEE_19929": Decimal("64.80")}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_rule_speaks_both_languages_and_has_a_source(rule: Rule):
    assert rule.source
    assert rule.confidence in ("high", "medium")
    for words in (rule.label, rule.message, rule.solution):
        assert set(words) == {"fr", "en"}
        assert all(words.values())


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_both_languages_of_a_message_tell_the_same_facts(rule: Rule):
    facts = [set(re.findall(r"\{(\w+)\}", rule.message[language])) for language in ("fr", "en")]
    assert facts[0] == facts[1]
