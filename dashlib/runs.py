"""Runs as people look at them: found by number or age, and what each found as frames, with pseudonyms."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import polars as pl
import sqlalchemy as sa

from dashlib import acknowledgements, diffing, handing_out, results, rulebook, storage, texts
from dashlib.corrections import Corrections
from dashlib.diffing import RunComparison
from dashlib.errors import Fault, NotFound, UsageError
from dashlib.explaining import Why, explain
from dashlib.exporting import Kind
from dashlib.exports.gate import shown_name
from dashlib.handing_out import Audience
from dashlib.results import FILE
from dashlib.rules.advice import AWAITING
from dashlib.schema import (
    Base,
    BillingRecord,
    File,
    RejectedRecord,
    RunRule,
    ValidationLog,
    ValidationResult,
    ValidationRun,
)
from dashlib.sending import Sorted
from dashlib.todo import Asked
from dashlib.whatif import WhatIf, what_if
from dashlib.workbench import Workbench

RESULTS = ValidationResult
CANCELLED = "DL-RUN-CANCELLED"
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
        """What rules said: (results, 23), gravest first, then by line; in French. `result` is how one is named."""
        return self.results_in("fr")

    def results_in(
        self, lang: str, *, rule: str | None = None, severity: str | None = None, limit: int | None = None
    ) -> pl.DataFrame:
        """The first `limit` results, or all, with messages in `lang`; only those of a rule or a severity if given."""
        kept = results.read_results(self.wb, self.id, where=results.wanted(rule, severity), limit=limit)
        return (kept if lang == "fr" else results.translated(self.wb, kept, lang)).drop("details")

    def count_results(self, rule: str | None = None, severity: str | None = None) -> int:
        """How many results there are, of a rule or a severity if given."""
        return self._count(ValidationResult, where=results.wanted(rule, severity))

    def rule_called(self, name: str) -> str:
        """The rule that people mean, in any case of letters, of this run or in force; or the code of a line's fault.

        Raises:
            NotFound: DL-RULE-404, there is none; names that are near are told.
        """
        wanted = name.strip().upper()
        judged = sa.select(RunRule.rule_id).where(RunRule.validation_run_id == self.id)
        with self.wb.database.connect() as connection:
            known = {each.upper(): each for each in connection.scalars(judged)}
        if wanted.startswith("DL-") and wanted in texts.words("fr"):
            return wanted
        return known[wanted] if wanted in known else rulebook.find_rule(self.wb, name).name

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

    @property
    def awaiting(self) -> Decimal:
        """What unpaid lines bill that can still be answered, CAD: no gain, and not lost."""
        total = sa.func.coalesce(sa.func.sum(RESULTS.amount), 0)
        where = (RESULTS.validation_run_id == self.id, RESULTS.category == AWAITING)
        with self.wb.database.connect() as connection:
            return Decimal(connection.scalar(sa.select(total).where(*where)) or 0)

    def why(self, result: str | int, lang: str = "fr") -> Why:
        """What stands behind a result, named as `results` shows it («418:37») or by its number in this run.

        Raises:
            UsageError: DL-WHY-001, no result is named like this.
            NotFound: DL-WHY-404, this run has no such result.
        """
        return explain(self.wb, self.id, self._number(result), lang)

    def diff(self, other: "Run", lang: str = "fr") -> RunComparison:
        """This run beside an earlier one: what is new, fixed and persisting, and what a changed rule did, with money.

        Raises:
            UsageError: DL-DIFF-001, their fingerprints were made with different keys.
            NotFound: DL-RUN-406, one of them is not completed.
        """
        self.require_completed()
        other.require_completed()
        return diffing.diff(self.wb, other.figures, self.figures, lang)

    def whatif(self, corrections: Corrections, lang: str = "fr") -> WhatIf:
        """What this run would find if these lines were other; nothing is kept.

        Args:
            corrections: {row_number: {column: value}}, a frame, or a CSV file with `row_number` and columns of records.

        Raises:
            NotFound: DL-WHATIF-404, the lines were cleared; DL-RUN-406, the run is not completed.
            CorrectionsRefused: a correction cannot be read, or is of a line that is not there.
        """
        self.require_completed()
        versions = (self.figures["rules_version"], self.figures["reference_version"])
        day = self.figures["run_date"]
        return what_if(self.wb, self.id, corrections, run_date=day, versions=versions, lang=lang)

    def ack(self, *named: str | int, reason: str, note: str | None = None, until: date | str | None = None) -> int:
        """Sets results of one's own run aside, through the day `until` or until their lines change; gives how many.

        Args:
            reason: contexte_valide, erreur_de_regle, accepte or autre.
            note: one's own words; kept as PHI, shown to the run's owner only.

        Raises:
            UsageError: DL-ACK-001 to 003 and DL-RUN-407, the reason, the day or a result cannot be.
            NotFound: a result is not there, or the run is another's.
        """
        numbers = [self._number(result) for result in named]
        return acknowledgements.acknowledge(self.wb, self.id, numbers, reason=reason, note=note, until=day_of(until))

    def unack(self, *named: str | int) -> int:
        """Takes back that results were set aside; gives how many were."""
        return acknowledgements.withdraw(self.wb, self.id, [self._number(result) for result in named])

    def set_aside(self) -> dict[str, Any]:
        """What of its figures is set aside today: `acknowledged_error_count`, …, `acknowledged_at_risk`, ….

        The figures themselves, and the roll-ups that dashboards draw, are of all results as the run found them.
        """
        return acknowledgements.counted_apart(self.wb, self.id)

    def export(
        self,
        path: Path | str,
        *,
        audience: Audience | None = None,
        kind: Kind | None = None,
        rule: str | None = None,
        severity: str | None = None,
        doctor: str | None = None,
        due: int | None = None,
        lang: str = "fr",
        force: bool = False,
    ) -> int:
        """Writes the results to a file (csv, xlsx, parquet, jsonl), or a workbook for clerks, manager or doctor.

        Args:
            kind: the format; by default what the file's name ends with.
            doctor: only results of this one, by the pseudonym.
            due: only results with 0 to so many days left.
            force: replaces a file that is already there.

        Returns:
            How many results, or things to do, are in it.

        Raises:
            UsageError: DL-OUT-002 to 004, there is such a file, its name tells no format, or that is no workbook's.
            NotFound: the run is another's, or not completed; DL-RULE-404, 405, there is no such rule.
        """
        asked = Asked(rule and self.rule_called(rule), severity, doctor, due)
        return handing_out.export(
            self.wb, self.id, Path(path), audience=audience, kind=kind, asked=asked, lang=lang, force=force
        )

    def export_lines(
        self, path: Path | str, *, held: bool = False, source: Path | str | None = None, force: bool = False
    ) -> Sorted:
        """Writes the lines of the run's own file that can be sent now, or those that are `held` back; see `sending`.

        Args:
            source: where that file is now, if it was moved.

        Raises:
            UsageError: DL-OUT-002, there is such a file.
            NotFound: the run is another's, or not completed; DL-SEND-001, its file is gone or was changed.
        """
        found = source and Path(source)
        return handing_out.export_lines(self.wb, self.id, Path(path), held=held, source=found or None, force=force)

    def _number(self, result: str | int) -> int:
        run, number = results.number_of(result)
        if run is not None and find_run(self.wb, run).id != self.id:
            raise NotFound("DL-WHY-404", number=number)
        return number

    def require_completed(self) -> None:
        """Raises NotFound for a run that has found nothing: DL-RUN-406, under way; 408, failed; 409, cancelled."""
        if self.status != "completed":
            raise not_completed(self.figures)

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

    def __repr__(self) -> str:
        return f"Run({self.number}, {self.status})"


def _plain(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    # JSON as text, and so are times: Python has none for 24:00, an end that exports hold.
    if isinstance(column.type, sa.Time):
        return sa.func.left(sa.cast(column, sa.Text), 5, type_=sa.Text()).label(str(column.key))
    return sa.cast(column, sa.Text).label(str(column.key)) if isinstance(column.type, sa.JSON) else column


RECORD_COLUMNS = tuple(storage.RECORDS)


def not_completed(run: Mapping[str, Any]) -> NotFound:
    """Why a run that is not completed has nothing to show; `run` are its figures."""
    code = run["error_code"] or "—"
    if run["status"] != "failed":
        return NotFound("DL-RUN-406", run=str(run["number"]))
    if code == CANCELLED:
        return NotFound("DL-RUN-409", run=str(run["number"]))
    return NotFound("DL-RUN-408", run=str(run["number"]), reason=code)


def day_of(given: date | str | None) -> date | None:
    """A day as people give it, as a date or YYYY-MM-DD.

    Raises:
        UsageError: DL-RUN-407, it is none.
    """
    try:
        return date.fromisoformat(given) if isinstance(given, str) else given
    except ValueError:
        raise UsageError("DL-RUN-407") from None


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
