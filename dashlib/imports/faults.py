"""Why a reference file is refused, and why a row of one is set aside or doubted."""

from collections.abc import Iterable, Sequence
from typing import Literal

import polars as pl

from dashlib.errors import Fact, Fault, RuleError

SHOWN = 20  # lines named for each fault

Reason = Literal[
    "code",
    "amount",
    "place",
    "paragraph",
    "glued",
    "implausible",
    "brochure",
    "contradictory",
    "unreadable",
    "crowded",
    "elsewhere",
    "no_code",
    "yours",
    "manual",
    "better",
    "repeated",
]
"""Why a row is refused, suspect or passed over; the sentence of each is `reference.reason.<reason>` in the texts."""

DOUBTED: dict[str, pl.DataType | type[pl.DataType]] = {
    "line": pl.Int64,
    "code": pl.String,
    "place": pl.String,
    "tariff_value": pl.Decimal(10, 2),
    "reason": pl.String,
}
"""Rows refused, suspect or passed over: the line of the file, what it says, and a Reason; a row can have several."""


class ReferenceRefused(RuleError):
    """A reference file that is refused whole; `faults` are all that was found, the reason first."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        first = faults[0]
        super().__init__(first.code, **facts_of(first))
        self.faults = tuple(Fault(f.code, f.level, f.lines, f.count, facts=facts_of(f)) for f in faults)


def fault(code: str, lines: Iterable[int] = (), **facts: Fact) -> Fault:
    """A fault with the first lines where it stands, and how many there are."""
    at = list(lines)
    return Fault(code, "refused", tuple(at[:SHOWN]), max(1, len(at)), facts=facts)


def facts_of(found: Fault) -> dict[str, Fact]:
    """What the sentence of a fault may say: its lines, how many, and its own facts."""
    more = f", … ({found.count})" if found.count > len(found.lines) > 0 else ""
    return {"lines": ", ".join(map(str, found.lines)) + more, "count": found.count, **found.facts}


def refuse(faults: Sequence[Fault]) -> None:
    """Refuses the file when there is a fault at all.

    Raises:
        ReferenceRefused: with every fault.
    """
    if faults:
        raise ReferenceRefused(faults)
