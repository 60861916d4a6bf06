import json
from dataclasses import replace

import pytest
from click.testing import CliRunner
from pydantic import SecretStr

from dashlib import cli, delivery
from dashlib.periodicals import Written

pytestmark = pytest.mark.database
MONDAYS = ("--cron", "0 6 * * 1")


@pytest.fixture
def run(wb, monkeypatch, tmp_path):
    """Runs a command in a clean folder, against the test's own database."""
    monkeypatch.setattr(cli.desk.Desk, "open", lambda _: wb)
    monkeypatch.setattr(cli.desk.Desk, "settings", wb.settings)
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(cli.main, [str(a) for a in arguments], catch_exceptions=False)


def test_a_schedule_is_added_listed_and_removed(run, tmp_path):
    assert "Aucun horaire" in run("schedule", "list").stdout
    added = run("schedule", "add", "weekly", *MONDAYS, "--lang", "en", "--out", "rapports", "--place", "54999")
    assert "Horaire weekly\u00a0: prochain rapport le" in added.stdout
    assert "à 6\u00a0h\u00a000" in added.stdout
    assert "dashlib worker" in added.stderr
    assert "hebdomadaire  0 6 * * 1" in run("schedule", "list").stdout
    kept = json.loads(run("schedule", "list", "--json").stdout)
    assert (kept["name"], kept["enabled"], kept["options"]["place"]) == ("weekly", True, "54999")
    assert (kept["options"]["lang"], kept["options"]["out"]) == ("en", str(tmp_path / "rapports"))
    assert run("schedule", "remove", "weekly").exit_code == 0
    assert run("schedule", "list", "--json").stdout == ""


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("weekly", "--cron", "nonsense", "--out", "."), "DL-SCHED-001"),
        (("daily", *MONDAYS, "--out", "."), "DL-SCHED-002"),
        (("weekly", *MONDAYS, "--out", ".", "--formats", "html,docx"), "DL-SCHED-003"),
        (("weekly", *MONDAYS, "--out", "/dev/null/x"), "DL-OUT-001"),
        (("weekly", *MONDAYS, "--out", ".", "--colour", "red"), "--colour"),
        (("weekly", "--out", "."), "--cron"),
    ],
)
def test_what_cannot_be_scheduled_ends_with_2_and_a_sentence(run, arguments, code):
    done = run("schedule", "add", *arguments)
    assert done.exit_code == 2
    assert code in done.stderr


@pytest.mark.parametrize("command", ["run", "remove", "history", "pause", "resume"])
def test_a_schedule_that_is_not_there_ends_with_8(run, command):
    done = run("schedule", command, "nothing")
    assert done.exit_code == 8
    assert "DL-SCHED-404" in done.stderr


def test_a_schedule_with_readers_says_when_no_mail_can_leave(run):
    added = run("schedule", "add", "weekly", *MONDAYS, "--out", ".", "--mail", "a@b.ca, c@d.ca", "--mail", "e@f.ca")
    assert "DL-MAIL-001" in added.stderr
    assert json.loads(run("schedule", "list", "--json").stdout)["options"]["mail"] == ["a@b.ca", "c@d.ca", "e@f.ca"]


def test_a_schedule_with_readers_and_a_server_says_nothing_of_mail(run, wb, monkeypatch):
    there = {"smtp_url": SecretStr("smtp://127.0.0.1"), "mail_from": "d@b.ca"}
    monkeypatch.setattr(cli.desk.Desk, "settings", replace(wb).settings.model_copy(update=there))
    assert "MAIL" not in run("schedule", "add", "weekly", *MONDAYS, "--out", ".", "--mail", "a@b.ca").stderr


@pytest.mark.parametrize(("missing", "exit_code"), [((), 0), (("pdf",), 7)])
def test_a_report_made_now_says_where_it_is_and_what_it_lacks(run, tmp_path, monkeypatch, missing, exit_code):
    run("schedule", "add", "weekly", *MONDAYS, "--out", "rapports")
    written = Written((tmp_path / "rapports" / "r.html",), missing, "sujet", "texte")
    monkeypatch.setattr(delivery.periodicals, "write", lambda *_, **__: written)
    for _ in range(2):
        done = run("schedule", "run", "weekly")
        assert done.exit_code == exit_code
        assert "r.html" in done.stdout
        assert ("pdf" in done.stderr) == bool(missing)
    told = json.loads(run("schedule", "history", "weekly", "--json").stdout)
    assert (told["status"], told["failed_sections"]) == ("partial" if missing else "done", list(missing))
    assert ("incomplet" if missing else "fait") in run("schedule", "history").stdout
    assert ("partial" if missing else "done") in run("--lang", "en", "schedule", "history").stdout


def test_a_report_of_a_week_without_lines_ends_with_8_and_its_history_says_why(run):
    run("schedule", "add", "monthly", *MONDAYS, "--out", "rapports")
    assert run("schedule", "run", "monthly").exit_code == 8
    assert "DL-REP-404" in run("schedule", "history").stdout


def test_a_schedule_rests_and_wakes(run):
    run("schedule", "add", "weekly", *MONDAYS, "--out", ".")
    assert "en pause" in run("schedule", "pause", "weekly").stdout
    assert "en pause" in run("schedule", "list").stdout
    run("schedule", "resume", "weekly")
    assert "en pause" not in run("schedule", "list").stdout


def test_a_worker_that_is_told_once_ends_when_nothing_is_due(run):
    done = run("worker", "--once")
    assert (done.exit_code, done.output) == (0, "")
