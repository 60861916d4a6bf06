import time
from dataclasses import replace
from datetime import date

import pytest
import sqlalchemy as sa

from dashlib import leases, queue, registry, uploads, validation
from dashlib.errors import Cancelled, ExportRefused, NotFound
from dashlib.runs import find_run
from dashlib.schema import File, RunLease, ValidationRun
from dashlib.workbench import Viewer
from tests.exports import HEADER, export, line
from tests.integration.workers import ask, empty_queue, settings_of

pytestmark = pytest.mark.database
DAY = date(2025, 3, 31)
NAM = "TEST80010112"
LINES = export(line(), line(facture="900000002")).encode()


def stage(wb, content=LINES, name=f"factures {NAM}.csv"):
    half = len(content) // 2
    return uploads.stage(wb, name, [content[:half], content[half:]])


def copies(wb):
    return list((wb.settings.home / "uploads").glob("*"))


def file_of(wb, run_id):
    with wb.database.connect() as connection:
        query = sa.select(File).join(ValidationRun, ValidationRun.file_id == File.id)
        return connection.execute(query.where(ValidationRun.id == run_id)).mappings().one()


def test_a_copy_lies_in_a_closed_folder_under_a_name_of_ours(wb):
    staged = stage(wb)
    assert staged.path.read_bytes() == LINES
    assert staged.size == len(LINES)
    assert (staged.path.stat().st_mode & 0o777, staged.path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert NAM not in str(staged.path)


def test_a_file_beyond_the_limit_is_refused_at_once_and_leaves_nothing(wb):
    small = replace(wb, settings=wb.settings.model_copy(update={"max_upload_mib": 1}))
    taken = []
    pieces = (taken.append(n) or bytes(512 * 1024) for n in range(100))
    with pytest.raises(ExportRefused, match=r"DL-UPL-001.*1 Mio"):
        uploads.stage(small, "grand.csv", pieces)
    assert taken == [0, 1, 2]
    assert copies(wb) == []
    assert uploads.limit(wb) == 64 * 1024 * 1024


def test_an_upload_waits_in_its_owners_name_and_nobody_serves_it(wb):
    run_id = uploads.submit(wb, stage(wb), run_date=DAY)
    assert uploads.progress(wb, run_id) == uploads.Progress(1, "pending", "waiting", 0, None)
    assert not queue.queue_state(wb).is_served
    assert queue.queue_state(wb).waiting == 1
    assert file_of(wb, run_id)["original_filename"] == f"factures {NAM}.csv"
    assert ask(wb.database, "SELECT args FROM procrastinate.procrastinate_jobs") == [({"id": str(run_id)},)]


def test_a_run_that_waits_is_not_taken_for_lost(wb):
    run_id = uploads.submit(wb, stage(wb), run_date=DAY)
    assert leases.fail_lost_runs(wb.database) == 0
    assert uploads.progress(wb, run_id).status == "pending"


def test_a_worker_validates_it_and_deletes_the_copy(wb, redis_url):
    run_id = uploads.submit(wb, stage(wb), run_date=DAY)
    said = empty_queue(settings_of(wb.database, redis_url))
    assert "✓ validation" in said
    assert NAM not in said
    assert uploads.progress(wb, run_id) == uploads.Progress(1, "completed", None, 100, None)
    assert find_run(wb, run_id).records["facture"].to_list() == ["900000001", "900000002"]
    assert copies(wb) == []
    assert file_of(wb, run_id)["deleted_at"] is not None
    with wb.database.connect() as connection:
        assert connection.scalars(sa.select(ValidationRun.user_id)).all() == [wb.viewer.id]


def test_a_refused_file_fails_its_run_with_the_reason_and_its_copy_goes_too(wb):
    run_id = uploads.submit(wb, stage(wb, f"{HEADER}\n".encode()), run_date=DAY)
    with pytest.raises(ExportRefused, match="DL-EMPTY-002"):
        uploads.carry_out(wb, run_id)
    assert uploads.progress(wb, run_id) == uploads.Progress(1, "failed", None, 0, "DL-EMPTY-002")
    assert copies(wb) == []


def test_what_was_validated_or_waits_is_not_validated_twice(wb):
    first = uploads.submit(wb, stage(wb), run_date=DAY)
    assert uploads.submit(wb, stage(wb), run_date=DAY) == first
    assert len(copies(wb)) == 1
    uploads.carry_out(wb, first)
    assert uploads.submit(wb, stage(wb), run_date=DAY) == first
    assert copies(wb) == []
    assert ask(wb.database, "SELECT count(*) FROM procrastinate.procrastinate_jobs") == [(1,)]


def test_a_run_can_be_cancelled_while_it_waits(wb):
    run_id = uploads.submit(wb, stage(wb), run_date=DAY)
    assert uploads.cancel(wb, run_id)
    assert uploads.progress(wb, run_id) == uploads.Progress(1, "failed", None, 0, "DL-RUN-CANCELLED")
    assert copies(wb) == []
    uploads.carry_out(wb, run_id)
    assert uploads.progress(wb, run_id).error_code == "DL-RUN-CANCELLED"
    assert not uploads.cancel(wb, run_id)


def test_a_run_can_be_cancelled_while_it_is_judged_and_keeps_nothing(wb, monkeypatch):
    run_id = uploads.submit(wb, stage(wb), run_date=DAY)
    judge = validation.engine.find_results
    seen = []

    def cancelled_meanwhile(*given):
        seen.append(uploads.progress(wb, run_id))
        assert uploads.cancel(wb, run_id)
        return judge(*given)

    monkeypatch.setattr(validation.engine, "find_results", cancelled_meanwhile)
    with pytest.raises(Cancelled):
        uploads.carry_out(wb, run_id)
    assert [(now.status, now.phase, now.share >= 15) for now in seen] == [("processing", "loading", True)]
    assert uploads.progress(wb, run_id).error_code == "DL-RUN-CANCELLED"
    assert find_run(wb, run_id).records.is_empty()
    assert copies(wb) == []


def test_a_run_that_tells_every_step_of_the_way_completes_and_cannot_be_cancelled_then(wb, monkeypatch):
    monkeypatch.setattr(leases, "TELL_S", 0)
    run_id = uploads.submit(wb, stage(wb), run_date=DAY)
    uploads.carry_out(wb, run_id)
    assert not uploads.cancel(wb, run_id)
    assert uploads.progress(wb, run_id).status == "completed"


def test_a_run_of_somebody_else_is_not_there(wb):
    run_id = uploads.submit(wb, stage(wb), run_date=DAY)
    stranger = replace(wb, viewer=Viewer("local|other", "other@localhost", "editor"))
    for act in (uploads.progress, uploads.cancel):
        with pytest.raises(NotFound, match="DL-RUN-404"):
            act(stranger, run_id)


def test_a_run_left_by_a_killed_worker_is_taken_over_and_one_that_is_worked_on_is_not(wb):
    run_id = uploads.submit(wb, stage(wb), run_date=DAY)
    assert leases.take_over(wb.database, run_id) is not None
    assert leases.take_over(wb.database, run_id) is None
    uploads.carry_out(wb, run_id)
    assert uploads.progress(wb, run_id).status == "pending"
    assert len(copies(wb)) == 1
    with wb.database.connect() as connection:
        connection.execute(sa.update(RunLease).values(heartbeat_at=sa.text("now() - interval '31 seconds'")))
    uploads.carry_out(wb, run_id)
    assert uploads.progress(wb, run_id).status == "completed"


def test_a_run_whose_job_was_lost_is_put_in_the_queue_again(wb):
    staged = stage(wb)
    run_id, is_new = validation.enlist(wb, staged.path, name=staged.name, run_date=DAY)
    assert is_new
    assert uploads.to_do(wb) == [run_id]
    queue.defer(wb.database, queue.UPLOAD, run_id)
    assert uploads.to_do(wb) == []


def test_copies_that_nobody_submitted_are_deleted_after_a_day(wb, monkeypatch):
    stage(wb)
    assert uploads.clear_left_copies(wb) == 0
    tomorrow = time.time() + 25 * 3600
    monkeypatch.setattr(uploads.time, "time", lambda: tomorrow)
    assert uploads.clear_left_copies(wb) == 1
    assert copies(wb) == []


def test_a_copy_that_a_run_waits_for_is_kept_however_long_it_waits(wb, monkeypatch):
    staged = stage(wb)
    uploads.submit(wb, staged, run_date=DAY)
    tomorrow = time.time() + 25 * 3600
    monkeypatch.setattr(uploads.time, "time", lambda: tomorrow)
    assert uploads.clear_left_copies(wb) == 0
    assert copies(wb) == [staged.path]


def test_a_users_own_file_is_never_deleted(wb, tmp_path):
    (tmp_path / "mine.csv").write_bytes(LINES)
    run_id, _ = registry.register(wb, tmp_path / "mine.csv", "x", {"run_date": DAY})
    assert uploads.cancel(wb, run_id)
    assert (tmp_path / "mine.csv").exists()
