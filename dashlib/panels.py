"""What dashboards are made of: a page of widgets that asks `metrics`, draws with `charts`, and says what went wrong.

A part that fails never takes the page with it: the reader gets a reference, the log the type of the failure, nobody a
value.
"""

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode
from uuid import uuid4

import altair as alt
import ipywidgets as widgets

from dashlib import charts, markup, metrics, texts
from dashlib.charts import FEW_LINES
from dashlib.errors import DashError
from dashlib.figures import ErrorFacts
from dashlib.markup import Markup
from dashlib.metrics import Holdings, Scope
from dashlib.workbench import Workbench, open_workbench

log = logging.getLogger(__name__)

PERIODS: dict[str, int | None] = {"7": 7, "30": 30, "90": 90, "365": 365, "all": None}
DEFAULT_PERIOD = "90"
SEVERITIES = ("error", "warning", "info")
TILES = ("clean_invoices", "error", "at_risk", "to_repay", "gain", "patients")
TABLE_ROWS = 8
STALE_AFTER = timedelta(hours=36)


@dataclass(frozen=True)
class Visit:
    """What the address of a page asks for: a language, and filters by name."""

    lang: texts.Language = "fr"
    filters: Mapping[str, str] = field(default_factory=dict)


def visit() -> Visit:
    """The visit of whoever opens the page; a warm kernel waits here for him, so that nothing is read before."""
    # Voila hands the request over in the kernel's environment: it is no setting.
    if os.environ.get("VOILA_PREHEAT") == "True":
        from voila.utils import wait_for_request

        wait_for_request()
    asked = {name: values[-1] for name, values in parse_qs(os.environ.get("QUERY_STRING", "")).items()}
    lang: texts.Language = "en" if asked.pop("lang", "fr") == "en" else "fr"
    return Visit(lang, asked)


def error_rates(visit: Visit, wb: Workbench | None = None) -> "ErrorRates | Notice":
    """The page « Taux d'erreur », or what there is to say when there is nothing to draw."""
    try:
        wb = wb or open_workbench()
        held = metrics.holdings(wb)
    except DashError as down:
        log.error("page: %s", down.code)
        return Notice(visit.lang, markup.state("failed", texts.text("page.down", visit.lang), str(down)))
    if held is None:
        sentences = (texts.text(key, visit.lang) for key in ("page.empty", "page.empty.advice"))
        return Notice(visit.lang, markup.state("empty", *sentences))
    offline_charts(wb.settings.home / "cache")
    return ErrorRates(wb, held, visit)


@dataclass(frozen=True)
class Notice:
    """A page that has only something to say."""

    lang: str
    said: Markup

    @property
    def outline(self) -> Markup:
        head = markup.head(texts.text("error_rates.title", self.lang), "", "")
        return Markup(f'<main class="d-page d-live">{head}<section class="d-card">{self.said}</section></main>')

    @property
    def widget(self) -> Markup:
        return Markup()


class ErrorRates:
    """Is the billing clean, and is it getting better? A filter redraws the sentence, tiles, chart and table."""

    def __init__(self, wb: Workbench, held: Holdings, visit: Visit) -> None:
        self._wb, self._held, self._lang = wb, held, visit.lang
        self._head, self._tiles, self._rules = widgets.HTML(), widgets.HTML(), widgets.HTML()
        self._bar = FilterBar(visit, held, changed=self.redraw)
        self._trend = Trend(visit.lang)
        self._actions = _box(widgets.HBox, "d-actions")
        self.redraw()

    @property
    def outline(self) -> Markup:
        """The page as it stands, in HTML that needs no widget; it gives way to `widget` when that is there."""
        chart = f'<section class="d-card s7 d-wait">{self._trend.words.value}</section>'
        rules = f'<section class="d-card s5">{self._rules.value}</section>'
        return Markup(
            f'<main class="d-page d-still">{self._head.value}<div class="d-bar"></div>{self._tiles.value}'
            f'<div class="d-grid">{chart}{rules}</div></main>'
        )

    @property
    def widget(self) -> widgets.Widget:
        definitions = widgets.HTML(markup.definitions([f"tile.{name}" for name in TILES], self._lang))
        rules = _box(widgets.VBox, "d-card s5", self._rules)
        grid = _box(widgets.Box, "d-grid", self._trend.widget, rules)
        parts = (self._head, self._bar.widget, self._tiles, self._actions, grid, definitions)
        return _box(widgets.VBox, "d-page d-live", *parts)

    def redraw(self) -> None:
        """Asks everything again for the filters as they stand."""
        with self._shielded():
            facts = metrics.error_facts(self._wb, self._bar.scope, severity=self._bar.severity, lang=self._lang)
            self._head.value = self._header(facts)
            self._tiles.value = markup.tiles(facts.tiles(self._lang))
            self._rules.value = self._by_rule(facts)
            self._trend.show(facts, no_lines=self._no_lines())
            self._bar.count(facts.now.lines)
            self._actions.children = () if facts.now.lines else tuple(self._bar.ways_out())

    @contextmanager
    def _shielded(self) -> Iterator[None]:
        try:
            yield
        except Exception as failure:  # noqa: BLE001 - Voila would drop the page; the type is logged, the reader is told
            said = failed(failure, self._lang)
            self._trend.say(said)
            self._rules.value = said
            self._actions.children = (_button(texts.text("page.retry", self._lang), self.redraw),)

    def _header(self, facts: ErrorFacts) -> Markup:
        lang, held = self._lang, self._held
        about = texts.text(
            "error_rates.about",
            lang,
            period=texts.period(facts.since, facts.until, lang),
            places=texts.plural("error_rates.places", facts.places, lang),
            doctors=texts.plural("error_rates.doctors", facts.doctors, lang),
            moment=texts.moment(held.completed_at, lang),
            run=held.run_number,
        )
        is_stale = datetime.now(texts.TORONTO) - held.completed_at > STALE_AFTER
        run_day = texts.long_day(held.completed_at.astimezone(texts.TORONTO).date(), lang)
        return markup.head(
            texts.text("error_rates.title", lang),
            facts.sentence(lang),
            about,
            links=_other_language(lang, self._bar.chosen),
            strip=texts.text("page.stale", lang, day=run_day) if is_stale else "",
        )

    def _by_rule(self, facts: ErrorFacts) -> Markup:
        lang = self._lang
        head = markup.card_head(texts.text("rules.title", lang), texts.text("rules.note", lang))
        if facts.rules.is_empty():
            return Markup(head + markup.state("good" if facts.now.lines else "empty", texts.text("rules.none", lang)))
        more = facts.rules.height - TABLE_ROWS
        rest = f"<p>{texts.plural('rules.more', more, lang)}</p>" if more > 0 else ""
        return Markup(head + markup.rules_table(facts.rules.head(TABLE_ROWS), lang) + rest)

    def _no_lines(self) -> Markup:
        advice = texts.text("page.no_lines.advice", self._lang, filters=", ".join(self._bar.words()))
        return markup.state("empty", texts.text("page.no_lines", self._lang), advice)


class Trend:
    """The card of the trend: one chart for the life of the page, whose drawing is replaced, or words in its place."""

    def __init__(self, lang: str) -> None:
        self._lang = lang
        self.words, self._said, self._data = widgets.HTML(), widgets.HTML(), widgets.HTML()
        self._place = widgets.VBox()
        self._chart: alt.JupyterChart | None = None
        self.widget = _box(widgets.VBox, "d-card s7", self.words, self._place, self._data)

    def show(self, facts: ErrorFacts, *, no_lines: Markup) -> None:
        lang, severity, lines = self._lang, facts.severity, facts.now.lines
        unit = "week" if charts.is_by_week(facts.days) else "day"
        note = texts.text(f"trend.note.{unit}", lang, few=FEW_LINES)
        self.words.value = markup.card_head(texts.text(f"trend.title.{severity}", lang), note if facts.now.hits else "")
        self._data.value = markup.days_table(facts.days, lang, severity) if lines else ""
        if not lines:
            self.say(no_lines)
        elif not facts.now.hits:
            self.say(markup.state("good", texts.plural(f"trend.good.{severity}", lines, lang)))
        else:
            self._draw(charts.error_trend(facts.days, lang, severity=severity))

    def say(self, words: Markup) -> None:
        """Words where the chart would stand."""
        self._said.value = words
        self._place.children = (self._said,)

    def _draw(self, chart: alt.LayerChart) -> None:
        # A chart that is replaced flickers, one whose drawing is replaced does not.
        if self._chart is None:
            self._chart = alt.JupyterChart(chart, embed_options=charts.embed_options(self._lang))
        else:
            self._chart.chart = chart
        if self._place.children != (self._chart,):
            self._place.children = (self._chart,)


class FilterBar:
    """Période, Lieu, Médecin, Gravité: native selects, each with its label; a choice acts at once."""

    def __init__(self, visit: Visit, held: Holdings, changed: Callable[[], None]) -> None:
        self._lang, self._held, self._changed = visit.lang, held, changed
        self._selects = {name: self._select(name, options) for name, options in self._options().items()}
        self._count = widgets.HTML()
        for name, select in self._selects.items():
            asked = visit.filters.get(name)
            if asked in [value for _, value in select.options]:
                select.value = asked
            select.observe(self._on_change, "value")
        reset = _button(texts.text("filter.reset", self._lang), self.reset)
        self.widget = _box(widgets.HBox, "d-bar", *self._selects.values(), reset, self._count)

    @property
    def chosen(self) -> dict[str, str]:
        """Filters that differ from their default, by name, as an address holds them."""
        return {name: s.value for name, s in self._selects.items() if s.value != self._default(name)}

    @property
    def scope(self) -> Scope:
        """The days are counted back from the last one held: an export is older than today."""
        days = PERIODS[self._selects["period"].value]
        asked = self._held.first if days is None else self._held.last - timedelta(days=days - 1)
        return Scope(max(asked, self._held.first), self._held.last, self._choice("place"), self._choice("doctor"))

    @property
    def severity(self) -> str | None:
        return self._choice("severity")

    def count(self, lines: int) -> None:
        """Says how many of all lines the filters leave."""
        self._count.value = texts.plural("filter.lines", lines, self._lang, all=self._held.lines)

    def words(self) -> list[str]:
        """The filters that are set, as their labels say them."""
        return [f"{self._selects[name].description} {self._selects[name].label}" for name in self.chosen] or [
            self._selects["period"].label
        ]

    def ways_out(self) -> Iterator[widgets.Button]:
        """A button for each filter that can be taken away, and one for all dates."""
        for name in ("place", "doctor"):
            if self._choice(name) is not None:
                label = texts.text("page.remove", self._lang, name=self._selects[name].description)
                yield _button(label, self._setter(name, self._default(name)))
        if self._selects["period"].value != "all":
            yield _button(texts.text("page.widen", self._lang), self._setter("period", "all"))

    def reset(self) -> None:
        """All filters back to what they were when nothing was asked, with one redraw."""
        for name, select in self._selects.items():
            select.unobserve(self._on_change, "value")
            select.value = self._default(name)
            select.observe(self._on_change, "value")
        self._changed()

    def _options(self) -> dict[str, list[tuple[str, str]]]:
        lang, held = self._lang, self._held
        everything = {name: (texts.text(f"filter.all_{name}s", lang), "") for name in ("place", "doctor")}
        return {
            "period": [(texts.text(f"period.{period}", lang), period) for period in PERIODS],
            "place": [everything["place"], *((p or texts.text("place.none", lang), p or NONE) for p in held.places)],
            "doctor": [
                everything["doctor"],
                *((d or texts.text("doctor.none", lang), d or NONE) for d in held.doctors),
            ],
            "severity": [(texts.text("severity.all", lang), ""), *_severities(lang)],
        }

    def _select(self, name: str, options: list[tuple[str, str]]) -> widgets.Dropdown:
        label = texts.text(f"filter.{name}", self._lang)
        return widgets.Dropdown(options=options, value=self._default(name), description=label)

    def _default(self, name: str) -> str:
        return DEFAULT_PERIOD if name == "period" else ""

    def _choice(self, name: str) -> str | None:
        value: str = self._selects[name].value
        return {"": None, NONE: ""}.get(value, value)

    def _setter(self, name: str, value: str) -> Callable[[], None]:
        return lambda: setattr(self._selects[name], "value", value)

    def _on_change(self, _: object) -> None:
        self._changed()


NONE = "-"
"""How an address and a select name lines without a place or a doctor; the empty word means all."""


def offline_charts(folder: Path) -> None:
    """Makes charts draw without the network; the script for it is made once and kept in `folder` (1 s, 105 MiB)."""
    chart = alt.JupyterChart
    if chart._is_offline:
        return
    kept = folder / f"charts-altair-{alt.__version__}.js"
    if kept.exists():
        chart._esm, chart._is_offline = kept.read_text("utf-8"), True
        return
    chart.enable_offline()
    # A folder that cannot be written costs each kernel its second, and nothing else.
    with suppress(OSError):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = kept.with_suffix(f".{os.getpid()}.new")
        new.write_text(str(chart._esm), "utf-8")
        new.replace(kept)


def failed(failure: Exception, lang: str) -> Markup:
    """What a reader sees of a failure; its type and the same reference go to the log."""
    reference = uuid4().hex[:6].upper()
    log.error("panel failed: %s, reference %s", type(failure).__name__, reference)
    advice = texts.text("page.failed.advice", lang, reference=reference)
    return markup.state("failed", texts.text("page.failed", lang), advice)


def _severities(lang: str) -> list[tuple[str, str]]:
    return [(texts.text(f"severity.{name}", lang), name) for name in SEVERITIES]


def _other_language(lang: str, chosen: Mapping[str, str]) -> str:
    other = "en" if lang == "fr" else "fr"
    address = urlencode({"lang": other, **chosen})
    return f'<a class="d-language" hreflang="{other}" href="?{address}">{texts.text("page.language", lang)}</a>'


def _box(kind: type[Any], classes: str, *children: widgets.Widget) -> Any:
    box = kind(children)
    for name in classes.split():
        box.add_class(name)
    return box


def _button(label: str, act: Callable[[], None]) -> widgets.Button:
    button = widgets.Button(description=label)
    button.add_class("d-button")
    button.on_click(lambda _: act())
    return button
