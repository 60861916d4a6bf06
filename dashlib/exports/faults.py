"""The faults of a file as a whole, and what the sentence of any fault may say."""

from collections.abc import Iterable

from dashlib.errors import ExportRefused, Fact, Fault
from dashlib.records import COLUMNS

SHOWN = 20  # lines named for each fault; its count says how many there are
HEADERS = {column.name: column.header for column in COLUMNS}
"""What a message calls our columns: as exporters label them."""


def refusal(code: str, lines: Iterable[int] = (), **facts: Fact) -> Fault:
    """A fault of the file as a whole, with the lines where it shows."""
    at = list(lines)
    return Fault(code, "refused", tuple(at[:SHOWN]), max(1, len(at)), facts=facts)


def facts_of(fault: Fault) -> dict[str, Fact]:
    """What the sentence of a fault may say: its lines, how many they are, its column, and its own facts."""
    lines = ", ".join(map(str, fault.lines)) + (f", … ({fault.count})" if fault.count > len(fault.lines) > 0 else "")
    column: dict[str, Fact] = {"column": HEADERS[fault.column]} if fault.column else {}
    return {"lines": lines, "count": fault.count, **column, **fault.facts}


def refuse(faults: Iterable[Fault]) -> None:
    """Refuses the file when one of these faults does, and says them all; else does nothing.

    Raises:
        ExportRefused: with the code of the first that refuses, which stands first in `faults`.
    """
    found = sorted(faults, key=lambda fault: fault.level != "refused")
    if found and found[0].level == "refused":
        raise ExportRefused(found[0].code, found, **facts_of(found[0]))
