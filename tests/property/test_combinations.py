import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from dashlib.engine import find_results
from dashlib.records import prepare
from tests.oracle import combinations
from tests.oracle.base import lines_of
from tests.property.files import CONTEXTS, DATES, completed, files, judged, wheres
from tests.tables import REFERENCE, records, rule

STRANGER = """
    row_number | code  | doctor | patient  | facture
    99         | 15804 | D      | STRANGER | F9
"""

CODES = (["15804"], ["8857", "15804"], ["*"], ["08857", "19928", "19929"])
COMMON = {
    "type": st.just("prohibition"),
    "codes": st.sampled_from(CODES),
    "with_codes": st.sampled_from(CODES),
    "order": st.sampled_from(("any", "b_before_a")),
    "report": st.sampled_from(("a", "a", "b", "both")),
    "roles_a": st.sampled_from((None, None, ["1"])),
    "roles_b": st.sampled_from((None, None, ["2"])),
    "same_code": st.booleans(),
    "where": wheres(),
    "unless_contexts": st.sampled_from(([], [], ["#ar"])),
    "unless_same_day_codes": st.sampled_from(([], [], [], ["19928"])),
}
SCOPES = st.sampled_from(
    (
        "patient_day",
        "patient_doctor_day",
        "patient_doctor_calendar_year",
        "patient_doctor_lifetime",
        "invoice",
        "invoice_or_patient_day",
    )
)
ROLLING = {"scope": st.just("patient_doctor_rolling_days"), "days": st.sampled_from((1, 2, 31, 62))}
conditions = st.one_of(
    st.fixed_dictionaries(COMMON | {"scope": SCOPES}),
    st.fixed_dictionaries(COMMON | ROLLING),
    st.fixed_dictionaries(COMMON | {"scope": SCOPES, "with_codes": st.just([]), "same_code": st.just(True)}),
)
# Few people and days, so that lines meet.
lines = st.fixed_dictionaries(
    {
        "date_de_service": st.sampled_from((*DATES[1:3], *DATES[1:3], DATES[-1])),
        "facture": st.sampled_from((None, "", "F1", "F2")),
        "code": st.sampled_from(("15804", "8857", "08857", "19928", None)),
        "doctor": st.sampled_from(("1999123-10456 | A", "1999123-1 | A", "1999123 | A", "B", None)),
        "patient": st.sampled_from(("TEST22510112 - A", "TEST22510112", "TESTxxxx0112 - A", "TESTxxxx0112 - B", None)),
        "lieu_de_pratique": st.sampled_from(("54999", "00123")),
        "element_de_contexte": st.sampled_from(CONTEXTS),
        "debut": st.sampled_from((None, "00:00", "09:00", "9:00")),
        "role": st.sampled_from((None, "1", "2", "2")),
        "montant_preliminaire": st.sampled_from((None, "32.40")),
        "montant_paye": st.sampled_from((None, "0.00", "10.00", "10.00", "-10.00")),
    }
)


@given(conditions, files(lines))
def test_the_engine_says_what_the_twin_says(condition, exported):
    prohibition = rule(condition, severity="warning")
    naive = combinations.verdict(prohibition, lines_of(exported), REFERENCE)
    assert judged([prohibition], exported) == [completed(naive, prohibition, exported)]


@given(conditions, files(lines))
def test_the_engine_names_the_partners_that_the_twin_names(condition, exported):
    prohibition = rule(condition)
    named = find_results(prepare(exported), [prohibition], REFERENCE).results
    partners = combinations.partners(prohibition, lines_of(exported))
    assert {row: (other, related) for row, other, related in named.select("row_number", "other", "related").rows()} == {
        row: (others[0]["code"], [other["row_number"] for other in others]) for row, others in partners.items()
    }


@given(st.lists(conditions, min_size=2, max_size=4), files(lines))
def test_rules_compiled_together_say_what_each_says_alone(several, exported):
    rules = [rule(condition).model_copy(update={"name": f"RULE {number}"}) for number, condition in enumerate(several)]
    assert judged(rules, exported) == [verdict for alone in rules for verdict in judged([alone], exported)]


@given(conditions, files(lines), st.integers(0, 14))
def test_the_lines_of_strangers_do_not_matter(condition, exported, at):
    prohibition = rule(condition)
    among = pl.concat([exported[:at], records(STRANGER), exported[at:]])
    assert judged([prohibition], among)[0].found == judged([prohibition], exported)[0].found


@given(conditions, files(lines))
def test_the_order_of_the_lines_in_memory_does_not_matter(condition, exported):
    prohibition = rule(condition)
    assert judged([prohibition], exported.reverse()) == judged([prohibition], exported)
