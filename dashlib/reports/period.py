"""The report of the days of a week or a month: eight sections, each cut to these days and to one place or all."""

import re
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from html import escape
from importlib.metadata import version

import altair as alt
import polars as pl

from dashlib import charts, markup, metrics, reference, texts
from dashlib.errors import NotFound, UsageError
from dashlib.figures import FEW
from dashlib.metrics import Scope
from dashlib.reports import tables
from dashlib.reports.facts import PeriodFacts
from dashlib.reports.sections import SECTIONS, Section, headed, section
from dashlib.timetable import Kind, Period, period_of
from dashlib.todo import days_to_bill
from dashlib.workbench import Workbench, for_owner, open_workbench

FULL, WIDE, HALF = 690, 600, 400
"""Widths of charts in pixels: a letter page within its margins is 695 wide, axes and names beside them included."""

LAST, ALL, MINE = "last", "all", "me"
TREND_PX = 175  # beside the cover on the first page
RULES_LISTED = 10
ACTIONS_LISTED = 32  # two pages
DEFINED = ("clean_invoices", "error", "at_risk", "to_repay", "gain", "patients")


def open_period(
    kind: Kind, since: str = LAST, until: str = LAST, *, place: str = ALL, lang: str = "fr", owner: str = MINE
) -> "PeriodReport":
    """The report that a notebook asks for, by the words of its parameters.

    Args:
        since, until: YYYY-MM-DD, both included; `last`, both, is the newest whole week or month that runs hold.
        place: five digits, or `all`.
        owner: what `workbench.called` calls the user whose report it is; `me` is whoever runs the notebook.

    Raises:
        UsageError: DL-REP-001, a parameter is none of these.
        NotFound: DL-REP-404, no completed run holds a line.
    """
    wb = open_workbench() if owner == MINE else for_owner(open_workbench(), owner)
    period = newest_period(wb, kind) if (since, until) == (LAST, LAST) else _period(since, until)
    if lang not in texts.LANGUAGES or not (place == ALL or (len(place) == 5 and place.isdigit())):
        raise UsageError("DL-REP-001")
    places = () if place == ALL else (place,)
    return PeriodReport(wb, kind, Scope(period.since, period.until, places), lang)


def newest_period(wb: Workbench, kind: Kind) -> Period:
    """The newest whole week or month that runs hold; where they hold none whole, the one that they begin in.

    Raises:
        NotFound: DL-REP-405, no completed run holds a line.
    """
    held = metrics.holdings(wb)
    if held is None:
        raise NotFound("DL-REP-405")
    whole = period_of(kind, held.last + timedelta(days=1))
    coming = timedelta(days=7 if kind == "weekly" else 31)
    return whole if whole.until >= held.first else period_of(kind, held.first + coming)


def _period(since: str, until: str) -> Period:
    try:
        period = Period("", date.fromisoformat(since), date.fromisoformat(until))
    except ValueError:
        raise UsageError("DL-REP-001") from None
    if period.since > period.until:
        raise UsageError("DL-REP-001")
    return period


@dataclass(frozen=True)
class PeriodReport:
    """What was found in the days and at the place of `scope`; sections are asked for one by one, in the paper's order.

    `failed` are the sections that could not be made.
    """

    wb: Workbench
    kind: Kind
    scope: Scope
    lang: str = "fr"
    failed: list[str] = field(default_factory=list)

    @property
    @section
    def cover(self) -> str:
        """Title, period and scope, the answer in a sentence, six figures, and what they rest on."""
        lang, figures = self.lang, self._facts.figures
        where = figures.extent(lang)
        if self.scope.places:
            where = f"{texts.text('paper.place', lang, place=self.scope.places[0])} · {where}"
        lead = figures.sentence(lang) or texts.text("paper.no_lines", lang)
        head = (
            f'<p class="kind">{escape(self._say("kind." + self.kind))}</p>'
            f"<h1>{escape(texts.period(self.scope.since, self.scope.until, lang))}</h1>"
            f'<p class="scope">{escape(where)}</p><p class="lead">{escape(lead)}</p>'
        )
        # On paper every drawing is told in words.
        spark = f' role="img"><title>{escape(self._say("spark"))}</title><polyline'
        tiles = markup.tiles(figures.tiles(lang)).replace(' aria-hidden="true"><polyline', spark)
        return f'<header class="p-cover">{head}{tiles}{tables.run_card(self._facts.runs, lang)}</header>'

    @property
    @section
    def trend(self) -> str:
        """How the rate went over the last months, the period set off; what rose, what fell, what was unusual."""
        lang, period = self.lang, (self.scope.since, self.scope.until)
        days = metrics.error_days(self.wb, self._facts.lately)
        changes = metrics.version_changes(self.wb, self._facts.lately)
        versions = changes.select(date_de_service="date", label=pl.col("run").cast(pl.String))
        chart = charts.error_trend(days, lang, versions=versions, period=period, width=WIDE)
        chart.height = TREND_PX
        unusual = charts.unusual(days).filter(pl.col("date_de_service").is_between(*period))
        body = self._drawn(chart, "chart.trend.error") + tables.movements(self._facts.rules, unusual, lang)
        return self._headed("trend", body, few=charts.FEW_LINES)

    @property
    @section
    def rules(self) -> str:
        """What is at stake by rule, a bar each, and the first ten in a table."""
        lang, rules = self.lang, self._facts.rules.filter(pl.col("results") > 0)
        if rules.is_empty():
            return self._headed("rules", markup.state("good", texts.text("paper.rules.none", lang)))
        drawn = charts.pareto(rules, lang, most=RULES_LISTED, width=FULL)
        bars = self._drawn(drawn, "chart.pareto") if rules["stake"].sum() else ""
        more = rules["rule_id"].n_unique() - rules.head(RULES_LISTED)["rule_id"].n_unique()
        rest = f'<p class="after">{texts.plural("rules.more", more, lang)}</p>' if more > 0 else ""
        return self._headed("rules", bars + tables.rules(rules.head(RULES_LISTED), lang) + rest)

    @property
    @section
    def doctors(self) -> str:
        """Doctors and places, those with most to lose first; figures of fewer than five lines are hidden."""
        lang = self.lang
        shown = [tables.parts(metrics.parts(self.wb, self.scope, by), by, lang) for by in tables.PARTS]
        return self._headed("doctors", "".join(shown), few=FEW)

    @property
    @section
    def patients(self) -> str:
        """Patients of each day of the period; a calendar and the median by weekday of the last months."""
        lang = self.lang
        days = metrics.patient_totals(self.wb, self.scope)
        lately = metrics.weekday_patients(self.wb, self._facts.lately)
        if days.is_empty() or not days["patients"].sum():
            return self._headed("patients", markup.state("empty", texts.text("report.patients.none", lang)))
        cells = lately.with_columns(worst=pl.lit(None, pl.String))
        calendar = self._drawn(charts.calendar(cells, lang, width=WIDE), "chart.calendar")
        strip = self._drawn(charts.weekday_strip(lately, lang, width=WIDE), "chart.weekdays")
        note = "paper.patients.exact" if days["is_exact"].all() else "paper.patients.sums"
        said = f'<p class="after">{escape(texts.text(note, lang))}</p>'
        titles = [f"<h3>{escape(self._say(name))}</h3>" for name in ("calendar", "weekdays")]
        listed = tables.patient_days(days, lang) + said
        return self._headed("patients", f"{listed}{titles[0]}{calendar}{titles[1]}{strip}")

    @property
    @section
    def to_do(self) -> str:
        """What is to be done, the most urgent first: two pages of it."""
        lang, rows = self.lang, tables.by_urgency(self._facts.actions)
        days = days_to_bill(reference.rules_in_force(self.wb))
        if rows.is_empty():
            return self._headed("to_do", markup.state("good", texts.text("paper.to_do.none", lang)), days=days)
        more = rows.height - ACTIONS_LISTED
        rest = f'<p class="after">{texts.plural("paper.to_do.more", more, lang)}</p>' if more > 0 else ""
        said = tables.counted_actions(rows, lang)
        listed = tables.actions(rows.head(ACTIONS_LISTED), lang)
        return self._headed("to_do", f"<p>{escape(said)}</p>{listed}{rest}", days=days)

    @property
    @section
    def changes(self) -> str:
        """What came and went in these days since they were validated before, and what was set aside and why."""
        lang, change, aside = self.lang, self._facts.change, self._facts.aside
        asided = tables.reasons(aside, lang)
        if change is None:
            return self._headed("changes", markup.state("empty", texts.text("paper.changes.none", lang)) + asided)
        compared, before = change
        numbers = ", ".join(str(number) for number in before)
        note = texts.plural("paper.changes.against", len(before), lang, numbers=numbers)
        totals = compared.totals
        bar = self._drawn(charts.run_change(totals, lang, width=FULL), "chart.run_change")
        drawn = bar if totals["results"].sum() else ""
        return headed("changes", lang, drawn + tables.fates(totals, lang) + asided, note=note)

    @property
    def annex(self) -> Section:
        """The last section, and below it which sections are there, also when this one is not."""
        made = self._annex
        counts = {"made": len(SECTIONS) - len(self.failed), "of": len(SECTIONS)}
        told = texts.text("paper.made", self.lang, **counts, version=version("dashlib"))
        return Section.of(f'{made}<p class="p-foot">{escape(told)}</p>', **made.told)

    @property
    @section
    def _annex(self) -> str:
        """Definitions, how the files were read, versions of rules, and what is set aside."""
        lang, facts = self.lang, self._facts
        parts = {
            "definitions": tables.definitions(DEFINED, lang),
            "read": tables.imports(facts.runs, lang),
            "versions": tables.versions(facts.judging),
            "aside": tables.aside(facts.aside, lang),
        }
        body = "".join(f"<h3>{escape(self._say(f'annex.{name}'))}</h3>{part}" for name, part in parts.items())
        return headed("annex", lang, body)

    @cached_property
    def _facts(self) -> PeriodFacts:
        return PeriodFacts(self.wb, self.scope, self.lang)

    def _say(self, key: str) -> str:
        return texts.text(f"paper.{key}", self.lang)

    def _headed(self, name: str, body: str, **facts: object) -> str:
        return headed(name, self.lang, body, note=texts.text(f"paper.{name}.note", self.lang, **facts))

    def _drawn(self, chart: alt.LayerChart, description: str) -> str:
        words = escape(texts.text(description, self.lang))
        # WeasyPrint draws a pale text of its own as a dot.
        svg = re.sub(r'(<text[^>]*) opacity="[^"]*"', r"\1", charts.svg(chart, self.lang))
        # The title of a drawing is what readers of PDF are told in its stead.
        return str(markup.figure(svg.replace("><", f"><title>{words}</title><", 1), words))
