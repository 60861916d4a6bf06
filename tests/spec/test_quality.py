import polars as pl
import pytest

from dashlib.engine import find_results
from dashlib.errors import RuleError
from dashlib.records import prepare
from dashlib.rules import parse_rules, shipped_rules
from dashlib.rules.base import Reference
from tests.tables import REFERENCE, RUN_DATE, broken, records, results, rule, skipped

SHIPPED = {rule.name: rule for rule in shipped_rules()}
CODES = pl.DataFrame({"code": ["08857", "15804"], "place": ["cabinet", "all"]})
CONTEXTS = pl.DataFrame({"context": ["85", "G160", "AR"], "aliases": [["#mod85"], [], None]})
PLACES = pl.DataFrame({"code": ["54999", "00123"], "flags": [[], []]}, schema_overrides={"flags": pl.List(pl.String)})
STARTER = Reference(RUN_DATE, CODES, CONTEXTS, PLACES)
COMPLETE = Reference(RUN_DATE, CODES, CONTEXTS, PLACES, trusted=frozenset({"codes", "contexts", "establishments"}))


def check(name, **parameters):
    return rule({"type": "data_quality", "check": name} | parameters)


def asks(**parameters):
    return rule({"type": "reference_check"} | parameters)


def report(rules, lines, ref=REFERENCE):
    return results(rules, lines, ref).select("row_number", "severity", "value").rows()


@pytest.mark.parametrize(
    ("code", "expected"), [("8857", []), ("15804", []), ("99998", [(1, "warning", "99998")])], ids=["RC1", "", "RC2"]
)
def test_an_unknown_code_is_a_warning_once_the_codes_are_complete(code, expected):
    assert report(SHIPPED["UNKNOWN_BILLING_CODE"], f"code\n {code}", COMPLETE) == expected


def test_rc3_an_unknown_context_is_an_info():
    lines = "element_de_contexte\n 85, #G160, ZZZ9\n mod85\n -"
    assert report(SHIPPED["UNKNOWN_CONTEXT"], lines, COMPLETE) == [(1, "info", "ZZZ9")]


@pytest.mark.parametrize(
    ("place", "expected"),
    [("549", [(1, "warning", "549")]), ("00549", []), ("H2X 1Y4", []), ("H2X1Y4", []), ("-", [])],
)
def test_rc4_a_place_has_five_digits_or_is_a_postal_code(place, expected):
    assert report(SHIPPED["ESTABLISHMENT_FORMAT"], f"lieu_de_pratique\n {place}") == expected


def test_an_unknown_code_of_a_starter_is_one_info_a_code_with_its_lines_and_their_sum():
    lines = """
        code  | montant_preliminaire
        15804 | 10.00
        99998 | 10.00
        99997 | 5.25
        99998 | 2.50
        99998 | -
    """
    found = results(SHIPPED["UNKNOWN_BILLING_CODE"], lines, STARTER)
    assert found.select("row_number", "severity", "value", "lines", "total_cents").rows() == [
        (2, "info", "99998", 3, 1250),
        (3, "info", "99997", 1, 525),
    ]


def test_a_rule_that_waits_for_its_table_says_once_that_something_is_unknown():
    lines = "lieu_de_pratique\n 54999\n 55111\n 55222\n 55111"
    found = results(SHIPPED["UNKNOWN_ESTABLISHMENT"].model_copy(update={"enabled": True}), lines, STARTER)
    assert found.select("row_number", "severity", "value", "lines", "total_cents").rows() == [
        (2, "info", "55111", 3, 3000)
    ]


def test_with_a_complete_table_every_unknown_place_is_reported():
    places = SHIPPED["UNKNOWN_ESTABLISHMENT"].model_copy(update={"enabled": True})
    assert broken(places, "lieu_de_pratique\n 54999\n 55111\n 55222", COMPLETE) == [2, 3]


@pytest.mark.parametrize("name", ["UNKNOWN_BILLING_CODE", "UNKNOWN_CONTEXT"])
def test_an_empty_table_says_nothing(name):
    lines = "code | element_de_contexte\n 99998 | ZZZ9"
    assert (broken(SHIPPED[name], lines), skipped(SHIPPED[name], lines)) == ([], 1)


@pytest.mark.parametrize(
    ("field", "table"),
    [("code", "codes"), ("element_de_contexte", "contexts"), ("lieu_de_pratique", "establishments")],
)
def test_an_absent_value_is_skipped(field, table):
    lines = f"row_number | {field}\n 1 | -"
    known = asks(field=field, table=table)
    assert (broken(known, lines, COMPLETE), skipped(known, lines, COMPLETE)) == ([], 1)


def test_several_unknown_contexts_are_one_result_that_names_the_first():
    lines = "element_de_contexte\n 85,ZZZ9,YYY8"
    assert report(asks(field="element_de_contexte", table="contexts"), lines, COMPLETE) == [(1, "error", "ZZZ9")]


@pytest.mark.parametrize(("match", "expected"), [("exact", [1]), ("code_or_alias", [])])
def test_an_alias_is_known_where_the_rule_says_so(match, expected):
    lines = "element_de_contexte\n #MOD85"
    assert broken(asks(field="element_de_contexte", table="contexts", match=match), lines, COMPLETE) == expected


@pytest.mark.parametrize(("match", "expected"), [("exact", [1]), ("zfill5", [])])
def test_a_place_without_its_zeros_is_known_where_the_rule_says_so(match, expected):
    lines = "lieu_de_pratique\n 123"
    assert broken(asks(field="lieu_de_pratique", table="establishments", match=match), lines, COMPLETE) == expected


def test_a_code_may_be_known_in_some_places_only():
    lines = """
        code  | lieu_de_pratique
        08857 | 54999
        08857 | 00123
        15804 | 00123
        15804 | -
    """
    places = SHIPPED["CODE_PLACE_WITHOUT_TARIFF"].model_copy(update={"enabled": True})
    assert (broken(places, lines, COMPLETE), skipped(places, lines, COMPLETE)) == ([2], 1)


@pytest.mark.parametrize(
    ("field", "value", "pattern", "expected"),
    [
        ("diagnostic", "40 19", "^[0-9]+$", [1]),
        ("diagnostic", "4019", "^[0-9]+$", []),
        ("secteur_activite", "Urgence", "^Urg", []),
        ("secteur_activite", "Aucun Secteur", "^Urg", []),
        ("element_de_contexte", "85,AR", "^[0-9]+$", [1]),
        ("code", "90", "^00090$", []),
    ],
)
def test_a_value_has_the_form_of_the_pattern(field, value, pattern, expected):
    assert broken(asks(field=field, pattern=pattern), f"{field}\n {value}") == expected


def test_a_reference_rule_looks_only_at_its_lines():
    lines = "code | role\n 99998 | 1\n 99998 | 2\n 99997 | 1"
    known = asks(field="code", table="codes", codes=["99998"], where={"roles": ["1"]})
    assert broken(known, lines, COMPLETE) == [1]


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"field": "code"}, "table: either table or pattern is needed"),
        ({"field": "code", "table": "codes", "pattern": "x"}, "table: either table or pattern is needed"),
        ({"field": "lieu_de_pratique", "table": "codes"}, "field: the table codes knows code"),
        (
            {"field": "code", "table": "codes", "match": "code_or_alias"},
            "match: must be one of code_place, exact, zfill5",
        ),
        ({"field": "code", "pattern": "x", "match": "zfill5"}, "match: must be one of exact"),
        ({"field": "code", "pattern": "x", "skip_if_table_untrusted": True}, "skip_if_table_untrusted: only with"),
        ({"field": "code", "pattern": "("}, "pattern: not a regular expression"),
        ({"field": "secteur", "pattern": "x"}, "field"),
        ({"field": "lieu_pratique", "pattern": "x"}, "field"),
        ({"field": "contextes", "pattern": "x"}, "field"),
    ],
)
def test_a_reference_rule_that_makes_no_sense_is_refused_with_its_reason(parameters, reason):
    with pytest.raises(RuleError) as refused:
        asks(**parameters)
    assert reason in str(refused.value.facts["faults"])


@pytest.mark.parametrize(
    ("nam", "expected"),
    [
        ("TREZ85531207", []),
        ("TREZxxxx1207", []),
        ("TREZ****1207 - TREMPLIN", []),
        ("TRE85531207", [1]),
        ("TREZ85991207", [1]),
        ("trez85531207", [1]),
        ("TREZ00022907", []),
        ("TREZ01022907", [1]),
        ("TREZ85540107", []),
        ("TREZ85543107", [1]),
        ("TREZ85630107", [1]),
        ("TREZ85000107", [1]),
        ("TREZ85010007", [1]),
        ("- TREMPLIN", []),
        ("-", []),
    ],
)
def test_dq1_a_card_is_four_letters_a_date_and_two_digits(nam, expected):
    assert broken(SHIPPED["DQ_NAM_FORMAT"], f"patient | code\n {nam} | 15804") == expected


def test_a_masked_card_cannot_be_judged():
    assert skipped(check("nam_format"), "patient\n TREZxxxx1207") == 1
    assert broken(check("nam_format", allow_masked=False), "patient\n TREZxxxx1207") == [1]


def test_a_line_without_card_is_allowed_for_some_codes():
    lines = "code | patient\n 15804 | -\n 9791 | -\n 9791 | - A"
    assert broken(check("nam_format", allow_empty_codes=["9791"]), lines) == [1]
    assert broken(check("nam_format"), lines) == [1, 2, 3]


def test_the_last_digit_of_a_card_follows_from_the_others():
    lines = """
        patient      | date_de_service
        TEST85531203 | 2025-03-04
        TEST85531202 | 2025-03-04
        TEST22010107 | 2025-03-04
        TEST22010109 | 2021-12-31
        TEST22010107 | 2021-12-31
        TESTxxxx1202 | 2025-03-04
        P1           | 2025-03-04
    """
    assert broken(check("nam_checksum"), lines) == [2, 5]
    assert skipped(check("nam_checksum"), lines) == 2
    assert broken(check("nam_checksum", skip_masked=False), lines) == [2, 5, 6]


def test_a_line_without_date():
    assert broken(check("date_missing"), "date_de_service\n 2025-03-04\n -") == [2]


def test_dq6_a_service_after_the_day_of_the_run():
    lines = "date_de_service\n 2025-07-01\n 2025-06-30\n -"
    assert (broken(SHIPPED["DQ_FUTURE_DATE"], lines), skipped(SHIPPED["DQ_FUTURE_DATE"], lines)) == ([1], 1)


def test_a_service_before_every_possible_birth():
    lines = """
        patient      | date_de_service
        TEST15010101 | 1910-05-01
        TEST15010101 | 1915-01-01
        TEST15010101 | 2025-03-04
        TESTxxxx0101 | 1910-05-01
    """
    assert (broken(check("before_birth"), lines), skipped(check("before_birth"), lines)) == ([1], 1)


def test_dq2_an_unpaid_service_is_late_after_ninety_days():
    late = [SHIPPED["DQ_LATE_90_DAYS"], SHIPPED["DQ_LATE_WARNING_75_DAYS"]]
    lines = """
        date_de_service | montant_paye
        2025-03-31      | 0
        2025-04-01      | 0
        2025-04-15      | 0
        2025-04-16      | 0
        2025-03-31      | 10.00
        2025-03-31      | -
    """
    assert results(late, lines).select("row_number", "rule_id", "days", "max").rows() == [
        (1, "DQ_LATE_90_DAYS", 91, 90),
        (2, "DQ_LATE_WARNING_75_DAYS", 90, 75),
        (3, "DQ_LATE_WARNING_75_DAYS", 76, 75),
        (6, "DQ_LATE_90_DAYS", 91, 90),
    ]


@pytest.mark.parametrize("paid", ["any", "unpaid"])
def test_a_paid_service_is_never_late(paid):
    late = check("late_billing", days=90, reference_date="run_date", where={"paid": paid})
    assert broken(late, "date_de_service | montant_paye\n 2025-01-01 | 10.00") == []


@pytest.mark.parametrize(
    ("debut", "fin", "expected"),
    [
        ("23:30", "00:15", []),
        ("14:00", "01:30", []),
        ("10:00", "09:00", [1]),
        ("14:00", "02:00", []),
        ("14:00", "01:59", []),
        ("14:00", "02:01", [1]),
        ("10:00", "10:00", []),
        ("23:00", "24:00", []),
    ],
)
def test_dq3_an_end_before_the_start_may_be_after_midnight(debut, fin, expected):
    assert broken(SHIPPED["DQ_END_BEFORE_START"], f"debut | fin\n {debut} | {fin}") == expected


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, [2]),
        ({"allow_midnight": False}, [1, 2]),
        ({"max_overnight_hours": 0}, [1, 2]),
        ({"max_overnight_hours": 23}, []),
    ],
)
def test_the_rule_says_how_long_a_night_may_be(parameters, expected):
    lines = "debut | fin\n 23:30 | 00:15\n 10:00 | 09:00\n 10:00 | -"
    assert broken(check("end_before_start", **parameters), lines) == expected


def test_a_line_without_both_times_is_skipped():
    assert skipped(check("end_before_start"), "debut | fin\n 23:30 | -\n - | 00:15\n 9h | 10:00") == 3


def test_dq4_a_repeated_line():
    lines = "code | debut\n 15804 | 09:00\n 15804 | 09:00\n 15804 | 09:15\n 8857 | 09:00"
    found = results(SHIPPED["DQ_DUPLICATE_LINE"], lines)
    assert found.select("row_number", "severity", "related").rows() == [(2, "warning", [1])]


def test_of_repeated_lines_the_paid_one_is_kept():
    lines = "code | montant_paye\n 15804 | 0\n 15804 | 10.00\n 15804 | 0"
    found = results(SHIPPED["DQ_DUPLICATE_LINE"], lines)
    assert found.select("row_number", "related").rows() == [(1, [2]), (3, [2])]


@pytest.mark.parametrize(
    ("column", "values", "expected"),
    [
        ("debut", ("9:00", "09:00"), [2]),
        ("debut", ("9h", "10h"), []),
        ("debut", ("-", "-"), [2]),
        ("debut", ("-", "00:00"), []),
        ("element_de_contexte", ("85,#AR", "ar,85"), [2]),
        ("element_de_contexte", ("85", "-"), []),
        ("lieu_de_pratique", ("123", "00123"), [2]),
        ("unites", ("1", "1.0"), [2]),
        ("unites", ("0", "-"), []),
        ("role", ("1", "2"), []),
        ("montant_preliminaire", ("10.00", "10.01"), []),
        ("doctor", ("1999123-1", "1999123-2"), [2]),
        ("patient", ("TEST85531202 - A", "TEST85531202 - B"), [2]),
        ("patient", ("TESTxxxx1202 - A", "TESTxxxx1202 - B"), []),
        ("date_de_service", ("2025-03-04", "2025-03-05"), []),
        ("element_de_contexte", ("SEANCE_DIFFERENTE", "SEANCE_DIFFERENTE"), []),
    ],
)
def test_what_makes_two_lines_the_same(column, values, expected):
    lines = f"code | {column}\n 15804 | {values[0]}\n 15804 | {values[1]}"
    assert broken(SHIPPED["DQ_DUPLICATE_LINE"], lines) == expected


@pytest.mark.parametrize("column", ["doctor", "patient", "date_de_service", "code"])
def test_lines_without_doctor_patient_date_or_code_are_not_compared(column):
    lines = f"role | {column}\n 1 | -\n 1 | -"
    by_role = check("duplicate_line", keys=["role"])
    assert (broken(by_role, lines, code="15804"), skipped(by_role, lines, code="15804")) == ([], 2)


def test_the_keys_say_what_is_compared():
    lines = "code | facture | debut\n 15804 | F1 | 09:00\n 8857 | F1 | 09:30\n 8857 | F2 | 09:30"
    assert broken(check("duplicate_line", keys=["facture"]), lines) == [2]
    assert broken(check("duplicate_line", keys=["debut"]), lines) == [3]


def test_dq5_two_patients_at_one_time():
    lines = """
        patient | debut | fin
        P1      | 09:00 | 09:35
        P2      | 09:30 | 10:00
        P3      | 10:00 | 10:30
    """
    found = results(SHIPPED["DQ_OVERLAP_SAME_DOCTOR"], lines, code="8857")
    assert found.select("row_number", "severity", "other", "other_debut", "related").rows() == [
        (2, "warning", "08857", "09:00", [1])
    ]


def test_services_that_follow_each_other_do_not_overlap():
    lines = "patient | debut | fin\n P1 | 09:00 | 09:35\n P2 | 09:35 | 10:00"
    assert broken(SHIPPED["DQ_OVERLAP_SAME_DOCTOR"], lines, code="8857") == []


def test_a_line_that_overlaps_several_is_reported_once_with_the_first():
    lines = """
        patient | debut | fin   | montant_paye
        P1      | 09:00 | 10:00 | 0
        P2      | 09:10 | 10:00 | 10.00
        P3      | 09:20 | 10:00 | 0
    """
    found = results(check("overlap"), lines, code="8857")
    assert found.select("row_number", "other_debut", "related").rows() == [(2, "09:00", [1]), (3, "09:10", [2, 1])]


def test_a_short_service_within_a_long_one_overlaps_it_after_others_have_ended():
    lines = """
        patient | debut | fin
        P1      | 08:00 | 12:00
        P1      | 09:00 | 09:10
        P2      | 11:00 | 11:10
        P3      | 12:00 | 12:10
    """
    assert broken(check("overlap"), lines, code="8857") == [3]


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        ("P2 | D1 | 2025-03-04", [2]),
        ("P1 | D1 | 2025-03-04", []),
        ("-  | D1 | 2025-03-04", []),
        ("P2 | D2 | 2025-03-04", []),
        ("P2 | -  | 2025-03-04", []),
        ("P2 | D1 | 2025-03-05", []),
        ("P2 | D1 | -", []),
    ],
)
def test_lines_overlap_for_one_doctor_one_day_and_two_patients(second, expected):
    lines = f"patient | doctor | date_de_service\n P1 | D1 | 2025-03-04\n {second}"
    assert broken(check("overlap"), lines, code="8857", debut="09:00", fin="10:00") == expected


def test_equal_starts_are_ordered_by_line():
    lines = "patient | debut | fin\n P1 | 09:00 | 10:00\n P2 | 09:00 | 09:30"
    assert broken(check("overlap"), lines, code="8857") == [2]


@pytest.mark.parametrize(("debut", "fin"), [("09:00", "-"), ("-", "09:30"), ("09:00", "09:00"), ("23:00", "00:30")])
def test_a_line_without_a_positive_length_is_skipped(debut, fin):
    assert skipped(check("overlap"), f"code | debut | fin\n 8857 | {debut} | {fin}") == 1


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"collective_codes": ["8866"]}, [3]),
        ({"collective_codes": ["8866"], "exclude_pairs_same_session": True}, [3]),
        ({"collective_codes": ["8866"], "exclude_pairs_same_session": False}, [2, 3]),
        ({}, [2, 3]),
    ],
)
def test_patients_of_one_collective_session_do_not_overlap(parameters, expected):
    lines = """
        code | patient | debut | fin
        8866 | P1      | 09:00 | 10:00
        8866 | P2      | 09:00 | 10:00
        8866 | P3      | 09:30 | 10:30
    """
    assert broken(check("overlap", **parameters), lines) == expected


def test_a_collective_session_and_another_service_at_its_start_overlap():
    lines = "code | patient | debut | fin\n 8866 | P1 | 09:00 | 10:00\n 8857 | P2 | 09:00 | 10:00"
    assert broken(check("overlap", collective_codes=["8866"]), lines) == [2]


def test_the_codes_of_an_overlap_rule_choose_both_lines():
    lines = "code | patient | debut | fin\n 8857 | P1 | 09:00 | 10:00\n 15804 | P2 | 09:30 | 10:00"
    assert broken(check("overlap", codes=["15804"]), lines) == []
    assert broken(check("overlap", codes=["15804", "8857"]), lines) == [2]


def test_in_a_crowd_at_one_time_every_later_line_is_still_reported():
    crowd = "patient | debut | fin\n" + "".join(f"P{n} | 09:00 | 10:00\n" for n in range(150))
    assert broken(check("overlap"), crowd, code="8857") == list(range(2, 151))


@pytest.mark.parametrize(
    ("name", "amounts", "expected", "unjudged"),
    [
        ("negative_amount", ("-1.00", "0"), [1], 0),
        ("negative_amount", ("-", "-1.00"), [1], 0),
        ("negative_amount", ("0", "0"), [], 0),
        ("negative_amount", ("-", "-"), [], 1),
        ("paid_above_preliminary", ("10.00", "10.01"), [1], 0),
        ("paid_above_preliminary", ("10.00", "10.00"), [], 0),
        ("paid_above_preliminary", ("-", "10.00"), [], 1),
        ("paid_above_preliminary", ("10.00", "-"), [], 1),
        ("zero_preliminary", ("0", "10.00"), [1], 0),
        ("zero_preliminary", ("0.01", "0"), [], 0),
        ("zero_preliminary", ("-", "0"), [], 1),
    ],
)
def test_amounts_that_look_wrong(name, amounts, expected, unjudged):
    lines = f"montant_preliminaire | montant_paye\n {amounts[0]} | {amounts[1]}"
    assert (broken(check(name), lines), skipped(check(name), lines)) == (expected, unjudged)


def test_a_role_that_does_not_exist_is_shown():
    lines = "role\n 1\n 9\n -"
    assert report(SHIPPED["DQ_ROLE_INVALID"], lines) == [(2, "warning", "9")]
    assert broken(check("role_invalid", allowed=["9"]), lines) == [1]
    assert skipped(check("role_invalid"), lines) == 1


@pytest.mark.parametrize(
    ("periode", "when", "expected", "unjudged"),
    [
        ("202530", "2025-07-28", [(1, "info", "202530")], 0),
        ("202531", "2025-07-28", [], 0),
        ("202536", "2025-07-28", [], 0),
        ("202453", "2024-12-31", [(1, "info", "202453")], 0),
        ("202501", "2024-12-31", [], 0),
        ("202501", "2025-12-31", [(1, "info", "202501")], 0),
        ("202601", "2025-12-31", [], 0),
        ("202500", "2025-07-28", [], 1),
        ("202554", "2025-07-28", [], 1),
        ("2025", "2025-07-28", [], 1),
        ("-", "2025-07-28", [], 1),
        ("202530", "-", [], 1),
    ],
)
def test_a_period_before_the_week_of_the_service(periode, when, expected, unjudged):
    lines = f"periode | date_de_service\n {periode} | {when}"
    periods = SHIPPED["DQ_PERIOD_BEFORE_SERVICE"]
    assert (report(periods, lines), skipped(periods, lines)) == (expected, unjudged)


@pytest.mark.parametrize(
    ("debut", "fin", "expected"),
    [
        ("9:05", "24:00", []),
        ("24:00", "-", [(1, "warning", "24:00")]),
        ("9h", "8h", [(1, "warning", "9h")]),
        ("09:00", "25:00", [(1, "warning", "25:00")]),
        ("-", "-", []),
    ],
)
def test_a_time_that_cannot_be_read_is_shown(debut, fin, expected):
    assert report(SHIPPED["DQ_TIME_FORMAT"], f"debut | fin\n {debut} | {fin}") == expected


def test_a_line_without_times_has_no_time_to_read():
    assert skipped(check("time_format"), "debut | fin\n - | -\n 09:00 | -") == 1


def test_midnight_is_often_a_placeholder():
    lines = "code | debut | fin\n 15804 | 00:00 | -\n 15804 | 09:00 | 00:00\n 15804 | - | 00:00\n 9998 | 00:00 | -"
    assert broken(SHIPPED["DQ_MIDNIGHT_PLACEHOLDER"], lines) == [1]
    assert skipped(SHIPPED["DQ_MIDNIGHT_PLACEHOLDER"], lines) == 1


@pytest.mark.parametrize(
    ("diagnosis", "expected"),
    [("4019", []), ("V700", []), ("99", [(1, "info", "99")]), ("401.9", [(1, "info", "401.9")]), ("-", [])],
)
def test_a_diagnosis_has_three_to_five_digits(diagnosis, expected):
    assert report(SHIPPED["DQ_DIAGNOSIS_FORMAT"], f"diagnostic | role\n {diagnosis} | 1") == expected


def test_the_rule_may_say_what_a_diagnosis_looks_like():
    assert broken(check("diagnosis_format", pattern="^X"), "diagnostic\n 4019\n X1") == [1]
    assert broken(check("diagnosis_format"), "diagnostic\n 4019\n X1") == [2]


def test_a_doctor_without_licence_cannot_be_recognised():
    exported = records("role\n 1\n 1\n 1\n 1").with_columns(
        doctor=pl.Series(["1999123-10456 | A - Omnipraticien", "1999123", "Tremplin", None])
    )
    assert broken(SHIPPED["DQ_DOCTOR_UNPARSED"], exported) == [3]


def test_excluded_codes_are_not_looked_at():
    lines = "code | montant_preliminaire\n 80 | 0\n 15804 | 0"
    assert broken(SHIPPED["DQ_ZERO_PRELIMINARY"], lines) == [2]
    counts = find_results(prepare(records(lines)), [SHIPPED["DQ_ZERO_PRELIMINARY"]], REFERENCE).counts
    assert counts.select("checked", "skipped", "results").row(0) == (1, 0, 1)


def test_filters_go_with_every_check():
    lines = """
        code  | element_de_contexte | lieu_de_pratique | montant_preliminaire
        15804 | -                   | 54999            | 0
        8857  | -                   | 54999            | 0
        15804 | AR                  | 54999            | 0
        15804 | -                   | 00999            | 0
    """
    filtered = check("zero_preliminary", codes=["15804"], unless_contexts=["AR"], where={"places": ["cabinet"]})
    assert broken(filtered, lines) == [1]


def test_a_line_whose_role_is_asked_and_absent_is_skipped():
    lines = "role | montant_preliminaire\n - | 0\n 1 | 0\n 2 | 0"
    filtered = check("zero_preliminary", where={"roles": ["1"]})
    assert (broken(filtered, lines), skipped(filtered, lines)) == ([2], 1)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"check": "nam_format"}, "row"),
        ({"check": "nam_format", "unless_same_day_codes": ["90"]}, "patient_doctor_day"),
        ({"check": "overlap"}, "doctor_day"),
        ({"check": "duplicate_line", "keys": ["doctor", "patient", "date_de_service"]}, "patient_doctor_day"),
        ({"check": "duplicate_line", "keys": ["facture"]}, "file"),
    ],
)
def test_the_work_of_a_check_can_be_split_by(condition, expected):
    assert rule({"type": "data_quality"} | condition).condition.scope == expected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"field": "diagnostic", "pattern": "x"}, "row"),
        ({"field": "diagnostic", "pattern": "x", "unless_same_day_codes": ["90"]}, "patient_doctor_day"),
        ({"field": "element_de_contexte", "table": "contexts"}, "row"),
        ({"field": "code", "table": "codes"}, "file"),
        ({"field": "lieu_de_pratique", "table": "establishments", "skip_if_table_untrusted": True}, "file"),
    ],
)
def test_the_work_of_a_reference_rule_can_be_split_by(condition, expected):
    assert asks(**condition).condition.scope == expected


@pytest.mark.parametrize(
    "name", [rule.name for rule in SHIPPED.values() if rule.condition.type in ("data_quality", "reference_check")]
)
def test_a_shipped_rule_written_out_is_read_back(name):
    [again] = parse_rules([SHIPPED[name].model_dump(mode="json")])
    assert again == SHIPPED[name]


@pytest.mark.parametrize(
    ("condition", "reason"),
    [
        ({"check": "late_billing"}, "days: needed by late_billing"),
        ({"check": "duplicate_line"}, "keys: needed by duplicate_line"),
        ({"check": "nam_format", "days": 3}, "days: not a parameter of nam_format"),
        ({"check": "zero_preliminary", "allow_masked": True}, "allow_masked: not a parameter of zero_preliminary"),
        ({"check": "overlap", "keys": ["role"]}, "keys: not a parameter of overlap"),
        ({"check": "duplicate_line", "keys": ["date_service"]}, "keys: no such column"),
        ({"check": "duplicate_line", "keys": ["lieu_pratique"]}, "keys: no such column"),
        ({"check": "duplicate_line", "keys": ["secteur"]}, "keys: no such column"),
        ({"check": "duplicate_line", "keys": ["contextes"]}, "keys: no such column"),
        ({"check": "duplicate_line", "keys": ["invoice"]}, "keys: no such column"),
        ({"check": "duplicate_line", "keys": []}, "keys"),
        ({"check": "diagnosis_format", "pattern": "["}, "pattern: not a regular expression"),
        ({"check": "late_billing", "days": 90, "reference_date": "today"}, "reference_date"),
        ({"check": "end_before_start", "max_overnight_hours": 25}, "max_overnight_hours"),
        ({"check": "spelling"}, "check"),
        ({"check": "nam_format", "masked": True}, "masked"),
    ],
)
def test_a_check_that_makes_no_sense_is_refused_with_its_reason(condition, reason):
    with pytest.raises(RuleError) as refused:
        rule({"type": "data_quality"} | condition)
    assert reason in str(refused.value.facts["faults"])
