from datetime import date

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from dashlib.rules.base import Reference
from tests.oracle import opportunities
from tests.oracle.base import Verdict, lines_of
from tests.property.files import files, judged, lines, usually, wheres
from tests.property.tariff_tables import reference, tables
from tests.tables import RUN_DATE, rule

FILTERS = {
    "where": wheres(),
    "unless_contexts": st.just(["SEANCE_DIFFERENTE"]),
    "unless_same_day_codes": st.just(["08857"]),
}
OLD = ("TEST40010101 - A", "TESU45013134", "TEST55510101", "TEST22510112 - A", "TESTxxxx0112 - A", "TEST60130101", None)
CODES = ("15804", "15804", "15818", "8857", "08859", "15841", "15842", None)
money = st.sampled_from((None, "0.00", "0.00", "49.15", "-49.15", "10.00"))
services = st.builds(
    lambda line, service: line | service,
    lines,
    st.fixed_dictionaries(
        {
            "code": st.sampled_from(CODES),
            "patient": st.sampled_from(OLD),
            "montant_preliminaire": money,
            "montant_paye": money,
        }
    ),
)


def advice(strategy, needed, optional):
    given_always = {"type": st.just("opportunity"), "strategy": st.just(strategy), **needed}
    conditions = st.fixed_dictionaries(given_always, optional={**FILTERS, **optional})
    return st.lists(conditions, min_size=1, max_size=3).map(
        lambda some: [rule(one, category="x").model_copy(update={"name": f"RULE {n}"}) for n, one in enumerate(some)]
    )


def ordered(verdicts):
    def key(found):
        return (found.row_number, found.amount)

    return [Verdict(sorted(verdict.found, key=key), verdict.skipped) for verdict in verdicts]


def same(rules, exported, ref, naive):
    assert ordered(judged(rules, exported, ref)[: len(naive)]) == ordered(naive)


CAD = ("49.15", "58.25", "59.70")
ages = advice(
    "age_upcode",
    {"map": st.just({"15804": "15818", "8857": "08859"}), "min_years": st.sampled_from((3, 70, 80))},
    {"map_80": st.sampled_from(({"15804": "08859"}, {"15818": "08859"}))},
)


@given(ages, files(services), tables("15804", "15818", "08857", "08859", cad=CAD), st.booleans())
def test_a_code_for_another_age_is_found_as_by_the_twin(rules, exported, table, starter):
    naive = [opportunities.age_upcode(one, lines_of(exported), table, starter=starter) for one in rules]
    same(rules, exported, reference(table, starter=starter), naive)


missing = advice(
    "missing_annual_code",
    {"codes": st.sampled_from((["15818"], ["08857", "15841"])), "trigger_codes": st.just(["15804", "8859"])},
    {
        "blocked_by": st.just(["15842"]),
        "amount": st.just(9.35),
        "period": st.sampled_from(("calendar_year", "quarter", "month", "day", "lifetime")),
        "report": st.sampled_from(("first_trigger", "last_trigger")),
    },
)


@given(missing, files(services))
def test_a_yearly_service_never_billed_is_found_as_by_the_twin(rules, exported):
    same(
        rules, exported, Reference(RUN_DATE), [opportunities.missing_annual_code(r, lines_of(exported)) for r in rules]
    )


unpaid = advice(
    "annual_all_unpaid",
    {"codes": st.sampled_from((["15804"], ["15804", "15818"]))},
    {"period": st.sampled_from(("calendar_year", "quarter", "lifetime"))},
)


@given(unpaid, files(services), tables("15804", "15818", cad=CAD), st.booleans())
def test_a_yearly_service_never_paid_is_found_as_by_the_twin(rules, exported, table, starter):
    naive = [opportunities.annual_all_unpaid(one, lines_of(exported), table, starter=starter) for one in rules]
    same(rules, exported, reference(table, starter=starter), naive)


quotas = advice(
    "quota_left",
    {"quotas": st.sampled_from(({"15841": 1, "15842": 2}, {"15841": 3, "15804": 3}))},
    {"period": st.sampled_from(("quarter", "month"))},
)


@given(quotas, files(services))
def test_a_quota_not_used_is_found_as_by_the_twin(rules, exported):
    same(rules, exported, Reference(RUN_DATE), [opportunities.quota_left(one, lines_of(exported)) for one in rules])


deadlines = advice(
    "unpaid_within_deadline",
    {"days": st.sampled_from((1, 60, 90, 200))},
    {"codes": st.just(["15804"]), "group": st.sampled_from((["code"], [], ["code", "lieu_de_pratique"]))},
)


@given(deadlines, files(services), st.sampled_from((RUN_DATE, date(2025, 3, 31))))
def test_what_is_still_unpaid_is_found_as_by_the_twin(rules, exported, run_date):
    naive = [opportunities.unpaid_within_deadline(one, lines_of(exported), run_date) for one in rules]
    same(rules, exported, Reference(run_date), naive)


ONCE = {"type": "frequency_limit", "codes": ["*"], "max": 1, "per": "doctor", "period": "quarter"}
contexts = advice("suggest_context", {"rule": st.just("ONCE"), "contexts": st.just(["#icep", "ICSM"])}, {})


@given(contexts, files(services))
def test_a_context_that_may_be_missing_is_suggested_as_by_the_twin(rules, exported):
    once = rule(ONCE).model_copy(update={"name": "ONCE"})
    reported = {found.row_number for found in judged([once], exported)[0].found}
    naive = [opportunities.suggest_context(one, lines_of(exported), reported) for one in rules]
    same([*rules, once], exported, Reference(RUN_DATE), naive)


MARKS = {"15804": {"PG 1 A"}, "15818": {"PG 1 B", "PG 2"}, "08859": {"PG 1 A", "PG 1 B"}}
companions = advice(
    "missing_companion",
    {"trigger_indicator": st.just("PG 1"), "companions": st.sampled_from(({"A": "8857"}, {"A": "15842", "B": "8857"}))},
    {},
)


@given(companions, files(services), tables("08857", "15842", cad=CAD), st.booleans())
def test_a_supplement_not_billed_is_found_as_by_the_twin(rules, exported, table, starter):
    known = reference(table, starter=starter)
    marked = pl.DataFrame(
        {"code": list(MARKS), "indicators": [["P.G. 1 A"], ["P.G. 1 B", "P.G. 2"], ["P.G. 1 A", "P.G. 1 B"]]}
    )
    codes = pl.concat([known.codes, marked], how="diagonal")
    ref = Reference(RUN_DATE, codes=codes, trusted=known.trusted)
    naive = [opportunities.missing_companion(one, lines_of(exported), MARKS, table, starter=starter) for one in rules]
    same(rules, exported, ref, naive)


timed = st.builds(
    lambda line, times: line | times,
    lines,
    st.fixed_dictionaries(
        {
            "date_de_service": usually("2025-12-31", "2026-01-01"),
            "doctor": usually("A", " A ", None),
            "code": usually("15804", "8857", "08859", None),
            "debut": st.sampled_from((None, "09:00", "09:00", "23:30", "00:00")),
            "fin": st.sampled_from((None, "09:30", "09:37", "09:38", "10:00", "10:10", "00:15", "08:00", "24:00")),
            "montant_preliminaire": st.sampled_from((None, "0.00", "20.00", "59.69", "59.70", "200.00")),
        }
    ),
)
CAP = {"type": "amount_limit", "codes": ["8857", "8859"], "measure": "minutes", "per": "doctor", "period": "day"}
CAP |= {"minutes_source": ["times", "minutes_by_code"], "minutes_by_code": {"8857": 30}, "unless_contexts": ["AR"]}
longer = advice(
    "duration_upgrade",
    {
        "codes": st.sampled_from((["15804"], ["15804", "8857", "8859"])),
        "base_code": st.just("8857"),
        "addon_code": st.just("8859"),
        "base_minutes": st.just(30),
        "addon_minutes": st.just(15),
        "addon_min_last": st.sampled_from((8, 1)),
        "min_minutes": st.just(30),
        "daily_cap_rule": st.just("CAP"),
        "min_gain": st.sampled_from((0.01, 20)),
    },
    {},
)


caps = st.sampled_from((60, 100, 180)).map(lambda most: rule(CAP | {"max": most}).model_copy(update={"name": "CAP"}))


@given(longer, files(timed), tables("08857", "08859", cad=("59.70", "29.85")), caps)
def test_a_visit_worth_more_by_its_time_is_found_while_the_day_has_room_as_by_the_twin(rules, exported, table, cap):
    naive = [opportunities.duration_upgrade(one, lines_of(exported), table, cap.condition) for one in rules]
    same([*rules, cap], exported, reference(table, starter=True), naive)


@given(longer, files(timed), tables("08857", "08859", cad=("59.70", "29.85")))
def test_a_visit_worth_more_by_its_time_is_found_without_a_daily_cap_as_by_the_twin(rules, exported, table):
    naive = [opportunities.duration_upgrade(one, lines_of(exported), table, None) for one in rules]
    same(rules, exported, reference(table, starter=True), naive)


DAY = {
    "date_de_service": usually("2025-12-31", "2026-01-01", None),
    "doctor": st.sampled_from(("A", "A", " A ", None)),
    "lieu_de_pratique": usually("54999", "00123", None),
    "element_de_contexte": usually(None, "#G160", "85, AR"),
    "montant_paye": st.sampled_from((None, "0.00", "10.00", "-32.40", "32.40")),
}
visits = st.fixed_dictionaries(
    DAY
    | {
        "code": st.sampled_from(("15804", "8857")),
        "patient": usually("TEST22510112 - A", "TESTxxxx0112 - A", "B", None),
    }
)
fees = st.fixed_dictionaries(
    DAY
    | {
        "code": st.sampled_from(("19928", "19928", "19929")),
        "montant_preliminaire": st.sampled_from((None, "32.40", "32.40", "64.80", "-32.40", "0.00")),
    }
)
MINIMA = ({"registered": 1, "walkIn": 1}, {"registered": 2, "walkIn": 1}, {"registered": 1}, {"walkIn": 2})
AMOUNTS = {"amounts": st.just({"19928": 32.4, "19929": 64.8})}
both_minima = st.fixed_dictionaries({"19928": st.sampled_from(MINIMA), "19929": st.sampled_from(MINIMA)})
office = st.permutations(("missed", "upgrade", "second")).flatmap(
    lambda some: st.tuples(
        *(
            advice(f"office_fee_{strategy}", {"thresholds": both_minima, **AMOUNTS, **OWN[strategy]}, {}).map(
                lambda rules, name=strategy: [one.model_copy(update={"name": f"{name} {one.name}"}) for one in rules]
            )
            for strategy in some[:2]
        )
    ).map(lambda pairs: [one for rules in pairs for one in rules])
)
OWN = {
    "missed": {},
    "upgrade": {"from": st.just("19928"), "to": st.just("19929")},
    "second": {"code": st.just("19928"), "other_code": st.just("19929"), "max": st.sampled_from((64.8, 97.2))},
}
REPEATED = {"type": "frequency_limit", "codes": ["19928"], "max": 1, "per": "doctor", "period": "day"}


@given(office, files(st.one_of(visits, visits, fees)))
def test_advice_on_office_fees_is_given_as_by_the_twin(rules, exported):
    said = opportunities.office_fees(rules, lines_of(exported), set())
    same_fees(rules, rules, exported, said)


@given(office, files(st.one_of(visits, visits, fees)))
def test_no_advice_is_given_beside_an_error_on_a_fee_as_by_the_twin(rules, exported):
    repeated = rule(REPEATED, category="office_fee").model_copy(update={"name": "REPEATED"})
    wrong = {found.row_number for found in judged([repeated], exported)[0].found}
    said = opportunities.office_fees(rules, lines_of(exported), wrong)
    same_fees(rules, [*rules, repeated], exported, said)


def same_fees(advice_rules, rules, exported, said):
    came = judged(rules, exported)
    assert [verdict.found for verdict in came[: len(advice_rules)]] == [
        sorted(said[one.name], key=lambda found: found.row_number) for one in advice_rules
    ]
