"""How a rule is called where people read."""

from typing import Any

import sqlalchemy as sa

from dashlib.schema import RuleEntry


def label_of(rule_id: sa.ColumnElement[Any], lang: str) -> sa.ColumnElement[Any]:
    """A rule's label in `lang`, else in French, else its name; of a query joined with RuleEntry."""
    labels = [RuleEntry.label[spoken].astext for spoken in (lang, "fr")]
    return sa.func.coalesce(*labels, rule_id, type_=sa.Text).label("label")
