"""What dashboards count, by run, without a patient in it: it stays when the records are cleared.

`doctor` is a pseudonym, `lieu_de_pratique` is '' where the line names none. Money is CAD. Results are open ones; those
that are set aside are counted in `acknowledged` alone.

A doctor's day counts from the newest completed run that holds it: there `in_force` is true, in RollupDoctorDay (whose
unique index lets one run hold a day), RollupDay and RollupRule alike. Triggers of the runs keep it so. Beside them
stand sums of what is in force, because a question must read few rows: RollupWeek for figures of long periods,
RollupDoctorSpan for who stands out in them, RollupRuleSpan for rules, of which there are hundreds in each, RollupDate
for patients, who do not add up over doctors. They are made anew for the weeks that a run, its deletion or an
acknowledgement touches (`sum_weeks`). RollupChange is what a run has beside the one before it, whose results may be
cleared by the time somebody asks.
"""

import datetime
import uuid
from decimal import Decimal
from typing import Annotated

from sqlalchemy import BigInteger, CheckConstraint, Index, Numeric, PrimaryKeyConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from dashlib.schema.base import Base, Count, Sum, goes_with_run

InForce = Annotated[bool, mapped_column(server_default=text("false"))]


class RollupDay(Base):
    """A doctor's day at one place: lines, invoices, money, distinct patients.

    `worst_warning` and `worst_info` are the lines whose gravest open result is one. `fee_codes` are the office fees
    billed, `fee_expected` what the rules on them ask for instead («» none) and `fee_difference` the money between the
    two; they count while `fee_results`, the open results on office fees, is not 0.
    """

    __tablename__ = "rollup_days"
    __table_args__ = (
        Index("idx_rollup_days_date_de_service", "date_de_service", postgresql_where=text("in_force")),
        Index("idx_rollup_days_doctor", "doctor", "date_de_service", postgresql_where=text("in_force")),
    )

    validation_run_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    date_de_service: Mapped[datetime.date] = mapped_column(primary_key=True)
    doctor: Mapped[str] = mapped_column(primary_key=True)
    lieu_de_pratique: Mapped[str] = mapped_column(primary_key=True)
    lines: Mapped[Count]
    lines_in_error: Mapped[Count]
    lines_in_warning: Mapped[Count]
    invoices: Mapped[Count]
    clean_invoices: Mapped[Count]
    at_risk: Mapped[Sum]
    to_repay: Mapped[Sum]
    gain: Mapped[Sum]
    patients: Mapped[Count]
    patients_paid: Mapped[Count]
    registered: Mapped[Count]
    registered_paid: Mapped[Count]
    walk_in: Mapped[Count]
    walk_in_paid: Mapped[Count]

    in_force: Mapped[InForce]
    lines_in_info: Mapped[Count]
    worst_warning: Mapped[Count]
    worst_info: Mapped[Count]
    fee_codes: Mapped[str | None]
    fee_expected: Mapped[str | None]
    fee_difference: Mapped[Annotated[Decimal, mapped_column(Numeric(18, 2))] | None]
    fee_results: Mapped[Count]


class RollupRule(Base):
    """What one rule found in a doctor's day at one place; an invoice counts once in each."""

    __tablename__ = "rollup_rules"
    __table_args__ = (
        Index("idx_rollup_rules_date_de_service", "date_de_service", postgresql_where=text("in_force")),
        Index("idx_rollup_rules_doctor", "doctor", "date_de_service", postgresql_where=text("in_force")),
        Index(
            "idx_rollup_rules_doctor_rule_id",
            *("doctor", "rule_id", "date_de_service"),
            postgresql_where=text("in_force"),
        ),
        Index("idx_rollup_rules_rule_id", "rule_id", "date_de_service", postgresql_where=text("in_force")),
        CheckConstraint("severity IN ('error', 'warning', 'info')", name="severity"),
    )

    validation_run_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    date_de_service: Mapped[datetime.date] = mapped_column(primary_key=True)
    doctor: Mapped[str] = mapped_column(primary_key=True)
    lieu_de_pratique: Mapped[str] = mapped_column(primary_key=True)
    rule_id: Mapped[str] = mapped_column(primary_key=True)
    severity: Mapped[str] = mapped_column(primary_key=True)
    category: Mapped[str | None]
    results: Mapped[Count]
    lines: Mapped[Count]
    amount: Mapped[Sum]

    in_force: Mapped[InForce]
    invoices: Mapped[Count]
    at_risk: Mapped[Sum]
    to_repay: Mapped[Sum]
    gain: Mapped[Sum]
    acknowledged: Mapped[Count]


class RollupContext(Base):
    """How many lines of a code lack a context that a rule asks for."""

    __tablename__ = "rollup_contexts"
    __table_args__ = (goes_with_run(),)

    validation_run_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(primary_key=True)
    context: Mapped[str] = mapped_column(primary_key=True)
    lines: Mapped[Count]


class RollupDoctorDay(Base):
    """A doctor's day over all places: distinct patients do not add up from place to place."""

    __tablename__ = "rollup_doctor_days"
    __table_args__ = (
        Index("idx_rollup_doctor_days_doctor", "doctor", "date_de_service"),
        Index(
            "idx_rollup_doctor_days_in_force",
            *("date_de_service", "doctor"),
            unique=True,
            postgresql_where=text("in_force"),
        ),
    )

    validation_run_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    date_de_service: Mapped[datetime.date] = mapped_column(primary_key=True)
    doctor: Mapped[str] = mapped_column(primary_key=True)
    patients: Mapped[Count]
    patients_paid: Mapped[Count]
    registered: Mapped[Count]
    registered_paid: Mapped[Count]
    walk_in: Mapped[Count]
    walk_in_paid: Mapped[Count]

    in_force: Mapped[InForce]


class RollupRunDay(Base):
    """A run's day over all doctors: distinct patients again."""

    __tablename__ = "rollup_run_days"
    __table_args__ = (goes_with_run(),)

    validation_run_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    date_de_service: Mapped[datetime.date] = mapped_column(primary_key=True)
    patients: Mapped[Count]
    registered: Mapped[Count]
    walk_in: Mapped[Count]

    patients_paid: Mapped[Count]
    registered_paid: Mapped[Count]
    walk_in_paid: Mapped[Count]


class RollupWeek(Base):
    """A doctor's week at one place, or («*») of all doctors there: sums of the days in force.

    Patients are summed over `days`, the doctors' days, and distinct in each. `fee_billed` are the days with an office
    fee, `fee_below` those of them where the rules ask for less, and `fee_difference` how much less, negative or 0.
    """

    __tablename__ = "rollup_weeks"
    __table_args__ = (Index("idx_rollup_weeks_doctor", "doctor", "week"),)

    week: Mapped[datetime.date] = mapped_column(primary_key=True)
    doctor: Mapped[str] = mapped_column(primary_key=True)
    lieu_de_pratique: Mapped[str] = mapped_column(primary_key=True)
    days: Mapped[Count]
    lines: Mapped[Count]
    lines_in_error: Mapped[Count]
    lines_in_warning: Mapped[Count]
    lines_in_info: Mapped[Count]
    worst_warning: Mapped[Count]
    worst_info: Mapped[Count]
    invoices: Mapped[Count]
    clean_invoices: Mapped[Count]
    at_risk: Mapped[Sum]
    to_repay: Mapped[Sum]
    gain: Mapped[Sum]
    patients: Mapped[Count]
    registered: Mapped[Count]
    registered_paid: Mapped[Count]
    walk_in: Mapped[Count]
    walk_in_paid: Mapped[Count]

    fee_billed: Mapped[Count]
    fee_below: Mapped[Count]
    fee_difference: Mapped[Sum]


class RollupDoctorSpan(Base):
    """A doctor's thirteen weeks at one place, counted from 2001-01-01: sums of his weeks."""

    __tablename__ = "rollup_doctor_spans"

    first: Mapped[datetime.date] = mapped_column(primary_key=True)
    doctor: Mapped[str] = mapped_column(primary_key=True)
    lieu_de_pratique: Mapped[str] = mapped_column(primary_key=True)
    lines: Mapped[Count]
    at_risk: Mapped[Sum]
    patients: Mapped[Count]


class RollupRuleSpan(Base):
    """What a rule found in a week, in thirteen or in fifty-two: at a place or («*») at all, over all doctors («*»).

    Of single doctors there are sums of thirteen weeks, at each of their places. Spans are counted from 2001-01-01.
    `earliest_unpaid` is the first date with money at risk.
    """

    __tablename__ = "rollup_rule_spans"
    __table_args__ = (
        PrimaryKeyConstraint("days", "doctor", "lieu_de_pratique", "first", "rule_id", "severity"),
        CheckConstraint("days IN (7, 91, 364)", name="days"),
        Index(
            "idx_rollup_rule_spans_rule_id",
            *("rule_id", "days", "lieu_de_pratique", "first"),
            postgresql_include=["severity", "results", "lines", "at_risk", "to_repay", "gain"],
            postgresql_where=text("doctor = '*'"),
        ),
        Index(
            "idx_rollup_rule_spans_lieu_de_pratique",
            *("days", "lieu_de_pratique", "first", "rule_id", "severity"),
            postgresql_include=[
                *("results", "lines", "invoices", "amount", "at_risk", "to_repay", "gain"),
                *("acknowledged", "earliest_unpaid"),
            ],
            postgresql_where=text("doctor = '*'"),
        ),
        Index("idx_rollup_rule_spans_first", "days", "first", postgresql_where=text("doctor = '*'")),
        Index("idx_rollup_rule_spans_doctor", "doctor", "rule_id", "first", postgresql_where=text("doctor <> '*'")),
    )

    days: Mapped[int]
    first: Mapped[datetime.date]
    doctor: Mapped[str]
    lieu_de_pratique: Mapped[str]
    rule_id: Mapped[str]
    severity: Mapped[str]
    results: Mapped[Count]
    lines: Mapped[Count]
    invoices: Mapped[Count]
    amount: Mapped[Sum]
    at_risk: Mapped[Sum]
    to_repay: Mapped[Sum]
    gain: Mapped[Sum]
    acknowledged: Mapped[Count]
    earliest_unpaid: Mapped[datetime.date | None]


class RollupDate(Base):
    """Patients of a date over all doctors in force.

    `is_exact` where they are distinct: one run holds the date. Else they are the sum of the doctors' own, in which
    a patient of two doctors counts twice.
    """

    __tablename__ = "rollup_dates"

    date_de_service: Mapped[datetime.date] = mapped_column(primary_key=True)
    doctors: Mapped[Count]
    patients: Mapped[Count]
    registered: Mapped[Count]
    registered_paid: Mapped[Count]
    walk_in: Mapped[Count]
    walk_in_paid: Mapped[Count]
    is_exact: Mapped[bool]


class RollupChange(Base):
    """What a run has beside run number `before`, of a rule or («») of all, in the doctors' days that both hold."""

    __tablename__ = "rollup_changes"
    __table_args__ = (
        goes_with_run(),
        CheckConstraint("status IN ('new', 'fixed', 'persisting', 'rule_changed')", name="status"),
    )

    validation_run_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    rule_id: Mapped[str] = mapped_column(primary_key=True)
    status: Mapped[str] = mapped_column(primary_key=True)
    before: Mapped[int] = mapped_column(BigInteger)
    results: Mapped[Count]
    at_risk: Mapped[Sum]
    to_repay: Mapped[Sum]
    gain: Mapped[Sum]
