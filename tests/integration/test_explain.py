import json
from datetime import date, timedelta
from decimal import Decimal

import polars as pl
import pytest
import sqlalchemy as sa

from dashlib import acknowledgements, engine, reference, rulebook
from dashlib.comparison import STAKES, stakes_of, with_stakes
from dashlib.database import downgrade, migrate
from dashlib.edits import edited
from dashlib.errors import CorrectionsRefused, NotFound, UsageError
from dashlib.kept import kept_lines
from dashlib.records import prepare
from dashlib.rejudging import SAME_RESULT, numbered
from dashlib.runs import find_run
from dashlib.schema import (
    AuditEvent,
    Code,
    ResultAcknowledgement,
    RuleEntry,
    RuleVersion,
    RunRule,
    ValidationResult,
    ValidationRun,
)
from dashlib.validation import validate_file
from tests.exports import export, line
from tests.integration.loading import load
from tests.integration.loading import run as begin

pytestmark = pytest.mark.database
RUN_DATE = date(2025, 3, 31)
TODAY = date(2025, 4, 1)
OTHER = "TEST80010213 - EXEMPLE, AUTRE"
# The annual visit twice, a date to come, a fee for a day on which nobody was seen, and two exams of one day.
FIRST = line(facture="900000001", code="15815", date="2025-03-04")
SECOND = line(facture="900000002", code="15815", date="2025-03-11")
TO_COME = line(facture="900000003", code="08857", date="2026-03-04", fin="09:40", patient=OTHER)
FEE = line(facture="900000004", code="19928", date="2025-03-05", debut="08:00", prel="32,40", patient=OTHER)
LINES = (FIRST, SECOND, TO_COME, FEE)


@pytest.fixture(autouse=True)
def _today(monkeypatch):
    monkeypatch.setattr(acknowledgements, "today", lambda: TODAY)


@pytest.fixture
def validated(wb, tmp_path):
    def validate(*lines, force=False):
        path = tmp_path / "factures.csv"
        path.write_text(export(*lines), "utf-8")
        return find_run(wb, validate_file(wb, path, run_date=RUN_DATE, force=force))

    return validate


def name_of(run, rule: str, row: int) -> str:
    return run.results.filter(rule_id=rule, row_number=row)["result"].item()


def judged(wb, run, lines: pl.DataFrame) -> pl.DataFrame:
    found = engine.find_results(lines, reference.rules_in_force(wb), reference.load(wb, RUN_DATE)).results
    return numbered(with_stakes(found, lines))


def test_results_are_named_by_their_run_and_numbered_in_the_order_they_are_shown(validated):
    run = validated(*LINES)
    assert run.results["result"].to_list() == [f"1:{n}" for n in range(1, run.results.height + 1)]
    assert run.results["severity"].to_list() == sorted(run.results["severity"], key=["error", "warning", "info"].index)
    assert run.results_in("fr", severity="info", limit=1)["result"].item() != "1:1"


def test_why_of_a_frequency_tells_what_was_counted_against_what_and_the_lines(validated):
    run = validated(*LINES)
    found = run.why(name_of(run, "ANNUAL_INTAKE_VISIT", 2))
    assert found.facts["count"] == "2"
    assert found.facts["max"] == "1"
    assert found.facts["period"] == "2025"
    assert found.lines.select("row_number", "code", "date_de_service", "montant_preliminaire").rows() == [
        (2, "15815", date(2025, 3, 11), Decimal("49.15")),
        (1, "15815", date(2025, 3, 4), Decimal("49.15")),
    ]
    assert found.lines["patient"][0].startswith("PAT-")
    assert found.rule["condition"]["type"] == "frequency_limit"
    assert found.rule["source"].startswith("Manuel")
    assert found.said("label", "en") != found.said("label", "fr")
    assert (found.version_today, found.kept, found.capped) == (None, True, False)


def test_why_of_a_prohibition_names_the_other_line(validated):
    day = {"date": "2025-03-04", "facture": "900000001"}
    run = validated(line(code="15804", **day), line(code="08857", debut="10:00", fin="10:30", **day))
    found = run.why(
        run.results.filter(pl.col("rule_id").str.starts_with("CLIN"), pl.col("related").list.len() == 1)["result"][0]
    )
    assert found.rule["condition"]["type"] == "prohibition"
    assert found.facts["other"] in ("15804", "08857")
    assert sorted(found.lines["row_number"]) == [1, 2]


def test_why_of_an_office_fee_tells_the_patients_seen_and_needed(validated):
    run = validated(*LINES)
    found = run.why(name_of(run, "OFFICE_FEE_19928", 4))
    assert {name: found.facts[name] for name in ("registered", "need_registered", "walkIn", "reason")} == {
        "registered": "0",
        "need_registered": "6",
        "walkIn": "0",
        "reason": "count",
    }


def test_why_says_that_a_group_is_larger_than_what_is_named(validated):
    crowd = [line(facture=f"9000{n:05}", code="15815", date=f"2025-03-{n % 28 + 1:02}") for n in range(60)]
    run = validated(*crowd)
    found = run.why(name_of(run, "ANNUAL_INTAKE_VISIT", 60))
    assert found.capped
    assert found.lines.height == 51
    assert found.lines["row_number"][0] == 60


def test_why_speaks_by_the_version_that_judged_and_tells_that_of_today(wb, validated):
    run = validated(*LINES)
    with wb.database.connect() as connection:
        rule = connection.scalar(sa.select(RuleVersion.rule).where(RuleVersion.name == "DQ_FUTURE_DATE"))
        newer = rule | {"version": 2, "label": {"fr": "Autre", "en": "Other"}}
        connection.execute(sa.insert(RuleVersion).values(name="DQ_FUTURE_DATE", version=2, rule=newer))
        connection.execute(sa.update(RuleEntry).where(RuleEntry.name == "DQ_FUTURE_DATE").values(version=2))
        connection.commit()
    found = run.why(name_of(run, "DQ_FUTURE_DATE", 3), "en")
    assert found.version_today == 2
    assert found.said("label", "en") == rule["label"]["en"]
    assert "2026-03-04" in found.result["message"]
    with wb.database.connect() as connection:
        connection.execute(sa.update(RuleEntry).where(RuleEntry.name == "DQ_FUTURE_DATE").values(active=False))
        connection.commit()
    assert run.why(name_of(run, "DQ_FUTURE_DATE", 3)).version_today == 0


def test_why_shows_the_tariffs_of_the_day_of_the_service(wb, validated):
    with wb.database.connect() as connection:
        connection.execute(sa.delete(Code).where(Code.code == "08857"))
        for value, first, last in ((50, None, date(2025, 3, 31)), (60, date(2025, 4, 1), None)):
            row = {
                "code": "08857",
                "description": "Tarif",
                "tariff_value": value,
                "valid_from": first,
                "valid_to": last,
            }
            connection.execute(sa.insert(Code).values(row))
        connection.commit()
    run = validated(*LINES)
    assert run.why(name_of(run, "DQ_FUTURE_DATE", 3)).tariffs["tariff_value"].to_list() == [Decimal(60)]


def test_why_of_a_rejected_line_says_why_and_has_no_rule(validated):
    run = validated(*LINES, line(date="2025-02-30"))
    found = run.why(run.results.filter(category="file")["result"].item(), "en")
    assert "Impossible date" in found.result["message"]
    assert (found.rule, found.facts, found.lines.height) == (None, {}, 0)


def test_why_without_the_lines_says_that_they_were_cleared(wb, validated):
    run = validated(*LINES)
    named = name_of(run, "ANNUAL_INTAKE_VISIT", 2)
    with wb.database.connect() as connection:
        connection.execute(sa.text("SELECT drop_run_tables(:run, ARRAY['billing_records'])"), {"run": run.id})
        connection.commit()
    found = run.why(named)
    assert (found.kept, found.lines.height, found.facts["count"]) == (False, 0, "2")


def test_why_holds_no_identity(validated):
    run = validated(*LINES)
    told = "".join(json.dumps(run.why(name).as_dict(), default=str) for name in run.results["result"])
    assert not any(word in told for word in ("TEST8001", "EXEMPLE", "Exemple", "9100001"))


@pytest.mark.parametrize("named", ["1:99", 99, "2:1"])
def test_a_result_that_is_not_there_is_not_found(validated, named):
    run = validated(*LINES)
    with pytest.raises(NotFound):
        run.why(named)


@pytest.mark.parametrize("named", ["", "a", ":1", "1:", "1:-1", "1:1:x"])
def test_what_names_no_result_is_refused(validated, named):
    run = validated(*LINES)
    with pytest.raises(UsageError, match="DL-WHY-001"):
        run.why(named)


def test_a_corrected_export_beside_the_one_before(validated):
    before = validated(*LINES)
    corrected = FIRST.replace("49,15", "45,00")
    more = line(facture="900000005", code="08857", date="2026-03-05", fin="09:40", patient=OTHER)
    after = validated(corrected, TO_COME.replace("2026-03-04", "2025-03-06"), FEE, more)
    found = after.diff(before)
    named = {status: set(getattr(found, status)["rule_id"]) for status in ("new", "fixed", "persisting")}
    assert "DQ_FUTURE_DATE" in named["new"] & named["fixed"]
    assert "ANNUAL_INTAKE_VISIT" in named["fixed"] - named["new"]
    assert "OFFICE_FEE_19928" in named["persisting"]
    assert found.rule_changed.is_empty()
    fixed = found.fixed.filter(pl.col("rule_id").is_in(["DQ_FUTURE_DATE", "ANNUAL_INTAKE_VISIT"]))
    assert sorted(fixed.select("rule_id", "in_other").rows()) == [
        ("ANNUAL_INTAKE_VISIT", False),
        ("DQ_FUTURE_DATE", False),
    ]
    sums = found.totals.filter(status="fixed").row(0, named=True)
    assert {name: sums[name] for name in STAKES} == stakes_of(found.fixed)
    assert sums["at_risk"] > 0


def test_a_run_beside_itself_has_all_persisting(validated):
    run = validated(*LINES)
    found = run.diff(run)
    assert found.totals["results"].to_list() == [0, 0, run.results.height, 0]


def test_a_line_that_stays_under_another_code_is_still_in_the_other_run(validated):
    before = validated(*LINES)
    after = validated(FIRST, SECOND.replace("15815", "15804"), TO_COME, FEE)
    found = after.diff(before)
    fixed = found.fixed.filter(rule_id="ANNUAL_INTAKE_VISIT")
    assert fixed["in_other"].to_list() == [True]
    assert found.without_line(found.fixed) == 0


def test_without_the_lines_of_one_run_it_is_not_known_which_lines_are_gone(wb, validated):
    before, after = validated(*LINES), validated(*LINES[:2])
    with wb.database.connect() as connection:
        connection.execute(sa.text("SELECT drop_run_tables(:run, ARRAY['billing_records'])"), {"run": before.id})
        connection.commit()
    found = after.diff(before)
    assert found.without_line(found.fixed) is None


def change(wb, name, **fields):
    before = rulebook.find_rule(wb, name)
    rulebook.save_rule(wb, before, edited(before, fields), note="essai")


def test_a_rule_that_judges_otherwise_or_no_longer_is_told_apart(wb, validated):
    before = validated(*LINES)
    change(wb, "DQ_FUTURE_DATE", severity="warning")
    rulebook.set_enabled(wb, "ANNUAL_INTAKE_VISIT", False)
    found = validated(*LINES, force=True).diff(before)
    assert set(found.rule_changed.select("rule_id", "was").rows()) == {
        ("DQ_FUTURE_DATE", "persisting"),
        ("ANNUAL_INTAKE_VISIT", "fixed"),
    }
    assert found.fixed.is_empty()


def test_a_rule_of_another_version_that_judges_alike_is_not_told_apart(wb, validated):
    before = validated(*LINES)
    change(wb, "DQ_FUTURE_DATE", severity="warning")
    rulebook.reset_rule(wb, "DQ_FUTURE_DATE")
    change(wb, "ANNUAL_INTAKE_VISIT", source="Manuel, 2025")
    found = validated(*LINES, force=True).diff(before)
    assert set(found.persisting["rule_id"]) >= {"DQ_FUTURE_DATE", "ANNUAL_INTAKE_VISIT"}
    assert [found.new.height, found.fixed.height, found.rule_changed.height] == [0, 0, 0]


def test_a_version_whose_words_were_not_kept_is_told_apart(wb, validated):
    before = validated(*LINES)
    change(wb, "DQ_FUTURE_DATE", source="Manuel, 2025")
    after = validated(*LINES, force=True)
    unknown = sa.update(RunRule).where(RunRule.validation_run_id == after.id, RunRule.rule_id == "DQ_FUTURE_DATE")
    with wb.database.connect() as connection:
        connection.execute(unknown.values(rule_version=99))
        connection.commit()
    assert set(after.diff(before).rule_changed["rule_id"]) == {"DQ_FUTURE_DATE"}


def test_runs_of_two_keys_are_not_compared(wb, validated):
    before, after = validated(*LINES), validated(*LINES[:2])
    with wb.database.connect() as connection:
        other = sa.update(ValidationRun).where(ValidationRun.id == before.id).values(fingerprint_key="other")
        connection.execute(other)
        connection.commit()
    with pytest.raises(UsageError, match="DL-DIFF-001"):
        after.diff(find_run(wb, before.number))


def test_what_if_tells_what_a_correction_changes_and_keeps_nothing(wb, validated):
    run = validated(*LINES)
    found = run.whatif({3: {"date_de_service": "2025-03-06"}})
    assert "DQ_FUTURE_DATE" in found.lost["rule_id"]
    assert found.delta["at_risk"] == Decimal("-49.15")
    assert (found.corrected, found.basis_changed) == (1, False)
    assert "2025-03-06" not in run.records["date_de_service"].cast(pl.String)
    assert len(run.results) == find_run(wb, run.number).results.height
    assert found.lost["patient"].str.starts_with("PAT-").all()


CORRECTIONS = {
    1: {"date_de_service": "2025-03-11", "montant_paye": "49,15"},
    2: {"code": "15804"},
    3: {"patient": "TEST80010112", "lieu_de_pratique": "00123"},
    5: {"montant_paye": "-49,15"},
    6: {"element_de_contexte": "#G160", "role": "2"},
    7: {"facture": "900000001", "montant_preliminaire": "12,00"},
}


def test_what_if_says_what_judging_the_whole_corrected_file_says(wb, validated):
    paid = line(facture="900000005", code="15804", paye="49,15", patient=OTHER)
    more = (paid, paid.replace("900000005", "900000006"), line(facture="900000007", code="09999"), FEE, paid)
    run = validated(*LINES, *more)
    found = run.whatif(CORRECTIONS)
    lines = kept_lines(wb, run.id)
    corrected = validated(
        line(facture="900000001", code="15815", date="2025-03-11", paye="49,15"),
        SECOND.replace("15815", "15804"),
        line(facture="900000003", code="08857", date="2026-03-04", fin="09:40", lieu="00123", patient="TEST80010112"),
        FEE,
        line(facture="900000005", code="15804", paye="-49,15", patient=OTHER),
        line(facture="900000006", code="15804", paye="49,15", patient=OTHER, contexte="#G160").replace(
            ";0;1;#", ";0;2;#"
        ),
        line(facture="900000001", code="09999", prel="12,00"),
        FEE,
        paid,
    )
    whole = {
        side: judged(wb, run, prepare(each))
        for side, each in (("before", lines), ("after", kept_lines(wb, corrected.id)))
    }
    key = list(SAME_RESULT)
    gained = whole["after"].join(whole["before"], on=key, how="anti")
    lost = whole["before"].join(whole["after"], on=key, how="anti")
    shown = ["rule_id", "row_number", "severity"]
    assert gained.height > 3
    assert lost.height > 3
    assert sorted(found.gained.select(shown).rows()) == sorted(gained.select(shown).rows())
    assert sorted(found.lost.select(shown).rows()) == sorted(lost.select(shown).rows())
    before, after = stakes_of(whole["before"]), stakes_of(whole["after"])
    assert found.delta == {name: after[name] - before[name] for name in STAKES}


def test_what_if_says_that_rules_have_changed_since_the_run(wb, validated):
    run = validated(*LINES)
    with wb.database.connect() as connection:
        connection.execute(sa.update(RuleEntry).where(RuleEntry.name == "DQ_FUTURE_DATE").values(enabled=False))
        connection.commit()
    found = run.whatif({3: {"date_de_service": "2025-03-06"}})
    assert found.basis_changed
    assert "DQ_FUTURE_DATE" not in found.lost["rule_id"]


def test_what_if_needs_the_lines_and_corrections_that_can_be_read(wb, validated):
    run = validated(*LINES)
    with pytest.raises(CorrectionsRefused, match="DL-WHATIF-005"):
        run.whatif({99: {"code": "15804"}})
    with wb.database.connect() as connection:
        connection.execute(sa.text("SELECT drop_run_tables(:run, ARRAY['billing_records'])"), {"run": run.id})
        connection.commit()
    with pytest.raises(NotFound, match="DL-WHATIF-404"):
        run.whatif({1: {"code": "15804"}})


def open_and_aside(run, rule: str) -> list:
    return run.results.filter(rule_id=rule)["acknowledged"].to_list()


def test_a_result_set_aside_stays_is_counted_apart_and_holds_in_the_next_run(wb, validated):
    run = validated(*LINES)
    assert run.ack(name_of(run, "OFFICE_FEE_19928", 4), reason="contexte_valide", until="2025-09-30") == 1
    assert run.results.filter(rule_id="OFFICE_FEE_19928").select("acknowledged", "acknowledged_until").rows() == [
        ("contexte_valide", date(2025, 9, 30))
    ]
    aside = run.set_aside()
    assert aside["acknowledged_error_count"] == 1
    assert aside["acknowledged_lines_in_error"] == 1
    assert aside["acknowledged_at_risk"] == Decimal("32.40")
    assert run.figures["error_count"] == find_run(wb, run.number).figures["error_count"]
    assert open_and_aside(validated(*LINES, force=True), "OFFICE_FEE_19928") == ["contexte_valide"]
    assert open_and_aside(validated(FEE, *LINES[:3]), "OFFICE_FEE_19928") == ["contexte_valide"]


def test_a_line_with_another_open_error_is_not_left_out(validated):
    run = validated(*LINES)
    errors = run.results.filter(row_number=2, severity="error")["result"].to_list()
    assert len(errors) > 1
    run.ack(errors[0], reason="accepte")
    assert run.set_aside()["acknowledged_lines_in_error"] == 0
    run.ack(*errors, reason="accepte")
    assert run.set_aside()["acknowledged_lines_in_error"] == 1
    assert run.set_aside()["acknowledged_error_count"] == len(errors)


def test_a_result_comes_back_when_its_line_changes(validated):
    run = validated(*LINES)
    run.ack(name_of(run, "OFFICE_FEE_19928", 4), reason="accepte")
    assert open_and_aside(validated(*LINES[:3], FEE.replace("32,40", "32,41")), "OFFICE_FEE_19928") == [None]
    assert open_and_aside(validated(*LINES[:3], FEE), "OFFICE_FEE_19928") == ["accepte"]


def test_a_result_comes_back_the_day_after_the_last(validated, monkeypatch):
    run = validated(*LINES)
    run.ack(name_of(run, "OFFICE_FEE_19928", 4), reason="accepte", until=TODAY)
    assert open_and_aside(run, "OFFICE_FEE_19928") == ["accepte"]
    monkeypatch.setattr(acknowledgements, "today", lambda: TODAY + timedelta(days=1))
    assert open_and_aside(run, "OFFICE_FEE_19928") == [None]
    assert run.set_aside()["acknowledged_error_count"] == 0


def test_a_result_can_be_opened_again_and_what_was_said_is_kept(wb, validated):
    run = validated(*LINES)
    named = name_of(run, "OFFICE_FEE_19928", 4)
    run.ack(named, reason="accepte", note="une")
    run.ack(named, reason="autre", note="deux")
    assert run.why(named).set_aside["reason"] == "autre"
    assert run.unack(named) == 1
    assert run.unack(named) == 0
    assert open_and_aside(run, "OFFICE_FEE_19928") == [None]
    with wb.database.connect() as connection:
        kept = connection.execute(
            sa.select(ResultAcknowledgement.note, ResultAcknowledgement.revoked_by).order_by(
                ResultAcknowledgement.created_at
            )
        ).all()
    assert [tuple(row) for row in kept] == [("une", wb.viewer.id), ("deux", wb.viewer.id)]


def test_setting_aside_is_audited_without_the_note(wb, validated):
    run = validated(*LINES)
    run.ack(1, 2, reason="accepte", note="Madame Tremplin est revenue")
    run.unack(1)
    with wb.database.connect() as connection:
        events = connection.execute(sa.select(AuditEvent.event, AuditEvent.details)).all()
    told = [event for event in events if event.event.startswith("result.")]
    assert [(event, details["results"]) for event, details in told] == [
        ("result.acknowledged", [1, 2]),
        ("result.reopened", [1]),
    ]
    assert {"result.acknowledged", "result.reopened"} <= set(run.logs["message"])
    assert "Tremplin" not in str(told) + run.logs.write_json()


def test_the_note_is_shown_to_the_runs_owner_only(wb, validated):
    run = validated(*LINES)
    run.ack(1, reason="accepte", note="Madame Tremplin est revenue")
    assert run.why(1).set_aside["note"] == "Madame Tremplin est revenue"
    with wb.database.connect() as connection:
        connection.execute(sa.text("SELECT enter('db|b', 'b@database')"))
        connection.execute(sa.update(ValidationRun).values(user_id="db|b"))
        connection.commit()
    with wb.database.owner() as connection:
        connection.execute(sa.update(ResultAcknowledgement).values(user_id="db|b"))
    assert run.why(1).set_aside["note"] is None


def test_what_one_sets_aside_holds_in_ones_own_runs_only(wb, validated):
    run = validated(*LINES)
    run.ack(name_of(run, "OFFICE_FEE_19928", 4), reason="accepte")
    with wb.database.connect() as connection:
        connection.execute(sa.text("SELECT enter('db|b', 'b@database')"))
        connection.execute(sa.update(ValidationRun).where(ValidationRun.id == run.id).values(user_id="db|b"))
        connection.commit()
    assert open_and_aside(run, "OFFICE_FEE_19928") == [None]
    with pytest.raises(NotFound, match="DL-RUN-404"):
        run.ack(1, reason="accepte")


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"reason": "parce_que"}, "DL-ACK-001"),
        ({"reason": "accepte", "until": "2025-03-31"}, "DL-ACK-002"),
        ({"reason": "accepte", "until": "demain"}, "DL-RUN-407"),
    ],
)
def test_what_cannot_be_a_reason_or_a_last_day_is_refused(validated, said, code):
    run = validated(*LINES)
    with pytest.raises(UsageError, match=code):
        run.ack(1, **said)
    assert run.set_aside()["acknowledged_error_count"] == 0


def test_all_are_set_aside_or_none(validated):
    run = validated(*LINES, line(date="2025-02-30"))
    rejected = run.results.filter(category="file")["result"].item()
    with pytest.raises(UsageError, match="DL-ACK-003"):
        run.ack(2, rejected, reason="accepte")
    with pytest.raises(NotFound, match="DL-WHY-404"):
        run.ack(2, 99, reason="accepte")
    assert run.results["acknowledged"].null_count() == run.results.height


def test_a_run_of_an_earlier_version_is_compared_but_nothing_of_it_can_be_set_aside(wb, validated):
    run = validated(*LINES)
    unknown = {"line_mark": None, "at_risk": None, "to_repay": None, "gain": None}
    with wb.database.owner() as connection:
        connection.execute(sa.update(ValidationResult).values(unknown))
    with pytest.raises(UsageError, match="DL-ACK-003"):
        run.ack(1, reason="accepte")
    found = validated(*LINES, force=True).diff(run)
    assert found.totals.filter(status="persisting")["results"].item() == run.results.height
    assert run.diff(run).totals.filter(status="persisting")["at_risk"].item() is None


def test_results_of_an_earlier_version_are_numbered_in_the_order_they_are_shown(database):
    downgrade(database, "0001_initial")
    with database.connect() as connection:
        load(connection, begin(connection), lines=7)
        connection.commit()
    with database.owner() as connection:
        connection.execute(sa.text("UPDATE validation_results SET severity = 'warning' WHERE row_number = 1"))
    migrate(database)
    with database.connect() as connection:
        kept = connection.execute(sa.select(ValidationResult.number, ValidationResult.row_number)).all()
    assert sorted(map(tuple, kept)) == [(1, 4), (2, 7), (3, 1)]
