"""What a run's results are sifted by: a few narrow columns of all of them, read once, with pseudonyms.

A million results weigh some 100 MiB here, and any question of them is answered in a tenth of a second; asked in SQL,
the facets alone cost four. Their sentences and lines stay in the database until a page shows them.
"""

import io
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import polars as pl
import sqlalchemy as sa
from psycopg import sql

from dashlib import diffing, reference, texts
from dashlib.acknowledgements import set_aside_now
from dashlib.explorer.query import STAKES, Limit, band
from dashlib.recounting import today
from dashlib.runs import Run
from dashlib.schema import ResultAcknowledgement, ValidationResult, ValidationRun
from dashlib.storage import driver
from dashlib.todo import days_to_bill
from dashlib.workbench import Workbench

RESULTS, ASIDE, RUNS = ValidationResult, ResultAcknowledgement, ValidationRun
WORD = pl.Categorical()
MONEY = pl.Decimal(10, 2)
SEVERITIES = ("error", "warning", "info")
COLUMNS: dict[str, Any] = {
    "number": pl.Int32,
    "row_number": pl.Int32,
    "severity": pl.Enum(SEVERITIES),
    "rule_id": WORD,
    "doctor": WORD,
    "lieu_de_pratique": WORD,
    "code": WORD,
    "date_service": pl.Date,
    "invoice": pl.String,
    "id_ramq": pl.String,
    "is_paid": pl.Boolean,
    **dict.fromkeys(STAKES, MONEY),
}


@dataclass(frozen=True)
class Ledger:
    """All results of a run, and with a second run those that it had and this one has not.

    `rows`: (results, by run and number) run i64, COLUMNS, `days_left` i64 by `limit`, `days`, its band, `line` i64,
    which no other line has, `stake`, the largest of the three sums, `acknowledged` str, the reason, `status`, open or
    acknowledged, and `state`, new, persisting, fixed or rule_changed, null without a second run. Doctors are
    pseudonyms, and what names no doctor, place or code is an empty word.
    """

    wb: Workbench
    run: Run
    compare: Run | None
    limit: Limit
    rows: pl.DataFrame

    def run_of(self, number: int) -> Run:
        """The run that a row of the ledger stands in."""
        return self.run if self.compare is None or number == self.run.number else self.compare

    def refreshed(self) -> "Ledger":
        """The same results, with what is set aside by now."""
        bare = self.rows.drop("acknowledged", "status")
        return Ledger(self.wb, self.run, self.compare, self.limit, _with_status(self.wb, bare, self.runs))

    @property
    def runs(self) -> list[Run]:
        return [run for run in (self.run, self.compare) if run is not None]

    def patients(self) -> pl.Series:
        """The patients' pseudonyms in the order of `rows`: read when somebody asks, for they are many."""
        found = pl.concat([_patients(self.wb, run) for run in self.runs])
        keys = self.rows.select("run", "number")
        return keys.join(found, on=["run", "number"], how="left", maintain_order="left")["patient"]


def read_ledger(wb: Workbench, run: Run, compare: Run | None = None) -> Ledger:
    """The results of a run, or of a run beside an earlier one.

    Raises:
        NotFound: DL-RUN-406, one of them is not completed.
        UsageError: DL-DIFF-001, their fingerprints were made with different keys.
    """
    for each in (run, compare):
        if each is not None:
            each.require_completed()
    limit = Limit(days_to_bill(reference.rules_in_force(wb)), counted_from(run))
    rows = _rows(wb, run, limit)
    if compare is None:
        rows = rows.with_columns(state=pl.lit(None, pl.String))
    else:
        diffing.require_one_key(compare.figures, run.figures)
        rows = _compared(wb, rows, run, compare, limit)
    runs = [each for each in (run, compare) if each is not None]
    return Ledger(wb, run, compare, limit, _with_status(wb, rows, runs))


def counted_from(run: Run) -> date:
    """The day from which days left are counted: that of the run, and as many days later as it is old."""
    made = run.figures["created_at"].astimezone(texts.TORONTO).date()
    judged: date = run.figures["run_date"] or made
    days: timedelta = today() - made
    return judged + days


def _rows(wb: Workbench, run: Run, limit: Limit) -> pl.DataFrame:
    rows = _copied(wb, run.id, COLUMNS)
    doctors = wb.pseudonyms.doctors(rows["doctor"].cast(pl.String)).cast(WORD)
    words = [name for name, dtype in COLUMNS.items() if dtype == WORD]
    return (
        rows.with_columns(pl.lit(run.number).cast(pl.Int64).alias("run"), doctors, days_left=limit.left)
        # An empty word can be chosen and counted like any other.
        .with_columns(pl.col(words).fill_null(""))
        .with_columns(
            days=band().cast(WORD),
            line=pl.lit(run.number) * 2**31 + pl.col("row_number").cast(pl.Int64),
            stake=pl.max_horizontal(STAKES),
        )
        .select("run", pl.exclude("run"))
    )


def _copied(wb: Workbench, run_id: UUID, columns: dict[str, Any]) -> pl.DataFrame:
    """Columns of a run's results, by number; an empty field is null."""
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    query = sql.SQL(
        "COPY (SELECT {} FROM validation_results WHERE validation_run_id = {} ORDER BY number) TO STDOUT (FORMAT csv)"
    )
    text = io.BytesIO()
    with (
        wb.database.connect() as connection,
        driver(connection).cursor().copy(query.format(names, sql.Literal(str(run_id)))) as copy,
    ):
        for block in copy:
            text.write(block)
    if not text.tell():
        return pl.DataFrame(schema=columns)
    plain = {name: pl.String if name == "is_paid" else dtype for name, dtype in columns.items()}
    read = pl.read_csv(text.getvalue(), has_header=False, schema=plain)
    return read.with_columns(pl.col("is_paid") == "t") if "is_paid" in columns else read


def _patients(wb: Workbench, run: Run) -> pl.DataFrame:
    rows = _copied(wb, run.id, {"number": pl.Int32, "patient": pl.String})
    named = wb.pseudonyms.patients(rows["patient"])
    return rows.select(pl.lit(run.number).cast(pl.Int64).alias("run"), "number", named)


def _compared(wb: Workbench, rows: pl.DataFrame, run: Run, earlier: Run, limit: Limit) -> pl.DataFrame:
    """The rows with what became of them, and the earlier run's that are no longer there."""
    fresh = _numbers_apart(wb, run.id, earlier.id)
    gone = _rows(wb, earlier, limit).join(_numbers_apart(wb, earlier.id, run.id), on="number", how="semi")
    state = (
        pl.when(pl.col("number").is_in(fresh["number"].implode())).then(pl.lit("new")).otherwise(pl.lit("persisting"))
    )
    both = pl.concat([rows.with_columns(state=state), gone.with_columns(state=pl.lit("fixed"))])
    changed = sorted(diffing.judged_otherwise(wb, earlier.id, run.id))
    by_rule = pl.col("rule_id").is_in(pl.Series(changed, dtype=pl.String).cast(WORD).implode())
    return both.with_columns(state=pl.when(by_rule).then(pl.lit("rule_changed")).otherwise("state"))


def _numbers_apart(wb: Workbench, run_id: UUID, other: UUID) -> pl.DataFrame:
    """(results, 1) the numbers of a run's results whose fingerprint the other run does not hold."""
    theirs = sa.orm.aliased(RESULTS)
    same = sa.exists().where(theirs.validation_run_id == other, theirs.fingerprint == RESULTS.fingerprint)
    query = sa.select(RESULTS.number).where(RESULTS.validation_run_id == run_id, ~same)
    return wb.frame(query).cast({"number": pl.Int32})


def _with_status(wb: Workbench, rows: pl.DataFrame, runs: list[Run]) -> pl.DataFrame:
    query = (
        sa.select(RUNS.number.label("run"), RESULTS.number, ASIDE.reason.label("acknowledged"))
        .join(RUNS, RUNS.id == RESULTS.validation_run_id)
        .join(ASIDE, set_aside_now())
        .where(RESULTS.validation_run_id.in_([run.id for run in runs]))
    )
    aside = wb.frame(query).cast({"number": pl.Int32})
    status = pl.when(pl.col("acknowledged").is_null()).then(pl.lit("open")).otherwise(pl.lit("acknowledged"))
    return rows.join(aside, on=["run", "number"], how="left", maintain_order="left").with_columns(status=status)
