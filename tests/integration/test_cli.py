import json

import polars as pl
import pytest
from click.testing import CliRunner

from dashlib import cli
from tests.exports import HEADER, export, line

pytestmark = pytest.mark.database
NAM = "TEST80010112"


@pytest.fixture
def run(wb, monkeypatch, tmp_path):
    """Runs a command in a clean folder, against the test's own database."""
    monkeypatch.setattr(cli, "open_workbench", lambda _: wb)
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(cli.main, [str(a) for a in arguments], catch_exceptions=False)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "factures.csv"
    path.write_text(
        export(line(facture="900000001"), line(facture="900000002"), line(facture="900000003", date="2026-03-04"))
    )
    return path


def test_validate_says_what_was_found_in_french_with_money_in_three_sums(run, file):
    done = run("validate", "--run-date", "2025-03-31", file)
    assert done.exit_code == 0
    for words in (
        "Exécution 1",
        "Lignes en erreur",
        "à risque 49,15\u00a0$",
        "à rembourser 0,00\u00a0$",
        "gain possible",
        "DQ_FUTURE_DATE",
    ):
        assert words in done.stdout
    assert NAM not in done.output


def test_validate_speaks_english_when_asked(run, file):
    done = run("--lang", "en", "validate", "--run-date", "2025-03-31", file)
    assert "Lines in error" in done.stdout
    assert "at risk $49.15" in done.stdout


def test_fail_on_returns_1_when_a_result_is_as_grave(run, file):
    assert run("validate", "--run-date", "2025-03-31", "--fail-on", "error", file).exit_code == 1
    assert run("validate", "--run-date", "2026-03-31", "--fail-on", "error", file).exit_code == 0
    assert run("validate", "--run-date", "2026-03-31", "--fail-on", "warning", file).exit_code == 1


def test_a_refused_file_returns_3_and_a_sentence_for_each_fault(run, tmp_path):
    path = tmp_path / "bad.csv"
    path.write_text(HEADER + "\n")
    done = run("validate", path)
    assert done.exit_code == 3
    assert "DL-EMPTY-002" in done.stderr
    assert "Traceback" not in done.output


def test_a_file_that_is_not_there_returns_3_and_says_so(run, tmp_path):
    done = run("validate", tmp_path / "nothing.csv")
    assert done.exit_code == 3
    assert "nothing.csv" in done.stderr


def test_rejected_lines_return_7_and_can_be_listed(run, tmp_path):
    path = tmp_path / "some.csv"
    path.write_text(export(line(), line(facture="900000002", debut="10:00"), line(date="2025-02-30")))
    done = run("validate", "--run-date", "2025-03-31", path)
    assert done.exit_code == 7
    assert "1 ligne rejetée" in done.stdout
    listed = run("records", "last", "--rejected", "--json")
    assert json.loads(listed.stdout)["error_code"] == "DL-DATE-002"


def test_a_refused_file_among_others_does_not_stop_them(run, file, tmp_path):
    done = run("validate", "--run-date", "2025-03-31", tmp_path / "nothing.csv", file)
    assert done.exit_code == 3
    assert "Exécution 1" in done.stdout


def test_runs_show_results_records_and_logs_speak_json(run, file):
    run("validate", "--run-date", "2025-03-31", file)
    for command in (("runs",), ("show", "last"), ("results", "last"), ("records", "last"), ("logs", "last")):
        done = run(*command, "--json")
        rows = [json.loads(row) for row in done.stdout.splitlines()]
        assert rows, command
        assert NAM not in done.output
    assert json.loads(run("show", "1", "--json").stdout)["at_risk"] == "49.15"


def test_results_go_to_a_csv_for_a_spreadsheet(run, file, tmp_path):
    run("validate", "--run-date", "2025-03-31", file)
    assert run("results", "last", "--csv", tmp_path / "out.csv").exit_code == 0
    written = pl.read_csv(tmp_path / "out.csv", separator=";", infer_schema=False)
    assert "DQ_FUTURE_DATE" in written["rule_id"].to_list()
    assert (tmp_path / "out.csv").read_bytes().startswith(b"\xef\xbb\xbf")


def test_results_can_be_of_one_rule_or_severity(run, file):
    run("validate", "--run-date", "2025-03-31", file)
    rows = [json.loads(row) for row in run("results", "last", "--severity", "error", "--json").stdout.splitlines()]
    assert {row["severity"] for row in rows} == {"error"}
    rows = [json.loads(row) for row in run("results", "last", "--rule", "DQ_FUTURE_DATE", "--json").stdout.splitlines()]
    assert [row["row_number"] for row in rows] == [3]


def test_a_table_shows_the_first_rows_and_says_how_many_more_there_are(run, file):
    run("validate", "--run-date", "2025-03-31", file)
    done = run("records", "last", "--limit", "1")
    assert len(done.stdout.splitlines()) == 2
    assert "2 autres lignes" in done.stderr


def test_a_file_validated_before_is_said_to_be_known(run, file):
    run("validate", "--run-date", "2025-03-31", file)
    done = run("validate", "--run-date", "2025-03-31", file)
    assert "Déjà validé" in done.stderr
    assert "Exécution 1" in done.stdout


def test_a_run_that_is_not_there_returns_8(run):
    for command in ("show", "results", "records", "logs"):
        done = run(command, "99")
        assert done.exit_code == 8
        assert "DL-RUN-404" in done.stderr


def test_an_unknown_option_returns_2(run):
    assert run("validate", "--nonsense").exit_code == 2


def test_formulas_in_an_exported_cell_are_made_text(run, tmp_path):
    from dashlib.display import write_csv

    write_csv(pl.DataFrame({"message": ["=1+1", " ＝1", "'@x", "-49,15", "plain"]}), tmp_path / "x.csv", "fr")
    written = pl.read_csv(tmp_path / "x.csv", separator=";")["message"].to_list()
    assert written == ["'=1+1", "' ＝1", "''@x", "-49,15", "plain"]
