"""How a figure goes over days: the trend with what is usual, and small lines beside figures."""

from collections.abc import Sequence
from datetime import date

import altair as alt
import polars as pl

from dashlib import texts
from dashlib.charts.look import (
    CARD,
    GRID,
    INK,
    MUTED,
    SEVERITY_TONE,
    Tone,
    Width,
    days_axis,
    drawing_days,
    framed,
    noon,
    tooltips,
)

MOST_DAYS = 120
COUNTS = ("lines", "hits")

TARGET = 0.02
"""Lines in error: over 2 % refused at first is the federation's threshold (FMOQ, May 2025)."""

FEW_LINES = 20
"""A day with fewer lines is drawn as an open point and does not stretch the axis: one error there is 5 % or more."""

WEEKS_BACK = 8
"""What is usual for a weekday is told from as many of them before."""

SPREAD = 2
"""Median absolute deviations on either side of the median."""


def error_trend(
    days: pl.DataFrame,
    lang: str,
    *,
    severity: str = "error",
    versions: pl.DataFrame | None = None,
    period: tuple[date, date] | None = None,
    width: Width = "container",
) -> alt.LayerChart:
    """The share of lines with a result of a severity: a point a day, their running mean, what is usual, the target.

    Args:
        days: (days, by date): date_de_service, lines, hits (lines with such a result; for `info` the results).
            Over MOST_DAYS days they are drawn by week.
        versions: (changes): date_de_service, label: days when the rules changed, ticked under the axis.
        period: first and last day of a part that is set off by its ground.
    """
    drawn = _rates(days)
    top = _top(drawn, TARGET if severity == "error" else 0)
    line = INK["info" if severity == "error" else SEVERITY_TONE[severity]]
    base = alt.Chart(drawn).encode(x=days_axis(lang))
    y = alt.Y(
        "rate:Q",
        title=None,
        axis=alt.Axis(format=".1%" if top < 0.1 else ".0%", tickCount=5),
        scale=alt.Scale(domain=[0, top], clamp=True),
    )
    band = base.mark_area(color=INK["info"], opacity=0.1).encode(y=alt.Y("low:Q"), y2="high:Q", detail="stretch:N")
    points = base.mark_point(size=26, strokeWidth=1.2).encode(
        y=y,
        stroke=alt.StrokeValue(INK["neutral"]),
        fill=alt.FillValue(CARD, condition={"test": f"datum.lines >= {FEW_LINES}", "value": INK["neutral"]}),
        tooltip=_tooltip(severity, lang),
    )
    # The line stops where nothing, or hardly a line, was billed for as long as it looks back.
    mean = base.mark_line(color=line, strokeWidth=2.25).encode(y=alt.Y("mean:Q"), detail="stretch:N")
    ground = _ground(*period, lang) if period else []
    layers = [*ground, *([band] if drawn["low"].count() else []), points.add_params(drawing_days()), mean]
    layers += _target(lang) if severity == "error" else []
    layers += _versions(versions, drawn, lang) if versions is not None else []
    return framed(layers, texts.text(f"chart.trend.{severity}", lang), width, 250)


def unusual(days: pl.DataFrame) -> pl.DataFrame:
    """Days whose rate lies outside what is usual for them, the furthest first; none where days are drawn by week.

    Args:
        days: as for `error_trend`.

    Returns:
        (days, 4): date_de_service date; rate, low, high f64.
    """
    rated = _rates(days).filter(pl.col("lines") >= FEW_LINES)
    off = pl.max_horizontal(pl.col("rate") - pl.col("high"), pl.col("low") - pl.col("rate"))
    day = pl.col("noon").str.head(10).str.to_date()
    return rated.filter(off > 0).sort(off, descending=True).select("rate", "low", "high", date_de_service=day)


def is_by_week(days: pl.DataFrame) -> bool:
    """Whether so many days would be drawn by week."""
    return days.height > 0 and (days["date_de_service"].max() - days["date_de_service"].min()).days > MOST_DAYS  # type: ignore[operator, union-attr]


def _rates(days: pl.DataFrame) -> pl.DataFrame:
    """Days that have lines (or weeks), with their rate, a running mean weighed by lines, and the usual range."""
    by_week = is_by_week(days)
    back = 28 if by_week else 7
    each = days.sort("date_de_service").group_by_dynamic("date_de_service", every="1w" if by_week else "1d")
    running = {n: pl.col(n).rolling_sum_by("date_de_service", window_size=f"{back}d") for n in COUNTS}
    # A mean of a few lines says nothing: where it would stand the line is broken.
    enough = running["lines"] >= FEW_LINES
    gap = (pl.col("date_de_service").diff().dt.total_days() > back).fill_null(False)
    rated = (
        each.agg(pl.col(COUNTS).sum())
        .filter(pl.col("lines") > 0)
        .with_columns(
            rate=pl.col("hits") / pl.col("lines"),
            mean=pl.when(enough).then(running["hits"] / running["lines"]),
            stretch=(gap | ~enough).cum_sum(),
        )
    )
    return _usual(rated, by_week=by_week).select(noon(), *COUNTS, "rate", "mean", "stretch", "low", "high")


def _usual(rated: pl.DataFrame, *, by_week: bool) -> pl.DataFrame:
    """The range in which a day's rate usually lies, judged by the same weekday before; none while there are too few."""
    if by_week:
        return rated.with_columns(low=pl.lit(None, pl.Float64), high=pl.lit(None, pl.Float64))
    rate, least = pl.when(pl.col("lines") >= FEW_LINES).then("rate"), WEEKS_BACK // 2
    weekday = rated.with_columns(weekday=pl.col("date_de_service").dt.weekday())
    middle = weekday.with_columns(
        middle=rate.shift(1).rolling_median(WEEKS_BACK, min_samples=least).over("weekday"),
    )
    off = (rate.shift(1) - pl.col("middle")).abs().rolling_median(WEEKS_BACK, min_samples=least).over("weekday")
    apart = middle.with_columns(off=off)
    # Weekdays differ: a week's mean of their ranges is what an eye can follow.
    low, high = ((pl.col("middle") + sign * SPREAD * pl.col("off")) for sign in (-1, 1))
    ranged = apart.with_columns(low=low.clip(lower_bound=0), high=high)
    return ranged.with_columns(pl.col("low", "high").rolling_mean(7, min_samples=3))


def _top(rates: pl.DataFrame, least: float) -> float:
    """Where the axis ends: above the mean, the target, and every day of enough lines."""
    tall = [*rates["mean"].drop_nulls(), *rates.filter(pl.col("lines") >= FEW_LINES)["rate"]]
    return float(max(1.4 * least, 0.01, *(1.15 * height for height in tall)))


def _tooltip(severity: str, lang: str) -> list[alt.Tooltip]:
    return tooltips(
        {
            "noon:T": ("chart.day", "long_day"),
            "rate:Q": (f"chart.rate.{severity}", ".1%"),
            "mean:Q": ("chart.mean", ".1%"),
            "hits:Q": (f"chart.hits.{severity}", ",d"),
            "lines:Q": ("chart.lines", ",d"),
        },
        lang,
    )


def _ground(first: date, last: date, lang: str) -> list[alt.Chart]:
    ends = pl.DataFrame({"from": [f"{first}T00:00:00"], "to": [f"{last}T23:59:59"]})
    x = days_axis(lang)
    x.shorthand = "from:T"
    return [alt.Chart(ends).mark_rect(color=GRID, opacity=0.8).encode(x=x, x2="to:T")]


def _target(lang: str) -> list[alt.Chart]:
    label = texts.text("chart.target", lang, share=texts.percent(TARGET, lang, 0))
    at = alt.Chart(pl.DataFrame({"target": [TARGET], "label": [label]})).encode(y=alt.Y("target:Q"))
    rule = at.mark_rule(strokeDash=[5, 4], color=INK["error"], strokeWidth=1.25)
    # Beside the drawing, not in it: there no point can lie under the words.
    words = at.mark_text(align="left", baseline="middle", dx=6, color=INK["error"], fontSize=12)
    return [rule, words.encode(x=alt.XValue("width"), text="label:N")]


def _versions(versions: pl.DataFrame, drawn: pl.DataFrame, lang: str) -> list[alt.Chart]:
    """A tick at the bottom where the rules changed: a rate can move because the measure did."""
    since, until = pl.lit(drawn["noon"].min()), pl.lit(drawn["noon"].max())
    within = versions.select(noon(), "label").filter(pl.col("noon").is_between(since, until))
    if within.is_empty():
        return []
    base = alt.Chart(within).encode(x=days_axis(lang), tooltip=[alt.Tooltip("label:N", title=None)])
    ticks = base.mark_rule(color=MUTED, strokeWidth=1.5).encode(y=alt.YValue("height"), y2=alt.Y2Value(238))
    return [ticks]


def sparkline(
    values: Sequence[float], tone: Tone, *, width: int = 120, height: int = 28, from_zero: bool = False
) -> str:
    """A small line of the last periods, as SVG text; nothing where there are not two values to join."""
    if len(values) < 2:
        return ""
    low, high = (0 if from_zero else min(values)), max(values)
    step, span = (width - 6) / (len(values) - 1), (high - low) or 1
    at = [(3 + n * step, height - 4 - (value - low) / span * (height - 8)) for n, value in enumerate(values)]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in at)
    last = f'<circle cx="{at[-1][0]:.1f}" cy="{at[-1][1]:.1f}" r="2.5" fill="{INK[tone]}"/>'
    return (
        f'<svg class="spark" width="{width}" height="{height}" viewBox="0 0 {width} {height}" aria-hidden="true">'
        f'<polyline points="{line}" fill="none" stroke="{INK[tone]}" stroke-width="1.75" stroke-linejoin="round"/>'
        f"{last}</svg>"
    )
