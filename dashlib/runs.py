"""The life of a run: register the file, read it, judge it beside the load, keep all or nothing.

A run moves `pending → processing → completed | failed` and belongs to the process that holds its lease. Its records,
results, roll-ups and final status are one commit: a run is complete or absent, never half.
"""

import hashlib
import logging
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import polars as pl
import sqlalchemy as sa

from dashlib import engine, messages, reference, storage, texts
from dashlib.errors import DashError, DatabaseUnavailable, Fact, Fault, NotFound
from dashlib.exports import Export, facts_of, read_export, require_readable, split_storable
from dashlib.leases import Lease, Told, fail_lost_runs, new_holder, quiet
from dashlib.phi import fingerprint_texts
from dashlib.records import prepare
from dashlib.rollups import roll_up, totals
from dashlib.rules import Rule
from dashlib.rules.base import Reference
from dashlib.schema import (
    Base,
    BillingRecord,
    File,
    RejectedRecord,
    RunLease,
    ValidationLog,
    ValidationResult,
    ValidationRun,
)
from dashlib.storage import Load
from dashlib.workbench import Workbench

LINE = "\N{OBJECT REPLACEMENT CHARACTER}"
FILE = "file"  # the category of results that say why a line was rejected

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Basis:
    """What a run is judged by; two runs on the same bytes and the same basis give the same results."""

    run_date: date
    rules: Sequence[Rule]
    reference: Reference
    rules_version: str
    reference_version: str


def validate_file(
    wb: Workbench, path: Path, *, run_date: date | None = None, force: bool = False, told: Told = quiet
) -> UUID:
    """Validates one export and keeps the results; gives the run's id.

    The same owner's same bytes on the same basis give the run that is already there, unless `force`.

    Args:
        run_date: the day as of which lines are judged; today in Toronto by default.
        told: is told how far it is (phase, done, of); the phase `known` means that the run was there already.

    Raises:
        ExportRefused: the file as a whole; a failed run with its code is kept.
        DatabaseUnavailable: nothing was kept.
    """
    fail_lost_runs(wb.database)
    basis = _basis(wb, run_date or datetime.now(texts.TORONTO).date())
    digest = sha256_of(path)
    known = None if force else _same_run(wb, digest, basis)
    if known is not None:
        told("known", 1, 1)
        return known
    run_id, holder = _register(wb, path, digest, basis)
    with Lease(wb.database, run_id, holder, told) as lease:
        try:
            _process(wb, path, run_id, basis, lease)
        except BaseException as stopped:
            _fail(wb, run_id, stopped)
            raise
    return run_id


def _basis(wb: Workbench, run_date: date) -> Basis:
    rules = reference.rules_in_force(wb)
    return Basis(
        run_date,
        rules,
        reference.load(wb, run_date),
        reference.rules_version(rules),
        reference.reference_version(wb),
    )


def _same_run(wb: Workbench, digest: str, basis: Basis) -> UUID | None:
    run = ValidationRun
    query = (
        sa.select(run.id)
        .join(File, File.id == run.file_id)
        .where(File.sha256 == digest, run.user_id == wb.viewer.id, run.status == "completed")
        .where(*(getattr(run, name) == value for name, value in _versions(basis).items()))
        .order_by(run.number.desc())
        .limit(1)
    )
    with wb.database.connect() as connection:
        return connection.scalar(query)


def _versions(basis: Basis) -> dict[str, Any]:
    return {
        "run_date": basis.run_date,
        "rules_version": basis.rules_version,
        "reference_version": basis.reference_version,
        "engine_version": engine.VERSION,
    }


def _register(wb: Workbench, path: Path, digest: str, basis: Basis) -> tuple[UUID, str]:
    """The file, the run and its lease, in one commit; the user's own file is not copied and not touched."""
    run_id, file_id, holder = uuid4(), uuid4(), new_holder()
    with wb.database.connect() as connection:
        connection.execute(
            sa.insert(File).values(
                id=file_id,
                user_id=wb.viewer.id,
                filename=f"{file_id}.csv",
                original_filename=path.name,
                size=path.stat().st_size,
                path=str(path.resolve()),
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
                **_versions(basis),
            )
        )
        connection.execute(sa.insert(RunLease).values(validation_run_id=run_id, holder=holder, fence=1))
        _note(connection, run_id, "info", "runs", "registered", {"bytes": path.stat().st_size, "sha256": digest})
        connection.commit()
    return run_id, holder


def _process(wb: Workbench, path: Path, run_id: UUID, basis: Basis, lease: Lease) -> None:
    _begin(wb, run_id)
    lease.phase("reading", 1)
    export = read_export(path)
    _note_export(wb, run_id, export)
    records, rejected = split_storable(export)
    lines = prepare(records)
    lease.phase("loading", lines.height)
    with wb.database.connect() as connection:
        load = Load(connection, run_id)
        findings = _judge_beside(load, lines, basis, lease)
        lease.phase("keeping", findings.results.height)
        results = _results(wb, findings.results, lines, rejected, basis.rules)
        load.results(results)
        load.rejected(rejected)
        load.roll_ups(roll_up(lines, results, _wanted(basis.rules), wb.pseudonyms))
        load.rows("run_rules", findings.counts.rename({"checked": "lines_checked", "skipped": "lines_skipped"}))
        lease.give_up(connection)
        # The last statements, in this order: attaching first, two loads wait for each other and cannot lock each other.
        load.finish()
        _complete(connection, run_id, export, lines, results, rejected)
    lease.done(findings.results.height)


def _judge_beside(load: Load, lines: pl.DataFrame, basis: Basis, lease: Lease) -> engine.Findings:
    """Rules are judged while the lines are copied: the copy waits for PostgreSQL, the rules for this process."""
    with ThreadPoolExecutor(1, thread_name_prefix="copy") as beside:
        copying = beside.submit(load.records, lines, lease.done)
        try:
            findings = engine.find_results(lines, basis.rules, basis.reference)
            copying.result()
        except BaseException:
            load.cancel()
            raise
    return findings


def _results(
    wb: Workbench, found: pl.DataFrame, lines: pl.DataFrame, rejected: pl.DataFrame, rules: Sequence[Rule]
) -> pl.DataFrame:
    """Results as they are kept: with their sentence in French, their facts, and their fingerprint."""
    known = messages.with_facts(found, lines)
    kept = known.with_columns(
        message=messages.messages(known, rules, "fr"),
        details=messages.details(known, rules),
    ).drop("words")
    kept = pl.concat([kept, _of_rejected(rejected)], how="diagonal")
    return kept.with_columns(fingerprint=wb.pseudonyms.fingerprints(fingerprint_texts(kept)))


def _of_rejected(rejected: pl.DataFrame) -> pl.DataFrame:
    """Each rejected line yields a result that says why; of its content nothing is said."""
    alike = rejected.with_row_index("at").partition_by("error_code", "column_name", as_dict=True)
    said = [part.select("at", message=_why_rejected(*key)) for key, part in alike.items()]
    message = pl.concat([pl.DataFrame(schema={"at": pl.UInt32, "message": pl.String}), *said]).sort("at")["message"]
    return rejected.select(
        "row_number",
        message,
        rule_id="error_code",
        severity=pl.lit("error"),
        category=pl.lit(FILE),
        rule_version=pl.lit(1, pl.Int64),
        details=pl.struct(line="line_number", column="column_name").struct.json_encode(),
    )


def _why_rejected(code: str, column: str | None) -> pl.Expr:
    """The sentence of a fault, with the line's own number where it tells the lines."""
    sentence = texts.error(code, facts_of(Fault(code, "rejected", column=column)) | {"lines": LINE}, "fr")
    return pl.lit(sentence).str.replace(LINE, pl.col("line_number").cast(pl.String), literal=True)


def _wanted(rules: Sequence[Rule]) -> pl.DataFrame:
    """Contexts with which a rule would not have reported a line."""
    pairs = [(rule.name, context) for rule in rules for context in sorted(rule.condition.unless_contexts)]
    return pl.DataFrame(pairs, schema={"rule_id": pl.String, "context": pl.String}, orient="row")


def _begin(wb: Workbench, run_id: UUID) -> None:
    with wb.database.connect() as connection:
        started = {"status": "processing", "started_at": sa.func.now()}
        connection.execute(sa.update(ValidationRun).where(ValidationRun.id == run_id).values(started))
        connection.commit()


def _complete(
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


def _fail(wb: Workbench, run_id: UUID, stopped: BaseException) -> None:
    """Leaves a failed run with its code and its sentence, and nothing else of it."""
    code, facts = _reason(stopped)
    faults = [_fault(fault) for fault in getattr(stopped, "faults", ())]
    log.warning("run %s: failed with %s", run_id, code)
    try:
        with wb.database.connect() as connection:
            ended = {"status": "failed", "error_code": code, "error_message": texts.error(code, facts, "fr")}
            connection.execute(
                sa.update(ValidationRun).where(ValidationRun.id == run_id).values(**ended, completed_at=sa.func.now())
            )
            connection.execute(sa.delete(RunLease).where(RunLease.validation_run_id == run_id))
            _note(connection, run_id, "error", "runs", "failed", {"error_code": code, "faults": faults})
            connection.commit()
    except DatabaseUnavailable:
        log.warning("run %s: its failure could not be kept; it will be failed when its lease ends", run_id)


def _reason(stopped: BaseException) -> tuple[str, dict[str, Fact]]:
    if isinstance(stopped, DashError):
        return stopped.code, stopped.facts
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
    }


def _note_export(wb: Workbench, run_id: UUID, export: Export) -> None:
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


def sha256_of(path: Path) -> str:
    """The mark of a file's bytes.

    Raises:
        ExportRefused: there is no such regular file, or it cannot be read.
    """
    require_readable(path)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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
        """What rules said: (results, 15), gravest first, then by line; messages in the language in force."""
        return self.results_in("fr")

    def results_in(self, lang: str) -> pl.DataFrame:
        kept = self._rows(ValidationResult, RESULT_COLUMNS)
        if lang != "fr":
            rules = reference.rules_in_force(self.wb)
            kept = kept.with_columns(message=messages.translated(kept, rules, lang))
        gravity = pl.col("severity").replace_strict({"error": 0, "warning": 1, "info": 2}, return_dtype=pl.Int8)
        return kept.sort(gravity, "row_number", "rule_id").drop("details")

    @property
    def records(self) -> pl.DataFrame:
        """The lines as kept: (lines, columns of `billing_records`), in file order; empty once they are cleared."""
        return self._rows(BillingRecord, RECORD_COLUMNS).sort("row_number")

    @property
    def rejected(self) -> pl.DataFrame:
        """Lines that could not become records: (lines, 4) row_number, line_number, error_code, column_name."""
        return self._rows(RejectedRecord, ("row_number", "line_number", "error_code", "column_name")).sort(
            "line_number"
        )

    @property
    def logs(self) -> pl.DataFrame:
        """What happened, oldest first: (entries, 5)."""
        return self._rows(ValidationLog, ("created_at", "level", "source", "message", "details")).sort("created_at")

    @property
    def summary(self) -> pl.DataFrame:
        """A line per rule that reported: (rules, 6) rule_id, severity, results, lines, amount, factures; most first."""
        kept = self._rows(ValidationResult, ("rule_id", "severity", "row_number", "amount", "invoice"))
        return (
            kept.group_by("rule_id", "severity")
            .agg(
                results=pl.len().cast(pl.Int64),
                lines=pl.col("row_number").n_unique().cast(pl.Int64),
                amount=pl.col("amount").sum(),
                factures=pl.col("invoice").n_unique().cast(pl.Int64),
            )
            .sort("results", "rule_id", descending=[True, False])
        )

    @property
    def lines_touched(self) -> int:
        """Records with at least one error or warning."""
        grave = self._rows(ValidationResult, ("row_number", "severity", "category")).filter(
            pl.col("severity") != "info", pl.col("category") != FILE
        )
        return grave["row_number"].n_unique()

    def as_dict(self) -> dict[str, Any]:
        """The run's figures for another program: keys are the columns of `validation_runs`, and `file`."""
        return {
            name: value if isinstance(value, int | bool | None) else str(value) for name, value in self.figures.items()
        }

    def _rows(self, table: type[Base], names: Sequence[str]) -> pl.DataFrame:
        columns = table.__table__.c
        query = sa.select(*(_plain(columns[name]) for name in names)).where(columns.validation_run_id == self.id)
        return self.wb.pseudonyms.redacted(self.wb.frame(query))

    def __repr__(self) -> str:
        return f"Run({self.number}, {self.status})"


def _plain(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    return sa.cast(column, sa.Text).label(str(column.key)) if isinstance(column.type, sa.JSON) else column


RESULT_COLUMNS = (
    *("severity", "rule_id", "message", "code", "date_service", "invoice", "row_number", "amount", "doctor", "patient"),
    *("category", "rule_version", "related", "fingerprint", "details"),
)
RECORD_COLUMNS = tuple(storage.RECORDS)


def list_runs(wb: Workbench, last: int = 20) -> list[Run]:
    """The viewer's newest runs, newest first."""
    columns = [c for c in ValidationRun.__table__.c if c.name != "user_id"]
    query = (
        sa.select(*columns, File.original_filename.label("file"))
        .join(File, File.id == ValidationRun.file_id)
        .order_by(ValidationRun.number.desc())
        .limit(last)
    )
    with wb.database.connect() as connection:
        return [Run(wb, dict(row)) for row in connection.execute(query).mappings()]


def find_run(wb: Workbench, wanted: str | int | UUID) -> Run:
    """The run that people mean by its number, the beginning of its id, `last`, or `last~1` for the one before.

    Raises:
        NotFound: DL-RUN-404, no run is meant; DL-RUN-405, several are.
    """
    runs = list_runs(wb, last=10_000)
    text = str(wanted)
    if back := re.fullmatch(r"last(?:~(\d+))?", text):
        found = runs[int(back[1] or 0) :][:1]
    else:
        found = [run for run in runs if text == str(run.number)]
        found = found or [run for run in runs if len(text) >= 4 and str(run.id).startswith(text.lower())]
    if len(found) != 1:
        raise NotFound("DL-RUN-405" if found else "DL-RUN-404")
    return found[0]
