import json

import polars as pl
import pytest

from dashlib import texts
from dashlib.messages import COUNTED, details, messages, translated, with_facts
from dashlib.records import prepare
from tests.tables import records, results, rule

FEE = rule(
    {"type": "data_quality", "check": "negative_amount"},
    message={"fr": "Montant négatif de {amount} $ le {date}.", "en": "Negative amount of {amount} $ on {date}."},
)
ROLE = rule(
    {"type": "data_quality", "check": "role_invalid", "allowed": ["1", "2", "3"]},
    message={"fr": "Rôle « {value} » non reconnu.", "en": 'Role "{value}" not recognized.'},
)


def told(one_rule, table: str, lang: str) -> list[str]:
    lines = records(table)
    return messages(with_facts(results(one_rule, lines), prepare(lines)), [one_rule], lang).to_list()


def test_a_message_tells_the_line_in_the_language_asked_for():
    table = """
        code  | montant_preliminaire
        15804 | -49,15
    """
    assert told(FEE, table, "fr") == ["Montant négatif de -49,15 $ le 2025-03-04."]
    assert told(FEE, table, "en") == ["Negative amount of -49.15 $ on 2025-03-04."]


@pytest.mark.parametrize("value", ["TEST80010112", "TESTxxxx0112", "123456789012", "Tremplin Zoé", "a" * 13])
def test_a_value_that_could_be_an_identity_is_not_printed(value):
    table = f"""
        code  | role
        15804 | {value}
    """
    assert told(ROLE, table, "fr") == ["Rôle « (valeur masquée) » non reconnu."]
    assert told(ROLE, table, "en") == ['Role "(value masked)" not recognized.']


def test_a_short_code_is_printed():
    table = """
        code  | role
        15804 | 9
    """
    assert told(ROLE, table, "fr") == ["Rôle « 9 » non reconnu."]


def test_kept_facts_give_the_same_sentence_in_english():
    lines = records("""
        code  | role         | montant_preliminaire
        15804 | 9            | -49,15
        15804 | TEST80010112 | 10,00
    """)
    known = with_facts(results([FEE, ROLE.model_copy(update={"name": "ROLE"})], lines), prepare(lines))
    rules = [FEE, ROLE.model_copy(update={"name": "ROLE"})]
    kept = known.with_columns(message=messages(known, rules, "fr"), details=details(known, rules))
    assert translated(kept, rules, "en").to_list() == messages(known, rules, "en").to_list()
    assert "TEST80010112" not in kept.select("message", "details").write_csv()


def test_details_hold_the_facts_that_the_message_uses():
    lines = records("""
        code  | montant_preliminaire
        15804 | -49,15
    """)
    [kept] = details(with_facts(results(FEE, lines), prepare(lines)), [FEE]).to_list()
    assert json.loads(kept) == {"amount": "-49.15", "date": "2025-03-04", "reason": None}


def test_no_result_gives_no_message():
    lines = records("""
        code
        15804
    """)
    known = with_facts(results(FEE, lines), prepare(lines))
    assert messages(known, [FEE], "fr").to_list() == []
    assert details(known, [FEE]).dtype == pl.String


def test_a_rule_without_words_of_its_own_gets_a_plain_sentence():
    bare = rule({"type": "data_quality", "check": "negative_amount"})
    table = """
        code  | montant_preliminaire
        15804 | -49,15
    """
    assert told(bare, table, "fr") == ["Ligne non conforme à la règle (15804)."]
    assert told(bare, table, "en") == ["Line against the rule (15804)."]


def test_details_hold_what_was_counted_also_where_no_message_says_it():
    lines = records("""
        code
        15804
        15804
    """)
    limit = rule({"type": "frequency_limit", "codes": ["15804"], "max": 1, "per": "patient", "period": "day"})
    [kept] = details(with_facts(results(limit, lines), prepare(lines)), [limit]).to_list()
    counted = json.loads(kept)
    assert {name: counted[name] for name in ("count", "max", "period")} == {
        "count": "2",
        "max": "1",
        "period": "2025-03-04",
    }
    assert "walkIn" not in counted


@pytest.mark.parametrize("fact", COUNTED)
@pytest.mark.parametrize("lang", ["fr", "en"])
def test_everything_that_rules_count_has_a_name(fact, lang):
    assert f"why.fact_{fact}" in texts.words(lang)


def test_a_big_amount_is_written_in_groups_of_three_digits():
    table = """
        code  | montant_preliminaire
        15804 | -1234567,50
    """
    assert told(FEE, table, "fr") == ["Montant négatif de -1\u202f234\u202f567,50 $ le 2025-03-04."]
    assert told(FEE, table, "en") == ["Negative amount of -1,234,567.50 $ on 2025-03-04."]


def test_a_doctor_is_told_by_the_pseudonym():
    of_doctor = rule({"type": "data_quality", "check": "negative_amount"}, message={"fr": "{doctor}", "en": "{doctor}"})
    lines = records("""
        code  | montant_preliminaire | doctor
        15804 | -1                   | 1999123-10456
    """)
    found = with_facts(results(of_doctor, lines), prepare(lines), lambda doctors: doctors.replace("1999123", "MÉD-1"))
    assert messages(found, [of_doctor], "fr").to_list() == ["MÉD-1"]
