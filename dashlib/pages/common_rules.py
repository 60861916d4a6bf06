"""« Règles les plus fréquentes »: what causes the errors, and what to correct first?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from html import escape
from typing import Any, ClassVar

import ipywidgets as widgets
import polars as pl

from dashlib import charts, markup, metrics, texts
from dashlib.figures import ErrorFacts
from dashlib.markup import Markup, Tile
from dashlib.metrics import Scope
from dashlib.pages.base import Page
from dashlib.pages.cards import Card, Picked, Shown
from dashlib.pages.drawer import opening
from dashlib.pages.filters import NONE, Filters
from dashlib.pages.tables import behind

MEASURES = ("stake", "results", "invoices")
FIRST_CAUSES = 3
MULTIPLES = 8
SMALL = {"width": 200, "height": 64}
EDITORS = ("editor", "admin")


@dataclass(frozen=True)
class Asked:
    """What the page shows: rules with what they found, where and when."""

    figures: ErrorFacts
    rules: pl.DataFrame
    places: pl.DataFrame
    doctors: pl.DataFrame
    weeks: pl.DataFrame


class CommonRules(Page):
    name = "common_rules"
    definitions = tuple(f"tile.{name}" for name in ("rules", "first_rules", "at_risk", "gain", "new", "acknowledged"))
    leads: ClassVar[Mapping[str, str]] = {"tile.at_risk": "error_rates", "tile.gain": "error_rates"}

    def ask(self, scope: Scope, severity: str | None) -> Asked:
        # The list is of all rules, also when one of them is looked at: it is where the next is chosen.
        everything = replace(scope, rule=None)
        rules = metrics.common_rules(self.wb, everything, severity=severity, lang=self.lang)
        first = rules.sort("stake", "results", descending=True)["rule_id"].unique(maintain_order=True).head(MULTIPLES)
        return Asked(
            metrics.error_facts(self.wb, everything, severity=severity, lang=self.lang, rules=rules),
            rules,
            _staked(metrics.rules_by_place(self.wb, everything, first.to_list(), severity=severity)),
            _staked(metrics.rules_by_doctor(self.wb, everything, first.to_list(), severity=severity)),
            metrics.rule_weeks(self.wb, everything, first.to_list()),
        )

    def lines(self, facts: Asked) -> int:
        return facts.figures.now.lines

    def extent(self, facts: Asked) -> str:
        return facts.figures.extent(self.lang)

    def sentence(self, facts: Asked) -> str:
        """How few rules make most of what is at stake."""
        whole, first = _stakes(facts.rules)
        if not whole:
            return texts.text("rules.none", self.lang)
        share = texts.percent(first / whole, self.lang, 0)
        rules = min(FIRST_CAUSES, _open(facts.rules)["rule_id"].n_unique())
        return texts.plural("common_rules.lead", rules, self.lang, share=share, stake=texts.money(whole, self.lang))

    def tiles(self, facts: Asked) -> list[Tile]:
        lang, rules, figures = self.lang, facts.rules, facts.figures
        whole, first = _stakes(rules)
        money = {tile.label: tile for tile in figures.tiles(lang)}
        new, aside = (int(rules[name].sum()) for name in ("new", "acknowledged"))
        found = _open(rules)
        return [
            Tile(texts.text("tile.rules", lang), texts.integer(found["rule_id"].n_unique(), lang), self._kinds(found)),
            Tile(
                texts.text("tile.first_rules", lang),
                texts.percent(first / whole, lang, 0) if whole else texts.NULL,
                texts.text("note.of_stake", lang, stake=texts.money(whole, lang)),
            ),
            money[texts.text("tile.at_risk", lang)],
            money[texts.text("tile.gain", lang)],
            Tile(texts.text("tile.new", lang), texts.integer(new, lang), texts.text("note.new", lang)),
            Tile(texts.text("tile.acknowledged", lang), texts.integer(aside, lang), texts.text("note.aside", lang)),
        ]

    def tables(self, facts: Asked) -> Mapping[str, pl.DataFrame]:
        frames = {"rules": facts.rules, "places": facts.places, "doctors": facts.doctors, "weeks": facts.weeks}
        return {texts.text(f"sheet.{name}", self.lang): frame for name, frame in frames.items()}

    def make_cards(self) -> Sequence[Card]:
        lang, base = self.lang, self.visit.base
        self._by = self._switch("measure", MEASURES)
        self._of = self._switch("grid", ("lieu_de_pratique", "doctor"))
        self._tuning = widgets.VBox()
        cards = (
            Card(self._pareto, lang, span=7, base=base, opened=self._on_rule, control=self._by),
            Card(self._grid, lang, span=5, base=base, picked=self._on_cell, control=self._of),
            Card(self._multiples, lang, span=12),
        )
        self._of_rule = [Card(self._workshop, lang, control=self._tuning)] if self.wb.viewer.role in EDITORS else []
        self._by.observe(lambda _: cards[0].show(self.facts), "value")
        self._of.observe(lambda _: cards[1].show(self.facts), "value")
        return (*cards, *self._of_rule)

    def _switch(self, name: str, options: Sequence[str]) -> widgets.ToggleButtons:
        named = [(texts.text(f"{name}.{option}", self.lang), option) for option in options]
        return widgets.ToggleButtons(options=named, description=texts.text(f"switch.{name}", self.lang))

    def _kinds(self, rules: pl.DataFrame) -> str:
        counts = dict(rules.group_by("severity").agg(pl.col("rule_id").n_unique()).iter_rows())
        shown = (
            f"{markup.GLYPHS[tone]}{texts.NBSP}{counts.get(name, 0)}" for name, tone in charts.SEVERITY_TONE.items()
        )
        return " · ".join(shown)

    def _pareto(self, facts: Asked) -> Shown:
        lang, by = self.lang, self._by.value
        title, note = texts.text("pareto.title", lang), texts.text("pareto.note", lang)
        rules = facts.rules.sort(by, "rule_id", descending=[True, False])
        if rules.is_empty() or not rules[by].sum():
            return Shown(title, "", self._nothing(facts))
        columns = {
            "severity": ("filter.severity", "severity"),
            "label": ("filter.rule", "text"),
            "results": ("column.results", "integer"),
            "lines": ("column.lines", "integer"),
            "invoices": ("column.invoices", "integer"),
            "at_risk": ("tile.at_risk", "money"),
            "to_repay": ("tile.to_repay", "money"),
            "gain": ("tile.gain", "money"),
            "new": ("tile.new", "integer"),
            "acknowledged": ("tile.acknowledged", "integer"),
        }
        legend = " ".join(markup.severity(severity, lang) for severity in charts.SEVERITY_TONE)
        listed = behind(rules, columns, title, lang, links={"label": self._to_sheet})
        data = Markup(f'<p class="d-legend">{legend}</p>{listed}')
        return Shown(title, note, charts.pareto(rules, lang, by=by), data)

    def _to_sheet(self, row: Mapping[str, Any], shown: str) -> Markup:
        """A rule's name that opens its sheet: the way of those who cannot click a bar."""
        rule = str(row["rule_id"])
        return opening(rule, self.visit.link(self.name, replace(self.bar.filters, rule=rule).asked), shown)

    def _grid(self, facts: Asked) -> Shown:
        lang, of = self.lang, self._of.value
        title, note = texts.text(f"grid.title.{of}", lang), texts.text("grid.note", lang)
        cells = facts.places if of == "lieu_de_pratique" else facts.doctors
        if cells.is_empty():
            return Shown(title, "", self._nothing(facts))
        columns = {
            "rule_id": ("filter.rule", "text"),
            of: (f"filter.{'place' if of == 'lieu_de_pratique' else of}", "text"),
            "results": ("column.results", "integer"),
            "seen": ("chart.lines", "integer"),
            "per_thousand": ("chart.per_thousand", "decimal"),
            "stake": ("column.stake", "money"),
        }
        drawn = charts.rule_grid(cells, of, lang, rules=self._named(facts, cells["rule_id"]))
        return Shown(title, note, drawn, behind(cells, columns, title, lang))

    def _multiples(self, facts: Asked) -> Shown:
        """A small line for each of the first rules; each leads to its rule."""
        lang = self.lang
        title, note = texts.text("multiples.title", lang), texts.text("multiples.note", lang)
        names = self._named(facts, facts.weeks["rule_id"])
        if not names:
            return Shown(title, "", self._nothing(facts))
        every = facts.weeks.select(pl.col("week").unique().sort())
        parts = []
        for rule, name in names.items():
            of_rule = every.join(
                facts.weeks.filter(pl.col("rule_id") == rule), on="week", how="left", maintain_order="left"
            )
            counts = of_rule["results"].fill_null(0).to_list()
            address = escape(self.visit.link(self.name, replace(self.bar.filters, rule=rule).asked))
            parts.append(
                f'<a class="d-multiple" href="{address}" data-sheet="{escape(rule, quote=True)}"><b>{escape(name)}</b>'
                f"{charts.sparkline(counts, 'info', from_zero=True, **SMALL)}<span>{self._lately(counts)}</span></a>"
            )
        columns = {
            "rule_id": ("filter.rule", "text"),
            "week": ("chart.week_of", "day"),
            "results": ("column.results", "integer"),
            "at_risk": ("tile.at_risk", "money"),
        }
        data = behind(facts.weeks, columns, title, lang)
        return Shown(title, note, Markup(f'<div class="d-multiples">{"".join(parts)}</div>'), data)

    def _lately(self, counts: Sequence[int]) -> str:
        said = texts.plural("multiples.last", counts[-1], self.lang)
        if len(counts) < 2:
            return said
        before, now = counts[-2], counts[-1]
        arrow = "▬" if now == before else "▲" if now > before else "▼"
        return f"{said} {arrow} {texts.integer(abs(now - before), self.lang)}"

    def sheet(self) -> tuple[str, Markup]:
        """The rule that is chosen: its text and source, what it found, examples with their arithmetic."""
        lang, rule = self.lang, self.bar.filters.rule
        if not rule:
            return "", Markup()
        # What reads rules takes 20 MiB: it is loaded when somebody looks at one.
        from dashlib.pages import rule_sheet

        found = metrics.rule_sheet(self.wb, rule, replace(self.bar.scope, rule=None))
        title = texts.text("sheet.title.of", lang, rule=self.held.rules.get(rule, rule))
        return title, rule_sheet.drawn(self.wb, found, lang, explorer=self.visit.link("explorer", {"rule": rule}))

    def with_sheet(self, name: str) -> Filters:
        return replace(self.bar.filters, rule=name if name in self.held.rules else "")

    def open_sheet(self, name: str) -> None:
        super().open_sheet(name)
        for card in self._of_rule:
            card.show(self.facts)

    def _workshop(self, _: Asked) -> Shown:
        """The chosen rule's parameters, with what a change of them would do."""
        rule = self.bar.filters.rule
        self._tuning.children = self._tune(rule) if rule else ()
        note = self.held.rules.get(rule, rule) or texts.text("sheet.choose", self.lang)
        return Shown(texts.text("sheet.tune", self.lang), note, Markup())

    def _tune(self, rule: str) -> tuple[widgets.Widget, ...]:
        from dashlib.workshop import Workshop

        opened = widgets.Accordion([Workshop(rule, lang=self.lang, wb=self.wb).widget])
        opened.set_title(0, texts.text("sheet.tune", self.lang))
        return (opened,)

    def _named(self, facts: Asked, rules: pl.Series) -> dict[str, str]:
        """Rule → what it is called, for those that occur, most at stake first."""
        shown = facts.rules.sort("stake", "results", descending=True).unique("rule_id", maintain_order=True)
        return dict(
            shown.filter(pl.col("rule_id").is_in(rules.unique().to_list())).select("rule_id", "label").iter_rows()
        )

    def _nothing(self, facts: Asked) -> Markup:
        if not facts.figures.now.lines:
            return self.no_lines()
        return markup.state("good", texts.text("rules.none", self.lang))

    def _on_rule(self, picked: Picked) -> None:
        self.open_sheet(picked["rule_id"])

    def _on_cell(self, picked: Picked) -> None:
        chosen, filters = (picked["value"] or NONE,), replace(self.bar.filters, rule=picked["rule_id"])
        is_place = self._of.value == "lieu_de_pratique"
        self.filter(replace(filters, place=chosen) if is_place else replace(filters, doctor=chosen))


def _open(rules: pl.DataFrame) -> pl.DataFrame:
    """Rules that have an open result: of others all are set aside."""
    return rules.filter(pl.col("results") > 0)


def _staked(cells: pl.DataFrame) -> pl.DataFrame:
    return cells.with_columns(stake=pl.col("at_risk") + pl.col("to_repay") + pl.col("gain"))


def _stakes(rules: pl.DataFrame) -> tuple[Decimal, Decimal]:
    """What is at stake in all, and by the first rules."""
    by_rule = rules.group_by("rule_id").agg(pl.col("stake").sum()).sort("stake", descending=True)["stake"].to_list()
    return sum(by_rule, Decimal(0)), sum(by_rule[:FIRST_CAUSES], Decimal(0))
