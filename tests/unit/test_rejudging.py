import polars as pl

from dashlib.comparison import stakes_of, with_stakes
from dashlib.records import prepare
from dashlib.rejudging import judge_again
from tests.tables import REFERENCE, records, rule

LIMIT = {"type": "frequency_limit", "codes": ["15804"], "max": 1}
PLACE = rule(LIMIT | {"per": "establishment", "period": "lifetime"}, name="PLACE")
PATIENT = rule(LIMIT | {"per": "patient", "period": "lifetime"}, name="PATIENT")
DOCTOR = rule(LIMIT | {"per": "doctor", "period": "lifetime"}, name="DOCTOR")
INVOICE = rule(
    {"type": "prohibition", "codes": ["15804"], "with_codes": ["08857"], "scope": "invoice"},
    name="INVOICE",
)
DAY = rule(LIMIT | {"per": "patient", "period": "day"}, name="DAY")
SILENCED = rule(
    {"type": "data_quality", "check": "paid_above_preliminary", "unless_rules": ["INVOICE"]},
    name="SILENCED",
)


def again(rules, before: str, after: str):
    """What is judged again when the first table becomes the second."""
    sides = [prepare(records(table)) for table in (before, after)]
    found = judge_again(*sides, rules, REFERENCE)
    money = [stakes_of(with_stakes(r, s))["at_risk"] for r, s in zip((found.before, found.after), sides, strict=True)]
    return said(found.before), said(found.after), found, money[1] - money[0]


def said(results: pl.DataFrame) -> list[tuple]:
    return results.select("row_number", "rule_id").rows()


def test_only_the_group_of_the_line_is_judged_and_a_line_that_leaves_it_frees_the_other():
    before, after, found, money = again(
        [DAY],
        """
        patient | code
        A       | 15804
        A       | 15804
        B       | 15804
        B       | 15804
        """,
        """
        patient | code
        A       | 08857
        A       | 15804
        B       | 15804
        B       | 15804
        """,
    )
    assert (before, after) == ([(2, "DAY")], [])
    assert found.lines.to_list() == [1, 2]
    assert (found.judged, money) == (2, -10)


def test_a_line_that_enters_a_group_is_counted_there():
    before, after, found, _ = again(
        [DAY],
        """
        patient | code
        A       | 15804
        B       | 15804
        """,
        """
        patient | code
        B       | 15804
        B       | 15804
        """,
    )
    assert (before, after) == ([], [(2, "DAY")])
    assert found.lines.to_list() == [1, 2]


def test_a_line_that_is_taken_back_elsewhere_leaves_its_own_groups():
    before, after, _, _ = again(
        [PLACE],
        """
        patient | code  | lieu_de_pratique | montant_paye
        A       | 15804 | 54001            | 10,00
        B       | 15804 | 54001            | 0,00
        A       | 15804 | 54002            | 0,00
        """,
        """
        patient | code  | lieu_de_pratique | montant_paye
        A       | 15804 | 54001            | 10,00
        B       | 15804 | 54001            | 0,00
        A       | 15804 | 54002            | -10,00
        """,
    )
    assert (before, after) == ([(2, "PLACE")], [])


def test_what_other_rules_say_of_a_line_concerned_is_known_too():
    before, after, _, money = again(
        [PATIENT, DOCTOR],
        """
        patient | code  | doctor
        A       | 15804 | D1
        A       | 15804 | D2
        B       | 15804 | D2
        C       | 15804 | D2
        """,
        """
        patient | code  | doctor
        A       | 08857 | D1
        A       | 15804 | D2
        B       | 15804 | D2
        C       | 15804 | D2
        """,
    )
    assert before == [(2, "PATIENT")]
    assert after == []
    assert money == -10


def test_a_line_that_stays_in_error_by_another_rule_stays_at_risk():
    before, after, _, money = again(
        [PATIENT, DOCTOR],
        """
        patient | code  | doctor
        B       | 15804 | D2
        A       | 15804 | D1
        A       | 15804 | D2
        """,
        """
        patient | code  | doctor
        B       | 15804 | D2
        A       | 08857 | D1
        A       | 15804 | D2
        """,
    )
    assert before == [(3, "DOCTOR"), (3, "PATIENT")]
    assert after == [(3, "DOCTOR")]
    assert money == 0


def test_a_rule_of_the_whole_file_reaches_lines_of_other_people():
    before, after, found, _ = again(
        [INVOICE],
        """
        patient | doctor | code  | facture
        A       | D1     | 15804 | F1
        B       | D2     | 08857 | F1
        """,
        """
        patient | doctor | code  | facture
        A       | D1     | 15804 | F1
        B       | D2     | 15805 | F1
        """,
    )
    assert (before, after) == ([(1, "INVOICE")], [])
    assert found.lines.to_list() == [1, 2]


def test_a_rule_that_was_silent_because_of_another_speaks_when_that_one_stops():
    before, after, _, _ = again(
        [SILENCED, INVOICE],
        """
        patient | doctor | code  | facture | montant_paye
        A       | D1     | 15804 | F1      | 11,00
        B       | D2     | 08857 | F1      | 0,00
        """,
        """
        patient | doctor | code  | facture | montant_paye
        A       | D1     | 15804 | F1      | 11,00
        B       | D2     | 15805 | F1      | 0,00
        """,
    )
    assert (before, after) == ([(1, "INVOICE")], [(1, "SILENCED")])


def test_lines_without_patient_are_in_no_group():
    _, _, found, _ = again(
        [DAY],
        """
        patient | code
        -       | 15804
        -       | 15804
        """,
        """
        patient | code
        -       | 15804
        A       | 15804
        """,
    )
    assert found.lines.to_list() == [2]


def test_nothing_is_judged_when_nothing_changes():
    table = """
        patient | code
        A       | 15804
        A       | 15804
    """
    before, after, found, money = again([DAY], table, table)
    assert (before, after, found.lines.to_list(), found.judged, money) == ([], [], [], 0, 0)


def test_advice_that_asks_a_rule_of_a_wider_scope_is_judged_where_that_rule_reports():
    suggested = {"type": "opportunity", "strategy": "suggest_context", "rule": "PATIENT", "contexts": ["ICEP"]}
    before, after, *_ = again(
        [PATIENT, rule(suggested, name="ADVICE")],
        """
        patient | doctor | code  | date_de_service
        A       | D1     | 08857 | 2025-03-03
        A       | D2     | 15804 | 2025-03-04
        B       | D2     | 15804 | 2025-03-01
        B       | D2     | 15804 | 2025-03-04
        """,
        """
        patient | doctor | code  | date_de_service
        A       | D1     | 15804 | 2025-03-03
        A       | D2     | 15804 | 2025-03-04
        B       | D2     | 15804 | 2025-03-01
        B       | D2     | 15804 | 2025-03-04
        """,
    )
    assert before == [(4, "ADVICE"), (4, "PATIENT")]
    assert after == [(2, "ADVICE"), (2, "PATIENT"), (4, "PATIENT")]
