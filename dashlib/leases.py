"""Who works on a run, and how far it is: a row of its own, so that no lock of the load stops a heartbeat."""

import os
import secrets
import socket
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self
from uuid import UUID

import sqlalchemy as sa

from dashlib import texts
from dashlib.database import Database
from dashlib.errors import Cancelled, DatabaseUnavailable
from dashlib.schema import RunLease, ValidationRun

type Told = Callable[[str, int, int], None]

LEASE_S = 30  # a run whose holder was not heard of for so long is anybody's to finish or fail
BEAT_S = 5
TELL_S = 0.5
WAITING = "queue"  # the holder of a run that waits for a worker

# How much of a run's progress (0–100) lies behind it when a phase begins. Reading and keeping are short beside loading,
# in which rows are counted as they are copied.
BEGINS = {"reading": 0, "loading": 15, "keeping": 85, "done": 100}


def quiet(phase: str, done: int, of: int) -> None:
    """Tells nobody."""


class Lease:
    """This process's hold on a run while it works: heartbeat, progress, and proof at the end that it was not lost."""

    def __init__(self, database: Database, run_id: UUID, holder: str, told: Told) -> None:
        self.database = database
        self.run_id = run_id
        self.holder = holder
        self._told = told
        self._phase, self._done, self._of = "reading", 0, 1
        self._stopped = threading.Event()
        self._heart = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def __enter__(self) -> Self:
        self._heart.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    @property
    def progress(self) -> int:
        """0–100, from what is really done."""
        return share_done(self._phase, self._done, self._of)

    def phase(self, name: str, of: int) -> None:
        """The next phase begins, with so much to do; the run shows its progress."""
        self._phase, self._done, self._of = name, 0, of
        self._told(name, 0, of)
        self._mirror()

    def done(self, done: int) -> None:
        """So much of the phase is done."""
        self._done = done
        self._told(self._phase, done, self._of)

    def give_up(self, connection: sa.Connection) -> None:
        """Ends the lease in the transaction that completes the run: who lost it cannot commit.

        Raises:
            DatabaseUnavailable: DL-RUN-LOST, another process holds the run by now.
        """
        self._stop()
        mine = sa.delete(RunLease).where(RunLease.validation_run_id == self.run_id, RunLease.holder == self.holder)
        if connection.execute(mine).rowcount != 1:
            raise DatabaseUnavailable("DL-RUN-LOST")

    def _stop(self) -> None:
        self._stopped.set()
        if self._heart.is_alive():
            self._heart.join()

    def _beat(self) -> None:
        while not self._stopped.wait(BEAT_S):
            try:
                with self.database.connect() as connection:
                    connection.execute(
                        sa.update(RunLease)
                        .where(RunLease.validation_run_id == self.run_id, RunLease.holder == self.holder)
                        .values(heartbeat_at=sa.func.clock_timestamp(), progress=self.progress, phase=self._phase)
                    )
                    connection.commit()
            except DatabaseUnavailable:
                continue  # the lease tells at the end whether the run is still ours

    def _mirror(self) -> None:
        with self.database.connect() as connection:
            connection.execute(
                sa.update(ValidationRun).where(ValidationRun.id == self.run_id).values(progress=self.progress)
            )
            connection.commit()


def share_done(phase: str, done: int, of: int) -> int:
    """0–100: phases behind, and in this one the share of its bytes or rows."""
    phases = list(BEGINS)
    begin = BEGINS[phase]
    end = BEGINS[phases[min(phases.index(phase) + 1, len(phases) - 1)]]
    return begin + (end - begin) * done // max(of, 1)


def take_over(database: Database, run_id: UUID) -> str | None:
    """Takes the lease of a run that waits for a worker or was left by one; None where it is another's, or ended."""
    lease, holder = RunLease, new_holder()
    left = lease.heartbeat_at < sa.func.clock_timestamp() - sa.text(f"interval '{LEASE_S} seconds'")
    mine = {"holder": holder, "fence": lease.fence + 1, "heartbeat_at": sa.func.clock_timestamp(), "phase": "reading"}
    free = (lease.validation_run_id == run_id, sa.or_(lease.holder == WAITING, left))
    with database.connect() as connection:
        return holder if connection.execute(sa.update(lease).where(*free).values(mine)).rowcount else None


def telling(database: Database, run_id: UUID, holder: str) -> Told:
    """Tells in the lease how far the run is, for those who look on; raises Cancelled when others ended the run."""
    told_at = 0.0

    def told(phase: str, done: int, of: int) -> None:
        nonlocal told_at
        if time.monotonic() - told_at < TELL_S and done:
            return
        told_at = time.monotonic()
        mine = (RunLease.validation_run_id == run_id, RunLease.holder == holder)
        now = {"phase": phase, "progress": share_done(phase, done, of), "heartbeat_at": sa.func.clock_timestamp()}
        with database.connect() as connection:
            is_mine = connection.execute(sa.update(RunLease).where(*mine).values(now)).rowcount
            status = sa.select(ValidationRun.status).where(ValidationRun.id == run_id)
            if not is_mine and connection.scalar(status) != "completed":  # who completes it gives the lease up
                raise Cancelled("DL-RUN-CANCELLED")

    return told


def new_holder() -> str:
    """A name for this process's work that no other has."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"


def fail_lost_runs(database: Database) -> int:
    """Fails the runs whose holder was not heard of for a lease's time; nothing of theirs was ever committed."""
    ended = {"status": "failed", "error_code": "DL-RUN-LOST", "error_message": texts.error("DL-RUN-LOST", {}, "fr")}
    with database.connect() as connection:
        heard_of = sa.exists().where(
            RunLease.validation_run_id == ValidationRun.id,
            RunLease.heartbeat_at > sa.func.clock_timestamp() - sa.text(f"interval '{LEASE_S} seconds'"),
        )
        lost = (
            connection.execute(
                sa.update(ValidationRun)
                .where(ValidationRun.status.in_(("pending", "processing")), ~heard_of)
                .values(**ended, completed_at=sa.func.now())
                .returning(ValidationRun.id)
            )
            .scalars()
            .all()
        )
        connection.execute(sa.delete(RunLease).where(RunLease.validation_run_id.in_(lost)))
        connection.commit()
    return len(lost)
