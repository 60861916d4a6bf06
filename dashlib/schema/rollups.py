"""What dashboards count, by run, without a patient in it: it stays when the records are cleared.

`doctor` is a pseudonym, `lieu_de_pratique` is '' where the line names none. Money is CAD.
"""

import datetime
import uuid

from sqlalchemy import CheckConstraint, Index
from sqlalchemy.orm import Mapped, mapped_column

from dashlib.schema.base import Base, Count, Sum, goes_with_run


class RollupDay(Base):
    """A doctor's day at one place: lines, invoices, money, distinct patients."""

    __tablename__ = "rollup_days"
    __table_args__ = (goes_with_run(),)

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


class RollupRule(Base):
    """What one rule found in a doctor's day at one place."""

    __tablename__ = "rollup_rules"
    __table_args__ = (
        goes_with_run(),
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
    __table_args__ = (goes_with_run(), Index("idx_rollup_doctor_days_doctor", "doctor", "date_de_service"))

    validation_run_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    date_de_service: Mapped[datetime.date] = mapped_column(primary_key=True)
    doctor: Mapped[str] = mapped_column(primary_key=True)
    patients: Mapped[Count]
    patients_paid: Mapped[Count]
    registered: Mapped[Count]
    registered_paid: Mapped[Count]
    walk_in: Mapped[Count]
    walk_in_paid: Mapped[Count]


class RollupRunDay(Base):
    """A run's day over all doctors: distinct patients again."""

    __tablename__ = "rollup_run_days"
    __table_args__ = (goes_with_run(),)

    validation_run_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    date_de_service: Mapped[datetime.date] = mapped_column(primary_key=True)
    patients: Mapped[Count]
    registered: Mapped[Count]
    walk_in: Mapped[Count]
