"""Parts of a whole: lines by their worst severity week by week, and what became of results from one run to the next."""

from collections.abc import Mapping

import altair as alt
import polars as pl

from dashlib import texts
from dashlib.charts.look import CARD, INK, MUTED, SEVERITY_TONE, TEXT, Tone, Width, framed, picking, tooltips
from dashlib.charts.trends import FEW_LINES

WORST = ("error", "warning", "info")

FATE_TONE: dict[str, Tone] = {
    "fixed": "opportunity",
    "persisting": "warning",
    "new": "error",
    "rule_changed": "neutral",
}
FATE_GLYPH = {"fixed": "✓", "persisting": "●", "new": "✚", "rule_changed": "⟲"}


def severity_weeks(weeks: pl.DataFrame, lang: str, *, width: Width = "container") -> alt.LayerChart:
    """What share of each week's lines has a result, by the worst of them; the clean rest is not drawn.

    Args:
        weeks: (weeks): week, lines, error, warning, info. Of them `full_weeks` are drawn.
    """
    names = {severity: texts.text(f"severity.{severity}", lang) for severity in WORST}
    shares = (
        full_weeks(weeks)
        .unpivot(WORST, index=["week", "lines"], variable_name="severity", value_name="hits")
        .filter(pl.col("hits") > 0)
        .with_columns(
            share=pl.col("hits") / pl.col("lines"),
            order=pl.col("severity").replace_strict({name: n for n, name in enumerate(WORST)}, return_dtype=pl.Int64),
            named=pl.col("severity").replace_strict(names),
            begins=pl.col("week").dt.strftime("%Y-%m-%dT12:00:00"),
            label=_week_label("week", lang),
        )
        .sort("week", "order")
        .drop("week")
    )
    labels = shares["label"].unique(maintain_order=True).to_list()
    base = alt.Chart(shares).encode(
        x=alt.X("label:N", sort=labels, title=None, axis=alt.Axis(labelAngle=0, labelOverlap=True, ticks=False)),
        y=alt.Y("share:Q", title=None, axis=alt.Axis(format=".0%", tickCount=4)),
        order=alt.Order("order:Q"),
        tooltip=tooltips(
            {
                "named:N": ("filter.severity", ""),
                "label:N": ("chart.week", ""),
                "hits:Q": ("chart.lines", ",d"),
                "share:Q": ("chart.share", ".1%"),
            },
            lang,
        ),
    )
    bars = base.mark_bar(stroke=CARD, strokeWidth=1, cursor="pointer").encode(
        color=alt.Color(
            "severity:N",
            legend=None,
            scale=alt.Scale(domain=list(WORST), range=[INK[SEVERITY_TONE[severity]] for severity in WORST]),
        )
    )
    return framed([bars.add_params(picking("severity"))], texts.text("chart.severities", lang), width, 230)


def full_weeks(weeks: pl.DataFrame) -> pl.DataFrame:
    """Weeks with enough lines to compare: in one with a tenth of the usual a single line would make a tall bar."""
    usual = weeks.filter(pl.col("lines") > 0)["lines"].median()
    least = max(FEW_LINES, float(usual) / 10 if isinstance(usual, int | float) else 0)
    return weeks.filter(pl.col("lines") >= least)


def run_change(
    fates: pl.DataFrame, lang: str, *, links: Mapping[str, str] | None = None, width: Width = "container"
) -> alt.LayerChart:
    """What became of results between two runs, as one bar: fixed, persisting, new, of a changed rule.

    Args:
        fates: (fates): status, results; those without results are left out.
        links: status → address of its results, where a click leads.
    """
    drawn = (
        pl.DataFrame({"status": list(FATE_TONE)})
        .join(fates.select("status", "results"), on="status", how="left", maintain_order="left")
        .filter(pl.col("results") > 0)
        .with_columns(
            end=pl.col("results").cum_sum(),
            named=pl.col("status").replace_strict({s: texts.text(f"status.{s}", lang) for s in FATE_TONE}),
        )
        .with_columns(start=pl.col("end") - pl.col("results"))
        .with_columns(address=pl.col("status").replace_strict(dict(links or {}), default="", return_dtype=pl.String))
    )
    base = alt.Chart(drawn)
    x = alt.X("start:Q", title=None, axis=None, scale=alt.Scale(domain=[0, int(drawn["end"].max() or 1)], nice=False))  # type: ignore[arg-type]
    bars = base.mark_bar(height=26, stroke=CARD, strokeWidth=2, cursor="pointer").encode(
        x=x,
        x2="end:Q",
        y=alt.YValue(20),
        color=alt.Color(
            "status:N",
            legend=None,
            scale=alt.Scale(domain=list(FATE_TONE), range=[INK[tone] for tone in FATE_TONE.values()]),
        ),
        tooltip=tooltips({"named:N": ("chart.status", ""), "results:Q": ("column.results", ",d")}, lang),
        **({"href": "address:N"} if links else {}),
    )
    return framed([bars], texts.text("chart.run_change", lang), width, 40)


def weekday_strip(days: pl.DataFrame, lang: str, *, width: Width = "container") -> alt.LayerChart:
    """Patients a day by weekday: a point a day, a tick at the median: the spread, not a mean.

    Args:
        days: (days): date_de_service, weekday (1 = Monday), patients.
    """
    names = [name[:3] for name in (*texts.DAYS[lang][1:], texts.DAYS[lang][0])]
    drawn = days.select(
        pl.col("date_de_service").dt.strftime("%Y-%m-%d").alias("day"),
        "patients",
        named=pl.col("weekday").cast(pl.Int64).replace_strict(dict(enumerate(names, start=1))),
    )
    worked = [name for name in names if name in set(drawn["named"])]
    y = alt.Y("named:N", sort=worked, title=None, axis=alt.Axis(domain=False, ticks=False, grid=True))
    base = alt.Chart(drawn).encode(y=y)
    x = alt.X(
        "patients:Q", title=texts.text("chart.patients", lang), axis=alt.Axis(format=",d", tickMinStep=1, tickCount=8)
    )
    points = base.mark_point(size=26, filled=True, color=INK["info"], opacity=0.35).encode(
        x=x, tooltip=tooltips({"day:N": ("chart.day", ""), "patients:Q": ("chart.patients", ",d")}, lang)
    )
    medians = base.mark_tick(color=TEXT, thickness=2, size=18).encode(x=alt.X("median(patients):Q"))
    words = base.mark_text(color=MUTED, dy=-15, fontSize=11.5).encode(
        x=alt.X("median(patients):Q"), text=alt.Text("median(patients):Q", format=",.3~f")
    )
    return framed([points, medians, words], texts.text("chart.weekdays", lang), width, max(38 * len(worked), 38))


def _week_label(column: str, lang: str) -> pl.Expr:
    letter = "S" if lang == "fr" else "W"
    return pl.format("{}{}", pl.lit(letter), pl.col(column).dt.week())
