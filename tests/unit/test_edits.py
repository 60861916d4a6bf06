import pytest

from dashlib.edits import differences, edited, named_codes, named_contexts, parameters, read_changes, rule_data
from dashlib.errors import RuleError, UsageError
from tests.tables import rule

VISIT = rule(
    {"type": "frequency_limit", "codes": ["15815", "8875"], "max": 1, "per": "patient", "period": "calendar_year"},
    message={"fr": "{count} fois"},
)
FEE = rule(
    {
        "type": "office_fee_validation",
        "codes": ["19928"],
        "thresholds": {"19928": {"registered": 6, "walkIn": 10}},
        "where": {"contexts_none": ["#MTA13"]},
    }
)


def changed(before, *assignments):
    after = edited(before, read_changes(assignments))
    return [(c.field, c.before, c.after) for c in differences(rule_data(before), rule_data(after))]


@pytest.mark.parametrize(
    ("assignment", "field", "before", "after"),
    [
        ("max=2", "max", 1, 2),
        ("condition.max=2", "max", 1, 2),
        ("severity=warning", "severity", "error", "warning"),
        ("enabled=false", "enabled", True, False),
        ("message.fr=Trop : {count} de {max}", "message.fr", "{count} fois", "Trop : {count} de {max}"),
        ("message.en={count} times", "message.en", None, "{count} times"),
        ("valid_from=2025-04-01", "valid_from", None, "2025-04-01"),
        ("where.places=cabinet", "where.places", None, ["cabinet"]),
        ("where.places=etablissement,cabinet", "where.places", None, ["cabinet", "etablissement"]),
        ("codes=15816", "codes", ["15815", "08875"], ["15816"]),
        ("codes=+15816", "codes", ["15815", "08875"], ["15815", "08875", "15816"]),
        ("codes=-8875", "codes", ["15815", "08875"], ["15815"]),
        ('codes=["15816"]', "codes", ["15815", "08875"], ["15816"]),
        ("unless_contexts=#g160", "unless_contexts", None, ["G160"]),
    ],
)
def test_a_change_is_written_as_the_path_of_a_field_and_its_value(assignment, field, before, after):
    assert changed(VISIT, assignment) == [(field, before, after)]


def test_a_threshold_by_code_is_reached_by_its_path():
    assert changed(FEE, "thresholds.19928.registered=7") == [("thresholds.19928.registered", 6, 7)]


def test_null_leaves_a_field_to_its_default():
    assert changed(FEE, "thresholds.19928.walkIn=null", "where.contexts_none=") == [
        ("thresholds.19928.walkIn", 10, None),
        ("where.contexts_none", ["MTA13"], None),
    ]


def test_all_faults_of_all_changes_are_told_at_once_and_no_value_is_quoted():
    with pytest.raises(RuleError) as refused:
        edited(
            VISIT,
            read_changes(
                ["max=none", "colour=TEST00000000", "version=9", "codes=158155", "severity=bad", "where.places.x.y=1"]
            ),
        )
    assert refused.value.code == "DL-RULE-001"
    said = str(refused.value)
    for part in (
        "RULE, version\u00a0: ne peut pas être changé",
        "condition.frequency_limit.max\u00a0: doit être un nombre entier",
        "condition.frequency_limit.colour\u00a0: ce champ n'existe pas",
        "condition.frequency_limit.codes.0\u00a0: un code a au plus 5 chiffres, ou est *",
        "severity\u00a0: doit être un de error, warning, info",
    ):
        assert part in said
    assert "TEST00000000" not in said


def test_a_placeholder_that_the_type_does_not_know_is_refused():
    with pytest.raises(RuleError, match=r"message\u00a0: mot inconnu \{patient\}"):
        edited(VISIT, {"message.fr": "{patient} {count}"})


def test_a_field_that_is_none_is_refused_also_where_it_is_emptied():
    with pytest.raises(RuleError, match="maxx\u00a0: aucun champ de ce nom"):
        edited(VISIT, {"maxx": "null", "severity": "info"})


def test_a_path_that_leads_nowhere_is_refused():
    with pytest.raises(RuleError, match=r"severity\.x\u00a0: aucun champ de ce nom"):
        edited(VISIT, {"severity.x": "1"})


def test_a_change_that_changes_nothing_is_said():
    with pytest.raises(RuleError, match=r"^DL-RULE-004"):
        edited(VISIT, {"max": "1"})


@pytest.mark.parametrize("text", ["max", "=2", " = 2"])
def test_what_is_no_change_is_refused_as_such(text):
    with pytest.raises(UsageError, match=r"^DL-RULE-005"):
        read_changes([text])


def test_values_from_a_program_are_taken_as_they_stand():
    assert rule_data(edited(VISIT, {"max": 3, "where": {"places": ["cabinet"]}}))["condition"] == {
        "type": "frequency_limit",
        "codes": ["15815", "08875"],
        "max": 3,
        "per": "patient",
        "period": "calendar_year",
        "where": {"places": ["cabinet"]},
    }


def test_codes_and_contexts_are_found_wherever_a_condition_names_them():
    assert named_codes(FEE) == {"19928": "codes", "19929": "exclude_codes"}
    assert named_contexts(FEE) == {"MTA13": "where.contexts_none", "G160": "walk_in_contexts", "AR": "walk_in_contexts"}


def test_the_parameters_of_a_rule_are_told_with_the_defaults_of_its_type():
    told = dict(parameters(FEE))
    assert told["thresholds.19928.registered"] == 6
    assert told["place"] == "cabinet"
    assert told["where.contexts_none"] == ["MTA13"]
    assert told["walk_in_contexts"] == ["AR", "G160"]


def test_the_threshold_of_an_amount_limit_follows_its_maximum():
    day = rule(
        {
            "type": "amount_limit",
            "codes": ["15815"],
            "per": "doctor",
            "period": "day",
            "measure": "amount",
            "max": 5,
        },
        threshold="5",
    )
    assert changed(day, "max=6") == [("max", "5", "6"), ("threshold", "5", "6")]
