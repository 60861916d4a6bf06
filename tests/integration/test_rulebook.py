from dataclasses import replace

import pytest
import sqlalchemy as sa

from dashlib import reference, rulebook
from dashlib.edits import edited, rule_data
from dashlib.errors import AccessDenied, NotFound, RuleError
from dashlib.installing import install
from dashlib.rules import parse_rules, shipped_rules
from dashlib.schema import AuditEvent, Installation, ReferenceState, RuleEntry, RuleVersion
from dashlib.workbench import Viewer

pytestmark = pytest.mark.database
OWN = {
    "name": "OUR_LIMIT",
    "category": "frequency",
    "condition": {
        "type": "frequency_limit",
        "codes": ["15815"],
        "max": 3,
        "per": "patient",
        "period": "calendar_year",
    },
}


@pytest.fixture
def annual(wb):
    """A rule of this test: the first of the shipped ones that limit a frequency."""
    return next(rule for rule in reference.rules_in_force(wb) if rule.condition.type == "frequency_limit")


def ask(wb, query):
    with wb.database.connect() as connection:
        return [tuple(row) for row in connection.execute(query)]


def events(wb):
    return ask(wb, sa.select(AuditEvent.event, AuditEvent.target_id, AuditEvent.details).order_by(AuditEvent.id))


def test_a_change_is_a_new_version_with_author_note_and_what_changed(wb, annual):
    saved = rulebook.save_rule(wb, annual, edited(annual, {"max": "9"}), note="essai du comité")
    assert saved.changed == {annual.name: 2}
    now = rulebook.find_rule(wb, annual.name.lower())
    assert (now.version, now.condition.max) == (2, 9)
    newest, shipped = rulebook.history(wb, annual.name)
    assert (newest.version, newest.author, newest.note) == (2, wb.viewer.email, "essai du comité")
    assert [(c.field, c.before, c.after) for c in newest.changes] == [("max", annual.condition.max, 9)]
    assert (shipped.version, shipped.author, shipped.changes) == (1, "dashlib", ())


def test_a_change_is_told_in_the_journal_by_fields_and_not_by_its_note(wb, annual):
    rulebook.save_rule(wb, annual, edited(annual, {"max": "9"}), note="essai")
    assert events(wb)[-1] == ("rule.changed", annual.name, {"version": 2, "fields": ["max"]})


def test_a_health_card_typed_into_a_note_is_not_kept(wb, annual):
    rulebook.save_rule(wb, annual, edited(annual, {"max": "9"}), note="pour TEST80010112 seulement")
    assert rulebook.history(wb, annual.name)[0].note == "pour [HEALTH-CARD-REDACTED] seulement"


def test_a_change_without_a_note_is_refused(wb, annual):
    with pytest.raises(RuleError, match=r"^DL-RULE-006"):
        rulebook.save_rule(wb, annual, edited(annual, {"max": "9"}), note=" ")


def test_who_changed_a_rule_first_is_not_overwritten(wb, annual):
    mine, theirs = edited(annual, {"max": "9"}), edited(annual, {"max": "8"})
    rulebook.save_rule(wb, annual, theirs, note="eux")
    with pytest.raises(RuleError, match=r"^DL-RULE-002"):
        rulebook.save_rule(wb, annual, mine, note="moi")
    assert rulebook.find_rule(wb, annual.name).condition.max == 8
    assert [version.note for version in rulebook.history(wb, annual.name)] == ["eux", "shipped"]


@pytest.mark.parametrize("role", ["viewer", "pending"])
def test_who_may_only_look_changes_nothing(wb, annual, role):
    looking = replace(wb, viewer=Viewer("local|b", "b@localhost", role))
    for act in (
        lambda: rulebook.save_rule(looking, annual, edited(annual, {"max": "9"}), note="x"),
        lambda: rulebook.save_rules(looking, parse_rules([OWN]), note="x"),
        lambda: rulebook.set_enabled(looking, annual.name, not annual.enabled),
        lambda: rulebook.set_enabled(looking, annual.name, annual.enabled),
        lambda: rulebook.reset_rule(looking, annual.name),
    ):
        with pytest.raises(AccessDenied, match=r"^DL-RULE-003") as denied:
            act()
        assert denied.value.exit_code == 6
    assert ask(wb, sa.select(sa.func.max(RuleVersion.version))) == [(1,)]


def test_a_rule_is_disabled_and_enabled_as_versions_and_once_only(wb, annual):
    assert rulebook.set_enabled(wb, annual.name, False).changed == {annual.name: 2}
    assert rulebook.set_enabled(wb, annual.name, False).equal == (annual.name,)
    assert rulebook.set_enabled(wb, annual.name, True, note="de retour").changed == {annual.name: 3}
    assert [version.note for version in rulebook.history(wb, annual.name)] == ["de retour", "désactivée", "shipped"]


def test_a_rule_goes_back_to_what_is_shipped_as_a_new_version(wb, annual):
    rulebook.save_rule(wb, annual, edited(annual, {"max": "9", "severity": "info"}), note="essai")
    assert rulebook.reset_rule(wb, annual.name).changed == {annual.name: 3}
    assert rule_data(rulebook.find_rule(wb, annual.name)) == rule_data(annual) | {"version": 3}
    assert rulebook.reset_rule(wb, annual.name).equal == (annual.name,)


def test_a_name_that_no_rule_has_is_answered_with_names_that_are_near(wb, annual):
    with pytest.raises(NotFound, match=rf"^DL-RULE-404.*{annual.name}") as missing:
        rulebook.find_rule(wb, annual.name[:-1])
    assert missing.value.exit_code == 8
    with pytest.raises(NotFound, match=r"^DL-RULE-405"):
        rulebook.find_rule(wb, "QUITE UNHEARD OF")


def test_imported_rules_are_added_superseded_or_left_in_one_go(wb, annual):
    rules = [*parse_rules([OWN]), edited(annual, {"max": "9"}), *shipped_rules()[-1:]]
    plan = rulebook.save_rules(wb, rules, note="import", dry_run=True)
    assert ask(wb, sa.select(sa.func.count()).where(RuleVersion.note == "import")) == [(0,)]
    assert rulebook.save_rules(wb, rules, note="import") == plan
    assert (plan.added, plan.changed, plan.equal) == ({"OUR_LIMIT": 1}, {annual.name: 2}, (shipped_rules()[-1].name,))
    again = rulebook.save_rules(wb, rules, note="import")
    assert (again.versions, len(again.equal)) == ({}, 3)


def test_saving_the_rules_in_force_once_more_makes_no_version(wb):
    saved = rulebook.save_rules(wb, reference.rules_in_force(wb), note="the same")
    assert saved.versions == {}
    assert len(saved.equal) == 343


def test_a_rule_that_was_set_aside_comes_back_by_import_under_its_next_number(wb, annual):
    with wb.database.connect() as connection:
        connection.execute(sa.update(RuleEntry).where(RuleEntry.name == annual.name).values(active=False))
        connection.commit()
    assert rulebook.save_rules(wb, [annual], note="import").added == {annual.name: 2}
    assert rulebook.find_rule(wb, annual.name).version == 2


def test_contexts_and_rules_that_nobody_knows_are_refused_with_all_their_fields(wb):
    condition = OWN["condition"] | {"unless_contexts": ["G160", "ZZZ1"], "where": {"contexts_any": ["ZZZ2"]}}
    unknown = OWN | {"condition": condition | {"unless_rules": ["NO_SUCH_RULE"]}}
    with pytest.raises(RuleError) as refused:
        rulebook.save_rules(wb, parse_rules([unknown]), note="import")
    assert refused.value.exit_code == 4
    for fault in (
        "OUR_LIMIT, unless_contexts\u00a0: contexte inconnu ZZZ1",
        "OUR_LIMIT, where.contexts_any\u00a0: contexte inconnu ZZZ2",
        "OUR_LIMIT, unless_rules\u00a0: règle inconnue NO_SUCH_RULE",
    ):
        assert fault in str(refused.value)
    assert ask(wb, sa.select(RuleEntry.name).where(RuleEntry.name == "OUR_LIMIT")) == []


def test_a_code_that_the_starter_lacks_is_accepted_and_said(wb):
    unheard = OWN | {"condition": OWN["condition"] | {"codes": ["15815", "98765"]}}
    assert rulebook.save_rules(wb, parse_rules([unheard]), note="import").unjudged == ("98765",)


def test_a_code_that_the_published_table_lacks_is_refused(wb):
    with wb.database.connect() as connection:
        connection.execute(
            sa.update(ReferenceState).where(ReferenceState.table_name == "codes").values(trusted=True, version="x")
        )
        connection.commit()
    unheard = OWN | {"condition": OWN["condition"] | {"codes": ["15815", "98765"]}}
    with pytest.raises(RuleError, match="OUR_LIMIT, codes\u00a0: code inconnu 98765"):
        rulebook.save_rules(wb, parse_rules([unheard]), note="import")


def test_all_shipped_rules_name_only_what_is_known(wb):
    assert rulebook.require_known(wb, shipped_rules()) == ()


def test_a_sheet_tells_a_rules_codes_and_its_latest_version(wb, annual):
    found = rulebook.sheet(wb, annual.name)
    assert set(found.codes) >= set(annual.condition.codes)
    assert found.latest.author == "dashlib"
    assert found.as_dict()["name"] == annual.name


def as_of_an_older_dashlib(wb, missing, older):
    """Takes a rule away and puts an older version of another in force, as if dashlib had shipped them so."""
    with wb.database.connect() as connection:
        connection.execute(sa.delete(RuleEntry).where(RuleEntry.name == missing))
        connection.commit()
    with wb.database.owner() as connection:
        connection.execute(sa.delete(RuleVersion).where(RuleVersion.name == missing))
        connection.execute(sa.delete(Installation).where(Installation.key.startswith("shipped")))
        data = RuleVersion.rule.op("||")(sa.cast({"severity": "info"}, RuleVersion.rule.type))
        connection.execute(sa.update(RuleVersion).where(RuleVersion.name.in_(older)).values(rule=data))
        connection.execute(sa.update(RuleEntry).where(RuleEntry.name.in_(older)).values(severity="info"))
        connection.commit()


def test_a_newer_dashlib_adds_what_is_missing_and_supersedes_what_nobody_changed(wb, annual, caplog):
    errors = [rule for rule in shipped_rules() if rule.severity == "error" and rule.name != annual.name]
    missing, older, ours = errors[0].name, errors[1].name, errors[2].name
    rulebook.set_enabled(wb, ours, not errors[2].enabled)
    as_of_an_older_dashlib(wb, missing, [older, ours])
    with caplog.at_level("INFO"):
        install(wb.database)
        install(wb.database)
    assert rulebook.find_rule(wb, missing).version == 1
    assert (rulebook.find_rule(wb, older).severity, rulebook.find_rule(wb, older).version) == ("error", 2)
    assert (rulebook.find_rule(wb, ours).severity, rulebook.find_rule(wb, ours).version) == ("info", 2)
    assert [record.message for record in caplog.records if "rulebook" in record.message] == [
        "rulebook: 1 rules that were changed here stay as they are, though dashlib ships others"
    ]
    assert events(wb)[-1][2] | {"shipped": 0} == {"shipped": 0, "added": 1, "superseded": 1, "left": 1}


def test_an_older_starter_is_replaced_unless_somebody_touched_it(wb):
    with wb.database.owner() as connection:
        connection.execute(sa.delete(Installation).where(Installation.key.startswith("shipped")))
        connection.execute(sa.update(ReferenceState).values(version="starter-0"))
        connection.exec_driver_sql("UPDATE contexts SET description = 'ours' WHERE context = 'G160'")
        connection.exec_driver_sql("DELETE FROM codes WHERE code = '15804'")
        connection.exec_driver_sql(
            "UPDATE reference_state SET rows = (SELECT count(*) FROM codes) WHERE table_name = 'codes'"
        )
        connection.commit()
    install(wb.database)
    versions = dict(ask(wb, sa.select(ReferenceState.table_name, ReferenceState.version)))
    assert versions["contexts"] == "starter-0"
    assert versions["codes"] != "starter-0"
    assert ask(wb, sa.text("SELECT count(*) > 0 FROM codes WHERE code = '15804'")) == [(True,)]
    assert ask(wb, sa.text("SELECT description FROM contexts WHERE context = 'G160'")) == [("ours",)]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"message": {"fr": "pour TEST00000000"}}, "message.fr\u00a0: contient un numéro d'assurance maladie"),
        ({"name": "TEST00000000"}, "name\u00a0: contient un numéro d'assurance maladie"),
        ({"label": {"fr": "a\0b"}}, "label.fr\u00a0: contient un caractère"),
        ({"source": "a\ud800b"}, "source\u00a0: contient un caractère"),
        ({"name": "A" * 201}, "name\u00a0: plus de 200 caractères"),
    ],
)
def test_a_rule_whose_words_may_not_be_kept_is_refused(wb, changes, said):
    rule = parse_rules([OWN])[0].model_copy(update=changes)
    with pytest.raises(RuleError, match=said) as refused:
        rulebook.save_rules(wb, [rule], note="essai")
    assert "TEST00000000" not in str(refused.value)


def test_a_rule_that_cannot_be_read_stops_who_judges_and_not_who_warms_the_cache(wb):
    with wb.database.connect() as connection:
        unread = {"name": "BROKEN", "category": "test", "condition": {"type": "data_quality"}}
        connection.execute(sa.insert(RuleEntry).values(unread))
    reference.warm(wb)
    with pytest.raises(RuleError, match="BROKEN"):
        reference.rules_in_force(wb)
