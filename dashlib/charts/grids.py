"""Rates in a grid: doctors by weeks, rules by places or doctors; and a doctor's patients in a calendar."""

from collections.abc import Mapping

import altair as alt
import polars as pl

from dashlib import texts
from dashlib.charts.look import (
    AS_WIDE,
    CARD,
    GRID,
    INK,
    MUTED,
    ON_MIDDLE,
    STEPS,
    TEXT,
    Width,
    framed,
    opening,
    picking,
    tooltips,
)
from dashlib.charts.trends import FEW_LINES

ROW_PX = 30
TALL_ROW_PX = 52
MOST_DOCTORS = 14
NARROW_PX = 32
CALENDAR_DAYS = 182
"""Half a year of weeks is what can be read side by side."""

GLYPHS = {"error": "✕", "warning": "▲", "info": "◆"}


def doctor_weeks(
    cells: pl.DataFrame, lang: str, *, severity: str = "error", width: Width = "container"
) -> alt.LayerChart:
    """The share of lines with a result, by doctor and week: the darker the higher; few lines are crossed out.

    Args:
        cells: (doctors x weeks, doctors in their order): doctor, week, lines, hits. The first MOST_DOCTORS are drawn.
    """
    doctors = cells["doctor"].unique(maintain_order=True).head(MOST_DOCTORS).to_list()
    letter = "S" if lang == "fr" else "W"
    drawn = (
        cells.filter(pl.col("doctor").is_in(doctors), pl.col("lines") > 0)
        .with_columns(
            rate=pl.col("hits") / pl.col("lines"),
            label=pl.format("{}{}", pl.lit(letter), pl.col("week").dt.week()),
            begins=pl.col("week").dt.strftime("%Y-%m-%d"),
        )
        .sort("week")
        .select("doctor", "begins", "label", "lines", "hits", "rate")
    )
    steps = rate_steps(drawn.filter(pl.col("lines") >= FEW_LINES)["rate"])
    base = alt.Chart(drawn).encode(
        x=alt.X(
            "begins:O",
            title=None,
            axis=alt.Axis(
                domain=False,
                ticks=False,
                labelAngle=0,
                labelOverlap=True,
                labelExpr=_labels(drawn, "begins", "label"),
            ),
        ),
        y=_names("doctor", doctors, lang),
        tooltip=tooltips(
            {
                "doctor:N": ("filter.doctor", ""),
                "begins:N": ("chart.week_of", ""),
                "rate:Q": (f"chart.rate.{severity}", ".1%"),
                "hits:Q": (f"chart.hits.{severity}", ",d"),
                "lines:Q": ("chart.lines", ",d"),
            },
            lang,
        ),
    )
    cell = base.mark_rect(stroke=CARD, strokeWidth=2, cornerRadius=3, cursor="pointer").encode(
        color=_stepped("rate", steps)
    )
    few = base.transform_filter(f"datum.lines < {FEW_LINES}").mark_text(text="╱", color=MUTED, fontSize=15)
    height = max(ROW_PX * len(doctors), ROW_PX)
    layers = [cell.add_params(picking("doctor", "begins")), few]
    return framed(layers, texts.text(f"chart.doctor_weeks.{severity}", lang), width, height)


def rule_grid(
    cells: pl.DataFrame, of: str, lang: str, *, rules: Mapping[str, str], width: Width = "container"
) -> alt.LayerChart:
    """Where each rule is broken: the darker, the more results for a thousand lines; the larger, the more at stake.

    Args:
        cells: (rules x places or doctors): rule_id, the column `of`, results, seen, per_thousand, stake.
        rules: what the rules are called, in their order.
    """
    columns = (
        cells.group_by(of).agg(pl.col("stake").sum()).sort("stake", of, descending=[True, False])[of].head(12).to_list()
    )
    none = texts.text(f"{'place' if of == 'lieu_de_pratique' else of}.none", lang)
    drawn = (
        cells.filter(pl.col(of).is_in(columns), pl.col("rule_id").is_in(list(rules)))
        .with_columns(
            rule=pl.col("rule_id").replace_strict(dict(rules)),
            value=pl.col(of),
            named=pl.when(pl.col(of) == "").then(pl.lit(none)).otherwise(pl.col(of)),
            stake=pl.col("stake").cast(pl.Float64),
            per_thousand=pl.col("per_thousand").round(2),
        )
        .select("rule", "rule_id", "value", "named", "results", "seen", "per_thousand", "stake")
    )
    names = [none if column == "" else column for column in columns]
    base = alt.Chart(drawn).encode(
        x=alt.X(
            "named:N",
            sort=names,
            title=None,
            axis=alt.Axis(domain=False, ticks=False, labelAngle=-40, labelLimit=110, orient="bottom"),
        ),
        y=alt.Y("rule:N", sort=list(rules.values()), axis=None),
        tooltip=tooltips(
            {
                "rule:N": ("filter.rule", ""),
                "named:N": (f"filter.{'place' if of == 'lieu_de_pratique' else of}", ""),
                "per_thousand:Q": ("chart.per_thousand", ",.1f"),
                "results:Q": ("column.results", ",d"),
                "seen:Q": ("chart.lines", ",d"),
                "stake:Q": ("column.stake", "$,.2f"),
            },
            lang,
        ),
    )
    dots = base.mark_circle(stroke=INK["neutral"], strokeWidth=0.75, opacity=1, cursor="pointer").encode(
        size=alt.Size("stake:Q", legend=None, scale=alt.Scale(range=[40, 380], zero=True)),
        color=_stepped("per_thousand", rate_steps(drawn["per_thousand"])),
    )
    # Names stand above their row: beside it they would take the room of half the card.
    names_above = (
        alt.Chart(pl.DataFrame({"rule": list(rules.values())}))
        .mark_text(align="left", dy=-18, color=TEXT, fontSize=12.5, limit=AS_WIDE)
        .encode(x=alt.XValue(0), y=alt.Y("rule:N", sort=list(rules.values()), axis=None), text="rule:N")
    )
    layers = [dots.add_params(picking("rule_id", "value")), names_above]
    return framed(layers, texts.text("chart.rule_grid", lang), width, max(TALL_ROW_PX * len(rules), TALL_ROW_PX))


def calendar(days: pl.DataFrame, lang: str, *, width: Width = "container") -> alt.LayerChart:
    """Doctors' days: weeks across, Monday to Sunday down; the number of patients, and the worst result of the day.

    Args:
        days: (days): date_de_service, patients, worst (error, warning, info or null), and doctor where one was asked;
            several doctors stand below each other, in the order of their first row, with the same weeks and shades.
    """
    names = [name[:3] for name in (*texts.DAYS[lang][1:], texts.DAYS[lang][0])]
    doctors = days["doctor"].unique(maintain_order=True).to_list() if "doctor" in days.columns else [""]
    days = days if "doctor" in days.columns else days.with_columns(doctor=pl.lit(""))
    named = {doctor: doctor or texts.text("doctor.none", lang) for doctor in doctors} if len(doctors) > 1 else {}
    rows = [f"{doctor}|{row}" for doctor in doctors for row in ([""] if named else []) + names]
    letter = "S" if lang == "fr" else "W"
    monday = pl.col("date_de_service").dt.truncate("1w")
    drawn = (
        days.sort("date_de_service")
        .with_columns(
            day=pl.col("date_de_service").dt.strftime("%Y-%m-%d"),
            monday=monday.dt.strftime("%Y-%m-%d"),
            week=pl.format("{}{}", pl.lit(letter), monday.dt.week()),
            said=pl.col("worst").fill_null("clean").replace_strict(_severities(lang)),
            weekday=pl.col("date_de_service").dt.weekday().cast(pl.Int64).replace_strict(dict(enumerate(names, 1))),
            glyph=pl.col("worst").replace_strict(GLYPHS, default=""),
        )
        .with_columns(row=pl.format("{}|{}", "doctor", "weekday"))
        .drop("date_de_service")
    )
    steps = _even_steps(drawn["patients"])
    of_day = alt.Axis(domain=False, ticks=False, labelExpr="split(datum.value, '|')[1]")
    base = alt.Chart(drawn).encode(
        x=alt.X(
            "monday:O",
            title=None,
            axis=alt.Axis(
                domain=False,
                ticks=False,
                labelAngle=0,
                labelOverlap=True,
                labelSeparation=6,
                labelExpr=_labels(drawn, "monday", "week"),
            ),
        ),
        y=alt.Y("row:O", sort=rows, scale=alt.Scale(domain=rows), title=None, axis=of_day),
        tooltip=tooltips(
            {
                **({"doctor:N": ("filter.doctor", "")} if named else {}),
                "day:N": ("chart.day", ""),
                "patients:Q": ("chart.patients", ",d"),
                "said:N": ("column.worst", ""),
            },
            lang,
        ),
    )
    cells = base.mark_rect(stroke=CARD, strokeWidth=2, cornerRadius=3, cursor="pointer").encode(
        color=_stepped("patients", steps)
    )
    shade = [f"datum.patients >= {step}" for step in steps]
    ink = alt.ColorValue(TEXT, condition=[{"test": shade[2], "value": CARD}, {"test": shade[1], "value": ON_MIDDLE}])
    weeks = max(drawn["monday"].n_unique(), 1)
    # On a phone there is room for the number alone; the worst result stands in its tooltip and in the table.
    counts = base.mark_text(fontSize=alt.expr(f"width < {NARROW_PX * weeks} ? 10 : 11.5")).encode(
        text=alt.Text("patients:Q", format=",d"),
        color=ink,
    )
    marks = (
        base.transform_filter("datum.glyph != ''")
        .mark_text(fontSize=alt.expr(f"width < {NARROW_PX * weeks} ? 0 : 9"), dx=11, dy=-8, fontWeight=700)
        .encode(text="glyph:N", color=ink)
    )
    whose = pl.DataFrame({"row": [f"{doctor}|" for doctor in named], "doctor": list(named.values())})
    titles = alt.Chart(whose).mark_text(align="left", color=TEXT, fontSize=12.5, fontWeight=600, dy=4, limit=AS_WIDE)
    above = [titles.encode(x=alt.XValue(0), y=alt.Y("row:O", sort=rows), text="doctor:N")] if named else []
    layers = [cells.add_params(opening("day", *(["doctor"] if doctors != [""] else []))), counts, marks, *above]
    return framed(layers, texts.text("chart.calendar", lang), width, len(rows) * 28)


def _severities(lang: str) -> dict[str, str]:
    return {severity: texts.text(f"severity.{severity}", lang) for severity in (*GLYPHS, "clean")}


def rate_steps(rates: pl.Series) -> list[float]:
    """Four thresholds between five shades, in equal steps up to the 95th percentile: one cell hides no other."""
    high = rates.quantile(0.95) if rates.len() else None
    top = float(high) if high else 1.0
    return [top * n / 5 for n in range(1, 5)]


def _even_steps(counts: pl.Series) -> list[float]:
    """Four thresholds with as many days between them: a doctor's days are much alike."""
    steps = [float(counts.quantile(n / 5) or 0) for n in range(1, 5)]
    return [step + n / 1000 for n, step in enumerate(steps)]  # thresholds that are equal would be none


def _stepped(field: str, steps: list[float]) -> alt.Color:
    return alt.Color(f"{field}:Q", legend=None, scale=alt.Scale(type="threshold", domain=steps, range=list(STEPS)))


def _names(field: str, names: list[str], lang: str, *, limit: int = 150) -> alt.Y:
    axis = alt.Axis(domain=False, ticks=False, labelPadding=8, labelLimit=limit, gridColor=GRID)
    return alt.Y(f"{field}:N", sort=names, title=None, axis=axis)


def _labels(drawn: pl.DataFrame, value: str, label: str) -> str:
    """An expression that names ordered values by their labels: weeks of two years can have one name."""
    named = drawn.select(value, label).unique(maintain_order=True)
    pairs = ", ".join(f"'{at}': '{words}'" for at, words in named.iter_rows())
    return f"({{{pairs}}})[datum.value]"
