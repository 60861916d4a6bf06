"""Figures as a table: on a card, or behind a chart, for keyboards, screen readers and paper; and as a CSV file."""

import base64
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

import polars as pl

from dashlib import exporting, markup, texts
from dashlib.markup import FIRST_ROWS, Markup

FORMATS: dict[str, Callable[[Any, str], str]] = {
    "day": lambda value, _: texts.day(value),
    "integer": texts.integer,
    "half": texts.half,
    "decimal": lambda value, lang: texts.decimal(value, lang, 1),
    "percent": texts.percent,
    "money": texts.money,
    "text": lambda value, _: texts.NULL if value in (None, "") else escape(str(value)),
    "severity": markup.severity,
    "fate": markup.fate,
}
"""How a column's values are written; `text` and `severity` are words, all others figures."""

WORDS = ("text", "severity", "fate", "day")

type Columns = Mapping[str, tuple[str, str]]
"""Column → key of its title, name of its format."""


type Links = Mapping[str, Callable[[Mapping[str, Any], str], str]]
"""Column → what makes a link of a row, around the HTML of its cell."""


def table(
    rows: pl.DataFrame, columns: Columns, caption: str, lang: str, *, most: int = FIRST_ROWS, links: Links | None = None
) -> Markup:
    """The first rows as a table."""
    titles = [(texts.text(key, lang), form not in WORDS) for key, form in columns.values()]
    cells = ([_cell(row, name, columns, links or {}, lang) for name in columns] for row in rows.head(most).to_dicts())
    return markup.table(caption, titles, cells)


def _cell(row: Mapping[str, Any], name: str, columns: Columns, links: Links, lang: str) -> str:
    written = FORMATS[columns[name][1]](row[name], lang)
    return links[name](row, written) if name in links and row[name] is not None else written


def behind(
    rows: pl.DataFrame,
    columns: Columns,
    caption: str,
    lang: str,
    *,
    links: Links | None = None,
    leaving: Sequence[pl.Expr] = (),
    note: str = "",
) -> Markup:
    """« Voir les données »: the figures of a chart, and the same as a file.

    Args:
        leaving: columns as they stand in the file, where it must not hold all that a page shows; `note` says so.
    """
    if rows.is_empty():
        return Markup()
    left = rows.height - FIRST_ROWS
    rest = f"<p>{texts.plural('table.more', left, lang)}</p>" if left > 0 else ""
    summary = escape(texts.text("page.see_data", lang))
    shown = table(rows, columns, caption, lang, links=links)
    file = _file(rows.with_columns(leaving), columns, caption, lang)
    file += f' <small class="d-note">{escape(note)}</small>' if note else ""
    return Markup(f"<details><summary>{summary}</summary>{shown}{rest}{file}</details>")


def _file(rows: pl.DataFrame, columns: Columns, caption: str, lang: str) -> str:
    """A link that holds the figures themselves: it needs neither kernel nor server."""
    titles = {name: texts.text(key, lang) for name, (key, _) in columns.items()}
    content = base64.b64encode(exporting.csv_bytes(rows.select(list(columns)), lang, titles=titles)).decode()
    words = escape(texts.text("table.csv", lang))
    name = escape(f"{caption}.csv", quote=True)
    return f'<a class="d-file" download="{name}" href="data:text/csv;base64,{content}">{words}</a>'
