"""What the database is told of a run's life: its file, status, figures and log. Never the content of a cell."""

import logging
import os
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import polars as pl
import sqlalchemy as sa

from dashlib import texts
from dashlib.errors import DashError, DatabaseUnavailable, Fact, Fault
from dashlib.exports import Export
from dashlib.leases import WAITING, new_holder
from dashlib.rollups import totals
from dashlib.schema import File, RunLease, ValidationLog, ValidationRun
from dashlib.workbench import Workbench

log = logging.getLogger(__name__)


def register(
    wb: Workbench, path: Path, digest: str, versions: dict[str, Any], *, uploaded_as: str | None = None
) -> tuple[UUID, str]:
    """The file, the run and its lease, in one commit; the user's own file is not copied and not touched.

    An upload, which has the name that its owner gave it, waits a day for a worker; then the run is lost.
    """
    run_id, file_id, holder = uuid4(), uuid4(), new_holder() if uploaded_as is None else WAITING
    patience = sa.text("interval '1 day'") if holder == WAITING else sa.text("interval '0'")
    heard_of = sa.func.clock_timestamp() + patience
    with wb.database.connect() as connection:
        connection.execute(
            sa.insert(File).values(
                id=file_id,
                user_id=wb.viewer.id,
                filename=f"{file_id}.csv",
                original_filename=as_text(uploaded_as or path.name),
                size=path.stat().st_size,
                path=as_text(str(path.resolve())),
                sha256=digest,
            )
        )
        connection.execute(
            sa.insert(ValidationRun).values(
                id=run_id,
                file_id=file_id,
                user_id=wb.viewer.id,
                status="pending",
                fingerprint_key=wb.pseudonyms.check_value,
                **versions,
            )
        )
        lease = {"validation_run_id": run_id, "holder": holder, "fence": 1, "heartbeat_at": heard_of}
        connection.execute(sa.insert(RunLease).values(**lease))
        _note(connection, run_id, "info", "runs", "registered", {"bytes": path.stat().st_size, "sha256": digest})
        connection.commit()
    return run_id, holder


def begin(wb: Workbench, run_id: UUID) -> None:
    """The run is being processed."""
    with wb.database.connect() as connection:
        started = {"status": "processing", "started_at": sa.func.now()}
        connection.execute(sa.update(ValidationRun).where(ValidationRun.id == run_id).values(started))
        connection.commit()


def complete(
    connection: sa.Connection,
    run_id: UUID,
    export: Export,
    lines: pl.DataFrame,
    results: pl.DataFrame,
    rejected: pl.DataFrame,
) -> None:
    severities = results["severity"]
    counts = {f"{severity}_count": int((severities == severity).sum()) for severity in ("error", "warning", "info")}
    figures = {
        "status": "completed",
        "progress": 100,
        "record_count": lines.height,
        "rejected_count": rejected.height,
        "line_count": export.lines,
        "encoding": export.encoding,
        "delimiter": export.delimiter,
        **counts,
        **totals(lines, results),
    }
    ended = {**figures, "completed_at": sa.func.clock_timestamp()}
    connection.execute(sa.update(ValidationRun).where(ValidationRun.id == run_id).values(**ended))
    _note(connection, run_id, "info", "engine", "judged", {"results": results.height, **counts})
    _note(connection, run_id, "info", "storage", "kept", {"records": lines.height, "rejected": rejected.height})


def fail(wb: Workbench, run_id: UUID, stopped: BaseException) -> None:
    """Leaves a failed run with its code and its sentence, and nothing else of it; one that has ended stays as it is."""
    code, facts = _reason(stopped)
    faults = [_fault(fault) for fault in getattr(stopped, "faults", ())]
    log.warning("run %s: failed with %s", run_id, code)
    try:
        with wb.database.connect() as connection:
            ended = {"status": "failed", "error_code": code, "error_message": texts.error(code, facts, "fr")}
            under_way = (ValidationRun.id == run_id, ValidationRun.status.in_(("pending", "processing")))
            failed = sa.update(ValidationRun).where(*under_way).values(**ended, completed_at=sa.func.now())
            if connection.execute(failed).rowcount:
                connection.execute(sa.delete(RunLease).where(RunLease.validation_run_id == run_id))
                _note(connection, run_id, "error", "runs", "failed", {"error_code": code, "faults": faults})
            connection.commit()
    except DatabaseUnavailable:
        log.warning("run %s: its failure could not be kept; it will be failed when its lease ends", run_id)


def _reason(stopped: BaseException) -> tuple[str, dict[str, Fact]]:
    if isinstance(stopped, DashError):
        return stopped.code, {name: fact for name, fact in stopped.facts.items() if name != "file"}  # its name is PHI
    if isinstance(stopped, KeyboardInterrupt):
        return "DL-RUN-CANCELLED", {}
    return "DL-RUN-001", {"kind": type(stopped).__name__}


def _fault(fault: Fault) -> dict[str, Any]:
    return {
        "code": fault.code,
        "level": fault.level,
        "lines": list(fault.lines),
        "count": fault.count,
        "column": fault.column,
        "facts": fault.facts,
    }


def note_export(wb: Workbench, run_id: UUID, export: Export) -> None:
    """What was read, and every fault with its lines."""
    facts = {"lines": export.lines, "encoding": export.encoding, "delimiter": export.delimiter, "totals": export.totals}
    with wb.database.connect() as connection:
        _note(connection, run_id, "info", "exports", "read", facts)
        for fault in export.faults:
            _note(connection, run_id, "warn", "exports", fault.code, _fault(fault))
        connection.commit()


def _note(
    connection: sa.Connection, run_id: UUID, level: str, source: str, message: str, details: dict[str, Any]
) -> None:
    """A row of the run's log: codes, counts and line numbers, never a cell or the name of a file."""
    entry = {"validation_run_id": run_id, "level": level, "source": source, "message": message, "details": details}
    connection.execute(sa.insert(ValidationLog).values(entry))


def as_text(name: str) -> str:
    """A file's name as the database can hold it, also when its bytes are no UTF-8."""
    return os.fsencode(name).decode("utf-8", "replace")
