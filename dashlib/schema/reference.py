"""What is published, and the rules in force."""

import datetime
from decimal import Decimal
from typing import Annotated, Any

from sqlalchemy import BigInteger, CheckConstraint, Index, Integer, Numeric, text
from sqlalchemy.orm import Mapped, mapped_column

from dashlib.schema.base import Base, Created, Key, Money, YesUnlessSaid

Origin = Annotated[str, mapped_column(server_default=text("'Saisie'"))]
"""Who brought a row: the starter, a list, or somebody by hand. Of codes their `source` says it."""


class Code(Base):
    """One published row of a billing code. A code has several: by place, role, kind and validity.

    `code` is five digits. `leaf`, `level1_group` and `section` are the titles that it stands under, `units` its base
    units, `cap` the most that may be paid, `anchor` its place in the manual. Not `trusted`: only of the starter, or in
    doubt.
    """

    __tablename__ = "codes"
    __table_args__ = (
        CheckConstraint("valid_to >= valid_from", name="validity"),
        Index("idx_codes_code", "code"),
        Index("idx_codes_description_gin", text("to_tsvector('french_unaccent', description)"), postgresql_using="gin"),
    )

    id: Mapped[Key] = mapped_column(primary_key=True)
    code: Mapped[str]
    description: Mapped[str]
    tariff_value: Mapped[Money | None]
    place: Mapped[str | None]
    level_groups: Mapped[str | None]
    active: Mapped[YesUnlessSaid]
    custom_fields: Mapped[dict[str, Any] | None]
    created_at: Mapped[Created]
    updated_at: Mapped[Created]
    section: Mapped[str | None]
    level1_group: Mapped[str | None]
    leaf: Mapped[str | None]
    role: Mapped[str | None]
    kind: Mapped[str | None]
    units: Mapped[Decimal | None] = mapped_column(Numeric(10, 2))
    cap: Mapped[Money | None]
    valid_from: Mapped[datetime.date | None]
    valid_to: Mapped[datetime.date | None]
    source: Mapped[str | None]
    anchor: Mapped[str | None]
    trusted: Mapped[bool] = mapped_column(server_default=text("true"))


class ContextElement(Base):
    """A word that a line may carry to say how the service was given: walk-in, after hours."""

    __tablename__ = "contexts"

    id: Mapped[Key] = mapped_column(primary_key=True)
    context: Mapped[str] = mapped_column(unique=True)
    description: Mapped[str]
    active: Mapped[YesUnlessSaid]
    custom_fields: Mapped[dict[str, Any] | None]
    created_at: Mapped[Created]
    updated_at: Mapped[Created]
    aliases: Mapped[list[str]] = mapped_column(server_default=text("'{}'"))
    kind: Mapped[str | None]
    source: Mapped[str | None]
    origin: Mapped[Origin]


class Establishment(Base):
    """A place of practice. What the rules ask of it (flags) is in `custom_fields`."""

    __tablename__ = "establishments"

    id: Mapped[Key] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    city: Mapped[str | None]
    region: Mapped[str | None]
    active: Mapped[YesUnlessSaid]
    custom_fields: Mapped[dict[str, Any] | None]
    created_at: Mapped[Created]
    updated_at: Mapped[Created]
    origin: Mapped[Origin]


class RuleEntry(Base):
    """A rule in force, as data; `dashlib.rules` gives it its meaning. Results name it by `name`."""

    __tablename__ = "rules"
    __table_args__ = (
        CheckConstraint("severity IN ('error', 'warning', 'info')", name="severity"),
        Index("idx_rules_enabled", "enabled"),
    )

    id: Mapped[Key] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    category: Mapped[str]
    condition: Mapped[dict[str, Any]]
    threshold: Mapped[Money | None]
    enabled: Mapped[YesUnlessSaid]
    version: Mapped[int | None] = mapped_column(server_default=text("1"))
    created_at: Mapped[Created]
    updated_at: Mapped[Created]
    active: Mapped[YesUnlessSaid]
    severity: Mapped[str] = mapped_column(server_default=text("'error'"))
    label: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    message: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    solution: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    source: Mapped[str | None]
    confidence: Mapped[str | None]
    valid_from: Mapped[datetime.date | None]
    valid_to: Mapped[datetime.date | None]


class RuleVersion(Base):
    """A rule as it once was: rules are superseded, never edited, so that old runs stay explainable."""

    __tablename__ = "rule_versions"

    name: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(Integer, primary_key=True)
    rule: Mapped[dict[str, Any]]
    author: Mapped[str | None]
    note: Mapped[str | None]
    created_at: Mapped[Created]


class Holiday(Base):
    """A day on which other hours and tariffs hold, for those whom `applies_to` names."""

    __tablename__ = "holidays"

    date: Mapped[datetime.date] = mapped_column(primary_key=True)
    applies_to: Mapped[str] = mapped_column(primary_key=True, server_default=text("'all'"))
    name: Mapped[str]
    origin: Mapped[Origin]


class ReferenceState(Base):
    """Which version of a reference table is loaded, from where, and whether it is complete enough to be trusted."""

    __tablename__ = "reference_state"

    table_name: Mapped[str] = mapped_column(primary_key=True)
    trusted: Mapped[bool] = mapped_column(server_default=text("false"))
    source: Mapped[str | None]
    version: Mapped[str | None]
    rows: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    updated_at: Mapped[Created]


class ReferenceRevision(Base):
    """How a cached copy knows that it is out of date: another number with every change, whoever makes it.

    A trigger sets `revision` in the transaction that changes the table; a number never comes back.
    """

    __tablename__ = "reference_revisions"

    table_name: Mapped[str] = mapped_column(primary_key=True)
    revision: Mapped[int] = mapped_column(BigInteger)
