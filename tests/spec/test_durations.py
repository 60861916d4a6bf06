import pytest

from dashlib.errors import RuleError
from dashlib.rules import shipped_rules
from tests.tables import broken, results, rule, skipped

SHIPPED = {rule.name: rule for rule in shipped_rules()}
AT_LEAST = {"type": "duration_check", "codes": ["08857"], "min_minutes": 25}
IN_SESSION = AT_LEAST | {"min_minutes": 30, "when_same_session_codes": ["08859"]}
OF_DAY = {
    "type": "duration_check",
    "codes": ["08857", "08859"],
    "max_minutes": 90,
    "aggregate": "patient_doctor_day",
}


@pytest.mark.parametrize(
    ("name", "code", "times", "expected"),
    [
        ("CLINICAL_INTERVENTION_MIN25", "08857", "09:00 | 09:24", [1]),
        ("CLINICAL_INTERVENTION_MIN25", "08857", "09:00 | 09:25", []),
        ("CLINICAL_INTERVENTION_ADDON_MIN8", "08859", "09:30 | 09:37", [1]),
        ("CLINICAL_INTERVENTION_ADDON_MIN8", "08859", "09:30 | 09:38", []),
        ("REMOTE_SUPPORT_8H", "15259", "08:00 | 16:00", []),
        ("REMOTE_SUPPORT_8H", "15259", "08:00 | 15:00", [1]),
    ],
    ids=["DC1a", "DC1b", "DC3a", "DC3b", "DC5a", "DC5b"],
)
def test_shipped_durations(name, code, times, expected):
    assert broken(SHIPPED[name], f"debut | fin\n {times}", code=code) == expected


def test_dc2_a_first_period_before_an_additional_one_lasts_thirty_minutes():
    lines = "code | debut | fin\n 08857 | 09:00 | 09:28\n 08859 | 09:28 | 09:43"
    found = results(SHIPPED["CLINICAL_INTERVENTION_FIRST30_IF_ADDON"], lines)
    assert found.select("row_number", "severity", "minutes", "range", "related").rows() == [
        (1, "error", 28, "≥ 30", [2])
    ]


def test_dc4_the_minutes_of_a_day_are_added_and_its_last_line_is_reported():
    lines = "code | debut | fin\n 08859 | 09:30 | 10:45\n 08857 | 09:00 | 09:30"
    found = results(SHIPPED["CLINICAL_INTERVENTION_USUAL_90"], lines)
    assert found.select("row_number", "severity", "minutes", "range", "related").rows() == [
        (1, "info", 105, "≤ 90", [2])
    ]


@pytest.mark.parametrize(
    ("bounds", "said", "expected"),
    [
        ({"min_minutes": 30}, "≥ 30", [1]),
        ({"min_minutes": 30, "max_minutes": 60}, "30–60", [1, 4]),
        ({"min_minutes": 60, "max_minutes": 60}, "60", [1, 2, 4]),
        ({"block_minutes": 30}, "≥ 30", [1]),
        ({"min_minutes": 15, "block_minutes": 30}, "≥ 30", [1]),
        ({"min_minutes": None, "max_minutes": 59}, "≤ 59", [3, 4]),
    ],
)
def test_bounds_are_inclusive(bounds, said, expected):
    lines = "debut | fin\n 09:00 | 09:29\n 09:00 | 09:30\n 09:00 | 10:00\n 09:00 | 10:01"
    check = rule({"type": "duration_check", "codes": ["08857"]} | bounds)
    found = results(check, lines, code="08857")
    assert (found["row_number"].to_list(), set(found["range"])) == (expected, {said})


@pytest.mark.parametrize(
    ("debut", "fin", "units", "minutes"),
    [
        ("09:00", "09:10", "60", 10),
        ("23:55", "00:05", "60", 10),
        ("09:00", "09:00", "12.9", 12),
        ("09:00", "-", "5", 5),
        ("09:00", "-", "4.9", None),
        ("14:00", "02:01", "-", None),
    ],
)
def test_minutes_come_from_times_and_then_from_units(debut, fin, units, minutes):
    lines = f"code | debut | fin | unites\n 08857 | {debut} | {fin} | {units}"
    assert results(rule(AT_LEAST), lines)["minutes"].to_list() == ([] if minutes is None else [minutes])
    assert skipped(rule(AT_LEAST), lines) == (minutes is None)


@pytest.mark.parametrize(
    ("addon", "expected"),
    [
        ("08859 | D1 | P1 | 2025-03-04 | -", [1]),
        ("08859 | D2 | P1 | 2025-03-04 | -", []),
        ("08859 | D1 | P2 | 2025-03-04 | -", []),
        ("08859 | D1 | P1 | 2025-03-05 | -", []),
        ("08860 | D1 | P1 | 2025-03-04 | -", []),
        ("08859 | D1 | P1 | 2025-03-04 | SEANCE_DIFFERENTE", []),
    ],
)
def test_a_session_is_of_one_patient_doctor_and_day(addon, expected):
    lines = f"""
        code  | doctor | patient | date_de_service | element_de_contexte | debut | fin
        08857 | D1     | P1      | 2025-03-04      | -                   | 09:00 | 09:28
        {addon} | 10:00 | 10:15
    """
    check = rule(IN_SESSION | {"unless_contexts": ["SEANCE_DIFFERENTE"]})
    assert broken(check, lines) == expected


def test_lines_of_no_session_are_not_judged_and_those_without_patient_are_skipped():
    lines = """
        code  | patient | debut | fin
        08857 | P1      | 09:00 | 09:10
        08857 | -       | 09:00 | 09:10
        08859 | -       | 09:10 | 09:20
    """
    assert (broken(rule(IN_SESSION), lines), skipped(rule(IN_SESSION), lines)) == ([], 1)


def test_without_a_session_lines_without_patient_and_date_are_judged():
    lines = "patient | date_de_service | debut | fin\n - | 2025-03-04 | 09:00 | 09:24\n P1 | - | 09:00 | 09:24"
    assert broken(rule(AT_LEAST), lines, code="08857") == [1, 2]


def test_the_minutes_of_a_day_are_those_of_one_patient_and_doctor():
    lines = """
        code  | doctor | patient | debut | fin
        08857 | D1     | P1      | 09:00 | 10:00
        08859 | D2     | P1      | 10:00 | 11:00
        08859 | D1     | P2      | 11:00 | 12:00
        08859 | D1     | -       | 12:00 | 15:00
        08859 | D1     | P1      | -     | -
        08859 | D1     | P1      | 23:45 | 00:16
    """
    assert (broken(rule(OF_DAY), lines), skipped(rule(OF_DAY), lines)) == ([6], 2)


def test_the_minutes_of_a_day_may_be_too_few():
    lines = "debut | fin\n 09:00 | 09:10\n 10:00 | 10:10\n - | -"
    of_day = AT_LEAST | {"aggregate": "patient_doctor_day"}
    assert broken(rule(of_day), lines, code="08857") == [2]
    assert broken(rule(of_day | {"min_minutes": 20}), lines, code="08857") == []


def test_filters_choose_the_lines_judged():
    lines = """
        code  | role | element_de_contexte | patient | debut | fin
        08857 | 1    | -                   | P1      | 09:00 | 09:10
        08857 | 2    | -                   | P2      | 09:00 | 09:10
        08857 | -    | -                   | P3      | 09:00 | 09:10
        08857 | 1    | ICSM                | P4      | 09:00 | 09:10
        08857 | 1    | -                   | P5      | 09:00 | 09:10
        08859 | 1    | -                   | P5      | 09:10 | 09:20
    """
    chosen = {"where": {"roles": ["1"]}, "unless_contexts": ["ICSM"], "unless_same_day_codes": ["08859"]}
    assert (broken(rule(AT_LEAST | chosen), lines), skipped(rule(AT_LEAST | chosen), lines)) == ([1], 1)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"codes": []}, "codes: one of codes, code_groups is needed"),
        ({"min_minutes": None}, "min_minutes: one of min_minutes, max_minutes, block_minutes is needed"),
        ({"min_minutes": 0}, "min_minutes"),
        ({"max_minutes": 24}, "max_minutes: less than min_minutes, block_minutes"),
        ({"max_minutes": 29, "block_minutes": 30}, "max_minutes: less than min_minutes, block_minutes"),
        ({"aggregate": "week"}, "aggregate"),
        ({"minutes_source": ["times"]}, "minutes_source: Extra inputs are not permitted"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused_with_the_field_and_the_reason(change, reason):
    with pytest.raises(RuleError) as refused:
        rule(AT_LEAST | change)
    assert reason in str(refused.value.facts["faults"])


@pytest.mark.parametrize(
    ("change", "scope"),
    [
        ({}, "row"),
        ({"aggregate": "patient_doctor_day"}, "patient_doctor_day"),
        ({"when_same_session_codes": ["08859"]}, "patient_doctor_day"),
        ({"unless_same_day_codes": ["08859"]}, "patient_doctor_day"),
    ],
)
def test_the_work_can_be_split_by_line_unless_others_matter(change, scope):
    assert rule(AT_LEAST | change).condition.scope == scope
