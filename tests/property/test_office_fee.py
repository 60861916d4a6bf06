import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.oracle import office_fee
from tests.oracle.base import lines_of
from tests.property.files import CONTEXTS, PATIENTS, completed, files, judged, lines, wheres
from tests.tables import rule

days = st.builds(
    lambda line, day: line | day,
    lines,
    st.fixed_dictionaries(
        {
            "date_de_service": st.sampled_from(("2025-12-31", "2025-12-31", "2026-01-01", None)),
            "doctor": st.sampled_from(("A", "A", " A ", "B", None)),
            "code": st.sampled_from(("15804", "8857", "19928", "19929", None)),
            "patient": st.sampled_from(PATIENTS),
            "element_de_contexte": st.sampled_from((None, *CONTEXTS)),
            "lieu_de_pratique": st.sampled_from(("54999", "54999", "00123", None)),
        }
    ),
)
minimum = st.sampled_from(
    ({"registered": 1, "walkIn": 1}, {"registered": 2, "walkIn": 1}, {"registered": 1}, {"walkIn": 2}, {"registered": 3})
)
CONDITION = {
    "type": st.just("office_fee_validation"),
    "thresholds": st.one_of(
        st.fixed_dictionaries({"19928": minimum}),
        st.fixed_dictionaries({"19929": minimum}),
        st.fixed_dictionaries({"19928": minimum, "19929": minimum}),
    ),
    "place": st.sampled_from(("cabinet", "cabinet", "any", None)),
    "patient_count": st.sampled_from(("all", "all", "paid")),
    "exclude_codes": st.sampled_from((["19928", "19929"], ["8857"])),
    "walk_in_contexts": st.sampled_from((["G160", "AR"], ["85"])),
}
conditions = st.fixed_dictionaries(CONDITION)
filtered = st.fixed_dictionaries(
    CONDITION
    | {
        "where": wheres().map(lambda where: {part: where[part] for part in where if "date" not in part and "age" not in part}),
        "unless_contexts": st.sampled_from(([], ["SEANCE_DIFFERENTE"])),
        "unless_same_day_codes": st.sampled_from(([], ["8857"])),
    }
)
most = st.sampled_from((None, "32.40", "64.80"))


def fee_rule(condition, threshold, name):
    fee = rule(condition | {"codes": sorted(condition["thresholds"])}, threshold=threshold)
    return fee.model_copy(update={"name": name})


fee_rules = st.lists(st.tuples(st.one_of(conditions, filtered), most), min_size=1, max_size=3).map(
    lambda several: [fee_rule(*one, f"RULE {number}") for number, one in enumerate(several)]
)


@settings(max_examples=60, deadline=None)
@given(fee_rules, files(days))
def test_the_engine_says_what_the_twin_says(rules, exported):
    naive = [office_fee.verdict(fee, lines_of(exported), rules) for fee in rules]
    assert judged(rules, exported) == [completed(said, fee, exported) for said, fee in zip(naive, rules, strict=True)]


@settings(max_examples=30, deadline=None)
@given(fee_rules, files(days), files(days))
def test_another_doctors_lines_do_not_change_a_doctors_results(rules, exported, others):
    of_another = others.with_columns(pl.col("row_number") + exported.height, doctor=pl.lit("Another"))
    alone = judged(rules, exported)
    together = judged(rules, pl.concat([exported, of_another]))
    assert [results_up_to(verdict, exported.height) for verdict in together] == [v.found for v in alone]


def results_up_to(verdict, row_number):
    return [result for result in verdict.found if result.row_number <= row_number]
