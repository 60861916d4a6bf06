"""The queue of background work: PostgreSQL's, by procrastinate, in a schema of its own.

A job's arguments are ids and nothing else: whoever takes it reads what it means from our own tables. A job is put in
only where rows already say what is to be done, so that a job that is lost is put in again by the next tick.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

import psycopg
import sqlalchemy as sa

from dashlib.database import Database
from dashlib.embedded import APP
from dashlib.errors import DatabaseUnavailable
from dashlib.workbench import Workbench

if TYPE_CHECKING:
    from procrastinate import App

REPORT, UPLOAD, TICK = "report", "upload", "tick"
BEAT_S = 10
SILENT_S = 30  # a worker that was not heard of for so long is gone, and its jobs are another's
KEEP_H = 24  # finished jobs, which tell nothing that report_runs and validation_runs do not

AS_APP = f"SET ROLE {APP}; SET search_path = procrastinate; SET timezone TO 'UTC'"
STATE = sa.text("""
    SELECT (SELECT count(*) FROM procrastinate.procrastinate_workers
            WHERE last_heartbeat > now() - make_interval(secs => :silent)),
           count(*) FILTER (WHERE status = 'todo'), count(*) FILTER (WHERE status = 'doing')
    FROM procrastinate.procrastinate_jobs WHERE task_name <> :tick""")
JOBS = sa.text("""
    SELECT args ->> 'id' FROM procrastinate.procrastinate_jobs
    WHERE task_name = :task AND status IN ('todo', 'doing')""")


@dataclass(frozen=True)
class QueueState:
    """Who serves the queue, and how many jobs wait or are being done."""

    workers: int
    waiting: int
    running: int

    @property
    def is_served(self) -> bool:
        return self.workers > 0


def queue_state(wb: Workbench) -> QueueState:
    """Whether anybody works on the queue: a worker is counted until it was silent for half a minute."""
    with wb.database.connect() as connection:
        return QueueState(*connection.execute(STATE, {"silent": SILENT_S, "tick": TICK}).one())


def has_job(connection: sa.Connection, task: str) -> set[UUID]:
    """The ids for which a job of this task waits or is being done."""
    return {UUID(of) for of in connection.scalars(JOBS, {"task": task})}


def defer(database: Database, task: str, of: UUID) -> None:
    """Puts a job into the queue; where the same one waits already, that one stays alone.

    Raises:
        DatabaseUnavailable: DL-DB-001, the queue does not answer.
    """
    from procrastinate import App, SyncPsycopgConnector

    connector = SyncPsycopgConnector(conninfo=database.login(APP), configure=_as_app, min_size=1, max_size=1)
    with answering(database), (app := App(connector=connector)).open():
        _configured(app, task, of).defer(id=str(of))


async def defer_beside(app: "App", task: str, of: UUID) -> None:
    """The same, for a worker, which has its own connections."""
    from procrastinate.exceptions import AlreadyEnqueued

    try:
        await _configured(app, task, of).defer_async(id=str(of))
    except AlreadyEnqueued:
        return


def open_queue(database: Database) -> "App":
    """The queue as a worker sees it; its tasks are added by the worker."""
    from procrastinate import App, PsycopgConnector

    return App(
        connector=PsycopgConnector(conninfo=database.login(APP), configure=_as_app_beside, min_size=1, max_size=4)
    )


def _configured(app: "App", task: str, of: UUID) -> Any:
    """One job at a time is about the same thing, and one waits."""
    about = f"{task} {of}"
    return app.configure_task(task, lock=about, queueing_lock=about)


@contextmanager
def answering(database: Database) -> Iterator[None]:
    """What keeps the queue from answering is said as it is of the database; a job that waits already is no fault."""
    from procrastinate.exceptions import AlreadyEnqueued, ConnectorException

    try:
        yield
    except AlreadyEnqueued:
        return
    except (ConnectorException, psycopg.Error):
        raise DatabaseUnavailable("DL-DB-001", host=database.address) from None


def _as_app(connection: psycopg.Connection[Any]) -> None:
    connection.execute(AS_APP)
    connection.commit()


async def _as_app_beside(connection: psycopg.AsyncConnection[Any]) -> None:
    await connection.execute(AS_APP)
    await connection.commit()
