import json
import threading
from datetime import date
from decimal import Decimal

import polars as pl
import pytest
import sqlalchemy as sa

from dashlib import engine, reference, validation
from dashlib.errors import DashError, ExportRefused, NotFound
from dashlib.runs import find_run, list_runs
from dashlib.schema import RunLease, ValidationRun
from dashlib.validation import validate_file
from tests.exports import HEADER, export, line

pytestmark = pytest.mark.database
RUN_DATE = date(2025, 3, 31)
EXPORT = export(
    line(facture="900000001", code="15804", date="2025-03-04", debut="09:00", paye="49,15"),
    line(facture="900000002", code="15804", date="2025-03-04", debut="09:00", paye="49,15"),
    line(facture="900000003", code="15804", date="2026-03-04", debut="10:00"),
)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "factures.csv"
    path.write_text(EXPORT, "utf-8")
    return path


def validated(wb, path, **options):
    return find_run(wb, validate_file(wb, path, run_date=RUN_DATE, **options))


def count(wb, table: str) -> int:
    with wb.database.connect() as connection:
        return connection.scalar(sa.text(f"SELECT count(*) FROM {table}"))


def test_a_run_keeps_records_results_counts_and_roll_ups_together(wb, file):
    run = validated(wb, file)
    assert run.status == "completed"
    assert run.records.select("row_number", "code", "montant_preliminaire").rows() == [
        (1, "15804", Decimal("49.15")),
        (2, "15804", Decimal("49.15")),
        (3, "15804", Decimal("49.15")),
    ]
    found = run.results.select("row_number", "rule_id", "severity").rows()
    assert (2, "DQ_DUPLICATE_LINE", "warning") in found
    assert (3, "DQ_FUTURE_DATE", "error") in found
    figures = {
        name: run.figures[name] for name in ("record_count", "error_count", "lines_in_error", "at_risk", "progress")
    }
    assert figures == {
        "record_count": 3,
        "error_count": 1,
        "lines_in_error": 1,
        "at_risk": Decimal("49.15"),
        "progress": 100,
    }
    assert count(wb, "run_rules") == sum(rule.enabled for rule in reference.rules_in_force(wb))
    assert count(wb, "rollup_days") == 2


def test_identities_are_pseudonyms_in_every_frame(wb, file):
    run = validated(wb, file)
    for frame in (run.results, run.records, run.rejected, run.summary, run.logs):
        shown = frame.write_json()
        assert not any(word in shown for word in ("TEST80010112", "EXEMPLE", "Exemple", "9100001", "factures.csv"))
    assert run.records["patient"][0].startswith("PAT-")


def test_the_same_bytes_on_the_same_basis_are_not_validated_again(wb, file):
    first = validated(wb, file)
    assert validated(wb, file).id == first.id
    assert validated(wb, file, force=True).id != first.id
    assert find_run(wb, validate_file(wb, file, run_date=date(2025, 4, 1))).id != first.id


def test_a_refused_file_leaves_a_failed_run_with_its_code_and_nothing_else(wb, tmp_path):
    path = tmp_path / "empty.csv"
    path.write_text(HEADER + "\n", "utf-8")
    with pytest.raises(ExportRefused):
        validated(wb, path)
    run = find_run(wb, "last")
    assert (run.status, run.figures["error_code"]) == ("failed", "DL-EMPTY-002")
    assert run.figures["error_message"].startswith("DL-EMPTY-002")
    assert [count(wb, t) for t in ("billing_records", "validation_results", "rejected_records", "run_leases")] == [
        0
    ] * 4


def test_a_rejected_line_is_kept_apart_and_yields_a_result_that_says_why(wb, tmp_path):
    path = tmp_path / "export.csv"
    good = [line(facture=f"90000000{i}", debut=f"1{i}:00", patient=f"TEST8001011{i} - A, B") for i in range(3)]
    path.write_text(export(*good, line(date="2025-02-30"), line(date="")), "utf-8")
    run = validated(wb, path)
    assert run.rejected.select("row_number", "line_number", "error_code").rows() == [
        (4, 5, "DL-DATE-002"),
        (5, 6, "DL-DATE-000"),
    ]
    said = run.results.filter(pl.col("category") == "file").sort("row_number")
    assert said["rule_id"].to_list() == ["DL-DATE-002", "DL-DATE-000"]
    assert "5" in said["message"][0]
    assert "2025-02-30" not in said["message"][0]
    assert (run.figures["record_count"], run.figures["rejected_count"]) == (3, 2)


def test_lines_rejected_for_the_same_reason_each_say_their_own_number(wb, tmp_path):
    path = tmp_path / "export.csv"
    good = [line(facture=f"90000000{i}", debut=f"1{i}:00") for i in range(4)]
    path.write_text(export(*good, line(date=""), line(date=""), line(date="")), "utf-8")
    said = validated(wb, path).results.filter(pl.col("category") == "file").sort("row_number")
    assert [number in message for number, message in zip("678", said["message"], strict=True)] == [True] * 3


def test_what_stands_in_a_place_or_a_code_is_not_printed_when_it_is_no_number(wb, tmp_path):
    path = tmp_path / "export.csv"
    path.write_text(
        export(line(), line(code="TEST80010112"), line(lieu="TEST80010112"), line(lieu="Tremplin, Zoé", code="ZOÉ")),
        "utf-8",
    )
    run = validated(wb, path)
    shown = run.results.write_json() + run.records.write_json()
    with wb.database.connect() as connection:
        kept = str(connection.execute(sa.text("SELECT message, details FROM validation_results")).all())
        counted = str(
            [connection.execute(sa.text(f"SELECT * FROM {t}")).all() for t in ("rollup_days", "rollup_contexts")]
        )
    assert "TEST80010112" not in shown + kept + counted
    assert "Tremplin" not in kept + counted


def test_a_file_that_changes_between_its_mark_and_its_reading_is_refused(wb, file, monkeypatch):
    monkeypatch.setattr(validation, "sha256_of", lambda _: "0" * 64)
    with pytest.raises(ExportRefused, match="DL-FILE-006"):
        validated(wb, file)
    assert "factures" not in str(find_run(wb, "last").figures["error_message"])


def test_the_same_file_given_several_times_at_once_gives_one_run(wb, file):
    threads = [threading.Thread(target=validate_file, args=(wb, file), kwargs={"run_date": RUN_DATE}) for _ in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert [run.status for run in list_runs(wb)] == ["completed"]


def test_sums_larger_than_any_amount_are_kept(wb, tmp_path):
    path = tmp_path / "export.csv"
    path.write_text(
        export(*(line(facture=f"9{i:08}", prel="99999999,99", date="2026-03-04") for i in range(300))), "utf-8"
    )
    assert validated(wb, path).figures["at_risk"] == Decimal("29999999997.00")


def test_a_run_tells_its_log_what_happened_without_a_value(wb, file):
    log = validated(wb, file).logs.filter(pl.col("level") == "info")
    assert log["message"].to_list() == ["registered", "read", "judged", "kept"]
    assert json.loads(log["details"][1])["lines"] == 3


def test_a_run_that_breaks_keeps_nothing_and_says_that_it_failed(wb, file, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError("TEST80010112")

    monkeypatch.setattr(engine, "find_results", broken)
    with pytest.raises(ZeroDivisionError):
        validated(wb, file)
    run = find_run(wb, "last")
    assert (run.status, run.figures["error_code"]) == ("failed", "DL-RUN-001")
    assert "TEST80010112" not in run.logs.write_json() + str(run.figures)
    with wb.database.connect() as connection:
        left = connection.scalar(
            sa.text("SELECT count(*) FROM pg_class WHERE relname LIKE 'billing_records_%' AND relkind = 'r'")
        )
    assert left == 0


def test_an_interrupted_run_is_cancelled(wb, file, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(engine, "find_results", interrupted)
    with pytest.raises(KeyboardInterrupt):
        validated(wb, file)
    assert find_run(wb, "last").figures["error_code"] == "DL-RUN-CANCELLED"


def test_who_lost_his_lease_commits_nothing(wb, file, monkeypatch):
    judge = engine.find_results

    def lose_it(*arguments):
        with wb.database.connect() as connection:
            connection.execute(sa.update(RunLease).values(holder="another", fence=RunLease.fence + 1))
        return judge(*arguments)

    monkeypatch.setattr(engine, "find_results", lose_it)
    with pytest.raises(DashError, match="DL-RUN-LOST"):
        validated(wb, file)
    assert count(wb, "billing_records") == 0


def test_a_run_whose_holder_is_gone_is_failed_by_the_next(wb, file):
    run = validated(wb, file)
    with wb.database.connect() as connection:
        connection.execute(sa.update(ValidationRun).values(status="processing"))
    validate_file(wb, file, run_date=RUN_DATE, force=True)
    assert find_run(wb, run.number).figures["error_code"] == "DL-RUN-LOST"


def test_heartbeats_and_progress_are_seen_while_a_load_is_under_way(wb, file, monkeypatch):
    judge, seen = engine.find_results, []

    def look(*arguments):
        with wb.database.connect() as connection:
            seen.append(connection.execute(sa.select(ValidationRun.status, ValidationRun.progress)).one())
        return judge(*arguments)

    monkeypatch.setattr(engine, "find_results", look)
    validated(wb, file)
    assert seen == [("processing", 15)]


def test_progress_is_told_phase_by_phase(wb, file):
    told = []
    validated(wb, file, told=lambda phase, done, of: told.append((phase, done, of)))
    assert [phase for phase, _, _ in told][:2] == ["reading", "loading"]
    assert ("loading", 3, 3) in told


def test_runs_are_found_by_number_prefix_and_age(wb, file):
    first, second = validated(wb, file), validated(wb, file, force=True)
    assert [run.id for run in list_runs(wb)] == [second.id, first.id]
    for wanted in (second.number, str(second.number), str(second.id)[:8], "last"):
        assert find_run(wb, wanted).id == second.id
    assert find_run(wb, "last~1").id == first.id
    for wanted in ("last~2", "999", "zz"):
        with pytest.raises(NotFound):
            find_run(wb, wanted)


def test_several_files_at_once_give_a_run_each(wb, tmp_path):
    paths = [tmp_path / f"{i}.csv" for i in range(3)]
    for i, path in enumerate(paths):
        path.write_text(export(line(facture=f"90000000{i}")), "utf-8")
    threads = [threading.Thread(target=validate_file, args=(wb, path), kwargs={"run_date": RUN_DATE}) for path in paths]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert [run.status for run in list_runs(wb)] == ["completed"] * 3


def test_deleting_a_run_takes_its_rows_with_it(wb, file):
    validated(wb, file)
    with wb.database.owner() as connection:
        connection.execute(sa.delete(ValidationRun))
    tables = ("billing_records", "validation_results", "rollup_days", "run_rules", "validation_logs")
    assert [count(wb, table) for table in tables] == [0] * 5
