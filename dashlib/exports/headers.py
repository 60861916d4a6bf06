"""The header of an export: which of its columns are ours, found by name and never by position."""

import difflib
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from dashlib.errors import Fault
from dashlib.exports.faults import refusal
from dashlib.exports.lines import MAX_COLUMNS, Text
from dashlib.records import COLUMNS, Column


@dataclass(frozen=True)
class Header:
    """The columns of a file: their names as written, and the position of each column of ours among them, from 0."""

    names: list[str]
    positions: dict[str, int]

    def holds(self, position: int) -> bool:
        """Whether the column at this position is one of ours."""
        return position in self.positions.values()

    def column_at(self, position: int | None) -> str | None:
        """Our name of the column at this position, None for a column that we do not hold."""
        return next((name for name, at in self.positions.items() if at == position), None)


def match_header(text: Text) -> tuple[Header, list[Fault]]:
    """Finds our columns by name: case, accents, blanks and signs do not count. The faults are those of the header."""
    names, line = text.names, text.header_line
    found = {
        column.name: [at for at, name in enumerate(names) if _letters(name) == _letters(column.header)]
        for column in COLUMNS
    }
    header = Header(names, {name: at[0] for name, at in found.items() if at})
    if len(names) > MAX_COLUMNS:
        return header, [refusal("DL-HDR-004", found=len(names), limit=MAX_COLUMNS)]
    if not all(field.fits for field in text.grammar.fields(text.header)):
        return header, [refusal("DL-QUOTE-001", [line])]
    if not header.positions:
        return header, [refusal("DL-HDR-001", [line])]
    doubled = [column.header for column in COLUMNS if len(found[column.name]) > 1]
    missing = [column for column in COLUMNS if column.essential and not found[column.name]]
    faults = [refusal("DL-HDR-002", [line], **_named(missing, names))] if missing else []
    faults += [refusal("DL-HDR-003", [line], columns=_listed(doubled))] if doubled else []
    return header, [*faults, *_respelled(header, line)]


def _respelled(header: Header, line: int) -> list[Fault]:
    """Warns of columns whose names differ in more than an accent."""
    other = [
        c.header for c in COLUMNS if c.name in header.positions and not _same(header.names[header.positions[c.name]], c)
    ]
    return [Fault("W-HDR-001", "warning", (line,), facts={"columns": _listed(other)})] if other else []


def _same(name: str, column: Column) -> bool:
    return _without_accents(name) == _without_accents(column.header)


def _named(missing: list[Column], names: list[str]) -> dict[str, str]:
    """The missing columns, and names in the header that look like them: those only, since any other may be a cell."""
    letters = {_letters(name): name for name in names}
    near = [difflib.get_close_matches(_letters(column.header), letters, 1, 0.8) for column in missing]
    return {
        "columns": _listed(c.header for c in missing),
        "near": _listed(letters[match] for [match] in filter(None, near)) or "—",
    }


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"«{name}»" for name in names)


def _without_accents(name: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c)).replace("’", "'")


def _letters(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", _without_accents(name).lower())
