"""Reference files that users bring: bytes in, rows of a reference table out, with what is refused or in doubt.

A file is refused whole with all its faults, or taken; what is in doubt is taken untrusted and said. Nothing here knows
a database.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import polars as pl

from dashlib.errors import RuleError
from dashlib.exports import shown_name
from dashlib.imports.cells import read_cells
from dashlib.imports.codes import count_by, manual_rows
from dashlib.imports.faults import DOUBTED, ReferenceRefused
from dashlib.imports.gate import page_text, read_file, table_text
from dashlib.imports.manual import read_tariffs
from dashlib.imports.page import MANUAL, read_page
from dashlib.imports.scraped import COLUMNS as SCRAPED
from dashlib.imports.scraped import read_scraped
from dashlib.imports.tables import FORMS, read_table

__all__ = [
    "BROCHURE",
    "FORMS",
    "KINDS",
    "LIST",
    "MANUAL",
    "SCRAPED_TABLE",
    "Imported",
    "ReferenceRefused",
    "count_by",
    "read_reference",
    "read_rules",
]

LIST = "Liste importée"
"""The source of rows that a list brought which names none itself."""
SCRAPED_TABLE = "Table extraite du manuel"
BROCHURE = f"{SCRAPED_TABLE} (brochure)"

type Form = Literal["page", "scraped", "list"]


@dataclass(frozen=True)
class Imported:
    """What a file holds: `rows` of `table`, with their line; `refused` and `suspects` (DOUBTED); rows `read`.

    `dated` tells whether the file says from when to when its rows hold; `sources` what its rows say that they are from;
    `form` whether it is the manual's page, the table that others scraped from it, or a list.
    """

    table: str
    rows: pl.DataFrame = field(repr=False)
    read: int
    sha256: str
    source: str
    form: Form = "list"
    dated: bool = False
    refused: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=DOUBTED), repr=False)
    suspects: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=DOUBTED), repr=False)

    @property
    def sources(self) -> list[str]:
        return self.rows["source"].drop_nulls().unique().to_list() if "source" in self.rows.columns else []


def read_reference(path: Path, kind: str) -> Imported:
    """What a reference file holds.

    Raises:
        NotFound: there is no such file.
        RuleError: it is refused; `faults`, where it has them, are all that was found.
    """
    with _naming(path):
        return KINDS[kind](read_file(path, kind))


def read_rules(path: Path) -> list[dict[str, Any]]:
    """The rules of a JSON file, a list of them or a single one, as they are written.

    Raises:
        RuleError: DL-REF-040, it is not JSON, or holds no rules; else as read_reference.
    """
    with _naming(path):
        return _rules(table_text(read_file(path, "rules")))


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Whatever is refused inside says of which file."""
    try:
        yield
    except RuleError as refused:
        for facts in (refused.facts, *(fault.facts for fault in getattr(refused, "faults", ()))):
            facts.setdefault("file", shown_name(path))
        raise


def _rules(text: str) -> list[dict[str, Any]]:
    try:
        rules = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RuleError("DL-REF-040", line=getattr(error, "lineno", 1)) from None
    found = rules if isinstance(rules, list) else [rules]
    if not found or not all(isinstance(rule, dict) for rule in found):
        raise RuleError("DL-REF-040", line=1)
    return found


def _manual(data: bytes) -> Imported:
    reading = read_tariffs(read_page(page_text(data)))
    if not reading.tariffs:
        raise RuleError("DL-REF-013")
    rows, suspects = manual_rows(reading, MANUAL)
    return Imported("codes", rows, reading.coded_rows, _mark(data), MANUAL, "page", suspects=suspects)


def _codes(data: bytes) -> Imported:
    cells = read_cells(table_text(data))
    if set(SCRAPED) <= set(cells.columns):
        rows, refused, suspects = read_scraped(cells, SCRAPED_TABLE, BROCHURE)
        imported = Imported("codes", rows, cells.height, _mark(data), SCRAPED_TABLE, "scraped")
        return replace(imported, refused=refused, suspects=suspects)
    rows = read_table(cells, "codes").with_columns(pl.col("source").fill_null(LIST))
    source = rows["source"].mode().sort().first()
    return Imported("codes", rows, cells.height, _mark(data), str(source), dated="valid_from" in cells.columns)


def _table(table: str) -> Callable[[bytes], Imported]:
    def read(data: bytes) -> Imported:
        cells = read_cells(table_text(data))
        return Imported(table, read_table(cells, table), cells.height, _mark(data), LIST)

    return read


def _mark(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


KINDS: dict[str, Callable[[bytes], Imported]] = {
    "manual": _manual,
    "codes": _codes,
    "contexts": _table("contexts"),
    "establishments": _table("establishments"),
    "holidays": _table("holidays"),
}
"""Kinds of file and who reads them; rules are read by `read_rules`."""
