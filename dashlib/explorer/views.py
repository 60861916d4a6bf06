"""Questions that a person keeps by a name of his own: without a run, so that they can be asked of the next one."""

from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from dashlib.cards import without_cards
from dashlib.errors import NotFound, UsageError
from dashlib.explorer.query import Query, Word
from dashlib.schema import SavedView
from dashlib.workbench import Workbench

LONGEST = 60


def list_views(wb: Workbench) -> dict[str, str]:
    """The names of the viewer's own views by their ids, in the order of the alphabet."""
    query = sa.select(sa.cast(SavedView.id, sa.Text), SavedView.name).where(SavedView.user_id == wb.viewer.id)
    with wb.database.connect() as connection:
        found = [tuple(row) for row in connection.execute(query)]
    return {str(view): str(name) for view, name in sorted(found, key=lambda row: row[1].casefold())}


def save_view(wb: Workbench, name: str, query: Query, word: Word) -> str:
    """Keeps a question by a name, in place of the one that had it; gives its id.

    Raises:
        UsageError: DL-VIEW-001, it has no name, or a long one; DL-VIEW-002, the word searched is none of a rule, of a
            number or of a pseudonym: whoever is called by it may not stand in a view.
    """
    name = without_cards(name.strip())
    if not 0 < len(name) <= LONGEST:
        raise UsageError("DL-VIEW-001", most=LONGEST)
    if query.word and word.is_empty:
        raise UsageError("DL-VIEW-002")
    kept: dict[str, Any] = {"user_id": wb.viewer.id, "name": name, "query": query.kept()}
    again = {"query": kept["query"]}
    saving = insert(SavedView).values(kept).on_conflict_do_update(index_elements=["user_id", "name"], set_=again)
    with wb.database.connect() as connection:
        return str(connection.scalar(saving.returning(SavedView.id)))


def open_view(wb: Workbench, view: str, query: Query) -> Query:
    """The question of a view of the viewer's own, of the runs of `query`.

    Raises:
        NotFound: DL-VIEW-404, it is not there, or another's.
    """
    with wb.database.connect() as connection:
        kept = connection.scalar(sa.select(SavedView.query).where(*_own(wb, view)))
    if kept is None:
        raise NotFound("DL-VIEW-404")
    return query.opened(kept)


def delete_view(wb: Workbench, view: str) -> None:
    """Takes a view away.

    Raises:
        NotFound: DL-VIEW-404, it is not there, or another's.
    """
    with wb.database.connect() as connection:
        if not connection.execute(sa.delete(SavedView).where(*_own(wb, view))).rowcount:
            raise NotFound("DL-VIEW-404")


def _own(wb: Workbench, view: str) -> tuple[sa.ColumnElement[bool], ...]:
    try:
        return SavedView.id == UUID(view), SavedView.user_id == wb.viewer.id
    except ValueError:
        raise NotFound("DL-VIEW-404") from None
