"""The table in the middle: rules, results or invoices of the same selection, a page at a time, and its sums. Pure."""

from collections.abc import Collection, Mapping, Sequence
from html import escape
from typing import Any

import polars as pl

from dashlib import markup, texts
from dashlib.explorer import pieces
from dashlib.explorer.pieces import Words, attributes, button
from dashlib.explorer.query import TABS, Query, Tab
from dashlib.explorer.sifting import Totals, said
from dashlib.markup import Markup

type Heading = tuple[str, str | None, str]
"""A column's word, the sort that its heading asks for, and its class."""

RESULTS: tuple[Heading, ...] = (
    ("result", "severity", ""),
    ("doctor", "doctor", ""),
    ("date_service", "date_service", ""),
    ("invoice", "invoice", ""),
    ("stake", "stake", "n"),
    ("days_left", "days_left", "n"),
)

STATE: Heading = ("state", None, "")
"""What became of a result stands in a column of its own, where two runs are compared."""

SUMS: tuple[Heading, ...] = tuple((name, None, "n") for name in ("results", "at_risk", "to_repay", "gain"))


def frame(
    query: Query, counted: Totals, table: str, of_pages: int, words: Words, ticked: Totals | None = None
) -> Markup:
    """The tabs with their counts, the table, and below it what the selection holds, and of it what was ticked."""
    counts = {"rules": counted.rules, "results": counted.results, "invoices": counted.invoices}
    sums = _ticked(ticked, words) if ticked else _sums(counted, words)
    tabs = "".join(_tab(name, counts[name], name == query.tab, words) for name in TABS)
    return Markup(
        f'<div class="dx-tabs"><div role="tablist">{tabs}</div><span class="dx-tools">{_tools(words)}</span></div>'
        f'<div class="dx-rows" data-keep="rows" role="tabpanel">{table}</div>'
        f'<footer class="dx-foot">{sums}{_pager(query, of_pages, words)}</footer>'
    )


def _tab(name: Tab, count: int, is_open: bool, words: Words) -> str:
    return (
        f'<button type="button" role="tab" class="dx-tab" {attributes("tab", name)} id="dx-tab-{name}" '
        f'aria-selected="{"true" if is_open else "false"}">'
        f"{words.html(f'tab.{name}')} <b>{words.number(count)}</b></button>"
    )


def _tools(words: Words) -> str:
    return (
        button(words("code"), "code", kind="quiet")
        + button("CSV", "export", "csv", kind="quiet", aria_label=words("export.csv"))
        + button("Excel", "export", "xlsx", kind="quiet", aria_label=words("export.xlsx"))
    )


def _sums(counted: Totals, words: Words) -> str:
    money = " · ".join(
        f"{words(f'stake.{name}')} {words.money(getattr(counted, name))}" for name in ("at_risk", "to_repay", "gain")
    )
    return f"<p>{escape(words.plural('sums', counted.results))} · {escape(money)}</p>"


def _ticked(ticked: Totals, words: Words) -> str:
    """What the ticked rows hold, and what can be done with them."""
    money = " · ".join(f"{words(f'stake.{name}')} {words.money(getattr(ticked, name))}" for name in ("at_risk", "gain"))
    acts = button(words("ack"), "asking_ticked", kind="main") + button(words("untick"), "untick", kind="quiet")
    return f'<p class="dx-ticked"><b>{escape(words.plural("ticked", ticked.results))} · {escape(money)}</b> {acts}</p>'


def _pager(query: Query, of_pages: int, words: Words) -> str:
    if of_pages == 1:
        return ""
    at = min(query.page, of_pages)
    before = button("‹", "page", at - 1, kind="round", aria_label=words("page.before"), disabled=at == 1)
    after = button("›", "page", at + 1, kind="round", aria_label=words("page.after"), disabled=at == of_pages)
    return f'<nav class="dx-pager">{before}<span>{words.html("page.of", page=at, of=of_pages)}</span>{after}</nav>'


def results(
    rows: Sequence[Mapping[str, Any]], query: Query, selected: str, words: Words, ticked: Collection[str] = ()
) -> str:
    """A page of results: the rule and its sentence, who and where, when, on which invoice, and what is at stake.

    Each row of the run itself can be ticked; those that only the earlier run had are there to be seen.
    """
    body = "".join(_result(row, query, row["result"] == selected, row["result"] in ticked, words) for row in rows)
    first, *others = RESULTS
    headings = [first, *([STATE] if query.compare is not None else []), *others]
    own = [row["result"] for row in rows if row["run"] == query.run]
    every = tick("tick_page", "", words("tick.page"), is_on=bool(own) and set(own) <= set(ticked))
    return _table(
        words("tab.results"), headings, body, query, words, before=f'<th scope="col" class="tick">{every}</th>'
    )


def tick(act: str, arg: str, label: str, *, is_on: bool) -> str:
    at = attributes(act, arg, aria_label=label, checked=is_on)
    return f'<input type="checkbox" {at}>'


def _result(row: Mapping[str, Any], query: Query, is_selected: bool, is_ticked: bool, words: Words) -> str:
    box = tick("tick", row["result"], words("tick", result=row["result"]), is_on=is_ticked)
    box = box if row["run"] == query.run else ""
    aside = f'<span class="dx-aside">{words.html("status.acknowledged")}</span>' if row["acknowledged"] else ""
    marks = f"{pieces.severity(row['severity'], words)} {aside}"
    rule = f'<b class="r">{escape(words.rule(row["rule_id"]))}</b>'
    cells = [
        f'{marks}{rule}<small class="one">{escape(row["message"])}</small>',
        *([pieces.state(row["state"], words)] if query.compare is not None else []),
        f"{pieces.code(row['doctor'])}<small>{escape(row['lieu_de_pratique'] or texts.NULL)}</small>",
        f"{pieces.day(row['date_service'])}<small>{escape(row['code'] or texts.NULL)}</small>",
        f"{pieces.code(row['invoice'])}<small>{escape(row['id_ramq'] or texts.NULL)}</small>",
    ]
    figures = [pieces.stake(row, words), pieces.days(row["days_left"], words)]
    first = f'<td class="tick">{box}</td>'
    return _row(first + _cells(cells, figures), "select", row["result"], is_selected)


def rules(selection: pl.DataFrame, query: Query, words: Words) -> str:
    """A line a rule: a click leaves its results only."""
    headings: list[Heading] = [("rule_id", None, ""), *SUMS]
    body = ""
    for row in said(selection):
        label = f'<b class="r">{escape(words.rule(row["rule_id"]))}</b><small>{escape(row["rule_id"])}</small>'
        body += _row(
            _cells([pieces.severity(row["severity"], words) + label], _figures(row, words)), "rule", row["rule_id"]
        )
    return _table(words("tab.rules"), headings, body, query, words)


def invoices(page: pl.DataFrame, query: Query, words: Words) -> str:
    """A line an invoice: a click leaves its results only."""
    headings: list[Heading] = [("facture", None, ""), ("medecin", None, ""), *SUMS]
    body = ""
    for row in said(page):
        left = row["days_left"]
        invoice = f"{pieces.severity(row['severity'], words)}<b class='r'>{pieces.code(row['invoice'])}</b>"
        who = f"{pieces.code(row['doctor'])}<small>{pieces.day(row['date_service'])}</small>"
        who += f"<small>{pieces.days(left, words)}</small>" if left is not None else ""
        body += _row(_cells([invoice, who], _figures(row, words)), "invoice", row["invoice"])
    return _table(words("tab.invoices"), headings, body, query, words)


def _figures(row: Mapping[str, Any], words: Words) -> list[str]:
    """Results, with their lines, and the three sums; one that is 0 is left blank."""
    counted = f"{words.number(row['results'])}<small>{escape(words.plural('lines.count', row['lines']))}</small>"
    sums = (row[name] for name in ("at_risk", "to_repay", "gain"))
    return [counted, *(words.money(amount) if amount != 0 else "" for amount in sums)]


def _cells(words: Sequence[str], figures: Sequence[str]) -> str:
    return "".join(f"<td>{cell}</td>" for cell in words) + "".join(f'<td class="n">{cell}</td>' for cell in figures)


def _row(cells: str, act: str, arg: str, is_selected: bool = False) -> str:
    at = attributes(act, arg, aria_selected="true" if is_selected else "false", tabindex="0" if is_selected else "-1")
    return f'<tr class="dx-row" {at}>{cells}</tr>'


def _table(
    caption: str, headings: Sequence[Heading], body: str, query: Query, words: Words, *, before: str = ""
) -> str:
    titles = before + "".join(_heading(*heading, query, words) for heading in headings)
    return (
        f'<table class="dx-t" role="grid"><caption>{escape(caption)}</caption>'
        f"<thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table>"
    )


def _heading(name: str, sort: str | None, kind: str, query: Query, words: Words) -> str:
    word = words.html(f"column.{name}")
    if sort is None:
        return f'<th scope="col" class="{kind}">{word}</th>'
    order = {sort: "ascending", f"-{sort}": "descending"}.get(query.sort, "none")
    arrow = {"ascending": "▲", "descending": "▼"}.get(order, "")
    return (
        f'<th scope="col" class="{kind}" aria-sort="{order}"><button type="button" {attributes("sort", sort)}>'
        f'{word} <i aria-hidden="true">{arrow}</i></button></th>'
    )


def nothing(query: Query, emptied: str | None, words: Words) -> Markup:
    """Nothing is left: which filter took the last of it, and the ways out; or good news."""
    if not query.is_filtered:
        return markup.state("good", words("empty"), words("empty.advice"))
    advice = words("filtered.by", filter=emptied) if emptied else words("filtered.all")
    ways = button(words("clear"), "clear", kind="main")
    return Markup(markup.state("empty", words("filtered"), advice) + f'<p class="dx-ways">{ways}</p>')
