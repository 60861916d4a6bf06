"""Reports that make themselves: their schedules, which periods are due, and what became of each.

A row of `report_runs` is a period's report, whoever makes it. It is put there once, by the first who finds the period
due; then it is worked on by whoever holds its lock, until it is done.
"""

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

import polars as pl
import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy.dialects.postgresql import insert

from dashlib import queue
from dashlib.cards import holds_card
from dashlib.errors import NotFound, UsageError
from dashlib.schema import AuditEvent, ReportRun, Schedule
from dashlib.timetable import Kind, last_time, next_time, period_of, require_cron
from dashlib.workbench import Workbench

type Format = Literal["html", "pdf", "xlsx"]

KINDS: tuple[Kind, ...] = ("weekly", "monthly")
FORMATS: tuple[Format, ...] = ("html", "pdf", "xlsx")
NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")
MOST = 3  # times that a report is tried, its process being killed included
AGAIN_MIN = 5  # between two tries
NOW = sa.func.clock_timestamp()

Address = Annotated[str, Field(pattern=r"^[^\s@,;<>]+@[^\s@,;<>]+$", max_length=254)]


class Options(BaseModel):
    """What a schedule's report is of and where it goes: a place (5 digits) or all, a folder, readers by mail."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    out: Path
    place: Annotated[str, Field(pattern=r"^\d{5}$")] | None = None
    lang: Literal["fr", "en"] = "fr"
    formats: tuple[Format, ...] = Field(default=FORMATS, min_length=1)
    mail: tuple[Address, ...] = ()


def add(wb: Workbench, kind: str, *, cron: str, name: str | None = None, **options: Any) -> str:
    """Makes a schedule, by default named for its kind; gives its name. It begins with the next time that comes.

    Args:
        options: the fields of `Options`.

    Raises:
        UsageError: DL-SCHED-001, no cron; DL-SCHED-002, no such kind; DL-SCHED-003, an option is unknown, missing or
            impossible; DL-SCHED-004, no name; DL-SCHED-005, the name is taken; DL-OUT-001, the folder is closed.
    """
    if kind not in KINDS:
        raise UsageError("DL-SCHED-002", kinds=", ".join(KINDS))
    require_cron(cron)
    called = kind if name is None else name
    if not NAME.fullmatch(called) or holds_card(called):
        raise UsageError("DL-SCHED-004")
    row = {"user_id": wb.viewer.id, "name": called, "kind": kind, "cron": " ".join(cron.split())}
    asked = options_of(**options)
    with wb.database.connect() as connection:
        made = insert(Schedule).values(**row, options=asked.model_dump(mode="json")).on_conflict_do_nothing()
        if connection.scalar(made.returning(Schedule.id)) is None:
            raise UsageError("DL-SCHED-005", name=called)
        _note(connection, "schedule.added", called, {"kind": kind, "cron": row["cron"]})
    return called


def remove(wb: Workbench, name: str) -> None:
    """Removes a schedule and its history; its reports stay where they were written.

    Raises:
        NotFound: DL-SCHED-404.
    """
    with wb.database.connect() as connection:
        if not connection.execute(sa.delete(Schedule).where(_named(wb, name))).rowcount:
            raise NotFound("DL-SCHED-404")
        _note(connection, "schedule.removed", name, {})


def enable(wb: Workbench, name: str, *, on: bool) -> None:
    """Lets a schedule rest, or wakes it; what it would have made in between is not made up for.

    Raises:
        NotFound: DL-SCHED-404.
    """
    with wb.database.connect() as connection:
        changed = sa.update(Schedule).where(_named(wb, name)).values(enabled=on, active_since=NOW)
        if not connection.execute(changed).rowcount:
            raise NotFound("DL-SCHED-404")
        _note(connection, "schedule.enabled" if on else "schedule.disabled", name, {})


def list_schedules(wb: Workbench) -> list[dict[str, Any]]:
    """The schedules of the viewer, of an admin all, by name, each with its `next` time."""
    columns = (Schedule.name, Schedule.kind, Schedule.cron, Schedule.time_zone, Schedule.enabled, Schedule.options)
    query = sa.select(*columns, Schedule.user_id.label("owner")).where(_visible(wb)).order_by(Schedule.name)
    with wb.database.connect() as connection:
        found = [dict(row) for row in connection.execute(query).mappings()]
    return [row | {"next": _next(row) if row["enabled"] else None} for row in found]


def _next(row: dict[str, Any]) -> datetime:
    return next_time(row["cron"], datetime.now(UTC), ZoneInfo(row["time_zone"]))


def history(wb: Workbench, name: str | None = None) -> pl.DataFrame:
    """What became of each period: (reports, 13), the newest first; only those of a schedule if named.

    Raises:
        NotFound: DL-SCHED-404.
    """
    if name is not None:
        _schedule(wb, name)
    report = ReportRun
    columns = (
        *(Schedule.name.label("schedule"), report.period, report.since, report.until, report.status, report.attempts),
        *(report.started_at, report.finished_at, report.paths, report.failed_sections),
        *(report.error_code, report.mail, report.mail_error),
    )
    query = sa.select(*columns).join(Schedule, Schedule.id == report.schedule_id).where(_visible(wb))
    wanted = query.where(Schedule.name == name) if name is not None else query
    return wb.frame(wanted.order_by(report.until.desc(), report.created_at.desc()))


def due(wb: Workbench, now: datetime) -> list[UUID]:
    """Puts the periods that are due where they are not yet; gives the reports on which work is to be done.

    Of the times that came while nobody worked only the last one is made up for: readers want last week's report, not
    the pile of a long absence.
    """
    query = sa.select(Schedule.__table__).where(Schedule.enabled, Schedule.active_since < now)
    with wb.database.connect() as connection:
        for row in connection.execute(query).mappings().all():
            zone = ZoneInfo(row["time_zone"])
            came = last_time(row["cron"], now, zone)
            if came > row["active_since"]:
                _put(connection, row["id"], row["kind"], came.astimezone(zone))
        return _to_do(connection)


def now_for(wb: Workbench, name: str) -> UUID:
    """The report of the last whole week or month of a schedule, put there if need be.

    Raises:
        NotFound: DL-SCHED-404.
    """
    schedule = _schedule(wb, name)
    local = datetime.now(ZoneInfo(schedule["time_zone"]))
    with wb.database.connect() as connection:
        _put(connection, schedule["id"], schedule["kind"], local)
        about = (
            ReportRun.schedule_id == schedule["id"],
            ReportRun.period == period_of(schedule["kind"], local.date()).name,
        )
        return connection.scalars(sa.select(ReportRun.id).where(*about)).one()


def _put(connection: sa.Connection, schedule: UUID, kind: Kind, local: datetime) -> None:
    period = period_of(kind, local.date())
    days = {"period": period.name, "since": period.since, "until": period.until}
    connection.execute(insert(ReportRun).values(schedule_id=schedule, **days).on_conflict_do_nothing())


def _to_do(connection: sa.Connection) -> list[UUID]:
    """Reports that wait, were left in the middle, or failed a while ago and may be tried again; none in the queue."""
    report = ReportRun
    a_while_ago = NOW - sa.text(f"interval '{AGAIN_MIN} minutes'")
    failed = sa.and_(report.status == "failed", report.attempts < MOST, report.finished_at < a_while_ago)
    left = sa.or_(report.status.in_(("waiting", "running")), report.mail == "sending", failed)
    asleep = sa.select(Schedule.id).where(~Schedule.enabled)
    wanted = connection.scalars(
        sa.select(report.id).where(left, report.schedule_id.not_in(asleep)).order_by(report.until)
    )
    queued = queue.has_job(connection, queue.REPORT)
    return [of for of in wanted if of not in queued]


@contextmanager
def alone(wb: Workbench, report: UUID) -> Iterator[bool]:
    """Whether this process is now the only one that works on a report. Who is killed lets go."""
    lock = sa.func.pg_try_advisory_xact_lock(sa.func.hashtextextended(f"report {report}", 0))
    with wb.database.connect() as connection:
        yield bool(connection.scalar(sa.select(lock)))


def begin(wb: Workbench, report: UUID, *, again: bool) -> dict[str, Any] | None:
    """Takes a report up and gives what there is to do: its days, and the schedule's name, kind, owner and options.

    None where nothing is left to do: it is gone or done, unless it is wanted `again`; or it was tried too often.
    """
    run, schedule = ReportRun, Schedule
    about = (run.since, run.until, schedule.name, schedule.kind, schedule.user_id, schedule.options)
    cleared: dict[str, Any] = {"finished_at": None, "error_code": None, "failed_sections": []}
    open_still = (run.status.in_(("waiting", "running", "failed")), run.attempts < MOST)
    todo = (run.id == report, schedule.id == run.schedule_id, *(() if again else open_still))
    taken = {"status": "running", "started_at": NOW, "attempts": sa.literal(1) if again else run.attempts + 1}
    with wb.database.connect() as connection:
        _give_up(connection, report)
        update = sa.update(run).where(*todo).values(cleared | taken).returning(*about)
        found = connection.execute(update, execution_options={"synchronize_session": False}).mappings().one_or_none()
    return dict(found) if found else None


def _give_up(connection: sa.Connection, report: UUID) -> None:
    """Says what was left by who held the lock before: a mail of which nobody knows whether it went, a last try."""
    stopped = {"mail": "failed", "mail_error": "DL-MAIL-005"}
    connection.execute(sa.update(ReportRun).where(ReportRun.id == report, ReportRun.mail == "sending").values(stopped))
    worn = (ReportRun.id == report, ReportRun.status == "running", ReportRun.attempts >= MOST)
    given_up = {"status": "failed", "error_code": "DL-SCHED-007", "finished_at": NOW}
    connection.execute(sa.update(ReportRun).where(*worn).values(given_up))


def finish(wb: Workbench, report: UUID, **outcome: Any) -> None:
    """What became of a report, or of its mail: columns of `report_runs`."""
    ended = {"finished_at": NOW} if "status" in outcome else {}
    with wb.database.connect() as connection:
        connection.execute(sa.update(ReportRun).where(ReportRun.id == report).values(**outcome, **ended))
        if "status" in outcome:
            _note(connection, f"report.{outcome['status']}", str(report), {}, kind="report")


def options_of(**given: Any) -> Options:
    """What a report is asked for, its folder made if need be.

    Raises:
        UsageError: DL-SCHED-003, an option is unknown, missing or impossible; DL-OUT-001, the folder is closed.
    """
    try:
        options = Options(**given)
    except ValidationError as refused:
        names = sorted({str(error["loc"][0]) for error in refused.errors(include_input=False)})
        raise UsageError("DL-SCHED-003", names=", ".join(names), known=", ".join(Options.model_fields)) from None
    folder = options.out.expanduser().absolute()
    _require_writable(folder)
    return options.model_copy(update={"out": folder})


def _require_writable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError:
        raise UsageError("DL-OUT-001", folder=str(folder)) from None


def _schedule(wb: Workbench, name: str) -> dict[str, Any]:
    with wb.database.connect() as connection:
        found = connection.execute(sa.select(Schedule.__table__).where(_named(wb, name))).mappings().one_or_none()
    if found is None:
        raise NotFound("DL-SCHED-404")
    return dict(found)


def _named(wb: Workbench, name: str) -> sa.ColumnElement[bool]:
    return sa.and_(Schedule.name == name, _visible(wb))


def _visible(wb: Workbench) -> sa.ColumnElement[bool]:
    return sa.true() if wb.viewer.role == "admin" else Schedule.user_id == wb.viewer.id


def _note(connection: sa.Connection, event: str, target: str, details: dict[str, Any], kind: str = "schedule") -> None:
    row = {"event": event, "kind": kind, "target_id": target, "details": details}
    connection.execute(sa.insert(AuditEvent).values(row))
