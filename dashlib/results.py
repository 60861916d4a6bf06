"""The results of a run as they are kept: numbered, the gravest first, with what was set aside."""

import json
import re
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import polars as pl
import sqlalchemy as sa

from dashlib import messages, reference, texts
from dashlib.acknowledgements import set_aside_now
from dashlib.errors import Fault, UsageError
from dashlib.exports import facts_of
from dashlib.followups import followed_up, note_for
from dashlib.schema import ResultAcknowledgement, ResultFollowup, ValidationResult, ValidationRun
from dashlib.workbench import Workbench

FILE = "file"  # the category of results that say why a line was rejected
RESULTS, ASIDE = ValidationResult, ResultAcknowledgement
COLUMNS = (
    *("severity", "rule_id", "message", "code", "date_service", "invoice", "row_number", "amount", "doctor", "patient"),
    *("category", "rule_version", "related", "fingerprint", "at_risk", "to_repay", "gain"),
    *("lieu_de_pratique", "id_ramq", "is_paid"),
)


def read_results(
    wb: Workbench, run_id: UUID, *, where: Sequence[sa.ColumnElement[bool]] = (), limit: int | None = None
) -> pl.DataFrame:
    """The first `limit` results, or all, of those that `where` wants, with pseudonyms.

    Returns:
        (results, 26): `result` str, how people call it («418:37»), COLUMNS, `acknowledged` str, the reason why it is
        set aside today, and `acknowledged_until` date, both null where it is open; `done` bool, what clerks ticked, and
        `note` str, for the run's owner, both null where nothing was said; `details` str, JSON.
    """
    columns = [RESULTS.__table__.c[name] for name in COLUMNS]
    called = sa.func.concat(ValidationRun.number, ":", RESULTS.number, type_=sa.Text)
    query = (
        sa.select(
            called.label("result"),
            *columns,
            ASIDE.reason.label("acknowledged"),
            ASIDE.until.label("acknowledged_until"),
            ResultFollowup.done,
            note_for(wb),
            sa.cast(RESULTS.details, sa.Text).label("details"),
        )
        .join(ValidationRun, ValidationRun.id == RESULTS.validation_run_id)
        .outerjoin(ASIDE, set_aside_now())
        .outerjoin(ResultFollowup, followed_up())
        .where(RESULTS.validation_run_id == run_id, *where)
        .order_by(RESULTS.number)
        .limit(limit)
    )
    return wb.pseudonyms.redacted(wb.frame(query))


def wanted(rule: str | None, severity: str | None) -> list[sa.ColumnElement[bool]]:
    """What `read_results` is asked for results of a rule or a severity, if given."""
    asked = ((RESULTS.rule_id, rule), (RESULTS.severity, severity))
    return [column == value for column, value in asked if value is not None]


def number_of(called: str | int) -> tuple[str | None, int]:
    """The run, where it is named, and the number of a result that people call «418:37», «last:37», or 37 in its run.

    Raises:
        UsageError: DL-WHY-001, no result is called like this.
    """
    run, _, number = str(called).rpartition(":")
    if not re.fullmatch(r"[0-9]{1,9}", number) or (":" in str(called) and not run):
        raise UsageError("DL-WHY-001")
    return run or None, int(number)


def translated(wb: Workbench, kept: pl.DataFrame, lang: str) -> pl.DataFrame:
    """Results with their sentences in another language than French."""
    said = messages.translated(kept, reference.rules_in_force(wb), lang)
    why = [
        why_rejected(code, details, lang) if category == FILE else sentence
        for code, category, details, sentence in zip(
            kept["rule_id"], kept["category"], kept["details"], said, strict=True
        )
    ]
    return kept.with_columns(message=pl.Series(why, dtype=pl.String))


def why_rejected(code: str, details: str, lang: str) -> str:
    """The sentence of a rejected line, from its code and its place."""
    place: dict[str, Any] = json.loads(details)
    fault = Fault(code, "rejected", (place["line"],), column=place["column"])
    return texts.error(code, facts_of(fault), lang)
