import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

import dashlib.rules
from dashlib import texts
from dashlib.edits import rule_data
from dashlib.errors import RuleError
from dashlib.rules import Rule, parse_rules, shipped_rules
from dashlib.rules.reasons import reasons_of

SECRET = "TEST80010112"
STRANGE = (
    None, True, 0, -1, 1.5, 10**6, 10**12, 10**30, float("nan"), float("inf"), "", " ", "*", "x" * 9, SECRET, "12:75",
    "2025-02-30", "2025-03-04T10:00", "1,5", "1.234", [], [[]], [None], [SECRET], [{}], {}, {"": 1}, {SECRET: SECRET},
    {1: 2}, {"type": "none"}, "(", "\ud800", b"\xff", "9" * 40, ["*"], ["1", "1"], {"15804": None},
)  # fmt: skip
RULES = [rule_data(rule) for rule in shipped_rules()]


def places(data, above=()):
    """Every path into nested data."""
    pairs = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, part in pairs:
        yield (*above, key)
        yield from places(part, (*above, key))


def put(data, path, value):
    if not path:
        return value
    first, *rest = path
    if isinstance(data, list):
        return [put(part, rest, value) if at == first else part for at, part in enumerate(data)]
    return data | {first: put(data.get(first), rest, value)}


def refusals(item):
    try:
        Rule.model_validate(item)
    except ValidationError as refused:
        return refused.errors(include_input=False, include_url=False)
    return []


def refused_with(item):
    try:
        parse_rules([item])
    except RuleError as refused:
        return str(refused)
    return ""


def missing(item):
    return [{name: part for name, part in item.items() if name != left_out} for left_out in item]


def spoilt():
    one_of_each = {rule["condition"]["type"] + str(rule["condition"].get("strategy")): rule for rule in RULES}
    for rule in one_of_each.values():
        yield from missing(rule)
        yield from ({**rule, "condition": condition} for condition in missing(rule["condition"]))
        yield from (put(rule, path, value) for path in places(rule) for value in STRANGE)
        fields = (
            "threshold",
            "version",
            "valid_from",
            "label",
            "days",
            "months",
            "code_groups",
            "max_by_place",
            "keys",
        )
        for field in fields:
            yield from (put(rule, path, value) for path in ((field,), ("condition", field)) for value in STRANGE)


@pytest.fixture(scope="module")
def told():
    return [error for item in spoilt() for error in refusals(item)]


def test_a_fuzz_of_every_type_finds_a_text_for_each_kind_of_error(told):
    kinds = {error["type"] for error in told if "reasons" not in error.get("ctx", {})}
    assert len(kinds) > 25
    known = {key.removeprefix("rule.pydantic.") for key in texts.words("fr") if key.startswith("rule.pydantic.")}
    assert sorted(kinds - known) == []


def test_every_reason_is_said_in_both_languages_whole_and_without_what_was_written(told):
    for lang in texts.LANGUAGES:
        said = {why.said(lang) for error in told for why in reasons_of(error)}
        assert [words for words in said if "…" in words or SECRET in words or not words] == []
    french, english = ({why.said(lang) for error in told for why in reasons_of(error)} for lang in texts.LANGUAGES)
    assert french & english == set()


@given(st.sampled_from(RULES), st.data())
@settings(max_examples=60)
def test_no_refused_rule_quotes_what_was_written(rule, data):
    path = data.draw(st.sampled_from([path for path in places(rule) if path[0] not in ("name", "label")]))
    assert SECRET not in refused_with(put(rule, path, SECRET))


def test_a_kind_that_has_no_text_has_a_general_sentence():
    [why] = reasons_of({"type": "never_heard_of", "loc": ("x",), "msg": SECRET, "input": SECRET, "ctx": {"x": SECRET}})
    assert [why.said(lang) for lang in texts.LANGUAGES] == ["valeur refusée", "Value refused"]


@pytest.mark.parametrize(
    ("change", "fr", "en"),
    [
        ({"max": "none"}, "max : doit être un nombre entier", "max: Input should be a valid integer"),
        ({"max": -1}, "max : doit être 0 ou plus", "max: Input should be greater than or equal to 0"),
        ({"days": 99999}, "days : doit être 36600 ou moins", "days: Input should be less than or equal to 36600"),
        ({"colour": 1}, "colour : ce champ n'existe pas", "colour: Extra inputs are not permitted"),
        ({"type": SECRET}, "condition : doit être un de age_restriction,", "condition: Input should be one of age_res"),
        ({"period": "rolling_days"}, "days : exigé par rolling_days", "days: needed by rolling_days"),
        ({"keep": SECRET}, "keep : doit être un de paid_first, first_paid", "keep: Input should be one of paid_first,"),
    ],
)
def test_a_refused_rule_says_why_in_the_language_spoken(change, fr, en):
    limit = {"type": "frequency_limit", "codes": ["15804"], "per": "patient", "period": "day", "max": 1}
    with pytest.raises(RuleError) as refused:
        parse_rules([{"name": "RULE", "category": "x", "condition": limit | change}])
    assert fr in str(refused.value).replace("\u00a0", " ")
    with texts.speaking("en"):
        assert en in str(refused.value)
    assert SECRET not in str(refused.value)


def test_every_reason_that_rules_name_has_a_text_and_every_text_is_named():
    folder = Path(dashlib.rules.__file__).parent
    files = [*folder.glob("*.py"), folder.parent / "edits.py", folder.parent / "rulebook.py"]
    source = "".join(file.read_text("utf-8") for file in files)
    used = set(re.findall(r'reason\(\s*(?:[^"()]+|"[^"]*"|str\(\w+\)),\s*"(\w+)"', source))
    known = {key.removeprefix("rule.fault.") for key in texts.words("fr") if key.startswith("rule.fault.")}
    assert used == known
