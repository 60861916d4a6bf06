"""The rules in force and the tables they judge against: as the database holds them, by way of the cache."""

import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from datetime import date, datetime
from typing import Any

import polars as pl
import sqlalchemy as sa

from dashlib import texts
from dashlib.cache import Slot
from dashlib.errors import RuleError
from dashlib.rules import Rule, parse_rules
from dashlib.rules.base import CODES, Reference
from dashlib.schema import (
    Code,
    ContextElement,
    Establishment,
    Holiday,
    ReferenceRevision,
    ReferenceState,
    RuleEntry,
)
from dashlib.workbench import Workbench

HOUR = 3600
# Keys and times are the schema guide's. It has none for holidays: of them each process keeps its own copy.
SLOTS = {
    "codes": Slot("ramq:codes:all", HOUR, CODES),
    "contexts": Slot("ramq:contexts:all", HOUR, {"context": pl.String, "aliases": pl.List(pl.String)}),
    "establishments": Slot("ramq:establishments:all", HOUR, {"code": pl.String, "flags": pl.List(pl.String)}),
    "rules": Slot("validation:rules:all", 24 * HOUR, {"rule": pl.String}),
}
CONTENT = Slot("content", HOUR, {})
HOLIDAYS = Slot("holidays", HOUR, {"date": pl.Date, "applies_to": pl.String, "name": pl.String})

type State = dict[str, tuple[int, bool]]
NEVER_CHANGED = 0  # a table without a revision is empty, as every table is at first
STATE = sa.select(
    sa.func.coalesce(ReferenceRevision.table_name, ReferenceState.table_name),
    sa.func.coalesce(ReferenceRevision.revision, NEVER_CHANGED),
    sa.func.coalesce(ReferenceState.trusted, sa.false()),
).select_from(
    sa.outerjoin(
        ReferenceRevision, ReferenceState, ReferenceRevision.table_name == ReferenceState.table_name, full=True
    )
)


def rules_in_force(wb: Workbench) -> list[Rule]:
    """All active rules, the disabled ones too, by name."""
    slot, revision = SLOTS["rules"], _state(wb)["rules"][0]

    def parsed() -> list[Rule]:
        rows = wb.cache.frame(slot, revision, lambda: _rules(wb))
        return parse_rules([json.loads(rule) for rule in rows["rule"]], origin="rules")

    return list(wb.cache.copy(slot, revision, parsed))


def load(wb: Workbench, run_date: date) -> Reference:
    """The reference tables as rules ask for them, on the day of a run.

    What was removed is not there; rows that are no longer valid are, for an old service is judged by what held then.
    """
    return _load(wb, _state(wb), run_date)


def _load(wb: Workbench, state: State, run_date: date) -> Reference:
    return Reference(
        run_date=run_date,
        codes=_table(wb, "codes", state),
        contexts=_table(wb, "contexts", state),
        establishments=_table(wb, "establishments", state),
        holidays=wb.cache.copy(HOLIDAYS, state["holidays"][0], lambda: _holidays(wb)),
        trusted=frozenset(name for name, (_, trusted) in state.items() if trusted),
    )


def warm(wb: Workbench) -> None:
    """Reads what is cached, so that the first to ask need not wait for the database.

    A rule that cannot be read is told by whatever judges by it; dashboards open all the same.
    """
    with suppress(RuleError):
        rules_in_force(wb)
    load(wb, datetime.now(texts.TORONTO).date())


def changed(wb: Workbench, *tables: str) -> None:
    """Whoever has changed these tables says so, after the commit: what is cached of them is dropped."""
    wb.cache.forget([slot for name, slot in SLOTS.items() if name in tables])


def cached(wb: Workbench) -> dict[str, Any]:
    """What the cache is and holds, as `Cache.status` tells it.

    Of each key also `current`: false where the table has changed since, so that the value is no longer served; null
    where there is none.

    Raises:
        CacheUnavailable: DL-CACHE-001, it does not answer.
    """
    found, state = wb.cache.status(list(SLOTS.values())), _state(wb)
    for key, name in zip(found["keys"], SLOTS, strict=True):
        key["current"] = None if key["revision"] is None else key["revision"] == state[name][0]
    return found


def rules_version(rules: Sequence[Rule]) -> str:
    """A short mark that changes with any rule's version, state or presence."""
    return _mark([(rule.name, rule.version, rule.enabled) for rule in rules])


def reference_version(wb: Workbench) -> str:
    """A short mark of the reference: of its tables' versions, and of all that lines are judged against."""
    state = _state(wb)
    query = sa.select(ReferenceState.table_name, ReferenceState.version).order_by(ReferenceState.table_name)
    versions = wb.frame(query).rows()
    ref = _load(wb, state, date.min)
    content = wb.cache.copy(CONTENT, tuple(sorted(state.items())), lambda: _content(ref))
    return _mark([versions, sorted(ref.trusted), content])


def _content(ref: Reference) -> list[str]:
    frames = (ref.codes, ref.contexts, ref.establishments, ref.holidays)
    return [hashlib.sha256(frame.write_ndjson().encode()).hexdigest() for frame in frames]


def _mark(state: Any) -> str:
    return hashlib.sha256(json.dumps(state, default=str).encode()).hexdigest()[:16]


def _state(wb: Workbench) -> State:
    """The revision of each table just now, and whether it is trusted."""
    with wb.database.connect() as connection:
        known = {name: (revision, trusted) for name, revision, trusted in connection.execute(STATE)}
    return dict.fromkeys((*SLOTS, "holidays"), (NEVER_CHANGED, False)) | known


def _table(wb: Workbench, name: str, state: State) -> pl.DataFrame:
    slot, revision, read = SLOTS[name], state[name][0], READ[name]
    return wb.cache.copy(slot, revision, lambda: wb.cache.frame(slot, revision, lambda: read(wb)))


def _codes(wb: Workbench) -> pl.DataFrame:
    """Of `custom_fields` the indicators, where the manual's page told them."""
    marks = Code.custom_fields["indicators"]
    listed = sa.case((sa.func.jsonb_typeof(marks) == "array", marks.astext)).label("indicators")
    columns = [listed if name == "indicators" else Code.__table__.c[name] for name in CODES]
    # In an order of their own, so that the same rows always give the same results.
    query = sa.select(*columns).where(Code.active.is_(True)).order_by(*columns)
    rows = wb.frame(query).with_columns(pl.col("indicators").cast(pl.String).str.json_decode(pl.List(pl.String)))
    return rows.cast(pl.Schema(CODES))


def _contexts(wb: Workbench) -> pl.DataFrame:
    context = ContextElement
    return wb.frame(
        sa.select(context.context, context.aliases).where(context.active.is_(True)).order_by(context.context)
    )


def _establishments(wb: Workbench) -> pl.DataFrame:
    """Of `custom_fields` what is true: the flags that rules ask for."""
    query = sa.select(Establishment.code, Establishment.custom_fields).where(Establishment.active.is_(True))
    with wb.database.connect() as connection:
        rows = connection.execute(query.order_by(Establishment.code)).all()
    flagged = [(code, sorted(flag for flag, value in (fields or {}).items() if value is True)) for code, fields in rows]
    return pl.DataFrame(flagged, schema=dict(SLOTS["establishments"].schema), orient="row")


def _holidays(wb: Workbench) -> pl.DataFrame:
    return wb.frame(
        sa.select(Holiday.date, Holiday.applies_to, Holiday.name).order_by(Holiday.date, Holiday.applies_to)
    )


def _rules(wb: Workbench) -> pl.DataFrame:
    """Each rule as one JSON text, for a rule is a tree and no row."""
    columns = [RuleEntry.__table__.c[name] for name in Rule.model_fields]
    query = sa.select(*columns).where(RuleEntry.active.is_(True)).order_by(RuleEntry.name)
    with wb.database.connect() as connection:
        rows = connection.execute(query).mappings().all()
    given = ({name: value for name, value in row.items() if value is not None} for row in rows)
    return pl.DataFrame({"rule": [json.dumps(rule, default=str) for rule in given]}, schema={"rule": pl.String})


READ = {"codes": _codes, "contexts": _contexts, "establishments": _establishments}
