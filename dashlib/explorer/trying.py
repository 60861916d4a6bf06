"""Corrections that somebody tries out in a session, and the sheet they make; nothing stored is changed. Pure."""

import io
from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from dashlib.cards import without_cards
from dashlib.corrections import EMPTIED

EDITABLE = ("code", "unites", "element_de_contexte", "debut", "fin", "role")
"""What a clerk may correct on a line; who it is about is not tried out here."""

type Edits = dict[int, dict[str, str]]


@dataclass
class Trial:
    """Corrected cells by line and column, as they are typed, in the order of the lines."""

    edits: Edits = field(default_factory=dict)

    def put(self, row: int, column: str, typed: str, stands: str) -> None:
        """Takes a typed cell up; what stands there anyway is no correction."""
        said = without_cards(typed.strip())
        cells = self.edits.setdefault(row, {})
        if column in EDITABLE and said != stands:
            cells[column] = said or EMPTIED
        else:
            cells.pop(column, None)
        if not cells:
            del self.edits[row]

    def cell(self, row: int, column: str, stands: str) -> str:
        """What a cell of the form shows."""
        said = self.edits.get(row, {}).get(column, stands)
        return "" if said == EMPTIED else said

    @property
    def corrections(self) -> Mapping[int, Mapping[str, str]]:
        return self.edits

    def sheet(self) -> bytes:
        """A sheet of corrections as `dashlib whatif --edits` reads it: an absent cell stays, «-» empties it."""
        columns = [name for name in EDITABLE if any(name in cells for cells in self.edits.values())]
        rows = [[row, *(cells.get(name) for name in columns)] for row, cells in sorted(self.edits.items())]
        schema = {"row_number": pl.Int64, **dict.fromkeys(columns, pl.String)}
        out = io.BytesIO()
        pl.DataFrame(rows, schema=schema, orient="row").write_csv(out, separator=";", include_bom=True)
        return out.getvalue()
