from hypothesis import given
from hypothesis import strategies as st

from tests.oracle import limits
from tests.oracle.base import lines_of
from tests.property.files import amid_strangers, completed, files, judged, several, wheres

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


rules = several(conditions)


@given(rules, files())
def test_rules_compiled_together_say_what_each_ones_twin_says(limits_of_run, exported):
    naive = [completed(limits.verdict(limit, lines_of(exported)), limit, exported) for limit in limits_of_run]
    assert judged(limits_of_run, exported) == naive


@given(rules, files(), files())
def test_other_groups_and_the_order_of_records_change_nothing(limits_of_run, exported, others):
    among, alone = amid_strangers(limits_of_run, exported, others, lieu_de_pratique="00999")
    assert among == alone
