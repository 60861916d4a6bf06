"""The rules in force and the tables they judge against, as the database holds them."""

import hashlib
import json
from collections.abc import Sequence
from datetime import date
from typing import Any

import polars as pl
import sqlalchemy as sa

from dashlib.rules import Rule, parse_rules
from dashlib.rules.base import Reference
from dashlib.schema import Code, ContextElement, Establishment, Holiday, ReferenceState, RuleEntry
from dashlib.workbench import Workbench


def rules_in_force(wb: Workbench) -> list[Rule]:
    """All active rules, the disabled ones too, by name."""
    columns = [RuleEntry.__table__.c[name] for name in Rule.model_fields]
    with wb.database.connect() as connection:
        rows = (
            connection.execute(sa.select(*columns).where(RuleEntry.active.is_(True)).order_by(RuleEntry.name))
            .mappings()
            .all()
        )
    return parse_rules([_given(row) for row in rows], origin="rules")


def _given(row: Any) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value is not None}


def load(wb: Workbench, run_date: date) -> Reference:
    """The reference tables as rules ask for them, on the day of a run."""
    return Reference(
        run_date=run_date,
        codes=wb.frame(
            sa.select(Code.code, Code.place, Code.tariff_value, Code.leaf, Code.section, Code.level1_group).where(
                Code.active.is_(True)
            )
        ),
        contexts=wb.frame(
            sa.select(ContextElement.context, ContextElement.aliases).where(ContextElement.active.is_(True))
        ),
        establishments=_establishments(wb),
        holidays=wb.frame(sa.select(Holiday.date).distinct()),
        trusted=frozenset(wb.frame(sa.select(ReferenceState.table_name).where(ReferenceState.trusted))["table_name"]),
    )


def _establishments(wb: Workbench) -> pl.DataFrame:
    with wb.database.connect() as connection:
        rows = connection.execute(
            sa.select(Establishment.code, Establishment.custom_fields).where(Establishment.active.is_(True))
        ).all()
    flagged = [(code, [flag for flag, value in (fields or {}).items() if value is True]) for code, fields in rows]
    return pl.DataFrame(flagged, schema={"code": pl.String, "flags": pl.List(pl.String)}, orient="row")


def rules_version(rules: Sequence[Rule]) -> str:
    """A short mark that changes with any rule's version, state or presence."""
    return _mark([(rule.name, rule.version, rule.enabled) for rule in rules])


def reference_version(wb: Workbench) -> str:
    """A short mark that changes when a reference table is loaded anew."""
    state = sa.select(ReferenceState.table_name, ReferenceState.version).order_by(ReferenceState.table_name)
    return _mark(wb.frame(state).rows())


def _mark(state: Any) -> str:
    return hashlib.sha256(json.dumps(state, default=str).encode()).hexdigest()[:16]
