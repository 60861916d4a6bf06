"""Small pieces that all parts of the explorer are drawn with. Pure; every value is escaped here.

What can be clicked says in `data-act` what is asked for, and in `data-arg` of what; the widget hands both on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from html import escape
from typing import Any

from dashlib import texts
from dashlib.markup import GLYPHS, Markup

TONES = {"error": "error", "warning": "warning", "info": "opportunity"}
MARKS = {"new": "✚", "fixed": "✓", "persisting": "●", "rule_changed": "⟲"}
SOON = 15
"""Days left at which a line is marked as urgent."""


@dataclass(frozen=True)
class Words:
    """In which language people are spoken to, and what rules call themselves."""

    lang: str
    labels: Mapping[str, str]

    def __call__(self, key: str, **facts: object) -> str:
        return texts.text(f"explorer.{key}", self.lang, **facts)

    def html(self, key: str, **facts: object) -> str:
        """The words as they stand in HTML, also within quotes."""
        return escape(self(key, **facts), quote=True)

    def plural(self, key: str, number: int, **facts: object) -> str:
        return texts.plural(f"explorer.{key}", number, self.lang, **facts)

    def rule(self, name: str) -> str:
        """What a rule calls itself; its name where it has no words."""
        return self.labels.get(name, name)

    def value(self, facet: str, value: str) -> str:
        """A value of a facet as people say it."""
        if facet in ("days", "status", "state", "severity"):
            return self(f"{facet}.{value}")
        if facet == "rule_id":
            return self.rule(value)
        return value or self(f"none.{facet}")

    def money(self, amount: Decimal | None) -> str:
        return texts.money(amount, self.lang)

    def number(self, number: int | None) -> str:
        return texts.integer(number, self.lang)


def attributes(act: str, arg: object = "", **more: object) -> str:
    """What makes a piece of HTML ask for something."""
    given = {"data-act": act, **({"data-arg": arg} if arg != "" else {}), **more}
    named = (
        (name.replace("_", "-"), value) for name, value in given.items() if value is not None and value is not False
    )
    return " ".join(name if value is True else f'{name}="{escape(str(value), quote=True)}"' for name, value in named)


def button(label: str, act: str, arg: object = "", *, kind: str = "", **more: object) -> str:
    return f'<button type="button" class="dx-button {kind}" {attributes(act, arg, **more)}>{escape(label)}</button>'


def select(label: str, act: str, options: Sequence[tuple[str, str]], chosen: str, *, key: str) -> str:
    """A native list with its label; a choice acts at once."""
    said = "".join(
        f'<option value="{escape(value, quote=True)}"{" selected" if value == chosen else ""}>{escape(text)}</option>'
        for text, value in options
    )
    return (
        f'<label class="dx-select"><span>{escape(label)}</span>'
        f'<select id="{key}" {attributes(act)}>{said}</select></label>'
    )


def severity(name: str, words: Words) -> str:
    """A severity as shape, word and colour, so that none of them stands alone."""
    tone = TONES.get(name, "neutral")
    glyph = GLYPHS.get(tone, "○")  # type: ignore[call-overload]  # tones are keys of GLYPHS
    return f'<span class="dx-sev {tone}"><i aria-hidden="true">{glyph}</i>{words.html(f"severity.{name}")}</span>'


def state(name: str | None, words: Words) -> str:
    """What became of a result since the earlier run."""
    if name is None:
        return ""
    return f'<span class="dx-state {name}"><i aria-hidden="true">{MARKS[name]}</i>{words.html(f"state.{name}")}</span>'


def stake(row: Mapping[str, Any], words: Words) -> str:
    """The one sum at stake on a row, with its name; they are never added up."""
    for name in ("at_risk", "to_repay", "gain"):
        if row[name]:
            return f"<b>{words.money(row[name])}</b><small>{words.html(f'stake.{name}')}</small>"
    return f"<span>{texts.NULL if row['at_risk'] is None else words.money(Decimal(0))}</span>"


def days(left: int | None, words: Words) -> str:
    """Days that are left to bill a line; few of them are marked."""
    if left is None:
        return texts.NULL
    kind = "late" if left < 0 else "soon" if left <= SOON else ""
    said = words("days.passed") if left < 0 else words.plural("days.left", left) if left else words("days.last")
    return f'<span class="dx-left {kind}">{escape(said)}</span>'


def code(text: str | None) -> str:
    return f'<span class="dx-mono">{escape(text)}</span>' if text else texts.NULL


def day(when: date | None) -> str:
    return f'<span class="dx-mono">{texts.day(when)}</span>'


def note(said: str, kind: str = "") -> Markup:
    return Markup(f'<p class="dx-note {kind}">{escape(said)}</p>')
