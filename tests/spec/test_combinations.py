from datetime import date

import polars as pl
import pytest

from dashlib.engine import find_results
from dashlib.errors import RuleError
from dashlib.records import prepare
from dashlib.rules import parse_rules, shipped_rules
from dashlib.rules.base import Reference
from tests.tables import REFERENCE, RUN_DATE, broken, records, results, rule, skipped

SHIPPED = {rule.name: rule for rule in shipped_rules()}
A_NOT_WITH_B = {"type": "prohibition", "codes": ["15617"], "with_codes": ["15616"], "scope": "patient_doctor_day"}
TOGETHER = "code\n 15617\n 15616"


def not_with(**parameters):
    return rule(A_NOT_WITH_B | parameters)


@pytest.mark.parametrize(
    ("name", "lines", "expected"),
    [
        ("LTC_15617_NOT_WITH_15616", "code\n 15616\n 15617", [2]),
        ("LTC_15617_NOT_WITH_15616", "code | patient\n 15616 | P1\n 15617 | P2", []),
        ("CLINICAL_INTERVENTION_NOT_WITH_VISIT", "code\n 15804\n 8857", [2]),
        (
            "CLINICAL_INTERVENTION_NOT_WITH_VISIT",
            "code | element_de_contexte\n 15804 | #seance_differente\n 8857 | -",
            [],
        ),
        (
            "PERIODIC_NOT_WITH_INTAKE_YEAR",
            "code | date_de_service\n 15802 | 2025-01-15\n 15820 | 2025-11-02",
            [2],
        ),
        ("PERIODIC_NOT_AFTER_FULL_EXAM", "code | date_de_service\n 15820 | 2025-02-01\n 97 | 2025-06-01", []),
        ("FULL_EXAM_NOT_AFTER_PERIODIC", "code | date_de_service\n 15820 | 2025-02-01\n 97 | 2025-06-01", [2]),
        ("ROLE_1_AND_2_SAME_ACT", "code | role\n 5249 | 1\n 5249 | 2", [1]),
    ],
    ids=["PR1", "PR2", "PR3", "PR4", "PR5", "PR6", "PR6 the other way", "PR7"],
)
def test_shipped_prohibitions(name, lines, expected):
    assert broken(SHIPPED[name], lines) == expected


def test_a_result_names_the_first_partner_and_lists_them_all():
    lines = """
        code  | debut | montant_paye
        15616 | 08:00 | 0
        15617 | 09:00 | 0
        15616 | 10:00 | 20.00
        15616 | 07:00 | 0
    """
    [found] = results(SHIPPED["LTC_15617_NOT_WITH_15616"], lines).rows(named=True)
    assert (found["row_number"], found["severity"], str(found["amount"])) == (2, "error", "10.00")
    assert (found["other"], found["other_date"], found["related"]) == ("15616", date(2025, 3, 4), [3, 4, 1])


def test_the_partner_named_by_a_yearly_rule_has_its_own_date():
    lines = "code | date_de_service\n 15802 | 2025-01-15\n 15820 | 2025-11-02"
    [found] = results(SHIPPED["PERIODIC_NOT_WITH_INTAKE_YEAR"], lines).rows(named=True)
    assert (found["other"], found["other_date"]) == ("15802", date(2025, 1, 15))


def test_a_line_beside_many_partners_is_one_result():
    assert broken(not_with(), "code\n 15617\n 15616\n 15616\n 15616") == [1]


def test_each_of_several_offending_lines_is_reported():
    assert broken(not_with(), "code\n 15617\n 15616\n 15617") == [1, 3]


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ("patient_day", [1, 2]),
        ("patient_doctor_day", [1]),
        ("patient_doctor_calendar_year", [1, 3]),
        ("patient_doctor_lifetime", [1, 3, 4]),
        ("invoice", [5]),
    ],
)
def test_two_lines_meet_within_the_scope(scope, expected):
    lines = """
        code  | doctor | patient | date_de_service | facture
        15617 | D1     | P1      | 2025-03-04      | F1
        15617 | D2     | P1      | 2025-03-04      | F2
        15617 | D1     | P1      | 2025-12-31      | F3
        15617 | D1     | P1      | 2026-01-01      | F4
        15617 | D3     | P3      | 2026-01-02      | F0
        15616 | D1     | P1      | 2025-03-04      | F0
    """
    assert broken(not_with(scope=scope), lines) == expected


@pytest.mark.parametrize(
    ("factures", "patients", "expected"),
    [
        (("F1", "F1"), ("P1", "P2"), [1]),
        (("F1", "F2"), ("P1", "P1"), []),
        (("-", "-"), ("P1", "P1"), [1]),
        (("-", "-"), ("P1", "P2"), []),
        (("F1", "-"), ("P1", "P1"), []),
    ],
)
def test_an_invoice_or_without_one_the_patients_day(factures, patients, expected):
    lines = f"code | facture | patient\n 15617 | {factures[0]} | {patients[0]}\n 15616 | {factures[1]} | {patients[1]}"
    assert broken(not_with(scope="invoice_or_patient_day"), lines) == expected


@pytest.mark.parametrize(
    ("order", "when", "expected"),
    [
        ("any", "2025-04-14", [1]),
        ("any", "2025-04-15", []),
        ("any", "2025-01-22", [1]),
        ("any", "2025-01-21", []),
        ("b_before_a", "2025-04-14", []),
        ("b_before_a", "2025-01-22", [1]),
        ("b_before_a", "2025-01-21", []),
    ],
)
def test_rolling_days_count_from_each_line(order, when, expected):
    rolling = not_with(scope="patient_doctor_rolling_days", days=42, order=order)
    assert broken(rolling, f"code | date_de_service\n 15617 | 2025-03-04\n 15616 | {when}") == expected


@pytest.mark.parametrize(
    ("starts", "expected"),
    [(("09:00", "08:59"), [1]), (("09:00", "09:00"), []), (("09:00", "-"), []), (("-", "23:59"), [1])],
)
def test_b_before_a_looks_at_day_start_and_line(starts, expected):
    lines = f"code | debut\n 15617 | {starts[0]}\n 15616 | {starts[1]}"
    assert broken(not_with(order="b_before_a"), lines) == expected


def test_of_two_lines_at_one_time_the_lower_line_came_before():
    assert broken(not_with(order="b_before_a"), "code | debut\n 15616 | 09:00\n 15617 | 09:00") == [2]


def test_a_code_may_be_forbidden_beside_itself():
    again = not_with(with_codes=["15617"], order="b_before_a")
    assert broken(again, "code\n 15617\n 15617\n 15617") == [2, 3]


@pytest.mark.parametrize(("report", "expected"), [("a", [1]), ("b", [2, 3]), ("both", [1, 2, 3])])
def test_the_rule_says_which_side_is_reported(report, expected):
    assert broken(not_with(report=report), "code\n 15617\n 15616\n 15616") == expected


def test_a_line_of_both_sides_is_reported_once():
    both = not_with(with_codes=["15617"], report="both")
    assert results(both, "code\n 15617\n 15617").select("row_number", "related").rows() == [(1, [2]), (2, [1])]


def test_a_star_is_any_other_code():
    assert broken(not_with(with_codes=["*"]), "code\n 15617\n 15617\n") == []
    assert broken(not_with(with_codes=["*"]), "code\n 15617\n 99998\n") == [1]


def test_every_code_may_be_forbidden_beside_one():
    assert broken(not_with(codes=["*"]), "code\n 15804\n 15616\n 99998") == [1, 3]


def test_same_code_compares_lines_of_one_code_only():
    same = not_with(codes=["15617", "15616"], with_codes=[], same_code=True)
    assert broken(same, "code\n 15617\n 15616\n 15617") == [1, 3]


def test_same_code_keeps_to_the_codes_of_each_side():
    same = not_with(codes=["*"], with_codes=["15616"], same_code=True)
    assert broken(same, "code\n 15617\n 15617\n 15616\n 15616") == [3, 4]


def test_roles_choose_the_lines_of_each_side():
    roles = not_with(roles_a=["1"], roles_b=["2", "3"])
    lines = """
        code  | role | patient
        15617 | 1    | P1
        15616 | 3    | P1
        15617 | 2    | P2
        15616 | 2    | P2
        15617 | 1    | P3
        15616 | 1    | P3
    """
    assert broken(roles, lines) == [1]


def test_a_line_without_the_role_asked_for_is_skipped():
    assert skipped(not_with(roles_a=["1"]), "code | role\n 15617 | -\n 15616 | -") == 1
    assert broken(not_with(roles_b=["1"]), "code | role\n 15617 | -\n 15616 | -") == []


@pytest.mark.parametrize("column", ["doctor", "patient", "date_de_service"])
def test_a_line_without_its_key_is_skipped(column):
    lines = f"code | {column}\n 15617 | -\n 15616 | -"
    assert (broken(not_with(), lines), skipped(not_with(), lines)) == ([], 1)


def test_a_line_without_invoice_is_skipped_by_an_invoice_rule():
    lines = "code | facture\n 15617 | -\n 15616 | -"
    assert (broken(not_with(scope="invoice"), lines), skipped(not_with(scope="invoice"), lines)) == ([], 1)


@pytest.mark.parametrize(("report", "expected"), [("a", 2), ("b", 1), ("both", 3)])
def test_the_lines_of_the_reported_sides_are_counted(report, expected):
    exported = prepare(records("code\n 15617\n 15617\n 15616\n 99998"))
    counts = find_results(exported, [not_with(report=report)], REFERENCE).counts
    assert counts.select("checked", "skipped").row(0) == (expected, 0)


def test_masked_cards_of_two_people_are_two_people():
    lines = "code | patient\n 15617 | TESTxxxx0112 - A\n 15616 | TESTxxxx0112 - B"
    assert broken(not_with(), lines) == []


@pytest.mark.parametrize(("exempt", "other"), [("15617", "15616"), ("15616", "15617")])
def test_an_exempting_context_frees_the_pair_on_whichever_side_it_stands(exempt, other):
    lines = f"code | element_de_contexte\n {exempt} | 85,#site_different\n {other} | 85"
    assert broken(not_with(unless_contexts=["SITE_DIFFERENT"]), lines) == []
    assert broken(not_with(unless_contexts=["DIFFERENT"]), lines) != []


@pytest.mark.parametrize(("places", "expected"), [(("54999", "54999"), [1]), (("54999", "00999"), [])])
def test_where_chooses_the_lines_of_both_sides(places, expected):
    lines = f"code | lieu_de_pratique\n 15617 | {places[0]}\n 15616 | {places[1]}"
    assert broken(not_with(where={"places": ["cabinet"]}), lines) == expected


def test_another_code_of_the_day_can_free_the_pair():
    free = not_with(unless_same_day_codes=["90"])
    assert broken(free, TOGETHER + "\n 00090") == []
    assert broken(free, TOGETHER) == [1]


def test_a_code_of_the_day_frees_the_pair_even_when_it_was_taken_back():
    taken_back = "code | montant_paye\n 90 | 5.00\n 90 | -5.00\n 15617 | 0\n 15616 | 0"
    assert broken(not_with(unless_same_day_codes=["90"]), taken_back) == []


def test_a_reversal_and_the_line_that_it_cancels_take_no_part():
    lines = """
        code  | montant_paye
        15616 | 20.00
        15616 | -20.00
        15617 | 30.00
    """
    assert broken(not_with(), lines) == []


def test_a_rule_holds_from_its_first_to_its_last_day():
    lines = """
        code  | date_de_service | patient
        15617 | 2025-03-03      | P1
        15616 | 2025-03-03      | P1
        15617 | 2025-03-04      | P1
        15616 | 2025-03-04      | P1
        15617 | 2025-03-05      | P1
        15616 | 2025-03-05      | P1
    """
    day = {"valid_from": "2025-03-04", "valid_to": "2025-03-04"}
    assert broken(rule(A_NOT_WITH_B, **day), lines) == [3]


def test_codes_of_the_reference_join_the_codes_of_the_rule():
    codes = pl.DataFrame({"code": ["15804"], "leaf": ["Visite"], "section": [None], "level1_group": [None]})
    ref = Reference(run_date=RUN_DATE, codes=codes)
    grouped = not_with(code_groups={"leaf": ["Visite"]})
    assert broken(grouped, "code\n 15804\n 15616\n 15617", ref) == [1, 3]


def test_more_rules_than_a_number_has_bits_are_judged():
    rules = [
        rule(A_NOT_WITH_B | {"codes": [str(code)]}).model_copy(update={"name": f"R{code}"})
        for code in range(20_000, 20_130)
    ]
    lines = "code\n 15616\n 20000\n 20062\n 20063\n 20129"
    found = results(rules, lines)
    assert found.select("row_number", "rule_id").rows() == [(2, "R20000"), (3, "R20062"), (4, "R20063"), (5, "R20129")]


def test_in_a_crowd_every_line_is_still_reported_and_the_first_partner_named():
    crowd = "code | debut\n" + "15617 | 09:00\n" * 100 + "15616 | 08:30\n" * 100 + "15616 | 08:00\n"
    found = results(not_with(order="b_before_a"), crowd)
    assert found["row_number"].to_list() == list(range(1, 101))
    assert found["related"].list.first().unique().to_list() == [201]


@pytest.mark.parametrize("report", ["b", "both"])
def test_in_a_crowd_every_line_of_the_other_side_is_reported_too(report):
    crowd = "code\n" + "15616\n" * 100 + "15617\n"
    assert broken(not_with(report=report), crowd)[:100] == list(range(1, 101))


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ("patient_day", "patient_day"),
        ("patient_doctor_day", "patient_doctor_day"),
        ("patient_doctor_calendar_year", "patient"),
        ("patient_doctor_lifetime", "patient"),
        ("invoice", "file"),
        ("invoice_or_patient_day", "file"),
    ],
)
def test_the_work_can_be_split_by(scope, expected):
    assert not_with(scope=scope).condition.scope == expected


def test_a_rule_written_out_is_read_back():
    [again] = parse_rules([not_with(report="both").model_dump(mode="json")])
    assert again == not_with(report="both")


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"codes": []}, "codes: one of codes, code_groups is needed"),
        ({"with_codes": []}, "with_codes: needed, unless same_code is true"),
        ({"scope": "patient_doctor_rolling_days"}, "days: needed by patient_doctor_rolling_days"),
        ({"days": 3}, "days: only for patient_doctor_rolling_days"),
        ({"days": 0, "scope": "patient_doctor_rolling_days"}, "greater than or equal to 1"),
        ({"scope": "doctor"}, "scope"),
        ({"within": "patient_day"}, "within"),
        ({"order": "a_before_b"}, "order"),
        ({"report": "c"}, "report"),
        ({"contexts": ["X"]}, "contexts"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused_with_its_reason(parameters, reason):
    with pytest.raises(RuleError) as refused:
        not_with(**parameters)
    assert reason in str(refused.value.facts["faults"])


def test_a_message_may_name_the_partner_and_nothing_unknown():
    rule(A_NOT_WITH_B, message={"fr": "{code} et {other} le {other_date}"})
    with pytest.raises(RuleError) as refused:
        rule(A_NOT_WITH_B, message={"fr": "{max}"})
    assert "unknown word {max}" in str(refused.value.facts["faults"])
