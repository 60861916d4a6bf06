"""What clerks did with results: ticked as done, and noted, in the workbook that they were given.

A word is of a fingerprint, so it is seen in all runs of its owner that find the same. A row of a workbook that says
what it said when it was written says nothing; of two words that differ the newer one counts, by when its workbook was
saved.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import polars as pl
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, insert

from dashlib.phi import Pseudonyms
from dashlib.schema import AuditEvent, ResultFollowup, ValidationLog, ValidationResult, ValidationRun
from dashlib.ticks import Ticks
from dashlib.workbench import Workbench

RESULTS, RUNS, SAID = ValidationResult, ValidationRun, ResultFollowup
SHOWN = 20  # places of rows that are named
KEY = ("run", "number", "fingerprint")
BEFORE: dict[str, pl.DataType] = {
    "fingerprint": pl.String(),
    "done_before": pl.Boolean(),
    "note_before": pl.String(),
    "said_before": pl.Datetime("us", "UTC"),
}


@dataclass(frozen=True)
class Taken:
    """What came of a workbook that was given back; all are numbers of results but the places.

    `taken` are kept, `unchanged` say what is known. Where another word had come meanwhile, `replaced` of the taken were
    newer, and `older` ones were not, and are left. Refused are `unknown` ones, `foreign` ones of somebody else's runs,
    `opposed` ones that two rows of the workbook contradict each other about, and `faulty` rows that cannot be read, of
    which `faults` tells the first, (rows, 3) sheet, row, fault. `masked` notes held a health insurance number.
    """

    taken: int
    unchanged: int
    replaced: int
    older: int
    unknown: int
    foreign: int
    opposed: int
    masked: int
    faulty: int
    faults: pl.DataFrame

    @property
    def refused(self) -> int:
        """Rows that were not taken although they say something."""
        return self.unknown + self.foreign + self.opposed + self.faulty


def followed_up() -> sa.ColumnElement[bool]:
    """The join by which a result of a run meets what was said last of it."""
    return sa.and_(SAID.user_id == RUNS.user_id, SAID.fingerprint == RESULTS.fingerprint)


def note_for(wb: Workbench) -> sa.ColumnElement[str | None]:
    """A note is a person's own words, and only for the run's owner."""
    return sa.case((RUNS.user_id == wb.viewer.id, SAID.note)).label("note")


def marks(pseudonyms: Pseudonyms, done: pl.Series, note: pl.Series) -> pl.Series:
    """8 hexadecimal digits that tell whether what is said of a result is still what it was."""
    said = pl.DataFrame([done.alias("done"), note.alias("note")]).select(
        pl.format("{}\0{}", pl.col("done").fill_null(False), pl.col("note").fill_null(""))
    )
    return pseudonyms.fingerprints(said.to_series()).str.slice(0, 8)


def take(wb: Workbench, ticks: Ticks, *, now: datetime | None = None) -> Taken:
    """Keeps what a workbook says of results of the viewer's own runs, in one commit."""
    now = now or datetime.now(UTC)
    said_at = min(ticks.saved_at or now, now)
    readable = ticks.rows.filter(pl.col("fault").is_null())
    faulty = ticks.rows.filter(pl.col("fault").is_not_null())
    changed = readable.filter(readable["mark"] != marks(wb.pseudonyms, readable["done"], readable["note"]))
    words = changed.unique([*KEY, "done", "note"], maintain_order=True)
    # The same result may stand in several sheets, and in several runs of one workbook.
    opposed = pl.struct("done", "note").n_unique().over("fingerprint") > 1
    clear = words.filter(~opposed)
    with wb.database.connect() as connection:
        # One workbook of somebody at a time: a word that is not there yet has no row that could be locked.
        alone = sa.func.pg_advisory_xact_lock(sa.func.hashtext(f"dashlib.followups {wb.viewer.id}"))
        connection.execute(sa.select(alone))
        there = clear.join(_owners(wb, clear), on=KEY, how="inner", maintain_order="left")
        own = there.filter("own").unique("fingerprint", maintain_order=True)
        beside = _beside(connection, wb, own)
        note_changed = pl.col("note").ne_missing(pl.col("note_before"))
        other = beside.filter((pl.col("done") != pl.col("done_before")) | note_changed)
        # Somebody has said something since the workbook was written, and later than it was saved.
        older = pl.col("meanwhile") & (pl.col("said_before") > said_at)
        kept = other.filter(~older)
        if kept.height:
            _keep(connection, wb, kept, said_at)
            _record(connection, kept)
        connection.commit()
    return Taken(
        taken=kept.height,
        unchanged=beside.height - other.height,
        replaced=kept.filter("meanwhile").height,
        older=other.height - kept.height,
        unknown=clear.height - there.height,
        foreign=there.filter(~pl.col("own")).height,
        opposed=words.filter(opposed).select(KEY).n_unique(),
        masked=kept.filter("masked").height,
        faulty=faulty.height,
        faults=faulty.select("sheet", "row", "fault").head(SHOWN),
    )


def _owners(wb: Workbench, words: pl.DataFrame) -> pl.DataFrame:
    """(results that are there, 4): KEY, and `own`, whether the run is the viewer's."""
    fingerprints = sa.cast(words["fingerprint"].unique().to_list(), ARRAY(sa.Text))
    return wb.frame(
        sa.select(
            RUNS.number.label("run"),
            sa.cast(RESULTS.number, sa.BigInteger).label("number"),
            RESULTS.fingerprint,
            (RUNS.user_id == wb.viewer.id).label("own"),
        )
        .join(RUNS, RUNS.id == RESULTS.validation_run_id)
        .where(RUNS.number.in_(words["run"].unique().to_list()))
        .where(RESULTS.fingerprint == sa.func.any(fingerprints))
    )


def _beside(connection: sa.Connection, wb: Workbench, words: pl.DataFrame) -> pl.DataFrame:
    """What is said beside what was said last, locked: done_before, note_before, said_before.

    `meanwhile` is whether that is something else than the workbook was written with.
    """
    fingerprints = sa.cast(words["fingerprint"].to_list(), ARRAY(sa.Text))
    query = (
        sa.select(SAID.fingerprint, SAID.done, SAID.note, SAID.said_at)
        .where(SAID.user_id == wb.viewer.id, SAID.fingerprint == sa.func.any(fingerprints))
        .with_for_update()
    )
    before = pl.DataFrame([tuple(row) for row in connection.execute(query)], schema=BEFORE, orient="row")
    beside = words.join(before, on="fingerprint", how="left", maintain_order="left")
    beside = beside.with_columns(pl.col("done_before").fill_null(False))
    last = marks(wb.pseudonyms, beside["done_before"], beside["note_before"])
    return beside.with_columns(meanwhile=(beside["mark"] != last) & beside["said_before"].is_not_null())


def _keep(connection: sa.Connection, wb: Workbench, words: pl.DataFrame, said_at: datetime) -> None:
    mine = {"user_id": wb.viewer.id, "author": wb.viewer.id, "said_at": said_at}
    wanted = insert(SAID)
    newer: dict[str, sa.ColumnElement[Any]] = {name: wanted.excluded[name] for name in ("done", "note", "author")}
    newer |= {"said_at": sa.func.greatest(SAID.said_at, wanted.excluded.said_at), "created_at": sa.func.now()}
    upsert = wanted.on_conflict_do_update(index_elements=["user_id", "fingerprint"], set_=newer)
    rows = words.select("fingerprint", "done", "note").iter_rows(named=True)
    connection.execute(upsert, [{**row, **mine} for row in rows])


def _record(connection: sa.Connection, words: pl.DataFrame) -> None:
    """How many results of which runs, and how many are done; never a note, which is a person's own words."""
    for run, count, done in words.group_by("run").agg(pl.len(), pl.col("done").sum()).sort("run").iter_rows():
        facts: dict[str, Any] = {"results": count, "done": done}
        run_id = connection.scalar(sa.select(RUNS.id).where(RUNS.number == run))
        event = {"event": "result.followed_up", "kind": "validation_run", "target_id": str(run_id), "details": facts}
        connection.execute(sa.insert(AuditEvent).values(event))
        entry = {"validation_run_id": run_id, "level": "info", "source": "followups", "message": "result.followed_up"}
        connection.execute(sa.insert(ValidationLog).values(entry | {"details": facts}))
