"""Results that people set aside, with a reason: they stay, are counted apart, and come back.

An acknowledgement is of a fingerprint and of the line as it was, so it holds in all runs of the same owner, through its
last day in Toronto, until the line changes. Nothing is deleted: what is withdrawn stays with who did so and when.
"""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import polars as pl
import sqlalchemy as sa

from dashlib import texts
from dashlib.comparison import stakes_of
from dashlib.errors import NotFound, UsageError
from dashlib.schema import AuditEvent, ResultAcknowledgement, ValidationLog, ValidationResult, ValidationRun
from dashlib.workbench import Workbench

REASONS = ("contexte_valide", "erreur_de_regle", "accepte", "autre")
RESULTS, ASIDE, RUNS = ValidationResult, ResultAcknowledgement, ValidationRun
COUNTS = (
    *("error_count", "warning_count", "info_count", "lines_in_error", "lines_in_warning"),
    *("at_risk", "to_repay", "gain"),
)


def today() -> date:
    """The day in the offices."""
    return datetime.now(texts.TORONTO).date()


def set_aside_now() -> sa.ColumnElement[bool]:
    """The join by which a result of a run meets the acknowledgement that holds today."""
    return sa.and_(
        ASIDE.user_id == RUNS.user_id,
        ASIDE.fingerprint == RESULTS.fingerprint,
        ASIDE.line_mark == RESULTS.line_mark,
        ASIDE.revoked_at.is_(None),
        sa.or_(ASIDE.until.is_(None), ASIDE.until >= today()),
    )


def acknowledge(
    wb: Workbench, run_id: UUID, numbers: Sequence[int], *, reason: str, note: str | None, until: date | None
) -> int:
    """Sets results of the viewer's own run aside, all or none; gives how many. The last word on a result counts.

    Raises:
        NotFound: DL-RUN-404, the run is not the viewer's; DL-WHY-404, it has no such result.
        UsageError: DL-ACK-001, no such reason; DL-ACK-002, the last day has passed; DL-ACK-003, one of the results is
            of a line that could not be read, or of a version that kept no mark of the line.
    """
    if reason not in REASONS:
        raise UsageError("DL-ACK-001", reasons=", ".join(REASONS))
    if until is not None and until < today():
        raise UsageError("DL-ACK-002")
    with wb.database.connect() as connection:
        results = _own(connection, wb, run_id, numbers)
        unmarked = sorted(result["number"] for result in results if result["line_mark"] is None)
        if unmarked:
            raise UsageError("DL-ACK-003", results=", ".join(map(str, unmarked)))
        _withdraw(connection, wb, results)
        said = {"reason": reason, "note": note or None, "until": until, "author": wb.viewer.id, "user_id": wb.viewer.id}
        about = ("fingerprint", "line_mark", "rule_id")
        connection.execute(sa.insert(ASIDE), [{name: result[name] for name in about} | said for result in results])
        _record(connection, run_id, "result.acknowledged", results, {"reason": reason, "until": until and str(until)})
        connection.commit()
    return len(results)


def withdraw(wb: Workbench, run_id: UUID, numbers: Sequence[int]) -> int:
    """Takes back that results of the viewer's own run were set aside; gives how many were.

    Raises:
        NotFound: DL-RUN-404, the run is not the viewer's; DL-WHY-404, it has no such result.
    """
    with wb.database.connect() as connection:
        results = _own(connection, wb, run_id, numbers)
        taken_back = _withdraw(connection, wb, results)
        back = [result for result in results if (result["fingerprint"], result["line_mark"]) in taken_back]
        _record(connection, run_id, "result.reopened", back, {})
        connection.commit()
    return len(back)


def _own(connection: sa.Connection, wb: Workbench, run_id: UUID, numbers: Sequence[int]) -> list[dict[str, Any]]:
    if connection.scalar(sa.select(RUNS.user_id).where(RUNS.id == run_id)) != wb.viewer.id:
        raise NotFound("DL-RUN-404")
    query = sa.select(RESULTS.id, RESULTS.number, RESULTS.fingerprint, RESULTS.line_mark, RESULTS.rule_id)
    query = query.where(RESULTS.validation_run_id == run_id, RESULTS.number.in_(numbers)).order_by(RESULTS.number)
    found = [dict(row) for row in connection.execute(query).mappings()]
    missing = sorted(set(numbers) - {result["number"] for result in found})
    if missing:
        raise NotFound("DL-WHY-404", number=missing[0])
    return found


def _withdraw(
    connection: sa.Connection, wb: Workbench, results: Sequence[dict[str, Any]]
) -> set[tuple[str | None, str | None]]:
    """Ends what stands on these results; gives their fingerprints and marks."""
    about = [(result["fingerprint"], result["line_mark"]) for result in results]
    ended = (
        sa.update(ASIDE)
        .where(ASIDE.user_id == wb.viewer.id, ASIDE.revoked_at.is_(None))
        .where(sa.tuple_(ASIDE.fingerprint, ASIDE.line_mark).in_(about))
        .values(revoked_at=sa.func.now(), revoked_by=wb.viewer.id)
        .returning(ASIDE.fingerprint, ASIDE.line_mark)
    )
    return {(fingerprint, mark) for fingerprint, mark in connection.execute(ended)}


def _record(
    connection: sa.Connection, run_id: UUID, event: str, results: Sequence[dict[str, Any]], facts: dict[str, Any]
) -> None:
    """What was done, in both logs: which results and why, never the note, which is a person's own words."""
    if not results:
        return
    numbers = [result["number"] for result in results]
    done = {
        "event": event,
        "kind": "validation_run",
        "target_id": str(run_id),
        "details": {"results": numbers, **facts},
    }
    connection.execute(sa.insert(AuditEvent).values(done))
    entry = {"validation_run_id": run_id, "level": "info", "source": "acknowledgements", "message": event}
    connection.execute(sa.insert(ValidationLog).values(entry | {"details": {"results": len(numbers), **facts}}))


def counted_apart(wb: Workbench, run_id: UUID) -> dict[str, Decimal | int | None]:
    """What of a run's results is set aside today: results by severity, and the lines and money left out with them.

    A line in error is left out once all its errors are, and one in warning likewise. The keys are COUNTS behind
    `acknowledged_`.
    """
    seen = _seen(wb, run_id)
    aside = seen.filter("aside")
    left_out = {name: _left_out(seen.filter(severity=name)) for name in ("error", "warning")}
    found = {f"{name}_count": aside.filter(severity=name).height for name in ("error", "warning", "info")}
    found |= {f"lines_in_{name}": results["row_number"].n_unique() for name, results in left_out.items()}
    money = stakes_of(left_out["error"]) | {"gain": stakes_of(aside)["gain"]}
    return {f"acknowledged_{name}": (found | money)[name] for name in COUNTS}


def _left_out(results: pl.DataFrame) -> pl.DataFrame:
    """The results of lines of which none is still open."""
    still_open = results.filter(~pl.col("aside"))["row_number"]
    return results.filter(~pl.col("row_number").is_in(still_open.implode()))


def _seen(wb: Workbench, run_id: UUID) -> pl.DataFrame:
    """All results on the lines of which one is set aside."""
    aside = sa.select(RESULTS.row_number).join(RUNS, RUNS.id == RESULTS.validation_run_id).join(ASIDE, set_aside_now())
    columns = (RESULTS.row_number, RESULTS.severity, RESULTS.at_risk, RESULTS.to_repay, RESULTS.gain)
    return wb.frame(
        sa.select(*columns, ASIDE.id.is_not(None).label("aside"))
        .join(RUNS, RUNS.id == RESULTS.validation_run_id)
        .outerjoin(ASIDE, set_aside_now())
        .where(RESULTS.validation_run_id == run_id)
        .where(RESULTS.row_number.in_(aside.where(RESULTS.validation_run_id == run_id)))
    )
