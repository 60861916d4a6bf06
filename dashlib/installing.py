"""What comes with dashlib, put into the database: the shipped rulebook and the starter tables.

A newer dashlib brings more and better rules. They come in when it first opens a database: what is missing is added,
what nobody here has changed is superseded, and what somebody changed stays as it is.
"""

import hashlib
import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import polars as pl
import sqlalchemy as sa

from dashlib import shipment, starter
from dashlib.database import Database
from dashlib.edits import rule_data
from dashlib.errors import RuleError
from dashlib.rules import Rule, parse_rules, shipped_rules
from dashlib.schema import (
    AuditEvent,
    Code,
    ContextElement,
    Establishment,
    Holiday,
    Installation,
    ReferenceState,
    RuleEntry,
    RuleVersion,
)

log = logging.getLogger(__name__)

AUTHOR = "dashlib"
STARTER = "starter"


def install(database: Database) -> None:
    """Brings the database to what this dashlib ships; whoever opens one asks `shipment` first whether it is there."""
    with database.connect() as connection:
        # Two first starts at once: the second waits here, and finds everything there.
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext('dashlib.install'))"))
        if not shipment.is_there(connection):
            counts = _install_rules(connection, shipped_rules())
            _install_starter(connection)
            connection.execute(sa.insert(Installation).values(key=shipment.key(), value=str(counts["shipped"])))
            event = {"event": "rules.installed", "kind": "rule", "details": counts}
            connection.execute(sa.insert(AuditEvent).values(event))
        connection.commit()


def _install_rules(connection: sa.Connection, shipped: Sequence[Rule]) -> dict[str, int]:
    kept = latest_versions(connection)
    touched = sa.select(RuleVersion.name).where(RuleVersion.author.is_distinct_from(AUTHOR))
    ours = set(kept) - set(connection.scalars(touched))
    missing = [rule for rule in shipped if rule.name not in kept]
    newer = [rule for rule in shipped if rule.name in kept and not same_rule(kept[rule.name], rule)]
    superseded = [rule for rule in newer if rule.name in ours]
    supersede(connection, [*missing, *superseded], author=AUTHOR, note="shipped")
    if left := len(newer) - len(superseded):
        log.info("rulebook: %d rules that were changed here stay as they are, though dashlib ships others", left)
    return {"shipped": len(shipped), "added": len(missing), "superseded": len(superseded), "left": left}


def latest_versions(connection: sa.Connection) -> dict[str, dict[str, Any]]:
    """Each rule's newest version, as data, by name; `version` is its number."""
    entry = RuleVersion
    versions = sa.select(entry.name, entry.version, entry.rule).order_by(entry.version)
    return {row.name: row.rule | {"version": row.version} for row in connection.execute(versions)}


def same_rule(kept: Mapping[str, Any], rule: Rule) -> bool:
    """Whether a kept version says what the rule says, however it was written; its number aside."""
    try:
        [known] = parse_rules([dict(kept)])
    except RuleError:
        return False  # of another dashlib, whose types were others
    return rule_data(known) | {"version": 1} == rule_data(rule) | {"version": 1}


# What of a rule decides whether a line is reported, and what that counts for; the rest is words about it.
JUDGING = ("condition", "threshold", "severity", "category", "valid_from", "valid_to")


def judge_alike(kept: Mapping[str, Any] | None, other: Mapping[str, Any] | None) -> bool:
    """Whether two kept versions judge alike, whatever they are called and however they were written."""
    if kept is None or other is None:
        return False
    return [canonical(kept).get(part) for part in JUDGING] == [canonical(other).get(part) for part in JUDGING]


def canonical(kept: Mapping[str, Any]) -> Mapping[str, Any]:
    """A kept version as this dashlib would write it; of another dashlib, whose types were others, as it stands."""
    try:
        [known] = parse_rules([{name: value for name, value in kept.items() if value is not None}])
    except RuleError:
        return kept
    return rule_data(known)


def supersede(connection: sa.Connection, rules: Iterable[Rule], *, author: str, note: str) -> list[Rule]:
    """Puts rules in force as the next versions of those that have their names, or as the first; gives them so."""
    given = numbered(connection, rules)
    known = set(connection.scalars(sa.select(RuleEntry.name)))
    data = [rule_data(rule) for rule in given]
    new, old = ([row for row in data if (row["name"] in known) is there] for there in (False, True))
    if new:
        connection.execute(sa.insert(RuleEntry), new)
    if old:
        by_name = sa.update(RuleEntry).where(RuleEntry.name == sa.bindparam("of_name"))
        connection.execute(by_name, [row | {"of_name": row["name"]} for row in old])
    if data:
        kept = {"author": author, "note": note}
        versions = [{"name": row["name"], "version": row["version"], "rule": row} | kept for row in data]
        connection.execute(sa.insert(RuleVersion), versions)
    return given


def numbered(connection: sa.Connection, rules: Iterable[Rule]) -> list[Rule]:
    """Rules with the numbers of the versions that they would become."""
    highest = {name: int(data["version"]) for name, data in latest_versions(connection).items()}
    held = {name: version or 0 for name, version in connection.execute(sa.select(RuleEntry.name, RuleEntry.version))}
    last = {name: max(highest.get(name, 0), held.get(name, 0)) for name in highest.keys() | held}
    return [rule.model_copy(update={"version": last.get(rule.name, 0) + 1}) for rule in rules]


def _install_starter(connection: sa.Connection) -> None:
    """Starter tables where there are none, and in place of an older starter that nobody has touched."""
    tables: dict[str, tuple[Any, pl.DataFrame, bool]] = {
        "codes": (Code, starter.starter_codes(), False),
        "contexts": (ContextElement, starter.starter_contexts(), True),
        "holidays": (Holiday, starter.quebec_holidays(range(2019, 2036)), True),
        "establishments": (Establishment, pl.DataFrame(), False),
    }
    states = {state.table_name: state for state in connection.execute(sa.select(ReferenceState.__table__))}
    for name, (table, rows, trusted) in tables.items():
        version = f"{STARTER}-{_table_digest(rows)[:8]}"
        state = states.get(name)
        if state is not None and (state.version == version or not _is_untouched(connection, table, state)):
            continue
        connection.execute(sa.delete(table))
        if rows.height:
            brought = {"origin": starter.SOURCE} if "origin" in table.__table__.c else {}
            connection.execute(sa.insert(table), [row | brought for row in rows.to_dicts()])
        loaded = {"trusted": trusted, "source": STARTER, "version": version, "rows": rows.height}
        if state is None:
            connection.execute(sa.insert(ReferenceState).values(table_name=name, **loaded))
        else:
            connection.execute(sa.update(ReferenceState).where(ReferenceState.table_name == name).values(loaded))


def _table_digest(rows: pl.DataFrame) -> str:
    return hashlib.sha256(repr(rows.rows()).encode()).hexdigest()


def _is_untouched(connection: sa.Connection, table: Any, state: Any) -> bool:
    """Whether a table still holds the starter as it was put there."""
    if state.source != STARTER or connection.scalar(sa.select(sa.func.count()).select_from(table)) != state.rows:
        return False
    columns = table.__table__.c
    if "updated_at" not in columns:
        return True
    changed = sa.select(sa.func.count()).select_from(table).where(columns.updated_at > columns.created_at)
    return not connection.scalar(changed)
