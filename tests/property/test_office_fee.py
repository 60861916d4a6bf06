import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from tests.oracle import office_fee
from tests.oracle.base import lines_of
from tests.property.files import completed, files, judged, lines, usually, wheres
from tests.tables import rule

DAY = {
    "date_de_service": st.just("2025-12-31"),
    "doctor": st.sampled_from(("A", " A ")),
    "lieu_de_pratique": usually("54999", "00123", None),
    "element_de_contexte": usually(None, "#G160", "85, AR"),
    "debut": st.sampled_from((None, "00:00", "09:00")),
    "montant_paye": st.sampled_from((None, "0.00", "10.00")),
}
visits = st.fixed_dictionaries(
    DAY
    | {
        "code": st.sampled_from(("15804", "15804", "8857")),
        "patient": usually("TEST22510112 - A", "TESTxxxx0112 - A", None),
    }
)
fees = st.fixed_dictionaries(
    DAY
    | {
        "code": st.sampled_from(("19928", "19929")),
        "montant_preliminaire": st.sampled_from((None, "32.40", "32.40", "64.80", "-32.40")),
    }
)
elsewhere = st.builds(
    lambda line, day: line | day,
    lines,
    st.fixed_dictionaries(
        {
            "date_de_service": st.sampled_from(("2025-12-31", "2026-01-01", None)),
            "doctor": st.sampled_from(("A", "B", None)),
            "code": st.sampled_from(("15804", "19928")),
        }
    ),
)
days = st.one_of(visits, visits, fees, elsewhere)
minimum = st.sampled_from(
    ({"registered": 1, "walkIn": 1}, {"registered": 1, "walkIn": 1}, {"registered": 2, "walkIn": 1}, {"registered": 1})
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
        "where": wheres().map(
            lambda where: {part: where[part] for part in where if "date" not in part and "age" not in part}
        ),
        "unless_contexts": st.sampled_from(([], ["SEANCE_DIFFERENTE"])),
        "unless_same_day_codes": st.sampled_from(([], ["8857"])),
    }
)
most = st.sampled_from((None, "32.40", "32.40"))


def fee_rule(condition, threshold, name):
    fee = rule(condition | {"codes": sorted(condition["thresholds"])}, threshold=threshold)
    return fee.model_copy(update={"name": name})


fee_rules = st.lists(st.tuples(st.one_of(conditions, conditions, filtered), most), min_size=1, max_size=6).map(
    lambda several: [fee_rule(*one, f"RULE {number}") for number, one in enumerate(several)]
)


@given(fee_rules, files(days))
def test_the_engine_says_what_the_twin_says(rules, exported):
    naive = [office_fee.verdict(fee, lines_of(exported), rules) for fee in rules]
    assert judged(rules, exported) == [completed(said, fee, exported) for said, fee in zip(naive, rules, strict=True)]


@given(fee_rules, files(days), files(days))
def test_another_doctors_lines_do_not_change_a_doctors_results(rules, exported, others):
    of_another = others.with_columns(pl.col("row_number") * 2 + 1, doctor=pl.lit("Another"))
    ours = exported.with_columns(pl.col("row_number") * 2)
    together = judged(rules, pl.concat([ours, of_another]).reverse())
    assert [of_even_lines(verdict) for verdict in together] == [verdict.found for verdict in judged(rules, ours)]


def of_even_lines(verdict):
    return [result for result in verdict.found if result.row_number % 2 == 0]
