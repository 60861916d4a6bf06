import json

import pytest

from tests.exports import export, line

pytestmark = pytest.mark.database
LINES = (
    line(facture="900000001", code="15815", date="2025-03-04"),
    line(facture="900000002", code="15815", date="2025-03-11"),
    line(facture="900000003", code="08857", date="2026-03-04", fin="09:40"),
)


@pytest.fixture
def validate(run, tmp_path):
    def validated(*lines, options=()):
        (tmp_path / "factures.csv").write_text(export(*lines), "utf-8")
        return run("validate", "--run-date", "2025-03-31", *options, "factures.csv")

    validated(*LINES)
    return validated


@pytest.fixture
def named(run, validate):
    def find(rule: str, wanted: str = "last") -> str:
        return json.loads(run("results", wanted, "--rule", rule, "--json").stdout.splitlines()[0])["result"]

    return find


def test_results_show_the_name_that_why_takes(run, named):
    shown = run("results", "last", "--rule", "ANNUAL_INTAKE_VISIT").stdout
    assert named("ANNUAL_INTAKE_VISIT") in shown
    assert run("why", named("ANNUAL_INTAKE_VISIT")).exit_code == 0


@pytest.mark.parametrize(
    ("lang", "words"),
    [
        (
            "fr",
            (
                "2 fois en 2025",
                "compté 2 · maximum 1",
                "Source",
                "Lignes comptées",
                "49,15\u00a0$",
                "1, celle",
            ),
        ),
        ("en", ("in 2025", "counted 2 · maximum 1", "Source", "Lines counted", "$49.15", "1, the one in force")),
    ],
)
def test_why_tells_the_rule_the_arithmetic_and_the_lines(run, named, lang, words):
    done = run("--lang", lang, "why", named("ANNUAL_INTAKE_VISIT"))
    assert [word for word in words if word not in done.stdout] == []
    assert "TEST80010112" not in done.output


def test_why_as_json_holds_all_of_it(run, named):
    found = json.loads(run("--lang", "en", "why", named("ANNUAL_INTAKE_VISIT"), "--json").stdout)
    assert found["facts"]["count"] == "2"
    assert [one["row_number"] for one in found["lines"]] == [2, 1]
    assert found["rule"]["condition"]["type"] == "frequency_limit"
    assert found["set_aside"] is None


@pytest.mark.parametrize(("asked", "code"), [("last:99", 8), ("99:1", 8), ("1", 2), ("last", 2), ("last:x", 2)])
def test_a_result_that_is_not_there_returns_8_and_what_is_no_name_2(run, validate, asked, code):
    done = run("why", asked)
    assert done.exit_code == code
    assert "DL-" in done.stderr
    assert run("ack", asked, "--reason", "accepte").exit_code == code
    assert run("unack", asked).exit_code == code


def test_diff_counts_what_is_new_fixed_and_persisting_with_money_apart(run, validate):
    validate(LINES[0], LINES[2])
    done = run("diff", "last~1", "last")
    assert done.exit_code == 0
    for words in ("Exécution 1 → 2", "✚ nouveaux", "✓ réglés", "● persistants", "⟲ règle modifiée", "à rembourser"):
        assert words in done.stdout
    assert "d'une facture absente de l'exécution 2" in done.stdout
    found = json.loads(run("diff", "1", "2", "--json").stdout)
    assert [row["status"] for row in found["totals"]] == ["new", "fixed", "persisting", "rule_changed"]
    fixed = run("diff", "1", "2", "--only", "fixed", "--json").stdout.splitlines()
    assert len(fixed) == found["totals"][1]["results"]
    assert "2 fois en 2025" in run("diff", "1", "2", "--only", "fixed").stdout
    assert "fois en 2025" not in run("--lang", "en", "diff", "1", "2", "--only", "fixed").stdout


def test_diff_says_when_the_reference_tables_were_others(run, validate):
    validate(LINES[0], LINES[2])
    assert "tables de référence" not in run("diff", "1", "2").stdout
    run("reference", "set", "codes", "17238", "description=Entente")
    validate(LINES[0])
    assert "tables de référence" in run("diff", "2", "3").stdout
    assert json.loads(run("diff", "2", "3", "--json").stdout)["reference_changed"] is True


def test_whatif_judges_the_corrections_of_a_file_and_keeps_nothing(run, validate, tmp_path):
    (tmp_path / "corrections.csv").write_text("row_number;date_de_service;montant_paye\n3;2025-03-06;\n")
    before = run("results", "last", "--json").stdout
    done = run("whatif", "last", "--edits", "corrections.csv")
    assert done.exit_code == 0
    for words in ("1 ligne corrigée · rien n'est enregistré", "−49,15\u00a0$", "disparaîtraient", "DQ_FUTURE_DATE"):
        assert words in done.stdout
    assert "3 lignes jugées de nouveau" in done.stdout
    assert "Avant et après : 3 lignes concernées, non toute l'exécution." in done.stdout
    found = json.loads(run("whatif", "last", "--edits", "corrections.csv", "--json").stdout)
    assert (found["corrected"], found["touched"], found["judged"]) == (1, 3, 3)
    assert found["delta"]["at_risk"] == "-49.15"
    assert run("results", "last", "--json").stdout == before


def test_corrections_that_cannot_be_read_return_3_and_a_sentence_for_each(run, validate, tmp_path):
    (tmp_path / "corrections.csv").write_text("row_number;date_de_service;montant_paye\n3;2025-02-30;secret\n7;;1\n")
    done = run("whatif", "last", "--edits", "corrections.csv")
    assert done.exit_code == 3
    assert [code in done.stderr for code in ("DL-WHATIF-005", "DL-DATE-002", "DL-NUM-004")] == [True] * 3
    assert "secret" not in done.output


def test_a_result_set_aside_is_counted_apart_and_does_not_fail_a_run(run, validate, named):
    assert validate(LINES[2], options=("--fail-on", "error")).exit_code == 1
    shown = run("ack", named("DQ_FUTURE_DATE"), "--reason", "accepte", "--until", "2099-12-31", "--note", "vu")
    assert shown.stdout == "1 constat mis de côté.\n"
    assert validate(LINES[2], options=("--fail-on", "error", "--force")).exit_code == 0
    said = run("show", "last").stdout
    assert "⊘ Constats mis de côté               1   à risque 49,15\u00a0$" in said
    assert "✕ Lignes en erreur                   0   à risque 0,00\u00a0$" in said
    figures = json.loads(run("show", "last", "--json").stdout)
    assert (figures["error_count"], figures["acknowledged_error_count"]) == (1, 1)
    assert "accepté" in run("results", "last").stdout
    assert run("unack", named("DQ_FUTURE_DATE")).stdout == "1 constat remis en jeu.\n"
    assert "mis de côté" not in run("show", "last").stdout


def test_a_last_day_that_has_passed_and_a_reason_that_is_none_return_2(run, named):
    result = named("DQ_FUTURE_DATE")
    assert run("ack", result, "--reason", "accepte", "--until", "2020-01-01").exit_code == 2
    assert run("ack", result, "--reason", "parce_que").exit_code == 2
