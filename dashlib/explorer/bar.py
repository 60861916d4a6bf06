"""The bar above: which run, beside which, a word to search, the filters that hold, the views that are kept. Pure."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from dashlib import texts
from dashlib.explorer.pieces import Words, attributes, button, select
from dashlib.explorer.query import Query
from dashlib.markup import Markup

LOCK = (
    '<svg viewBox="0 0 16 16" width="13" height="13" aria-hidden="true">'
    '<path d="M4 7V5a4 4 0 0 1 8 0v2h1v8H3V7zm2 0h4V5a2 2 0 0 0-4 0z"/></svg>'
)


def bar(
    query: Query, runs: Sequence[Mapping[str, Any]], views: Mapping[str, str], view: str, words: Words, *, saving: bool
) -> Markup:
    """All of it; `view` is the id of the view that is open, and `saving` whether a name for one is asked."""
    return Markup(
        f'<div class="dx-line">{_runs(query, runs, words)}{_search(query, words)}{_views(views, view, words)}'
        f'<span class="dx-lock" title="{words.html("masked.why")}">{LOCK}{words.html("masked")}</span>'
        f"{button('?', 'help', kind='round', aria_label=words('help.title'))}</div>"
        f"{_saving(words) if saving else ''}{_chips(query, words)}"
    )


def _runs(query: Query, runs: Sequence[Mapping[str, Any]], words: Words) -> str:
    named = [(_run(run, words), str(run["number"])) for run in runs]
    earlier = [(text, value) for text, value in named if int(value) != query.run]
    nothing = (words("compare.none"), "")
    return select(words("run"), "run", named, str(query.run), key="dx-run") + select(
        words("compare"), "compare", [nothing, *earlier], str(query.compare or ""), key="dx-compare"
    )


def _run(run: Mapping[str, Any], words: Words) -> str:
    return words("run.named", number=str(run["number"]), day=texts.day(run["run_date"]))


def _search(query: Query, words: Words) -> str:
    return (
        f'<form class="dx-search" role="search" {attributes("search")}>'
        f'<label for="dx-word">{words.html("search")}</label>'
        f'<input id="dx-word" name="word" type="search" autocomplete="off" spellcheck="false" '
        f'placeholder="{words.html("search.hint")}" value="{escape(query.word, quote=True)}"></form>'
    )


def _views(views: Mapping[str, str], view: str, words: Words) -> str:
    named = [(words("views.none"), ""), *((name, key) for key, name in views.items())]
    tools = button(words("view.save"), "saving", kind="quiet")
    tools += button(words("view.delete"), "delete_view", view, kind="quiet") if view in views else ""
    return select(words("views"), "open_view", named, view if view in views else "", key="dx-views") + tools


def _saving(words: Words) -> str:
    return (
        f'<form class="dx-line dx-form" {attributes("save_view")}>'
        f'<label for="dx-name">{words.html("view.name")}</label>'
        f'<input id="dx-name" name="name" maxlength="60" autocomplete="off" required>'
        f'<button class="dx-button main">{words.html("view.keep")}</button>{button(words("cancel"), "saving")}</form>'
    )


def _chips(query: Query, words: Words) -> str:
    chips = [
        _chip(words(f"facet.{facet}"), words.value(facet, value), "facet", f"{facet}={value}", words)
        for facet, values in query.chosen.items()
        for value in values
    ]
    chips += [_chip(words("search"), query.word, "search", "", words)] if query.word else []
    if not chips:
        return ""
    clear = button(words("clear"), "clear", kind="quiet")
    return f'<div class="dx-chips" role="group" aria-label="{words.html("filters")}">{"".join(chips)}{clear}</div>'


def _chip(facet: str, value: str, act: str, arg: str, words: Words) -> str:
    said = words.html("chip.remove", facet=facet, value=value)
    return (
        f'<button type="button" class="dx-chip" {attributes(act, arg)} aria-label="{said}">'
        f'<span>{escape(facet)}</span> {escape(value)} <i aria-hidden="true">×</i></button>'
    )
