"""Runs as people look at them: found by number or age, and what each found as frames, with pseudonyms."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import polars as pl
import sqlalchemy as sa

from dashlib import messages, reference, storage, texts
from dashlib.errors import Fault, NotFound
from dashlib.exports import facts_of
from dashlib.exports.gate import shown_name
from dashlib.schema import (
    Base,
    BillingRecord,
    File,
    RejectedRecord,
    ValidationLog,
    ValidationResult,
    ValidationRun,
)
from dashlib.workbench import Workbench

FILE = "file"  # the category of results that say why a line was rejected
RESULTS = ValidationResult
COUNT = sa.func.count()


@dataclass(frozen=True)
class Run:
    """One validation of one export, as it stands in the database; frames are read when asked for.

    Identities in the frames are pseudonyms. `status` is pending, processing, completed or failed; money is in CAD.
    """

    wb: Workbench
    figures: dict[str, Any]

    @property
    def id(self) -> UUID:
        return UUID(str(self.figures["id"]))

    @property
    def number(self) -> int:
        return int(self.figures["number"])

    @property
    def status(self) -> str:
        return str(self.figures["status"])

    @property
    def results(self) -> pl.DataFrame:
        """What rules said: (results, 14), gravest first, then by line; messages in French."""
        return self.results_in("fr")

    def results_in(
        self, lang: str, *, rule: str | None = None, severity: str | None = None, limit: int | None = None
    ) -> pl.DataFrame:
        """The first `limit` results, or all, with messages in `lang`; only those of a rule or a severity if given."""
        gravity = sa.case({"error": 0, "warning": 1}, value=RESULTS.severity, else_=2)
        kept = self._rows(
            ValidationResult,
            RESULT_COLUMNS,
            where=_meant(rule, severity),
            order=(gravity, RESULTS.row_number.nulls_first(), RESULTS.rule_id),
            limit=limit,
        )
        return (kept if lang == "fr" else self._translated(kept, lang)).drop("details")

    def count_results(self, rule: str | None = None, severity: str | None = None) -> int:
        """How many results there are, of a rule or a severity if given."""
        return self._count(ValidationResult, where=_meant(rule, severity))

    @property
    def records(self) -> pl.DataFrame:
        """The lines as kept: (lines, columns of `billing_records`), in file order; empty once they are cleared."""
        return self.first_records(None)

    def first_records(self, limit: int | None) -> pl.DataFrame:
        """The first `limit` of `records`."""
        return self._rows(BillingRecord, RECORD_COLUMNS, order=(BillingRecord.row_number,), limit=limit)

    def count_records(self) -> int:
        return self._count(BillingRecord)

    @property
    def rejected(self) -> pl.DataFrame:
        """Lines that could not become records: (lines, 4) row_number, line_number, error_code, column_name."""
        return self.first_rejected(None)

    def first_rejected(self, limit: int | None) -> pl.DataFrame:
        """The first `limit` of `rejected`."""
        names = ("row_number", "line_number", "error_code", "column_name")
        return self._rows(RejectedRecord, names, order=(RejectedRecord.line_number,), limit=limit)

    def count_rejected(self) -> int:
        return self._count(RejectedRecord)

    @property
    def logs(self) -> pl.DataFrame:
        """What happened, oldest first: (entries, 5)."""
        names = ("created_at", "level", "source", "message", "details")
        return self._rows(ValidationLog, names, order=(ValidationLog.created_at,))

    @property
    def faults(self) -> list[Fault]:
        """Why a failed run's file was refused, the reason first; none when it failed on something else."""
        told = self._rows(ValidationLog, ("details",), where=(ValidationLog.message == "failed",))["details"]
        return [
            Fault(**fault | {"lines": tuple(fault["lines"])})
            for details in told
            for fault in json.loads(details or "{}").get("faults", [])
        ]

    @property
    def summary(self) -> pl.DataFrame:
        """A line per rule that reported: (rules, 6) rule_id, severity, results, lines, amount, factures; most first."""
        results = sa.func.count().label("results")
        query = (
            sa.select(
                RESULTS.rule_id,
                RESULTS.severity,
                results,
                sa.func.count(RESULTS.row_number.distinct()).label("lines"),
                sa.func.coalesce(sa.func.sum(RESULTS.amount), 0).label("amount"),
                sa.func.count(RESULTS.invoice.distinct()).label("factures"),
            )
            .where(RESULTS.validation_run_id == self.id)
            .group_by(RESULTS.rule_id, RESULTS.severity)
            .order_by(results.desc(), RESULTS.rule_id)
        )
        return self.wb.frame(query)

    @property
    def lines_touched(self) -> int:
        """Records with at least one error or warning."""
        grave = (RESULTS.severity != "info", RESULTS.category != FILE)
        return self._count(ValidationResult, sa.func.count(RESULTS.row_number.distinct()), where=grave)

    def require_completed(self) -> None:
        """Raises NotFound DL-RUN-406 for a run that has found nothing: it failed, or is under way."""
        if self.status != "completed":
            raise NotFound("DL-RUN-406", run=str(self.number))

    def as_dict(self) -> dict[str, Any]:
        """The run's figures for another program: keys are the columns of `validation_runs`, and `file`."""
        return {
            name: value if isinstance(value, int | bool | None) else str(value) for name, value in self.figures.items()
        }

    def _rows(
        self,
        table: type[Base],
        names: Sequence[str],
        *,
        where: Sequence[sa.ColumnElement[bool]] = (),
        order: Sequence[sa.ColumnElement[Any] | sa.orm.InstrumentedAttribute[Any]] = (),
        limit: int | None = None,
    ) -> pl.DataFrame:
        columns = table.__table__.c
        query = sa.select(*(_plain(columns[name]) for name in names))
        query = query.where(columns.validation_run_id == self.id, *where).order_by(*order).limit(limit)
        return self.wb.pseudonyms.redacted(self.wb.frame(query))

    def _count(
        self,
        table: type[Base],
        what: sa.ColumnElement[int] = COUNT,
        *,
        where: Sequence[sa.ColumnElement[bool]] = (),
    ) -> int:
        columns = table.__table__.c
        query = sa.select(what).select_from(table).where(columns.validation_run_id == self.id, *where)
        with self.wb.database.connect() as connection:
            return connection.scalar(query) or 0

    def _translated(self, kept: pl.DataFrame, lang: str) -> pl.DataFrame:
        said = messages.translated(kept, reference.rules_in_force(self.wb), lang)
        why = [
            _why_rejected(code, details, lang) if category == FILE else sentence
            for code, category, details, sentence in zip(
                kept["rule_id"], kept["category"], kept["details"], said, strict=True
            )
        ]
        return kept.with_columns(message=pl.Series(why, dtype=pl.String))

    def __repr__(self) -> str:
        return f"Run({self.number}, {self.status})"


def _plain(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    return sa.cast(column, sa.Text).label(str(column.key)) if isinstance(column.type, sa.JSON) else column


def _meant(rule: str | None, severity: str | None) -> list[sa.ColumnElement[bool]]:
    wanted = ((RESULTS.rule_id, rule), (RESULTS.severity, severity))
    return [column == value for column, value in wanted if value is not None]


def _why_rejected(code: str, details: str, lang: str) -> str:
    """The sentence of a rejected line, from its code and its place."""
    place = json.loads(details)
    fault = Fault(code, "rejected", (place["line"],), column=place["column"])
    return texts.error(code, facts_of(fault), lang)


RESULT_COLUMNS = (
    *("severity", "rule_id", "message", "code", "date_service", "invoice", "row_number", "amount", "doctor", "patient"),
    *("category", "rule_version", "related", "fingerprint", "details"),
)
RECORD_COLUMNS = tuple(storage.RECORDS)


def list_runs(wb: Workbench, last: int = 20) -> list[Run]:
    """The viewer's newest runs, newest first."""
    return _read(wb, _newest().limit(last))


def find_run(wb: Workbench, wanted: str | int | UUID) -> Run:
    """The run that people mean by its number, the beginning of its id, `last`, or `last~1` for the one before.

    Raises:
        NotFound: DL-RUN-404, no run is meant; DL-RUN-405, several are.
    """
    text, found, run = str(wanted).lower(), list[Run](), ValidationRun
    if back := re.fullmatch(r"last(?:~([0-9]{1,9}))?", text):
        found = _read(wb, _newest().offset(int(back[1] or 0)).limit(1))
    if re.fullmatch(r"[0-9]{1,18}", text):
        found = _read(wb, _newest().where(run.number == int(text)))
    if not found and re.fullmatch(r"[0-9a-f-]{4,36}", text):
        found = _read(wb, _newest().where(sa.cast(run.id, sa.Text).startswith(text)).limit(2))
    if len(found) != 1:
        raise NotFound("DL-RUN-405" if found else "DL-RUN-404")
    return found[0]


def _newest() -> sa.Select[*tuple[Any, ...]]:
    columns = [c for c in ValidationRun.__table__.c if c.name != "user_id"]
    return (
        sa.select(*columns, File.original_filename.label("file"))
        .join(File, File.id == ValidationRun.file_id)
        .order_by(ValidationRun.number.desc())
    )


def _read(wb: Workbench, query: sa.Select[*tuple[Any, ...]]) -> list[Run]:
    """Runs with the names of their files as they may be shown: people name files after patients."""
    with wb.database.connect() as connection:
        rows = [dict(row) for row in connection.execute(query).mappings()]
    return [Run(wb, row | {"file": shown_name(Path(row["file"]))}) for row in rows]
