from datetime import date

import polars as pl
import pytest

from dashlib import messages
from dashlib.engine import find_results
from dashlib.errors import RuleError
from dashlib.records import prepare
from dashlib.rules import shipped_rules
from dashlib.rules.base import Reference
from dashlib.rules.calendar import agreed_holidays
from dashlib.starter import quebec_holidays
from tests.tables import REFERENCE, RUN_DATE, broken, records, rule, skipped

SHIPPED = {rule.name: rule for rule in shipped_rules()}
BORN_1945, BORN_2020, BORN_2025 = "TEST45031012", "TEST20011512", "TEST25050112"


def location(**parameters):
    return rule({"type": "location_restriction", "codes": ["15804"]} | parameters)


def within(*windows, **parameters):
    return rule({"type": "time_restriction", "codes": ["15804"], "windows": list(windows)} | parameters)


def hours(first, last, **more):
    return {"from": first, "to": last} | more


def aged(**parameters):
    return rule({"type": "age_restriction", "codes": ["15804"]} | parameters)


def holidays(*rows):
    schema = {"date": pl.Date, "applies_to": pl.String, "name": pl.String}
    return Reference(RUN_DATE, holidays=pl.DataFrame(rows, schema=schema, orient="row"))


@pytest.mark.parametrize(
    ("name", "lines", "expected"),
    [
        ("PLATEAU_CABINET_ONLY", "code | lieu_de_pratique\n 1098 | 00999", [1]),
        ("PLATEAU_CABINET_ONLY", "code | lieu_de_pratique\n 1098 | 55999", []),
        ("EXAM_NOT_IN_ER", "code | lieu_de_pratique | secteur_activite\n 56 | 00999 | Clinique d'urgence", [1]),
        ("EXAM_NOT_IN_ER", "code | lieu_de_pratique | secteur_activite\n 56 | 00999 | Aucun Secteur", []),
        (
            "CABINET_OR_HOME_INJECTIONS",
            "code | lieu_de_pratique | element_de_contexte\n 478 | 00999 | VISITE_DOMICILE",
            [],
        ),
        ("TRANSFER_VISIT_WEEKDAY", "code | date_de_service\n 15641 | 2025-03-08", [1]),
        ("TRANSFER_PHONE_HOLIDAY", "code | date_de_service\n 15641 | 2025-04-18", [1]),
        ("PHONE_15622_WINDOW", "code | date_de_service | debut\n 15622 | 2025-03-03 | 17:59", []),
        ("PHONE_15622_WINDOW", "code | date_de_service | debut\n 15622 | 2025-03-03 | 18:00", [1]),
        ("URGENT_TRIP_NIGHT", "code | debut\n 15849 | 06:59\n 15849 | 07:00", [2]),
        ("NIGHT_09099_WINDOW", "code\n 9099", []),
        ("ER_DUTY_19953_WINDOW", "code | date_de_service | debut\n 19953 | 2025-07-01 | 10:00", []),
        ("AGE_UNDER_80_VISITS", f"code | patient | date_de_service\n 15804 | {BORN_1945} | 2025-03-10", [1]),
        ("AGE_UNDER_80_VISITS", f"code | patient | date_de_service\n 15804 | {BORN_1945} | 2025-03-09", []),
        ("AGE_PEDIATRIC_0_63M", f"code | patient | date_de_service\n 15814 | {BORN_2020} | 2025-04-30", []),
        ("AGE_PEDIATRIC_0_63M", f"code | patient | date_de_service\n 15814 | {BORN_2020} | 2025-05-15", [1]),
        ("AGE_NEWBORN_15024", f"code | patient | date_de_service\n 15024 | {BORN_2025} | 2025-05-03", []),
        ("AGE_NEWBORN_15024", f"code | patient | date_de_service\n 15024 | {BORN_2025} | 2025-05-04", [1]),
    ],
    ids=[
        *("LO1", "LO2", "LO3", "LO4", "LO5", "TR1", "TR2", "TR3", "TR3 at the end", "TR4", "TR5", "TR6"),
        *("AG1", "AG2", "AG3", "AG3 a month later", "AG5", "AG5 a day later"),
    ],
)
def test_shipped_restrictions(name, lines, expected):
    assert broken(SHIPPED[name], lines) == expected


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"allow": {"places": ["cabinet"]}}, [2, 3, 4]),
        ({"deny": {"places": ["cabinet"]}}, [1]),
        ({"allow": {"places": ["cabinet", "domicile"]}}, [2, 4]),
        ({"allow": {"prefixes": ["0012"]}}, [1, 3, 4]),
        ({"deny": {"prefixes": ["001", "H2X"]}}, [2, 4]),
        ({"allow": {"sectors": ["URGENCE"]}}, [1, 3, 4]),
        ({"deny": {"sectors": ["clinique", "ete"]}}, [2, 3]),
        ({"deny": {"places": ["domicile"]}}, [3]),
        ({"allow": {"places": ["etablissement"]}, "deny": {"sectors": ["urgence"]}}, [1, 2]),
        ({"allow": {"places": ["cabinet"], "prefixes": ["00"]}, "deny": {"places": ["domicile"]}}, [3, 4]),
    ],
)
def test_a_place_is_denied_or_is_not_among_those_allowed(parameters, expected):
    lines = """
        lieu_de_pratique | secteur_activite   | element_de_contexte
        54999            | Aucun Secteur      | -
        123              | Clinique d'urgence | -
        00999            | Été                | #visite_domicile
        H2X 1Y4          | -                  | -
        -                | Clinique d'urgence | VISITE_DOMICILE
    """
    assert broken(location(**parameters), lines, code="15804") == expected


def test_a_line_without_place_is_skipped_by_every_location_rule():
    in_emergency = location(deny={"sectors": ["urgence"]})
    assert skipped(in_emergency, "lieu_de_pratique | secteur_activite\n - | Urgence", code="15804") == 1


@pytest.mark.parametrize(
    ("windows", "expected"),
    [
        ([hours("08:00", "18:00")], [1, 2, 5, 6]),
        ([hours("00:00", "08:00"), hours("18:00", "24:00")], [3, 4]),
        ([hours("07:00", "08:00"), hours("07:30", "18:00")], [1, 5, 6]),
        ([hours("08:00", "18:00", days=["wed"])], [1, 2, 3, 4, 5, 6]),
    ],
)
def test_a_window_holds_its_first_minute_and_not_its_last(windows, expected):
    starts = "debut\n 00:00\n 07:59\n 08:00\n 17:59\n 18:00\n 23:59"
    assert broken(within(*windows), starts, code="15804") == expected


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        (hours("00:00", "24:00", days=["mon", "tue", "wed", "thu", "fri"]), [3]),
        (hours("00:00", "24:00", days=["sat", "sun"]), [1, 2, 4]),
        (hours("00:00", "24:00", days=["tue"], holiday="exclude"), [2, 3, 4]),
        (hours("00:00", "24:00", days=["sat"], holiday="only"), [1, 3]),
        (hours("00:00", "24:00", holiday="exclude"), [2, 4]),
    ],
)
def test_days_of_the_week_and_holidays(window, expected):
    days = "date_de_service\n 2025-03-04\n 2025-07-01\n 2025-03-08\n 2025-12-31"
    assert broken(within(window), days, code="15804") == expected


def test_the_start_is_needed_where_a_window_does_not_last_the_whole_day():
    whole_days = within(hours("00:00", "24:00", days=["sat"]))
    some_hours = within(hours("00:00", "24:00", days=["sat"]), hours("08:00", "18:00", days=["sun"]))
    lines = "debut\n -\n 24:00\n 9h"
    assert (broken(whole_days, lines, code="15804"), skipped(whole_days, lines, code="15804")) == ([1, 2, 3], 0)
    assert (broken(some_hours, lines, code="15804"), skipped(some_hours, lines, code="15804")) == ([], 3)


def test_a_line_without_date_is_skipped():
    anyone = within(hours("00:00", "24:00", days=["sat"]))
    assert skipped(anyone, "date_de_service\n -", code="15804") == 1


NOT_ON_HOLIDAYS = within(hours("00:00", "24:00", holiday="exclude"))


def test_an_establishment_rests_on_its_own_days_too():
    own = holidays((date(2025, 3, 4), "all", "A"), (date(2025, 3, 5), "123", "B"))
    lines = """
        date_de_service | lieu_de_pratique
        2025-03-04      | 00123
        2025-03-05      | 00123
        2025-03-05      | 54999
        2025-07-01      | 54999
        2025-03-04      | -
    """
    assert broken(NOT_ON_HOLIDAYS, lines, own, code="15804") == [1, 2, 5]


def test_an_establishments_own_day_stands_for_the_general_one_of_that_name_and_year_of_reference():
    moved = holidays(
        (date(2024, 6, 24), "all", "Fête nationale"),
        (date(2025, 4, 30), "all", "Fête nationale"),
        (date(2025, 6, 24), "all", "Fête nationale"),
        (date(2025, 6, 26), "00123", "Fête nationale"),
    )
    lines = """
        date_de_service | lieu_de_pratique
        2025-06-24      | 123
        2025-06-26      | 123
        2025-06-24      | 54999
        2025-06-26      | 54999
        2024-06-24      | 123
        2025-04-30      | 123
    """
    assert broken(NOT_ON_HOLIDAYS, lines, moved, code="15804") == [2, 3, 5, 6]


def test_the_agreements_list_holds_in_years_without_general_days():
    of_2025 = holidays((date(2025, 3, 4), "all", "A"), (date(2024, 3, 5), "54999", "B"))
    lines = "date_de_service\n 2025-03-04\n 2025-07-01\n 2024-07-01\n 2024-03-05\n 2024-12-31"
    assert broken(NOT_ON_HOLIDAYS, lines, of_2025, code="15804") == [1, 3, 4, 5]
    assert broken(NOT_ON_HOLIDAYS, lines, code="15804") == [2, 3, 5]


def test_the_agreements_holidays_of_a_year():
    assert [f"{day:%m-%d}" for day in sorted(agreed_holidays(2025))] == [
        *("01-01", "01-02", "04-18", "04-21", "05-19", "06-24", "07-01"),
        *("09-01", "10-13", "12-24", "12-25", "12-26", "12-31"),
    ]


@pytest.mark.parametrize("year", [2003, 2008, 2019, 2024, 2025, 2026, 2038, 2076])
def test_the_agreements_list_agrees_with_the_published_calendar(year):
    assert sorted(agreed_holidays(year)) == quebec_holidays([year])["date"].to_list()


@pytest.mark.parametrize(
    "good_friday",
    ["1970-03-27", "1981-04-17", "2000-04-21", "2008-03-21", "2011-04-22", "2024-03-29", "2038-04-23", "2049-04-16"],
)
def test_good_friday_is_two_days_before_easter(good_friday):
    assert agreed_holidays(int(good_friday[:4]))[date.fromisoformat(good_friday)] == "Vendredi saint"


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"min_years": 1}, [1, 2]),
        ({"max_years_excl": 1}, [3, 4]),
        ({"min_months": 12}, [1, 2]),
        ({"max_months_incl": 11}, [3, 4]),
        ({"max_days_incl": 364}, [2, 3, 4]),
        ({"max_days_incl": 365}, [3, 4]),
        ({"min_years": 1, "max_years_excl": 2}, [1, 2, 4]),
        ({"min_months": 12, "max_days_incl": 366}, [1, 2, 4]),
    ],
)
def test_someone_born_on_29_february_grows_older_on_1_march(parameters, expected):
    lines = """
        date_de_service | patient
        2025-02-27      | TEST24022912
        2025-02-28      | TEST24022912
        2025-03-01      | TEST24022912
        2026-02-28      | TEST23022812
    """
    assert broken(aged(**parameters), lines, code="15804") == expected


@pytest.mark.parametrize("patient", ["TESTxxxx2912", "TEST23022912", "- A", "-", "test24022912"])
def test_a_patient_of_unknown_age_is_skipped(patient):
    lines = f"code | patient\n 15804 | {patient}"
    for anyone in (aged(min_years=1), aged(max_days_incl=1)):
        assert (broken(anyone, lines), skipped(anyone, lines)) == ([], 1)


def test_a_hundred_years_are_many_days():
    assert broken(aged(max_days_incl=1), "patient\n TEST26010112", code="15804") == [1]


@pytest.mark.parametrize(
    ("restriction", "line", "sentence"),
    [
        (aged(min_years=80), "patient\n TEST45030512", "79 ans / 80 ans ou plus"),
        (aged(max_years_excl=1), "patient\n TEST24010112", "1 an / moins de 1 an"),
        (aged(min_years=70, max_years_excl=80), "patient\n TEST24010112", "1 an / 70–79 ans"),
        (aged(max_months_incl=0), "patient\n TEST25020112", "1 mois / 0 mois ou moins"),
        (aged(min_years=2, max_months_incl=30), "patient\n TEST24030412", "12 mois / 2 ans ou plus, 30 mois ou moins"),
        (aged(max_days_incl=2), "patient\n TEST25030112", "3 jours / 2 jours ou moins"),
    ],
)
def test_ages_are_said_in_the_unit_of_the_rule(restriction, line, sentence):
    assert said(restriction, "{age} / {range}", line, "fr") == sentence


@pytest.mark.parametrize(
    ("windows", "french", "english"),
    [
        ([hours("08:00", "18:00")], "08:00–18:00", "08:00–18:00"),
        ([hours("08:00", "18:00", days=["fri", "mon"])], "lun.,ven. 08:00–18:00", "Mon.,Fri. 08:00–18:00"),
        (
            [hours("08:00", "24:00", days=["sat", "sun"]), hours("08:00", "24:00", holiday="only")],
            "sam.–dim., jours fériés 08:00–24:00",
            "Sat.–Sun., holidays 08:00–24:00",
        ),
        (
            [hours("00:00", "24:00", days=["sat"]), hours("20:00", "24:00", days=["fri"], holiday="exclude")],
            "sam. ou ven. sauf jours fériés 20:00–24:00",
            "Sat. or Fri. except holidays 20:00–24:00",
        ),
    ],
)
def test_windows_are_said_in_both_languages(windows, french, english):
    said_so = [said(within(*windows), "{window}", "debut\n 06:00", lang) for lang in ("fr", "en")]
    assert said_so == [french, english]


def test_places_are_said_in_both_languages():
    in_office = location(allow={"places": ["cabinet"]})
    said_so = [said(in_office, "{establishment} ({place})", "lieu_de_pratique\n 123", lang) for lang in ("fr", "en")]
    assert said_so == ["00123 (établissement)", "00123 (establishment)"]


def said(restriction, template, lines, lang):
    speaking = restriction.model_copy(update={"message": {lang: template}})
    prepared = prepare(records(lines, code="15804"))
    found = find_results(prepared, [speaking], REFERENCE).results
    [sentence] = messages.messages(messages.with_facts(found, prepared), [speaking], lang)
    return sentence.replace("\u00a0", " ")


@pytest.mark.parametrize(
    ("condition", "reasons"),
    [
        ({"type": "location_restriction"}, ["allow: one of allow, deny is needed"]),
        ({"type": "location_restriction", "allow": {"places": ["urgence"]}}, ["allow.places"]),
        ({"type": "location_restriction", "allow": {"prefixes": [" "]}}, ["an empty text would match everything"]),
        (
            {"type": "location_restriction", "allow": {"places": ["cabinet"]}, "deny": {"places": ["cabinet"]}},
            ["deny: also allowed"],
        ),
        (
            {"type": "location_restriction", "codes": []},
            ["codes: one of codes, code_groups is needed", "allow: one of"],
        ),
        ({"type": "time_restriction"}, ["windows"]),
        ({"type": "time_restriction", "windows": []}, ["windows"]),
        ({"type": "time_restriction", "windows": [hours("18:00", "08:00")]}, ["windows.0", "to: must be after from"]),
        ({"type": "time_restriction", "windows": [hours("8h", "25:00")]}, ["windows.0.from", "windows.0.to"]),
        ({"type": "time_restriction", "windows": [hours("08:00", "09:00", days=["monday"])]}, ["windows.0.days.0"]),
        ({"type": "time_restriction", "windows": [hours("08:00", "09:00", days=[])]}, ["windows.0.days"]),
        ({"type": "time_restriction", "windows": [hours("08:00", "09:00", wrap=1)]}, ["windows.0.wrap"]),
        ({"type": "age_restriction"}, ["min_years: one of min_years, max_years_excl"]),
        ({"type": "age_restriction", "max_years_excl": 0}, ["max_years_excl"]),
        ({"type": "age_restriction", "min_years": 80, "max_years_excl": 80}, ["nobody is old enough and young enough"]),
        ({"type": "age_restriction", "min_years": 2, "max_months_incl": 23}, ["nobody is old enough"]),
        ({"type": "age_restriction", "min_months": 2, "max_days_incl": 55}, ["nobody is old enough"]),
        ({"type": "age_restriction", "min_years": 1, "other": 2}, ["age_restriction.other"]),
    ],
)
def test_what_cannot_be_is_refused_with_field_and_reason(condition, reasons):
    with pytest.raises(RuleError) as refused:
        rule({"codes": ["15804"]} | condition)
    assert [reason for reason in reasons if reason not in str(refused.value.facts["faults"])] == []


@pytest.mark.parametrize(
    "written",
    [
        location(allow={"places": ["cabinet"], "sectors": ["urgence"]}),
        within(hours("08:00", "18:00", days=["mon"])),
        aged(min_years=2),
    ],
)
def test_a_restriction_judges_lines_alone_and_reads_back_as_it_was_written(written):
    assert written.condition.scope == "row"
    assert rule(written.condition.model_dump(mode="json", exclude_unset=True)) == written


def test_without_a_table_the_holidays_of_the_agreement_hold_in_every_year_of_the_file():
    no_holiday = {
        "type": "time_restriction",
        "codes": ["15641"],
        "windows": [hours("00:00", "24:00", holiday="exclude")],
    }
    table = """
        code  | date_de_service
        15641 | 2019-12-25
        15641 | 2027-12-25
        15641 | 2040-12-24
        15641 | 2040-12-23
    """
    assert broken(rule(no_holiday), table, Reference(date(2020, 1, 31))) == [1, 2, 3]
