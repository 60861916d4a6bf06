import json
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from dashlib import texts

FOLDER = Path(texts.__file__).parent
KEYS = sorted(texts.words("fr"))
SPACES = str.maketrans({"\u202f": "_", "\u00a0": "~"})


def facts(sentence):
    return set(re.findall(r"\{(\w+)", sentence))


def test_both_languages_have_the_same_keys():
    assert texts.words("fr").keys() == texts.words("en").keys()


@pytest.mark.parametrize("key", KEYS)
def test_both_languages_are_given_the_same_facts(key):
    assert facts(texts.words("fr")[key]) == facts(texts.words("en")[key])


@pytest.mark.parametrize("key", KEYS)
def test_no_text_is_empty_or_left_in_the_other_language(key):
    french, english = texts.words("fr")[key], texts.words("en")[key]
    assert french.strip()
    assert english.strip()
    assert "À faire" not in english
    assert "To do" not in french


@pytest.mark.parametrize("key", KEYS)
def test_no_french_text_holds_an_english_number(key):
    assert not re.search(r"\d\.\d\d(?![\d.])|\d\$|\$\d", texts.words("fr")[key])


@pytest.mark.parametrize("key", [key for key in KEYS if key.endswith((".one", ".other"))])
def test_every_plural_has_both_forms(key):
    stem, _ = key.rsplit(".", 1)
    assert {f"{stem}.one", f"{stem}.other"} <= texts.words("fr").keys()


def test_the_words_of_each_file_are_an_object_of_sentences_or_of_pairs():
    for file in FOLDER.glob("*.json"):
        for sentence in json.loads(file.read_text("utf-8")).values():
            assert isinstance(sentence, str) or set(sentence) == {"fr", "en"}


@pytest.mark.parametrize(
    ("written", "fr", "en"),
    [
        (lambda lang: texts.integer(1214, lang), "1_214", "1,214"),
        (lambda lang: texts.integer(0, lang), "0", "0"),
        (lambda lang: texts.integer(None, lang), "—", "—"),
        (lambda lang: texts.integer(-1500, lang), "−1_500", "−1,500"),
        (lambda lang: texts.decimal(Decimal("2.745"), lang), "2,75", "2.75"),
        (lambda lang: texts.half(24.5, lang), "24,5", "24.5"),
        (lambda lang: texts.half(24.0, lang), "24", "24"),
        (lambda lang: texts.percent(0.026, lang), "2,6~%", "2.6%"),
        (lambda lang: texts.percent(0.0002, lang), "<~0,1~%", "<~0.1%"),
        (lambda lang: texts.percent(0, lang), "0,0~%", "0.0%"),
        (lambda lang: texts.percent(1, lang, 0), "100~%", "100%"),
        (lambda lang: texts.points(-0.009, lang), "0,9~pt", "0.9~pt"),
        (lambda lang: texts.money(Decimal("18432.6"), lang), "18_432,60~$", "$18,432.60"),
        (lambda lang: texts.money(Decimal("-32.10"), lang), "−32,10~$", "−$32.10"),
        (lambda lang: texts.money(Decimal("1234567.89"), lang), "1_234_567,89~$", "$1,234,567.89"),
        (lambda lang: texts.money(None, lang), "—", "—"),
        (lambda lang: texts.long_day(date(2025, 7, 1), lang), "1er~juillet 2025", "July~1, 2025"),
        (lambda lang: texts.long_day(date(2025, 6, 30), lang), "30~juin 2025", "June~30, 2025"),
        (lambda lang: texts.clock(datetime(2025, 6, 30, 22, 4, tzinfo=UTC), lang), "18~h~04", "6:04~p.m."),
        (lambda lang: texts.clock(datetime(2025, 1, 1, 5, 0, tzinfo=UTC), lang), "0~h~00", "12:00~a.m."),
        (
            lambda lang: texts.moment(datetime(2025, 7, 1, 3, 59, tzinfo=UTC), lang),
            "30~juin 2025 à 23~h~59",
            "June~30, 2025, 11:59~p.m.",
        ),
        (
            lambda lang: texts.period(date(2025, 4, 1), date(2025, 6, 30), lang),
            "1er~avril – 30~juin 2025",
            "April~1 – June~30, 2025",
        ),
        (
            lambda lang: texts.period(date(2024, 12, 31), date(2025, 1, 1), lang),
            "31~décembre 2024 – 1er~janvier 2025",
            "December~31, 2024 – January~1, 2025",
        ),
        (lambda lang: texts.period(date(2025, 4, 1), date(2025, 4, 1), lang), "1er~avril 2025", "April~1, 2025"),
    ],
)
def test_numbers_money_and_dates_are_written_as_people_here_write_them(written, fr, en):
    assert (written("fr").translate(SPACES), written("en").translate(SPACES)) == (fr, en)


@pytest.mark.parametrize(
    ("number", "fr", "en"),
    [
        (0, "0 ligne", "0 lines"),
        (1, "1 ligne", "1 line"),
        (2, "2 lignes", "2 lines"),
        (1214, "1_214 lignes", "1,214 lines"),
    ],
)
def test_none_is_singular_in_french_and_plural_in_english(number, fr, en):
    said = [texts.plural("note.lines", number, lang).translate(SPACES) for lang in ("fr", "en")]
    assert said == [fr, en]


def test_an_error_is_said_behind_its_code_in_the_language_spoken():
    port = {"port": 8866, "other": 8867}
    assert texts.error("DL-SERVE-001", port).startswith("DL-SERVE-001\u00a0: le port 8866 est déjà pris. À faire")
    with texts.speaking("en"):
        assert texts.error("DL-SERVE-001", port).startswith("DL-SERVE-001: port 8866 is already taken. To do")


def test_an_error_without_words_or_facts_still_says_its_code():
    assert texts.error("DL-NOWHERE-999", {"lines": 3}) == "DL-NOWHERE-999"
    assert texts.error("DL-NB-003", {}).startswith("DL-NB-003\u00a0: le rapport ne peut pas être écrit dans …")


def test_charts_write_as_pages_do():
    assert texts.vega_numbers("fr")["currency"] == ["", "\u00a0$"]
    assert texts.vega_dates("fr")["shortMonths"][5:7] == ["juin", "juill."]
    assert [len(texts.vega_dates(lang)["shortDays"]) for lang in texts.LANGUAGES] == [7, 7]
