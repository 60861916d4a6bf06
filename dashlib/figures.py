"""A page's figures, from frames of days and rules: sums, shares, their direction, and the sentence they make. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import polars as pl

from dashlib import texts
from dashlib.charts import SEVERITY_TONE, TARGET, Tone, sparkline
from dashlib.markup import Tile

CLEAN_TARGET = 0.98
"""Invoices without error: 98 % accepted at first is best practice."""

STAKES = ("at_risk", "to_repay", "gain")
"""The three sums of money, which are never netted."""

SOON_DAYS = 15
"""What has so many days left, or fewer, cannot wait."""

FEW = 5
"""Counts below this are not told of a single day, doctor or place in what leaves the house."""

SPARKS = 12
LEAST_SHARE = 0.0005
"""Shares closer than what a page shows, 0,1 point, are the same."""

FIRST_CAUSES = 3


def gravity() -> pl.Expr:
    """By what results and rules are sorted: errors first, then warnings, then the rest."""
    return pl.col("severity").replace_strict({"error": 0, "warning": 1}, default=2, return_dtype=pl.Int8)


@dataclass(frozen=True)
class Figures:
    """Sums over days; `hits` are the lines with a result of the severity looked at."""

    lines: int
    hits: int
    lines_in_error: int
    invoices: int
    clean_invoices: int
    at_risk: Decimal
    to_repay: Decimal
    gain: Decimal

    @classmethod
    def of(cls, days: pl.DataFrame) -> "Figures":
        return cls(**days.select(pl.col(cls.__annotations__).sum()).row(0, named=True))

    @property
    def rate(self) -> float | None:
        return self.hits / self.lines if self.lines else None

    @property
    def error_rate(self) -> float | None:
        return self.lines_in_error / self.lines if self.lines else None

    @property
    def clean_rate(self) -> float | None:
        return self.clean_invoices / self.invoices if self.invoices else None


@dataclass(frozen=True)
class ErrorFacts:
    """All that the page of error rates shows of a period, and of the equal period before where there is one.

    `days`: (days, by date) with the columns of Figures and date_de_service. `rules`: (rules, most at stake first) with
    rule_id, label, severity, results, lines, amount. `seen`: (doctor days) with date_de_service and patients.
    """

    since: date
    until: date
    severity: str
    days: pl.DataFrame
    now: Figures
    before: Figures | None
    rules: pl.DataFrame
    seen: pl.DataFrame
    seen_before: pl.DataFrame
    places: int
    doctors: int

    def sentence(self, lang: str) -> str:
        """The page's answer: the rate, where it goes, and how few rules make most of the errors."""
        now, before = self.now.error_rate, self.before.error_rate if self.before else None
        if now is None:
            return ""
        key = "error_rates.lead" if before is None else f"error_rates.lead.{_way(now, before, LEAST_SHARE)}"
        rate, target = texts.percent(now, lang), texts.percent(TARGET, lang, 0)
        lead = texts.text(key, lang, rate=rate, target=target, change=texts.points(now - (before or 0), lang))
        return " ".join([lead, *self._causes(lang)])

    def _causes(self, lang: str) -> list[str]:
        errors = self.rules.filter(pl.col("severity") == "error")["results"].sort(descending=True)
        if errors.len() <= FIRST_CAUSES:
            return []
        share = texts.percent(int(errors.head(FIRST_CAUSES).sum()) / int(errors.sum()), lang, 0)
        return [texts.text("error_rates.cause", lang, n=FIRST_CAUSES, share=share)]

    def extent(self, lang: str) -> str:
        """How many places and doctors the figures are of: 3 lieux, 12 médecins."""
        places = texts.plural("error_rates.places", self.places, lang)
        return f"{places}, {texts.plural('error_rates.doctors', self.doctors, lang)}"

    def tiles(self, lang: str) -> list[Tile]:
        """Six figures, each with its direction against the period before; colour by what is good, not by sign."""
        return [
            self._clean_invoices(lang),
            self._hits(lang),
            self._money("at_risk", "error", lang, more_is_good=False),
            self._money("to_repay", "error", lang, more_is_good=False),
            self._money("gain", "opportunity", lang, more_is_good=None),
            self._patients(lang),
        ]

    def _clean_invoices(self, lang: str) -> Tile:
        now, before = self.now.clean_rate, self.before.clean_rate if self.before else None
        target = texts.text("note.target", lang, share=texts.percent(CLEAN_TARGET, lang, 0))
        return Tile(
            texts.text("tile.clean_invoices", lang),
            texts.percent(now, lang),
            _joined(_points(now, before, lang), target),
            _is_good(now, before, more_is_good=True, least=LEAST_SHARE),
            self._spark("opportunity", lambda part: part.clean_rate),
        )

    def _hits(self, lang: str) -> Tile:
        now, before = self.now.rate, self.before.rate if self.before else None
        return Tile(
            texts.text(f"tile.{self.severity}", lang),
            texts.percent(now, lang),
            _joined(_points(now, before, lang), texts.plural("note.lines", self.now.hits, lang)),
            _is_good(now, before, more_is_good=None if self.severity == "info" else False, least=LEAST_SHARE),
            self._spark(SEVERITY_TONE[self.severity], lambda part: part.rate),
        )

    def _money(self, name: str, tone: Tone, lang: str, *, more_is_good: bool | None) -> Tile:
        now: Decimal = getattr(self.now, name)
        before: Decimal | None = getattr(self.before, name) if self.before else None
        if before is None:
            note = texts.text("note.first", lang)
        else:
            note = f"{_arrow(now, before)} {texts.text('note.before', lang, before=texts.money(before, lang))}"
        return Tile(
            texts.text(f"tile.{name}", lang),
            texts.money(now, lang),
            note,
            _is_good(now, before, more_is_good=more_is_good),
            self._spark(tone, lambda part: float(getattr(part, name))),
        )

    def _patients(self, lang: str) -> Tile:
        now, before = _median(self.seen), _median(self.seen_before)
        change = "" if now is None or before is None else f"{_arrow(now, before)} {texts.half(abs(now - before), lang)}"
        medians = [_median(part) for part in self._parts(self.seen.sort("date_de_service"))]
        return Tile(
            texts.text("tile.patients", lang),
            texts.half(now, lang),
            _joined(change, texts.text("note.median", lang)),
            spark=sparkline([median for median in medians if median is not None], "info"),
        )

    def _spark(self, tone: Tone, figure: Callable[[Figures], float | None]) -> str:
        """The figure over twelve parts of the days that have lines."""
        days = self.days.filter(pl.col("lines") > 0).sort("date_de_service")
        values = [figure(Figures.of(part)) for part in self._parts(days)]
        return sparkline([value for value in values if value is not None], tone)

    def _parts(self, rows: pl.DataFrame) -> list[pl.DataFrame]:
        each = max(-(-rows.height // SPARKS), 1)
        return [rows.slice(start, each) for start in range(0, rows.height, each)]


def _median(days: pl.DataFrame) -> float | None:
    middle = days["patients"].median()
    return float(middle) if isinstance(middle, int | float) else None


def _way(now: float | Decimal, before: float | Decimal, least: float = 0) -> str:
    if abs(now - before) <= least:  # type: ignore[operator]
        return "same"
    return "up" if now > before else "down"


def _arrow(now: float | Decimal, before: float | Decimal, least: float = 0) -> str:
    return {"up": "▲", "down": "▼", "same": "▬"}[_way(now, before, least)]


def _is_good(
    now: float | Decimal | None, before: float | Decimal | None, *, more_is_good: bool | None, least: float = 0
) -> bool | None:
    if now is None or before is None or more_is_good is None or _way(now, before, least) == "same":
        return None
    return (now > before) is more_is_good


def _points(now: float | None, before: float | None, lang: str) -> str:
    if now is None or before is None:
        return ""
    return f"{_arrow(now, before, LEAST_SHARE)} {texts.points(now - before, lang)}"


def _joined(first: str, second: str, joint: str = " · ") -> str:
    return joint.join(part for part in (first, second) if part)
