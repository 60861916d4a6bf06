"""Files that people hand to a dashboard: staged in a closed folder, validated in the background, and deleted.

The run is registered when the file is handed in, so that it can be looked at while it waits. Whoever looks on sees how
far the worker says that it is.
"""

import os
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from uuid import UUID, uuid4

import sqlalchemy as sa

from dashlib import queue, texts
from dashlib.errors import ExportRefused, NotFound, UsageError
from dashlib.leases import WAITING
from dashlib.schema import File, RunLease, ValidationLog, ValidationRun
from dashlib.workbench import Workbench, on_behalf_of

MIB = 1024**2
LEFT_S = 24 * 3600  # a copy that nobody submitted, or whose run was lost
UNDER_WAY = ("pending", "processing")


@dataclass(frozen=True)
class Upload:
    """A staged copy: `name` is its owner's word for it, the path holds none of it."""

    name: str
    path: Path
    size: int


@dataclass(frozen=True)
class Progress:
    """How far a run is: its status, the phase it is in (waiting, reading, loading, keeping) and 0–100 of all."""

    number: int
    status: str
    phase: str | None
    share: int
    error_code: str | None

    @property
    def has_ended(self) -> bool:
        return self.status not in UNDER_WAY


def limit(wb: Workbench) -> int:
    """The most bytes that a file may have."""
    return wb.settings.max_upload_mib * MIB


def stage(wb: Workbench, name: str, chunks: Iterable[bytes]) -> Upload:
    """Copies a file that comes in pieces into the closed folder; what is too large is refused at the piece that is.

    Raises:
        ExportRefused: DL-UPL-001, it is larger than the limit.
        UsageError: DL-OUT-001, the folder cannot be written.
    """
    folder = _folder(wb)
    path = folder / f"{uuid4()}.csv"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        size = _copy(path, chunks, limit(wb))
    except OSError:
        path.unlink(missing_ok=True)
        raise UsageError("DL-OUT-001", folder=str(folder)) from None
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return Upload(name, path, size)


def _copy(path: Path, chunks: Iterable[bytes], most: int) -> int:
    size = 0
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        for chunk in chunks:
            size += len(chunk)
            if size > most:
                raise ExportRefused("DL-UPL-001", limit=most // MIB)
            file.write(chunk)
    return size


def submit(wb: Workbench, upload: Upload, *, run_date: date | None = None) -> UUID:
    """Registers a run of the staged copy for a worker to carry out, in the viewer's name; gives its id.

    What was validated before, or is being validated, is not validated twice: its run is given, and the copy deleted.
    """
    # A page that takes files in reads none: 20 MiB come when the first is handed over.
    from dashlib import validation

    try:
        run_id, is_new = validation.enlist(wb, upload.path, name=upload.name, run_date=run_date)
    except BaseException:
        upload.path.unlink(missing_ok=True)
        raise
    if is_new:
        queue.defer(wb.database, queue.UPLOAD, run_id)
    else:
        upload.path.unlink(missing_ok=True)
    return run_id


def carry_out(wb: Workbench, run_id: UUID) -> None:
    """What a worker does with a run that waits: validates it in its owner's name, and deletes the copy, come what may.

    Raises:
        DashError: why the run failed; the run says so too.
    """
    from dashlib import registry, validation

    with wb.database.connect() as connection:
        owner = connection.scalar(sa.select(ValidationRun.user_id).where(ValidationRun.id == run_id))
    if owner is None:
        return
    try:
        validation.carry_out(on_behalf_of(wb, owner), run_id)
    except BaseException as stopped:
        registry.fail(wb, run_id, stopped)  # where it did not come so far as to say it itself
        raise
    finally:
        if _has_ended(wb, run_id):
            _delete_copy(wb, run_id)


def progress(wb: Workbench, run_id: UUID) -> Progress:
    """How far the viewer's run is.

    Raises:
        NotFound: DL-RUN-404.
    """
    run, lease = ValidationRun, RunLease
    phase = sa.case((lease.holder == WAITING, "waiting"), else_=lease.phase)
    # What the lease knows is newer than what the run was told at the end of a phase.
    share = sa.func.greatest(run.progress, lease.progress)
    query = sa.select(run.number, run.status, phase, share, run.error_code)
    with wb.database.connect() as connection:
        found = connection.execute(
            query.outerjoin(lease, lease.validation_run_id == run.id).where(_own(wb, run_id))
        ).one_or_none()
    if found is None:
        raise NotFound("DL-RUN-404")
    return Progress(*found)


def cancel(wb: Workbench, run_id: UUID) -> bool:
    """Ends a run that waits or is under way: nothing of it is kept. False where it has ended already.

    Who works on it finds that it lost its lease, and cannot commit.

    Raises:
        NotFound: DL-RUN-404.
    """
    progress(wb, run_id)
    sentence = texts.error("DL-RUN-CANCELLED", {}, "fr")
    ended = {"status": "failed", "error_code": "DL-RUN-CANCELLED", "error_message": sentence}
    with wb.database.connect() as connection:
        # A run that is being completed holds its lease's row until it is.
        if not connection.execute(sa.delete(RunLease).where(RunLease.validation_run_id == run_id)).rowcount:
            return False
        change = sa.update(ValidationRun).where(ValidationRun.id == run_id, ValidationRun.status.in_(UNDER_WAY))
        connection.execute(change.values(**ended, completed_at=sa.func.now()))
        entry = {"level": "info", "source": "runs", "message": "cancelled", "details": {"by": wb.viewer.id}}
        connection.execute(sa.insert(ValidationLog).values(validation_run_id=run_id, **entry))
    _delete_copy(wb, run_id)
    return True


def to_do(wb: Workbench) -> list[UUID]:
    """Runs that wait for a worker although no job is in the queue for them: whoever put them there was stopped."""
    with wb.database.connect() as connection:
        waiting = connection.scalars(sa.select(RunLease.validation_run_id).where(RunLease.holder == WAITING)).all()
        queued = queue.has_job(connection, queue.UPLOAD)
    return [run_id for run_id in waiting if run_id not in queued]


def clear_left_copies(wb: Workbench) -> int:
    """Deletes staged copies of a day ago that no run waits for; gives how many. A run deletes its own when it ends."""
    awaited = sa.select(File.path).join(ValidationRun, ValidationRun.file_id == File.id)
    with wb.database.connect() as connection:
        kept = set(connection.scalars(awaited.where(ValidationRun.status.in_(UNDER_WAY))))
    left = [path for path in _folder(wb).glob("*.csv") if str(path) not in kept and _is_left(path)]
    for path in left:
        path.unlink(missing_ok=True)
    return len(left)


def _is_left(path: Path) -> bool:
    with suppress(FileNotFoundError):  # its run has just ended
        return time.time() - path.stat().st_mtime > LEFT_S
    return False


def _has_ended(wb: Workbench, run_id: UUID) -> bool:
    """Whether a run is nobody's work any more, whoever asks."""
    with wb.database.connect() as connection:
        return connection.scalar(sa.select(ValidationRun.status).where(ValidationRun.id == run_id)) not in UNDER_WAY


def _delete_copy(wb: Workbench, run_id: UUID) -> None:
    """Deletes the copy of a run, never a user's own file."""
    query = sa.select(File.id, File.path).join(ValidationRun, ValidationRun.file_id == File.id)
    with wb.database.connect() as connection:
        file_id, path = connection.execute(query.where(ValidationRun.id == run_id)).one()
        if Path(path).parent != _folder(wb):
            return
        with suppress(FileNotFoundError):
            Path(path).unlink()
        connection.execute(sa.update(File).where(File.id == file_id).values(deleted_at=sa.func.now()))


def _folder(wb: Workbench) -> Path:
    return (wb.settings.home / "uploads").resolve()


def _own(wb: Workbench, run_id: UUID) -> sa.ColumnElement[bool]:
    everybodys = sa.true() if wb.viewer.role == "admin" else ValidationRun.user_id == wb.viewer.id
    return sa.and_(ValidationRun.id == run_id, everybodys)
