"""Results that people set aside, with a reason: they stay, are counted apart, and come back.

An acknowledgement is of a fingerprint and of the line as it was, so it holds in all runs of the same owner, through its
last day in Toronto, until the line changes. Nothing is deleted: what is withdrawn stays with who did so and when.
"""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import polars as pl
import sqlalchemy as sa

from dashlib.cards import without_cards
from dashlib.comparison import stakes_of
from dashlib.errors import NotFound, UsageError
from dashlib.recounting import recount, today
from dashlib.schema import AuditEvent, ResultAcknowledgement, ValidationLog, ValidationResult, ValidationRun
from dashlib.workbench import Workbench

REASONS = ("contexte_valide", "erreur_de_regle", "accepte", "autre")
RESULTS, ASIDE, RUNS = ValidationResult, ResultAcknowledgement, ValidationRun
COUNTS = (
    *("error_count", "warning_count", "info_count", "lines_in_error", "lines_in_warning"),
    *("at_risk", "to_repay", "gain"),
)


def set_aside_now() -> sa.ColumnElement[bool]:
    """The join by which a result of a run meets the acknowledgement that holds today."""
    return sa.and_(
        ASIDE.user_id == RUNS.user_id,
        ASIDE.fingerprint == RESULTS.fingerprint,
        ASIDE.line_mark == RESULTS.line_mark,
        ASIDE.revoked_at.is_(None),
        sa.or_(ASIDE.until.is_(None), ASIDE.until >= today()),
    )


def set_aside(connection: sa.Connection, user_id: str, results: pl.DataFrame) -> pl.Series:
    """For each result (at least fingerprint, line_mark) whether its owner has set it aside, as things stand today."""
    standing = (ASIDE.revoked_at.is_(None), sa.or_(ASIDE.until.is_(None), ASIDE.until >= today()))
    query = sa.select(ASIDE.fingerprint, ASIDE.line_mark).where(ASIDE.user_id == user_id, *standing)
    schema = {"fingerprint": pl.String, "line_mark": pl.String}
    aside = pl.DataFrame([tuple(row) for row in connection.execute(query)], schema=schema, orient="row")
    about = results.select(list(schema))
    known = about.join(aside.with_columns(aside=True), on=list(schema), how="left", maintain_order="left")
    return known["aside"].fill_null(False)


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
        ended = _withdraw(connection, wb, results)
        said = {
            "reason": reason,
            "note": without_cards(note or "") or None,
            "until": until,
            "author": wb.viewer.id,
            "user_id": wb.viewer.id,
        }
        about = ("fingerprint", "line_mark", "rule_id", "date_de_service", "doctor")
        rows = [{name: result[name] for name in about} | said for result in results]
        made = connection.execute(sa.insert(ASIDE).returning(ASIDE.id), rows).scalars().all()
        recount(connection, [*ended, *made], today())
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
        ended = _withdraw(connection, wb, results)
        taken_back = set(ended.values())
        back = [result for result in results if (result["fingerprint"], result["line_mark"]) in taken_back]
        recount(connection, list(ended), today())
        _record(connection, run_id, "result.reopened", back, {})
        connection.commit()
    return len(back)


def _own(connection: sa.Connection, wb: Workbench, run_id: UUID, numbers: Sequence[int]) -> list[dict[str, Any]]:
    if connection.scalar(sa.select(RUNS.user_id).where(RUNS.id == run_id)) != wb.viewer.id:
        raise NotFound("DL-RUN-404")
    columns = (RESULTS.id, RESULTS.number, RESULTS.fingerprint, RESULTS.line_mark, RESULTS.rule_id)
    query = sa.select(*columns, RESULTS.date_service.label("date_de_service"), RESULTS.doctor)
    query = query.where(RESULTS.validation_run_id == run_id, RESULTS.number.in_(numbers)).order_by(RESULTS.number)
    found = [dict(row) for row in connection.execute(query).mappings()]
    missing = sorted(set(numbers) - {result["number"] for result in found})
    if missing:
        raise NotFound("DL-WHY-404", number=missing[0])
    doctors = wb.pseudonyms.doctors(pl.Series([result["doctor"] for result in found], dtype=pl.String)).fill_null("")
    return [result | {"doctor": doctor} for result, doctor in zip(found, doctors, strict=True)]


def _withdraw(
    connection: sa.Connection, wb: Workbench, results: Sequence[dict[str, Any]]
) -> dict[UUID, tuple[str, str]]:
    """Ends what stands on these results; gives the fingerprint and mark of each that was ended."""
    about = [(result["fingerprint"], result["line_mark"]) for result in results]
    ended = (
        sa.update(ASIDE)
        .where(ASIDE.user_id == wb.viewer.id, ASIDE.revoked_at.is_(None))
        .where(sa.tuple_(ASIDE.fingerprint, ASIDE.line_mark).in_(about))
        .values(revoked_at=sa.func.now(), revoked_by=wb.viewer.id)
        .returning(ASIDE.id, ASIDE.fingerprint, ASIDE.line_mark)
    )
    return {number: (fingerprint, mark) for number, fingerprint, mark in connection.execute(ended)}


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
