import re

import pytest

from dashlib import rule_words
from dashlib.rules import shipped_rules

RULES = shipped_rules()


@pytest.mark.parametrize("lang", ["fr", "en"])
def test_every_parameter_of_every_shipped_rule_has_a_name_in_words(lang):
    named = {each.name for rule in RULES for each in rule_words.told_parameters(rule, lang)}
    assert {name for name in named if re.search(r"[_.]|^[a-z]+[A-Z]", name)} == set()


@pytest.mark.parametrize("lang", ["fr", "en"])
def test_every_word_that_a_shipped_rule_leaves_open_is_said(lang):
    said = [
        rule_words.told_message(template, rule, lang)
        for rule in RULES
        for template in (rule.message[lang], *([rule.solution[lang]] if lang in rule.solution else []))
    ]
    assert {word for each in said for word in re.findall(r"[{}]|‹[a-z]*[_A-Z]\w*›", each)} == set()


def told(name):
    [rule] = [rule for rule in RULES if rule.name == name]
    return {each.path: (each.name, each.value) for each in rule_words.told_parameters(rule, "fr")}


def test_a_threshold_keeps_the_path_by_which_it_is_changed():
    asked = told("OFFICE_FEE_19928")
    assert asked["thresholds.19928.walkIn"] == ("patients sans rendez-vous exigés", "19928 → 10")
    assert asked["each_code"] == ("chaque code compté à part", "non")


def test_the_same_of_several_codes_stands_together_and_money_is_money():
    asked = {path: said for rule in RULES for path, said in told(rule.name).items()}
    assert asked["amounts.CODE"] == ("montants", "19928 → 32,40\u00a0$ · 19929 → 64,80\u00a0$")


def test_a_sentence_holds_the_limits_of_its_rule():
    said = {rule_words.told_message("au plus {max}, {date}", rule, "fr") for rule in RULES}
    assert "au plus 180, ‹date›" in said
