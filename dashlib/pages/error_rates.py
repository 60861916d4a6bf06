"""« Taux d'erreur »: is the billing clean, and is it getting better?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from html import escape
from typing import Any, ClassVar

import polars as pl

from dashlib import charts, markup, metrics, texts
from dashlib.figures import SOON_DAYS, ErrorFacts
from dashlib.markup import Markup, Tile
from dashlib.metrics import RunChange, Scope
from dashlib.pages.base import Page
from dashlib.pages.cards import Card, Picked, Shown
from dashlib.pages.tables import behind, table

TABLE_ROWS = 8
DEADLINE_DAYS = 90
"""A service can be billed for 90 days (RAMQ, délai de facturation)."""


@dataclass(frozen=True)
class Asked:
    """What the page shows: its figures, and what its cards draw."""

    figures: ErrorFacts
    weeks: pl.DataFrame
    doctors: pl.DataFrame
    versions: pl.DataFrame
    change: RunChange | None
    urgent: Decimal
    """At risk on the lines that can be billed for SOON_DAYS days more at most, whatever period is looked at."""


class ErrorRates(Page):
    name = "error_rates"
    definitions = tuple(f"tile.{n}" for n in ("clean_invoices", "error", "at_risk", "to_repay", "gain", "patients"))
    leads: ClassVar[Mapping[str, str]] = {
        key: "patient_days" if key == "tile.patients" else "common_rules" for key in definitions
    }

    def ask(self, scope: Scope, severity: str | None) -> Asked:
        looked_at = severity or "error"
        return Asked(
            metrics.error_facts(self.wb, scope, severity=severity, lang=self.lang),
            metrics.severity_weeks(self.wb, scope),
            metrics.doctor_weeks(self.wb, scope, severity=looked_at),
            metrics.version_changes(self.wb, scope),
            metrics.run_change(self.wb),
            self._urgent(scope),
        )

    def _urgent(self, scope: Scope) -> Decimal:
        oldest, newest = (self.held.last - timedelta(days=DEADLINE_DAYS - left) for left in (0, SOON_DAYS))
        days = metrics.error_days(self.wb, replace(scope, since=oldest, until=newest))
        return sum(days["at_risk"], Decimal(0))

    def lines(self, facts: Asked) -> int:
        return facts.figures.now.lines

    def extent(self, facts: Asked) -> str:
        return facts.figures.extent(self.lang)

    def sentence(self, facts: Asked) -> str:
        return facts.figures.sentence(self.lang)

    def tiles(self, facts: Asked) -> list[Tile]:
        """Money stays three sums: how much of what is at risk is urgent stands with it, and is no sum of its own."""
        lang, label = self.lang, texts.text("tile.at_risk", self.lang)
        urgent = texts.text("note.urgent", lang, amount=texts.money(facts.urgent, lang), days=SOON_DAYS)
        return [
            replace(tile, note=f"{tile.note} · {urgent}") if tile.label == label and facts.urgent else tile
            for tile in facts.figures.tiles(lang)
        ]

    def tables(self, facts: Asked) -> Mapping[str, pl.DataFrame]:
        names = ("days", "rules", "doctors")
        frames = (facts.figures.days, facts.figures.rules, facts.doctors)
        return {texts.text(f"sheet.{name}", self.lang): frame for name, frame in zip(names, frames, strict=True)}

    def make_cards(self) -> Sequence[Card]:
        lang, base = self.lang, self.visit.base
        return (
            Card(self._trend, lang, span=8, base=base, picked=self._on_days),
            Card(self._severities, lang, span=4, base=base, picked=self._on_severity),
            Card(self._doctors, lang, span=7, base=base, picked=self._on_doctor),
            Card(self._first, lang, span=5, base=base),
            Card(self._change, lang, span=12, base=base),
        )

    def _trend(self, facts: Asked) -> Shown:
        lang, figures = self.lang, facts.figures
        severity, lines = figures.severity, figures.now.lines
        title = texts.text(f"trend.title.{severity}", lang)
        columns = {
            "date_de_service": ("chart.day", "day"),
            "lines": ("chart.lines", "integer"),
            "hits": (f"chart.hits.{severity}", "integer"),
            "rate": (f"chart.rate.{severity}", "percent"),
        }
        newest = figures.days.filter(pl.col("lines") > 0).sort("date_de_service", descending=True)
        rated = newest.with_columns(rate=pl.col("hits") / pl.col("lines"))
        data = behind(rated, columns, texts.text(f"chart.trend.{severity}", lang), lang)
        if not lines:
            return Shown(title, "", self.no_lines())
        if not figures.now.hits:
            return Shown(title, "", markup.state("good", texts.plural(f"trend.good.{severity}", lines, lang)), data)
        unit = "week" if charts.is_by_week(figures.days) else "day"
        note = texts.text(f"trend.note.{unit}", lang, few=charts.FEW_LINES)
        changes = facts.versions.select(
            date_de_service="date", label=pl.format("{} {}", pl.lit(texts.text("chart.rules_changed", lang)), "run")
        )
        return Shown(title, note, charts.error_trend(figures.days, lang, severity=severity, versions=changes), data)

    def _severities(self, facts: Asked) -> Shown:
        lang = self.lang
        title, note = texts.text("severities.title", lang), texts.text("severities.note", lang)
        weeks = charts.full_weeks(facts.weeks)
        if weeks.is_empty():
            return Shown(title, "", self.no_lines())
        if not weeks.select(pl.sum_horizontal(pl.col(charts.SEVERITY_TONE).sum())).item():
            return Shown(title, "", markup.state("good", texts.text("rules.none", lang)))
        columns = {
            "week": ("chart.week_of", "day"),
            "lines": ("chart.lines", "integer"),
            **{severity: (f"severity.{severity}", "integer") for severity in charts.SEVERITY_TONE},
            "clean": ("severity.clean", "integer"),
        }
        legend = " ".join(markup.severity(severity, lang) for severity in charts.SEVERITY_TONE)
        data = behind(weeks.sort("week", descending=True), columns, title, lang)
        return Shown(title, note, charts.severity_weeks(weeks, lang), Markup(f'<p class="d-legend">{legend}</p>{data}'))

    def _doctors(self, facts: Asked) -> Shown:
        lang, severity = self.lang, facts.figures.severity
        title = texts.text("doctors.title", lang)
        cells = facts.doctors.filter(pl.col("lines") > 0)
        if cells.is_empty():
            return Shown(title, "", self.no_lines())
        columns = {
            "doctor": ("filter.doctor", "text"),
            "week": ("chart.week_of", "day"),
            "lines": ("chart.lines", "integer"),
            "hits": (f"chart.hits.{severity}", "integer"),
            "at_risk": ("tile.at_risk", "money"),
        }
        drawn = charts.doctor_weeks(cells, lang, severity=severity)
        note = texts.text("doctors.note", lang, few=charts.FEW_LINES)
        return Shown(title, note, drawn, behind(cells, columns, title, lang))

    def _first(self, facts: Asked) -> Shown:
        """The rules with most at stake, as a list to act on: each leads to its results, one by one."""
        lang, rules = self.lang, facts.figures.rules
        title, note = texts.text("rules.title", lang), texts.text("rules.note", lang)
        if rules.is_empty():
            return Shown(
                title,
                note,
                markup.state("good" if facts.figures.now.lines else "empty", texts.text("rules.none", lang)),
            )
        shown = rules.head(TABLE_ROWS).with_columns(
            days_left=DEADLINE_DAYS - (pl.lit(self.held.last) - pl.col("earliest_unpaid")).dt.total_days(),
        )
        more = rules.height - TABLE_ROWS
        everything = escape(self.visit.link("explorer", {}), quote=True)
        rest = texts.plural("rules.more", more, lang) if more > 0 else texts.text("rules.all", lang)
        listed = self._rule_list(shown)
        return Shown(title, note, Markup(f'{listed}<p><a href="{everything}">{escape(rest)}</a></p>'))

    def _rule_list(self, rules: pl.DataFrame) -> Markup:
        lang = self.lang
        columns = [("severity", False), ("rule", False), ("results", True), ("stake", True), ("days_left", True)]
        titles = [(texts.text(f"column.{name}", lang), is_figure) for name, is_figure in columns]
        rows = (
            (
                markup.severity(rule["severity"], lang),
                f'<a href="{escape(self.visit.link("explorer", {"rule": rule["rule_id"]}), quote=True)}">'
                f"{escape(rule['label'])}</a>",
                texts.integer(rule["results"], lang),
                texts.money(rule["stake"], lang),
                texts.plural("days_left", rule["days_left"], lang) if rule["days_left"] is not None else texts.NULL,
            )
            for rule in rules.iter_rows(named=True)
        )
        return markup.table(texts.text("rules.title", lang), titles, rows)

    def _change(self, facts: Asked) -> Shown:
        lang, change = self.lang, facts.change
        title = texts.text("change.title", lang)
        if change is None:
            return Shown(title, "", markup.state("empty", texts.text("change.none", lang)))
        note = texts.text("change.note", lang, run=change.run, before=change.before)
        if not change.rows["results"].sum():
            return Shown(title, note, markup.state("good", texts.text("change.same", lang)))
        said = change.rows.with_columns(
            order=pl.col("status").replace_strict(
                {s: n for n, s in enumerate(charts.FATE_TONE)}, return_dtype=pl.Int64
            ),
        ).sort("order")
        columns = {
            "status": ("chart.status", "fate"),
            "results": ("column.results", "integer"),
            "at_risk": ("tile.at_risk", "money"),
            "to_repay": ("tile.to_repay", "money"),
            "gain": ("tile.gain", "money"),
        }
        runs = {"run": str(change.run), "compare": str(change.before)}
        links = {status: self.visit.link("explorer", runs | {"state": status}) for status in charts.FATE_TONE}

        def leading(row: Mapping[str, Any], shown: str) -> str:
            return f'<a href="{escape(links[row["status"]], quote=True)}">{shown}</a>' if row["results"] else shown

        listed = table(said, columns, title, lang, links={"status": leading})
        return Shown(title, note, charts.run_change(change.rows, lang, links=links), listed)

    def _on_days(self, picked: Picked) -> None:
        """A range drawn on the trend: its ends are moments in milliseconds."""
        ends = picked.get("noon")
        if ends:
            since, until = (day_of(end) for end in ends)
            self.choose_days(since, until)

    def _on_severity(self, picked: Picked) -> None:
        self.filter(replace(self.bar.filters, severity=picked["severity"]))

    def _on_doctor(self, picked: Picked) -> None:
        monday = date.fromisoformat(picked["begins"])
        doctor = replace(self.bar.filters, doctor=(picked["doctor"],) if picked["doctor"] else ("-",))
        last = min(monday + timedelta(days=6), self.held.last)
        self.filter(doctor.between(max(monday, self.held.first), last))


def day_of(moment: float) -> date:
    """The day of a place on a time axis, which counts noons of days."""
    return datetime.fromtimestamp(moment / 1000, UTC).astimezone(texts.TORONTO).date()
