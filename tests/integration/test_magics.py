import re

import polars as pl
import pytest
from IPython.core.interactiveshell import InteractiveShell

from dashlib.magics import DashMagics
from dashlib.settings import Settings
from tests.integration import loading

pytestmark = pytest.mark.database


@pytest.fixture
def shell(wb):
    """IPython as a kernel has it, with the magics on the test's database."""
    made = InteractiveShell()
    magics = DashMagics(made)
    magics.wb = wb
    made.register_magics(magics)
    yield made
    made.history_manager.end_session()


@pytest.fixture
def cell(shell, capsys):
    """Runs a cell; gives what it showed as text, or how it failed."""

    def run(source):
        done = shell.run_cell(source)
        said = capsys.readouterr()
        return re.sub(r"[\u00a0\u202f]", " ", said.out + said.err), done.success

    return run


def test_a_statement_shows_its_rows_as_people_write_them(cell):
    said, done = cell(
        "%%sql\nSELECT 1234.50 AS montant, 418 AS run, date '2025-06-30' AS jour, 0.33333333 AS part, NULL AS rien"
    )
    assert said.splitlines() == [
        " montant  run  jour          part  rien",
        "1 234,50  418  2025-06-30  0,3333  —",
        "1 ligne, 5 colonnes",
    ]
    assert done


def test_an_answer_is_kept_as_a_frame_under_a_name_and_values_come_from_the_notebook(cell, shell):
    said, _ = cell("least = 2\n")
    said, _ = cell("%%sql kept =\nSELECT n FROM generate_series(1, 3) AS n WHERE n >= :least")
    assert said == "kept : 2 lignes, 1 colonne\n"
    assert shell.user_ns["kept"].equals(pl.DataFrame({"n": [2, 3]}))


def test_a_variable_is_never_pasted(cell):
    cell('role = "1; RESET ROLE"')
    assert (
        cell("%sql SELECT '{role}' AS a, '$role' AS b, :role AS c")[0].splitlines()[1] == "{role}  $role  1; RESET ROLE"
    )


def test_of_many_rows_the_first_are_shown_and_that_is_said(cell):
    said, _ = cell("%%sql\nSELECT * FROM generate_series(1, 20000) AS n")
    lines = said.splitlines()
    assert len(lines) == 53
    assert (
        lines[-2]
        == "10 000 lignes, 1 colonne, dont les 50 premières sont montrées. Pour les garder toutes : %%sql nom ="
    )
    assert lines[-1].startswith("Il y a plus de 10 000 lignes ; les autres n'ont pas été lues.")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("%%sql\nSELECT patient FROM public.billing_records", "✕ DL-SQL-003 : cette requête veut autre chose"),
        ("%%sql class =\nSELECT 1 AS x", "✕ DL-SQL-015 : « class » ne peut pas nommer"),
        ("%sql_views v_nothing", "✕ DL-SQL-014 : « v_nothing » ne nomme aucune vue."),
        ("%run_card 999", "✕ DL-RUN-404"),
        ("%why hello", "✕ DL-WHY-001"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_the_cell_has_failed(cell, source, said):
    shown, done = cell(source)
    assert shown.startswith(said)
    assert shown.count("\n") == 1
    assert not done


def test_it_speaks_the_language_of_the_settings(cell, shell, wb):
    object.__setattr__(wb, "settings", Settings(DATABASE_URL=None, lang="en", home=wb.settings.home))
    assert cell("%%sql\nSELECT 1234.50 AS amount")[0].splitlines()[1:] == ["1,234.50", "1 row, 1 column"]
    assert cell("%sql SELECT :nothing")[0].startswith("✕ DL-SQL-006: “:nothing” has no value.")


def test_views_and_their_columns_are_told(cell):
    assert "v_days " in cell("%sql_views")[0]
    said, _ = cell("%sql_views v_doctor_days")
    assert "walk_in_paid     integer  patients sans rendez-vous dont une ligne est payée" in said
    assert said.splitlines()[-1].startswith("Les patients d’une journée d’un médecin")


def test_a_run_is_shown_in_short(cell, wb):
    with wb.database.connect() as connection:
        run = loading.run(connection, wb.viewer.id)
        loading.load(connection, run)
    assert cell("%run_card last")[0].startswith("Exécution 1 · ")
