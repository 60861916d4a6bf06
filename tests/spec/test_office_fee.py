import polars as pl
import pytest

from dashlib.engine import find_results
from dashlib.errors import RuleError
from dashlib.records import prepare
from dashlib.rules import parse_rules, shipped_rules
from tests.tables import DEFAULTS, REFERENCE, broken, cells, frame, results, rule

SHIPPED = {rule.name: rule for rule in shipped_rules()}
LOWER, HIGHER = SHIPPED["OFFICE_FEE_19928"], SHIPPED["OFFICE_FEE_19929"]
FEES = [rule for rule in SHIPPED.values() if rule.category == "office_fee"]
GUIDE = {
    "name": "OFFICE_FEE_19929",
    "category": "office_fee",
    "condition": {
        "type": "office_fee_validation",
        "codes": ["19929"],
        "thresholds": {"19929": {"registered": 12, "walkIn": 20}},
    },
    "threshold": 64.80,
    "enabled": True,
}
TWO = {"type": "office_fee_validation", "codes": ["19928"], "thresholds": {"19928": {"registered": 2, "walkIn": 2}}}
FEE = "code  | montant_preliminaire\n 19929 | 64.80"
WALK_IN_FEE = "code | element_de_contexte | montant_preliminaire\n 19929 | G160 | 64.80"


def test_the_rule_of_the_schema_guide_is_accepted_letter_for_letter():
    [guide] = parse_rules([GUIDE])
    assert said(guide, day(registered=12, fees=FEE)) == []
    assert said(guide, day(registered=11, fees=FEE)) == [(12, "error", "64.80", "count")]


def test_of1_twelve_registered_patients_carry_the_fee():
    assert said(FEES, day(registered=12, fees=FEE)) == []


def test_of2_eleven_registered_patients_do_not():
    found = results(HIGHER, day(registered=11, fees=FEE)).row(0, named=True)
    assert (found["row_number"], found["severity"], str(found["amount"])) == (12, "error", "64.80")
    assert (found["registered"], found["need_registered"], found["walkIn"], found["need_walkIn"]) == (11, 12, 0, 20)
    assert found["related"] == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]


def test_a_fee_short_of_paid_patients_tells_how_many_were_paid_and_what_the_day_comes_to():
    found = results(HIGHER, day(registered=12, paid=1, fees=FEE)).row(0, named=True)
    assert (found["reason"], found["registered"], found["need_registered"]) == ("paid", 1, 12)
    assert (found["total_cents"], found["max_cents"]) == (6480, 6480)


def test_of3_twenty_walk_in_patients_carry_a_fee_that_claims_them():
    assert said(FEES, day(walk_in=20, fees=WALK_IN_FEE)) == []
    assert said(FEES, day(walk_in=19, fees=WALK_IN_FEE)) == [(20, "error", "64.80", "count")]


def test_of4_walk_in_patients_do_not_carry_a_fee_that_claims_registered_ones():
    assert said(FEES, day(registered=8, walk_in=20, fees=FEE)) == [(29, "error", "64.80", "count")]


def test_of5_a_patient_seen_both_ways_counts_once_as_a_walk_in():
    seen_again = (
        "code  | patient | element_de_contexte | montant_preliminaire\n 15804 | R1 | G160 | 10\n 19929 | - | - | 64.80"
    )
    assert said(FEES, day(registered=12, fees=seen_again)) == [(14, "error", "64.80", "count")]


def test_of6_two_fees_of_a_day_come_to_too_much():
    fees = FEE + "\n 19929 | 64.80"
    found = results(HIGHER, day(registered=25, fees=fees)).row(0, named=True)
    assert (found["row_number"], found["severity"], str(found["amount"])) == (27, "error", "64.80")
    assert (found["reason"], found["total_cents"], found["max_cents"], found["related"]) == ("total", 12960, 6480, [26])


def test_of6_the_same_fee_twice_is_reported_once_by_the_whole_rulebook():
    fees = FEE + "\n 19929 | 64.80"
    found = results(FEES, day(registered=25, fees=fees))
    assert found.select("rule_id", "row_number").rows() == [("OFFICE_FEE_19929_REPEAT_REGISTERED", 27)]


def test_of7_a_fee_billed_elsewhere_is_left_to_the_rule_on_places():
    fees = "code | lieu_de_pratique\n 19929 | 00999\n 19929 | H2X 1Y4"
    assert said(HIGHER, day(registered=2, fees=fees)) == []


def test_a_fee_without_a_place_is_judged():
    fees = "code | lieu_de_pratique\n 19929 | "
    assert broken(HIGHER, day(registered=11, fees=fees)) == [12]


def test_patients_seen_elsewhere_or_without_a_place_do_not_count():
    seen = "code | lieu_de_pratique | patient\n 15804 | 00999 | P12\n 15804 | | P13\n 19929 | 54999 | "
    assert broken(HIGHER, day(registered=11, fees=seen)) == [14]


@pytest.mark.parametrize("place", ["any", None])
def test_they_count_where_a_rule_says_so(place):
    anywhere = rule(TWO | {"place": place})
    seen = "code | lieu_de_pratique | patient\n 15804 | 00999 | P2\n 19928 | 54999 | "
    assert broken(anywhere, day(registered=1, fees=seen)) == []


def test_the_two_categories_are_never_added():
    assert broken(LOWER, day(registered=5, walk_in=9, fees="code\n 19928")) == [15]


def test_a_patient_on_a_fee_line_is_not_a_visit():
    assert broken(rule(TWO), day(registered=1, fees="code | patient\n 19928 | P9\n 19929 | P8")) == [2]


def test_excluded_codes_are_not_visits_and_fees_never_are():
    excluding = rule(TWO | {"exclude_codes": ["15804"]})
    seen = "code | patient\n 19929 | P8\n 19929 | P9\n 15801 | P9\n 19928 |"
    assert broken(excluding, day(registered=2, fees=seen)) == [6]


def test_several_lines_of_a_patient_count_once_and_a_line_without_patient_not_at_all():
    seen = "code | patient\n 15804 | R1\n 15804 | - \n 19928 | "
    assert broken(rule(TWO), day(registered=1, fees=seen)) == [4]


def test_masked_cards_of_two_people_count_as_two():
    seen = "code | patient\n 15804 | TESTxxxx0112 - A\n 15804 | TESTxxxx0112 - B\n 19928 |"
    assert broken(rule(TWO), day(fees=seen)) == []


def test_the_next_days_visits_and_another_doctors_do_not_count():
    seen = (
        "code | date_de_service | doctor\n 15804 | 2025-03-05 | D1\n 15804 | 2025-03-04 | D2\n 19928 | 2025-03-04 | D1"
    )
    assert broken(rule(TWO), day(registered=1, fees=seen)) == [4]


def test_one_doctor_under_two_groups_or_with_blanks_is_one_doctor():
    seen = "code | doctor | patient\n 15804 | 1999123-00001 | P1\n 15804 | 1999123-00002 | P2\n 19928 | 1999123 | -"
    assert broken(rule(TWO), day(fees=seen)) == []


def test_a_category_without_a_number_has_no_fee():
    registered_only = rule(TWO | {"thresholds": {"19928": {"registered": 1}}})
    fees = "code | element_de_contexte\n 19928 | AR"
    assert said(registered_only, day(walk_in=30, fees=fees)) == [(31, "error", "10.00", "category")]


def test_walk_in_contexts_are_compared_as_whole_tokens_with_or_without_a_hash():
    fees = "code | element_de_contexte\n 19928 | G160"
    assert broken(rule(TWO), day(walk_in=2, fees=fees)) == []
    assert broken(rule(TWO), day(walk_in=2, fees=fees, context="#ar")) == []
    assert broken(rule(TWO), day(walk_in=2, fees=fees, context="G1601")) == [3]
    ours = rule(TWO | {"walk_in_contexts": ["#g1601"]})
    assert broken(ours, day(walk_in=2, fees="code | element_de_contexte\n 19928 | G1601", context="#g1601, 85")) == []


def test_too_few_paid_patients_are_a_warning_once_the_day_is_answered():
    fee = "code\n 19928"
    assert said(rule(TWO), day(registered=3, fees=fee)) == []
    assert said(rule(TWO), day(registered=3, paid=1, fees=fee)) == [(4, "warning", "10.00", "paid")]
    assert said(rule(TWO), day(registered=3, paid=2, fees=fee)) == []
    assert said(rule(TWO), day(registered=3, fees="code | montant_paye\n 19928 | 10")) == [
        (4, "warning", "10.00", "paid")
    ]


def test_a_patient_is_paid_by_any_line_of_that_doctor_and_day():
    elsewhere = "code | patient | montant_paye | lieu_de_pratique\n 00097 | R2 | 10 | 00999\n 19928 | - | - | 54999"
    assert said(rule(TWO), day(registered=2, paid=1, fees=elsewhere)) == []


def test_too_few_patients_is_an_error_however_well_paid():
    assert said(rule(TWO), day(registered=1, paid=1, fees="code | montant_paye\n 19928 | 10")) == [
        (2, "error", "10.00", "count")
    ]


def test_a_rule_may_count_paid_patients_only():
    paid_only = rule(TWO | {"patient_count": "paid"})
    assert said(paid_only, day(registered=3, paid=1, fees="code\n 19928")) == [(4, "error", "10.00", "count")]
    assert said(paid_only, day(registered=3, paid=2, fees="code\n 19928")) == []


def test_the_most_of_a_day_is_reached_and_not_passed():
    fees = """
        code  | element_de_contexte | montant_preliminaire
        19928 | -                   | 32.40
        19928 | AR                  | 32.40
    """
    assert said(FEES, day(registered=6, walk_in=10, fees=fees)) == []


def test_the_line_that_passes_the_most_of_a_day_is_reported_paid_lines_being_kept():
    fees = """
        code  | element_de_contexte | montant_preliminaire | montant_paye
        19928 | -                   | 32.40                | 0
        19929 | AR                  | 64.80                | 64.80
    """
    assert said(HIGHER, day(registered=6, walk_in=20, paid=26, fees=fees)) == [(27, "error", "32.40", "total")]
    found = results(HIGHER, day(registered=6, walk_in=20, paid=26, fees=fees)).row(0, named=True)
    assert (found["registered"], found["walkIn"], found["need_registered"]) == (6, 20, None)


def test_a_rule_without_a_threshold_leaves_the_total_alone():
    fees = "code | montant_preliminaire\n 19928 | 64.80\n 19928 | 64.80"
    assert said(LOWER, day(registered=6, fees=fees)) == []


def test_a_fee_refused_for_its_place_counts_in_the_total():
    fees = """
        code  | lieu_de_pratique | montant_preliminaire | debut
        19929 | 00999            | 64.80                | 08:00
        19928 | 54999            | 32.40                | 09:00
    """
    assert said(HIGHER, day(registered=6, fees=fees)) == [(8, "error", "32.40", "total")]


def test_a_line_reported_for_its_patients_by_another_rule_is_not_reported_for_the_total():
    fees = """
        code  | element_de_contexte | montant_preliminaire
        19929 | -                   | 64.80
        19928 | AR                  | 32.40
    """
    assert results([LOWER, HIGHER], day(registered=12, walk_in=9, fees=fees)).select("rule_id", "reason").rows() == [
        ("OFFICE_FEE_19928", "count")
    ]
    assert said(HIGHER, day(registered=12, walk_in=9, fees=fees)) == [(23, "error", "32.40", "total")]


def test_an_excess_outweighs_a_warning_for_unpaid_patients_by_whichever_rule():
    fees = "code | montant_preliminaire | debut\n 19929 | 64.80 | 08:00\n 19928 | 32.40 | 09:00"
    exported = day(registered=12, paid=1, fees=fees)
    assert said(LOWER, exported) == [(14, "warning", "32.40", "paid")]
    assert said([LOWER, HIGHER], exported) == [(13, "warning", "64.80", "paid"), (14, "error", "32.40", "total")]


def test_absent_amounts_count_nothing_and_taken_back_ones_lower_the_total():
    fees = "code | montant_preliminaire\n 19929 | \n 19929 | 64.80\n 19929 | 64.80\n 19929 | -64.80"
    assert said(HIGHER, day(registered=12, fees=fees)) == []


def test_once_passed_the_most_of_a_day_stays_passed():
    fees = "code | montant_preliminaire\n 19929 | 64.80\n 19928 | 32.40\n 19928 | -32.40\n 19928 | 32.40"
    assert broken(HIGHER, day(registered=12, fees=fees)) == [14, 15, 16]


def test_filters_choose_fees_and_visits_alike():
    mornings = rule(TWO | {"unless_contexts": ["MTA13"]})
    seen = "code | patient | element_de_contexte\n 15804 | P9 | MTA13\n 19928 | - | - \n 19928 | - | MTA13"
    assert broken(mornings, day(registered=1, fees=seen)) == [3]


def test_a_fee_without_doctor_or_day_is_skipped():
    fees = "code | doctor | date_de_service\n 19929 | - | 2025-03-04\n 19929 | D1 | -"
    counts = find_results(prepare(day(fees=fees)), [HIGHER], REFERENCE).counts
    assert counts.select("checked", "skipped").row(0) == (0, 2)


def test_rules_of_different_visits_are_counted_apart():
    anywhere = rule(TWO | {"place": "any"}).model_copy(update={"name": "ANYWHERE"})
    seen = "code | lieu_de_pratique | patient\n 15804 | 00999 | P2\n 19928 | 54999 | "
    assert results([rule(TWO), anywhere], day(registered=1, fees=seen))["rule_id"].to_list() == ["RULE"]


@pytest.mark.parametrize(
    ("condition", "reason"),
    [
        (TWO | {"thresholds": {"19928": {"registered": 0}}}, "thresholds.19928.registered"),
        (TWO | {"thresholds": {"19928": {}}}, "registered: one of registered, walkIn is needed"),
        (TWO | {"thresholds": {}}, "thresholds: every code needs one"),
        (TWO | {"codes": ["19928", "19929"]}, "thresholds: every code needs one"),
        (TWO | {"thresholds": TWO["thresholds"] | {"19929": {"registered": 1}}}, "thresholds: must be among codes"),
        (TWO | {"codes": []}, "codes: one of codes, code_groups is needed"),
        (TWO | {"codes": ["*"]}, "codes: * is not possible here"),
        (TWO | {"place": "domicile"}, "place"),
        (TWO | {"walkin_contexts": []}, "walkin_contexts"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused_with_the_field_and_the_reason(condition, reason):
    with pytest.raises(RuleError) as refused:
        rule(condition)
    assert reason in str(refused.value.facts["faults"])


def day(*, registered: int = 0, walk_in: int = 0, paid: int = 0, fees: str, context: str = "#G160") -> pl.DataFrame:
    """A doctor's day: registered patients R1…, walk-ins W1…, the first `paid` ones paid, then the lines of `fees`."""
    patients = [f"R{n + 1}" for n in range(registered)] + [f"W{n + 1}" for n in range(walk_in)]
    visits = [
        {
            "patient": name,
            "code": "15804",
            "element_de_contexte": context if name[0] == "W" else None,
            "montant_paye": "10" if at < paid else "0",
        }
        for at, name in enumerate(patients)
    ]
    lines = [{name: None if cell in ("", "-") else cell for name, cell in row.items()} for row in cells(fees)]
    return frame(
        [
            {**DEFAULTS, **line, "row_number": number}
            for number, line in enumerate([*visits, *({"patient": None, **line} for line in lines)], 1)
        ]
    )


def said(rules, exported):
    found = results(rules, exported)
    return [
        (row["row_number"], row["severity"], str(row["amount"]), row["reason"]) for row in found.iter_rows(named=True)
    ]
