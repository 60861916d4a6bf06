import json
import re

import pytest

from dashlib import rulebook
from dashlib.rules import parse_rules
from tests.exports import export, line
from tests.integration.test_preview import ANA, FIRST, LIMIT, SILENT

pytestmark = pytest.mark.database


@pytest.fixture
def run(run, wb):
    """Runs a command where there is a rule of our own."""
    rulebook.save_rules(wb, parse_rules([LIMIT]), note="ours")
    return run


@pytest.fixture
def validated(run, tmp_path):
    path = tmp_path / "factures.csv"
    path.write_text(export(*FIRST, line(facture="9", date="", patient=ANA)), "utf-8")
    run("validate", "--run-date", "2025-05-31", path)


def plain(text):
    return re.sub(r"[ \u00a0\u202f]+", " ", text)


def test_rules_are_listed_by_type_state_and_word(run):
    assert "OUR_LIMIT frequency_limit ✕ Erreur oui 1" in plain(run("rules", "list").stdout)
    listed = run("rules", "list", "--type", "frequency_limit", "--search", "our_lim", "--json").stdout
    [only] = map(json.loads, listed.splitlines())
    assert (only["name"], only["condition"]["max"], only["version"]) == ("OUR_LIMIT", 1, 1)
    disabled = [json.loads(each) for each in run("rules", "list", "--disabled", "--json").stdout.splitlines()]
    assert {rule["enabled"] for rule in disabled} == {False}
    assert "Aucune règle" in run("rules", "list", "--search", "nothing like it").stdout


def test_a_rule_is_shown_as_a_sheet_in_both_languages(run):
    shown = plain(run("rules", "show", "ANNUAL_PERIODIC_VISIT").stdout)
    for words in (
        "ANNUAL_PERIODIC_VISIT · ✕ Erreur",
        "Libellé",
        "Sens Ces codes se facturent un nombre limité",
        "15819 Visite",
    ):
        assert words in shown
    for words in ("Paramètres", "maximum : 1 [max]", "Validité toujours", "dashlib · shipped"):
        assert words in shown
    assert "Seuil 64,80 $" in plain(run("rules", "show", "OFFICE_FEE_19929").stdout)
    english = plain(run("--lang", "en", "rules", "show", "ANNUAL_PERIODIC_VISIT").stdout)
    assert "Meaning These codes may be billed so many times in a period" in english
    assert json.loads(run("rules", "show", "OUR_LIMIT", "--json").stdout)["latest"]["author"].endswith("@localhost")


def test_every_shipped_rule_can_be_shown(run, wb):
    for rule in rulebook.shipped_rules():
        assert run("rules", "show", rule.name).exit_code == 0


def test_a_rule_is_set_with_a_note_and_its_history_tells(run):
    done = run("rules", "set", "OUR_LIMIT", "max=2", "--set", "severity=warning", "--note", "essai du comité")
    assert done.stdout == "Règle OUR_LIMIT : version 2 enregistrée.\n"
    told = plain(run("rules", "history", "OUR_LIMIT").stdout)
    assert "essai du comité\n max : 1 → 2\n severity : error → warning\n1 · " in told
    newest = json.loads(run("rules", "history", "OUR_LIMIT", "--json").stdout.splitlines()[0])
    assert (newest["version"], newest["changes"][0]) == (2, {"field": "max", "before": 1, "after": 2})


def test_a_rule_is_disabled_enabled_and_reset(run):
    assert "version 2" in run("rules", "disable", "ANNUAL_PERIODIC_VISIT", "--note", "pause").stdout
    assert "déjà ainsi" in run("rules", "disable", "ANNUAL_PERIODIC_VISIT").stdout
    assert "version 3" in run("rules", "enable", "ANNUAL_PERIODIC_VISIT").stdout
    assert "déjà ainsi" in run("rules", "reset", "ANNUAL_PERIODIC_VISIT").stdout
    assert "DL-RULE-407" in run("rules", "reset", "OUR_LIMIT").stderr


def test_a_code_that_cannot_be_checked_is_accepted_and_said(run):
    done = run("rules", "set", "OUR_LIMIT", "codes=+98765", "--note", "nouveau code")
    assert done.exit_code == 0
    assert "98765" in done.stderr
    assert json.loads(run("rules", "set", "OUR_LIMIT", "max=4", "--note", "x", "--json").stdout) == {
        "added": {},
        "changed": {"OUR_LIMIT": 3},
        "equal": [],
        "unjudged": ["98765"],
    }


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("show", "OUR_LIMITS"), 8, "DL-RULE-404"),
        (("set", "OUR_LIMIT", "max=none", "colour=red", "--note", "x"), 4, "colour : ce champ n'existe pas"),
        (("set", "OUR_LIMIT", "unless_contexts=ZZZ1", "--note", "x"), 4, "contexte inconnu ZZZ1"),
        (("set", "OUR_LIMIT", "max=2"), 4, "DL-RULE-006"),
        (("set", "OUR_LIMIT", "max=1", "--note", "x"), 4, "DL-RULE-004"),
        (("set", "OUR_LIMIT", "max", "--note", "x"), 2, "DL-RULE-005"),
        (("preview", "OUR_LIMIT", "--set", "max=2", "--over", "soon"), 2, "90d"),
    ],
)
def test_what_is_refused_has_its_sentence_and_its_exit_code(run, arguments, code, said):
    done = run("rules", *arguments)
    assert (done.exit_code, said in plain(done.stderr)) == (code, True)
    assert json.loads(run("rules", "show", "OUR_LIMIT", "--json").stdout)["version"] == 1


def test_a_preview_says_what_would_change_how_much_was_judged_and_how_to_keep_it(run, validated):
    done = run("rules", "preview", "OUR_LIMIT", "--set", "max=2", "--over", "90d", "--examples", "1")
    said = plain(done.stdout)
    for words in (
        "Aperçu de OUR_LIMIT (version 1) : rien n'est enregistré",
        "max : 1 → 2",
        "5 des 90 jours ont encore leurs lignes",
        "Erreurs 3 1 −2",
        "à risque 98,30 $ 49,15 $ −49,15 $",
        "à rembourser 49,15 $ 0,00 $ −49,15 $",
        "✚ gagnés 0 · − perdus 2 · ● communs 1",
        "OUR_LIMIT · exécution 1, ligne 2 · 2025-03-10 · 15815 · 49,15 $ · 3 visites, 1 au plus",
    ):
        assert words in said
    assert "dashlib rules set OUR_LIMIT max=2 --note" in done.stderr
    assert "TEST80010112" not in done.output


def test_a_preview_names_the_rules_that_hang_on_the_changed_one_and_counts_them_apart(run, validated, wb):
    rulebook.save_rules(wb, parse_rules([SILENT]), note="ours")
    done = run("rules", "preview", "OUR_LIMIT", "--set", "max=3")
    for words in (
        "Avec les constats d'une règle qui en dépend : OUR_OTHER",
        "Règle gagnés perdus communs",
        "OUR_LIMIT 0 3 0",
        "OUR_OTHER 1 0 0",
        "OUR_OTHER · exécution 1, ligne 3",
    ):
        assert words in plain(done.stdout)
    told = json.loads(run("rules", "preview", "OUR_LIMIT", "--set", "max=3", "--json").stdout)
    assert told["by_rule"] == [
        {"rule_id": "OUR_LIMIT", "gained": 0, "lost": 3, "common": 0},
        {"rule_id": "OUR_OTHER", "gained": 1, "lost": 0, "common": 0},
    ]


def test_a_preview_for_another_program_holds_the_same(run, validated):
    told = json.loads(run("rules", "preview", "OUR_LIMIT", "--set", "max=2", "--json").stdout)
    figures = {name: told[name] for name in ("saved", "days", "days_kept", "days_cleared", "gained", "lost", "common")}
    assert figures == {
        "saved": False,
        "days": 90,
        "days_kept": 5,
        "days_cleared": 0,
        "gained": 0,
        "lost": 2,
        "common": 1,
    }
    assert (told["before"]["at_risk"], told["after"]["at_risk"]) == ("98.30", "49.15")
    assert {each["state"] for each in told["examples"]} == {"lost", "common"}
