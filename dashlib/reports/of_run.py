"""The sections of a run's report, as HTML that needs no script: figures, rules, patients, and what was rejected."""

from dataclasses import dataclass
from functools import cached_property
from html import escape
from importlib.metadata import version
from typing import Any

import polars as pl

from dashlib import charts, markup, metrics, texts
from dashlib.errors import NotFound
from dashlib.markup import Markup, Tile
from dashlib.runs import not_completed
from dashlib.workbench import Workbench

CHART_WIDTH = 980  # fits a card of a page of 1080 pixels
RULES_SHOWN = 15
DOCTORS_SHOWN = 30


@dataclass(frozen=True)
class Report:
    """What one run found; `lang` is fr or en. Sections are asked for one by one, in the order of the paper."""

    wb: Workbench
    run_id: str
    lang: str = "fr"

    @property
    def summary(self) -> Markup:
        """Title, the answer in a sentence, six figures."""
        run, lang = self._run, self.lang
        about = texts.text(
            "report.about",
            lang,
            number=run["number"],
            period=texts.period(run["first"], run["last"], lang) if run["first"] else texts.NULL,
            day=texts.long_day(run["run_date"], lang),
            moment=texts.moment(run["completed_at"], lang),
            version=version("dashlib"),
        )
        head = markup.head(texts.text("report.title", lang), self._lead(), about)
        return Markup(f"{head}{markup.tiles(self._tiles())}")

    @property
    def rules(self) -> Markup:
        """The most common rules, a bar each; then those to treat first, as the dashboard has them, in a table."""
        rules, lang = metrics.most_common_rules(self.wb, self.run_id, lang=self.lang), self.lang
        if rules.is_empty():
            return self._section("rules", markup.state("good", texts.text("report.rules.none", lang)))
        shown = rules.head(RULES_SHOWN)
        more = rules.height - shown.height
        rest = f"<p>{texts.plural('rules.more', more, lang)}</p>" if more else ""
        bars = self._drawn(charts.common_rules(shown, lang, width=CHART_WIDTH), "chart.rules")
        table = markup.rules_table(metrics.first_to_treat(rules).head(RULES_SHOWN), lang)
        title, note = texts.text("rules.title", lang), texts.text("rules.note", lang)
        return Markup(self._section("rules", bars + rest) + markup.card(title, note, table + rest))

    @property
    def patients(self) -> Markup:
        """Patients of each doctor on each day, the busiest doctors first."""
        days, lang = metrics.patient_days(self.wb, self.run_id), self.lang
        if days.is_empty() or not days["patients"].sum():
            return self._section("patients", markup.state("empty", texts.text("report.patients.none", lang)))
        doctors = days["doctor"].unique(maintain_order=True)
        shown = days.filter(pl.col("doctor").is_in(doctors.head(DOCTORS_SHOWN).implode()))
        more = doctors.len() - DOCTORS_SHOWN
        rest = f"<p>{texts.plural('report.patients.more', more, lang)}</p>" if more > 0 else ""
        points = self._drawn(charts.patient_days(shown, lang, width=CHART_WIDTH), "chart.patient_days")
        return self._section("patients", points + markup.doctors_table(shown, lang) + rest)

    @property
    def rejections(self) -> Markup:
        """Lines that could not become records: how many, why, and where they stand in the file; then the last words."""
        lines, lang = metrics.rejected_lines(self.wb, self.run_id), self.lang
        foot = f'<p class="d-foot">{escape(texts.text("report.foot", lang))}</p>'
        if lines.height:
            return Markup(self._section("rejections", markup.rejections_table(lines, lang)) + foot)
        key = "report.rejections.cleared" if self._run["rejected_count"] else "report.rejections.none"
        said = markup.state("empty" if self._run["rejected_count"] else "good", texts.text(key, lang))
        return Markup(self._section("rejections", said) + foot)

    @cached_property
    def _run(self) -> dict[str, Any]:
        run = metrics.run_summary(self.wb, self.run_id)
        if run is None:
            raise NotFound("DL-RUN-404")
        if run["status"] != "completed":
            raise not_completed(run)
        return run

    def _lead(self) -> str:
        lines, in_error, lang = self._run["record_count"] or 0, self._run["lines_in_error"], self.lang
        if not lines:
            return texts.text("report.lead.empty", lang)
        if not in_error:
            return texts.text("report.lead.clean", lang, lines=lines)
        return texts.plural("report.lead", in_error, lang, lines=lines, rate=texts.percent(in_error / lines, lang))

    def _tiles(self) -> list[Tile]:
        run, lang = self._run, self.lang
        count = run["rejected_count"]
        rejected = texts.plural("report.rejected", count, lang) if count else texts.text("report.rejections.none", lang)
        lines = Tile(texts.text("report.lines", lang), texts.integer(run["record_count"] or 0, lang), rejected)
        counts = [
            Tile(texts.text(f"tile.{name}", lang), texts.integer(run[f"lines_in_{name}"], lang), self._results(name))
            for name in ("error", "warning")
        ]
        money = [
            Tile(texts.text(f"tile.{name}", lang), texts.money(run[name], lang), self._note(name))
            for name in ("at_risk", "to_repay", "gain")
        ]
        return [lines, *counts, *money]

    def _note(self, name: str) -> str:
        """What a sum is of; beside the gain, what is only billed and not yet answered."""
        awaiting = self._run["awaiting"] if name == "gain" else 0
        key, amount = ("report.gain.awaiting" if awaiting else f"report.{name}.note"), texts.money(awaiting, self.lang)
        return texts.text(key, self.lang, amount=amount)

    def _results(self, severity: str) -> str:
        return texts.plural("note.results", self._run[f"{severity}_count"] or 0, self.lang)

    def _section(self, name: str, body: str) -> Markup:
        title, note = texts.text(f"report.{name}", self.lang), texts.text(f"report.{name}.note", self.lang)
        return markup.card(title, note, body)

    def _drawn(self, chart: Any, description: str) -> str:
        return markup.figure(charts.svg(chart, self.lang), texts.text(description, self.lang))
