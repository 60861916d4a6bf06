import polars as pl
import pytest

from dashlib import texts
from dashlib.display_tables import table, worded

COLUMNS = ["Constat", "Règle", "Montant", "Message"]
ROWS = [
    [
        "418:37",
        "ANNUAL_PERIODIC_VISIT",
        "1\u202f214,50\u00a0$",
        "Visite périodique facturée deux fois en 2025, maximum 1.",
    ],
    ["418:38", "DQ_FUTURE_DATE", "49,15\u00a0$", "La date est à venir."],
]


def drawn(width, columns=COLUMNS, rows=ROWS):
    return table(columns, rows, right=(2,), width=width)


def test_a_table_that_has_room_stands_on_a_line_a_row():
    assert drawn(120) == [
        "Constat  Règle                     Montant  Message",
        "418:37   ANNUAL_PERIODIC_VISIT  1\u202f214,50\u00a0$  Visite périodique facturée deux fois en 2025, maximum 1.",
        "418:38   DQ_FUTURE_DATE            49,15\u00a0$  La date est à venir.",
    ]


def test_a_table_that_has_not_wraps_its_longest_words_and_nothing_else():
    assert drawn(74) == [
        "Constat  Règle                     Montant  Message",
        "418:37   ANNUAL_PERIODIC_VISIT  1\u202f214,50\u00a0$  Visite périodique facturée",
        "                                            deux fois en 2025, maximum 1.",
        "418:38   DQ_FUTURE_DATE            49,15\u00a0$  La date est à venir.",
    ]


def test_columns_that_do_not_fit_stand_on_the_next_line_of_their_row():
    assert drawn(50) == [
        "Constat  Règle                     Montant",
        "  Message",
        "418:37   ANNUAL_PERIODIC_VISIT  1\u202f214,50\u00a0$",
        "  Visite périodique facturée deux fois en 2025,",
        "  maximum 1.",
        "418:38   DQ_FUTURE_DATE            49,15\u00a0$",
        "  La date est à venir.",
    ]


@pytest.mark.parametrize("width", [1, 10, 20, 40, 60, 80, 100])
def test_no_number_and_no_name_is_ever_cut(width):
    words = {word for row in ROWS for cell in row for word in cell.split(" ")}
    assert words <= {word for line in drawn(width) for word in line.split(" ")}


@pytest.mark.parametrize("width", [40, 44, 60, 80, 100, 140])
def test_no_line_is_wider_than_the_terminal(width):
    assert max(map(len, drawn(width))) <= width


def test_where_there_is_no_terminal_nothing_is_wrapped():
    assert max(map(len, drawn(None))) == 100


def test_a_table_without_titles_begins_with_its_first_row():
    assert table(["", ""], [["Source", "P.G. 2.2.6"]], width=80) == ["Source  P.G. 2.2.6"]


def test_results_have_titles_and_severities_in_words():
    results = pl.DataFrame({"result": ["418:37"], "severity": ["error"], "rule_id": ["A"], "acknowledged": ["accepte"]})
    assert worded(results, "fr").to_dicts() == [
        {"Constat": "418:37", "Gravité": "✕\u00a0Erreur", "Règle": "A", "Écarté": texts.text("reason.accepte")}
    ]
    assert list(worded(results, "en").columns) == ["Result", "Severity", "Rule", "Set aside"]


def test_a_column_without_a_word_keeps_its_name():
    assert worded(pl.DataFrame({"montant_paye": [1]}), "fr").columns == ["montant_paye"]
