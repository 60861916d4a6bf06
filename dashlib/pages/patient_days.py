"""« Patients par jour »: how many patients, on which days, and are the thresholds of the office fees met?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from html import escape
from typing import Any

import polars as pl

from dashlib import charts, metrics, reference, texts
from dashlib.figures import FEW, SPARKS
from dashlib.markup import Markup, Tile
from dashlib.metrics import Scope
from dashlib.metrics.rows import SEEN
from dashlib.pages.base import Page
from dashlib.pages.cards import Card, Picked, Shown
from dashlib.pages.drawer import opening
from dashlib.pages.error_rates import day_of
from dashlib.pages.filters import Filters, day_name, read_day_name
from dashlib.pages.tables import Columns, Links, behind, table

MOST_ROWS = 15
MOST_CALENDARS = 6
KINDS = ("registered", "registered_paid", "walk_in", "walk_in_paid")


@dataclass(frozen=True)
class Asked:
    """What the page shows: patients and office fees by day, patients of each doctor and by weekday; days as a list."""

    days: pl.DataFrame
    fees: pl.DataFrame
    doctor_days: pl.DataFrame
    weekdays: pl.DataFrame
    listed: pl.DataFrame
    thresholds: pl.DataFrame
    holidays: Mapping[date, str]
    lines: int


class PatientDays(Page):
    name = "patient_days"
    definitions = tuple(
        f"tile.{name}" for name in ("median_patients", "most_patients", "registered", "walk_in", "fee_days", "below")
    )

    def ask(self, scope: Scope, severity: str | None) -> Asked:
        days = metrics.patient_totals(self.wb, scope)
        found = metrics.error_days(self.wb, scope)
        holidays = reference.load(self.wb, scope.until).holidays
        everywhere = holidays.filter(pl.col("applies_to") == "all", pl.col("date").is_between(scope.since, scope.until))
        return Asked(
            days,
            metrics.fee_days(self.wb, scope),
            metrics.doctor_days(self.wb, scope),
            metrics.weekday_patients(self.wb, scope),
            metrics.day_table(self.wb, scope),
            metrics.office_fee_thresholds(self.wb),
            dict(everywhere.select("date", "name").iter_rows()),
            int(found["lines"].sum()),
        )

    def lines(self, facts: Asked) -> int:
        return facts.lines

    def sentence(self, facts: Asked) -> str:
        lang, seen = self.lang, facts.weekdays
        busiest = _busiest(seen)
        if busiest is None:
            return texts.text("patient_days.none", lang)
        return texts.text(
            "patient_days.lead",
            lang,
            median=texts.half(_median(seen["patients"]), lang),
            most=busiest["patients"],
            day=texts.long_day(busiest["date_de_service"], lang),
        )

    def tiles(self, facts: Asked) -> list[Tile]:
        lang, seen, days, fees = self.lang, facts.weekdays, facts.days, facts.fees
        busiest = _busiest(seen)
        patients, registered, walk_in = (int(days[name].sum()) for name in ("patients", "registered", "walk_in"))
        billed, below = (int(fees[name].sum()) for name in ("billed", "below"))
        return [
            Tile(
                texts.text("tile.median_patients", lang),
                texts.half(_median(seen["patients"]), lang),
                texts.plural("note.days_worked", seen.height, lang),
                spark=_over_time(seen, pl.col("patients").median()),
            ),
            Tile(
                texts.text("tile.most_patients", lang),
                texts.integer(busiest["patients"], lang) if busiest else texts.NULL,
                texts.long_day(busiest["date_de_service"], lang) if busiest else "",
                spark=_over_time(seen, pl.col("patients").max()),
            ),
            _share("registered", registered, patients, days, lang),
            _share("walk_in", walk_in, patients, days, lang),
            Tile(
                texts.text("tile.fee_days", lang),
                texts.integer(billed, lang),
                texts.text("note.fee_codes", lang, codes=" · ".join(facts.thresholds["code"].unique().sort())),
                spark=_over_time(fees, pl.col("billed").sum()),
            ),
            Tile(
                texts.text("tile.below", lang),
                texts.integer(below, lang),
                texts.text("note.difference", lang, amount=texts.money(abs(sum(fees["difference"], Decimal(0))), lang)),
                good=None if not billed else not below,
                spark=_over_time(fees, pl.col("below").sum()),
            ),
        ]

    def tables(self, facts: Asked) -> Mapping[str, pl.DataFrame]:
        """A workbook leaves the house: there few patients of a day could be known for who they are."""
        frames = {"days": facts.days, "doctor_days": facts.doctor_days, "fee_days": facts.listed}
        frames = {name: frame.with_columns(_few_hidden(frame)) for name, frame in frames.items()}
        frames["note"] = pl.DataFrame({"note": [texts.text("note.small", self.lang)]})
        return {texts.text(f"sheet.{name}", self.lang): frame for name, frame in frames.items()}

    def make_cards(self) -> Sequence[Card]:
        lang, base = self.lang, self.visit.base
        return (
            Card(self._by_day, lang, span=12, base=base, picked=self._on_days, opened=self._on_day),
            Card(self._calendar, lang, span=8, base=base, opened=self._on_day),
            Card(self._weekdays, lang, span=4, base=base),
            Card(self._list, lang, span=12),
        )

    def _by_day(self, facts: Asked) -> Shown:
        lang, days = self.lang, facts.days
        title = texts.text("by_day.title", lang)
        if days.is_empty():
            return Shown(title, "", self.no_lines())
        columns = {
            "date_de_service": ("chart.day", "day"),
            "patients": ("chart.patients", "integer"),
            **{kind: (f"column.{kind}", "integer") for kind in KINDS},
        }
        thresholds = self._thresholds(facts)
        # Thresholds are of one doctor's day: over several they would say nothing.
        is_one = len(self.bar.filters.doctor) == 1 and not self.bar.scope.is_by_week
        drawn = charts.patients_by_day(
            days,
            lang,
            thresholds=thresholds if is_one else {},
            holidays={} if self.bar.scope.is_by_week else facts.holidays,
        )
        note = texts.text("by_day.note" if days["is_exact"].all() else "by_day.note.sums", lang)
        legend = "".join(
            f'<span class="d-key"><i style="background:{fill}"></i>{texts.text(f"chart.{kind}", lang)}</span>'
            for kind, fill in charts.KIND_FILL.items()
        )
        legend += f'<span class="d-key"><i class="d-unpaid"></i>{escape(texts.text("day.unpaid", lang))}</span>'
        newest = days.sort("date_de_service", descending=True)
        links = {} if self.bar.scope.is_by_week else {"date_de_service": self._to_day}
        listed = self._behind(newest, columns, title, links)
        return Shown(title, note, drawn, Markup(f'<p class="d-legend">{legend}</p>{listed}'))

    def _thresholds(self, facts: Asked) -> dict[str, int]:
        """Label → patients, as the rules in force have them."""
        lines = {}
        for row in facts.thresholds.iter_rows(named=True):
            for kind in ("registered", "walk_in"):
                if row[kind] is not None:
                    label = texts.text(f"threshold.{kind}", self.lang, code=row["code"], patients=row[kind])
                    lines[label] = row[kind]
        return lines

    def _calendar(self, facts: Asked) -> Shown:
        lang = self.lang
        title, note = texts.text("calendar.title", lang), texts.text("calendar.note", lang)
        if facts.doctor_days.is_empty():
            return Shown(title, "", self.no_lines())
        chosen = self._calendar_doctors(facts)
        days = facts.doctor_days.join(chosen, on="doctor", how="inner").sort("place", "date_de_service").drop("place")
        since = pl.col("date_de_service").max() - timedelta(days=charts.CALENDAR_DAYS)
        columns = {
            "date_de_service": ("chart.day", "day"),
            "patients": ("chart.patients", "integer"),
            "registered": ("column.registered", "integer"),
            "walk_in": ("column.walk_in", "integer"),
            "worst": ("column.worst", "severity"),
            **({"doctor": ("filter.doctor", "text")} if chosen.height > 1 else {}),
        }
        doctor: str = chosen["doctor"][0]
        named = texts.text("calendar.title.of", lang, doctor=doctor or texts.text("doctor.none", lang))
        named = named if chosen.height == 1 else title
        newest = days.sort("date_de_service", descending=True).with_columns(pl.col("worst").fill_null("clean"))
        drawn = charts.calendar(days.filter(pl.col("date_de_service") > since), lang)
        listed = self._behind(newest, columns, named, {"date_de_service": self._to_day})
        return Shown(named, note, drawn, listed)

    def _calendar_doctors(self, facts: Asked) -> pl.DataFrame:
        """(doctors, 2) doctor, place: those that are chosen, who saw most first; the busiest where none is."""
        most = MOST_CALENDARS if self.bar.filters.doctor else 1
        seen = facts.doctor_days.group_by("doctor").agg(pl.col("patients").sum())
        busiest = seen.sort("patients", "doctor", descending=[True, False]).head(most)
        return busiest.select("doctor").with_row_index("place")

    def _behind(self, rows: pl.DataFrame, columns: Columns, caption: str, links: Links) -> Markup:
        """The figures of a chart; the file of them leaves the house without small numbers of patients."""
        note = texts.text("note.small", self.lang)
        return behind(rows, columns, caption, self.lang, links=links, leaving=_few_hidden(rows), note=note)

    def _weekdays(self, facts: Asked) -> Shown:
        lang = self.lang
        title, note = texts.text("weekdays.title", lang), texts.text("weekdays.note", lang)
        if facts.weekdays.is_empty():
            return Shown(title, "", self.no_lines())
        columns = {"date_de_service": ("chart.day", "day"), "patients": ("chart.patients", "integer")}
        drawn = charts.weekday_strip(facts.weekdays, lang)
        return Shown(title, note, drawn, self._behind(facts.weekdays, columns, title, {}))

    def _list(self, facts: Asked) -> Shown:
        lang, listed = self.lang, facts.listed
        title, note = texts.text("fee_days.title", lang), texts.text("fee_days.note", lang)
        if listed.is_empty():
            return Shown(title, "", self.no_lines())
        columns = {
            "date_de_service": ("chart.day", "day"),
            "doctor": ("filter.doctor", "text"),
            "lieu_de_pratique": ("filter.place", "text"),
            "patients": ("chart.patients", "integer"),
            "registered": ("column.registered", "integer"),
            "walk_in": ("column.walk_in", "integer"),
            "fee_codes": ("column.fee_codes", "text"),
            "expected_code": ("column.expected_code", "text"),
            "difference": ("column.difference", "money"),
        }
        # Days with a difference are what there is to act on.
        first = listed.sort(pl.col("difference").abs() > 0, "date_de_service", descending=True, nulls_last=True)
        links = {"date_de_service": self._to_day}
        shown = table(first, columns, title, lang, most=MOST_ROWS, links=links)
        rest = self._behind(listed, columns, title, links) if listed.height > MOST_ROWS else Markup()
        return Shown(title, note, shown, rest)

    def _on_days(self, picked: Picked) -> None:
        if ends := picked.get("noon"):
            self.choose_days(*(day_of(end) for end in ends))

    def _on_day(self, picked: Picked) -> None:
        self.open_sheet(day_name(date.fromisoformat(picked["day"]), picked.get("doctor")))

    def _to_day(self, row: Mapping[str, Any], shown: str) -> Markup:
        """A date that opens the sheet of its day: the way of those who cannot click a cell."""
        name = day_name(row["date_de_service"], row.get("doctor"))
        return opening(name, self.visit.link(self.name, replace(self.bar.filters, day=name).asked), shown)

    def with_sheet(self, name: str) -> Filters:
        return replace(self.bar.filters, day=name if read_day_name(name) else "")

    def sheet(self) -> tuple[str, Markup]:
        """The day that is looked at, of one doctor or of all."""
        lang, asked = self.lang, read_day_name(self.bar.filters.day)
        if asked is None:
            return "", Markup()
        # What draws a patient's day takes 30 MiB: it is loaded when somebody looks at one.
        from dashlib.pages import day_sheet

        figures = metrics.day_figures(self.wb, *asked)
        found = day_sheet.find(self.wb, figures, lang)
        return day_sheet.title(figures, lang), day_sheet.drawn(figures, found, self.held.rules, lang, self.visit.link)


def _few_hidden(rows: pl.DataFrame) -> list[pl.Expr]:
    """Counts of patients without those that are small."""
    return [pl.when((pl.col(n) == 0) | (pl.col(n) >= FEW)).then(n) for n in SEEN if n in rows.columns]


def _busiest(seen: pl.DataFrame) -> dict[str, Any] | None:
    """The first of the days with most patients."""
    ranked = seen.sort("patients", "date_de_service", descending=[True, False])
    return ranked.row(0, named=True) if ranked.height else None


def _share(name: str, part: int, whole: int, days: pl.DataFrame, lang: str) -> Tile:
    value = texts.percent(part / whole, lang) if whole else texts.NULL
    spark = _over_time(days, pl.col(name).sum() / pl.col("patients").sum())
    return Tile(texts.text(f"tile.{name}", lang), value, texts.plural("note.patients", part, lang), spark=spark)


def _over_time(days: pl.DataFrame, figure: pl.Expr) -> str:
    """A figure in twelve parts of the days, as a small line."""
    each = max(-(-days.height // SPARKS), 1)
    at = days.sort("date_de_service").with_row_index("at").group_by(pl.col("at") // each, maintain_order=True)
    values = at.agg(value=figure.cast(pl.Float64))["value"]
    return charts.sparkline(values.fill_nan(None).drop_nulls().to_list(), "info")


def _median(patients: pl.Series) -> float | None:
    middle = patients.median()
    return float(middle) if isinstance(middle, int | float) else None
