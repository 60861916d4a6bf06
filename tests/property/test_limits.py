import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from tests.oracle import limits
from tests.oracle.base import lines_of
from tests.property.files import completed, files, judged, unhurried, wheres
from tests.tables import rule

COMMON = {
    "type": st.just("frequency_limit"),
    "codes": st.sampled_from((["15804"], ["8857", "15804"], ["*"])),
    "per": st.sampled_from(sorted(limits.WHO)),
    "max": st.integers(0, 3),
    "each_code": st.booleans(),
    "where": wheres(),
    "unless_contexts": st.sampled_from(([], [], ["#ar"])),
    "unless_same_day_codes": st.sampled_from(([], [], ["19928"])),
}
COUNT = st.sampled_from(("lines", "units", "units_or_lines", "distinct_dates", "distinct_patients"))
FIXED = st.sampled_from(("day", "week", "month", "quarter", "calendar_year", "lifetime"))
ROLLING = st.one_of(
    st.fixed_dictionaries({"period": st.just("rolling_days"), "days": st.sampled_from((1, 31, 62))}),
    st.fixed_dictionaries({"period": st.just("rolling_months"), "months": st.sampled_from((1, 2, 12))}),
)
rolling = st.builds(lambda common, period: common | period, st.fixed_dictionaries(COMMON | {"count": COUNT}), ROLLING)
conditions = st.one_of(
    st.fixed_dictionaries(COMMON | {"count": COUNT, "period": FIXED}),
    st.fixed_dictionaries(COMMON | {"period": FIXED, "keep": st.just("first_paid"), "max": st.just(1)}),
    rolling,
    rolling,
    st.fixed_dictionaries(
        COMMON | {"codes": st.just(["15804", "08857"]), "anchor_codes": st.just(["8857"]), "period": FIXED}
    ),
)


rules = st.lists(conditions, min_size=1, max_size=10).map(
    lambda several: [
        rule(condition, severity="warning").model_copy(update={"name": f"RULE {number}"})
        for number, condition in enumerate(several)
    ]
)


@unhurried
@given(rules, files())
def test_rules_compiled_together_say_what_each_ones_twin_says(limits_of_run, exported):
    naive = [completed(limits.verdict(limit, lines_of(exported)), limit, exported) for limit in limits_of_run]
    assert judged(limits_of_run, exported) == naive


@unhurried
@given(rules, files(), files())
def test_other_groups_and_the_order_of_records_change_nothing(limits_of_run, exported, others):
    strangers = others.with_columns(
        pl.col("row_number") * 2 + 1,
        doctor=pl.lit("Another"),
        patient=pl.lit("Another"),
        lieu_de_pratique=pl.lit("00999"),
    )
    ours = exported.with_columns(pl.col("row_number") * 2)
    together = judged(limits_of_run, pl.concat([ours, strangers]).reverse())
    alone = judged(limits_of_run, ours)
    assert [of_even_lines(verdict) for verdict in together] == [verdict.found for verdict in alone]


def of_even_lines(verdict):
    return [result for result in verdict.found if result.row_number % 2 == 0]
