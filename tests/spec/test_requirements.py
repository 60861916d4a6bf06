import polars as pl
import pytest

from dashlib.engine import find_results
from dashlib.errors import RuleError
from dashlib.records import prepare
from dashlib.rules import shipped_rules
from dashlib.rules.base import Reference
from tests.tables import REFERENCE, RUN_DATE, broken, records, results, rule, skipped

SHIPPED = {rule.name: rule for rule in shipped_rules()}


def requirement(require, **parameters):
    return rule({"type": "requirement", "codes": ["15804"], "require": require} | parameters)


def beside(scope, *codes, **parameters):
    return requirement({"any_codes": list(codes or ("19928",)), "scope": scope}, **parameters)


@pytest.mark.parametrize(
    ("name", "lines", "expected"),
    [
        ("ADDON_08859_NEEDS_08857", "code\n 8859", [1]),
        ("ADDON_08859_NEEDS_08857", "code\n 8857\n 8859", []),
        ("ADDON_08859_NEEDS_08857", "code | patient\n 8857 | P1\n 8859 | P2", [2]),
        ("CLINICAL_INTERVENTION_TIMES", "code | debut | fin\n 8857 | 09:00 | -", [1]),
        ("HYPERBARIC_20084", "code\n 20084\n 839", []),
        ("EXCHANGE_DURATION", "code | unites\n 15643 | 0", [1]),
        ("EXCHANGE_DURATION", "code | unites\n 15643 | 30", []),
        ("NIGHT_09099_START", "code\n 9099", [1]),
    ],
    ids=["RQ1", "RQ2", "RQ3", "RQ4", "RQ5", "RQ6", "RQ6 with units", "TR5"],
)
def test_shipped_requirements(name, lines, expected):
    assert broken(SHIPPED[name], lines) == expected


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ("patient_day", [2, 3, 4]),
        ("patient_doctor_day", [1, 2, 3, 4]),
        ("patient_doctor_lifetime", [1, 3, 4]),
        ("invoice", [1, 2, 4]),
    ],
)
def test_a_companion_is_looked_for_in_its_scope(scope, expected):
    lines = """
        code  | date_de_service | doctor | patient | facture
        15804 | 2025-03-04      | D1     | P1      | F1
        15804 | 2025-03-05      | D1     | P2      | F2
        15804 | 2025-03-04      | D1     | P3      | F3
        15804 | 2025-03-04      | D1     | P4      | F4
        19928 | 2025-03-04      | D2     | P1      | F5
        19928 | 2025-03-06      | D1     | P2      | F6
        19928 | 2025-03-07      | D3     | P7      | F3
        19928 | 2025-03-07      | D4     | P4      | F7
    """
    assert broken(beside(scope), lines) == expected


@pytest.mark.parametrize(
    ("scope", "line"),
    [
        ("patient_day", "date_de_service"),
        ("patient_day", "patient"),
        ("patient_doctor_day", "doctor"),
        ("patient_doctor_lifetime", "doctor"),
        ("invoice", "facture"),
    ],
)
def test_a_line_that_nobody_can_place_is_skipped(scope, line):
    lines = f"code | {line}\n 15804 | -"
    assert (broken(beside(scope), lines), skipped(beside(scope), lines)) == ([], 1)


def test_what_else_a_line_lacks_is_told_even_when_nobody_can_place_it():
    demanding = requirement({"any_codes": ["19928"], "scope": "patient_day", "fields": ["debut"]})
    lines = "code | patient | debut\n 15804 | - | -\n 15804 | - | 09:00"
    assert (broken(demanding, lines), skipped(demanding, lines)) == ([1], 1)


def test_a_line_is_not_its_own_companion():
    assert broken(beside("patient_day", "15804"), "code\n 15804") == [1]
    assert broken(beside("patient_day", "15804"), "code\n 15804\n 15804") == []


def test_any_other_line_is_a_companion_when_every_code_is():
    assert broken(beside("patient_day", "*"), "code | patient\n 15804 | P1\n 15804 | P2\n 8857 | P2") == [1]


def test_filters_choose_the_lines_judged_and_not_their_companions():
    lines = "code | lieu_de_pratique | element_de_contexte\n 15804 | 54999 | -\n 19928 | 00123 | AR"
    in_office = beside("patient_day", where={"places": ["cabinet"]}, unless_contexts=["AR"])
    assert broken(in_office, lines) == []
    assert broken(in_office, "code | lieu_de_pratique\n 15804 | 00123") == []


def test_a_companion_need_not_be_paid_and_may_be_taken_back():
    assert broken(beside("patient_day"), "code | montant_paye\n 15804 | 10\n 19928 | -10") == []


def test_a_code_of_the_same_day_silences():
    alone = beside("patient_doctor_day", unless_same_day_codes=["99999"])
    assert broken(alone, "code | patient\n 15804 | P1\n 99999 | P1\n 15804 | P2") == [3]


@pytest.mark.parametrize(
    ("require", "lines", "expected"),
    [
        ({"any_contexts": ["g160", "AR"]}, "element_de_contexte\n #AR\n G16\n -\n 85, G160", [2, 3]),
        ({"no_contexts": ["AR"]}, "element_de_contexte\n #ar\n G160\n -", [1]),
        ({"fields": ["debut"]}, "debut\n 00:00\n -\n 9h", [2]),
        ({"fields": ["unites"]}, "unites\n 0\n -1\n -\n 0.5", [1, 2, 3]),
        ({"fields": ["debut", "fin"]}, "debut | fin\n 09:00 | -\n - | 09:00\n 09:00 | 09:30", [1, 2]),
        ({"fields": ["diagnostic"]}, "diagnostic\n 4019\n -", [2]),
        ({"fields": ["patient"]}, "patient\n P1\n -", [2]),
        ({"fields": ["lieu_de_pratique"]}, "lieu_de_pratique\n 123\n -", [2]),
        (
            {"any_fields": ["unites", "fin"]},
            "unites | debut | fin\n 0 | - | 09:30\n 0 | 09:00 | 09:30\n 1 | - | -",
            [1],
        ),
        (
            {"any_contexts": ["AR"], "fields": ["debut"]},
            "element_de_contexte | debut\n AR | -\n - | 09:00\n AR | 09:00",
            [1, 2],
        ),
    ],
)
def test_what_a_line_itself_must_show(require, lines, expected):
    assert broken(requirement(require), lines, code="15804") == expected


@pytest.mark.parametrize(
    ("require", "missing"),
    [
        ({"any_codes": ["8857", "08866"], "scope": "patient_day"}, "08857 / 08866"),
        ({"fields": ["fin", "debut"]}, "Début, Fin"),
        ({"any_fields": ["unites", "fin"]}, "Unités / Fin"),
        ({"any_contexts": ["#ALLER", "RETOUR"]}, "ALLER / RETOUR"),
        ({"no_contexts": ["AR"]}, None),
        ({"any_codes": ["8857"], "scope": "patient_day", "fields": ["debut"]}, "08857, Début"),
    ],
)
def test_a_result_names_what_is_missing(require, missing):
    [found] = results(requirement(require), "element_de_contexte\n AR", code="15804").rows(named=True)
    assert found["missing"] == missing


def test_lines_judged_and_skipped_are_counted():
    lines = "code | patient\n 15804 | P1\n 15804 | -\n 8857 | P1"
    counts = find_results(prepare(records(lines)), [beside("patient_day")], REFERENCE).counts
    assert counts.select("checked", "skipped", "results").row(0) == (1, 1, 1)


def test_groups_of_codes_follow_the_reference():
    codes = pl.DataFrame({"code": ["15804"], "leaf": ["Visite"], "section": [None], "level1_group": [None]})
    of_leaf = requirement({"fields": ["debut"]}, codes=[], code_groups={"leaf": ["Visite"]})
    assert broken(of_leaf, "code\n 15804\n 8857", Reference(RUN_DATE, codes=codes)) == [1]
    assert broken(of_leaf, "code\n 15804\n 8857") == []


@pytest.mark.parametrize(
    ("require", "scope"),
    [
        ({"fields": ["debut"]}, "row"),
        ({"any_codes": ["19928"], "scope": "patient_day"}, "patient_day"),
        ({"any_codes": ["19928"], "scope": "patient_doctor_day"}, "patient_doctor_day"),
        ({"any_codes": ["19928"], "scope": "patient_doctor_lifetime"}, "patient"),
        ({"any_codes": ["19928"], "scope": "invoice"}, "file"),
    ],
)
def test_the_scope_says_how_the_work_can_be_split(require, scope):
    assert requirement(require).condition.scope == scope


def test_a_code_of_the_same_day_makes_lines_of_a_day_meet():
    assert requirement({"fields": ["debut"]}, unless_same_day_codes=["19928"]).condition.scope == "patient_doctor_day"


@pytest.mark.parametrize(
    ("parameters", "reasons"),
    [
        ({"require": {}}, ["any_codes, any_contexts, no_contexts, fields, any_fields is needed"]),
        ({"require": {"any_codes": ["19928"]}}, ["scope: needed by any_codes"]),
        ({"require": {"fields": ["debut"], "scope": "invoice"}}, ["scope: only with any_codes"]),
        (
            {"require": {"any_contexts": ["AR"], "no_contexts": ["#ar"]}},
            ["any_contexts: all of them are left out by no_contexts"],
        ),
        ({"require": {"fields": ["montant_paye"]}}, ["require.fields.0"]),
        ({"require": {"any_codes": ["1"], "scope": "month"}}, ["require.scope"]),
        ({"require": {"fields": ["debut"], "other": 1}, "max": 3}, ["require.other", "requirement.max"]),
        ({"codes": [], "require": {"fields": ["debut"]}}, ["codes: one of codes, code_groups is needed"]),
        ({"require": {"scope": "invoice"}}, ["is needed", "scope: only with any_codes"]),
    ],
)
def test_what_cannot_be_is_refused_with_field_and_reason(parameters, reasons):
    with pytest.raises(RuleError) as refused:
        rule({"type": "requirement", "codes": ["15804"]} | parameters)
    assert [reason for reason in reasons if reason not in str(refused.value.facts["faults"])] == []


def test_a_requirement_reads_back_as_it_was_written():
    written = beside("invoice")
    assert rule(written.condition.model_dump(mode="json", exclude_defaults=True)) == written
