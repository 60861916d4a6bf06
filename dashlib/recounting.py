"""Figures that follow what people set aside: the doctors' days concerned are counted again where lines are kept.

`recount` is the database's own function: whoever opens a page may ask for it, and sees no line.
"""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa

from dashlib import texts
from dashlib.schema import ResultAcknowledgement
from dashlib.workbench import Workbench

ASIDE = ResultAcknowledgement


def today() -> date:
    """The day in the offices."""
    return datetime.now(texts.TORONTO).date()


def recount(connection: sa.Connection, acknowledgements: Sequence[UUID], day: date) -> int:
    """Counts again, in this transaction, the doctors' days on which these stand or stood; gives how many.

    In every completed run of their owner that holds the day. Where the lines of a run were cleared its figures stay as
    they were counted last.
    """
    if not acknowledgements:
        return 0
    query = sa.select(sa.func.recount(sa.cast(list(acknowledgements), sa.ARRAY(sa.Uuid)), day))
    return int(connection.scalar(query) or 0)


def recount_expired(wb: Workbench, day: date | None = None) -> int:
    """Counts again what came back because its last day has passed; gives how many doctors' days. Mostly there is none.

    The worker calls it each day, and a page when it is opened.

    Args:
        day: as of which; today by default.
    """
    day = day or today()
    query = sa.select(ASIDE.id).where(ASIDE.until < day, ASIDE.revoked_at.is_(None), ~ASIDE.is_expired)
    with wb.database.connect() as connection:
        due = connection.execute(query).scalars().all()
        return recount(connection, due, day)
