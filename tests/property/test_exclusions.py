from hypothesis import given
from hypothesis import strategies as st

from tests.oracle import exclusions, limits
from tests.oracle.base import lines_of
from tests.property.files import amid_strangers, completed, files, judged, lines, several, usually, wheres

FIXED = st.sampled_from(("day", "week", "month", "quarter", "calendar_year", "lifetime"))
COMMON = {
    "type": st.just("mutual_exclusion"),
    "per": st.sampled_from(sorted(limits.WHO)),
    "where": wheres(),
    "unless_contexts": st.sampled_from(([], [], ["#ar"])),
    "unless_same_day_codes": st.sampled_from(([], [], ["19928"])),
}
PERIODS = st.one_of(
    st.fixed_dictionaries({"period": FIXED}),
    st.fixed_dictionaries({"period": st.just("rolling_days"), "days": st.sampled_from((1, 31, 62))}),
    st.fixed_dictionaries({"period": st.just("rolling_months"), "months": st.sampled_from((1, 2, 12))}),
)
SERVICES = st.one_of(
    st.fixed_dictionaries(
        {"codes": st.sampled_from((["*"], ["8857", "15804", "19928", "15801"])), "max_distinct": st.integers(1, 3)}
    ),
    st.just({"codes": ["8857", "15804"]}),
    st.just({"groups": [["15804"], ["08857", "19928"]]}),
    st.just({"groups": [["8857"], ["15804", "15801"], ["19928"]], "max_distinct": 2}),
)
conditions = st.builds(
    lambda common, period, services: common | period | services, st.fixed_dictionaries(COMMON), PERIODS, SERVICES
)
rules = several(conditions, most=8)
mixed = st.tuples(lines, usually("15804", "8857", "08857", "19928", "15801", None)).map(
    lambda drawn: drawn[0] | {"code": drawn[1]}
)


@given(rules, files(mixed))
def test_rules_compiled_together_say_what_each_ones_twin_says(exclusions_of_run, exported):
    naive = [completed(exclusions.verdict(rule, lines_of(exported)), rule, exported) for rule in exclusions_of_run]
    assert judged(exclusions_of_run, exported) == naive


@given(rules, files(mixed), files(mixed))
def test_other_groups_and_the_order_of_records_change_nothing(exclusions_of_run, exported, others):
    among, alone = amid_strangers(exclusions_of_run, exported, others, lieu_de_pratique="00999")
    assert among == alone
