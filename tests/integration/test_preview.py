import json
from datetime import date
from decimal import Decimal

import pytest
import sqlalchemy as sa

import dashlib as dl
from dashlib import rulebook
from dashlib.edits import edited
from dashlib.errors import RuleError
from dashlib.preview import preview
from dashlib.rules import parse_rules
from dashlib.runs import find_run
from dashlib.schema import RuleVersion
from dashlib.validation import validate_file
from tests.exports import export, line

pytestmark = pytest.mark.database
ANA, BEN = "TEST80010112 - EXEMPLE, ANA", "TEST80010213 - EXEMPLE, BEN"
EVE, GUY = "9100001-00001 | Exemple, Ève - Omnipraticien", "9100002-00001 | Exemple, Guy - Omnipraticien"
LIMIT = {
    "name": "OUR_LIMIT",
    "category": "frequency",
    "condition": {
        "type": "frequency_limit",
        "codes": ["15815"],
        "max": 1,
        "per": "patient",
        "period": "calendar_year",
    },
    "message": {"fr": "{count} visites, {max} au plus", "en": "{count} visits, {max} at most"},
}
SILENT = {
    "name": "OUR_OTHER",
    "category": "frequency",
    "severity": "warning",
    "condition": LIMIT["condition"] | {"unless_rules": ["OUR_LIMIT"], "max": 2},
}
# The first export: three visits of Ana in March, two of them over the limit of one, and two of Ben in May.
FIRST = (
    line(facture="1", code="15815", date="2025-03-03", patient=ANA, doctor=EVE),
    line(facture="2", code="15815", date="2025-03-10", patient=ANA, doctor=EVE),
    line(facture="3", code="15815", date="2025-03-17", patient=ANA, doctor=EVE),
    line(facture="4", code="15815", date="2025-05-05", patient=BEN, doctor=GUY, paye="49,15"),
    line(facture="5", code="15815", date="2025-05-12", patient=BEN, doctor=GUY, paye="49,15"),
)
# The second holds Guy's days again, as they are after a correction, and nothing of Eve's.
SECOND = (
    line(facture="4", code="15815", date="2025-05-05", patient=BEN, doctor=GUY),
    line(facture="5", code="15804", date="2025-05-12", patient=BEN, doctor=GUY),
)


@pytest.fixture
def wb(wb):
    rulebook.save_rules(wb, parse_rules([LIMIT, SILENT]), note="ours")
    return wb


def validated(wb, folder, name, *lines):
    path = folder / name
    path.write_text(export(*lines), "utf-8")
    return find_run(wb, validate_file(wb, path, run_date=date(2025, 5, 31)))


@pytest.fixture
def first(wb, tmp_path):
    return validated(wb, tmp_path, "first.csv", *FIRST)


def shown(wb, changes, **options):
    before = rulebook.find_rule(wb, "OUR_LIMIT")
    return preview(wb, before, edited(before, changes), **options)


def of(frame, state):
    some = frame.results.filter(state=state)
    return sorted(zip(some["rule_id"], some["row_number"], some["severity"], strict=True))


def test_results_are_gained_lost_and_common_with_those_of_rules_that_hang_on_the_changed_one(wb, first):
    found = shown(wb, {"max": 2})
    assert of(found, "lost") == [("OUR_LIMIT", 2, "error"), ("OUR_LIMIT", 5, "error")]
    assert of(found, "common") == [("OUR_LIMIT", 3, "error")]
    assert of(found, "gained") == []
    silenced = shown(wb, {"max": 3})
    assert of(silenced, "gained") == [("OUR_OTHER", 3, "warning")]
    assert silenced.counts() == {"gained": 1, "lost": 3, "common": 0}


def test_results_are_counted_for_each_rule_the_changed_one_first(wb, first):
    assert shown(wb, {"max": 3}).by_rule().rows() == [("OUR_LIMIT", 0, 3, 0), ("OUR_OTHER", 1, 0, 0)]
    assert shown(wb, {"max": 2}).by_rule().rows() == [("OUR_LIMIT", 0, 2, 1)]


def test_money_is_told_before_and_after_and_a_paid_line_is_to_repay(wb, first):
    money = shown(wb, {"max": 2}).figures.select("moment", "results", "error", "at_risk", "to_repay", "gain").rows()
    none = Decimal("0.00")
    assert money == [
        ("before", 3, 3, Decimal("98.30"), Decimal("49.15"), none),
        ("after", 1, 1, Decimal("49.15"), none, none),
    ]


def test_a_preview_as_things_are_gives_the_results_of_the_runs_themselves(wb, first):
    own = first.results.filter(rule_id="OUR_LIMIT")
    common = shown(wb, {"solution.fr": "Rien d'autre"}).results
    assert common["state"].unique().to_list() == ["common"]
    columns = ["rule_id", "row_number", "severity", "amount", "doctor", "patient", "message"]
    assert common.select(columns).sort("row_number").rows() == own.select(columns).sort("row_number").rows()


def test_overlapping_exports_are_not_counted_twice(wb, first, tmp_path):
    second = validated(wb, tmp_path, "second.csv", *SECOND)
    found = shown(wb, {"max": 2})
    assert (found.runs, found.lines, found.days_kept) == (2, 5, 5)
    assert sorted(set(found.results["run"])) == [first.number]
    assert of(found, "lost") == [("OUR_LIMIT", 2, "error")]
    assert second.number > first.number


def test_it_looks_only_as_far_back_as_asked_but_judges_with_what_came_before(wb, first):
    found = shown(wb, {"max": 2}, days=10)
    assert (found.since, found.until) == (date(2025, 5, 3), date(2025, 5, 12))
    assert (found.days_kept, found.lines) == (2, 2)
    assert of(found, "lost") == [("OUR_LIMIT", 5, "error")]


def test_days_whose_lines_were_cleared_are_told_and_not_judged(wb, first, tmp_path):
    validated(wb, tmp_path, "second.csv", *SECOND)
    with wb.database.connect() as connection:
        connection.exec_driver_sql(f"SELECT drop_run_tables('{first.id}', ARRAY['billing_records'])")
        connection.commit()
    found = shown(wb, {"max": 2})
    assert (found.days_kept, found.days_cleared, found.runs, found.lines) == (2, 3, 1, 2)


def test_without_a_run_there_is_nothing_to_judge_and_nothing_fails(wb):
    found = shown(wb, {"max": 2})
    assert (found.days_kept, found.lines, found.results.height) == (0, 0, 0)
    assert found.figures["at_risk"].to_list() == [0, 0]


def test_nothing_is_saved(wb, first):
    with wb.database.connect() as connection:
        before = connection.scalar(sa.select(sa.func.count()).select_from(RuleVersion))
        shown(wb, {"max": 2})
        assert connection.scalar(sa.select(sa.func.count()).select_from(RuleVersion)) == before
    assert rulebook.find_rule(wb, "OUR_LIMIT").condition.max == 1


def test_a_disabled_rule_can_be_tried_as_if_it_judged(wb, first):
    rulebook.set_enabled(wb, "OUR_LIMIT", False)
    assert shown(wb, {"max": 2}).counts() == {"gained": 0, "lost": 0, "common": 1}
    assert of(shown(wb, {"enabled": "true"}), "gained") == [("OUR_LIMIT", n, "error") for n in (2, 3, 5)]


def test_what_nobody_knows_is_refused_before_anything_is_judged(wb):
    with pytest.raises(RuleError, match="contexte inconnu ZZZ1"):
        shown(wb, {"unless_contexts": "ZZZ1"})


def test_examples_are_some_of_each_kind_and_name_nobody(wb, first):
    found = shown(wb, {"max": 2})
    some = found.examples(1)
    assert some["state"].to_list() == ["lost", "common"]
    assert some.row(0, named=True)["message"] == "3 visites, 1 au plus"
    assert shown(wb, {"max": 2}, lang="en").examples(1)["message"][0] == "3 visits, 1 at most"
    said = json.dumps(found.as_dict(5), default=str, ensure_ascii=False)
    assert not any(word in said for word in ("TEST80010112", "EXEMPLE", "9100001", "Ève"))
    assert some["patient"][0].startswith("PAT-")


def test_a_program_tries_and_keeps_a_rule_as_a_draft(wb, first):
    book = dl.list_rules(wb=wb)
    draft = book["OUR_LIMIT"].with_(max=2)
    assert draft.preview(days=90).counts() == {"gained": 0, "lost": 2, "common": 1}
    assert [(c.field, c.before, c.after) for c in draft.changes] == [("max", 1, 2)]
    kept = draft.with_({"where.places": ["cabinet"]}).save(note="essai")
    assert (kept.before.version, kept.before.condition.max, kept.changes) == (2, 2, [])
    assert [version.note for version in kept.history] == ["essai", "ours"]
    assert "OUR_LIMIT" in book
    assert len(book) == book.frame.height
    assert "OUR_LIMIT" in repr(book)
