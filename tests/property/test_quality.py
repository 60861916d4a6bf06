import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from dashlib.rules.base import Reference
from tests.oracle import quality
from tests.oracle.base import lines_of
from tests.property.files import completed, files, judged, wheres
from tests.tables import RUN_DATE, rule

DUPLICATE_KEYS = [
    "doctor",
    "patient",
    "date_de_service",
    "code",
    "debut",
    "element_de_contexte",
    "lieu_de_pratique",
    "unites",
]
FILTERS = {
    "type": st.just("data_quality"),
    "where": wheres(),
    "unless_contexts": st.sampled_from(([], [], ["#ar"])),
    "unless_same_day_codes": st.sampled_from(([], [], ["19928"])),
    "codes": st.sampled_from(([], [], ["15804", "8857"])),
    "exclude_codes": st.sampled_from(([], [], ["08857"])),
}


def checks(check, **parameters):
    return st.fixed_dictionaries(FILTERS | {"check": st.just(check)}, optional=parameters)


conditions = st.one_of(
    checks("nam_format", allow_masked=st.booleans(), allow_empty_codes=st.sampled_from((["*"], ["15804"], []))),
    checks("nam_checksum", skip_masked=st.booleans()),
    checks("late_billing", max_days=st.sampled_from((150, 180)), reference_date=st.just("run_date")).map(
        lambda condition: condition | {"days": 89}
    ),
    checks("end_before_start", allow_midnight=st.booleans(), max_overnight_hours=st.sampled_from((0, 9, 12))),
    checks("role_invalid", allowed=st.just(["1"])),
    checks("diagnosis_format", pattern=st.just("^[0-9]+$")),
    *(
        checks(check)
        for check in (
            "date_missing",
            "future_date",
            "before_birth",
            "negative_amount",
            "paid_above_preliminary",
            "zero_preliminary",
            "period_before_service",
            "time_format",
            "midnight_placeholder",
            "doctor_unparsed",
        )
    ),
)
group_conditions = st.one_of(
    checks("duplicate_line").map(lambda condition: condition | {"keys": DUPLICATE_KEYS}),
    checks("duplicate_line").map(lambda condition: condition | {"keys": ["facture", "debut", "montant_preliminaire"]}),
    checks("duplicate_line").map(lambda condition: condition | {"keys": ["element_de_contexte", "fin"]}),
    checks("overlap", collective_codes=st.just(["15804"]), exclude_pairs_same_session=st.booleans()),
)
CODES = pl.DataFrame(
    {"code": ["15804", "8857", "08857"], "place": ["établissement", "cabinet", "all"]},
    schema_overrides={"place": pl.String},
)
CONTEXTS = pl.DataFrame({"context": ["AR", "#SEANCE_DIFFERENTE"], "aliases": [["g160", "#85"], None]})
ESTABLISHMENTS = pl.DataFrame({"code": ["123", "54999"], "flags": [[], ["gmf"]]})
references = st.builds(
    lambda trusted, codes: Reference(RUN_DATE, codes, CONTEXTS, ESTABLISHMENTS, trusted=trusted),
    st.sampled_from((frozenset(), frozenset({"codes", "contexts", "establishments"}))),
    st.sampled_from((CODES, CODES, CODES.clear())),
)
UNTRUSTED = {"skip_if_table_untrusted": st.booleans()}
COMMON = {"type": st.just("reference_check")} | {name: FILTERS[name] for name in ("where", "unless_contexts", "codes")}


def asks(field, *, table=(), match=(), pattern=()):
    told = {"table": table, "match": match, "pattern": pattern}
    given_parameters = {name: st.sampled_from(values) for name, values in told.items() if values}
    return st.fixed_dictionaries(
        COMMON | {"field": st.just(field)} | given_parameters, optional=UNTRUSTED if table else {}
    )


reference_conditions = st.one_of(
    asks("code", table=("codes",), match=("exact", "zfill5", "code_place")),
    asks("element_de_contexte", table=("contexts",), match=("exact", "code_or_alias")),
    asks("lieu_de_pratique", table=("establishments",), match=("exact", "zfill5")),
    asks("lieu_de_pratique", pattern=("^[0-9]{5}$",)),
    asks("element_de_contexte", pattern=("^[A-Z]+$", "5")),
    asks("diagnostic", pattern=("^[0-9]+$",)),
    asks("secteur_activite", pattern=("Urgence",)),
)
lines = st.fixed_dictionaries(
    {
        "date_de_service": st.sampled_from(
            ("2024-12-30", "2024-12-31", "2025-04-01", "2025-07-01", "1910-02-28", "2025-02-28")
        ),
        "facture": st.sampled_from((None, "F1")),
        "code": st.sampled_from(("15804", "8857", "08857", "99998", None)),
        "doctor": st.sampled_from(("1999123-10456 | A", "1999123 | A", "B", "199912 | C", None)),
        "patient": st.sampled_from(
            (
                "TEST22510112 - A",
                "TESTxxxx0112 - A",
                "- A",
                "TEST00022912",
                "TEST01022912",
                "TEST00603112",
                "TEST15010119",
                "test22510112",
                "TES22510112",
                None,
            )
        ),
        "lieu_de_pratique": st.sampled_from(("54999", "00123", "123", "H2X 1Y4", None)),
        "secteur_activite": st.sampled_from((None, "Aucun Secteur", "Urgence")),
        "diagnostic": st.sampled_from((None, "4019", "V700", "4", "40 19")),
        "element_de_contexte": st.sampled_from((None, "#G160", "85, AR", "AR #85", "ZZZ9,G160", "#")),
        "debut": st.sampled_from((None, "00:00", "09:00", "9:00", "09:15", "23:30", "24:00", "9h")),
        "fin": st.sampled_from((None, "09:15", "09:30", "8:45", "00:15", "24:00", "25:00")),
        "periode": st.sampled_from((None, "202453", "202501", "202413", "202400", "2025")),
        "unites": st.sampled_from((None, "0", "1")),
        "role": st.sampled_from((None, "1", "2", "9")),
        "montant_preliminaire": st.sampled_from((None, "0.00", "32.40", "-32.40")),
        "montant_paye": st.sampled_from((None, "0.00", "10.00", "-10.00")),
    }
)
# One doctor and one day, so that lines meet.
crowds = lines.map(lambda line: line | {"date_de_service": "2024-12-31", "doctor": "1999123 | A"})


@given(conditions, files(lines))
def test_the_engine_says_of_a_line_what_the_twin_says(condition, exported):
    check = rule(condition, severity="info")
    naive = quality.verdict(check, lines_of(exported), Reference(RUN_DATE))
    assert judged([check], exported) == [completed(naive, check, exported)]


@given(group_conditions, st.one_of(files(lines), files(crowds)))
def test_the_engine_says_of_neighbours_what_the_twin_says(condition, exported):
    check = rule(condition)
    naive = quality.verdict(check, lines_of(exported), Reference(RUN_DATE))
    assert judged([check], exported) == [completed(naive, check, exported)]


@given(reference_conditions, files(lines), references)
def test_the_engine_knows_what_the_twin_knows(condition, exported, ref):
    check = rule(condition)
    naive = quality.verdict(check, lines_of(exported), ref)
    assert judged([check], exported, ref) == [completed(naive, check, exported)]


@given(
    st.lists(st.one_of(conditions, group_conditions, reference_conditions), min_size=2, max_size=5),
    files(lines),
    references,
)
def test_rules_compiled_together_say_what_each_says_alone(several, exported, ref):
    rules = [rule(condition).model_copy(update={"name": f"RULE {number}"}) for number, condition in enumerate(several)]
    assert judged(rules, exported, ref) == [verdict for alone in rules for verdict in judged([alone], exported, ref)]


@given(st.one_of(conditions, group_conditions, reference_conditions), files(lines), references)
def test_the_order_of_the_lines_in_memory_does_not_matter(condition, exported, ref):
    check = rule(condition)
    assert judged([check], exported.reverse(), ref) == judged([check], exported, ref)
