"""Charts: a frame of aggregates in, an Altair chart out, in one look and in the reader's language. Pure.

Nothing here is drawn by line of an export, and no chart takes more than MOST_ROWS rows.
"""

import sys
from typing import Any, Literal

import polars as pl

from dashlib import texts

# jsonschema builds a grammar of web addresses at import, a second of CPU in every kernel, which charts never ask for.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]

import altair as alt  # noqa: E402

Tone = Literal["error", "warning", "opportunity", "info", "neutral"]
type Width = int | Literal["container"]
"""Pixels, or as wide as the card that holds the chart."""

# Contrast of at least 4.5 on white, and told apart by people who confuse red and green (worst pair: ΔE2000 12.1).
INK: dict[Tone, str] = {
    "error": "#8A1A1D",
    "warning": "#9C6206",
    "opportunity": "#0A7059",
    "info": "#1A3A90",
    "neutral": "#6E7580",
}
TEXT, MUTED, RULE, GRID = "#1B2430", "#5A6573", "#B8C0C8", "#E9EDF1"
FONT = "Source Sans 3, Segoe UI, system-ui, DejaVu Sans, sans-serif"

MOST_ROWS = 2_000
MOST_DAYS = 120
COUNTS = ("lines", "hits")

TARGET = 0.02
"""Lines in error: over 2 % refused at first is the federation's threshold (FMOQ, May 2025)."""

FEW_LINES = 20
"""A day with fewer lines is drawn as an open point and does not stretch the axis: one error there is 5 % or more."""

DAY_OF = {"fr": "%-d %b", "en": "%b %-d"}
LONG_DAY_OF = {"fr": "%-d %B %Y", "en": "%B %-d, %Y"}

SEVERITY_TONE: dict[str, Tone] = {"error": "error", "warning": "warning", "info": "opportunity"}


def embed_options(lang: str) -> dict[str, Any]:
    """How a browser draws our charts: as SVG, which screen readers read, and with our own numbers and months."""
    return {
        "renderer": "svg",
        "actions": False,
        "formatLocale": texts.vega_numbers(lang),
        "timeFormatLocale": texts.vega_dates(lang),
    }


def svg(chart: alt.TopLevelMixin, lang: str) -> str:
    """The chart as SVG text, drawn here: it loads nothing when it is shown."""
    import vl_convert

    return vl_convert.vegalite_to_svg(
        chart.to_dict(),
        format_locale=texts.vega_numbers(lang),
        time_format_locale=texts.vega_dates(lang),
    )


def error_trend(
    days: pl.DataFrame, lang: str, *, severity: str = "error", width: Width = "container"
) -> alt.LayerChart:
    """Share of lines with a result of this severity: a point a day and a running mean, with the target for errors.

    Args:
        days: (days, by date): date_de_service, lines, hits (lines with such a result; for `info` the results).
            Over MOST_DAYS days they are drawn by week.
    """
    drawn = _rates(days)
    line = INK["info" if severity == "error" else SEVERITY_TONE[severity]]
    top = _top(drawn, TARGET if severity == "error" else 0)
    base = alt.Chart(drawn).encode(
        x=alt.X(
            "noon:T", title=None, axis=alt.Axis(format=DAY_OF[lang], tickCount=8, labelOverlap=True, labelFlush=True)
        )
    )
    points = base.mark_point(size=26, strokeWidth=1.2).encode(
        y=alt.Y(
            "rate:Q",
            title=None,
            axis=alt.Axis(format=".1%" if top < 0.1 else ".0%", tickCount=5),
            scale=alt.Scale(domain=[0, top], clamp=True),
        ),
        stroke=alt.value(INK["neutral"]),
        fill=alt.condition(f"datum.lines >= {FEW_LINES}", alt.value(INK["neutral"]), alt.value("white")),
        tooltip=_trend_tooltip(severity, lang),
    )
    mean = base.mark_line(color=line, strokeWidth=2.25).encode(y=alt.Y("mean:Q"))
    target = _target(lang) if severity == "error" else []
    return _framed([points, mean, *target], texts.text(f"chart.trend.{severity}", lang), width, 250)


def is_by_week(days: pl.DataFrame) -> bool:
    """Whether so many days would be drawn by week."""
    return days.height > 0 and (days["date_de_service"].max() - days["date_de_service"].min()).days > MOST_DAYS  # type: ignore[operator, union-attr]


def _rates(days: pl.DataFrame) -> pl.DataFrame:
    """Days that have lines (or weeks), with their rate and a running mean weighed by lines, at noon."""
    by_week = is_by_week(days)
    each = days.sort("date_de_service").group_by_dynamic("date_de_service", every="1w" if by_week else "1d")
    running = {n: pl.col(n).rolling_sum_by("date_de_service", window_size="28d" if by_week else "7d") for n in COUNTS}
    return (
        each.agg(pl.col(COUNTS).sum())
        .filter(pl.col("lines") > 0)
        .select(
            # A plain date would be read as midnight in Greenwich, which is the day before in Montréal.
            pl.col("date_de_service").dt.strftime("%Y-%m-%dT12:00:00").alias("noon"),
            *COUNTS,
            rate=pl.col("hits") / pl.col("lines"),
            mean=running["hits"] / running["lines"],
        )
    )


def _top(rates: pl.DataFrame, least: float) -> float:
    """Where the axis ends: above the mean, the target, and every day of enough lines."""
    tall = [*rates["mean"], *rates.filter(pl.col("lines") >= FEW_LINES)["rate"]]
    return float(max(1.4 * least, 0.01, *(1.15 * height for height in tall)))


def _trend_tooltip(severity: str, lang: str) -> list[alt.Tooltip]:
    titles = {
        "noon:T": ("chart.day", f"%A {LONG_DAY_OF[lang]}"),
        "rate:Q": (f"chart.rate.{severity}", ".1%"),
        "mean:Q": ("chart.mean", ".1%"),
        "hits:Q": (f"chart.hits.{severity}", ",d"),
        "lines:Q": ("chart.lines", ",d"),
    }
    return [alt.Tooltip(name, format=form, title=texts.text(key, lang)) for name, (key, form) in titles.items()]


def _target(lang: str) -> list[alt.Chart]:
    label = texts.text("chart.target", lang, share=texts.percent(TARGET, lang, 0))
    at = alt.Chart(pl.DataFrame({"target": [TARGET], "label": [label]})).encode(y=alt.Y("target:Q"))
    rule = at.mark_rule(strokeDash=[5, 4], color=INK["error"], strokeWidth=1.25)
    # Beside the drawing, not in it: there no point can lie under the words.
    words = at.mark_text(align="left", baseline="middle", dx=6, color=INK["error"], fontSize=12)
    return [rule, words.encode(x=alt.value("width"), text="label:N")]


def common_rules(rules: pl.DataFrame, lang: str, *, width: Width = "container") -> alt.LayerChart:
    """How many results each rule gave: a bar a rule, its name above it, in the order of the frame.

    Args:
        rules: (rules, in order): label, severity, results.
    """
    names = rules["label"].to_list()
    longest = max([*rules["results"], 1])
    severities = {severity: texts.text(f"severity.{severity}", lang) for severity in SEVERITY_TONE}
    drawn = rules.select("label", "results", severity=pl.col("severity").replace_strict(severities))
    y = alt.Y("label:N", sort=names, title=None, axis=None, scale=alt.Scale(paddingInner=0.62, paddingOuter=0.4))
    x = alt.X("results:Q", title=None, axis=None, scale=alt.Scale(domain=[0, longest * 1.12]))
    colour = alt.Color(
        "severity:N",
        title=None,
        scale=alt.Scale(domain=list(severities.values()), range=[INK[SEVERITY_TONE[s]] for s in severities]),
        legend=None,
    )
    base = alt.Chart(drawn).encode(y=y)
    bars = base.mark_bar(cornerRadiusEnd=3).encode(x=x, color=colour)
    counts = base.mark_text(align="left", dx=6, color=TEXT, fontSize=12).encode(
        x=alt.X("results:Q"), text=alt.Text("results:Q", format=",d")
    )
    titles = base.mark_text(align="left", x=0, dy=-16, color=TEXT, fontSize=12.5, limit=640).encode(text="label:N")
    return _framed([bars, counts, titles], texts.text("chart.rules", lang), width, max(44 * len(names), 44))


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
    points = base.mark_point(size=24, filled=True, color=INK["info"], opacity=0.35).encode(x=x)
    medians = base.mark_tick(color=TEXT, thickness=2, size=16).encode(x=alt.X("median(patients):Q"))
    return _framed([points, medians], texts.text("chart.patient_days", lang), width, max(26 * len(doctors), 40))


def _framed(layers: list[alt.Chart], description: str, width: Width, height: int) -> alt.LayerChart:
    if any(layer.data.height > MOST_ROWS for layer in layers):
        raise ValueError(f"a chart takes at most {MOST_ROWS} rows: group them before drawing")
    return alt.LayerChart(
        layer=layers,
        width=width,
        height=height,
        description=description,
        autosize=alt.AutoSizeParams(type="fit-x" if width == "container" else "pad", contains="padding"),
        padding={"left": 2, "right": 12, "top": 6, "bottom": 2},
        config=LOOK,
    )


LOOK: dict[str, Any] = {
    "font": FONT,
    "background": "transparent",
    "view": {"stroke": None},
    "axis": {
        "labelColor": MUTED,
        "titleColor": MUTED,
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "gridColor": GRID,
        "domainColor": RULE,
        "tickColor": RULE,
        "labelPadding": 6,
    },
    "axisX": {"grid": False},
    "axisY": {"domain": False, "ticks": False},
    "line": {"strokeJoin": "round", "strokeCap": "round"},
}


def sparkline(values: list[float], tone: Tone, *, width: int = 120, height: int = 28) -> str:
    """A small line of the last periods, as SVG text; nothing where there are not two values to join."""
    if len(values) < 2:
        return ""
    low, high = min(values), max(values)
    step, span = (width - 6) / (len(values) - 1), (high - low) or 1
    at = [(3 + n * step, height - 4 - (value - low) / span * (height - 8)) for n, value in enumerate(values)]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in at)
    last = f'<circle cx="{at[-1][0]:.1f}" cy="{at[-1][1]:.1f}" r="2.5" fill="{INK[tone]}"/>'
    return (
        f'<svg class="spark" width="{width}" height="{height}" viewBox="0 0 {width} {height}" aria-hidden="true">'
        f'<polyline points="{line}" fill="none" stroke="{INK[tone]}" stroke-width="1.75" stroke-linejoin="round"/>'
        f"{last}</svg>"
    )
