import polars as pl
import pytest

from dashlib.engine import find_results
from dashlib.errors import RuleError
from dashlib.messages import messages, with_facts
from dashlib.records import prepare
from dashlib.rollups import totals
from dashlib.rules import shipped_rules
from dashlib.rules.base import Reference
from dashlib.starter import starter_reference
from tests.tables import RUN_DATE, broken, records, results, rule, skipped

SHIPPED = {rule.name: rule.model_copy(update={"enabled": True}) for rule in shipped_rules()}
STARTER = starter_reference(RUN_DATE)
OFFICE = [SHIPPED[name] for name in ("OFFICE_FEE_MISSED", "OFFICE_FEE_UPGRADE", "OFFICE_FEE_SECOND")]
FEES = [rule for rule in SHIPPED.values() if rule.category == "office_fee"]
CAP = SHIPPED["CLINICAL_INTERVENTION_180MIN"]
LONG = SHIPPED["OPP_CLINICAL_INTERVENTION"]
FIRST = "OFFICE_FEE_MISSED"
UPGRADE = "OFFICE_FEE_UPGRADE"
SECOND = "OFFICE_FEE_SECOND"


def day(*, registered: int = 0, walk_in: int = 0, fees: str = "") -> pl.DataFrame:
    """A doctor's day: visits, then fees, each `code`, and what follows it the place or the context."""
    plain = "".join(f"15804 | P{n} | - | 54999 | 10.00\n" for n in range(registered))
    walking = "".join(f"15804 | W{n} | AR | 54999 | 10.00\n" for n in range(walk_in))
    return records(
        f"code | patient | element_de_contexte | lieu_de_pratique | montant_preliminaire\n{plain}{walking}{fees}"
    )


REGISTERED = "19928 | - | - | 54999 | 32.40\n"
WALK_IN = "19928 | - | AR | 54999 | 32.40\n"
ELSEWHERE = "19928 | - | - | 00123 | 32.40\n"
FULL = "19929 | - | - | 54999 | 64.80\n"


def told(rules, lines, ref: Reference = STARTER) -> list[tuple[str, int, str]]:
    found = results(rules, lines, ref).filter(category="opportunity")
    return found.select("rule_id", "row_number", pl.col("amount").cast(pl.String)).rows()


def sentences(rules, lines, lang: str, ref: Reference = STARTER) -> list[str]:
    exported = records(lines) if isinstance(lines, str) else lines
    prepared = prepare(exported)
    return messages(with_facts(find_results(prepared, rules, ref).results, prepared), rules, lang).to_list()


def test_advice_is_an_info_of_its_own_category_whatever_its_rule_says():
    grave = OFFICE[0].model_copy(update={"severity": "error"})
    found = results(grave, day(registered=6))
    assert found.select("severity", "category").rows() == [("info", "opportunity")]
    assert found["gain_cents"].to_list() == [3240]


def test_op1_thirteen_patients_and_no_fee():
    assert told(OFFICE, day(registered=13)) == [(FIRST, 1, "64.80")]


def test_op2_fourteen_patients_and_the_lower_fee():
    assert told(OFFICE, day(registered=14, fees=REGISTERED)) == [(UPGRADE, 15, "32.40")]


@pytest.mark.parametrize(
    ("registered", "walk_in", "gain", "suggested"),
    [
        (6, 0, "32.40", "19928"),
        (0, 10, "32.40", "19928"),
        (12, 9, "64.80", "19929"),
        (5, 20, "64.80", "19929"),
        (6, 10, "64.80", "19928 + 19928"),
        (6, 20, "64.80", "19929"),
        (12, 20, "64.80", "19929"),
    ],
)
def test_a_day_without_fee_is_worth_what_each_category_carries_and_64_80_at_most(registered, walk_in, gain, suggested):
    found = results(OFFICE, day(registered=registered, walk_in=walk_in))
    assert found.select(pl.col("amount").cast(pl.String), "suggested", "registered", "walkIn").rows() == [
        (gain, suggested, registered, walk_in)
    ]


@pytest.mark.parametrize("fee", [REGISTERED, WALK_IN, ELSEWHERE, FULL])
def test_any_fee_of_the_day_means_that_none_was_missed(fee):
    assert told(OFFICE[0], day(registered=13, walk_in=20, fees=fee)) == []


def test_a_missed_fee_is_told_on_the_first_counted_visit_paid_lines_first():
    lines = """
        code  | patient | lieu_de_pratique | debut | montant_paye
        15804 | P1      | 00123            | 07:00 | 9.00
        15804 | P2      | 54999            | 08:00 | 0.00
        15804 | P3      | 54999            | 10:00 | 9.00
        15804 | P4      | 54999            | 09:00 | 9.00
        15804 | P5      | 54999            | 09:00 | 0.00
        15804 | P6      | 54999            | 09:00 | 0.00
        15804 | P7      | 54999            | 09:00 | 0.00
    """
    assert results(OFFICE, lines).select("row_number", "related").rows() == [(4, [2, 3, 5, 6, 7])]


def test_the_higher_fee_is_advised_before_a_second_one():
    both = day(registered=12, walk_in=10, fees=REGISTERED)
    assert told(OFFICE, both) == [(UPGRADE, 23, "32.40")]
    assert told(OFFICE[2], both) == [(SECOND, 23, "32.40")]


def test_the_higher_fee_needs_its_patients_in_the_category_that_was_billed():
    assert told(OFFICE[1], day(registered=12, walk_in=10, fees=WALK_IN)) == []
    assert told(OFFICE[1], day(walk_in=20, fees=WALK_IN)) == [(UPGRADE, 21, "32.40")]


@pytest.mark.parametrize(
    "fees",
    [
        REGISTERED + REGISTERED,
        REGISTERED + WALK_IN,
        REGISTERED + FULL,
        ELSEWHERE,
        REGISTERED + ELSEWHERE,
        "19928 | - | - | 54999 | 64.80\n",
    ],
)
def test_advice_never_takes_a_day_over_64_80_and_leaves_a_fee_elsewhere_alone(fees):
    assert told(OFFICE, day(registered=12, walk_in=20, fees=fees)) == []


def test_a_second_fee_needs_both_categories():
    assert told(OFFICE, day(registered=6, walk_in=10, fees=WALK_IN)) == [(SECOND, 17, "32.40")]
    assert told(OFFICE, day(registered=6, walk_in=9, fees=REGISTERED)) == []
    assert told(OFFICE, day(registered=5, walk_in=10, fees=REGISTERED)) == []


def test_no_advice_stands_beside_an_error_on_a_fee_of_the_day():
    asked = {"codes": ["19928"], "thresholds": {"19928": {"registered": 20}}}
    stricter = rule({"type": "office_fee_validation"} | asked, category="office_fee")
    lines = day(registered=12, fees=REGISTERED)
    assert told([*OFFICE, stricter], lines) == []
    assert told([*OFFICE, stricter.model_copy(update={"severity": "warning"})], lines) == [(UPGRADE, 13, "32.40")]
    assert told([*OFFICE, stricter.model_copy(update={"category": "other"})], lines) == [(UPGRADE, 13, "32.40")]
    assert told([*OFFICE, stricter.model_copy(update={"enabled": False})], lines) == [(UPGRADE, 13, "32.40")]


def test_the_whole_set_of_fee_rules_gives_one_result_a_line():
    assert results(FEES, day(registered=5, fees=REGISTERED))["rule_id"].to_list() == ["OFFICE_FEE_19928"]


def test_only_visits_in_an_office_with_a_patient_are_counted_and_those_without_are_skipped():
    lines = "code | patient | lieu_de_pratique\n 15804 | - | 54999\n 15804 | P1 | 00123\n 15804 | P2 | 54999"
    counts = find_results(prepare(records(lines)), OFFICE[:1], STARTER).counts
    assert counts.select("checked", "skipped", "results").row(0) == (1, 1, 0)


def test_op3_op4_a_long_visit_is_worth_its_periods():
    lines = """
        code  | patient | debut | fin   | montant_preliminaire
        15804 | P1      | 09:00 | 09:45 | 49.15
        15804 | P2      | 10:00 | 10:37 | 49.15
        15804 | P3      | 11:00 | 11:38 | 49.15
        15804 | P4      | 12:00 | 12:29 | 0.00
    """
    found = results([LONG, CAP.model_copy(update={"enabled": False})], lines, STARTER)
    assert found.select("row_number", pl.col("amount").cast(pl.String), "suggested", "expected_cents").rows() == [
        (1, "40.40", "08857 + 08859", 8955),
        (2, "10.55", "08857", 5970),
        (3, "40.40", "08857 + 08859", 8955),
    ]


@pytest.mark.parametrize(
    ("debut", "fin", "minutes"),
    [
        ("23:30", "00:15", 45),
        ("10:30", "10:00", None),
        ("10:00", "10:00", None),
        ("10:00", "-", None),
        ("20:00", "08:00", 720),
    ],
)
def test_an_end_before_the_start_is_the_next_days_if_plausible(debut, fin, minutes):
    found = results(LONG, f"code | debut | fin\n 15804 | {debut} | {fin}", STARTER)
    assert found["minutes"].to_list() == [minutes] * (minutes is not None)


ROOM = """
    code  | patient | debut | fin
    08857 | P1      | 08:00 | 10:00
    15804 | P2      | 11:00 | 12:10
    15804 | P3      | 13:00 | 13:30
    15804 | P4      | 14:00 | 14:40
    15804 | P5      | 15:00 | 15:30
"""


def test_advice_fills_the_day_by_time_and_passes_over_what_does_not_fit():
    assert broken([LONG, CAP.model_copy(update={"enabled": False})], ROOM, STARTER) == [3, 5]


def test_an_inactive_cap_still_says_how_much_room_there_is():
    assert broken([LONG, CAP.model_copy(update={"enabled": False, "active": False})], ROOM, STARTER) == [3, 5]


def test_without_the_cap_rule_at_hand_every_long_visit_is_told():
    assert broken(LONG, ROOM, STARTER) == [2, 3, 4, 5]


def test_each_doctors_day_has_its_own_room():
    lines = """
        code  | doctor | date_de_service | debut | fin
        15804 | D1     | 2025-03-04      | 08:00 | 10:00
        15804 | D2     | 2025-03-04      | 08:00 | 10:00
        15804 | D1     | 2025-03-05      | 08:00 | 10:00
        15804 | D1     | 2025-03-04      | 10:00 | 11:01
    """
    assert broken([LONG, CAP], lines, STARTER) == [1, 2, 3]


def test_two_trusted_tariffs_of_a_period_at_the_place_give_no_advice():
    twice = pl.DataFrame(
        [("08857", "Cabinet", 5970, True), ("08857", "Cabinet", 6000, True)],
        schema=["code", "place", "cents", "trusted"],
        orient="row",
    ).with_columns(tariff_value=pl.col("cents").cast(pl.Decimal(10, 2)) / 100)
    codes = pl.concat([STARTER.codes, twice.drop("cents")], how="diagonal_relaxed")
    line = "code | lieu_de_pratique | debut | fin\n 15804 | {} | 09:00 | 09:30"
    assert broken(LONG, line.format("54999"), Reference(RUN_DATE, codes=codes)) == []
    assert broken(LONG, line.format("54999"), STARTER) == [1]


def test_op5_a_patient_of_80_billed_by_the_code_for_younger_ones():
    found = results(SHIPPED["OPP_AGE_80_UNDERBILLED"], "code | patient\n 15804 | TEST43030412", STARTER)
    assert found.select(
        "row_number", pl.col("amount").cast(pl.String), "suggested", pl.col("age").cast(pl.String)
    ).rows() == [(1, "9.10", "15818", "82")]


def test_without_a_known_gain_or_age_a_line_is_skipped():
    upcode = SHIPPED["OPP_AGE_80_UNDERBILLED"]
    lines = "code | patient\n 15803 | TEST43030412\n 15804 | TESTxxxx0412\n 15803 | TEST90030412"
    counts = find_results(prepare(records(lines)), [upcode], STARTER).counts
    assert counts.select("checked", "skipped", "results").row(0) == (1, 2, 0)


def test_op6_a_vulnerable_patient_without_periodic_visit():
    lines = "code | date_de_service\n 15824 | 2025-02-01\n 15824 | 2025-09-01\n 15824 | 2024-12-31"
    found = results(SHIPPED["OPP_PERIODIC_VISIT_DUE"], lines, STARTER)
    assert found.select("row_number", "count", "period", pl.col("amount").cast(pl.String)).rows() == [
        (2, 2, "2025", "0.00"),
        (3, 1, "2024", "0.00"),
    ]


def test_a_group_of_triggers_that_the_reference_does_not_know_leaves_the_codes_named():
    gmf = SHIPPED["GMF_8875_MISSED"]
    places = pl.DataFrame({"code": ["54999"], "flags": [["gmf"]]})
    assert told(gmf, "code\n 15804", Reference(RUN_DATE, establishments=places)) == [("GMF_8875_MISSED", 1, "9.35")]


def test_a_reversal_and_what_it_takes_back_get_no_advice_but_silence_it():
    due = SHIPPED["OPP_PERIODIC_VISIT_DUE"]
    taken_back = "code | montant_paye\n 15824 | 40.00\n 15824 | -40.00"
    periodic = "code | montant_paye\n 15824 | 40.00\n 15820 | 60.00\n 15820 | -60.00"
    assert broken(due, taken_back, STARTER) == []
    assert broken(due, periodic, STARTER) == []


def test_a_yearly_service_never_paid_is_worth_one_tariff_or_what_its_first_line_bills():
    never = {"type": "opportunity", "strategy": "annual_all_unpaid", "codes": ["15804", "15803"]}
    lines = """
        code  | patient | date_de_service | montant_preliminaire
        15804 | P1      | 2025-12-31      | 10.00
        15804 | P1      | 2025-01-01      | 20.00
        15803 | P2      | 2025-01-01      | 30.00
        15804 | P2      | 2025-01-02      | 40.00
        15804 | P3      | 2025-01-02      | 40.00
    """
    assert told(rule(never), lines) == [("RULE", 2, "49.15"), ("RULE", 3, "30.00")]


def test_unpaid_lines_are_summed_by_code_and_doctor_on_the_oldest():
    lines = """
        code  | doctor | date_de_service | montant_preliminaire | montant_paye
        15804 | D1     | 2025-06-29      | 10.00                | 0.00
        15804 | D1     | 2025-04-01      | 20.00                | -
        15804 | D1     | 2025-03-31      | 40.00                | 0.00
        15803 | D1     | 2025-06-30      | 5.00                 | 0.00
        15804 | D2     | 2025-07-01      | 5.00                 | 0.00
        15804 | D2     | 2025-06-30      | 5.00                 | 5.00
    """
    found = results(SHIPPED["OPP_UNPAID_RESUBMIT"], lines, STARTER)
    assert found.select("row_number", pl.col("amount").cast(pl.String), "count", "days_left", "related").rows() == [
        (2, "30.00", 2, 0, [1]),
        (4, "5.00", 1, 90, []),
    ]


def test_lines_that_still_await_an_answer_are_no_missed_opportunity():
    lines = "code | doctor | date_de_service | montant_preliminaire\n 15804 | D1 | 2025-06-29 | 10.00"
    found = results(SHIPPED["OPP_UNPAID_RESUBMIT"], lines, STARTER)
    assert found.select("severity", "category").rows() == [("info", "awaiting")]
    assert totals(prepare(records(lines)), found)["gain"] == 0


def test_a_context_is_suggested_once_a_day_on_the_first_line_reported_if_the_rule_runs():
    suggest = SHIPPED["OPP_IC_EXEMPT_CONTEXT"]
    lines = "code | debut | fin\n 08857 | 14:00 | 15:00\n 08857 | 10:00 | 11:00\n 08857 | 08:00 | 10:30"
    assert told([suggest, CAP], lines) == [("OPP_IC_EXEMPT_CONTEXT", 2, "0.00")]
    assert told([suggest, CAP.model_copy(update={"enabled": False})], lines) == []
    assert told(suggest, lines) == []


def test_a_quota_is_told_for_the_highest_tier_billed():
    lines = """
        code  | date_de_service
        15841 | 2025-03-30
        15842 | 2025-01-10
        15842 | 2025-01-02
        15841 | 2025-04-01
    """
    found = results(SHIPPED["OPP_COMM_QUOTA_LEFT"], lines, STARTER)
    assert found.select("row_number", "left", "count", "max", "period").rows() == [
        (2, 24, 2, 26, "2025-Q1"),
        (4, 12, 1, 13, "2025-Q2"),
    ]


def test_a_supplement_is_looked_for_by_the_indicators_of_the_manual_and_silent_without():
    tray = SHIPPED["OPP_PLATEAU_CABINET"]
    assert skipped(tray, "code\n 00105", STARTER) == 0
    marked = pl.DataFrame({"code": ["105"], "indicators": [["P.G. 2.2.9 A", "P.G. 2.4.7.7 A"]]})
    ref = Reference(RUN_DATE, codes=pl.concat([STARTER.codes, marked], how="diagonal_relaxed"))
    assert told(tray, "code\n 00105", ref) == [("OPP_PLATEAU_CABINET", 1, "37.00")]
    assert told(tray, "code\n 00105\n 01098", ref) == []


def test_sentences_tell_what_was_counted():
    assert sentences(OFFICE, day(registered=12, walk_in=1), "fr") == [
        "Le 2025-03-04, 12 inscrits et 1 sans rendez-vous : le code 19929 (64,80 $) n'a pas été facturé."
    ]
    lines = "code | debut | fin | montant_preliminaire\n 15804 | 09:00 | 09:45 | 49.15"
    assert sentences([LONG], lines, "en") == ["15804 of 45 min: the clinical intervention would be worth $40.40 more."]


NEEDED = {
    "age_upcode": {"map": {"15804": "15818"}, "min_years": 80},
    "annual_all_unpaid": {"codes": ["15801"]},
    "duration_upgrade": {
        "codes": ["15804"],
        "base_code": "08857",
        "addon_code": "08859",
        "base_minutes": 30,
        "addon_minutes": 15,
        "addon_min_last": 8,
        "min_minutes": 30,
        "min_gain": 0.01,
    },
    "missing_annual_code": {"code": "08875", "trigger_codes": ["15804"]},
    "missing_companion": {"trigger_indicator": "PG 1", "companions": {"A": "01098"}},
    "office_fee_missed": {"thresholds": {"19928": {"registered": 6}}, "amounts": {"19928": 32.4}},
    "office_fee_upgrade": {
        "from": "19928",
        "to": "19929",
        "thresholds": {"19929": {"registered": 12}},
        "amounts": {"19928": 32.4, "19929": 64.8},
    },
    "office_fee_second": {
        "code": "19928",
        "other_code": "19929",
        "thresholds": {"19928": {"registered": 6, "walkIn": 10}},
        "amounts": {"19928": 32.4},
        "max": 64.8,
    },
    "quota_left": {"quotas": {"15841": 13}},
    "suggest_context": {"rule": "OTHER", "contexts": ["ICEP"]},
    "unpaid_within_deadline": {"days": 90},
}
OF_DAYS = {"office_fee_missed", "office_fee_upgrade", "office_fee_second", "suggest_context", "duration_upgrade"}


@pytest.mark.parametrize("strategy", NEEDED)
def test_each_strategy_reads_back_as_it_was_written(strategy):
    written = NEEDED[strategy]
    read = rule({"type": "opportunity", "strategy": strategy} | written).condition
    assert {name: read.model_dump(mode="json")[name] for name in written} == written | {
        name: {code: {"registered": None, "walkIn": None} | least for code, least in value.items()}
        for name, value in written.items()
        if name == "thresholds"
    }
    assert (read.scope == "doctor_day") == (strategy in OF_DAYS)


@pytest.mark.parametrize(
    ("strategy", "change", "fault"),
    [
        ("age_upcode", {"days": 90}, "condition.opportunity.age_upcode.days"),
        ("age_upcode", {"map": {"15804": "15804"}}, "map: 15804 stands for itself"),
        ("age_upcode", {"map": {"15804": "*"}}, "map.15804: a code is named here, * is not possible"),
        ("office_fee_missed", {"thresholds": {"*": {"walkIn": 1}}}, "a code is named here, * is not possible"),
        ("unpaid_within_deadline", {"days": 10**9}, "days: Input should be less than or equal to 36600"),
        ("age_upcode", {"codes": ["15804"]}, "codes: not a parameter of this strategy"),
        ("annual_all_unpaid", {"codes": []}, "codes: one of codes, code_groups is needed"),
        ("annual_all_unpaid", {"period": "rolling_days"}, "condition.opportunity.annual_all_unpaid.period"),
        ("duration_upgrade", {"addon_min_last": 16}, "addon_min_last: more than addon_minutes"),
        ("duration_upgrade", {"min_minutes": 29}, "min_minutes: less than base_minutes"),
        ("duration_upgrade", {"min_gain": 0}, "condition.opportunity.duration_upgrade.min_gain"),
        ("missing_annual_code", {"codes": ["08875"]}, "code: either code or codes is needed"),
        ("missing_annual_code", {"trigger_codes": []}, "trigger_codes: one of trigger_codes, code_groups is needed"),
        ("missing_companion", {"companions": {}}, "condition.opportunity.missing_companion.companions"),
        ("office_fee_missed", {"amounts": {"19929": 64.8}}, "amounts: 19928 needs one"),
        ("office_fee_missed", {"max": 64.8}, "condition.opportunity.office_fee_missed.max"),
        ("office_fee_upgrade", {"to": "19930"}, "thresholds: 19930 needs one; amounts: 19930 needs one"),
        ("office_fee_upgrade", {"amounts": {"19928": 64.8, "19929": 64.8}}, "amounts: to must be worth more than from"),
        ("office_fee_second", {"code": "19930"}, "thresholds: 19930 needs one; amounts: 19930 needs one"),
        ("quota_left", {"quotas": {"15841": 0}}, "condition.opportunity.quota_left.quotas.15841"),
        ("quota_left", {"per": "patient"}, "condition.opportunity.quota_left.per"),
        ("suggest_context", {"contexts": []}, "condition.opportunity.suggest_context.contexts"),
        ("unpaid_within_deadline", {"group": ["doctor"]}, "condition.opportunity.unpaid_within_deadline.group.0"),
    ],
)
def test_an_impossible_or_foreign_parameter_is_refused_with_its_field(strategy, change, fault):
    with pytest.raises(RuleError) as refused:
        rule({"type": "opportunity", "strategy": strategy} | NEEDED[strategy] | change)
    assert fault in str(refused.value.facts["faults"])


def test_an_unheard_of_strategy_is_refused():
    with pytest.raises(RuleError) as refused:
        rule({"type": "opportunity", "strategy": "wishful_thinking"})
    assert "RULE, condition.opportunity" in str(refused.value.facts["faults"])


def test_a_file_without_lines_gets_no_advice():
    assert broken([*SHIPPED.values()], records("code\n 15804").clear(), STARTER) == []
