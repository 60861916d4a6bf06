from hypothesis import given
from hypothesis import strategies as st

from tests.oracle import durations
from tests.oracle.base import lines_of
from tests.property.files import amid_strangers, completed, files, judged, several, wheres
from tests.property.test_amounts import timed

BOUNDS = st.sampled_from(
    (
        {"min_minutes": 30},
        {"min_minutes": 31},
        {"max_minutes": 30},
        {"max_minutes": 7},
        {"min_minutes": 8, "max_minutes": 60},
        {"block_minutes": 31},
        {"min_minutes": 15, "block_minutes": 30, "max_minutes": 30},
    )
)
conditions = st.builds(
    lambda common, bounds: common | bounds,
    st.fixed_dictionaries(
        {
            "type": st.just("duration_check"),
            "codes": st.sampled_from((["8857"], ["8857", "15804"], ["*"])),
            "when_same_session_codes": st.sampled_from(([], [], ["15804"], ["8857"])),
            "aggregate": st.sampled_from(("row", "patient_doctor_day")),
            "where": wheres(),
            "unless_contexts": st.sampled_from(([], [], ["#ar"])),
            "unless_same_day_codes": st.sampled_from(([], [], ["15804"])),
        }
    ),
    BOUNDS,
)
rules = several(conditions, most=8)


@given(rules, files(timed))
def test_rules_compiled_together_say_what_each_ones_twin_says(checks, exported):
    naive = [completed(durations.verdict(check, lines_of(exported)), check, exported) for check in checks]
    assert judged(checks, exported) == naive


@given(rules, files(timed), files(timed))
def test_other_groups_and_the_order_of_records_change_nothing(checks, exported, others):
    among, alone = amid_strangers(checks, exported, others)
    assert among == alone
