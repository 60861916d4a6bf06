import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from dashlib.comparison import STAKES, stakes_of, with_stakes
from dashlib.engine import find_results
from dashlib.records import prepare
from dashlib.rejudging import SAME_RESULT, judge_again, numbered
from tests.property.files import files
from tests.tables import REFERENCE, rule

LIMIT = {"type": "frequency_limit", "codes": ["15804", "8857"], "max": 1}
SAME_DAY = {"unless_same_day_codes": ["19928"]}
RULES = [
    rule({"type": "data_quality", "check": "negative_amount"}, name="LINE"),
    rule(LIMIT | {"per": "patient_doctor", "period": "calendar_year", "unless_rules": ["LINE"]}, name="YEAR"),
    rule(LIMIT | {"per": "patient", "period": "day"} | SAME_DAY, name="DAY"),
    rule(LIMIT | {"per": "doctor", "period": "month", "unless_rules": ["TWICE"]}, name="DOCTOR"),
    rule(LIMIT | {"per": "establishment", "period": "lifetime", "max": 2}, name="PLACE"),
    rule(LIMIT | {"per": "establishment", "period": "day"} | SAME_DAY, name="PLACE_FILE"),
    rule({"type": "data_quality", "check": "duplicate_line", "keys": ["facture", "code", "patient"]}, name="TWICE"),
    rule(
        {
            "type": "prohibition",
            "codes": ["15804"],
            "with_codes": ["8857"],
            "scope": "invoice",
            "unless_rules": ["DAY"],
        },
        name="INVOICE",
    ),
    rule({"type": "prohibition", "codes": ["15804"], "with_codes": ["*"], "scope": "patient_day"}, name="TOGETHER"),
    rule(
        {
            "type": "office_fee_validation",
            "codes": ["19928"],
            "thresholds": {"19928": {"registered": 1, "walkIn": 1}},
        },
        name="FEE",
        threshold=40,
    ),
]
# Few people, places, days and amounts, so that lines meet, and take each other back.
LINES = st.fixed_dictionaries(
    {
        "date_de_service": st.sampled_from(("2025-01-31", "2025-01-31", "2025-02-28")),
        "code": st.sampled_from(("15804", "15804", "08857", "19928")),
        "doctor": st.sampled_from(("A", "A", "B", None)),
        "patient": st.sampled_from(("TEST22510112", "TEST22510112", "TESTxxxx0112 - A", None)),
        "lieu_de_pratique": st.sampled_from(("54999", "00123")),
        "facture": st.sampled_from(("F1", "F2")),
        "montant_preliminaire": st.sampled_from(("10.00", "64.80", "-10.00")),
        "montant_paye": st.sampled_from(("0.00", "10.00", "-10.00")),
    }
)
CELLS = (
    *(("code", code) for code in ("15804", "08857", "19928")),
    *(("doctor", "B"), ("patient", "TESTxxxx0112 - A"), ("patient", None), ("lieu_de_pratique", "00123")),
    *(("montant_paye", "-10.00"), ("montant_paye", "10.00"), ("montant_preliminaire", "99.00"), ("facture", "F1")),
    ("date_de_service", "2025-02-28"),
)
CORRECTIONS = st.lists(st.tuples(st.integers(1, 7), st.sampled_from(CELLS)), min_size=1, max_size=3)


def corrected(exported: pl.DataFrame, corrections) -> pl.DataFrame:
    for at, (name, value) in corrections:
        new = (
            pl.lit(value, pl.String).cast(exported[name].dtype)
            if name != "date_de_service"
            else pl.lit(value).str.to_date()
        )
        exported = exported.with_columns(pl.when(pl.col("row_number") == at).then(new).otherwise(name).alias(name))
    return exported


def said(results: pl.DataFrame) -> set[tuple]:
    return set(numbered(results).select(*SAME_RESULT, "amount").rows())


def money(results: pl.DataFrame, exported: pl.DataFrame):
    return stakes_of(with_stakes(results, prepare(exported)))


@given(exported=files(LINES), corrections=CORRECTIONS)
def test_judging_only_the_groups_concerned_says_what_judging_the_whole_file_says(exported, corrections):
    after = corrected(exported, corrections)
    whole = [find_results(prepare(side), RULES, REFERENCE).results for side in (exported, after)]
    again = judge_again(prepare(exported), prepare(after), RULES, REFERENCE)
    lost, gained = said(whole[0]) - said(whole[1]), said(whole[1]) - said(whole[0])
    assert said(again.before) - said(again.after) == lost
    assert said(again.after) - said(again.before) == gained
    here = [money(results, side) for results, side in ((again.before, exported), (again.after, after))]
    there = [money(results, side) for results, side in ((whole[0], exported), (whole[1], after))]
    assert [here[1][name] - here[0][name] for name in STAKES] == [there[1][name] - there[0][name] for name in STAKES]
