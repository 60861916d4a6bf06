"""Tables of text: as wide as the terminal, with titles and severities in words."""

import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from itertools import zip_longest

import polars as pl

from dashlib import texts

GLYPHS = {"error": "✕", "warning": "▲", "info": "◆"}
GAP = "  "
WORDS_WIDTH = 30  # words are not wrapped into a narrower column: they go to the next line instead


def terminal_width() -> int | None:
    """How many letters a line of the terminal has; none when nobody looks, and what is written goes to a program."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def table(
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    right: tuple[int, ...] = (),
    indent: str = "",
    width: int | None = None,
) -> list[str]:
    """Lines of text in columns as wide as their widest cell, or as `width` allows; that of the terminal by default.

    Words are wrapped between them, the widest column first, so that no number and no name is cut. Columns for which
    there is no room at all stand on the next line of their row. Without any title there is no line of titles.
    """
    room = (width or terminal_width() or sys.maxsize) - len(indent)
    shown = [list(row) for row in ((columns, *rows) if any(columns) else rows)]
    if not shown:
        return []
    cells = list(zip(*shown, strict=True))
    widest = [max(map(len, column)) for column in cells]
    longest = [max(WORDS_WIDTH, *map(_longest_word, column)) for column in cells]
    least = list(map(min, widest, longest))
    parts = [_fitted(widest, least, part, room) for part in _parts(least, room)]
    said = list[str]()
    for row in shown:
        for n, widths in enumerate(parts):
            said += [indent + (GAP if n else "") + line for line in _lines(row, widths, right)]
    return said


def _longest_word(cell: str) -> int:
    return max(map(len, cell.split(" ")))


def _parts(least: Sequence[int], room: int) -> Iterator[range]:
    """Columns that stand on one line together; lines after the first are indented."""
    start, used = 0, 0
    for n, wide in enumerate(least):
        if n > start and used + len(GAP) + wide > room:
            yield range(start, n)
            start, used = n, 0
        used += wide + len(GAP) * (n > start or start > 0)
    yield range(start, len(least))


def _fitted(widest: Sequence[int], least: Sequence[int], part: range, room: int) -> dict[int, int]:
    """The widths of these columns: the widest gives way until they fit, or until none can."""
    widths = {n: widest[n] for n in part}
    room -= len(GAP) * (len(part) - (part.start == 0))
    while sum(widths.values()) > room and (wide := [n for n in part if widths[n] > least[n]]):
        widths[max(wide, key=widths.__getitem__)] -= 1
    return widths


def _lines(row: Sequence[str], widths: dict[int, int], right: tuple[int, ...]) -> Iterator[str]:
    """A row's cells of these columns, wrapped between words."""
    folded = [_wrapped(row[n], wide) for n, wide in widths.items()]
    for pieces in zip_longest(*folded, fillvalue=""):
        aligned = [
            f"{text:>{wide}}" if n in right else f"{text:<{wide}}"
            for (n, wide), text in zip(widths.items(), pieces, strict=True)
        ]
        yield GAP.join(aligned).rstrip()


def _wrapped(cell: str, width: int) -> list[str]:
    if len(cell) <= width:
        return [cell]
    return textwrap.wrap(cell, width, break_long_words=False, break_on_hyphens=False) or [""]


def severity(name: str, lang: str) -> str:
    """A severity as glyph and word, which no line break parts."""
    return f"{GLYPHS[name]}{texts.NBSP}{texts.text(f'severity.{name}', lang)}"


def worded(rows: pl.DataFrame, lang: str) -> pl.DataFrame:
    """A frame as people read it, its columns and severities named in words; a column of the export keeps its name."""
    reasons = {key: said for key, said in texts.words(lang).items() if key.startswith("reason.")}
    words = {
        "severity": {name: severity(name, lang) for name in GLYPHS},
        "acknowledged": {key.removeprefix("reason."): said for key, said in reasons.items()},
    }
    said = rows.with_columns(pl.col(name).replace(known) for name, known in words.items() if name in rows.columns)
    return said.rename({name: texts.words(lang).get(f"head.{name}", name) for name in rows.columns})
