"""Who was seen on a doctor's day: what rules on the office fee, and advice on it, count."""

from dataclasses import dataclass

import polars as pl
from pydantic import Field, model_validator

from dashlib.rules.base import Reference, Strict, has_code, holds_context
from dashlib.rules.filters import Filters
from dashlib.rules.reasons import reason, refuse

# The two fees of the agreement: never visits, and added up to the most that a day may bring.
FEES = frozenset({"19928", "19929"})
WALK_IN_CONTEXTS = frozenset({"G160", "AR"})


class Minimum(Strict):
    """Different patients needed for a fee, by the category that it claims; without a number the category has no fee."""

    registered: int | None = Field(default=None, ge=1)
    walkIn: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _asks_something(self) -> "Minimum":
        none = self.registered is None and self.walkIn is None
        refuse("minimum", [(none, reason("registered", "one_of_needed", names="registered, walkIn"))])
        return self


@dataclass(frozen=True)
class Visit:
    """What rules take for a visit: rules that agree in it share one count.

    `place` null counts everywhere; `no_visits` are codes that are none, fees among them.
    """

    filters: Filters
    walk_in_contexts: frozenset[str]
    place: str | None
    no_visits: frozenset[str]


@dataclass(frozen=True)
class Seen:
    """Who was seen on some days, by one meaning of a visit.

    `lines` (lines of these days, 9): row_number, doctor_day, patient (a number of the doctor's day), order_no, is_paid,
    visit, here (at the place), counted (a visit here, with a patient), walk_in. `patients` (patients of a doctor's day,
    6): patient, doctor_day, seen, walk_in, paid, answered. `days` (doctor days, 6): doctor_day, registered, walkIn,
    registered_paid, walkIn_paid, answered.
    """

    lines: pl.LazyFrame
    patients: pl.LazyFrame
    days: pl.LazyFrame


def see(visit: Visit, of_days: pl.LazyFrame, ref: Reference) -> Seen:
    """Counts the patients of these lines; a patient seen both ways is a walk-in."""
    fee = has_code(visit.no_visits)
    visited = ~fee & visit.filters.keep(ref) & ~visit.filters.where.unknown()
    here = pl.lit(True) if visit.place is None else (pl.col("place") == visit.place).fill_null(False)
    lines = of_days.select(
        "row_number",
        "doctor_day",
        "order_no",
        "is_paid",
        visit=visited,
        counted=visited & here & pl.col("patient_doctor_day").is_not_null(),
        here=here,
        walk_in=holds_context(visit.walk_in_contexts),
        # Lines without patient are nobody's visit, but they can tell that the day was answered.
        patient=pl.coalesce("patient_doctor_day", -1 - pl.col("doctor_day")),
    ).cache()
    patients = (
        # Sorted, the many small groups are found in half the time of a hash table.
        lines.sort("patient")
        .group_by("patient")
        .agg(
            pl.col("doctor_day").first(),
            seen=pl.col("counted").any(),
            walk_in=(pl.col("counted") & pl.col("walk_in")).any(),
            paid=pl.col("is_paid").any(),
            answered=(pl.col("visit") & pl.col("is_paid")).any(),
        )
        .cache()
    )
    return Seen(lines, patients, _by_day(patients).cache())


def _by_day(patients: pl.LazyFrame) -> pl.LazyFrame:
    registered, walk_in = pl.col("seen") & ~pl.col("walk_in"), pl.col("walk_in")
    return patients.group_by("doctor_day").agg(
        registered=registered.sum().cast(pl.Int64),
        walkIn=walk_in.sum().cast(pl.Int64),
        registered_paid=(registered & pl.col("paid")).sum().cast(pl.Int64),
        walkIn_paid=(walk_in & pl.col("paid")).sum().cast(pl.Int64),
        answered=pl.col("answered").any(),
    )
