from datetime import date

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from dashlib.rules.base import Reference
from tests.oracle import restrictions
from tests.oracle.base import lines_of
from tests.property.files import amid_strangers, completed, files, judged, several, wheres
from tests.tables import RUN_DATE

FILTERS = {
    "codes": st.sampled_from((["15804"], ["8857", "15804"], ["*"])),
    "where": wheres(),
    "unless_contexts": st.sampled_from(([], [], ["#ar"])),
    "unless_same_day_codes": st.sampled_from(([], [], ["19928"])),
    "each_code": st.booleans(),
}


def restricted(kind, **parameters):
    return st.fixed_dictionaries(FILTERS | {"type": st.just(kind)} | parameters)


def places(*names):
    lists = {"places": st.sampled_from([[name] for name in names] + [[]])}
    return st.fixed_dictionaries(
        {}, optional=lists | {"prefixes": st.just(["0012", "H2X"]), "sectors": st.sampled_from((["URGENCE"], ["é"]))}
    )


by_place = st.one_of(
    restricted("location_restriction", allow=places("cabinet", "domicile")),
    restricted("location_restriction", deny=places("cabinet", "etablissement", "domicile")),
    restricted(
        "location_restriction",
        allow=st.just({"places": ["cabinet"], "prefixes": ["00"]}),
        deny=st.sampled_from(({"places": ["domicile"]}, {"prefixes": ["549"]}, {"sectors": ["clinique"]})),
    ),
).filter(lambda condition: any([*condition.get("allow", {}).values(), *condition.get("deny", {}).values()]))
windows = st.fixed_dictionaries(
    {},
    optional={
        "days": st.lists(st.sampled_from(restrictions.WEEK), min_size=1, max_size=5, unique=True),
        "holiday": st.sampled_from(("any", "exclude", "only")),
    },
).flatmap(
    lambda window: st.sampled_from(
        [window | {"from": a, "to": b} for a, b in (("00:00", "24:00"), ("09:00", "10:00"), ("00:00", "09:00"))]
    )
)
by_time = restricted("time_restriction", windows=st.lists(windows, min_size=1, max_size=3))
by_age = st.one_of(
    restricted("age_restriction", min_years=st.integers(0, 3)),
    restricted("age_restriction", max_years_excl=st.sampled_from((1, 3, 80))),
    restricted("age_restriction", min_years=st.integers(0, 1), max_years_excl=st.sampled_from((2, 80))),
    restricted("age_restriction", min_months=st.integers(0, 2), max_months_incl=st.sampled_from((2, 11, 12))),
    restricted("age_restriction", max_days_incl=st.sampled_from((0, 1, 59, 365))),
    restricted("age_restriction", max_days_incl=st.just(70), min_months=st.integers(0, 2)),
)
rules = several(st.one_of(by_place, by_time, by_age))
TABLES = [
    [],
    [(date(2025, 3, 4), "all", "A"), (date(2025, 12, 30), "all", "B")],
    [(date(2025, 3, 4), "123", "Vendredi saint"), (date(2025, 4, 18), "54999", None)],
    [
        (date(2024, 12, 31), "all", "A"),
        (date(2025, 3, 1), "all", "B"),
        (date(2025, 7, 1), "all", "B"),
        (date(2025, 3, 4), "123", "B"),
        (date(2025, 7, 1), "00123", "C"),
        (date(2025, 3, 8), "54999", "A"),
    ],
]
references = st.sampled_from(TABLES).map(
    lambda rows: Reference(
        RUN_DATE,
        holidays=pl.DataFrame(rows, schema={"date": pl.Date, "applies_to": pl.String, "name": pl.String}, orient="row"),
    )
)
SERVED = (
    *("2024-02-29", "2024-12-30", "2024-12-31", "2025-01-01", "2025-02-28", "2025-03-01", "2025-03-04"),
    *("2025-03-08", "2025-04-18", "2025-07-01", "2025-12-31", None),
)
lines = st.fixed_dictionaries(
    {
        "date_de_service": st.sampled_from(SERVED),
        "code": st.sampled_from(("15804", "15804", "8857", "08857", "19928", None)),
        "doctor": st.sampled_from(("1999123 | A", "1999123 | A", "B", None)),
        "patient": st.sampled_from(
            (
                *("TEST24022912 - A", "TEST24523112", "TEST24123112", "TEST22510112", "TESU45013134", "TESU45530112"),
                *("TESTxxxx0112 - A", "TEST01022912", "- A", None),
            )
        ),
        "lieu_de_pratique": st.sampled_from(("54999", "00123", "123", "H2X 1Y4", None)),
        "secteur_activite": st.sampled_from((None, "Aucun Secteur", "Clinique d'urgence", "Santé")),
        "element_de_contexte": st.sampled_from((None, "#VISITE_DOMICILE", "visite_domicile,AR", "#")),
        "debut": st.sampled_from((None, "00:00", "08:59", "9:00", "10:00", "23:59", "24:00", "9h")),
        "role": st.sampled_from((None, "1", "2")),
        "montant_preliminaire": st.sampled_from((None, "32.40", "-32.40")),
        "montant_paye": st.sampled_from((None, "0.00", "10.00", "-10.00")),
    }
)


@given(rules, files(lines), references)
def test_rules_compiled_together_say_what_each_ones_twin_says(restricting, exported, ref):
    naive = [restrictions.verdict(one, lines_of(exported), ref) for one in restricting]
    assert judged(restricting, exported, ref) == [
        completed(verdict, one, exported) for verdict, one in zip(naive, restricting, strict=True)
    ]


@given(rules, files(lines), files(lines))
def test_other_lines_and_the_order_of_records_change_nothing(restricting, exported, others):
    among, alone = amid_strangers(restricting, exported, others)
    assert among == alone
