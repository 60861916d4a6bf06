from datetime import date

import polars as pl
import pytest

from dashlib.errors import RuleError
from dashlib.rules import shipped_rules
from dashlib.rules.base import Reference
from tests.tables import RUN_DATE, broken, results, rule, skipped

SHIPPED = {rule.name: rule for rule in shipped_rules()}
LEAVES = pl.DataFrame(
    {"code": ["15819", "15820", "15801"], "leaf": ["Visite périodique"] * 2 + ["Visite de prise en charge"]}
).with_columns(place=pl.lit("all"), section=pl.lit(None, pl.String), level1_group=pl.lit(None, pl.String))
WITH_LEAVES = Reference(run_date=RUN_DATE, codes=LEAVES)
ONCE = {"type": "frequency_limit", "codes": ["15804"], "max": 1, "per": "patient", "period": "calendar_year"}


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("code | date_de_service | montant_paye\n 15820 | 2025-02-03 | 49.15\n 15820 | 2025-09-10 | 0", [2]),
        ("code | date_de_service | montant_paye\n 15820 | 2025-02-03 | 0\n 15819 | 2025-09-10 | 49.15", [1]),
        ("code | date_de_service | montant_paye\n 15820 | 2025-12-30 | 0\n 15820 | 2026-01-05 | 0", []),
        ("code | date_de_service | montant_paye\n 15820 | 2025-01-01 | 49.15\n 15820 | 2025-12-31 | 49.15", [2]),
    ],
    ids=["FL1", "FL2", "FL3", "FL4"],
)
def test_a_periodic_visit_once_a_calendar_year_the_paid_one_being_kept(lines, expected):
    assert broken(SHIPPED["ANNUAL_PERIODIC_VISIT"], lines, WITH_LEAVES) == expected


def test_fl5_the_fourteenth_communication_of_a_quarter():
    lines = "date_de_service | patient\n" + "\n".join(f"2025-0{1 + n % 3}-15 | P{n}" for n in range(14))
    found = results(SHIPPED["COMM_SPECIALIST_15841_QUARTER"], lines, code="15841").row(0, named=True)
    assert (found["row_number"], found["severity"], str(found["amount"])) == (12, "error", "10.00")
    assert (found["count"], found["max"], found["period"]) == (14, 13, "2025-Q1")


def test_fl6_a_colposcopy_before_four_months_have_passed():
    lines = """
        date_de_service | patient
        2025-01-10      | P1
        2025-05-09      | P1
        2025-01-10      | P2
        2025-05-10      | P2
    """
    assert broken(SHIPPED["COLPOSCOPY_4_MONTHS"], lines, code="06075") == [2]


def test_fl7_a_newborn_billed_by_two_doctors_on_a_day():
    lines = "code  | doctor\n 15024 | D1\n 15024 | D2"
    assert broken(SHIPPED["NEWBORN_15024_DAILY"], lines) == [2]


def test_a_line_tells_how_many_were_counted_and_since_when():
    lines = """
        code  | date_de_service
        15804 | 2025-02-03
        15804 | 2025-05-06
        15804 | 2025-09-10
    """
    [second, third] = results(rule(ONCE), lines).rows(named=True)
    assert {name: second[name] for name in ("row_number", "count", "max", "period", "first_date", "other_date")} == {
        "row_number": 2,
        "count": 3,
        "max": 1,
        "period": "2025",
        "first_date": date(2025, 2, 3),
        "other_date": date(2025, 2, 3),
    }
    assert (third["row_number"], third["other_date"]) == (3, date(2025, 2, 3))
    assert (second["related"], third["related"]) == ([1, 3], [1, 2])


@pytest.mark.parametrize(
    ("per", "expected"),
    [
        ("patient", [2, 3, 4]),
        ("doctor", [2, 3, 5]),
        ("patient_doctor", [2, 3]),
        ("establishment", [2, 4, 5]),
        ("patient_establishment", [2, 4]),
        ("doctor_location", [2, 5]),
    ],
)
def test_who_is_counted(per, expected):
    lines = """
        code  | patient | doctor | lieu_de_pratique
        15804 | P1      | D1     | 54999
        15804 | P1      | D1     | 54999
        15804 | P1      | D1     | 00123
        15804 | P1      | D2     | 54999
        15804 | P2      | D1     | 54999
    """
    assert broken(rule(ONCE | {"per": per}), lines) == expected


def test_places_are_compared_padded():
    lines = "code | lieu_de_pratique\n 15804 | 123\n 15804 | 00123"
    assert broken(rule(ONCE | {"per": "establishment"}), lines) == [2]


@pytest.mark.parametrize(
    ("period", "dates", "expected"),
    [
        ("day", ["2025-03-04", "2025-03-04", "2025-03-05"], [2]),
        ("week", ["2024-12-30", "2025-01-05", "2025-01-06"], [2]),
        ("week", ["1969-12-22", "1969-12-28", "1969-12-29"], [2]),
        ("month", ["2025-01-31", "2025-02-01", "2025-02-28"], [3]),
        ("quarter", ["2025-03-31", "2025-04-01", "2025-06-30"], [3]),
        ("calendar_year", ["2025-12-31", "2026-01-01", "2026-12-31"], [3]),
        ("lifetime", ["1999-12-31", "2026-01-01", "2026-12-31"], [2, 3]),
    ],
)
def test_fixed_periods_are_those_of_the_calendar(period, dates, expected):
    assert broken(rule(ONCE | {"period": period}), dated(dates)) == expected


@pytest.mark.parametrize(
    ("period", "label"),
    [
        ("day", "2025-12-31"),
        ("week", "2026-W01"),
        ("month", "2025-12"),
        ("quarter", "2025-Q4"),
        ("calendar_year", "2025"),
        ("lifetime", None),
    ],
)
def test_a_result_names_its_period(period, label):
    assert results(rule(ONCE | {"period": period}), dated(["2025-12-31", "2025-12-31"]))["period"].to_list() == [label]


@pytest.mark.parametrize(
    ("rolling", "dates", "expected"),
    [
        ({"period": "rolling_days", "days": 7}, ["2025-03-01", "2025-03-07", "2025-03-14"], [2]),
        ({"period": "rolling_days", "days": 7}, ["2025-03-01", "2025-03-08"], []),
        ({"period": "rolling_days", "days": 1}, ["2025-03-01", "2025-03-01", "2025-03-02"], [2]),
        ({"period": "rolling_months", "months": 1}, ["2025-02-28", "2025-03-31"], []),
        ({"period": "rolling_months", "months": 1}, ["2025-03-01", "2025-03-31"], [2]),
        ({"period": "rolling_months", "months": 12}, ["2024-02-29", "2025-02-28", "2026-02-27"], [2, 3]),
        ({"period": "rolling_months", "months": 12}, ["2024-02-28", "2025-02-28"], []),
    ],
)
def test_rolling_periods_end_at_each_line_and_clamp_to_a_months_last_day(rolling, dates, expected):
    assert broken(rule(ONCE | rolling), dated(dates)) == expected


def test_a_line_that_breaks_a_rolling_limit_still_counts_and_is_named():
    found = results(
        rule(ONCE | {"period": "rolling_days", "days": 10}), dated(["2025-03-01", "2025-03-09", "2025-03-17"])
    )
    assert found.select("row_number", "other_date", "first_date", "count", "days", "related").rows() == [
        (2, date(2025, 3, 1), date(2025, 3, 1), 2, 10, [1]),
        (3, date(2025, 3, 9), date(2025, 3, 9), 2, 10, [2]),
    ]


def test_within_a_date_the_paid_line_is_kept_in_rolling_periods_too():
    lines = "date_de_service | montant_paye\n 2025-03-01 | 0\n 2025-03-01 | 10"
    assert broken(rule(ONCE | {"period": "rolling_days", "days": 10}), lines, code="15804") == [1]


@pytest.mark.parametrize(
    ("count", "most", "expected"),
    [
        ("lines", 2, [3, 4, 5]),
        ("units", 3, [2, 3, 4, 5]),
        ("units_or_lines", 6, [5]),
        ("distinct_dates", 2, [5]),
        ("distinct_patients", 2, [4]),
    ],
)
def test_what_is_counted(count, most, expected):
    lines = """
        date_de_service | patient | unites
        2025-03-01      | P1      | 3
        2025-03-01      | P2      | 1
        2025-03-02      | P1      | 0
        2025-03-02      | P3      | -
        2025-03-03      | P2      | 2
    """
    assert broken(rule(ONCE | {"per": "doctor", "count": count, "max": most}), lines, code="15804") == expected


def test_units_may_be_tenths_and_may_be_taken_back():
    tenths = "unites\n 0.1\n 0.2\n 0.3\n 0.4"
    assert broken(rule(ONCE | {"count": "units"}), tenths, code="15804") == []
    taken_back = "unites\n 2\n -1\n 1"
    assert broken(rule(ONCE | {"count": "units"}), taken_back, code="15804") == [1, 3]


def test_dates_and_patients_stand_where_they_first_appear_paid_lines_first():
    lines = """
        date_de_service | patient | montant_paye
        2025-03-01      | P1      | 0
        2025-03-02      | P2      | 10
        2025-03-01      | P1      | 0
        2025-03-02      | P3      | 0
    """
    assert broken(rule(ONCE | {"per": "doctor", "count": "distinct_dates"}), lines, code="15804") == [1, 3]
    assert broken(rule(ONCE | {"per": "doctor", "count": "distinct_patients", "max": 2}), lines, code="15804") == [4]


def test_patients_are_counted_anew_in_each_rolling_window():
    lines = """
        date_de_service | patient
        2025-03-01      | P1
        2025-03-05      | P2
        2025-03-12      | P1
        2025-03-12      | P2
        2025-03-13      | P3
    """
    rolling = {"per": "doctor", "count": "distinct_patients", "period": "rolling_days", "days": 10}
    assert broken(rule(ONCE | rolling), lines, code="15804") == [2, 3, 4, 5]
    assert broken(rule(ONCE | rolling | {"max": 2}), lines, code="15804") == [5]


def test_lines_without_patient_are_skipped_where_patients_are_counted():
    lines = "patient\n - \n P1\n - \n P2"
    by_doctor = rule(ONCE | {"per": "doctor", "count": "distinct_patients"})
    assert (broken(by_doctor, lines, code="15804"), skipped(by_doctor, lines, code="15804")) == ([4], 2)
    assert (broken(rule(ONCE), lines, code="15804"), skipped(rule(ONCE), lines, code="15804")) == ([], 2)


def test_lines_without_date_doctor_or_place_are_skipped_where_these_are_the_key():
    lines = (
        "date_de_service | doctor | lieu_de_pratique\n - | D1 | 54999\n 2025-03-04 | - | 54999\n 2025-03-04 | D1 | -"
    )
    assert skipped(rule(ONCE | {"period": "lifetime"}), lines, code="15804") == 1
    assert skipped(rule(ONCE | {"per": "doctor"}), lines, code="15804") == 2
    assert skipped(rule(ONCE | {"per": "doctor_location"}), lines, code="15804") == 3


def test_masked_cards_of_two_people_are_two_patients():
    lines = "patient\n TESTxxxx0112 - A\n TESTxxxx0112 - B\n TESTxxxx0112 - A"
    assert broken(rule(ONCE), lines, code="15804") == [3]


def test_all_codes_are_counted_and_only_anchors_reported():
    lines = """
        code  | date_de_service
        15804 | 2025-02-01
        15801 | 2025-01-01
        15801 | 2025-03-01
        15804 | 2025-04-01
    """
    anchored = ONCE | {"codes": ["15801", "15804"], "anchor_codes": ["15804"]}
    assert broken(rule(anchored), lines) == [1, 4]


def test_each_code_may_have_its_own_limit():
    lines = "code\n 15804\n 15801\n 15804"
    assert broken(rule(ONCE | {"codes": ["15801", "15804"]}), lines) == [2, 3]
    assert broken(rule(ONCE | {"codes": ["15801", "15804"], "each_code": True}), lines) == [3]


def test_every_code_may_be_meant():
    lines = "code\n 15804\n 99999\n 15804"
    assert broken(rule(ONCE | {"codes": ["*"]}), lines) == [2, 3]
    assert broken(rule(ONCE | {"codes": ["*"], "each_code": True}), lines) == [3]


def test_four_and_five_digits_are_the_same_code():
    assert broken(rule(ONCE | {"codes": ["8857"]}), "code\n 08857\n 8857") == [2]


def test_after_the_first_paid_line_every_line_is_reported():
    lines = """
        date_de_service | montant_paye
        2025-01-10      | 0
        2025-02-10      | 9.35
        2025-03-10      | 0
        2025-04-10      | 9.35
        2026-01-10      | 9.35
    """
    assert broken(SHIPPED["GMF_8875_ANNUAL"], lines, code="8875") == [3, 4]


def test_without_a_paid_line_nothing_is_reported():
    lines = "date_de_service\n 2025-01-10\n 2025-02-10"
    assert broken(SHIPPED["GMF_8875_ANNUAL"], lines, code="8875") == []


def test_the_first_paid_line_is_first_by_start_then_by_line():
    lines = "debut | montant_paye\n - | 9.35\n 09:00 | 9.35\n 09:00 | 9.35"
    assert broken(SHIPPED["GMF_8875_ANNUAL"], lines, code="8875") == [1, 3]


def test_midnight_is_a_start_and_comes_first():
    assert broken(rule(ONCE), "debut\n 09:00\n 00:00\n -", code="15804") == [1, 3]


def test_a_reversal_and_the_line_it_cancels_take_no_part():
    lines = """
        montant_paye
        49.15
        -49.15
        49.15
    """
    assert broken(rule(ONCE), lines, code="15804") == []
    assert broken(rule(ONCE), lines + "\n 0", code="15804") == [4]


def test_lines_with_an_exempting_context_are_not_counted():
    lines = "element_de_contexte\n - \n #SEANCE_DIFFERENTE, 85\n - "
    assert broken(rule(ONCE | {"unless_contexts": ["SEANCE_DIFFERENTE"]}), lines, code="15804") == [3]


def test_lines_of_a_day_that_holds_an_exempting_code_are_not_counted():
    lines = """
        code  | doctor | patient
        15804 | D1     | P1
        15804 | D1     | P1
        15645 | D1     | P1
        15804 | D2     | P1
        15804 | D2     | P1
    """
    assert broken(rule(ONCE | {"unless_same_day_codes": ["15645"]}), lines) == [5]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({"places": ["cabinet"]}, [3]),
        ({"establishment_prefixes": ["001"]}, [4]),
        ({"contexts_any": ["#g160"]}, [3]),
        ({"contexts_none": ["G160"]}, [4]),
        ({"roles": ["2"]}, [3]),
        ({"paid": "paid"}, [3]),
        ({"paid": "unpaid"}, [4]),
        ({"date_from": "2025-02-02"}, [4]),
        ({"date_to": "2025-02-01"}, [3]),
        ({"sectors": ["clinique d'urgence"]}, [3]),
    ],
)
def test_where_chooses_the_lines_counted(where, expected):
    lines = """
        date_de_service | lieu_de_pratique | element_de_contexte | role | montant_paye | secteur_activite
        2025-02-01      | 54999            | G160                | 2    | 10           | Clinique d'Urgence
        2025-02-02      | 00123            | -                   | 1    | 0            | Aucun Secteur
        2025-02-01      | 55999            | 85;G160             | 2    | 10           | Clinique d'urgence mineure
        2025-02-02      | 123              | -                   | 1    | 0            | Externe
    """
    assert broken(rule(ONCE | {"where": where}), lines, code="15804") == expected


def test_where_chooses_by_age_and_skips_lines_of_unknown_age():
    lines = """
        date_de_service | patient
        2024-11-11      | TEST23011212
        2024-11-12      | TEST23011212
        2024-11-13      | TEST23011212
        2024-11-13      | TESTxxxx1212 - A
    """
    months = rule(ONCE | {"per": "doctor", "where": {"age_min_months": 22, "age_max_months": 63}})
    assert (broken(months, lines, code="15804"), skipped(months, lines, code="15804")) == ([3], 1)


def test_the_order_of_the_file_decides_between_equal_lines():
    assert broken(rule(ONCE), "code\n 15804\n 15804\n 15804") == [2, 3]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"period": "rolling_days"}, "days: needed by rolling_days"),
        ({"period": "rolling_months"}, "months: needed by rolling_months"),
        ({"period": "rolling_days", "days": 0}, "days"),
        ({"days": 5}, "days: only for rolling_days"),
        ({"months": 5}, "months: only for rolling_months"),
        ({"period": "decade"}, "period"),
        ({"per": "village"}, "per"),
        ({"count": "euros"}, "count"),
        ({"max": -1}, "max"),
        ({"max": 2, "keep": "first_paid"}, "max: must be 1 with keep first_paid"),
        ({"count": "units", "keep": "first_paid"}, "count: must be lines with keep first_paid"),
        ({"period": "rolling_days", "days": 5, "keep": "first_paid"}, "period: must be fixed with keep first_paid"),
        ({"anchor_codes": ["15801"]}, "anchor_codes: must be among codes"),
        ({"codes": []}, "codes: one of codes, code_groups is needed"),
        ({"maximum": 1}, "maximum"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused_with_the_field_and_the_reason(change, reason):
    with pytest.raises(RuleError) as refused:
        rule(ONCE | change)
    assert reason in str(refused.value.facts["faults"])


@pytest.mark.parametrize(
    ("change", "scope"),
    [
        ({"per": "patient"}, "patient"),
        ({"per": "patient", "period": "day"}, "patient_day"),
        ({"per": "patient_doctor"}, "patient"),
        ({"per": "patient_doctor", "period": "day"}, "patient_doctor_day"),
        ({"per": "patient_establishment"}, "patient"),
        ({"per": "doctor"}, "doctor"),
        ({"per": "doctor_location", "period": "day"}, "doctor_day"),
        ({"per": "establishment", "period": "day"}, "establishment"),
        ({"per": "establishment", "unless_same_day_codes": ["15645"]}, "file"),
    ],
)
def test_the_work_can_be_split_by_whom_a_rule_counts(change, scope):
    assert rule(ONCE | change).condition.scope == scope


def dated(dates):
    return "code | date_de_service\n" + "\n".join(f"15804 | {day}" for day in dates)
