"""« Explorateur »: the results of a run, one by one, as analysts have them in a notebook; here in the browser alone."""

from typing import TYPE_CHECKING

import ipywidgets as widgets

from dashlib import markup, texts
from dashlib.errors import DashError
from dashlib.markup import Markup
from dashlib.pages.base import MAY_LOOK, Notice, navigation, no_right
from dashlib.pages.controls import box
from dashlib.pages.visit import Visit
from dashlib.workbench import Workbench, open_workbench

if TYPE_CHECKING:
    from dashlib.explorer import Explorer

NAME = "explorer"


def opened(visit: Visit, wb: Workbench | None = None) -> "Explore | Notice":
    """The explorer of the run, rule and comparison that the address names, or what there is to say instead."""
    # No other page needs what reads rules and explains results: 30 MiB. Its notebook loads it before anybody comes.
    from dashlib import explorer

    try:
        asked, wb = visit.filters, wb or open_workbench()
        if wb.viewer.role not in MAY_LOOK:
            return no_right(NAME, visit)
        shown = explorer.explore(asked.get("run", "last"), compare=asked.get("compare"), lang=visit.lang, wb=wb)
    except DashError as refused:
        return Notice(NAME, visit, markup.state("failed", str(refused)))
    if not isinstance(shown, explorer.Explorer):
        sentences = (texts.text(key, visit.lang) for key in ("page.empty", "page.empty.advice"))
        return Notice(NAME, visit, markup.state("empty", *sentences))
    for facet, value in (("rule_id", asked.get("rule")), ("state", asked.get("state"))):
        if value:
            shown.act("facet", f"{facet}={value}")
    return Explore(shown, visit)


class Explore:
    """The explorer under the header that all pages have."""

    def __init__(self, shown: "Explorer", visit: Visit) -> None:
        self.explorer, self._visit = shown, visit

    @property
    def outline(self) -> Markup:
        return Markup(f'<main class="d-page d-still">{self._header}</main>')

    @property
    def widget(self) -> widgets.Widget:
        return box(widgets.VBox, "d-page d-live", widgets.HTML(self._header), self.explorer.widget)

    @property
    def _header(self) -> Markup:
        title = texts.text(f"{NAME}.title", self._visit.lang)
        return markup.head(title, "", "", links=navigation(NAME, self._visit, self._visit.filters))
