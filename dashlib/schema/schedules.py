"""Reports that make themselves: when, and what became of each. The queue's own tables are procrastinate's."""

import datetime
import uuid
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from dashlib.schema.base import Base, Count, Created, Key


class Schedule(Base):
    """A report made again and again for `user_id`: `cron` in `time_zone`, never for a time before `active_since`.

    `options` are place, lang, formats, out (a folder) and mail (addresses).
    """

    __tablename__ = "schedules"
    __table_args__ = (
        ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_user", ondelete="CASCADE"),
        CheckConstraint("kind IN ('weekly', 'monthly')", name="kind"),
    )

    id: Mapped[Key] = mapped_column(primary_key=True)
    user_id: Mapped[str]
    name: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]
    cron: Mapped[str]
    time_zone: Mapped[str] = mapped_column(server_default=text("'America/Toronto'"))
    options: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    enabled: Mapped[bool] = mapped_column(server_default=text("true"))
    active_since: Mapped[datetime.datetime] = mapped_column(server_default=text("clock_timestamp()"))
    created_at: Mapped[Created]
    updated_at: Mapped[Created]


class ReportRun(Base):
    """The report of one period (2025-W26, or 2025-06) of a schedule: each period has one row, and so one report.

    `since` and `until` are its first and last day. `partial` is a report in which sections failed. `mail` tells what
    became of the message, apart from the report: `sending` that whoever sent it was stopped.
    """

    __tablename__ = "report_runs"
    __table_args__ = (
        ForeignKeyConstraint(["schedule_id"], ["schedules.id"], name="fk_schedule", ondelete="CASCADE"),
        CheckConstraint("status IN ('waiting', 'running', 'done', 'partial', 'failed')", name="status"),
        CheckConstraint("mail IN ('none', 'sending', 'sent', 'failed')", name="mail"),
        UniqueConstraint("schedule_id", "period"),
    )

    id: Mapped[Key] = mapped_column(primary_key=True)
    schedule_id: Mapped[uuid.UUID]
    period: Mapped[str]
    since: Mapped[datetime.date]
    until: Mapped[datetime.date]
    status: Mapped[str] = mapped_column(server_default=text("'waiting'"))
    attempts: Mapped[Count]
    created_at: Mapped[Created]
    started_at: Mapped[datetime.datetime | None]
    finished_at: Mapped[datetime.datetime | None]
    paths: Mapped[list[str]] = mapped_column(server_default=text("'{}'"))
    failed_sections: Mapped[list[str]] = mapped_column(server_default=text("'{}'"))
    error_code: Mapped[str | None]
    mail: Mapped[str] = mapped_column(server_default=text("'none'"))
    mail_error: Mapped[str | None]
