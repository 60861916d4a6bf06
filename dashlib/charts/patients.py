"""Patients day by day: who is registered and who walks in, paid or not, and the thresholds of the office fees."""

from collections.abc import Mapping
from datetime import date

import altair as alt
import polars as pl

from dashlib import texts
from dashlib.charts.look import (
    GRID,
    INK,
    MUTED,
    TEXT,
    Width,
    days_axis,
    drawing_days,
    framed,
    noon,
    opening,
    tooltips,
)

KINDS = ("registered", "walk_in")
KIND_FILL = {"registered": "var(--info)", "walk_in": "var(--pale-fill)"}
PARTS = tuple((kind, is_paid) for kind in KINDS for is_paid in (True, False))
"""What a bar is stacked of, from below."""

UNPAID = 0.35
"""How strongly a bar is filled where nothing was paid: its outline stays."""

LEAST_DAYS = 3
"""Of so many days a median says something."""

MOST_SHADED = 62
"""Days up to which weekends are shaded; in a longer period they are stripes."""


def patients_by_day(
    days: pl.DataFrame,
    lang: str,
    *,
    thresholds: Mapping[str, int] | None = None,
    holidays: Mapping[date, str] | None = None,
    width: Width = "container",
) -> alt.LayerChart:
    """A bar a day, registered patients below and those without appointment above; the line is their median.

    Args:
        days: (days or weeks): date_de_service, patients, registered, registered_paid, walk_in, walk_in_paid.
        thresholds: label → patients: lines across, where one doctor is looked at.
        holidays: days that are named at the foot.
    """
    bars_of = _parts(days, lang)
    # As wide as their card leaves room for: on a phone they would lie over each other.
    apart = int(days["date_de_service"].sort().diff().dt.total_days().min() or 1)  # type: ignore[arg-type]
    first, last = _ends(days)
    wide = f"max(1.5, min(18, 0.8 * width / {(last - first).days // apart + 1}))"
    base = alt.Chart(bars_of).encode(x=days_axis(lang))
    bars = base.mark_bar(size=alt.expr(wide), strokeWidth=0.75, cursor="pointer").encode(
        y=alt.Y("patients:Q", title=None, axis=alt.Axis(format=",d", tickMinStep=1, tickCount=5)),
        color=_of_kind(alt.Color),
        stroke=_of_kind(alt.Stroke),
        fillOpacity=alt.FillOpacityValue(UNPAID, condition={"test": "datum.is_paid", "value": 1}),
        order=alt.Order("order:Q"),
        tooltip=tooltips(
            {
                "noon:T": ("chart.day", "long_day"),
                "named:N": ("chart.kind", ""),
                "patients:Q": ("chart.patients", ",d"),
            },
            lang,
        ),
    )
    median = (
        alt.Chart(_medians(days))
        .mark_line(color=TEXT, strokeWidth=1.75, interpolate="monotone")
        .encode(x=days_axis(lang), y=alt.Y("median:Q"), detail="stretch:N")
    )
    marked = [*_thresholds(thresholds or {}), *_holidays(holidays or {}, lang)]
    layers = [*_weekends(days, lang), bars.add_params(drawing_days(), opening("day")), median, *marked]
    return framed(layers, texts.text("chart.patients_by_day", lang), width, 250)


def _parts(days: pl.DataFrame, lang: str) -> pl.DataFrame:
    """Patients of each day by kind, paid and not."""
    states = {True: texts.text("day.paid", lang), False: texts.text("day.unpaid", lang)}
    parts = [
        days.select(
            noon(),
            day=pl.col("date_de_service").dt.strftime("%Y-%m-%d"),
            kind=pl.lit(kind),
            is_paid=pl.lit(is_paid),
            named=pl.lit(f"{texts.text(f'chart.{kind}', lang)} · {states[is_paid]}"),
            order=pl.lit(order),
            patients=pl.col(f"{kind}_paid") if is_paid else pl.col(kind) - pl.col(f"{kind}_paid"),
        )
        for order, (kind, is_paid) in enumerate(PARTS)
    ]
    return pl.concat(parts).filter(pl.col("patients") > 0)


def _of_kind[C: alt.Color | alt.Stroke](channel: type[C]) -> C:
    scale = alt.Scale(domain=list(KINDS), range=[KIND_FILL[kind] for kind in KINDS])
    return channel("kind:N", legend=None, scale=scale)


def _medians(days: pl.DataFrame) -> pl.DataFrame:
    """The median of the working days of the week before each; the line stops where none was worked for a week.

    Weekends have hours of their own and would pull it down, most of all in the first week. Days must be LEAST_DAYS,
    unless each is a whole week.
    """
    worked = days.filter(pl.col("date_de_service").dt.weekday() <= 5)
    days = (worked if worked.height else days).sort("date_de_service")
    is_daily = days.height > 1 and days["date_de_service"].diff().dt.total_days().min() == 1
    gap = (pl.col("date_de_service").diff().dt.total_days() > 7).fill_null(False)
    middle = (
        pl.col("patients")
        .cast(pl.Float64)
        .rolling_median_by("date_de_service", window_size="7d", min_samples=LEAST_DAYS if is_daily else 1)
    )
    return days.select(noon(), median=middle, stretch=gap.cum_sum()).drop_nulls("median")


def _weekends(days: pl.DataFrame, lang: str) -> list[alt.Chart]:
    """A pale ground under Saturdays and Sundays of a period that is drawn by day."""
    if days.is_empty():
        return []
    every = pl.DataFrame({"date_de_service": pl.date_range(*_ends(days), eager=True)})
    saturdays = every.filter(pl.col("date_de_service").dt.weekday() == 6)
    if saturdays.is_empty() or every.height > MOST_SHADED:
        return []
    # From midnight to midnight of Toronto's clock, whichever way it was set in between.
    ends = saturdays.select(
        noon=pl.col("date_de_service").dt.strftime("%Y-%m-%dT00:00:00"),
        until=(pl.col("date_de_service") + pl.duration(days=2)).dt.strftime("%Y-%m-%dT00:00:00"),
    )
    return [alt.Chart(ends).mark_rect(color=GRID, opacity=0.7).encode(x=days_axis(lang), x2="until:T")]


def _ends(days: pl.DataFrame) -> tuple[date, date]:
    first, last = days["date_de_service"].min(), days["date_de_service"].max()
    return first, last  # type: ignore[return-value]  # a column of dates


def _thresholds(thresholds: Mapping[str, int]) -> list[alt.Chart]:
    """A dashed line at each threshold, named beside the drawing."""
    if not thresholds:
        return []
    lines = pl.DataFrame({"label": list(thresholds), "patients": list(thresholds.values())})
    at = alt.Chart(lines).encode(y=alt.Y("patients:Q"))
    rule = at.mark_rule(strokeDash=[5, 4], color=INK["warning"], strokeWidth=1.25)
    words = at.mark_text(align="left", baseline="middle", dx=6, color=INK["warning"], fontSize=12)
    return [rule, words.encode(x=alt.XValue("width"), text="label:N")]


def _holidays(holidays: Mapping[date, str], lang: str) -> list[alt.Chart]:
    if not holidays:
        return []
    named = pl.DataFrame({"date_de_service": list(holidays), "name": list(holidays.values())})
    base = alt.Chart(named.select(noon(), "name")).encode(
        x=days_axis(lang), tooltip=[alt.Tooltip("name:N", title=None)]
    )
    return [base.mark_text(text="✶", color=MUTED, fontSize=12, dy=-4).encode(y=alt.YValue("height"))]


def patient_days(days: pl.DataFrame, lang: str, *, width: Width = "container") -> alt.LayerChart:
    """Patients a day of each doctor: a point a day, a tick at the median.

    Args:
        days: (doctor days): doctor, date_de_service, patients. Doctors are drawn in the order of their first row.
    """
    doctors = days["doctor"].unique(maintain_order=True).to_list()
    y = alt.Y(
        "doctor:N",
        sort=doctors,
        title=None,
        axis=alt.Axis(domain=False, ticks=False, labelPadding=8, labelLimit=180, grid=True, gridColor=GRID),
    )
    x = alt.X("patients:Q", title=texts.text("chart.patients", lang), axis=alt.Axis(format=",d", tickMinStep=1))
    base = alt.Chart(days.select("doctor", "patients")).encode(y=y)
    points = base.mark_point(size=24, filled=True, color=INK["info"], opacity=0.35).encode(
        x=x, tooltip=tooltips({"doctor:N": ("filter.doctor", ""), "patients:Q": ("chart.patients", ",d")}, lang)
    )
    medians = base.mark_tick(color=TEXT, thickness=2, size=16).encode(x=alt.X("median(patients):Q"))
    return framed([points, medians], texts.text("chart.patient_days", lang), width, max(26 * len(doctors), 40))
