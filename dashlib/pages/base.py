"""What all pages have in common: header, filter bar, tiles, cards, states; only questions and answers are their own."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from html import escape
from typing import Any, ClassVar

import ipywidgets as widgets
import polars as pl

from dashlib import exporting, markup, metrics, texts
from dashlib.chart_script import offline_charts
from dashlib.errors import DashError
from dashlib.failures import failed, reported, shielded
from dashlib.markup import Markup, Tile
from dashlib.metrics import Holdings, Scope
from dashlib.pages.cards import Card
from dashlib.pages.controls import Actions, box, button
from dashlib.pages.drawer import Drawer
from dashlib.pages.filters import FilterBar, Filters
from dashlib.pages.visit import PAGES, Visit
from dashlib.workbench import Workbench, open_workbench

log = logging.getLogger(__name__)

STALE_AFTER = timedelta(hours=36)
THEMES = ("auto", "light", "dark")
MAY_LOOK = ("viewer", "editor", "admin")


def opened(page: "type[Page]", visit: Visit, wb: Workbench | None = None) -> "Page | Notice":
    """The page, or what there is to say when there is nothing to draw: no run yet, no right, no database."""
    try:
        wb = wb or open_workbench()
        held = metrics.holdings(wb, lang=visit.lang)
    except DashError as down:
        log.error("page: %s", down.code)
        return Notice(page.name, visit, markup.state("failed", texts.text("page.down", visit.lang), str(down)))
    if wb.viewer.role not in MAY_LOOK:
        return no_right(page.name, visit)
    if held is None:
        sentences = (texts.text(key, visit.lang) for key in ("page.empty", "page.empty.advice"))
        return Notice(page.name, visit, markup.state("empty", *sentences))
    if visit.base is None:
        offline_charts(wb.settings.home / "cache")
    return page(wb, held, visit)


def no_right(name: str, visit: Visit) -> "Notice":
    """What somebody sees who has no role yet."""
    sentence, advice = (texts.text(key, visit.lang) for key in ("page.no_right", "page.no_right.advice"))
    return Notice(name, visit, markup.state("empty", sentence, advice))


@dataclass(frozen=True)
class Notice:
    """A page that has only something to say."""

    name: str
    visit: Visit
    said: Markup

    @property
    def outline(self) -> Markup:
        lang = self.visit.lang
        links = navigation(self.name, self.visit, {})
        head = markup.head(texts.text(f"{self.name}.title", lang), "", "", links=links)
        return Markup(f'<main class="d-page d-live">{head}<section class="d-card">{self.said}</section></main>')

    @property
    def widget(self) -> Markup:
        return Markup()


class Page(ABC):
    """A question, six figures that answer it, and cards that say why; a choice in the bar asks everything again."""

    name: ClassVar[str]
    definitions: ClassVar[tuple[str, ...]]
    """Keys of the words that the page explains, in the order of its tiles."""
    leads: ClassVar[Mapping[str, str]] = {}
    """The pages to which tiles lead, by the keys of their words."""

    def __init__(self, wb: Workbench, held: Holdings, visit: Visit) -> None:
        self.wb, self.held, self.visit, self.lang = wb, held, visit, visit.lang
        self._head, self._tiles = widgets.HTML(), widgets.HTML()
        self._lead, self._extent, self._emptied = "", "", ""
        self._drawn_at = datetime.now(texts.TORONTO)
        self._partial: tuple[int, int] | None = None
        self._drawer = Drawer.of(self.lang, self._on_sheet)
        self.bar = FilterBar(visit, held, changed=self.redraw)
        self._actions = Actions.of(texts.text("actions.export", self.lang), self.lang, self._workbook)
        self._ways_out = box(widgets.HBox, "d-actions")
        self.cards = list(self.make_cards())
        self.facts: Any = None
        self._answered = self.bar.filters
        self.redraw()

    @abstractmethod
    def ask(self, scope: Scope, severity: str | None) -> Any:
        """All that the page shows of a part of what is held: its facts."""

    @abstractmethod
    def make_cards(self) -> Sequence[Card]:
        """The page's cards, in their order."""

    @abstractmethod
    def sentence(self, facts: Any) -> str:
        """The page's answer in words."""

    @abstractmethod
    def tiles(self, facts: Any) -> list[Tile]:
        """The page's answer in figures."""

    @abstractmethod
    def tables(self, facts: Any) -> Mapping[str, pl.DataFrame]:
        """What stands on the page, as tables for a workbook, by the name of the sheet."""

    @abstractmethod
    def lines(self, facts: Any) -> int:
        """How many lines the filters leave."""

    def sheet(self) -> tuple[str, Markup]:
        """What lies over the page by its filters: a title, and words; none where nothing was opened."""
        return "", Markup()

    def with_sheet(self, name: str) -> Filters:
        """The filters with the sheet of this name open, or with none; a page that has no sheets keeps its own."""
        return self.bar.filters

    def open_sheet(self, name: str) -> None:
        """Lays the sheet of this name over the page, or takes away the one that lies there: the figures stay."""
        self.bar.note(self.with_sheet(name))
        self.show_sheet()

    def extent(self, facts: Any) -> str:
        """How much of the clinic the figures are of, in words; nothing where the page does not count it."""
        return ""

    @property
    def outline(self) -> Markup:
        """The page as it stands, in HTML that needs no widget; it gives way to `widget` when that is there."""
        cards = "".join(card.outline for card in self.cards)
        return Markup(
            f'<main class="d-page d-still">{self._head.value}<div class="d-bar"></div>{self._tiles.value}'
            f'<div class="d-grid">{cards}</div></main>'
        )

    @property
    def widget(self) -> widgets.Widget:
        definitions = widgets.HTML(markup.definitions(self.definitions, self.lang))
        grid = box(widgets.Box, "d-grid", *(card.widget for card in self.cards))
        foot = box(widgets.HBox, "d-foot-bar", self.bar.counted, self._actions)
        tools = box(widgets.HBox, "d-tools", self.bar.widget, foot)
        parts = (self._head, tools, self._tiles, self._ways_out, grid, definitions, self._drawer)
        return box(widgets.VBox, "d-page d-live", *parts)

    def redraw(self) -> None:
        """Asks everything again for the filters as they stand."""
        try:
            self.facts = self.ask(self.bar.scope, self.bar.severity)
            lines = self.lines(self.facts)
            self._lead, self._extent = self.sentence(self.facts), self.extent(self.facts)
            self._emptied = "" if lines else self._emptied_by()
            self._partial = metrics.interrupted(self.wb, self.held.run_number)
        except Exception as failure:  # noqa: BLE001 - Voila would drop the page; the type is logged, the reader is told
            self._fail(failure)
            return
        self._answered, self._drawn_at = self.bar.filters, datetime.now(texts.TORONTO)
        self.bar.enable(True)
        self.bar.count(lines)
        self._head.value = self._header()
        shown = zip(self.tiles(self.facts), self.definitions, strict=True)
        self._tiles.value = markup.tiles(self._explained(tile, key) for tile, key in shown)
        self._ways_out.children = () if lines else tuple(self.bar.ways_out())
        for card in self.cards:
            card.show(self.facts)
        self.show_sheet()

    def _explained(self, tile: Tile, key: str) -> Tile:
        """A figure with its sentence, its definition, and the page that says more."""
        lang = self.lang
        page = self.leads.get(key)
        note = tile.note
        for sign, way in (("▲", "up"), ("▼", "down"), ("▬", "same")):
            note = note.replace(sign, texts.text(f"way.{way}", lang))
        return replace(
            tile,
            said=texts.text("tile.said", lang, label=tile.label, value=tile.value, note=note),
            asks=texts.text("tile.what", lang, label=tile.label),
            definition=texts.text(f"{key}.definition", lang),
            leads_to=self.visit.link(page, self.bar.filters.without("day").asked) if page else "",
        )

    def show_sheet(self) -> None:
        """Draws the sheet that the filters name, or takes it away, and keeps the page's address right."""
        self._actions.query = self.visit.link(self.name, self.bar.filters.asked)
        with self._outliving_its_sheet():
            self._drawer.show(*self.sheet())

    def _on_sheet(self, name: str) -> None:
        with self._outliving_its_sheet():
            self.open_sheet(name)

    def _outliving_its_sheet(self) -> AbstractContextManager[None]:
        """What fails about a sheet is said on it, and not raised into the kernel's log with what it quotes."""
        title = texts.text(f"{self.name}.title", self.lang)
        return shielded(lambda said: self._drawer.show(title, Markup(said)), self.lang)

    def _emptied_by(self) -> str:
        """The one choice without which lines would be left, as the bar says it; nothing where there are several."""
        for name in self.bar.filters.narrowing:
            wider = self.bar.filters.without(name)
            found = metrics.error_days(self.wb, replace(wider.scope(self.held), rule=None))
            if found["lines"].sum():
                return self.bar.said(name)
        return ""

    def no_lines(self) -> Markup:
        """Nothing was billed with these filters: which they are, and the one that took the last line."""
        advice = texts.text("page.no_lines.advice", self.lang, filters=", ".join(self.bar.words()))
        if self._emptied:
            advice = f"{advice} {texts.text('page.emptied', self.lang, filter=self._emptied)}"
        return markup.state("empty", texts.text("page.no_lines", self.lang), advice)

    def filter(self, filters: Filters) -> None:
        """Looks at something else, because it was picked on the page."""
        self.bar.take(filters)

    def choose_days(self, since: date, until: date) -> None:
        """Looks at other days, because they were drawn on a chart."""
        self.filter(self.bar.filters.between(max(since, self.held.first), min(until, self.held.last)))

    def _fail(self, failure: Exception) -> None:
        """The figures that stand were true when they were drawn; the words say since when, and what can be done."""
        if self.facts is None:
            self._head.value = self._header()
            self.cards[0].fail(failed(failure, self.lang), self.redraw)
            return
        wanted, since = self.bar.filters, texts.moment(self._drawn_at, self.lang)
        if isinstance(failure, DashError):
            log.error("page: %s", failure.code)
            said = texts.text("page.down.since", self.lang, moment=since)
        else:
            said = texts.text("page.failed.since", self.lang, moment=since, reference=reported(failure))
        self.bar.note(self._answered)
        self.bar.enable(False)
        self._head.value = self._header(said, texts.text("page.down.advice", self.lang))
        self._ways_out.children = (button(texts.text("page.retry", self.lang), lambda: self.bar.take(wanted)),)

    def _header(self, *failures: str) -> Markup:
        lang, held, scope = self.lang, self.held, self.bar.scope
        about = texts.text(
            "page.about",
            lang,
            period=" · ".join(filter(None, (texts.period(scope.since, scope.until, lang), self._extent))),
            moment=texts.moment(held.completed_at, lang),
            run=held.run_number,
        )
        return markup.head(
            texts.text(f"{self.name}.title", lang),
            self._lead,
            about,
            links=navigation(self.name, self.visit, self.bar.filters.without("day").asked),
            strip=" ".join((*failures, *self._warnings())),
        )

    def _warnings(self) -> Iterator[str]:
        """What a reader must know of the figures: that they are old, or that a run stopped on its way."""
        lang, held = self.lang, self.held
        if self._partial:
            run, percent = self._partial
            share = texts.percent(percent / 100, lang, 0)
            yield texts.text("page.partial", lang, run=run, share=share, before=held.run_number)
        if datetime.now(texts.TORONTO) - held.completed_at > STALE_AFTER:
            yield texts.text(
                "page.stale", lang, day=texts.long_day(held.completed_at.astimezone(texts.TORONTO).date(), lang)
            )

    def _workbook(self) -> tuple[str, bytes]:
        """What is on screen, as an Excel workbook, and its name."""
        scope = self.bar.scope
        name = f"{self.name}_{texts.day(scope.since)}_{texts.day(scope.until)}.xlsx"
        return name, exporting.xlsx_bytes(self.tables(self.facts), self.lang)


def navigation(here: str, visit: Visit, asked: Mapping[str, str]) -> Markup:
    """The pages, with the same filters, and the other language."""
    lang = visit.lang
    links = "".join(
        f'<a href="{escape(visit.link(page, asked))}"{" aria-current=page" if page == here else ""}>'
        f"{texts.text(f'{page}.title', lang)}</a>"
        for page in PAGES
    )
    other: texts.Language = "en" if lang == "fr" else "fr"
    address = escape(Visit(other).link(here, asked))
    language = f'<a class="d-language" hreflang="{other}" href="{address}">{texts.text("page.language", lang)}</a>'
    theme = _theme_button(lang) if visit.base else ""
    return Markup(f'<nav class="d-nav" aria-label="{texts.text("page.pages", lang)}">{links}{language}{theme}</nav>')


def _theme_button(lang: str) -> str:
    """Goes round the themes; the template knows which one is on, and the style sheet shows its name."""
    names = "".join(f'<span class="d-{kind}">{texts.text(f"page.theme.{kind}", lang)}</span>' for kind in THEMES)
    return f'<button type="button" class="d-theme">{texts.text("page.theme", lang)} {names}</button>'
