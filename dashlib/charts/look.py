"""One look for all charts: colours by their role, type, axes, locale; and the frame that every chart stands in.

Colours are the variables of the page's own theme, so that a chart follows it into the dark; on paper they are written
out.
"""

import functools
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import altair as alt
import polars as pl

from dashlib import texts

Tone = Literal["error", "warning", "opportunity", "info", "neutral"]
type Width = int | Literal["container"]
"""Pixels, or as wide as the card that holds the chart."""

AS_WIDE = alt.ExprRef("width")
"""A name over a drawing ends where the drawing does, on a phone too."""

THEME = Path(__file__).parent.parent / "assets" / "jupyter" / "voila" / "templates" / "dashlib" / "static" / "theme.css"

INK: dict[Tone, str] = {tone: f"var(--{tone})" for tone in ("error", "warning", "opportunity", "info", "neutral")}
FILL: dict[Tone, str] = {tone: f"var(--{tone}-fill)" for tone in INK}
"""Large areas, paler than marks and text."""
TEXT, MUTED, LINE, GRID, CARD = "var(--ink)", "var(--muted)", "var(--rule)", "var(--grid)", "var(--card)"
ON_MIDDLE = "var(--on-middle)"
"""Words on the middle one of the STEPS, which is dark in the light and light in the dark."""
STEPS = tuple(f"var(--step-{n})" for n in range(1, 6))
"""Rates, from none to many."""

SEVERITY_TONE: dict[str, Tone] = {"error": "error", "warning": "warning", "info": "opportunity"}
FONT = "'Source Sans 3', 'Segoe UI', system-ui, 'DejaVu Sans', sans-serif"
"""In quotes: a name with a digit would be none, and words be measured in another size than they are drawn."""

MOST_ROWS = 2_000
DAY_OF = {"fr": "%-d %b", "en": "%b %-d"}
LONG_DAY_OF = {"fr": "%-d %B %Y", "en": "%B %-d, %Y"}
PICK = "pick"
"""The name of what a reader picks in a chart: a mark, or a range of days."""
OPEN = "open"
"""The name of what a reader opens by a click."""


def embed_options(lang: str) -> dict[str, Any]:
    """How a browser draws our charts: as SVG, which screen readers read, and with our own numbers and months."""
    return {
        "renderer": "svg",
        "actions": False,
        "formatLocale": texts.vega_numbers(lang),
        "timeFormatLocale": texts.vega_dates(lang),
    }


def svg(chart: alt.TopLevelMixin, lang: str) -> str:
    """The chart as SVG text for paper, drawn here: it loads nothing when it is shown."""
    import vl_convert

    drawn = vl_convert.vegalite_to_svg(
        chart.to_dict(),
        format_locale=texts.vega_numbers(lang),
        time_format_locale=texts.vega_dates(lang),
    )
    return coloured(drawn)


def coloured(drawn: str) -> str:
    """A drawing or a page with the theme's colours written out: paper knows no variables."""
    return re.sub(r"var\(--([a-z0-9-]+)\)", lambda name: palette()[name.group(1)], drawn)


@functools.cache
def palette(theme: Literal["light", "dark"] = "light") -> dict[str, str]:
    """The theme's colours by the names of their variables."""
    pairs = re.findall(r"--([a-z0-9-]+): light-dark\((#\w+), (#\w+)\);", THEME.read_text("utf-8"))
    return {name: light if theme == "light" else dark for name, light, dark in pairs}


def noon(column: str = "date_de_service") -> pl.Expr:
    """A day as charts take it: a plain date would be read as midnight in Greenwich, the day before in Montréal."""
    return pl.col(column).dt.strftime("%Y-%m-%dT12:00:00").alias("noon")


def days_axis(lang: str, **traits: Any) -> alt.X:
    """Days from left to right, named so that names do not touch."""
    axis = alt.Axis(format=DAY_OF[lang], tickCount=8, labelOverlap=True, labelFlush=True)
    return alt.X("noon:T", title=None, axis=axis, **traits)


def tooltips(fields: dict[str, tuple[str, str]], lang: str) -> list[alt.Tooltip]:
    """A tooltip's lines: field → (key of its words, format)."""
    long_day = f"%A {LONG_DAY_OF[lang]}"
    formats = {name: long_day if form == "long_day" else form or alt.Undefined for name, (_, form) in fields.items()}
    return [alt.Tooltip(name, title=texts.text(key, lang), format=formats[name]) for name, (key, _) in fields.items()]


class Drawing(alt.LayerChart):
    """Layers as one chart; its grammar is checked where it is tested, and not each time that it is shown."""

    def to_dict(self, validate: bool = False, **how: Any) -> dict[str, Any]:
        drawn: dict[str, Any] = super().to_dict(validate, **how)
        for layer in drawn.get("layer", ()):
            _say(layer)
        return drawn


SAID_MARKS = ("bar", "circle", "point", "rect", "rule")


def _say(layer: dict[str, Any]) -> None:
    """Marks say what their tooltip says; left to itself Vega reads out the names of our columns, in English."""
    mark = layer["mark"] if isinstance(layer["mark"], dict) else {"type": layer["mark"]}
    told = layer.get("encoding", {}).get("tooltip")
    if isinstance(told, list) and mark["type"] in SAID_MARKS:
        said = " + '; ' + ".join(_field_said(field) for field in told)
        layer["mark"] = mark | {"description": {"expr": said}}
    else:
        layer["mark"] = mark | {"aria": False}


def _field_said(field: dict[str, Any]) -> str:
    """An expression that writes a field as its tooltip does, with its words before it."""
    value, form = f"datum[{json.dumps(field['field'])}]", json.dumps(field.get("format", ""))
    written = {"temporal": f"timeFormat({value}, {form})", "quantitative": f"format({value}, {form})"}
    words = json.dumps(f"{field['title']}: " if field.get("title") else "", ensure_ascii=False)
    return f"{words} + (isValid({value}) ? {written.get(field['type'], value)} : {json.dumps(texts.NULL)})"


def framed(
    layers: Sequence[alt.Chart | alt.LayerChart | alt.FacetChart], description: str, width: Width, height: int
) -> Drawing:
    """The layers as one chart in our look.

    Raises:
        ValueError: a layer has more than MOST_ROWS rows: charts draw groups, not lines.
    """
    if any(layer.data.height > MOST_ROWS for layer in layers if isinstance(layer.data, pl.DataFrame)):
        raise ValueError(f"a chart takes at most {MOST_ROWS} rows: group them before drawing")
    return Drawing(
        layer=list(layers),
        width=width,
        height=height,
        description=description,
        autosize=alt.AutoSizeParams(type="fit-x" if width == "container" else "pad", contains="padding"),
        padding={"left": 2, "right": 12, "top": 6, "bottom": 2},
        config=LOOK,
    )


def picking(*fields: str) -> alt.Parameter:
    """A click on a mark picks these fields of it; with the shift key several."""
    return alt.selection_point(name=PICK, fields=list(fields))


def opening(*fields: str) -> alt.Parameter:
    """A click on a mark opens what these fields name: what a click adds or takes away is what was clicked."""
    return alt.selection_point(name=OPEN, fields=list(fields), toggle="true", clear=False)


def drawing_days() -> alt.Parameter:
    """A range of days drawn with the mouse; a double click takes it back."""
    return alt.selection_interval(name=PICK, encodings=["x"], mark=alt.BrushConfig(fill=INK["info"], fillOpacity=0.08))


LOOK: dict[str, Any] = {
    "font": FONT,
    "background": "transparent",
    "view": {"stroke": None},
    "axis": {
        "aria": False,
        "labelColor": MUTED,
        "titleColor": MUTED,
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "gridColor": GRID,
        "domainColor": LINE,
        "tickColor": LINE,
        "labelPadding": 6,
    },
    "axisX": {"grid": False},
    "axisY": {"domain": False, "ticks": False},
    "line": {"strokeJoin": "round", "strokeCap": "round"},
    "legend": {"labelColor": MUTED, "titleColor": MUTED, "labelFontSize": 12, "titleFontSize": 12},
}
