import os
import signal
import subprocess
import sys
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from dashlib import queue, schedules, validation
from dashlib.schema import Schedule
from tests.exports import export, line
from tests.integration.workers import HOUSE, ask, empty_queue, settings_of, silence_workers, wait_until, worker

pytestmark = [pytest.mark.database, pytest.mark.notebooks, pytest.mark.slow]
MONDAY = datetime(2025, 3, 10, 10, 0, tzinfo=UTC)
NAMES = ("weekly", "nord", "sud")


@pytest.fixture
def clinic(wb, tmp_path):
    """A workbench with a run of the week from 2025-03-03, and three schedules of Mondays at six."""
    (tmp_path / "factures.csv").write_text(export(line(), line(facture="900000002", date="2025-03-05")))
    validation.validate_file(wb, tmp_path / "factures.csv", run_date=datetime(2025, 3, 31).date())  # noqa: DTZ001
    for name in NAMES:
        schedules.add(wb, "weekly", name=name, cron="0 6 * * 1", out=tmp_path / name, formats=("html",))
    return wb


@pytest.fixture
def settings(clinic, redis_url):
    return settings_of(clinic.database, redis_url)


def fall_due(wb, moment):
    """Puts what was due at a moment in the past, and nothing of today, there."""
    with wb.database.connect() as connection:
        connection.execute(sa.update(Schedule).values(active_since=datetime(2025, 1, 1, tzinfo=UTC)))
        connection.commit()
        schedules.due(wb, moment)
        connection.execute(sa.update(Schedule).values(active_since=sa.func.now()))


def reports(wb):
    rows = schedules.history(wb).sort("schedule").select("schedule", "period", "status", "attempts")
    return rows.rows()


def written(folder):
    return sorted(str(file.relative_to(folder)) for name in NAMES for file in (folder / name).glob("*.html"))


def test_two_workers_make_each_report_once(clinic, settings, tmp_path):
    fall_due(clinic, MONDAY)
    with worker(settings) as first, worker(settings) as second:
        wait_until(lambda: {status for _, _, status, _ in reports(clinic)} == {"done"})
        assert queue.queue_state(clinic).workers == 2
        first.send_signal(signal.SIGTERM)
        second.send_signal(signal.SIGINT)
        said = "".join(process.communicate(timeout=60)[1] for process in (first, second))
        assert (first.returncode, second.returncode) == (0, 0)
    assert reports(clinic) == [(name, "2025-W10", "done", 1) for name in sorted(NAMES)]
    assert written(tmp_path) == [f"{name}/hebdomadaire-2025-03-03.html" for name in NAMES[1:]] + [
        "weekly/hebdomadaire-2025-03-03.html"
    ]
    assert said.count("✓ rapport") == 3
    assert queue.queue_state(clinic).workers == 0


def test_a_report_whose_worker_is_killed_is_finished_by_another(clinic, settings, tmp_path):
    schedules.remove(clinic, "nord")
    schedules.remove(clinic, "sud")
    fall_due(clinic, MONDAY)
    with worker(settings) as killed:
        wait_until(lambda: reports(clinic) == [("weekly", "2025-W10", "running", 1)])
        os.killpg(killed.pid, signal.SIGKILL)
        killed.wait()
    assert written(tmp_path) == []
    assert schedules.due(clinic, MONDAY) == []
    silence_workers(clinic.database)
    assert "✓ rapport" in empty_queue(settings)
    assert reports(clinic) == [("weekly", "2025-W10", "done", 2)]
    assert written(tmp_path) == ["weekly/hebdomadaire-2025-03-03.html"]


def test_ctrl_c_lets_the_job_finish_and_a_second_one_quits(clinic, settings):
    fall_due(clinic, MONDAY)
    with worker(settings) as process:
        wait_until(lambda: "running" in {status for _, _, status, _ in reports(clinic)})
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=120)[1]
    assert process.returncode == 0
    assert "finit ce qui est commencé" in said
    assert "running" not in {status for _, _, status, _ in reports(clinic)}
    assert "waiting" in {status for _, _, status, _ in reports(clinic)}
    with worker(settings) as process:
        wait_until(lambda: "running" in {status for _, _, status, _ in reports(clinic)})
        process.send_signal(signal.SIGINT)
        wait_until(lambda: "finit" in process.stderr.readline())
        process.send_signal(signal.SIGINT)
        process.wait(timeout=10)
    assert process.returncode == 130
    assert "running" in {status for _, _, status, _ in reports(clinic)}


def test_finished_jobs_are_cleared_away_after_a_day_and_say_nothing_but_ids(clinic, settings):
    fall_due(clinic, datetime(2025, 6, 30, 10, 0, tzinfo=UTC))
    said = empty_queue(settings)
    assert said.count("DL-REP-404") == 3
    ids = {str(row[0]) for row in ask(clinic.database, "SELECT id FROM report_runs")}
    done = "SELECT status::text, args FROM procrastinate.procrastinate_jobs WHERE task_name = 'report'"
    assert [(status, list(args)) for status, args in ask(clinic.database, done)] == [("succeeded", ["id"])] * 3
    assert {args["id"] for _, args in ask(clinic.database, done)} == ids
    with clinic.database.owner() as connection:
        connection.execute(sa.text("UPDATE procrastinate.procrastinate_events SET at = now() - interval '25 hours'"))
    empty_queue(settings)
    assert ask(clinic.database, done) == []


def test_a_worker_beside_another_program_ends_when_that_one_is_killed(clinic, settings):
    program = (
        "import time; from dashlib import worker; from dashlib.settings import read_settings;"
        "child = worker.beside(read_settings()); time.sleep(600)"
    )
    parent = subprocess.Popen((sys.executable, "-c", program), cwd=HOUSE, env=settings)
    try:
        wait_until(lambda: queue.queue_state(clinic).workers == 1)
    finally:
        parent.kill()
        parent.wait()
    wait_until(lambda: queue.queue_state(clinic).workers == 0, patience_s=20)


def test_a_worker_goes_on_when_its_connections_break(clinic, settings):
    with worker(settings) as process:
        wait_until(lambda: queue.queue_state(clinic).workers == 1)
        with clinic.database.connect() as connection:
            others = "datname = current_database() AND pid <> pg_backend_pid() AND usename = current_user"
            broken = connection.scalars(
                sa.text(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")
            )
            assert True in broken.all()
        fall_due(clinic, datetime(2025, 6, 30, 10, 0, tzinfo=UTC))
        wait_until(lambda: set(schedules.history(clinic)["status"]) == {"failed"}, patience_s=150)
        assert process.poll() is None
