"""What a visitor looks at: a period, places, doctors, a rule, a severity; as an address, as a scope, and as a bar."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from datetime import date, timedelta

import ipywidgets as widgets

from dashlib import texts
from dashlib.metrics import Holdings, Scope
from dashlib.pages.controls import Choices, Fold, box, button
from dashlib.pages.visit import Visit

PERIODS: dict[str, int | None] = {"7": 7, "30": 30, "90": 90, "365": 365, "all": None}
DATES = "dates"
SEVERITIES = ("error", "warning", "info")
NONE = "-"
"""How an address names lines without a place or a doctor; the empty word means all."""


@dataclass(frozen=True)
class Filters:
    """The choices of a visitor; what is not chosen is the default, and does not stand in the address."""

    period: str = "90"
    since: date | None = None
    until: date | None = None
    place: tuple[str, ...] = ()
    doctor: tuple[str, ...] = ()
    rule: str = ""
    severity: str = ""
    day: str = ""
    """The day whose sheet is open, and the doctor where it is of one: 2025-06-03,MÉD-…"""

    @classmethod
    def read(cls, asked: Mapping[str, str], held: Holdings) -> "Filters":
        """What an address asks for, as far as it can be had: an address is typed, shared, and grows old."""
        since, until = (_day(asked.get(name, "")) for name in ("since", "until"))
        period = asked.get("period", cls.period)
        is_dated = period == DATES and since is not None and until is not None and since <= until
        return cls(
            period=period if period in PERIODS or is_dated else cls.period,
            since=since if is_dated else None,
            until=until if is_dated else None,
            place=_among(asked.get("place", ""), held.places),
            doctor=_among(asked.get("doctor", ""), held.doctors),
            rule=asked.get("rule", "") if asked.get("rule", "") in held.rules else "",
            severity=asked.get("severity", "") if asked.get("severity", "") in SEVERITIES else "",
            day=asked.get("day", "") if read_day_name(asked.get("day", "")) else "",
        )

    @property
    def narrowing(self) -> list[str]:
        """The choices that can leave no line, the narrowest first."""
        narrow = ("doctor", "place", "period")
        return [name for name in narrow if getattr(self, name) != getattr(Filters(), name)]

    @property
    def asked(self) -> dict[str, str]:
        """The choices as an address holds them: only those that differ from the default."""
        default = Filters()
        chosen = {f.name: getattr(self, f.name) for f in fields(self)}
        return {name: _written(value) for name, value in chosen.items() if value != getattr(default, name)}

    def scope(self, held: Holdings) -> Scope:
        """The part of what is held that is looked at; days are counted back from the last one held."""
        places, doctors = (tuple("" if one == NONE else one for one in chosen) for chosen in (self.place, self.doctor))
        if self.since and self.until:
            return Scope(self.since, self.until, places, doctors, self.rule or None)
        days = PERIODS[self.period]
        first = held.first if days is None else max(held.last - timedelta(days=days - 1), held.first)
        return Scope(first, held.last, places, doctors, self.rule or None)

    def between(self, since: date, until: date) -> "Filters":
        """The same, of other days."""
        return replace(self, period=DATES, since=since, until=until)

    def without(self, *names: str) -> "Filters":
        """The same with some choices taken back; without its period it is of all dates."""
        default = replace(Filters(), period="all") if "period" in names else Filters()
        days = ("since", "until") if "period" in names else ()
        return replace(self, **{name: getattr(default, name) for name in (*names, *days)})


class FilterBar:
    """The row of choices above a page, always the same: a choice acts at once, and stands in the page's address."""

    def __init__(self, visit: Visit, held: Holdings, changed: Callable[[], None]) -> None:
        self._lang, self._held, self._changed = visit.lang, held, changed
        self.filters = Filters.read(visit.filters, held)
        self._is_quiet = False
        self._period = self._select("period", [*((p, f"period.{p}") for p in PERIODS), (DATES, "period.dates")])
        self._days = {name: self._day_field(name) for name in ("since", "until")}
        self._dates = box(widgets.HBox, "d-dates", *self._days.values())
        self._many = {
            "place": self._choices("place", held.places),
            "doctor": self._choices("doctor", held.doctors),
            "rule": self._choices("rule", tuple(held.rules), names=held.rules, is_single=True),
        }
        self._severity = self._select("severity", [("", "severity.all"), *((s, f"severity.{s}") for s in SEVERITIES)])
        self.counted = widgets.HTML()
        reset = button(texts.text("filter.reset", self._lang), self.reset)
        self._controls = (self._period, *self._days.values(), *self._many.values(), self._severity, reset)
        self._fold = Fold()
        parts = (self._fold, self._period, self._dates, *self._many.values(), self._severity, reset)
        self.widget = box(widgets.HBox, "d-bar", *parts)
        self._show()

    @property
    def scope(self) -> Scope:
        return self.filters.scope(self._held)

    @property
    def severity(self) -> str | None:
        return self.filters.severity or None

    def count(self, lines: int) -> None:
        """Says how many of all lines the filters leave."""
        self.counted.value = texts.plural("filter.lines", lines, self._lang, all=self._held.lines)

    def take(self, filters: Filters) -> None:
        """Other choices, as if the visitor had made them: one redraw."""
        self.filters = filters
        self._show()
        self._changed()

    def note(self, filters: Filters) -> None:
        """Other choices that change no figure on the page: the bar shows them, nothing is asked."""
        self.filters = filters
        self._show()

    def enable(self, is_usable: bool) -> None:
        """Lets the choices be made, or not while nobody could answer them."""
        for control in self._controls:
            control.disabled = not is_usable

    def said(self, name: str) -> str:
        """A choice that is set, as its label says it."""
        scope = self.scope
        words = texts.period(scope.since, scope.until, self._lang) if name == "period" else self._chosen_words(name)
        return f"{texts.text(f'filter.{name}', self._lang)} {words}"

    def reset(self) -> None:
        """All choices back to what they are when nothing is asked."""
        self.take(Filters())

    def words(self) -> list[str]:
        """The choices that are set, as their labels say them."""
        said = {"period": self._period_words(), **{name: self._chosen_words(name) for name in self._many}}
        if self.filters.severity:
            said["severity"] = texts.text(f"severity.{self.filters.severity}", self._lang)
        return [f"{texts.text(f'filter.{name}', self._lang)} {words}" for name, words in said.items() if words]

    def ways_out(self) -> Iterator[widgets.Button]:
        """A button for each choice that can be taken away, and one for all dates."""
        for name in ("place", "doctor", "rule", "severity"):
            if getattr(self.filters, name):
                label = texts.text("page.remove", self._lang, name=texts.text(f"filter.{name}", self._lang))
                yield button(label, self._taking(self.filters.without(name)))
        if self.filters.period != "all":
            yield button(texts.text("page.widen", self._lang), self._taking(self.filters.without("period")))

    def _taking(self, filters: Filters) -> Callable[[], None]:
        return lambda: self.take(filters)

    def _period_words(self) -> str:
        if self.filters.period == Filters.period:
            return ""
        scope = self.scope
        return texts.period(scope.since, scope.until, self._lang)

    def _chosen_words(self, name: str) -> str:
        chosen = getattr(self.filters, name)
        values = chosen if isinstance(chosen, tuple) else (chosen,) if chosen else ()
        labels = dict(self._many[name].options)
        return ", ".join(str(labels.get(value, value)) for value in values)

    def _show(self) -> None:
        """The bar says what the filters are; nothing is asked meanwhile."""
        self._is_quiet = True
        chosen, scope = self.filters, self.scope
        self._period.value, self._severity.value = chosen.period, chosen.severity
        self._many["place"].chosen, self._many["doctor"].chosen = list(chosen.place), list(chosen.doctor)
        self._many["rule"].chosen = [chosen.rule] if chosen.rule else []
        self._days["since"].value, self._days["until"].value = texts.day(scope.since), texts.day(scope.until)
        self._dates.layout.display = "flex" if chosen.period == DATES else "none"
        label, chosen_count = texts.text("filters.fold", self._lang), len(self.words())
        self._fold.label = f"{label} ({chosen_count})" if chosen_count else label
        self._is_quiet = False

    def _on_change(self, _: object) -> None:
        if self._is_quiet:
            return
        period = self._period.value
        since, until = (_day(self._days[name].value) for name in ("since", "until"))
        if period == DATES and not (since and until and since <= until):
            # Dates not yet typed: what they will begin with is the period as it stood.
            since, until = self.scope.since, self.scope.until
        rule = self._many["rule"].chosen
        self.take(
            Filters(
                period=period,
                since=since if period == DATES else None,
                until=until if period == DATES else None,
                place=tuple(self._many["place"].chosen),
                doctor=tuple(self._many["doctor"].chosen),
                rule=rule[0] if rule else "",
                severity=self._severity.value,
            )
        )

    def _select(self, name: str, options: list[tuple[str, str]]) -> widgets.Dropdown:
        named = [(texts.text(key, self._lang), value) for value, key in options]
        label = texts.text(f"filter.{name}", self._lang)
        select = widgets.Dropdown(options=named, value=named[0][1], description=label)
        select.observe(self._on_change, "value")
        return select

    def _day_field(self, name: str) -> widgets.Text:
        # A browser's own date field follows the browser's language, not the page's.
        label = texts.text(f"filter.{name}", self._lang)
        field = widgets.Text(description=label, placeholder=texts.text("filter.day_form", self._lang))
        field.continuous_update = False
        field.observe(self._on_change, "value")
        return field

    def _choices(
        self, name: str, values: tuple[str, ...], *, names: Mapping[str, str] | None = None, is_single: bool = False
    ) -> Choices:
        blank = texts.text(f"{name}.none", self._lang)
        options = [(value or NONE, (names or {}).get(value) or value or blank) for value in values]
        label, everything = (texts.text(f"filter.{key}", self._lang) for key in (name, f"all_{name}s"))
        choices = Choices.of(label, everything, options, self._lang, is_single=is_single)
        choices.observe(self._on_change, "chosen")
        return choices


def _among(written: str, known: tuple[str, ...]) -> tuple[str, ...]:
    """Those of a list in an address that exist, in the order of what is held."""
    asked = set(written.split(",")) if written else set()
    return tuple(value or NONE for value in known if (value or NONE) in asked)


def day_name(day: date, doctor: str | None) -> str:
    """How an address names the sheet of a day: the day, and the doctor where it is of one."""
    return texts.day(day) if doctor is None else f"{texts.day(day)},{doctor}"


def read_day_name(written: str) -> tuple[date, str | None] | None:
    """The day and the doctor of a name in an address; None where it names no day."""
    first, comma, doctor = written.partition(",")
    day = _day(first)
    return None if day is None else (day, doctor if comma else None)


def _day(written: str) -> date | None:
    try:
        return date.fromisoformat(written.strip())
    except ValueError:
        return None


def _written(value: object) -> str:
    return ",".join(value) if isinstance(value, tuple) else str(value)
