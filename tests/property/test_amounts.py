from hypothesis import given
from hypothesis import strategies as st

from tests.oracle import amounts, limits
from tests.oracle.base import lines_of
from tests.property.files import amid_strangers, completed, files, judged, lines, several, usually, wheres

FIXED = st.sampled_from(("day", "week", "month", "quarter", "calendar_year", "lifetime"))
PERIODS = st.one_of(
    st.fixed_dictionaries({"period": FIXED}),
    st.fixed_dictionaries({"period": FIXED}),
    st.fixed_dictionaries({"period": st.just("rolling_days"), "days": st.sampled_from((1, 31, 62))}),
    st.fixed_dictionaries({"period": st.just("rolling_months"), "months": st.sampled_from((1, 2, 12))}),
)
COMMON = {
    "type": st.just("amount_limit"),
    "codes": st.sampled_from((["15804", "8857"], ["8857", "15804", "19928"])),
    "per": st.sampled_from(sorted(limits.WHO)),
    "each_code": st.booleans(),
    "where": wheres(),
    "unless_contexts": st.sampled_from(([], [], ["#ar"])),
    "unless_same_day_codes": st.sampled_from(([], [], ["19928"])),
    "when_all_paid": st.sampled_from((None, "info")),
}
SESSIONS = {"distinct_sessions_for": st.sampled_from(([], ["8857"], ["15804"]))}
MEASURES = st.one_of(
    st.fixed_dictionaries(
        {
            "measure": st.just("amount"),
            "max": st.sampled_from((32.4, 32.39, 64.8, 0.01)),
            "max_by_place": st.sampled_from((None, {"cabinet": 97.2}, {"etablissement": 10, "cabinet": 40})),
        }
    ),
    st.fixed_dictionaries(
        {"measure": st.just("units"), "max": st.integers(1, 3), "unit_minutes": st.sampled_from((None, 15, 30))}
        | SESSIONS
    ),
    st.fixed_dictionaries(
        {
            "measure": st.just("minutes"),
            "max": st.sampled_from((1, 30, 45, 60)),
            "minutes_by_code": st.sampled_from(({}, {"8857": 30})),
            "minutes_source": st.sampled_from(
                (["times", "units_as_minutes", "minutes_by_code"], ["times"], ["minutes_by_code", "units_as_minutes"])
            ),
        }
        | SESSIONS
    ),
    st.fixed_dictionaries({"measure": st.just("lines"), "max": st.integers(1, 3)} | SESSIONS),
    st.fixed_dictionaries(
        {"measure": st.just("patients"), "max": st.integers(1, 2), "per": st.sampled_from(("doctor", "establishment"))}
    ),
)
conditions = st.builds(
    lambda common, period, measure: common | period | measure, st.fixed_dictionaries(COMMON), PERIODS, MEASURES
)
rules = several(conditions, most=8)
TIMES = (
    (None, None),
    ("09:00", "09:30"),
    ("9:00", "09:00"),
    ("23:50", "00:20"),
    ("23:00", "24:00"),
    ("14:00", "01:59"),
)
timed = st.tuples(
    lines, st.sampled_from(TIMES), st.sampled_from((None, "0", "1", "2.5", "7.9", "30", "-1")), usually("8857", "15804")
).map(lambda drawn: drawn[0] | {"debut": drawn[1][0], "fin": drawn[1][1], "unites": drawn[2], "code": drawn[3]})


@given(rules, files(timed))
def test_rules_compiled_together_say_what_each_ones_twin_says(limits_of_run, exported):
    naive = [completed(amounts.verdict(limit, lines_of(exported)), limit, exported) for limit in limits_of_run]
    assert judged(limits_of_run, exported) == naive


@given(rules, files(timed), files(timed))
def test_other_groups_and_the_order_of_records_change_nothing(limits_of_run, exported, others):
    among, alone = amid_strangers(limits_of_run, exported, others, lieu_de_pratique="00999")
    assert among == alone
