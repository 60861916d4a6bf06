"""Who uses dashlib, what was done by whom, and what this installation remembers of itself."""

import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKeyConstraint,
    Identity,
    LargeBinary,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from dashlib.schema.base import Base, Created, Key


class User(Base):
    """A person. The first one is admin, whoever comes later waits as pending."""

    __tablename__ = "users"
    __table_args__ = (CheckConstraint("role IN ('pending', 'viewer', 'editor', 'admin')", name="role"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str | None]
    role: Mapped[str] = mapped_column(server_default=text("'pending'"))
    created_at: Mapped[Created]
    updated_at: Mapped[Created]
    last_login: Mapped[datetime.datetime | None]


class SavedView(Base):
    """A view of the explorer that a person keeps by a name; its `query` holds pseudonyms, never identities."""

    __tablename__ = "saved_views"
    __table_args__ = (
        UniqueConstraint("user_id", "name"),
        ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_user", ondelete="CASCADE"),
    )

    id: Mapped[Key] = mapped_column(primary_key=True)
    user_id: Mapped[str]
    name: Mapped[str]
    query: Mapped[dict[str, Any]]
    created_at: Mapped[Created]
    updated_at: Mapped[Created]


class AuditEvent(Base):
    """One line of who did what to which id. Lines are never changed; each carries the hash of the one before.

    `id` (without gaps), `at`, `actor` and both hashes are set by the database, whatever an insert says. No foreign key:
    the line outlives what it speaks of. `details` hold ids and counts, nothing of a patient.
    """

    __tablename__ = "audit_events"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    at: Mapped[datetime.datetime] = mapped_column(server_default=text("clock_timestamp()"))
    actor: Mapped[str] = mapped_column(server_default=text("''"))
    event: Mapped[str]
    kind: Mapped[str | None]
    target_id: Mapped[str | None]
    details: Mapped[dict[str, Any] | None]
    prev_hash: Mapped[bytes | None] = mapped_column(LargeBinary)
    row_hash: Mapped[bytes] = mapped_column(LargeBinary, server_default=text("''"))


class Installation(Base):
    """What this installation must find again: the check value of its key, for instance."""

    __tablename__ = "installation"

    key: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str]
