"""A card: one chart or table, its words, and the figures behind it; when it fails it fails alone."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import altair as alt
import ipywidgets as widgets
from altair.utils.schemapi import debug_mode

from dashlib import charts, markup, texts
from dashlib.chart_script import script_name
from dashlib.failures import failed
from dashlib.markup import Markup
from dashlib.pages.controls import box, button

NOTHING = Markup()

type Picked = Mapping[str, Any]


@dataclass(frozen=True)
class Shown:
    """What a card shows: words above, a drawing or a table, and behind it the figures of the drawing."""

    title: str
    note: str
    body: alt.LayerChart | Markup
    data: Markup = NOTHING


class Card:
    """A place on a page that shows what `ask` makes of the page's facts, and hands on what is picked or opened in it.

    `control` stands between the words and the drawing: what a visitor chooses for this card alone.
    """

    def __init__(
        self,
        ask: Callable[[Any], Shown],
        lang: str,
        *,
        span: int = 12,
        base: str | None = None,
        picked: Callable[[Picked], None] | None = None,
        opened: Callable[[Picked], None] | None = None,
        control: widgets.Widget | None = None,
    ) -> None:
        self._ask, self._lang, self._span, self._base = ask, lang, span, base
        self._picked, self._opened = picked, opened
        self._words, self._said, self._data = widgets.HTML(), widgets.HTML(), widgets.HTML()
        self._place = box(widgets.VBox, "d-place")
        self._chart: alt.JupyterChart | None = None
        self._facts: Any = None
        parts = (self._words, *([control] if control else []), self._place, self._data)
        self.widget = box(widgets.VBox, f"d-card s{span}", *parts)

    @property
    def outline(self) -> Markup:
        """The card as it stands, in HTML that needs no widget; where its chart will stand there is room for it."""
        is_drawn = self._place.children == (self._chart,)
        body = "" if is_drawn else self._said.value
        kind = " d-wait" if is_drawn else ""
        return Markup(f'<section class="d-card s{self._span}{kind}">{self._words.value}{body}</section>')

    def show(self, facts: Any) -> None:
        self._facts = facts
        try:
            with debug_mode(False):  # each part of a drawing checked by itself takes a third of the time of a redraw
                shown = self._ask(facts)
            self._words.value = markup.card_head(shown.title, shown.note)
            self._data.value = shown.data
            if isinstance(shown.body, Markup):
                self._say(shown.body)
            else:
                self._draw(shown.body)
        except Exception as failure:  # noqa: BLE001 - a page outlives its cards; the type is logged, the reader is told
            self.fail(failed(failure, self._lang), lambda: self.show(self._facts))

    def fail(self, said: Markup, again: Callable[[], None]) -> None:
        """Words about a failure where the drawing would stand, and a button to try once more."""
        self._data.value = ""
        self._said.value = said
        self._place.children = (self._said, button(texts.text("page.retry", self._lang), again))

    def _say(self, words: Markup) -> None:
        self._said.value = words
        self._place.children = (self._said,)

    def _draw(self, chart: alt.LayerChart) -> None:
        # A chart that is replaced flickers, one whose drawing is replaced does not.
        if self._chart is None:
            self._chart = _drawn_by(self._base)(chart, embed_options=charts.embed_options(self._lang))
        else:
            self._chart.chart = chart
        for name, then, told in ((charts.PICK, self._picked, _on_pick), (charts.OPEN, self._opened, _on_open)):
            if then and hasattr(self._chart.selections, name):
                self._chart.selections.observe(functools.partial(told, then), name)
        if self._place.children != (self._chart,):
            self._place.children = (self._chart,)


def _on_pick(then: Callable[[Picked], None], change: Mapping[str, Any]) -> None:
    chosen = change["new"].value
    if chosen:
        then(chosen[0] if isinstance(chosen, list) else chosen)


def _on_open(then: Callable[[Picked], None], change: Mapping[str, Any]) -> None:
    """A second click on the same mark takes it away again: it is meant all the same."""
    before, now = (list(change[name].value or ()) for name in ("old", "new"))
    clicked = [mark for mark in now if mark not in before] or [mark for mark in before if mark not in now]
    if len(clicked) == 1:
        then(clicked[0])


@functools.cache
def _drawn_by(base: str | None) -> type[alt.JupyterChart]:
    """A chart whose script the browser fetches from our server once; without one each chart brings its own."""
    if base is None:
        return alt.JupyterChart
    script = f"""
        const {{ default: chart }} = await import(new URL("{base}dashlib/{script_name()}", location.origin));
        // The frame that days are drawn with has no words; whoever hears the page is not told of it.
        const hush = (el) => el.querySelectorAll('[class*="{charts.PICK}_brush"]').forEach(
          (frame) => frame.setAttribute("aria-hidden", "true"));
        const render = (given) => {{
          new MutationObserver(() => hush(given.el)).observe(given.el, {{ childList: true, subtree: true }});
          return chart.render(given);
        }};
        export default {{ ...chart, render }};
    """
    return type("ServedChart", (alt.JupyterChart,), {"_esm": script})
