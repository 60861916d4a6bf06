from hypothesis import given, settings
from hypothesis import strategies as st

from tests.oracle import limits
from tests.oracle.base import lines_of
from tests.property.files import completed, files, judged, wheres
from tests.tables import rule

COMMON = {
    "type": st.just("frequency_limit"),
    "codes": st.sampled_from((["15804"], ["8857", "15804"], ["*"], ["08857", "19928", "19929"])),
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
conditions = st.one_of(
    st.fixed_dictionaries(COMMON | {"count": COUNT, "period": FIXED}),
    st.fixed_dictionaries(COMMON | {"period": FIXED, "keep": st.just("first_paid"), "max": st.just(1)}),
    st.builds(lambda common, period: common | period, st.fixed_dictionaries(COMMON | {"count": COUNT}), ROLLING),
    st.fixed_dictionaries(
        COMMON | {"codes": st.just(["15804", "08857"]), "anchor_codes": st.just(["8857"]), "period": FIXED}
    ),
)


@settings(max_examples=60, deadline=None)
@given(conditions, files())
def test_the_engine_says_what_the_twin_says(condition, exported):
    limit = rule(condition, severity="warning")
    assert judged([limit], exported) == [completed(limits.verdict(limit, lines_of(exported)), limit, exported)]


@settings(max_examples=30, deadline=None)
@given(st.lists(conditions, min_size=2, max_size=4), files())
def test_rules_compiled_together_say_what_each_says_alone(several, exported):
    rules = [rule(condition).model_copy(update={"name": f"RULE {number}"}) for number, condition in enumerate(several)]
    assert judged(rules, exported) == [verdict for alone in rules for verdict in judged([alone], exported)]
