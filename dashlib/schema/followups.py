"""What clerks did with results."""

import datetime

from sqlalchemy import ForeignKeyConstraint
from sqlalchemy.orm import Mapped, mapped_column

from dashlib.schema.base import Base, Created


class ResultFollowup(Base):
    """What a clerk said last of a result: whether it is done, and a note. It holds in all runs of `user_id`.

    `note` is a person's own words and counts as PHI. `said_at` is when the workbook that says so was saved, and
    `created_at` when it was read.
    """

    __tablename__ = "result_followups"
    __table_args__ = (ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_user", ondelete="CASCADE"),)

    user_id: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[str] = mapped_column(primary_key=True)
    done: Mapped[bool]
    note: Mapped[str | None]
    author: Mapped[str]
    said_at: Mapped[datetime.datetime]
    created_at: Mapped[Created]
