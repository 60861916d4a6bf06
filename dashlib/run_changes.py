"""What a run has beside the one before it, counted once when it completes: new, fixed, persisting, rule changed.

The run before is the owner's newest that holds one of its doctors' days, and only the days that both hold are compared:
a line that is in one export alone was neither mended nor broken.
"""

import io
from uuid import UUID

import polars as pl
import sqlalchemy as sa
from psycopg import sql

from dashlib.comparison import STAKES, STATUSES, Comparison, compare
from dashlib.phi import Pseudonyms
from dashlib.schema import RollupDoctorDay, RunRule, ValidationRun
from dashlib.storage import driver

RUN, DAYS = ValidationRun, RollupDoctorDay
type Kinds = dict[str, pl.DataType | type[pl.DataType]]
RESULTS: Kinds = {
    **dict.fromkeys(("fingerprint", "rule_id", "doctor"), pl.String),
    **dict.fromkeys(("rule_version", "row_number"), pl.Int64),
    "date_service": pl.Date,
    **dict.fromkeys(STAKES, pl.Decimal(38, 2)),
}
CHANGES: Kinds = {
    **dict.fromkeys(("rule_id", "status"), pl.String),
    **dict.fromkeys(("before", "results"), pl.Int64),
    **dict.fromkeys(STAKES, pl.Decimal(38, 2)),
}


def changes(
    connection: sa.Connection, run_id: UUID, results: pl.DataFrame, judged: pl.DataFrame, pseudonyms: Pseudonyms
) -> pl.DataFrame:
    """The rows of `rollup_changes` of a run whose doctors' days are there and whose status is not yet.

    Args:
        results: the run's own (results, at least RESULTS).
        judged: (rules, at least rule_id, rule_version): what judged it.

    Returns:
        (rules x statuses, columns of CHANGES), under rule "" all rules together, there whenever a run came before;
        a line counts once in each sum. Empty without a run before.
    """
    before = _run_before(connection, run_id)
    if before is None:
        return pl.DataFrame(schema=CHANGES)
    other, number = before
    common = _common_days(connection, run_id, other)
    then, now = (
        _of_days(part.select(pl.col(name).cast(kind) for name, kind in RESULTS.items()), common, pseudonyms)
        for part in (_kept_results(connection, other), results)
    )
    found = compare(then, now, changed=_judged_otherwise(connection, other, judged))
    return _summed(found).with_columns(before=pl.lit(number, pl.Int64)).select(list(CHANGES))


def _run_before(connection: sa.Connection, run_id: UUID) -> tuple[UUID, int] | None:
    run = connection.execute(sa.select(RUN.user_id, RUN.number, RUN.fingerprint_key).where(RUN.id == run_id)).one()
    mine, its = sa.orm.aliased(DAYS), sa.orm.aliased(DAYS)
    shared = (
        sa.exists()
        .where(mine.validation_run_id == run_id, its.validation_run_id == RUN.id)
        .where(mine.date_de_service == its.date_de_service, mine.doctor == its.doctor)
    )
    query = (
        sa.select(RUN.id, RUN.number)
        .where(RUN.user_id == run.user_id, RUN.status == "completed", RUN.number < run.number, shared)
        .where(RUN.fingerprint_key.is_not_distinct_from(run.fingerprint_key))
        .order_by(RUN.number.desc())
        .limit(1)
    )
    found = connection.execute(query).one_or_none()
    return (found.id, found.number) if found else None


def _common_days(connection: sa.Connection, run_id: UUID, other: UUID) -> pl.DataFrame:
    mine, its = sa.orm.aliased(DAYS), sa.orm.aliased(DAYS)
    query = sa.select(mine.date_de_service, mine.doctor).where(
        mine.validation_run_id == run_id,
        its.validation_run_id == other,
        mine.date_de_service == its.date_de_service,
        mine.doctor == its.doctor,
    )
    rows = [tuple(row) for row in connection.execute(query)]
    return pl.DataFrame(rows, schema={"date_service": pl.Date, "pseudonym": pl.String}, orient="row")


def _of_days(results: pl.DataFrame, days: pl.DataFrame, pseudonyms: Pseudonyms) -> pl.DataFrame:
    named = results.with_columns(pseudonym=pseudonyms.doctors(results["doctor"]).fill_null(""))
    kept = named.join(days, on=["date_service", "pseudonym"], how="semi", maintain_order="left")
    return kept.drop("pseudonym", "doctor").with_columns(pl.col(STAKES).fill_null(0))


def _kept_results(connection: sa.Connection, run_id: UUID) -> pl.DataFrame:
    columns = sql.SQL(", ").join(map(sql.Identifier, RESULTS))
    query = sql.SQL("COPY (SELECT {} FROM validation_results WHERE validation_run_id = {}) TO STDOUT (FORMAT csv)")
    text = io.BytesIO()
    with driver(connection).cursor().copy(query.format(columns, sql.Literal(str(run_id)))) as copy:
        for block in copy:
            text.write(block)
    if not text.getvalue():
        return pl.DataFrame(schema=RESULTS)
    read = pl.read_csv(text.getvalue(), has_header=False, new_columns=list(RESULTS), infer_schema=False)
    return read.with_columns(pl.col("date_service").str.to_date())


def _judged_otherwise(connection: sa.Connection, other: UUID, judged: pl.DataFrame) -> set[str]:
    query = sa.select(RunRule.rule_id, RunRule.rule_version).where(RunRule.validation_run_id == other)
    then = {(rule, version) for rule, version in connection.execute(query)}
    return {rule for rule, _ in then ^ set(judged.select("rule_id", "rule_version").rows())}


def _summed(found: Comparison) -> pl.DataFrame:
    parts = []
    for status in STATUSES:
        results: pl.DataFrame = getattr(found, status)
        there = results.filter(pl.col("was") != "fixed") if status == "rule_changed" else results
        for rule in (pl.lit(""), pl.col("rule_id")):
            counted = results.group_by(rule_id=rule).agg(results=pl.len().cast(pl.Int64))
            of_lines = there.group_by("row_number", rule_id=rule).agg(
                pl.col("at_risk", "to_repay").max(), pl.col("gain").sum()
            )
            money = of_lines.group_by("rule_id").agg(pl.col(STAKES).sum())
            parts.append(counted.join(money, on="rule_id", how="left").with_columns(status=pl.lit(status)))
    of_all = pl.DataFrame({"rule_id": "", "status": list(STATUSES)})
    summed = pl.concat(parts)
    rows = pl.concat([summed, of_all.join(summed, on=["rule_id", "status"], how="anti")], how="diagonal")
    return rows.with_columns(pl.col("results", *STAKES).fill_null(0))
