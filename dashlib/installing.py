"""What a database without rules and reference is given first: the shipped rulebook and the starter tables."""

from collections.abc import Sequence
from typing import Any

import polars as pl
import sqlalchemy as sa

from dashlib import starter
from dashlib.database import Database
from dashlib.rules import Rule, shipped_rules
from dashlib.schema import Code, ContextElement, Establishment, Holiday, ReferenceState, RuleEntry, RuleVersion


def install(database: Database) -> None:
    """Puts the shipped rules and the starter reference into a database that has none.

    What a user imports later replaces the starter; what he changed is never overwritten.
    """
    with database.connect() as connection:
        if connection.scalar(sa.select(sa.func.count()).select_from(RuleEntry)):
            return
        # Two first starts at once: the second waits here, and finds the rules there.
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext('dashlib.install'))"))
        if not connection.scalar(sa.select(sa.func.count()).select_from(RuleEntry)):
            _install_rules(connection, shipped_rules())
            _install_starter(connection)
        connection.commit()


def _install_rules(connection: sa.Connection, rules: Sequence[Rule]) -> None:
    rows = [_row(rule) for rule in rules]
    connection.execute(sa.insert(RuleEntry), rows)
    versions = [
        {"name": r["name"], "version": r["version"], "rule": r, "author": "dashlib", "note": "shipped"} for r in rows
    ]
    connection.execute(sa.insert(RuleVersion), versions)


def _row(rule: Rule) -> dict[str, Any]:
    """A rule as it is kept: its condition as it was written, without what it leaves to the type's defaults."""
    return rule.model_dump(mode="json") | {"condition": rule.condition.model_dump(mode="json", exclude_defaults=True)}


def _install_starter(connection: sa.Connection) -> None:
    tables = {
        "codes": (Code, starter.starter_codes(), False),
        "contexts": (ContextElement, starter.starter_contexts(), True),
        "holidays": (Holiday, starter.quebec_holidays(range(2019, 2036)), True),
        "establishments": (Establishment, pl.DataFrame(), False),
    }
    for name, (table, rows, trusted) in tables.items():
        if rows.height:
            connection.execute(sa.insert(table), rows.to_dicts())
        state = {
            "table_name": name,
            "trusted": trusted,
            "source": "starter",
            "version": "starter-1",
            "rows": rows.height,
        }
        connection.execute(sa.insert(ReferenceState).values(state))
