"""Why a rule is refused, in words of both languages: what a type asks of its parameters, and what a field can hold.

A reason is a key of the texts, filled in with names of parameters, bounds and choices; never with what was written.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic_core import ErrorDetails, PydanticCustomError

from dashlib import texts
from dashlib.texts import Phrase, Phrases

REASONS = "reasons"
# What pydantic tells of a fault beside its kind, and what it never quotes from the input: bounds, and choices.
BOUNDS = ("gt", "ge", "lt", "le", "multiple_of", "min_length", "max_length", "max_digits", "decimal_places", "pattern")
CHOICES = ("expected", "expected_tags")


def reason(field: str, kind: str, /, **facts: object) -> Phrase:
    """What is wrong with a parameter: a key behind `rule.fault.` and its facts."""
    return Phrase(f"rule.fault.{kind}", {"field": field, **facts})


def at(where: str, why: Phrase | Phrases) -> Phrase:
    """A reason behind the place that it is about."""
    return Phrase("rule.fault", {"where": where, "why": why})


def refuse(kind: str, faults: Sequence[tuple[bool, Phrase]]) -> None:
    """Refuses a parameter or a condition for all its faults at once."""
    if reasons := tuple(why for fault, why in faults if fault):
        raise PydanticCustomError(kind, "refused", {REASONS: reasons})


def reasons_of(error: ErrorDetails) -> Sequence[Phrase]:
    """What pydantic says of a field, or what `refuse` said."""
    told: Mapping[str, Any] = error.get("ctx", {})
    if REASONS in told:
        return tuple(told[REASONS])
    bounds = {name: str(told[name]) for name in BOUNDS if name in told}
    # Choices come as «'a', 'b' or 'c'».
    choices = {name: ", ".join(re.findall("'([^']*)'", str(told[name]))) for name in CHOICES if name in told}
    key = f"rule.pydantic.{error['type']}"
    return (Phrase(key if key in texts.words("fr") else "rule.pydantic.unknown", bounds | choices),)
