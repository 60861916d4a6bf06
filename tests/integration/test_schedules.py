from dataclasses import replace
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from dashlib import delivery, queue, schedules
from dashlib.embedded import APP
from dashlib.errors import AccessDenied, NotFound, UsageError
from dashlib.schema import AuditEvent, ReportRun, Schedule, User
from dashlib.workbench import Viewer, on_behalf_of
from tests.integration.workers import ask

pytestmark = pytest.mark.database
MONDAYS = "0 6 * * 1"


def utc(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.fixture
def weekly(wb, tmp_path):
    """A schedule of Mondays at six that has been there since 2025."""
    schedules.add(wb, "weekly", cron=MONDAYS, out=tmp_path / "out", formats=("html",))
    with wb.database.connect() as connection:
        connection.execute(sa.update(Schedule).values(active_since=utc("2025-01-01 00:00")))
    return wb


def periods(wb):
    return [row["period"] for row in schedules.history(wb).sort("since").iter_rows(named=True)]


def test_a_schedule_is_kept_with_its_options_and_its_next_time(wb, tmp_path):
    assert schedules.add(wb, "weekly", cron=" 0  6 * * 1", out=tmp_path / "new" / "out", mail=["a@b.ca"]) == "weekly"
    [kept] = schedules.list_schedules(wb)
    assert (kept["name"], kept["kind"], kept["cron"], kept["time_zone"]) == (
        "weekly",
        "weekly",
        MONDAYS,
        "America/Toronto",
    )
    assert kept["options"] == {
        "out": str(tmp_path / "new" / "out"),
        "place": None,
        "lang": "fr",
        "formats": ["html", "pdf", "xlsx"],
        "mail": ["a@b.ca"],
    }
    assert kept["next"] > datetime.now(UTC)


@pytest.mark.parametrize(
    ("code", "asked"),
    [
        ("DL-SCHED-001", {"cron": "nonsense"}),
        ("DL-SCHED-002", {"kind": "daily"}),
        ("DL-SCHED-003", {"colour": "red"}),
        ("DL-SCHED-003", {"out": None}),
        ("DL-SCHED-003", {"formats": ("docx",)}),
        ("DL-SCHED-003", {"formats": ()}),
        ("DL-SCHED-003", {"place": "Clinique"}),
        ("DL-SCHED-003", {"lang": "de"}),
        ("DL-SCHED-003", {"mail": ["nobody"]}),
        ("DL-SCHED-003", {"mail": ["a@b.ca\nBcc: c@d.ca"]}),
        ("DL-SCHED-004", {"name": "Semaine du Dr X"}),
        ("DL-SCHED-004", {"name": "test80010112"}),
        ("DL-OUT-001", {"out": "/dev/null/there"}),
    ],
)
def test_what_cannot_be_scheduled_is_refused_when_it_is_added(wb, tmp_path, code, asked):
    with pytest.raises(UsageError, match=code):
        schedules.add(wb, **({"kind": "weekly", "cron": MONDAYS, "out": tmp_path} | asked))
    assert schedules.list_schedules(wb) == []


def test_a_refused_address_is_not_quoted(wb, tmp_path):
    with pytest.raises(UsageError) as refused:
        schedules.add(wb, "weekly", cron=MONDAYS, out=tmp_path, mail=["tremblay"])
    assert "tremblay" not in str(refused.value)


def test_a_name_is_taken_once(wb, tmp_path):
    schedules.add(wb, "weekly", cron=MONDAYS, out=tmp_path)
    with pytest.raises(UsageError, match="DL-SCHED-005"):
        schedules.add(wb, "monthly", cron=MONDAYS, out=tmp_path, name="weekly")
    assert schedules.add(wb, "weekly", cron=MONDAYS, out=tmp_path, name="weekly-nord") == "weekly-nord"


def test_a_period_is_due_when_its_time_comes_and_is_put_there_once(weekly):
    assert schedules.due(weekly, utc("2025-06-30 09:59:59")) != []
    assert periods(weekly) == ["2025-W25"]
    first = schedules.due(weekly, utc("2025-06-30 10:00:00"))
    assert schedules.due(weekly, utc("2025-06-30 10:01:00")) == first
    assert periods(weekly) == ["2025-W25", "2025-W26"]


def test_of_the_times_missed_in_a_long_absence_the_last_is_made_up_for(weekly):
    schedules.due(weekly, utc("2025-03-10 10:00"))
    schedules.due(weekly, utc("2025-06-25 00:00"))
    assert periods(weekly) == ["2025-W10", "2025-W25"]


@pytest.mark.parametrize(
    ("cron", "before", "comes", "week"),
    [
        ("30 2 * * 0", "2025-03-09 06:59", "2025-03-09 07:00", "2025-W09"),
        ("30 2 * * 0", "2025-11-02 07:29", "2025-11-02 07:30", "2025-W43"),
        ("30 1 * * 0", "2025-11-02 05:29", "2025-11-02 05:30", "2025-W43"),
    ],
)
def test_on_days_when_clocks_change_a_report_is_due_once(weekly, cron, before, comes, week):
    with weekly.database.connect() as connection:
        connection.execute(sa.update(Schedule).values(cron=cron, active_since=utc(before)))
    assert schedules.due(weekly, utc(before)) == []
    assert len(schedules.due(weekly, utc(comes))) == 1
    assert len(schedules.due(weekly, utc(comes.replace(":30", ":59")))) == 1
    assert periods(weekly) == [week]


def test_a_new_schedule_begins_with_the_next_time(wb, tmp_path):
    schedules.add(wb, "weekly", cron=MONDAYS, out=tmp_path)
    assert schedules.due(wb, datetime.now(UTC)) == []


def test_a_schedule_that_rests_is_not_due_and_makes_up_for_nothing_when_it_wakes(weekly):
    schedules.due(weekly, utc("2025-06-30 10:00"))
    schedules.enable(weekly, "weekly", on=False)
    assert schedules.due(weekly, utc("2025-07-07 10:00")) == []
    assert schedules.list_schedules(weekly)[0]["next"] is None
    schedules.enable(weekly, "weekly", on=True)
    schedules.due(weekly, utc("2025-07-08 10:00"))
    assert periods(weekly) == ["2025-W26"]


def test_a_cron_that_comes_more_often_than_its_kind_makes_each_period_once(weekly):
    with weekly.database.connect() as connection:
        connection.execute(sa.update(Schedule).values(cron="*/10 * * * *"))
    for moment in ("2025-06-30 10:00", "2025-06-30 10:10", "2025-07-01 12:00", "2025-07-06 23:50"):
        schedules.due(weekly, utc(moment))
    assert periods(weekly) == ["2025-W26"]


def test_a_report_without_lines_fails_with_its_code_and_is_tried_three_times(weekly):
    [report] = schedules.due(weekly, utc("2025-06-30 10:00"))
    for attempts in (1, 2, 3):
        with pytest.raises(NotFound, match="DL-REP-404"):
            delivery.make(weekly, report)
        [row] = schedules.history(weekly, "weekly").to_dicts()
        assert (row["status"], row["error_code"], row["attempts"]) == ("failed", "DL-REP-404", attempts)
    assert delivery.make(weekly, report) is None


def test_a_failed_report_is_tried_again_after_five_minutes(weekly):
    [report] = schedules.due(weekly, utc("2025-06-30 10:00"))
    with pytest.raises(NotFound):
        delivery.make(weekly, report)
    assert schedules.due(weekly, utc("2025-06-30 10:01")) == []
    with weekly.database.connect() as connection:
        connection.execute(sa.update(ReportRun).values(finished_at=sa.text("now() - interval '6 minutes'")))
    assert schedules.due(weekly, utc("2025-06-30 10:07")) == [report]


def test_a_report_whose_process_was_killed_three_times_is_given_up(weekly):
    [report] = schedules.due(weekly, utc("2025-06-30 10:00"))
    for _ in range(3):
        assert schedules.begin(weekly, report, again=False) is not None
    assert schedules.begin(weekly, report, again=False) is None
    [row] = schedules.history(weekly).to_dicts()
    assert (row["status"], row["error_code"]) == ("failed", "DL-SCHED-007")
    assert schedules.begin(weekly, report, again=True) is not None


def test_one_process_at_a_time_works_on_a_report(weekly):
    [report] = schedules.due(weekly, utc("2025-06-30 10:00"))
    with schedules.alone(weekly, report) as mine:
        assert mine
        assert delivery.make(weekly, report) is None
        with pytest.raises(UsageError, match="DL-SCHED-006"):
            delivery.make(weekly, report, again=True)
    assert schedules.history(weekly)["attempts"].to_list() == [0]


def test_a_schedule_goes_with_its_history_and_leaves_a_trace(weekly):
    schedules.due(weekly, utc("2025-06-30 10:00"))
    schedules.remove(weekly, "weekly")
    assert schedules.history(weekly).is_empty()
    with pytest.raises(NotFound, match="DL-SCHED-404"):
        schedules.remove(weekly, "weekly")
    with weekly.database.connect() as connection:
        query = sa.select(AuditEvent.event).where(AuditEvent.kind == "schedule").order_by(AuditEvent.id)
        assert connection.scalars(query).all() == ["schedule.added", "schedule.removed"]


def test_a_schedule_is_its_owners_and_an_admins(weekly):
    viewer = replace(weekly, viewer=Viewer("local|other", "other@localhost", "viewer"))
    assert schedules.list_schedules(viewer) == []
    assert schedules.history(viewer).is_empty()
    for act in (schedules.remove, schedules.now_for, schedules.history):
        with pytest.raises(NotFound, match="DL-SCHED-404"):
            act(viewer, "weekly")


def test_a_report_is_made_in_its_owners_name_or_not_at_all(weekly):
    [report] = schedules.due(weekly, utc("2025-06-30 10:00"))
    assert on_behalf_of(weekly, weekly.viewer.id).viewer == weekly.viewer
    with weekly.database.owner() as connection:
        connection.execute(sa.update(User).values(role="pending"))
    with pytest.raises(AccessDenied, match="DL-ACC-001"):
        delivery.make(weekly, report)
    assert schedules.history(weekly)["error_code"].to_list() == ["DL-ACC-001"]


def test_the_queue_lies_in_its_own_schema_and_belongs_to_its_owner(database):
    owners = ask(
        database,
        """SELECT DISTINCT pg_get_userbyid(relowner) FROM pg_class
           WHERE relnamespace = 'procrastinate'::regnamespace""",
    )
    assert owners == [("dashlib_owner",)]
    rights = ask(
        database,
        f"""SELECT table_name, string_agg(privilege_type, ' ' ORDER BY privilege_type)
            FROM information_schema.role_table_grants
            WHERE table_schema = 'procrastinate' AND grantee = '{APP}' GROUP BY 1 ORDER BY 1""",
    )
    assert rights == [
        ("procrastinate_events", "INSERT SELECT"),
        ("procrastinate_jobs", "DELETE INSERT SELECT UPDATE"),
        ("procrastinate_periodic_defers", "DELETE INSERT SELECT UPDATE"),
        ("procrastinate_workers", "DELETE INSERT SELECT UPDATE"),
    ]
    assert ask(database, "SELECT has_schema_privilege('public', 'procrastinate', 'USAGE')") == [(False,)]


def test_the_tables_are_those_of_the_queues_version():
    from importlib.resources import files

    steps = sorted(file.name for file in files("procrastinate").joinpath("sql/migrations").iterdir())
    assert [name for name in steps if name.endswith(".sql")][
        -1
    ] == "03.04.00_50_post_add_retry_failed_job_procedure.sql"


def test_a_job_waits_once_and_holds_an_id_only(weekly):
    [report] = schedules.due(weekly, utc("2025-06-30 10:00"))
    queue.defer(weekly.database, queue.REPORT, report)
    queue.defer(weekly.database, queue.REPORT, report)
    assert ask(weekly.database, "SELECT args::text FROM procrastinate.procrastinate_jobs") == [
        (f'{{"id": "{report}"}}',)
    ]
    assert schedules.due(weekly, utc("2025-06-30 10:01")) == []
    state = queue.queue_state(weekly)
    assert (state.workers, state.waiting, state.running, state.is_served) == (0, 1, 0, False)
