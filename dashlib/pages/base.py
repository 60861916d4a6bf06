"""What all pages have in common: header, filter bar, tiles, cards, states; only questions and answers are their own."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from html import escape
from typing import Any, ClassVar

import ipywidgets as widgets
import polars as pl

from dashlib import exporting, markup, metrics, texts
from dashlib.chart_script import offline_charts
from dashlib.errors import DashError
from dashlib.failures import failed
from dashlib.markup import Markup, Tile
from dashlib.metrics import Holdings, Scope
from dashlib.pages.cards import Card
from dashlib.pages.controls import Actions, box, button
from dashlib.pages.filters import FilterBar, Filters
from dashlib.pages.visit import PAGES, Visit
from dashlib.workbench import Workbench, open_workbench

log = logging.getLogger(__name__)

STALE_AFTER = timedelta(hours=36)


def opened(page: "type[Page]", visit: Visit, wb: Workbench | None = None) -> "Page | Notice":
    """The page, or what there is to say when there is nothing to draw: no run yet, no right, no database."""
    try:
        wb = wb or open_workbench()
        held = metrics.holdings(wb)
    except DashError as down:
        log.error("page: %s", down.code)
        return Notice(page.name, visit, markup.state("failed", texts.text("page.down", visit.lang), str(down)))
    if held is None:
        sentences = (texts.text(key, visit.lang) for key in ("page.empty", "page.empty.advice"))
        return Notice(page.name, visit, markup.state("empty", *sentences))
    if visit.base is None:
        offline_charts(wb.settings.home / "cache")
    return page(wb, held, visit)


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
    """Keys of the words that the page explains."""

    def __init__(self, wb: Workbench, held: Holdings, visit: Visit) -> None:
        self.wb, self.held, self.visit, self.lang = wb, held, visit, visit.lang
        self._head, self._tiles = widgets.HTML(), widgets.HTML()
        self.bar = FilterBar(visit, held, changed=self.redraw)
        self._actions = Actions.of(texts.text("actions.export", self.lang), self.lang, self._workbook)
        self._ways_out = box(widgets.HBox, "d-actions")
        self.cards = list(self.make_cards())
        self.facts: Any = None
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
        parts = (self._head, tools, self._tiles, self._ways_out, grid, definitions)
        return box(widgets.VBox, "d-page d-live", *parts)

    def redraw(self) -> None:
        """Asks everything again for the filters as they stand."""
        self._actions.query = self.visit.link(self.name, self.bar.filters.asked)
        try:
            self.facts = self.ask(self.bar.scope, self.bar.severity)
            lines = self.lines(self.facts)
            self._head.value = self._header(self.sentence(self.facts), self.extent(self.facts))
            self._tiles.value = markup.tiles(self.tiles(self.facts))
            self.bar.count(lines)
            self._ways_out.children = () if lines else tuple(self.bar.ways_out())
        except Exception as failure:  # noqa: BLE001 - Voila would drop the page; the type is logged, the reader is told
            self._fail(failure)
            return
        for card in self.cards:
            card.show(self.facts)

    def no_lines(self) -> Markup:
        """Nothing was billed with these filters, and which they are."""
        advice = texts.text("page.no_lines.advice", self.lang, filters=", ".join(self.bar.words()))
        return markup.state("empty", texts.text("page.no_lines", self.lang), advice)

    def filter(self, filters: Filters) -> None:
        """Looks at something else, because it was picked on the page."""
        self.bar.take(filters)

    def choose_days(self, since: date, until: date) -> None:
        """Looks at other days, because they were drawn on a chart."""
        self.filter(self.bar.filters.between(max(since, self.held.first), min(until, self.held.last)))

    def _fail(self, failure: Exception) -> None:
        if isinstance(failure, DashError):
            log.error("page: %s", failure.code)
            said = markup.state("failed", texts.text("page.down", self.lang), str(failure))
        else:
            said = failed(failure, self.lang)
        # The figures that stand were true when they were drawn; the words say since when.
        self.cards[0].fail(said, self.redraw)
        self._ways_out.children = (button(texts.text("page.retry", self.lang), self.redraw),)

    def _header(self, sentence: str, extent: str) -> Markup:
        lang, held, scope = self.lang, self.held, self.bar.scope
        about = texts.text(
            "page.about",
            lang,
            period=" · ".join(filter(None, (texts.period(scope.since, scope.until, lang), extent))),
            moment=texts.moment(held.completed_at, lang),
            run=held.run_number,
        )
        is_stale = datetime.now(texts.TORONTO) - held.completed_at > STALE_AFTER
        run_day = texts.long_day(held.completed_at.astimezone(texts.TORONTO).date(), lang)
        return markup.head(
            texts.text(f"{self.name}.title", lang),
            sentence,
            about,
            links=navigation(self.name, self.visit, self.bar.filters.asked),
            strip=texts.text("page.stale", lang, day=run_day) if is_stale else "",
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
    return Markup(f'<nav class="d-nav" aria-label="{texts.text("page.pages", lang)}">{links}{language}</nav>')
