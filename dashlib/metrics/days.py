"""What the sheet of one day asks, and how many days office fees were billed on: roll-ups only, no patient in them."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

import polars as pl
import sqlalchemy as sa

from dashlib.figures import STAKES
from dashlib.metrics.errors import error_days
from dashlib.metrics.patients import day_table, doctor_days, patient_totals
from dashlib.metrics.rows import FEES, SEEN, cells, total
from dashlib.metrics.scope import Scope
from dashlib.schema import RollupDoctorDay, ValidationRun
from dashlib.workbench import Workbench

DAY, RUN = RollupDoctorDay, ValidationRun


@dataclass(frozen=True)
class DayFigures:
    """A day of one doctor, or of all: patients by kind, lines and money; `doctors` and `places` are its parts.

    `seen` has the counts of `metrics.patient_totals`, `doctors` the rows of `doctor_days`, `places` those of
    `day_table`. `run` is the number and id of the run that holds the doctor's day where it is the viewer's own.
    """

    day: date
    doctor: str | None
    lines: int
    seen: dict[str, int]
    at_risk: Decimal
    to_repay: Decimal
    gain: Decimal
    doctors: pl.DataFrame
    places: pl.DataFrame
    run: tuple[int, UUID] | None


def day_figures(wb: Workbench, day: date, doctor: str | None = None) -> DayFigures:
    """The figures of a day; without a doctor those of all of them together."""
    scope = Scope(day, day, doctors=() if doctor is None else (doctor,))
    seen, billed = patient_totals(wb, scope), error_days(wb, scope)
    sums = {name: sum(billed[name], Decimal(0)) for name in STAKES}
    return DayFigures(
        day=day,
        doctor=doctor,
        lines=int(billed["lines"].sum()),
        seen={name: int(seen[name].sum()) for name in SEEN},
        **sums,
        doctors=doctor_days(wb, scope),
        places=day_table(wb, scope),
        run=None if doctor is None else _own_run(wb, day, doctor),
    )


def _own_run(wb: Workbench, day: date, doctor: str) -> tuple[int, UUID] | None:
    held = (DAY.in_force.is_(sa.true()), DAY.date_de_service == day, DAY.doctor == doctor)
    query = sa.select(RUN.number, RUN.id).join(DAY, DAY.validation_run_id == RUN.id)
    found = wb.frame(query.where(*held, RUN.user_id == wb.viewer.id))
    return None if found.is_empty() else (found["number"][0], UUID(found["id"][0]))


def fee_days(wb: Workbench, scope: Scope) -> pl.DataFrame:
    """On how many days of a doctor at a place office fees were billed, and where the rules did not allow them.

    Returns:
        (days or weeks of a long period, 4), by date: date_de_service date; billed, below i64, doctors' days with a fee
        and those of them where the rules ask for less; difference decimal (CAD), how much less, negative or 0.
    """
    found = cells(scope, by_week=scope.is_by_week)
    day = (found.c.week if scope.is_by_week else found.c.date_de_service).label("date_de_service")
    sums = [total(found.c[name]).label(name.removeprefix("fee_")) for name in FEES]
    days = wb.frame(sa.select(day, *sums).group_by(day).order_by(day))
    return days.filter(pl.col("billed") > 0)


def interrupted(wb: Workbench, after: int) -> tuple[int, int] | None:
    """Number and progress in percent of the viewer's newest run that failed on its way, after run number `after`."""
    query = sa.select(RUN.number, RUN.progress).where(
        RUN.status == "failed",
        RUN.number > after,
        RUN.progress.between(1, 99),
        RUN.error_code.is_distinct_from("DL-RUN-CANCELLED"),
        RUN.user_id == wb.viewer.id,
    )
    found = wb.frame(query.order_by(RUN.number.desc()).limit(1))
    return None if found.is_empty() else (found["number"][0], int(found["progress"][0]))
