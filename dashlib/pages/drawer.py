"""A sheet over the right side of a page: what is told of one day or one rule, while the page behind it stays."""

from collections.abc import Callable, Mapping
from html import escape
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from dashlib import texts
from dashlib.markup import Markup
from dashlib.pages.controls import SCRIPTS

DAY_CSS = Path(__file__).parent.parent / "assets" / "explorer" / "day.css"


class Drawer(anywidget.AnyWidget):
    """The sheet: open while it has words. `asked` is told which sheet somebody wants, the empty word for none."""

    _esm = SCRIPTS / "drawer.js"
    _css = DAY_CSS
    label = traitlets.Unicode("").tag(sync=True)
    body = traitlets.Unicode("").tag(sync=True)
    closing = traitlets.Unicode("").tag(sync=True)

    @classmethod
    def of(cls, lang: str, asked: Callable[[str], None]) -> "Drawer":
        drawer = cls(closing=texts.text("drawer.close", lang))
        drawer.on_msg(lambda _, content, __: asked(_named(content)))
        return drawer

    def show(self, title: str, body: Markup) -> None:
        """Opens the sheet, or turns to another; without words it closes."""
        with self.hold_sync():
            self.label = title
            self.body = f"<h2>{escape(title)}</h2>{body}" if body else ""


def _named(content: Mapping[str, Any]) -> str:
    return str(content.get("sheet", ""))


def opening(name: str, address: str, shown: str) -> Markup:
    """A link around some HTML that opens a sheet: in place, or by its address."""
    at = f'href="{escape(address, quote=True)}" data-sheet="{escape(name, quote=True)}"'
    return Markup(f"<a {at}>{shown}</a>")


def pairs(facts: Mapping[str, str | Markup]) -> Markup:
    """Words and what they stand for, those that say nothing left out; what is Markup stands as it is."""
    said = "".join(
        f"<dt>{escape(name)}</dt><dd>{fact if isinstance(fact, Markup) else escape(fact)}</dd>"
        for name, fact in facts.items()
        if fact
    )
    return Markup(f'<dl class="d-facts">{said}</dl>')
