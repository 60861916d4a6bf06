import polars as pl
import pytest

from dashlib import texts
from dashlib.cards import CARD_REDACTED, LIKE_CARD, holds_card, without_cards
from dashlib.errors import NotFound
from dashlib.phi import Pseudonyms
from dashlib.rules import shipped_rules

NUMBERS = (
    "TEST80010112",
    "test80010112",
    "ABCD12345678",
    "abcd12345678",
    "TESTXXXX0112",
    "test****0112",
    "ABCD 1234 5678",
    "abcd 1234 5678",
    "ABCD\u00a01234\u202f5678",
    "ABCD-1234-5678",
    "ABCD.1234.5678",
    "ABCD_1234_5678",
    "ABCD 12345678",
    "TEST 8001 0112",
    "test 8001 0112",
    "test-8051-0112",
    "Test 80010112",
    "TEST XXXX 0112",
    "TEST-XXXX-0112",
    "123456789012",
)
AROUND = ("{}", "voir {}.", "note:{}, vue", "dossier_{}.csv", "/home/{}/factures.csv", "«{}»", "{}_2025-03-04", "({})")
NONE = (
    "32,40",
    "1 234 567,89 $",
    "123456789012,50",
    "0.123456789012",
    "15804 08875 19929",
    "codes 8857 8875 9147",
    "code 15804",
    "#MTA13, #G160",
    "2025-03-04 15:30:00",
    "date 2025-03-04",
    "date 20250304",
    "jour 0800-1700",
    "202503041530",
    "20250304153000",
    "PLAN 2024-2025",
    "pour 2024 2025",
    "mars 2024-2025",
    "facture 900000001",
    "établissement 12345678901",
    "01938f6e-7c3a-7123-8567-123456789012",
    "01938f6e-abcd-7123-8567-0123456789ab",
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "9f86d081884c7d65abcd12345678a2f4",
    "MÉD-7F3A0123AB",
    "PAT-ABCD123456789012",
    "DL-RULE-001",
    "(514) 555-0123",
    "étude 1234-5678",
    "patients 1234 5678",
)


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("around", AROUND)
def test_a_health_insurance_number_is_found_however_it_is_written(number, around):
    assert holds_card(around.format(number))
    assert without_cards(around.format(number)) == around.format(CARD_REDACTED)


def test_several_numbers_are_masked_even_side_by_side():
    assert without_cards("TEST80010112 abcd12345678_123456789012", "…") == "… …_…"


@pytest.mark.parametrize("text", NONE)
def test_amounts_codes_moments_digests_and_ids_are_left_alone(text):
    assert without_cards(text) == text


@pytest.mark.parametrize("number", NUMBERS)
def test_a_frame_is_redacted_of_the_same_numbers(number):
    frame = pl.DataFrame({"diagnostic": ["15804", f"voir {number}.", None]})
    redacted = Pseudonyms(b"key").redacted(frame)["diagnostic"]
    assert redacted.to_list() == ["15804", f"voir {CARD_REDACTED}.", None]
    assert frame["diagnostic"].str.contains(LIKE_CARD).to_list() == [False, True, None]


def test_no_shipped_rule_reads_like_a_number():
    assert [rule.name for rule in shipped_rules() if holds_card(str(rule))] == []


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("lang", texts.LANGUAGES)
def test_no_error_says_a_number_whatever_it_was_given(number, lang):
    with texts.speaking(lang):
        said = str(NotFound("DL-RULE-404", names=f"OUR_RULE, {number}"))
    assert number not in said
    assert f"OUR_RULE, {CARD_REDACTED}" in said
