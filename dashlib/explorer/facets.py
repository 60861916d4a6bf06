"""What can be chosen beside the table: each value with its results and money under the other filters. Pure."""

from collections.abc import Collection, Mapping
from html import escape
from typing import Any

import polars as pl

from dashlib.explorer.pieces import MARKS, TONES, Words, attributes, button, select
from dashlib.explorer.query import STAKES, Facet, Query
from dashlib.explorer.sifting import IN_ORDER
from dashlib.markup import GLYPHS, Markup

FEW, MANY = 6, 60


def facets(query: Query, found: Mapping[Facet, pl.DataFrame], opened: Collection[str], words: Words) -> Markup:
    """All lists; those in `opened` in full, as far as a page can take."""
    measures = [(words(f"stake.{name}"), name) for name in STAKES]
    head = select(words("measure"), "measure", measures, query.measure, key="dx-measure")
    # What became of the results is why somebody compares: it comes first.
    order = sorted(found, key=lambda name: name != "state")
    title = f'<h2 class="unseen">{words.html("facets")}</h2>'
    return Markup(title + head + "".join(_facet(name, found[name], name in opened, words) for name in order))


def _facet(name: Facet, values: pl.DataFrame, is_open: bool, words: Words) -> str:
    ordered = values if name in IN_ORDER else values.sort(~pl.col("chosen"), maintain_order=True)
    room = MANY if is_open else FEW
    shown, most = ordered.head(max(room, len(values.filter("chosen")))), max([1, *values["results"]])
    more = _more(name, values.height, shown.height, is_open, words)
    rows = "".join(_value(name, row, most, words) for row in shown.iter_rows(named=True))
    return (
        f'<section class="dx-facet of-{name}" aria-label="{words.html(f"facet.{name}")}">'
        f"<h3>{words.html(f'facet.{name}')}</h3>{rows}{more}</section>"
    )


def _value(name: Facet, row: Mapping[str, Any], most: int, words: Words) -> str:
    said = words.value(name, row["value"])
    glyph = _glyph(name, row["value"])
    gone = " gone" if not row["results"] else ""
    label = words.plural("facet.said", row["results"], value=said, money=words.money(row["money"]))
    share = round(100 * row["results"] / most)
    return (
        f'<button type="button" class="dx-value{gone}" {attributes("facet", f"{name}={row['value']}")} '
        f'aria-pressed="{"true" if row["chosen"] else "false"}" aria-label="{escape(label, quote=True)}" '
        f'title="{escape(said, quote=True)}"><span class="dx-fill" style="width:{share}%"></span>'
        f'<span class="t">{glyph}{escape(said)}</span><span class="n">{words.number(row["results"])}</span>'
        f'<span class="m">{words.money(row["money"]) if row["money"] else ""}</span></button>'
    )


def _glyph(name: Facet, value: str) -> str:
    if name == "severity":
        tone = TONES.get(value, "neutral")
        return f'<i class="dx-sev {tone}" aria-hidden="true">{GLYPHS[tone]}</i>'  # type: ignore[index]  # tones are its keys
    if name == "state":
        return f'<i class="dx-state {value}" aria-hidden="true">{MARKS[value]}</i>'
    return ""


def _more(name: Facet, of: int, shown: int, is_open: bool, words: Words) -> str:
    """A way to the values that are not shown, and back."""
    if is_open:
        rest = f'<p class="dx-note">{escape(words.plural("facet.rest", of - shown))}</p>' if of > shown else ""
        return rest + button(words("facet.fewer"), "more", name, kind="quiet")
    return button(words.plural("facet.more", of - shown), "more", name, kind="quiet") if of > shown else ""
