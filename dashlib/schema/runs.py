"""The life of a validation and what it found."""

import datetime
import uuid
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKeyConstraint, Identity, Index, PrimaryKeyConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from dashlib.schema.base import Base, Count, Created, Key, Money, Sum, YesUnlessSaid, goes_with_run


class ValidationRun(Base):
    """One validation of one file: pending, processing, then completed or failed. People call it by its `number`.

    `rules_version`, `reference_version` and `engine_version` say what judged it, `fingerprint_key` with which key its
    fingerprints and pseudonyms were made. Counts are of results (`error_count`, …) or of lines (`lines_in_error`, …);
    `at_risk`, `to_repay` and `gain` are CAD and never netted.
    """

    __tablename__ = "validation_runs"
    __table_args__ = (
        ForeignKeyConstraint(["file_id"], ["files.id"], name="fk_file", ondelete="CASCADE"),
        ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_user", ondelete="CASCADE"),
        CheckConstraint("status IN ('pending', 'processing', 'completed', 'failed')", name="status"),
        CheckConstraint("progress BETWEEN 0 AND 100", name="progress"),
        Index("idx_validation_runs_status", "status"),
        Index("idx_validation_runs_user_id", "user_id"),
        Index("idx_validation_runs_created_at", "created_at"),
        Index("idx_validation_runs_file_id", "file_id"),
    )

    id: Mapped[Key] = mapped_column(primary_key=True)
    file_id: Mapped[uuid.UUID]
    user_id: Mapped[str]
    status: Mapped[str] = mapped_column(server_default=text("'pending'"))
    record_count: Mapped[Count | None]
    error_count: Mapped[Count | None]
    warning_count: Mapped[Count | None]
    progress: Mapped[Count | None]
    created_at: Mapped[Created]
    started_at: Mapped[datetime.datetime | None]
    completed_at: Mapped[datetime.datetime | None]
    error_message: Mapped[str | None]
    phi_redaction_enabled: Mapped[YesUnlessSaid]

    number: Mapped[int] = mapped_column(BigInteger, Identity(always=True), unique=True)
    run_date: Mapped[datetime.date | None]
    error_code: Mapped[str | None]
    info_count: Mapped[Count]
    line_count: Mapped[Count]
    rejected_count: Mapped[Count]
    lines_in_error: Mapped[Count]
    lines_in_warning: Mapped[Count]
    at_risk: Mapped[Sum]
    to_repay: Mapped[Sum]
    gain: Mapped[Sum]
    encoding: Mapped[str | None]
    delimiter: Mapped[str | None]
    rules_version: Mapped[str | None]
    reference_version: Mapped[str | None]
    engine_version: Mapped[str | None]
    fingerprint_key: Mapped[str | None]


class ValidationResult(Base):
    """One thing that a rule found; people call it by its run's number and its own.

    `message` is French; other languages are made from `rule_id` and `details`.

    `doctor` and `patient` are PHI. `related` are the row numbers of the other lines that it is about. `line_mark` tells
    whether its line is still what it was; `at_risk`, `to_repay` and `gain` are CAD, null in results of old versions.
    `lieu_de_pratique`, `id_ramq` and `is_paid` are the line's, which is cleared before its results are.
    """

    __tablename__ = "validation_results"
    __table_args__ = (
        PrimaryKeyConstraint("validation_run_id", "id"),
        goes_with_run(),
        CheckConstraint("severity IN ('error', 'warning', 'info')", name="severity"),
        Index("idx_validation_results_validation_run_id", "validation_run_id"),
        Index("idx_validation_results_severity", "severity"),
        Index("idx_validation_results_number", "validation_run_id", "number"),
        Index("idx_validation_results_fingerprint", "fingerprint"),
        {"postgresql_partition_by": "LIST (validation_run_id)"},
    )

    id: Mapped[Key]
    validation_run_id: Mapped[uuid.UUID]
    rule_id: Mapped[str]
    severity: Mapped[str]
    message: Mapped[str]
    invoice: Mapped[str | None]
    patient: Mapped[str | None]
    code: Mapped[str | None]
    amount: Mapped[Money | None]
    date_service: Mapped[datetime.date | None]
    row_number: Mapped[int | None]
    created_at: Mapped[Created]

    doctor: Mapped[str | None]
    category: Mapped[str | None]
    rule_version: Mapped[int | None]
    fingerprint: Mapped[str | None]
    details: Mapped[dict[str, Any] | None]
    related: Mapped[list[int] | None]

    number: Mapped[int | None]
    line_mark: Mapped[str | None]
    at_risk: Mapped[Money | None]
    to_repay: Mapped[Money | None]
    gain: Mapped[Money | None]

    lieu_de_pratique: Mapped[str | None]
    id_ramq: Mapped[str | None]
    is_paid: Mapped[bool | None]


class ResultAcknowledgement(Base):
    """A result that a person set aside. It holds in all runs of `user_id`, for the line as it was, through `until`.

    `line_mark` tells whether the line is still the same. `note` is a person's own words and counts as PHI. `doctor`, a
    pseudonym, and `date_de_service` tell whose figures follow it; `is_expired` that they have followed its end.
    """

    __tablename__ = "result_acknowledgements"
    __table_args__ = (
        ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_user", ondelete="CASCADE"),
        CheckConstraint("reason IN ('contexte_valide', 'erreur_de_regle', 'accepte', 'autre')", name="reason"),
        Index(
            "idx_result_acknowledgements_standing",
            *("user_id", "fingerprint", "line_mark"),
            unique=True,
            postgresql_where=text("revoked_at IS NULL"),
        ),
        Index(
            "idx_result_acknowledgements_until",
            "until",
            postgresql_where=text("revoked_at IS NULL AND NOT is_expired"),
        ),
    )

    id: Mapped[Key] = mapped_column(primary_key=True)
    user_id: Mapped[str]
    fingerprint: Mapped[str]
    line_mark: Mapped[str]
    rule_id: Mapped[str]
    reason: Mapped[str]
    note: Mapped[str | None]
    author: Mapped[str]
    until: Mapped[datetime.date | None]
    created_at: Mapped[Created]
    revoked_at: Mapped[datetime.datetime | None]
    revoked_by: Mapped[str | None]

    date_de_service: Mapped[datetime.date | None]
    doctor: Mapped[str | None]
    is_expired: Mapped[bool] = mapped_column(server_default=text("false"))


class ValidationLog(Base):
    """What happened in a run, for its owner. Sanitised before it is written."""

    __tablename__ = "validation_logs"
    __table_args__ = (
        goes_with_run(),
        CheckConstraint("level IN ('info', 'warn', 'error', 'debug')", name="level"),
        Index("idx_validation_logs_validation_run_id", "validation_run_id"),
    )

    id: Mapped[Key] = mapped_column(primary_key=True)
    validation_run_id: Mapped[uuid.UUID]
    level: Mapped[str]
    source: Mapped[str]
    message: Mapped[str]
    details: Mapped[dict[str, Any] | None]
    created_at: Mapped[Created]


class RunRule(Base):
    """How many lines a rule looked at in a run, how many it could not judge, and how many results it gave.

    `errors` are those of the results whose severity is error.
    """

    __tablename__ = "run_rules"
    __table_args__ = (goes_with_run(),)

    validation_run_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    rule_id: Mapped[str] = mapped_column(primary_key=True)
    rule_version: Mapped[int]
    lines_checked: Mapped[Count]
    lines_skipped: Mapped[Count]
    results: Mapped[Count]

    errors: Mapped[Count]


class RunLease(Base):
    """Which process works on a run, and how far it is. A row of its own, so that no load ever stops a heartbeat."""

    __tablename__ = "run_leases"
    __table_args__ = (goes_with_run(),)

    validation_run_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    holder: Mapped[str]
    fence: Mapped[int] = mapped_column(BigInteger, server_default=text("1"))
    heartbeat_at: Mapped[datetime.datetime] = mapped_column(server_default=text("clock_timestamp()"))
    progress: Mapped[Count]
    phase: Mapped[str | None]
