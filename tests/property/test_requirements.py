from hypothesis import given
from hypothesis import strategies as st

from dashlib.engine import find_results
from dashlib.records import prepare
from tests.oracle import requirements
from tests.oracle.base import lines_of
from tests.property.files import CONTEXTS, DATES, amid_strangers, completed, files, judged, several, wheres
from tests.tables import REFERENCE

FILTERS = {
    "type": st.just("requirement"),
    "codes": st.sampled_from((["15804"], ["8857", "15804"], ["*"], ["19928", "*"])),
    "where": wheres(),
    "unless_contexts": st.sampled_from(([], [], ["#ar"])),
    "unless_same_day_codes": st.sampled_from(([], [], ["19928"])),
    "each_code": st.booleans(),
}
FIELDS = st.lists(st.sampled_from(sorted(requirements.HEADERS)), min_size=1, max_size=3, unique=True)
COMPANIONS = st.fixed_dictionaries(
    {
        "any_codes": st.sampled_from((["8857"], ["15804"], ["08857", "15804"], ["19928", "99999"], ["*"])),
        "scope": st.sampled_from(sorted(requirements.KEYS)),
    }
)
OF_LINE = st.fixed_dictionaries(
    {},
    optional={
        "any_contexts": st.just(["g160", "AR"]),
        "no_contexts": st.just(["#85"]),
        "fields": FIELDS,
        "any_fields": FIELDS,
    },
)
demands = st.one_of(COMPANIONS, OF_LINE.filter(bool), st.builds(lambda a, b: a | b, COMPANIONS, OF_LINE))
conditions = st.builds(lambda filters, require: filters | {"require": require}, st.fixed_dictionaries(FILTERS), demands)
rules = several(conditions)
# Few people and days, so that lines meet.
lines = st.fixed_dictionaries(
    {
        "date_de_service": st.sampled_from((None, DATES[0], DATES[0], DATES[-1])),
        "facture": st.sampled_from((None, "", "F1", "F1", "F2")),
        "code": st.sampled_from(("15804", "8857", "08857", "19928", None)),
        "doctor": st.sampled_from(("1999123-10456 | A", "1999123-1 | A", "1999123 | A", "B", None)),
        "patient": st.sampled_from(("TEST22510112 - A", "TEST22510112", "TESTxxxx0112 - A", "TESTxxxx0112 - B", None)),
        "lieu_de_pratique": st.sampled_from(("54999", "00123", None)),
        "diagnostic": st.sampled_from((None, " ", "4019")),
        "element_de_contexte": st.sampled_from((None, *CONTEXTS)),
        "debut": st.sampled_from((None, "00:00", "09:00", "24:00", "9h")),
        "fin": st.sampled_from((None, "09:30", "24:00", "00:00")),
        "unites": st.sampled_from((None, "0", "1", "0.1", "-1")),
        "role": st.sampled_from((None, "1", "2")),
        "montant_preliminaire": st.sampled_from((None, "32.40")),
        "montant_paye": st.sampled_from((None, "0.00", "10.00", "-10.00")),
    }
)


@given(rules, files(lines))
def test_rules_compiled_together_say_what_each_ones_twin_says(demanded, exported):
    naive = [requirements.verdict(one, lines_of(exported), REFERENCE) for one in demanded]
    assert judged(demanded, exported) == [
        completed(verdict, one, exported) for verdict, one in zip(naive, demanded, strict=True)
    ]


@given(rules, files(lines))
def test_a_result_names_what_the_twin_finds_missing(demanded, exported):
    found = find_results(prepare(exported), demanded, REFERENCE).results.select("rule_id", "row_number", "missing")
    by_name = {one.name: one.condition for one in demanded}
    naive = lines_of(exported)
    by_number = {line["row_number"]: line for line in naive}
    assert [row[2] for row in found.rows()] == [
        requirements.missing(by_number[number], by_name[name], naive) for name, number, _ in found.rows()
    ]


@given(rules, files(lines), files(lines))
def test_other_groups_and_the_order_of_records_change_nothing(demanded, exported, others):
    among, alone = amid_strangers(demanded, exported, others, facture="Another")
    assert among == alone
