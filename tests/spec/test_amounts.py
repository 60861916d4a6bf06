from decimal import Decimal

import pytest

from dashlib.errors import RuleError
from dashlib.rules import shipped_rules
from tests.tables import broken, results, rule, skipped

SHIPPED = {rule.name: rule for rule in shipped_rules()}
LIMIT = {"type": "amount_limit", "codes": ["15804"], "measure": "lines", "max": 1, "per": "doctor", "period": "day"}
MONEY = LIMIT | {"measure": "amount", "max": 20.5}
MINUTES = LIMIT | {"measure": "minutes", "max": 30}
UNITS = LIMIT | {"measure": "units", "max": 3}
SIX_FIRST_PERIODS = "code  | debut | fin   | patient | montant_paye | element_de_contexte\n" + "\n".join(
    f"08857 | {hour}:00 | {hour}:30 | P{hour} | {{paid}} | {{context}}" for hour in range(10, 16)
)
ONE_MORE = "\n 08859 | 16:00 | 16:15 | P16 | {paid} | -"


def first_periods(*, more="", paid="0", context="-"):
    [header, first, *others] = (SIX_FIRST_PERIODS + more).format(paid=paid, context="-").splitlines()
    return "\n".join([header, first.replace("| -", f"| {context}"), *others])


def test_al1_six_first_periods_are_three_hours():
    assert broken(SHIPPED["CLINICAL_INTERVENTION_180MIN"], first_periods()) == []


def test_al2_one_more_period_passes_the_limit():
    found = results(SHIPPED["CLINICAL_INTERVENTION_180MIN"], first_periods(more=ONE_MORE)).row(0, named=True)
    assert (found["row_number"], found["severity"], found["total"], found["max"]) == (7, "error", 195, 180)
    assert (found["codes"], found["period"], found["related"]) == ("08857, 08859", "2025-03-04", [1, 2, 3, 4, 5, 6])


def test_al3_a_line_with_an_exempting_context_is_not_counted():
    lines = first_periods(more=ONE_MORE, context="ICSM")
    assert broken(SHIPPED["CLINICAL_INTERVENTION_180MIN"], lines) == []


def test_al4_a_group_session_counts_once():
    lines = """
        code  | debut | fin   | patient
        08866 | 09:00 | 09:30 | P1
        08866 | 09:00 | 09:30 | P2
        08866 | 09:00 | 09:30 | P3
        08857 | 10:00 | 10:30 | P4
        08857 | 11:00 | 11:30 | P5
        08857 | 12:00 | 12:30 | P6
        08857 | 13:00 | 13:30 | P7
        08857 | 14:00 | 14:30 | P8
    """
    assert broken(SHIPPED["CLINICAL_INTERVENTION_180MIN"], lines) == []


def test_al5_one_line_alone_may_pass_the_limit():
    found = results(SHIPPED["SKIN_ELECTRO_01300_SESSION"], "montant_preliminaire\n 21.70", code="01300").row(
        0, named=True
    )
    assert (found["row_number"], str(found["amount"])) == (1, "21.70")
    assert (found["total_cents"], found["max_cents"], found["total"], found["max"]) == (2170, 1960, None, None)


def test_al7_a_day_of_paid_lines_is_only_a_remark():
    lines = first_periods(more=ONE_MORE, paid="10")
    found = results(SHIPPED["CLINICAL_INTERVENTION_180MIN"], lines)
    assert found.select("row_number", "severity").rows() == [(7, "info")]


def test_one_unpaid_line_makes_the_day_an_error():
    lines = first_periods(more=ONE_MORE, paid="10").replace("| 10 |", "| 0 |", 1)
    assert results(SHIPPED["CLINICAL_INTERVENTION_180MIN"], lines)["severity"].to_list() == ["error"]


def test_lines_that_are_not_counted_do_not_make_the_day_unpaid():
    lines = "debut | fin | montant_paye\n 09:00 | 09:31 | 10\n - | - | 0"
    found = results(rule(MINUTES | {"when_all_paid": "info"}), lines, code="15804")
    assert found.select("row_number", "severity").rows() == [(1, "info")]


def test_lines_are_walked_through_by_start_and_not_paid_first():
    lines = "debut | montant_paye\n - | 10\n 10:00 | 10\n 09:00 | 0"
    assert broken(rule(LIMIT), lines, code="15804") == [1, 2]


def test_from_the_crossing_on_every_line_is_reported():
    lines = "montant_preliminaire\n 20.50\n 0.01\n 0\n -"
    assert broken(rule(MONEY), lines, code="15804") == [2, 3, 4]


def test_a_limit_that_is_just_reached_is_kept():
    assert broken(rule(MONEY), "montant_preliminaire\n 20.40\n 0.10", code="15804") == []
    assert broken(rule(UNITS), "unites\n 2.7\n 0.1\n 0.2", code="15804") == []


def test_with_negative_amounts_the_group_must_end_over_the_limit():
    back = "montant_preliminaire\n 20.00\n 10.00\n -10.00"
    assert broken(rule(MONEY), back, code="15804") == []
    assert broken(rule(MONEY), back + "\n 5.00", code="15804") == [2, 3, 4]


@pytest.mark.parametrize(
    ("units", "expected"),
    [
        (["2", "1"], []),
        (["2", "1", "0"], [3]),
        (["2", "1", "-"], [3]),
        (["3.5"], [1]),
        (["3", "-1", "1"], []),
    ],
)
def test_absent_units_are_one(units, expected):
    assert broken(rule(UNITS), "unites\n" + "\n".join(units), code="15804") == expected


def test_units_may_be_parts_of_the_time():
    lines = "debut | fin | unites\n 09:00 | 09:31 | 1\n - | - | 1"
    quarters = rule(UNITS | {"unit_minutes": 15})
    assert broken(quarters, lines, code="15804") == [2]
    assert broken(quarters, lines.replace("09:31", "09:30"), code="15804") == []


def test_patients_are_counted_once_and_lines_without_one_are_skipped():
    lines = "patient\n P1\n P1\n -\n P2\n P1"
    patients = rule(LIMIT | {"measure": "patients"})
    assert (broken(patients, lines, code="15804"), skipped(patients, lines, code="15804")) == ([4, 5], 1)


@pytest.mark.parametrize(
    ("debut", "fin", "minutes"),
    [
        ("09:00", "09:31", 31),
        ("9:05", "09:36", 31),
        ("23:50", "00:21", 31),
        ("14:00", "02:00", 720),
        ("00:00", "24:00", 1440),
        ("14:00", "02:01", None),
        ("09:00", "09:00", None),
        ("24:00", "00:31", None),
        ("09:00", "-", None),
        ("25:00", "25:40", None),
    ],
)
def test_minutes_come_from_the_times(debut, fin, minutes):
    lines = f"code | debut | fin\n 15804 | {debut} | {fin}"
    timed = rule(MINUTES | {"minutes_source": ["times"]})
    assert results(timed, lines)["total"].to_list() == ([] if minutes is None else [minutes])
    assert skipped(timed, lines) == (minutes is None)


@pytest.mark.parametrize(
    ("code", "units", "minutes"),
    [
        ("08857", "4.9", 30),
        ("08857", "5", 5),
        ("08857", "45.9", 45),
        ("08859", "1", 1),
        ("08859", "0.9", None),
        ("08859", "-", None),
    ],
)
def test_minutes_come_from_units_and_then_from_the_code(code, units, minutes):
    told = LIMIT | {"codes": ["08857", "08859"], "measure": "minutes", "minutes_by_code": {"8857": 30}}
    lines = f"code | unites | debut\n {code} | {units} | -\n 08857 | 100 | -"
    found = results(rule(told | {"max": 100}), lines)["total"].to_list()
    assert found == ([] if minutes is None else [100 + minutes])


def test_the_order_of_the_sources_is_the_rules():
    lines = "code | unites | debut | fin\n 15804 | 40 | 09:00 | 09:31"
    assert results(rule(MINUTES), lines)["total"].to_list() == [31]
    units_first = MINUTES | {"minutes_source": ["units_as_minutes", "times"]}
    assert results(rule(units_first), lines)["total"].to_list() == [40]


def test_a_session_is_of_one_doctor_date_code_and_start():
    lines = """
        code  | doctor | debut | patient
        15804 | D1     | 09:00 | P1
        15804 | D1     | 9:00  | P2
        15804 | D2     | 09:00 | P3
        15804 | D1     | 10:00 | P4
    """
    sessions = LIMIT | {"per": "establishment", "distinct_sessions_for": ["15804"]}
    assert broken(rule(sessions | {"max": 2}), lines) == [4]
    assert broken(rule(sessions | {"max": 3}), lines) == []


def test_lines_without_start_are_sessions_of_their_own():
    sessions = rule(LIMIT | {"distinct_sessions_for": ["15804"]})
    assert broken(sessions, "code | patient\n 15804 | P1\n 15804 | P2") == [2]


def test_later_lines_of_a_session_are_reported_only_after_the_crossing():
    lines = "debut | patient\n 09:00 | P1\n 09:00 | P2\n 10:00 | P3\n 10:00 | P4"
    assert broken(rule(LIMIT | {"distinct_sessions_for": ["15804"]}), lines, code="15804") == [3, 4]


@pytest.mark.parametrize(
    ("places", "expected"),
    [(["54999", "54999"], []), (["00123", "54999"], [1, 2]), (["54999", "00123"], []), (["-", "00123"], [2])],
)
def test_the_place_of_the_first_line_may_choose_the_limit(places, expected):
    lines = "debut | lieu_de_pratique\n" + "\n".join(f"1{n}:00 | {place}" for n, place in enumerate(places))
    limits = MONEY | {"max": 10, "max_by_place": {"cabinet": 30, "etablissement": 5}}
    assert broken(rule(limits), lines, code="15804") == expected


def test_each_code_may_have_its_own_limit():
    lines = "code\n 15804\n 15801\n 15804"
    assert broken(rule(LIMIT | {"codes": ["15801", "15804"]}), lines) == [2, 3]
    assert broken(rule(LIMIT | {"codes": ["15801", "15804"], "each_code": True}), lines) == [3]


@pytest.mark.parametrize(
    ("rolling", "dates", "expected"),
    [
        ({"period": "rolling_days", "days": 7}, ["2025-03-01", "2025-03-07", "2025-03-14"], [2]),
        ({"period": "rolling_days", "days": 7}, ["2025-03-01", "2025-03-08"], []),
        ({"period": "rolling_months", "months": 6}, ["2025-01-10", "2025-07-09"], [2]),
        ({"period": "rolling_months", "months": 6}, ["2025-01-10", "2025-07-10"], []),
        ({"period": "rolling_months", "months": 1}, ["2025-02-28", "2025-03-31"], []),
    ],
)
def test_rolling_periods_end_at_each_line(rolling, dates, expected):
    lines = "code | date_de_service\n" + "\n".join(f"15804 | {day}" for day in dates)
    assert broken(rule(LIMIT | rolling), lines) == expected


def test_a_rolling_sum_tells_what_was_counted():
    lines = "date_de_service | montant_preliminaire\n 2025-03-01 | 9\n 2025-03-05 | 20.50\n 2025-03-12 | 1"
    found = results(rule(MONEY | {"period": "rolling_days", "days": 10}), lines, code="15804")
    assert found.select("row_number", "total_cents", "max_cents", "days", "related").rows() == [
        (2, 2950, 2050, 10, [1]),
        (3, 2150, 2050, 10, [2]),
    ]


def test_patients_are_counted_anew_in_each_rolling_window():
    lines = """
        date_de_service | patient
        2025-03-01      | P1
        2025-03-05      | P2
        2025-03-12      | P1
        2025-03-16      | P1
    """
    rolling = LIMIT | {"measure": "patients", "period": "rolling_days", "days": 10}
    assert broken(rule(rolling), lines, code="15804") == [2, 3]


def test_all_paid_is_asked_of_each_rolling_window():
    lines = "date_de_service | montant_paye\n 2025-03-01 | 0\n 2025-03-05 | 10\n 2025-03-12 | 10"
    rolling = LIMIT | {"period": "rolling_days", "days": 10, "when_all_paid": "info"}
    assert results(rule(rolling), lines, code="15804")["severity"].to_list() == ["error", "info"]


def test_a_reversal_is_counted_as_it_stands():
    lines = "montant_preliminaire | montant_paye\n 20.50 | 20.50\n -20.50 | -20.50\n 20.50 | 20.50"
    assert broken(rule(MONEY), lines, code="15804") == []


def test_lines_without_key_or_date_are_skipped():
    lines = "doctor | date_de_service\n - | 2025-03-04\n D1 | -\n D1 | 2025-03-04"
    assert (broken(rule(LIMIT), lines, code="15804"), skipped(rule(LIMIT), lines, code="15804")) == ([], 2)


def test_filters_choose_the_lines_counted():
    lines = """
        code  | role | element_de_contexte | patient
        15804 | 1    | -                   | P1
        15804 | 2    | -                   | P2
        15804 | -    | -                   | P3
        15804 | 1    | SEANCE_DIFFERENTE   | P4
        15804 | 1    | -                   | P5
    """
    chosen = rule(LIMIT | {"where": {"roles": ["1"]}, "unless_contexts": ["SEANCE_DIFFERENTE"]})
    assert (broken(chosen, lines), skipped(chosen, lines)) == ([5], 1)


def test_a_day_that_holds_an_exempting_code_is_not_counted():
    lines = "code | patient\n 15804 | P1\n 15804 | P1\n 15645 | P1\n 15804 | P2\n 15804 | P2"
    assert broken(rule(LIMIT | {"unless_same_day_codes": ["15645"]}), lines) == [5]


def test_the_threshold_is_the_max_once_more():
    assert rule(MONEY, threshold="20.50").condition.max == Decimal("20.5")
    assert rule(MONEY).threshold == Decimal("20.5")
    without_max = {name: value for name, value in MONEY.items() if name != "max"}
    assert rule(without_max, threshold=19.6).condition.max == Decimal("19.6")


def test_a_threshold_beside_another_max_is_refused():
    with pytest.raises(RuleError) as refused:
        rule(MONEY, threshold=20.51)
    assert "RULE, threshold: must equal condition.max" in str(refused.value.facts["faults"])


def test_a_limit_reads_back_as_a_number():
    places = {"cabinet": 19.6, "etablissement": 26}
    written = rule(MONEY | {"max": 948.65, "max_by_place": places}).model_dump(mode="json")["condition"]
    assert (written["max"], written["max_by_place"]) == (948.65, places)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"codes": []}, "codes: one of codes, code_groups is needed"),
        ({"measure": "euros"}, "measure"),
        ({"max": 0}, "max"),
        ({"max": "much"}, "max"),
        ({"max": 1.5}, "max: must be whole, but for amount"),
        ({"measure": "amount", "max": 1.005}, "max"),
        ({"max_by_place": {"cabinet": 1.5}}, "max: must be whole, but for amount"),
        ({"max_by_place": {"domicile": 2}}, "max_by_place"),
        ({"minutes_by_code": {"15804": 30}}, "minutes_by_code: only for minutes"),
        ({"minutes_source": ["times"]}, "minutes_source: only for minutes"),
        ({"measure": "minutes", "minutes_source": []}, "minutes_source"),
        ({"measure": "minutes", "minutes_source": ["times", "times"]}, "minutes_source: one stands there twice"),
        ({"measure": "minutes", "minutes_source": ["sundial"]}, "minutes_source"),
        ({"measure": "minutes", "minutes_by_code": {"15804": 0}}, "minutes_by_code"),
        ({"measure": "minutes", "minutes_by_code": {"08857": 30}}, "minutes_by_code: must be among codes"),
        ({"unit_minutes": 15}, "unit_minutes: only for units"),
        ({"measure": "patients", "distinct_sessions_for": ["15804"]}, "distinct_sessions_for: not for patients"),
        ({"distinct_sessions_for": ["08866"]}, "distinct_sessions_for: must be among codes"),
        ({"when_all_paid": "nothing"}, "when_all_paid"),
        ({"period": "rolling_months"}, "months: needed by rolling_months"),
        ({"days": 5}, "days: only for rolling_days"),
        ({"maximum": 1}, "maximum: Extra inputs are not permitted"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused_with_the_field_and_the_reason(change, reason):
    with pytest.raises(RuleError) as refused:
        rule(LIMIT | change)
    assert reason in str(refused.value.facts["faults"])


def test_all_faults_are_told_at_once():
    with pytest.raises(RuleError) as refused:
        rule(LIMIT | {"days": 5, "unit_minutes": 15, "max": 1.5})
    faults = str(refused.value.facts["faults"])
    assert "days: only for rolling_days; max: must be whole, but for amount; unit_minutes: only for units" in faults


@pytest.mark.parametrize(
    ("change", "scope"),
    [
        ({}, "doctor_day"),
        ({"per": "patient"}, "patient_day"),
        ({"per": "patient", "period": "rolling_months", "months": 6}, "patient"),
        ({"per": "establishment", "period": "week"}, "establishment"),
    ],
)
def test_the_work_can_be_split_by_whom_a_rule_counts(change, scope):
    assert rule(LIMIT | change).condition.scope == scope
