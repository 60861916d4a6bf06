from datetime import date
from decimal import Decimal

import polars as pl
import pytest

from dashlib.rules import shipped_rules
from dashlib.rules.base import EVERY_CODE, CodeGroups
from dashlib.starter import quebec_holidays, starter_codes, starter_contexts, starter_reference

CODES = starter_codes()
CONTEXTS = starter_contexts()


def tariffs(code: str) -> dict[str, Decimal | None]:
    return dict(CODES.filter(pl.col("code") == code).select("place", "tariff_value").iter_rows())


def test_every_code_that_a_shipped_rule_names_is_known():
    named = set()
    for rule in shipped_rules():
        for codes in ("codes", "with_codes", "anchor_codes", "unless_same_day_codes"):
            named |= set(getattr(rule.condition, codes, None) or ())
    assert named - set(CODES["code"]) == {EVERY_CODE}


def test_codes_have_five_digits_a_label_and_a_known_place():
    assert CODES["code"].str.contains(r"^\d{5}$").all()
    assert CODES["description"].str.len_chars().min() > 3
    assert set(CODES["place"]) == {"Cabinet", "Établissement", "all"}


def test_a_code_has_one_row_for_each_place():
    assert CODES.select("code", "place").is_unique().all()


def test_labels_tell_codes_apart():
    assert CODES.unique("code")["description"].is_unique().all()


def test_nothing_of_the_starter_is_trusted():
    assert not CODES["trusted"].any()


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("15804", {"Cabinet": Decimal("49.15"), "Établissement": Decimal("36.95")}),
        ("08857", {"Cabinet": Decimal("59.70"), "Établissement": Decimal("49.75")}),
        ("08859", {"Cabinet": Decimal("29.85"), "Établissement": Decimal("24.85")}),
        ("19928", {"Cabinet": Decimal("32.40")}),
        ("19929", {"Cabinet": Decimal("64.80")}),
        ("08875", {"all": Decimal("9.35")}),
        ("01098", {"Cabinet": Decimal("37.00")}),
        ("15616", {"Établissement": None}),
        ("15819", {"all": None}),
    ],
)
def test_tariffs_are_those_that_the_rules_state(code: str, expected: dict[str, Decimal | None]):
    assert tariffs(code) == expected


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        ({"leaf": ["Visite périodique"]}, ["15819", "15820", "15839", "15840"]),
        (
            {"leaf": ["Visite de prise en charge"]},
            ["15801", "15802", "15815", "15816", "15821", "15822", "15835", "15836"],
        ),
    ],
)
def test_groups_that_rules_follow_hold_their_codes(groups: dict[str, list[str]], expected: list[str]):
    assert sorted(CodeGroups(**groups).resolve(CODES)) == expected


def test_visits_by_appointment_and_their_section_are_found():
    assert len(CodeGroups(level1_group_contains=("visites sur rendez-vous",)).resolve(CODES)) == 40
    assert "15804" in CodeGroups(section_prefix=("B - Consultation, examen et visite",)).resolve(CODES)


def test_contexts_are_unique_and_know_their_other_spellings():
    assert CONTEXTS["context"].is_unique().all()
    assert dict(CONTEXTS.select("context", "aliases").iter_rows())["G160"] == ["#G160"]
    assert dict(CONTEXTS.select("context", "aliases").iter_rows())["SEANCE_DIFFERENTE"] == []


def test_holidays_are_those_of_the_agreement():
    assert quebec_holidays([2025])["date"].cast(pl.String).to_list() == [
        "2025-01-01",
        "2025-01-02",
        "2025-04-18",
        "2025-04-21",
        "2025-05-19",
        "2025-06-24",
        "2025-07-01",
        "2025-09-01",
        "2025-10-13",
        "2025-12-24",
        "2025-12-25",
        "2025-12-26",
        "2025-12-31",
    ]


def test_patriots_day_is_the_monday_before_25_may():
    assert date(2026, 5, 18) in quebec_holidays([2026])["date"]
    assert date(2020, 5, 18) in quebec_holidays([2020])["date"]


def test_holidays_keep_their_calendar_date_when_they_fall_on_a_sunday():
    assert date(2029, 7, 1) in quebec_holidays([2029])["date"]
    assert date(2029, 7, 2) not in quebec_holidays([2029])["date"]


def test_the_reference_of_a_fresh_install_trusts_no_code():
    reference = starter_reference(date(2025, 6, 30))
    assert reference.trusted == {"contexts", "holidays"}
    assert reference.codes.height == CODES.height
    assert date(2024, 12, 31) in reference.holidays["date"]
