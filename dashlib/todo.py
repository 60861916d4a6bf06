"""What is to be done about results: each with what to do, the money, and the days that are left.

Days count from the day as of which the run judged, and go on with the calendar: for a run of last week seven have gone
since, and one that was judged as of an older day stays as old as it was.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

import polars as pl
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on

from dashlib import messages, reference
from dashlib.errors import NotFound
from dashlib.recounting import today
from dashlib.results import FILE, RESULTS, read_results, translated
from dashlib.rules import Rule
from dashlib.rules.quality import DataQuality
from dashlib.schema import RollupDoctorDay, ValidationRun
from dashlib.workbench import Workbench

# Source: Loi sur l'assurance maladie, art. 22.1; FMOQ, Le Médecin du Québec, May 2025. The rules of late billing say it
# where there are any.
DAYS_TO_BILL = 90
PAGE = 50_000  # results read at a time: a million of them do not fit beside each other
RUNS = ValidationRun
FILE_COLUMNS = (
    *("result", "severity", "rule_id", "doctor", "patient", "date_service", "invoice", "id_ramq", "code"),
    *("lieu_de_pratique", "row_number", "amount", "at_risk", "to_repay", "gain", "days_left", "message", "to_do"),
    *("acknowledged", "acknowledged_until", "done", "note", "category", "rule_version", "related", "fingerprint"),
)


@dataclass(frozen=True)
class Scope:
    """The services of these days, at one place or all, as the viewer's runs found them.

    Each doctor's day is that of the newest run which holds it, so that nothing counts twice.
    """

    since: date
    until: date
    place: str | None = None


@dataclass(frozen=True)
class Asked:
    """Which results are wanted: of a rule, a severity, a doctor by the pseudonym, or with at most so many days left."""

    rule: str | None = None
    severity: str | None = None
    doctor: str | None = None
    due: int | None = None


EVERYTHING = Asked()


@dataclass(frozen=True)
class OwnRun:
    """A completed run of the viewer's. `as_of` is the day from which days are counted."""

    id: UUID
    number: int
    run_date: date
    as_of: date


def own_run(wb: Workbench, run_id: UUID) -> OwnRun:
    """A run of the viewer's own.

    Raises:
        NotFound: DL-RUN-404, it is not there, or somebody else's; DL-RUN-406, it is not completed.
    """
    query = _runs(wb).where(RUNS.id == run_id)
    with wb.database.connect() as connection:
        found = connection.execute(query).one_or_none()
    if found is None:
        raise NotFound("DL-RUN-404")
    if found.status != "completed":
        raise NotFound("DL-RUN-406", run=str(found.number))
    return _run(found)


def runs_of(wb: Workbench, which: UUID | Scope) -> list[OwnRun]:
    """The viewer's own run, or those that are the newest for a doctor's day of the scope, newest first.

    Raises:
        NotFound: DL-RUN-404, the run is not there, or somebody else's; DL-RUN-406, it is not completed.
    """
    return _scoped(wb, which) if isinstance(which, Scope) else [own_run(wb, which)]


def results_in(
    wb: Workbench, which: UUID | Scope, runs: Sequence[OwnRun], asked: Asked = EVERYTHING, lang: str = "fr"
) -> Iterator[pl.DataFrame]:
    """The results of these runs page by page, of a scope those that are in it; see `results_of`."""
    yield _nothing()
    if isinstance(which, UUID):
        for run in runs:
            yield from results_of(wb, run, asked, lang)
        return
    holders = wb.frame(_holders(which, wb))
    for run in runs:
        for page in results_of(wb, run, asked, lang, within=_within(which)):
            yield _newest(page, holders)


def results_of(
    wb: Workbench,
    run: OwnRun,
    asked: Asked = EVERYTHING,
    lang: str = "fr",
    *,
    within: Sequence[sa.ColumnElement[bool]] = (),
) -> Iterator[pl.DataFrame]:
    """The results of a run page by page, the gravest first; there is at least one page.

    Args:
        within: what PostgreSQL narrows them by besides: of a year's run a week is read, not the year.

    Returns:
        (results, FILE_COLUMNS) frames: as `run.results` has them, with `days_left` i64, null for a paid line or without
        a date and negative when it is too late, and `to_do` str, what the rule advises.
    """
    rules, last, more = reference.rules_in_force(wb), 0, True
    while more:
        kept = read_results(wb, run.id, where=[*_where(asked), *within, RESULTS.number > last], limit=PAGE)
        more = kept.height == PAGE
        if more:
            last = int(kept["result"][-1].rpartition(":")[2])
        yield _told(wb, kept, run.as_of, rules, lang).filter(_wanted(asked)).select(FILE_COLUMNS)


def actions(
    wb: Workbench, which: UUID | Scope, lang: str = "fr", *, asked: Asked = EVERYTHING
) -> tuple[pl.DataFrame, list[OwnRun]]:
    """One row per thing to do, the most urgent first, then the most money, and the runs that it comes from.

    To do is every open error and warning, and what could be billed. What is too late comes last.

    Returns:
        (things to do, FILE_COLUMNS and `stake` str): at_risk, to_repay, gain or check, and `amount` is that money.
    """
    runs = runs_of(wb, which)
    return in_order(page.filter(TO_DO) for page in results_in(wb, which, runs, asked, lang)), runs


TO_DO = pl.col("acknowledged").is_null() & ((pl.col("severity") != "info") | (pl.col("category") == "opportunity"))


def in_order(pages: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """Things to do (results that are TO_DO) in the order and with the columns of `actions`."""
    found = pl.concat([_nothing(), *pages])
    left = pl.col("days_left")
    urgency = pl.when(left >= 0).then(0).when(left.is_null()).then(1).otherwise(2)
    staked = found.with_columns(stake=_stake()).with_columns(
        amount=pl.coalesce(*(pl.when(stake=name).then(name) for name in ("at_risk", "to_repay", "gain")), "amount")
    )
    return staked.sort(urgency, left, "amount", descending=[False, False, True], nulls_last=True, maintain_order=True)


def _nothing() -> pl.DataFrame:
    """No result, with the columns' types as the database has them."""
    types: dict[str, pl.DataType] = dict.fromkeys(FILE_COLUMNS, pl.String())
    types |= {"done": pl.Boolean(), "related": pl.List(pl.Int64())}
    types |= dict.fromkeys(("row_number", "rule_version", "days_left"), pl.Int64())
    types |= dict.fromkeys(("amount", "at_risk", "to_repay", "gain"), pl.Decimal(38, 2))
    types |= dict.fromkeys(("date_service", "acknowledged_until"), pl.Date())
    return pl.DataFrame(schema=types)


def _stake() -> pl.Expr:
    """Which of the three sums a result counts in; what is in none is to be checked."""
    named = (pl.when(pl.col(name) > 0).then(pl.lit(name)) for name in ("at_risk", "to_repay", "gain"))
    return pl.coalesce(*named, pl.lit("check"))


def _where(asked: Asked) -> list[sa.ColumnElement[bool]]:
    given = ((RESULTS.rule_id, asked.rule), (RESULTS.severity, asked.severity))
    return [column == value for column, value in given if value is not None]


def _wanted(asked: Asked) -> pl.Expr:
    soon = pl.lit(True) if asked.due is None else pl.col("days_left").is_between(0, asked.due).fill_null(False)
    return soon if asked.doctor is None else soon & (pl.col("doctor") == asked.doctor)


def days_to_bill(rules: Sequence[Rule]) -> int:
    """The days within which a service is billed, or a refused one corrected, as the rules in force have them."""
    asked = [rule.condition for rule in rules if isinstance(rule.condition, DataQuality) and rule.enabled]
    late = [condition.max_days or condition.days for condition in asked if condition.check == "late_billing"]
    return max((days for days in late if days), default=DAYS_TO_BILL)


def _told(wb: Workbench, kept: pl.DataFrame, as_of: date, rules: Sequence[Rule], lang: str) -> pl.DataFrame:
    """Results in the reader's language, with what to do and the days left."""
    said = kept if lang == "fr" else translated(wb, kept, lang)
    paid = pl.col("is_paid").fill_null(False) | (pl.col("to_repay") > 0).fill_null(False)
    left = days_to_bill(rules) - (pl.lit(as_of) - pl.col("date_service")).dt.total_days()
    return said.with_columns(days_left=pl.when(~paid).then(left), to_do=_advice(kept, said["message"], rules, lang))


def _advice(kept: pl.DataFrame, sentences: pl.Series, rules: Sequence[Rule], lang: str) -> pl.Series:
    """What the rules advise; where one advises nothing, and for a rejected line, what was found says it."""
    advising = [rule.model_copy(update={"message": rule.solution}) for rule in rules if lang in rule.solution]
    advised = messages.translated(kept, advising, lang)
    of_rule = (kept["category"] != FILE).fill_null(True) & kept["rule_id"].is_in([rule.name for rule in advising])
    return advised.zip_with(of_rule, sentences)


def _runs(wb: Workbench) -> sa.Select[*tuple[Any, ...]]:
    made = sa.cast(sa.func.timezone("America/Toronto", RUNS.created_at), sa.Date)
    return sa.select(RUNS.id, RUNS.number, RUNS.status, RUNS.run_date, made.label("made")).where(
        RUNS.user_id == wb.viewer.id
    )


def _run(found: sa.Row[*tuple[Any, ...]]) -> OwnRun:
    judged = found.run_date or found.made
    as_of = judged + (today() - found.made)
    return OwnRun(found.id, found.number, judged, as_of)


def _scoped(wb: Workbench, scope: Scope) -> list[OwnRun]:
    """The viewer's runs that are the newest for a doctor's day of the scope, newest first."""
    held = _holders(scope, wb).subquery()
    query = _runs(wb).where(RUNS.number.in_(sa.select(held.c.number))).order_by(RUNS.number.desc())
    with wb.database.connect() as connection:
        return [_run(found) for found in connection.execute(query)]


def _holders(scope: Scope, wb: Workbench) -> sa.Select[*tuple[Any, ...]]:
    """(doctors' days, 3): doctor (pseudonym), date_de_service, and the number of the newest run that holds it."""
    day = RollupDoctorDay
    return (
        sa.select(day.doctor, day.date_de_service, RUNS.number)
        .ext(distinct_on(day.doctor, day.date_de_service))
        .join(RUNS, RUNS.id == day.validation_run_id)
        .where(RUNS.user_id == wb.viewer.id, RUNS.status == "completed")
        .where(day.date_de_service.between(scope.since, scope.until))
        .order_by(day.doctor, day.date_de_service, RUNS.number.desc())
    )


def _within(scope: Scope) -> list[sa.ColumnElement[bool]]:
    days = RESULTS.date_service.between(scope.since, scope.until)
    return [days, *([RESULTS.lieu_de_pratique == scope.place] if scope.place is not None else [])]


def _newest(found: pl.DataFrame, holders: pl.DataFrame) -> pl.DataFrame:
    """Of a run's results those on days that no newer run holds."""
    numbered = found.with_columns(
        number=pl.col("result").str.extract(r"^(\d+):").cast(pl.Int64), who=pl.col("doctor").fill_null("")
    )
    here, there = ["who", "date_service", "number"], ["doctor", "date_de_service", "number"]
    return numbered.join(holders, left_on=here, right_on=there, how="semi", maintain_order="left").select(found.columns)
