import json

import pytest
import sqlalchemy as sa

from dashlib.schema import ResultAcknowledgement, ValidationRun
from tests.exports import HEADER, export, line

pytestmark = pytest.mark.database
CARDS = ("TEST80010112", "test 8001 0112", "TEST-8001-0112", "123456789012")

COMMANDS = (
    ("rules", "show", "{}"),
    ("rules", "history", "{}"),
    ("rules", "enable", "{}"),
    ("rules", "set", "{}", "max=2", "--note", "x"),
    ("rules", "set", "DQ_FUTURE_DATE", "{}=2", "--note", "x"),
    ("rules", "set", "DQ_FUTURE_DATE", "where.{}=2", "--note", "x"),
    ("rules", "set", "DQ_FUTURE_DATE", "severity={}", "--note", "x"),
    ("rules", "set", "DQ_FUTURE_DATE", "unless_rules={}", "--note", "x"),
    ("rules", "set", "DQ_FUTURE_DATE", "unless_contexts={}", "--note", "x"),
    ("rules", "set", "DQ_FUTURE_DATE", "message.fr={{{}}}", "--note", "x"),
    ("rules", "preview", "DQ_FUTURE_DATE", "--set", "{}=2"),
    ("rules", "{}"),
    ("results", "last", "--rule", "{}"),
    ("export", "last", "--out", "a.csv", "--rule", "{}"),
    ("results", "last", "--severity", "{}"),
    ("results", "{}"),
    ("results", "last", "--limit", "{} a"),
    ("why", "{}"),
    ("why", "last:{}"),
    ("diff", "last", "{}"),
    ("reference", "set", "contexts", "{}", "description=x"),
    ("reference", "set", "codes", "15804", "{}=x"),
    ("reference", "set", "establishments", "{}", "name=x"),
    ("reference", "remove", "codes", "{}"),
    ("reference", "import", "{}", "x.csv"),
    ("reference", "import", "codes", "{}.csv"),
    ("reference", "import", "rules", "{}.json"),
    ("validate", "{}.csv"),
    ("whatif", "last", "--edits", "{}.csv"),
    ("results", "last", "--csv", "/dev/null/{}/x.csv"),
    ("--env-file", "{}.env", "db", "status"),
    ("--{}", "runs"),
    ("{}",),
)


@pytest.fixture
def validated(run, tmp_path):
    (tmp_path / "factures.csv").write_text(export(line(), line(facture="9", date="2026-03-04")), "utf-8")
    run("validate", "--run-date", "2025-03-31", "factures.csv")


@pytest.fixture
def failed(run, tmp_path):
    (tmp_path / "empty.csv").write_text(HEADER + "\n", "utf-8")
    run("validate", "empty.csv")


@pytest.mark.parametrize("lang", ["fr", "en"])
@pytest.mark.parametrize("card", CARDS)
def test_no_refusal_quotes_a_health_insurance_number_that_was_typed(run, validated, card, lang):
    done = {command: run("--lang", lang, *(part.format(card) for part in command)) for command in COMMANDS}
    assert [command for command, result in done.items() if not result.exit_code or not result.stderr] == []
    assert [command for command, result in done.items() if card in result.output] == []


def test_a_rules_file_named_and_filled_with_numbers_is_refused_without_them(run, tmp_path):
    (tmp_path / "TEST80010112.json").write_text('[{"name": "test 8001 0112", "TEST-8001-0112": 1}]')
    done = run("reference", "import", "rules", "TEST80010112.json")
    assert done.exit_code == 4
    assert "DL-RULE-001" in done.stderr
    assert "8001" not in done.output


def test_a_health_insurance_number_in_a_note_is_not_kept(run, wb, validated):
    assert run("ack", "last:1", "--reason", "accepte", "--note", "vu avec test 8001 0112").exit_code == 0
    with wb.database.connect() as connection:
        notes = connection.scalars(sa.select(ResultAcknowledgement.note)).all()
    assert notes == ["vu avec [HEALTH-CARD-REDACTED]"]
    run("rules", "set", "DQ_FUTURE_DATE", "severity=warning", "--note", "demande de TEST-8001-0112")
    newest = json.loads(run("rules", "history", "DQ_FUTURE_DATE", "--json").stdout.splitlines()[0])
    assert newest["note"] == "demande de [HEALTH-CARD-REDACTED]"


@pytest.mark.parametrize(
    "command",
    [
        ("validate", "absent.csv"),
        ("whatif", "last", "--edits", "absent.csv"),
        ("reference", "import", "codes", "absent.csv"),
        ("reference", "import", "manual", "absent.html"),
        ("reference", "import", "rules", "absent.json"),
        ("--env-file", "absent.env", "db", "status"),
    ],
)
def test_a_file_that_is_not_there_returns_8_whatever_asks_for_it(run, validated, command):
    done = run(*command)
    assert done.exit_code == 8
    assert "absent." in done.stderr


@pytest.mark.parametrize("name", ["NOPE", "DL-NOPE-001", "zzz zzz"])
def test_results_of_a_rule_that_is_none_return_8(run, validated, name):
    for options in ((), ("--json",), ("--csv", "out.csv")):
        done = run("results", "last", "--rule", name, *options)
        assert (done.exit_code, done.stdout) == (8, "")
        assert "DL-RULE-40" in done.stderr


def test_results_of_a_rule_that_said_nothing_are_none_and_its_name_may_be_in_any_case(run, validated):
    for name in ("ANNUAL_INTAKE_VISIT", "DL-DATE-002"):
        done = run("results", "last", "--rule", name, "--json")
        assert (done.exit_code, done.stdout) == (0, "")
    assert json.loads(run("results", "last", "--rule", "dq_future_date", "--json").stdout)["row_number"] == 2


@pytest.mark.parametrize(("command", "options"), [("results", ()), ("results", ("--json",)), ("report", ())])
def test_a_run_that_failed_or_was_cancelled_says_so_instead_of_showing_nothing(run, wb, failed, command, options):
    done = run(command, "last", *options)
    assert (done.exit_code, done.stdout) == (8, "")
    assert "DL-RUN-408\u00a0: L'exécution 1 a échoué (DL-EMPTY-002)" in done.stderr
    with wb.database.connect() as connection:
        connection.execute(sa.update(ValidationRun).values(error_code="DL-RUN-CANCELLED"))
        connection.commit()
    done = run(command, "last", *options)
    assert (done.exit_code, done.stdout) == (8, "")
    assert "DL-RUN-409\u00a0: L'exécution 1 a été annulée" in done.stderr


@pytest.mark.parametrize("command", [("results", "last"), ("records", "last"), ("logs", "last")])
def test_json_keeps_to_the_limit_and_says_how_many_were_left_out(run, validated, command):
    whole = run(*command, "--json")
    assert whole.stderr == ""
    first = run(*command, "--json", "--limit", "1")
    assert first.stdout.splitlines() == whole.stdout.splitlines()[:1]
    assert f"et {len(whole.stdout.splitlines()) - 1} autre" in first.stderr


def test_a_comparison_and_a_csv_keep_to_the_limit_too(run, validated, tmp_path):
    every = len(run("diff", "last", "last", "--only", "persisting", "--json").stdout.splitlines())
    done = run("diff", "last", "last", "--only", "persisting", "--json", "--limit", "1")
    assert len(done.stdout.splitlines()) == 1
    assert f"et {every - 1} autre" in done.stderr
    assert f"et {every - 1} autre" in run("results", "last", "--csv", "out.csv", "--limit", "1").stderr
    assert len((tmp_path / "out.csv").read_text("utf-8").splitlines()) == 2
