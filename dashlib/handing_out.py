"""What a run found, handed out: the list of results for a program, or a workbook for clerks, managers or doctors.

Only one's own completed runs are handed out. Each time is written down: in which form, how many rows, whether the lines
themselves went along, and never where to.
"""

from pathlib import Path
from typing import Any, Literal
from uuid import UUID

import sqlalchemy as sa

from dashlib import exporting, sending, texts, workbooks
from dashlib.errors import UsageError
from dashlib.exporting import Kind
from dashlib.schema import AuditEvent, ValidationLog
from dashlib.sending import Sorted
from dashlib.todo import EVERYTHING, Asked, own_run, results_of
from dashlib.workbench import Workbench

type Audience = Literal["clerks", "manager", "doctor"]

AUDIENCES = {"clerks": workbooks.clerks, "manager": workbooks.managers, "doctor": workbooks.doctors}


def export(
    wb: Workbench,
    run_id: UUID,
    path: Path,
    *,
    audience: Audience | None = None,
    kind: Kind | None = None,
    asked: Asked = EVERYTHING,
    lang: str = "fr",
    force: bool = False,
) -> int:
    """Writes the results of a run, or a workbook made of them; gives how many rows or things to do are in it.

    Args:
        kind: the format; by default what the file's name ends with.
        force: replaces a file that is already there.

    Raises:
        UsageError: DL-OUT-002, there is such a file; 003, its name tells no format; 004, a workbook is xlsx.
        NotFound: DL-RUN-404, the run is not there, or somebody else's; DL-RUN-406, it is not completed.
        OSError: nothing can be written there.
    """
    run, form = own_run(wb, run_id), kind or exporting.kind_of(path)
    require_free(path, force)
    if audience is None:
        rows = exporting.write(results_of(wb, run, asked, lang), path, lang, kind=form)
    elif form != "xlsx":
        raise UsageError("DL-OUT-004", audience=texts.text(f"audience.{audience}"))
    else:
        rows = AUDIENCES[audience](wb, run_id, path, lang, asked=asked)
    _record(wb, run_id, {"form": form, "audience": audience, "rows": rows, "identities": False})
    return rows


def export_lines(
    wb: Workbench, run_id: UUID, path: Path, *, held: bool = False, source: Path | None = None, force: bool = False
) -> Sorted:
    """Writes the lines of a run's file that can be sent now, or those that are held back; see `sending`.

    Raises:
        UsageError: DL-OUT-002, there is such a file.
        NotFound: the run is not the viewer's completed one, or its file is gone or was changed (DL-SEND-001).
        OSError: nothing can be written there.
    """
    require_free(path, force)
    found = sending.write_lines(wb, run_id, path, held=held, source=source)
    rows = len(found.held if held else found.sendable)
    form = "held" if held else "sendable"
    _record(wb, run_id, {"form": form, "audience": None, "rows": rows, "identities": True})
    return found


def require_free(path: Path, force: bool) -> None:
    """Refuses to write over a file that is there, unless that is wanted.

    Raises:
        UsageError: DL-OUT-002.
    """
    if path.exists() and not force:
        raise UsageError("DL-OUT-002")


def _record(wb: Workbench, run_id: UUID, facts: dict[str, Any]) -> None:
    with wb.database.connect() as connection:
        event = {"event": "run.exported", "kind": "validation_run", "target_id": str(run_id), "details": facts}
        connection.execute(sa.insert(AuditEvent).values(event))
        entry = {"validation_run_id": run_id, "level": "info", "source": "exports", "message": "run.exported"}
        connection.execute(sa.insert(ValidationLog).values(entry | {"details": facts}))
        connection.commit()
