import json

import polars as pl
import pytest
import sqlalchemy as sa

from dashlib import display
from dashlib.errors import NotFound
from dashlib.reports import Report
from dashlib.runs import find_run
from dashlib.schema import ValidationRun
from tests.exports import HEADER, export, line

pytestmark = pytest.mark.database
NAM = "TEST80010112"


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


def test_what_only_awaits_an_answer_is_no_gain_and_told_apart(run, file):
    done = run("validate", "--run-date", "2025-03-31", file)
    assert "gain possible 0,00\u00a0$ · en attente de réponse 98,30\u00a0$" in done.stdout
    assert json.loads(run("show", "last", "--json").stdout)["gain"] == "0.00"


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


def test_a_file_that_is_not_there_returns_8_and_says_so(run, tmp_path):
    done = run("validate", tmp_path / "nothing.csv")
    assert done.exit_code == 8
    assert "nothing.csv" in done.stderr


def test_rejected_lines_return_7_and_can_be_listed(run, tmp_path):
    path = tmp_path / "some.csv"
    path.write_text(export(line(), line(facture="900000002", debut="10:00"), line(date="2025-02-30")))
    done = run("validate", "--run-date", "2025-03-31", path)
    assert done.exit_code == 7
    assert "1 ligne rejetée" in done.stdout
    listed = run("records", "last", "--rejected", "--json")
    assert json.loads(listed.stdout)["error_code"] == "DL-DATE-002"


def test_a_refused_file_among_others_does_not_stop_them_and_the_gravest_code_is_returned(run, file, tmp_path):
    done = run("validate", "--run-date", "2025-03-31", tmp_path / "nothing.csv", file)
    assert done.exit_code == 8
    (tmp_path / "bad.csv").write_text(HEADER + "\n")
    assert run("validate", tmp_path / "nothing.csv", tmp_path / "bad.csv").exit_code == 3
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


@pytest.mark.parametrize(
    ("lang", "titles", "severity"),
    [
        ("fr", ["Constat", "Gravité", "Règle", "Ligne", "Date", "Facture", "Code", "Montant"], "✕\u00a0Erreur"),
        ("en", ["Result", "Severity", "Rule", "Line", "Date", "Invoice", "Code", "Amount"], "✕\u00a0Error"),
    ],
)
def test_a_table_of_results_is_in_the_language_of_its_reader(run, file, lang, titles, severity):
    run("validate", "--run-date", "2025-03-31", file)
    shown = run("--lang", lang, "results", "last", "--severity", "error").stdout
    assert shown.splitlines()[0].split()[:8] == titles
    assert severity in shown


def test_results_for_a_program_or_a_spreadsheet_and_records_keep_the_names_of_the_columns(run, file, tmp_path):
    run("validate", "--run-date", "2025-03-31", file)
    told = json.loads(run("results", "last", "--severity", "error", "--json").stdout.splitlines()[0])
    assert (told["severity"], told["row_number"]) == ("error", 3)
    run("results", "last", "--csv", tmp_path / "out.csv")
    assert "severity;rule_id" in (tmp_path / "out.csv").read_text("utf-8-sig").splitlines()[0]
    assert "row_number  facture" in run("records", "last").stdout


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


def stop_working(wb, **figures):
    with wb.database.connect() as connection:
        connection.execute(sa.update(ValidationRun).values(status="processing", **figures))


def test_a_run_that_is_not_completed_has_no_report(run, file, wb):
    run("validate", "--run-date", "2025-03-31", file)
    stop_working(wb)
    done = run("report", "1")
    assert done.exit_code == 8
    assert "DL-RUN-406\u00a0: L'exécution 1 n'est pas terminée" in done.stderr


def test_the_sections_of_a_report_are_refused_too(run, file, wb):
    run("validate", "--run-date", "2025-03-31", file)
    stop_working(wb)
    with pytest.raises(NotFound, match="DL-RUN-406"):
        _ = Report(wb, str(find_run(wb, 1).id)).summary


def test_a_card_number_in_the_name_of_a_file_is_shown_nowhere(run, tmp_path):
    path = tmp_path / f"fact {NAM}\x1b[31m.csv"
    path.write_text(export(line()))
    for command in (("validate", path), ("runs",), ("runs", "--json"), ("show", "1"), ("show", "1", "--json")):
        done = run(*command)
        assert "fact …" in done.stdout
        assert NAM not in done.output
        assert "\x1b" not in done.output


def test_a_failed_run_says_why_in_whole_and_where(run, tmp_path, monkeypatch):
    monkeypatch.setattr(display, "QUICK_S", 600)
    path = tmp_path / "bad.csv"
    path.write_bytes(export(line(), line()).replace(HEADER, HEADER.replace("Code", "Kode")).encode())
    told = run("validate", path).stderr.splitlines()
    shown = run("show", "1").stdout.splitlines()
    assert shown[1] == told[0].replace("✕ ", "✕ Échec : ")
    assert len(shown) == len(told) + 1
    assert "…" not in shown[1]


def test_a_failed_run_is_not_told_with_holes_in_english(run, wb, tmp_path):
    (tmp_path / "bad.csv").write_text(export(*(line(date="2025-02-30") for _ in range(12))))
    run("validate", tmp_path / "bad.csv")
    said = run("--lang", "en", "show", "1").stdout.splitlines()[1]
    assert said.startswith("✕ Failed: DL-FILE-001")
    assert "…" not in said
    assert "12" in said


def test_every_fault_of_a_failed_run_is_shown_with_its_lines(run, wb, tmp_path):
    (tmp_path / "bad.csv").write_text(export(*(line(date="2025-02-30") for _ in range(12))))
    run("validate", tmp_path / "bad.csv")
    assert (
        "DL-DATE-002: Impossible date, column Date de Service, line 2, 3, 4" in run("--lang", "en", "show", "1").stdout
    )


@pytest.mark.parametrize(
    "command",
    [
        ("runs", "--last", "0"),
        ("results", "last", "--limit", "0"),
        ("records", "last", "--limit", "-1"),
        ("dashboards", "--port", "70000"),
        ("db", "migrate", "--to", "nope"),
        ("db", "downgrade", "nope"),
        ("results", "last", "--csv", "/dev/null/x.csv"),
        ("demo-data", "/dev/null/x.csv"),
    ],
)
def test_what_cannot_be_asked_for_returns_2_and_a_sentence(run, file, wb, monkeypatch, command):
    monkeypatch.setattr("dashlib.database.open_database", lambda *_, **__: wb.database)
    run("validate", "--run-date", "2025-03-31", file)
    done = run(*command)
    assert done.exit_code == 2
    assert done.stderr


def test_a_folder_that_cannot_be_written_is_named(run, file):
    run("validate", "--run-date", "2025-03-31", file)
    for command in (("results", "last", "--csv"), ("demo-data",)):
        assert "/dev/null/there" in run(*command, "/dev/null/there/x.csv").stderr


def test_a_run_that_was_killed_is_not_shown_as_under_way(run, file, wb):
    for command in (("runs",), ("show", "1")):
        run("validate", "--run-date", "2025-03-31", file)
        stop_working(wb)
        done = run(*command)
        assert "en cours" not in done.stdout.lower()
        assert "échou" in done.stdout or "ne répond plus" in done.stdout


def test_the_language_of_the_settings_file_is_spoken(run, file, tmp_path):
    (tmp_path / "settings").write_text("DASHLIB_LANG=en\n")
    assert "No run yet" in run("--env-file", tmp_path / "settings", "runs").stdout
    assert "Aucune" in run("--env-file", tmp_path / "settings", "--lang", "fr", "runs").stdout


def test_rejected_lines_are_explained_in_english_when_asked(run, tmp_path):
    path = tmp_path / "some.csv"
    path.write_text(export(line(), line(facture="900000002", debut="10:00"), line(date="2025-02-30")))
    run("validate", "--run-date", "2025-03-31", path)
    done = run("--lang", "en", "results", "last", "--rule", "DL-DATE-002", "--json")
    assert json.loads(done.stdout)["message"].startswith(
        "DL-DATE-002: Impossible date, column Date de Service, line 4."
    )


def test_results_are_counted_beyond_the_limit(run, file):
    run("validate", "--run-date", "2025-03-31", file)
    every = run("results", "last", "--json").stdout.splitlines()
    done = run("results", "last", "--limit", "1")
    assert len(done.stdout.splitlines()) == 2
    assert f"et {len(every) - 1} autre" in done.stderr
    assert run("results", "last", "--severity", "error", "--limit", "1").stderr == ""


def test_a_number_of_run_beyond_all_numbers_is_none(run, file):
    for wanted in ("9" * 30, "last~" + "9" * 30, "abc%", "____"):
        assert run("show", wanted).exit_code == 8


def test_demo_data_does_not_replace_a_file_unless_told_to(run, file):
    before = file.read_bytes()
    done = run("demo-data", "--rows", "5", file)
    assert (done.exit_code, file.read_bytes()) == (2, before)
    assert "DL-OUT-002" in done.stderr
    assert run("demo-data", "--rows", "5", "--force", file).exit_code == 0
    assert file.read_bytes() != before


def test_a_csv_of_results_is_for_its_owner_and_has_amounts_as_french_spreadsheets_read_them(run, file, tmp_path):
    run("validate", "--run-date", "2025-03-31", file)
    run("results", "last", "--csv", tmp_path / "out.csv")
    assert (tmp_path / "out.csv").stat().st_mode & 0o777 == 0o600
    assert ";49,15;" in (tmp_path / "out.csv").read_text("utf-8-sig")
