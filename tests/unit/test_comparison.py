from decimal import Decimal

import polars as pl
import pytest

from dashlib.comparison import STAKES, compare, line_texts, stakes_of, with_stakes
from dashlib.records import prepare
from tests.tables import cells, records

LINES = """
    code  | montant_preliminaire | montant_paye
    15804 | 10,00                | 0,00
    15804 | 20,00                | 18,00
    15804 | 30,00                | 0,00
    15805 | 40,00                | 40,00
    15805 | -40,00               | -40,00
    15806 | -5,00                | 0,00
"""


def results(table: str) -> pl.DataFrame:
    rows = [{name: None if cell == "-" else cell for name, cell in row.items()} for row in cells(table)]
    amounts = [pl.col(name).cast(pl.Decimal(38, 2)) for name in (*STAKES, "amount") if name in rows[0]]
    numbers = [pl.col(name).cast(pl.Int64) for name in ("row_number",) if name in rows[0]]
    return pl.DataFrame(rows, infer_schema_length=None).with_columns(*amounts, *numbers)


def compared(table: str) -> pl.DataFrame:
    return results(table).with_columns(gain=pl.lit(0, pl.Decimal(38, 2)), to_repay=pl.lit(0, pl.Decimal(38, 2)))


BEFORE = compared("""
    fingerprint | rule_id | row_number | at_risk
    A           | KEPT    | 1          | 10
    B           | KEPT    | 2          | 20
    C           | MOVED   | 3          | 30
    D           | MOVED   | 4          | 40
    E           | OFF     | 5          | 50
""")
AFTER = compared("""
    fingerprint | rule_id | row_number | at_risk
    A           | KEPT    | 1          | 11
    F           | KEPT    | 2          | 60
    G           | KEPT    | 2          | 60
    C           | MOVED   | 3          | 30
    H           | MOVED   | 7          | 70
""")


def test_what_a_result_puts_at_stake_depends_on_its_line_and_severity():
    found = results("""
        row_number | severity | category    | amount
        1          | error    | quality     | 10
        2          | error    | quality     | 20
        3          | warning  | quality     | 30
        4          | error    | quality     | 40
        5          | error    | quality     | -40
        6          | error    | quality     | -5
        3          | info     | opportunity | 7
        9          | error    | file        | -
    """)
    staked = with_stakes(found, prepare(records(LINES))).select(STAKES)
    assert [[str(cad) for cad in row] for row in staked.rows()] == [
        ["10.00", "0.00", "0.00"],
        ["0.00", "18.00", "0.00"],
        ["0.00", "0.00", "0.00"],
        ["0.00", "0.00", "0.00"],
        ["0.00", "0.00", "0.00"],
        ["0.00", "0.00", "0.00"],
        ["0.00", "0.00", "7.00"],
        ["0.00", "0.00", "0.00"],
    ]


def test_a_line_counts_once_however_many_results_it_has_and_advice_each_time():
    found = results("""
        row_number | at_risk | to_repay | gain
        1          | 10      | 0        | 0
        1          | 10      | 0        | 0
        2          | 0       | 18       | 3
        2          | 0       | 18       | 4
    """)
    assert stakes_of(found) == {"at_risk": Decimal(10), "to_repay": Decimal(18), "gain": Decimal(7)}


def test_money_that_one_result_does_not_tell_is_not_known():
    found = results("""
        row_number | at_risk | to_repay | gain
        1          | 10      | 0        | 0
        2          | -       | -        | -
    """)
    assert stakes_of(found) == {"at_risk": None, "to_repay": None, "gain": None}


def test_results_are_new_fixed_or_persisting_unless_their_rule_changed():
    found = compare(BEFORE, AFTER, changed={"OFF", "MOVED"})
    assert found.new["fingerprint"].to_list() == ["F", "G"]
    assert found.fixed["fingerprint"].to_list() == ["B"]
    assert found.persisting.select("fingerprint", "at_risk").rows() == [("A", Decimal(11))]
    assert found.rule_changed.select("fingerprint", "was").rows() == [
        ("H", "new"),
        ("D", "fixed"),
        ("E", "fixed"),
        ("C", "persisting"),
    ]


def test_each_kind_has_its_own_sums_and_those_of_changed_rules_are_of_what_is_still_there():
    found = compare(BEFORE, AFTER, changed={"OFF", "MOVED"})
    assert found.totals.select("status", "results", "at_risk").rows() == [
        ("new", 2, Decimal(60)),
        ("fixed", 1, Decimal(20)),
        ("persisting", 1, Decimal(11)),
        ("rule_changed", 4, Decimal(100)),
    ]


def test_two_runs_without_results_have_nothing_in_common_and_nothing_apart():
    found = compare(BEFORE.clear(), AFTER.clear())
    assert found.totals["results"].to_list() == [0, 0, 0, 0]
    assert found.totals["at_risk"].to_list() == [Decimal(0)] * 4


def text_of(**changes: str) -> str:
    written = {"debut": "09:00", "element_de_contexte": "#G160,AR", "lieu_de_pratique": "00999", "code": "15804"}
    table = records("code\n15804").with_columns(
        **{name: pl.lit(value) for name, value in (written | {"patient": "TEST22510112 - A"} | changes).items()}
    )
    return line_texts(prepare(table))[0]


@pytest.mark.parametrize(
    "changes",
    [
        {"debut": "9:00"},
        {"element_de_contexte": "G160;AR"},
        {"lieu_de_pratique": "999"},
        {"patient": "TEST22510112 - B"},
    ],
)
def test_a_line_written_otherwise_is_the_same_line(changes):
    assert text_of(**changes) == text_of()


@pytest.mark.parametrize(
    "changes",
    [
        {"debut": "09:01"},
        {"debut": "neuf heures"},
        {"element_de_contexte": "#G160"},
        {"patient": "TEST22510113 - A"},
        {"code": "15805"},
        {"role": "2"},
        {"diagnostic": "401"},
        {"facture": "2"},
    ],
)
def test_a_line_that_says_something_else_is_another(changes):
    assert text_of(**changes) != text_of()


def test_an_amount_that_moves_from_one_column_to_the_other_changes_the_line():
    lines = prepare(records(LINES))
    assert line_texts(lines).n_unique() == 6
