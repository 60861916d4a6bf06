"""Every word that a person reads, in French and English, and the one way to write numbers, money and dates.

Words lie beside this file: `fr.json` and `en.json` by key, and a file per room (`{key: {"fr": …, "en": …}}`).
The ground floor: of the house it imports only `cards`.
"""

import functools
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from importlib import resources
from typing import Any, Literal
from zoneinfo import ZoneInfo

from dashlib.cards import without_cards

Language = Literal["fr", "en"]
LANGUAGES: tuple[Language, ...] = ("fr", "en")

TORONTO = ZoneInfo("America/Toronto")
"""The clock of the offices and of the RAMQ."""

NULL = "—"
NBSP, NARROW, MINUS = "\u00a0", "\u202f", "\u2212"

_spoken: ContextVar[Language] = ContextVar("dashlib_language", default="fr")


def text(key: str, lang: str = "fr", **facts: object) -> str:
    """The words of `key`, with its facts filled in; whole numbers are grouped, unless the words ask `{port:d}`."""
    return words(lang)[key].format_map({name: _fact(value, lang) for name, value in facts.items()})


def plural(key: str, number: int, lang: str = "fr", **facts: object) -> str:
    """The words of `key.one` or `key.other` for `{n}` things: none is singular in French, and plural in English."""
    single = abs(number) < 2 if lang == "fr" else abs(number) == 1
    return text(f"{key}.{'one' if single else 'other'}", lang, n=number, **facts)


def error(code: str, facts: Mapping[str, object], lang: str | None = None) -> str:
    """What went wrong, behind its code: what, where, and what to do. Never fails, so that the fault itself is seen.

    Nothing in the form of a health insurance number is ever said, whoever typed it and wherever.
    """
    lang = lang or _spoken.get()
    sentence = words(lang).get(code, "")
    filled = without_cards(sentence.format_map(_Facts((name, _fact(value, lang)) for name, value in facts.items())))
    return f"{code}{NBSP if lang == 'fr' else ''}: {filled}" if filled else code


@contextmanager
def speaking(lang: Language) -> Iterator[None]:
    """Errors inside are said in this language; outside in French."""
    token = _spoken.set(lang)
    try:
        yield
    finally:
        _spoken.reset(token)


@functools.cache
def words(lang: str) -> dict[str, str]:
    """All words of a language by key; a key that stands in two files is refused."""
    found: dict[str, str] = {}
    for file in sorted(resources.files(__name__).iterdir(), key=lambda file: file.name):
        if file.name.endswith(".json"):
            for key, sentence in _read(json.loads(file.read_text("utf-8")), file.name, lang).items():
                if found.setdefault(key, sentence) is not sentence:
                    raise ValueError(f"{file.name}: {key} is already in another file")
    return found


def _read(entries: dict[str, Any], name: str, lang: str) -> dict[str, str]:
    if name.removesuffix(".json") in LANGUAGES:
        return entries if name == f"{lang}.json" else {}
    return {key: sentences[lang] for key, sentences in entries.items()}


@dataclass(frozen=True)
class Phrase:
    """Words that stand inside a sentence and are said in its language: a key, and its facts. `str` is the English."""

    key: str
    facts: Mapping[str, object] = field(default_factory=dict)

    def said(self, lang: str) -> str:
        return words(lang)[self.key].format_map(_Facts((name, _fact(fact, lang)) for name, fact in self.facts.items()))

    def __str__(self) -> str:
        return self.said("en")


@dataclass(frozen=True)
class Phrases:
    """Several of them, one behind the other."""

    parts: tuple["Phrase | Phrases", ...]

    def said(self, lang: str) -> str:
        return f"{NBSP if lang == 'fr' else ''}; ".join(part.said(lang) for part in self.parts)

    def __str__(self) -> str:
        return self.said("en")


class _Facts(dict[str, object]):
    def __missing__(self, name: str) -> str:
        return "…"


class _Grouped(int):
    """A whole number that writes itself in groups of three, unless a format is asked for."""

    lang: str

    @classmethod
    def of(cls, number: int, lang: str) -> "_Grouped":
        grouped = cls(number)
        grouped.lang = lang
        return grouped

    def __format__(self, spec: str) -> str:
        return int.__format__(self, spec) if spec else integer(self, self.lang)


def _fact(value: object, lang: str) -> object:
    if isinstance(value, Phrase | Phrases):
        return value.said(lang)
    return _Grouped.of(value, lang) if isinstance(value, int) and not isinstance(value, bool) else value


def integer(number: int | None, lang: str = "fr") -> str:
    """1 214 / 1,214."""
    return NULL if number is None else _grouped(Decimal(int(number)), 0, lang)


def decimal(number: Decimal | float | None, lang: str = "fr", places: int = 2) -> str:
    """2,75 / 2.75."""
    return NULL if number is None else _grouped(_exact(number), places, lang)


def half(number: float | None, lang: str = "fr") -> str:
    """A median of whole numbers: 24, or 24,5."""
    return decimal(number, lang, 0 if number is None or number == int(number) else 1)


def percent(share: Decimal | float | None, lang: str = "fr", places: int = 1) -> str:
    """A share of 1 as 2,6 % / 2.6%; a share too small to show is not called zero."""
    if share is None:
        return NULL
    sign = f"{NBSP}%" if lang == "fr" else "%"
    least = Decimal(1).scaleb(-places)
    hundredths = _exact(share) * 100
    if 0 < hundredths < least:
        return f"<{NBSP}{_grouped(least, places, lang)}{sign}"
    return _grouped(hundredths, places, lang) + sign


def points(difference: Decimal | float | None, lang: str = "fr") -> str:
    """The distance of two shares of 1, without its sign: 0,9 pt / 0.9 pt."""
    return NULL if difference is None else f"{_grouped(abs(_exact(difference)) * 100, 1, lang)}{NBSP}pt"


def money(amount: Decimal | int | None, lang: str = "fr") -> str:
    """18 432,60 $ / $18,432.60."""
    if amount is None:
        return NULL
    figure = _grouped(abs(Decimal(amount)), 2, lang)
    sign = MINUS if amount < 0 else ""
    return f"{sign}{figure}{NBSP}$" if lang == "fr" else f"{sign}${figure}"


def _exact(number: Decimal | float) -> Decimal:
    return number if isinstance(number, Decimal) else Decimal(repr(number))


def _grouped(number: Decimal, places: int, lang: str) -> str:
    rounded = number.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)
    figure = f"{abs(rounded):,.{places}f}"
    if lang == "fr":
        figure = figure.translate({ord(","): NARROW, ord("."): ","})
    return f"{MINUS}{figure}" if rounded < 0 else figure


MONTHS: dict[str, tuple[str, ...]] = {
    "fr": (
        *("janvier", "février", "mars", "avril", "mai", "juin"),
        *("juillet", "août", "septembre", "octobre", "novembre", "décembre"),
    ),
    "en": (
        *("January", "February", "March", "April", "May", "June"),
        *("July", "August", "September", "October", "November", "December"),
    ),
}
SHORT_MONTHS: dict[str, tuple[str, ...]] = {
    "fr": ("janv.", "févr.", "mars", "avr.", "mai", "juin", "juill.", "août", "sept.", "oct.", "nov.", "déc."),
    "en": ("Jan.", "Feb.", "March", "April", "May", "June", "July", "Aug.", "Sept.", "Oct.", "Nov.", "Dec."),
}
DAYS: dict[str, tuple[str, ...]] = {
    "fr": ("dimanche", "lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi"),
    "en": ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"),
}


def day(when: date | None) -> str:
    """2025-06-30, as it stands in tables of either language."""
    return NULL if when is None else f"{when:%Y-%m-%d}"


def long_day(when: date | None, lang: str = "fr", *, year: bool = True) -> str:
    """30 juin 2025, 1er juillet 2025 / June 30, 2025, as it stands in sentences."""
    if when is None:
        return NULL
    month = MONTHS[lang][when.month - 1]
    if lang == "fr":
        number = "1er" if when.day == 1 else str(when.day)
        return f"{number}{NBSP}{month}" + (f" {when.year}" if year else "")
    return f"{month}{NBSP}{when.day}" + (f", {when.year}" if year else "")


def period(first: date, last: date, lang: str = "fr") -> str:
    """1er avril – 30 juin 2025; the year stands once when it is the same, and so does a single day."""
    if first == last:
        return long_day(first, lang)
    return f"{long_day(first, lang, year=first.year != last.year)} – {long_day(last, lang)}"


def clock(when: datetime | None, lang: str = "fr") -> str:
    """18 h 04 / 6:04 p.m., in Toronto."""
    if when is None:
        return NULL
    local = when.astimezone(TORONTO)
    if lang == "fr":
        return f"{local.hour}{NBSP}h{NBSP}{local.minute:02}"
    return f"{local.hour % 12 or 12}:{local.minute:02}{NBSP}{'a.m.' if local.hour < 12 else 'p.m.'}"


def moment(when: datetime | None, lang: str = "fr") -> str:
    """30 juin 2025 à 18 h 04 / June 30, 2025, 6:04 p.m., in Toronto."""
    if when is None:
        return NULL
    joint = " à " if lang == "fr" else ", "
    return f"{long_day(when.astimezone(TORONTO).date(), lang)}{joint}{clock(when, lang)}"


def vega_numbers(lang: str = "fr") -> dict[str, Any]:
    """How Vega writes numbers; its own fr-CA lacks the space before the dollar."""
    if lang == "fr":
        marks = {"decimal": ",", "thousands": NARROW, "currency": ["", f"{NBSP}$"], "percent": f"{NBSP}%"}
    else:
        marks = {"decimal": ".", "thousands": ",", "currency": ["$", ""], "percent": "%"}
    return {**marks, "grouping": [3], "minus": MINUS}


def vega_dates(lang: str = "fr") -> dict[str, Any]:
    """How Vega writes dates; its own fr-CA shortens juin and juillet alike."""
    return {
        "dateTime": "%A %e %B %Y, %X" if lang == "fr" else "%A, %B %e, %Y, %X",
        "date": "%Y-%m-%d",
        "time": "%H:%M",
        "periods": ["", ""] if lang == "fr" else ["a.m.", "p.m."],
        "days": list(DAYS[lang]),
        "shortDays": [name[:3] + ("." if lang == "fr" else "") for name in DAYS[lang]],
        "months": list(MONTHS[lang]),
        "shortMonths": list(SHORT_MONTHS[lang]),
    }
