"""What causes the errors: rules by what is at stake, with how few of them make most of it; and each over time."""

from typing import Literal

import altair as alt
import polars as pl

from dashlib import texts
from dashlib.charts.look import AS_WIDE, INK, MUTED, SEVERITY_TONE, TEXT, Width, framed, opening, tooltips

Measure = Literal["stake", "results", "invoices"]
BAR_PX = 42
MOST = 0.8
MOST_RULES = 12


def pareto(
    rules: pl.DataFrame, lang: str, *, by: Measure = "stake", most: int = MOST_RULES, width: Width = "container"
) -> alt.LayerChart:
    """Rules by a measure, most first: a bar a rule, its name above it, and at the right the share reached so far.

    Args:
        rules: (rules): rule_id, label, severity, and the column `by`. The first `most` are drawn, shares are of all.
    """
    whole = float(rules[by].sum()) or 1.0
    drawn = (
        rules.with_columns(value=pl.col(by).cast(pl.Float64))
        .filter(pl.col("value") > 0)
        .sort("value", "rule_id", descending=[True, False])
        .with_columns(reached=pl.col("value").cum_sum() / whole)
        .head(most)
        .with_columns(
            named=pl.col("severity").replace_strict({s: texts.text(f"severity.{s}", lang) for s in SEVERITY_TONE}),
        )
        .select("rule_id", "label", "severity", "named", "value", "reached")
    )
    order = drawn["rule_id"].to_list()
    longest = max([*drawn["value"], 0.01])
    form = "$,.2f" if by == "stake" else ",d"
    y = alt.Y("rule_id:N", sort=order, title=None, axis=None, scale=alt.Scale(paddingInner=0.6, paddingOuter=0.4))
    base = alt.Chart(drawn).encode(y=y)
    bars = base.mark_bar(cornerRadiusEnd=3, cursor="pointer").encode(
        x=alt.X("value:Q", title=None, axis=None, scale=alt.Scale(domain=[0, longest * 1.45])),
        color=alt.Color(
            "severity:N",
            legend=None,
            scale=alt.Scale(domain=list(SEVERITY_TONE), range=[INK[tone] for tone in SEVERITY_TONE.values()]),
        ),
        tooltip=tooltips(
            {
                "label:N": ("filter.rule", ""),
                "named:N": ("filter.severity", ""),
                "value:Q": (f"measure.{by}", form),
                "reached:Q": ("chart.reached", ".0%"),
            },
            lang,
        ),
    )
    values = base.mark_text(align="left", dx=6, color=TEXT, fontSize=12).encode(
        x=alt.X("value:Q"), text=alt.Text("value:Q", format=form)
    )
    titles = base.mark_text(align="left", dy=-16, color=TEXT, fontSize=12.5, limit=AS_WIDE).encode(
        x=alt.XValue(0), text="label:N"
    )
    # A line across names and bars could not be read: what is reached so far stands at the right, in words.
    reached = base.mark_text(align="right", color=MUTED, fontSize=12, dx=-2).encode(
        x=alt.XValue("width"),
        text=alt.Text("reached:Q", format=".0%"),
        opacity=alt.OpacityValue(0.6, condition={"test": f"datum.reached <= {MOST}", "value": 1}),
    )
    layers = [bars.add_params(opening("rule_id")), values, titles, reached]
    return framed(layers, texts.text("chart.pareto", lang), width, max(BAR_PX * len(order), BAR_PX))


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
    told = tooltips({"label:N": ("filter.rule", ""), "results:Q": ("column.results", ",d")}, lang)
    bars = base.mark_bar(cornerRadiusEnd=3).encode(x=x, color=colour, tooltip=told)
    counts = base.mark_text(align="left", dx=6, color=TEXT, fontSize=12).encode(
        x=alt.X("results:Q"), text=alt.Text("results:Q", format=",d")
    )
    titles = base.mark_text(align="left", x=0, dy=-16, color=TEXT, fontSize=12.5, limit=AS_WIDE).encode(text="label:N")
    return framed([bars, counts, titles], texts.text("chart.rules", lang), width, max(44 * len(names), 44))
