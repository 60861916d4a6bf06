"""The widget: regions of HTML that Python draws, and a script that shows them and tells what was clicked or typed.

All state is here in the kernel; the browser holds what it shows and nothing more. The script is ours and short: nothing
is loaded from elsewhere.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import anywidget
import traitlets

ASSETS = Path(__file__).parent.parent / "assets"
STATIC = ASSETS / "jupyter" / "voila" / "templates" / "dashlib" / "static"
FONT = "source-sans-3-latin-wght-normal.woff2"
REGIONS = ("bar", "facets", "table", "detail", "over", "said")

type Act = Callable[[str, str, Mapping[str, str]], None]


def _css() -> str:
    """Our colours on our own element only: whatever page shows the explorer keeps its own."""
    theme = (STATIC / "theme.css").read_text("utf-8").replace("html:root", ".dx").replace(":root", ".dx")
    ours = ((ASSETS / "explorer" / name).read_text("utf-8") for name in ("explorer.css", "day.css"))
    return "".join([theme.replace('"] {', '"] .dx {'), *ours])


class Surface(anywidget.AnyWidget):
    """The regions on the page; `lang`, and `busy`, what it says while it waits, are set once."""

    _esm = (ASSETS / "explorer" / "explorer.js").read_text("utf-8")
    _css = _css()
    lang = traitlets.Unicode("fr").tag(sync=True)
    busy = traitlets.Unicode("").tag(sync=True)
    bar = traitlets.Unicode("").tag(sync=True)
    facets = traitlets.Unicode("").tag(sync=True)
    table = traitlets.Unicode("").tag(sync=True)
    detail = traitlets.Unicode("").tag(sync=True)
    over = traitlets.Unicode("").tag(sync=True)
    said = traitlets.Unicode("").tag(sync=True)

    def __init__(self, act: Act, **traits: str) -> None:
        super().__init__(**traits)
        self._act = act
        self.on_msg(self._asked)

    def _asked(self, _: object, content: Mapping[str, Any], __: object) -> None:
        """Something was clicked or typed; whatever becomes of it, the page is told that it was dealt with."""
        if content.get("act") == "font":
            self.send({"do": "font"}, [(STATIC / FONT).read_bytes()])
            return
        values = {str(name): str(value) for name, value in dict(content.get("values") or {}).items()}
        self._act(str(content.get("act", "")), str(content.get("arg", "")), values)
        self.send({"do": "done"})

    def download(self, name: str, kind: str, data: bytes) -> None:
        """Hands a file to the browser: bytes, that lie on no disk."""
        self.send({"do": "download", "name": name, "type": kind}, [data])

    def copy(self, text: str) -> None:
        """Puts a text on the browser's clipboard."""
        self.send({"do": "copy", "text": text})

    def focus(self, selector: str) -> None:
        """Moves the cursor to where somebody wants to type now."""
        self.send({"do": "focus", "on": selector})
