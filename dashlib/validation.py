"""The life of a run: register the file, read it, judge it beside the load, keep all or nothing.

A run moves `pending → processing → completed | failed` and belongs to the process that holds its lease. Its records,
results, roll-ups and final status are one commit: a run is complete or absent, never half.
"""

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import polars as pl
import sqlalchemy as sa

from dashlib import engine, messages, reference, registry, texts
from dashlib.acknowledgements import set_aside
from dashlib.comparison import line_texts, with_stakes
from dashlib.errors import ExportRefused, Fault
from dashlib.exports import facts_of, read_export, require_readable, shown_name, split_storable
from dashlib.leases import Lease, Told, fail_lost_runs, quiet, take_over, telling
from dashlib.phi import fingerprint_texts
from dashlib.records import prepare
from dashlib.results import FILE
from dashlib.rollup_fees import office_fees_of
from dashlib.rollups import PLACE, roll_up
from dashlib.rules import Rule
from dashlib.rules.base import Reference
from dashlib.run_changes import changes
from dashlib.schema import File, ValidationRun
from dashlib.storage import Load
from dashlib.workbench import Workbench

LINE = "\N{OBJECT REPLACEMENT CHARACTER}"


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
    if force:
        return _new_run(wb, path, digest, basis, told)
    with _alone(wb, digest, basis):
        known = _same_run(wb, digest, basis)
        if known is None:
            return _new_run(wb, path, digest, basis, told)
    told("known", 1, 1)
    return known


@contextmanager
def _alone(wb: Workbench, digest: str, basis: Basis) -> Iterator[None]:
    """While one validates a file on a basis, whoever asks for the same waits, and then finds the run."""
    asked = f"{wb.viewer.id} {digest} {_versions(basis)}"
    with wb.database.connect() as connection:
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(asked, 0))))
        yield


def _new_run(wb: Workbench, path: Path, digest: str, basis: Basis, told: Told) -> UUID:
    run_id, holder = registry.register(wb, path, digest, _versions(basis))
    _carry_out(wb, path, digest, run_id, holder, basis, told)
    return run_id


def _carry_out(wb: Workbench, path: Path, digest: str, run_id: UUID, holder: str, basis: Basis, told: Told) -> None:
    with Lease(wb.database, run_id, holder, told) as lease:
        try:
            _process(wb, path, digest, run_id, basis, lease)
        except BaseException as stopped:
            registry.fail(wb, run_id, stopped)
            raise


def enlist(wb: Workbench, path: Path, *, name: str, run_date: date | None = None) -> tuple[UUID, bool]:
    """Registers a run that a worker is to carry out, of an upload that its owner calls `name`.

    The same owner's same bytes on the same basis give the run that is there, also when it waits or is under way.

    Returns:
        The run's id, and whether it is new.
    """
    fail_lost_runs(wb.database)
    basis = _basis(wb, run_date or datetime.now(texts.TORONTO).date())
    digest = sha256_of(path)
    with _alone(wb, digest, basis):
        if known := _same_run(wb, digest, basis, ("completed", "processing", "pending")):
            return known, False
        return registry.register(wb, path, digest, _versions(basis), uploaded_as=name)[0], True


def carry_out(wb: Workbench, run_id: UUID) -> bool:
    """Carries out a run that was enlisted, in its owner's name; False where it has ended, or is another's.

    It is judged by the rules that are in force now, and says so.

    Raises:
        ExportRefused, Cancelled, …: the run failed, and says why.
    """
    file, run = File, ValidationRun
    query = sa.select(file.path, file.sha256, run.run_date).join(file, file.id == run.file_id).where(run.id == run_id)
    holder = take_over(wb.database, run_id)
    if holder is None:
        return False
    with wb.database.connect() as connection:
        path, digest, run_date = connection.execute(query).one()
    basis = _basis(wb, run_date or datetime.now(texts.TORONTO).date())
    with wb.database.connect() as connection:
        connection.execute(sa.update(run).where(run.id == run_id).values(_versions(basis)))
    _carry_out(wb, Path(path), digest or "", run_id, holder, basis, telling(wb.database, run_id, holder))
    return True


def _basis(wb: Workbench, run_date: date) -> Basis:
    rules = reference.rules_in_force(wb)
    return Basis(
        run_date,
        rules,
        reference.load(wb, run_date),
        reference.rules_version(rules),
        reference.reference_version(wb),
    )


def _same_run(wb: Workbench, digest: str, basis: Basis, states: Sequence[str] = ("completed",)) -> UUID | None:
    run = ValidationRun
    query = (
        sa.select(run.id)
        .join(File, File.id == run.file_id)
        .where(File.sha256 == digest, run.user_id == wb.viewer.id, run.status.in_(states))
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


def _process(wb: Workbench, path: Path, digest: str, run_id: UUID, basis: Basis, lease: Lease) -> None:
    registry.begin(wb, run_id)
    lease.phase("reading", 1)
    export = read_export(path)
    if export.sha256 != digest:
        raise ExportRefused("DL-FILE-006", file=shown_name(path))
    registry.note_export(wb, run_id, export)
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
        load.take_figures()
        aside = set_aside(connection, wb.viewer.id, results)
        counted, left_out = results.filter(~aside), results.filter(aside)
        rules = basis.rules
        load.roll_ups(
            roll_up(lines, counted, _wanted(rules), wb.pseudonyms, aside=left_out, fees=office_fees_of(rules))
        )
        load.rows("rollup_changes", changes(connection, run_id, results, findings.counts, wb.pseudonyms))
        load.rows("run_rules", _judged(findings.counts, results))
        lease.give_up(connection)
        # The last statements, in this order: attaching first, two loads wait for each other and cannot lock each other.
        load.finish()
        registry.complete(connection, run_id, export, lines, results, rejected)
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


def _judged(counts: pl.DataFrame, results: pl.DataFrame) -> pl.DataFrame:
    """What each rule looked at and found, with its `errors`."""
    errors = results.filter(severity="error").group_by("rule_id").agg(errors=pl.len())
    known = counts.rename({"checked": "lines_checked", "skipped": "lines_skipped"})
    return known.join(errors, on="rule_id", how="left").with_columns(pl.col("errors").fill_null(0))


def _results(
    wb: Workbench, found: pl.DataFrame, lines: pl.DataFrame, rejected: pl.DataFrame, rules: Sequence[Rule]
) -> pl.DataFrame:
    """Results as they are kept: the gravest first and numbered, with their French sentence, facts and money."""
    known = messages.with_facts(found, lines, wb.pseudonyms.doctors)
    kept = known.with_columns(
        message=messages.messages(known, rules, "fr"),
        details=messages.details(known, rules),
    ).drop("words")
    kept = with_stakes(pl.concat([kept, _of_rejected(rejected)], how="diagonal"), lines)
    kept = kept.with_columns(fingerprint=wb.pseudonyms.fingerprints(fingerprint_texts(kept)))
    gravity = pl.col("severity").replace_strict({"error": 0, "warning": 1}, default=2)
    return (
        kept.join(_of_lines(wb, kept, lines), on="row_number", how="left", maintain_order="left")
        .sort(gravity, "row_number", "rule_id", nulls_last=False, maintain_order=True)
        .with_row_index("number", offset=1)
    )


def _of_lines(wb: Workbench, results: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
    """(lines with results, 5): row_number, what a result keeps of its line, which is cleared first, and `line_mark`.

    By the mark a later run sees whether the line has changed.
    """
    reported = lines.join(results.select("row_number"), on="row_number", how="semi")
    # What is no place's number may be anything, a name too.
    place = pl.when(pl.col("lieu").str.contains(PLACE)).then("lieu")
    mark = wb.pseudonyms.fingerprints(line_texts(reported))
    return reported.select("row_number", "id_ramq", "is_paid", lieu_de_pratique=place, line_mark=mark)


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
    before, line, after = sentence.partition(LINE)
    number = pl.col("line_number").cast(pl.String) if line else pl.lit("")
    return pl.format("{}{}{}", pl.lit(before), number, pl.lit(after))


def _wanted(rules: Sequence[Rule]) -> pl.DataFrame:
    """Contexts with which a rule would not have reported a line."""
    pairs = [(rule.name, context) for rule in rules for context in sorted(rule.condition.unless_contexts)]
    return pl.DataFrame(pairs, schema={"rule_id": pl.String, "context": pl.String}, orient="row")


def sha256_of(path: Path) -> str:
    """The mark of a file's bytes.

    Raises:
        ExportMissing: there is no such file.
        ExportRefused: it is not a regular file, or it cannot be read.
    """
    require_readable(path)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
