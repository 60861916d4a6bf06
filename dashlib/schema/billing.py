"""The files that people bring, and the lines in them: what identifies patients lies here.

Column names are the guide's; `doctor`, `patient`, their names, `raw` and a file's names and path are PHI.
"""

import datetime
import uuid

from sqlalchemy import BigInteger, ForeignKeyConstraint, Index, PrimaryKeyConstraint, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from dashlib.schema.base import Base, Created, Key, Money, goes_with_run


class File(Base):
    """A file as it was brought. The row stays when the file is gone (`deleted_at`)."""

    __tablename__ = "files"
    __table_args__ = (
        ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_user", ondelete="CASCADE"),
        Index("idx_files_user_id", "user_id"),
        Index("idx_files_uploaded_at", "uploaded_at"),
    )

    id: Mapped[Key] = mapped_column(primary_key=True)
    user_id: Mapped[str]
    filename: Mapped[str]
    original_filename: Mapped[str]
    size: Mapped[int] = mapped_column(BigInteger)  # bytes
    mime_type: Mapped[str] = mapped_column(server_default=text("'text/csv'"))
    path: Mapped[str]
    uploaded_at: Mapped[Created]
    deleted_at: Mapped[datetime.datetime | None]
    sha256: Mapped[str | None]


class BillingRecord(Base):
    """One line of an export that can be judged. Kept for a while, then cleared with its whole table."""

    __tablename__ = "billing_records"
    __table_args__ = (
        PrimaryKeyConstraint("validation_run_id", "id"),
        goes_with_run(),
        UniqueConstraint("validation_run_id", "row_number"),
        Index("idx_billing_records_validation_run_id", "validation_run_id"),
        Index("idx_billing_records_patient", "patient"),
        Index("idx_billing_records_date_service", "date_de_service"),
        {"postgresql_partition_by": "LIST (validation_run_id)"},
    )

    id: Mapped[Key]
    validation_run_id: Mapped[uuid.UUID]
    row_number: Mapped[int]
    facture: Mapped[str | None]
    id_ramq: Mapped[str | None]
    date_de_service: Mapped[datetime.date]
    debut: Mapped[datetime.time | None]
    fin: Mapped[datetime.time | None]
    lieu_de_pratique: Mapped[str | None]
    secteur_activite: Mapped[str | None]
    diagnostic: Mapped[str | None]
    code: Mapped[str]
    unites: Mapped[str | None]
    role: Mapped[str | None]
    element_de_contexte: Mapped[str | None]
    montant_preliminaire: Mapped[Money | None]
    montant_paye: Mapped[Money | None]
    doctor: Mapped[str | None]  # licence number, else the exported text
    patient: Mapped[str | None]  # the NAM when it is whole, else the exported text
    created_at: Mapped[Created]

    periode: Mapped[str | None]
    doctor_name: Mapped[str | None]
    patient_name: Mapped[str | None]
    debut_illisible: Mapped[str | None]  # what stood there when it was no time
    fin_illisible: Mapped[str | None]


class RejectedRecord(Base):
    """One line of an export that could not become a record, and why. `line_number` counts the file's physical lines."""

    __tablename__ = "rejected_records"
    __table_args__ = (
        PrimaryKeyConstraint("validation_run_id", "id"),
        goes_with_run(),
        Index("idx_rejected_records_validation_run_id", "validation_run_id"),
        {"postgresql_partition_by": "LIST (validation_run_id)"},
    )

    id: Mapped[Key]
    validation_run_id: Mapped[uuid.UUID]
    row_number: Mapped[int | None]
    line_number: Mapped[int]
    error_code: Mapped[str]
    column_name: Mapped[str | None]
    raw: Mapped[str | None]
    created_at: Mapped[Created]
