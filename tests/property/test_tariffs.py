from hypothesis import given
from hypothesis import strategies as st

from tests.oracle import tariffs
from tests.oracle.base import lines_of
from tests.property.files import completed, files, judged, lines, usually, wheres
from tests.property.tariff_tables import reference, tables
from tests.tables import rule

CAD = ("49.15", "49.15", "36.95", "29.85")
billed = st.sampled_from(
    (None, "0.00", "-49.15", "49.15", "49.16", "49.17", "55.54", "24.58", "36.95", "29.85", "59.70")
)
exported = st.builds(
    lambda line, tariff: line | tariff,
    lines,
    st.fixed_dictionaries(
        {
            "code": usually("15804", "8859", "08859", None),
            "montant_preliminaire": billed,
            "montant_paye": billed,
            "fin": st.sampled_from((None, "00:00", "09:00", "09:07", "09:08", "09:30", "10:02", "24:00")),
            "unites": st.sampled_from((None, "0", "2", "0.5", "-1")),
        }
    ),
)
conditions = st.fixed_dictionaries(
    {
        "type": st.just("tariff_check"),
        "codes": st.sampled_from((["15804"], ["15804", "8859"], ["*"])),
    },
    optional={
        "amount_field": st.sampled_from(("montant_preliminaire", "montant_paye")),
        "place_aware": st.booleans(),
        "units_aware": st.just(True),
        "per_minutes": st.sampled_from((15, 14)),
        "fixed": st.just({"15804": 36.95}),
        "tolerance": st.sampled_from((0, 0.01, 0.02)),
        "multipliers": st.sampled_from(([1], [1, 1.13], [0.5, 2])),
        "reference": st.sampled_from(({}, {"sources": ["manuel"]}, {"plausible_only": False})),
        "where": wheres(),
        "unless_contexts": st.just(["SEANCE_DIFFERENTE"]),
        "unless_same_day_codes": st.just(["08859"]),
    },
)
two_columns = st.fixed_dictionaries(
    {
        "type": st.just("tariff_check"),
        "codes": st.sampled_from((["15804"], ["*"])),
        "amount_field": st.just("montant_paye"),
        "compare_to": st.just("montant_preliminaire"),
    },
    optional={"where": wheres(), "tolerance": st.sampled_from((0, 0.01))},
)
several = st.lists(st.one_of(conditions, conditions, two_columns), min_size=1, max_size=4).map(
    lambda some: [rule(one).model_copy(update={"name": f"RULE {n}"}) for n, one in enumerate(some)]
)


@given(several, files(exported), tables("15804", "08859", "8859", cad=CAD), st.booleans())
def test_the_engine_says_what_the_twin_says(rules, records, table, starter):
    naive = [tariffs.verdict(one, lines_of(records), table, starter=starter) for one in rules]
    wanted = [completed(said, one, records) for said, one in zip(naive, rules, strict=True)]
    assert judged(rules, records, reference(table, starter=starter)) == wanted
