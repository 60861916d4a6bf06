"""Controls that Jupyter's own widgets lack: a list to choose several from, and what only a browser can do.

The scripts are small and our own (`controls/*.js`): nothing is loaded from elsewhere.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import anywidget
import ipywidgets as widgets
import traitlets

from dashlib import texts
from dashlib.failures import failed

SCRIPTS = Path(__file__).parent / "scripts"


class Choices(anywidget.AnyWidget):
    """A list behind a button, with a search: several can be ticked, or one."""

    _esm = SCRIPTS / "choices.js"
    label = traitlets.Unicode().tag(sync=True)
    everything = traitlets.Unicode().tag(sync=True)
    options: traitlets.List[Any] = traitlets.List().tag(sync=True)
    chosen: traitlets.List[Any] = traitlets.List().tag(sync=True)
    is_single = traitlets.Bool(default_value=False).tag(sync=True)
    disabled = traitlets.Bool(default_value=False).tag(sync=True)
    words = traitlets.Dict().tag(sync=True)

    @classmethod
    def of(
        cls, label: str, everything: str, options: Sequence[tuple[str, str]], lang: str, *, is_single: bool
    ) -> "Choices":
        """A list of (value, words); `everything` is what it says while nothing is chosen."""
        said = {key: texts.text(f"choices.{key}", lang) for key in ("search", "several", "none", "clear")}
        return cls(label=label, everything=everything, options=[*options], is_single=is_single, words=said)


class Fold(anywidget.AnyWidget):
    """A button behind which the bar is folded on a narrow screen; it says how many choices are set."""

    _esm = SCRIPTS / "fold.js"
    label = traitlets.Unicode().tag(sync=True)


type Made = Callable[[], tuple[str, bytes]]
"""Makes a file when it is asked for: its name and its bytes."""


class Saver(anywidget.AnyWidget):
    """A button that saves a file.

    It goes over the kernel's own connection into the browser: nothing of it touches a disk here.
    """

    _esm = SCRIPTS / "actions.js"
    query = traitlets.Unicode(allow_none=True, default_value=None).tag(sync=True)
    words = traitlets.Dict().tag(sync=True)

    @classmethod
    def of(cls, label: str, lang: str, save: Made) -> "Saver":
        words = {key: texts.text(f"actions.{key}", lang) for key in ("copy", "copied", "making", "failed")}
        saver = cls(words={**words, "save": label})
        saver.on_msg(lambda _, asked, __: saver._save(save, lang) if asked == {"ask": "file"} else None)
        return saver

    def _save(self, save: Made, lang: str) -> None:
        try:
            name, content = save()
        except Exception as failure:  # noqa: BLE001 - raised, it would stand in the kernel's log with what it quotes
            failed(failure, lang)
            self.send({"failed": True})
            return
        self.send({"name": name}, buffers=[content])


class Actions(Saver):
    """What is done with a page: its figures saved, and its address, `query`, kept up to date and copied."""


def box(kind: type[Any], classes: str, *children: widgets.Widget) -> Any:
    """A box of widgets with the classes of our style sheet."""
    made = kind(children)
    for name in classes.split():
        made.add_class(name)
    return made


def button(label: str, act: Callable[[], None]) -> widgets.Button:
    made = widgets.Button(description=label)
    made.add_class("d-button")
    made.on_click(lambda _: act())
    return made
