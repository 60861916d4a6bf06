"""Patients day by day: who is registered and who walks in, paid or not, and the thresholds of the office fees."""

from collections.abc import Mapping
from datetime import date

import altair as alt
import polars as pl

from dashlib import texts
from dashlib.charts.look import GRID, INK, MUTED, TEXT, Width, days_axis, drawing_days, framed, noon, tooltips

KINDS = ("registered", "walk_in")
KIND_FILL = {"registered": "var(--info)", "walk_in": "var(--pale-fill)"}


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
    names = {kind: texts.text(f"chart.{kind}", lang) for kind in KINDS}
    bars_of = (
        days.select("date_de_service", *KINDS)
        .unpivot(KINDS, index="date_de_service", variable_name="kind", value_name="patients")
        .with_columns(
            order=pl.col("kind").replace_strict({kind: n for n, kind in enumerate(KINDS)}, return_dtype=pl.Int64),
            named=pl.col("kind").replace_strict(names),
        )
        .select(noon(), "kind", "named", "order", "patients")
    )
    middle = days.sort("date_de_service").select(
        noon(), median=pl.col("patients").cast(pl.Float64).rolling_median_by("date_de_service", window_size="7d")
    )
    bar_px = max(2, min(18, 900 // max(days.height, 1)))
    base = alt.Chart(bars_of).encode(x=days_axis(lang))
    bars = base.mark_bar(size=bar_px).encode(
        y=alt.Y("patients:Q", title=None, axis=alt.Axis(format=",d", tickMinStep=1, tickCount=5)),
        color=alt.Color(
            "kind:N", legend=None, scale=alt.Scale(domain=list(KINDS), range=[KIND_FILL[kind] for kind in KINDS])
        ),
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
        alt.Chart(middle)
        .mark_line(color=TEXT, strokeWidth=1.75, interpolate="monotone")
        .encode(x=days_axis(lang), y=alt.Y("median:Q"))
    )
    layers = [bars.add_params(drawing_days()), median, *_thresholds(thresholds or {}), *_holidays(holidays or {}, lang)]
    return framed(layers, texts.text("chart.patients_by_day", lang), width, 250)


def _thresholds(thresholds: Mapping[str, int]) -> list[alt.Chart]:
    """A dashed line at each threshold, named beside the drawing."""
    if not thresholds:
        return []
    lines = pl.DataFrame({"label": list(thresholds), "patients": list(thresholds.values())})
    at = alt.Chart(lines).encode(y=alt.Y("patients:Q"))
    rule = at.mark_rule(strokeDash=[5, 4], color=INK["warning"], strokeWidth=1.25)
    words = at.mark_text(align="left", baseline="middle", dx=6, color=INK["warning"], fontSize=12)
    return [rule, words.encode(x=alt.value("width"), text="label:N")]


def _holidays(holidays: Mapping[date, str], lang: str) -> list[alt.Chart]:
    if not holidays:
        return []
    named = pl.DataFrame({"date_de_service": list(holidays), "name": list(holidays.values())})
    base = alt.Chart(named.select(noon(), "name")).encode(
        x=days_axis(lang), tooltip=[alt.Tooltip("name:N", title=None)]
    )
    return [base.mark_text(text="✶", color=MUTED, fontSize=12, dy=-4).encode(y=alt.value("height"))]


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
    return framed([points, medians], texts.text("chart.patient_days", lang), width, max(26 * len(doctors), 40))
