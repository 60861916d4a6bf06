"""Pieces of a page as plain HTML: figures and words in, markup out. Pure; every value is escaped here.

Dashboards put these pieces into widgets, reports put them on paper: both look the same.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

import polars as pl

from dashlib import texts
from dashlib.charts import FATE_GLYPH, FATE_TONE, INK, SEVERITY_TONE, Tone

GLYPHS: dict[Tone, str] = {"error": "✕", "warning": "▲", "opportunity": "◆", "info": "●", "neutral": "○"}
FIRST_ROWS = 50
LONG_VALUE = 12


class Markup(str):
    """HTML that a notebook shows as such."""

    def _repr_html_(self) -> str:
        return str(self)

    def __repr__(self) -> str:
        return f"Markup of {len(self)} characters"


@dataclass(frozen=True)
class Tile:
    """One figure: what it is, its value, and a note on its direction; `good` is None where neither way is better.

    `said` is the same as a sentence, `asks` and `definition` what stands behind its question mark, and `leads_to` the
    address of a page that explains it.
    """

    label: str
    value: str
    note: str
    good: bool | None = None
    spark: str = ""
    said: str = ""
    asks: str = ""
    definition: str = ""
    leads_to: str = ""

    @property
    def html(self) -> str:
        size = " long" if len(self.value) > LONG_VALUE else ""
        tone = {True: "good", False: "bad", None: ""}[self.good]
        said = escape(self.said or f"{self.label} : {self.value}. {self.note}", quote=True)
        label = escape(self.label)
        if self.leads_to:
            label = f'<a href="{escape(self.leads_to, quote=True)}">{label}</a>'
        return (
            f'<div class="d-tile" role="group" aria-label="{said}">'
            f'<div class="l">{label}</div><div class="v{size}">{escape(self.value)}</div>'
            f'<div class="d {tone}">{escape(self.note)}</div>{self.spark}{self._definition}</div>'
        )

    @property
    def _definition(self) -> str:
        if not self.definition:
            return ""
        asks = f'<summary aria-label="{escape(self.asks, quote=True)}">?</summary>'
        return f'<details class="d-what" name="d-what">{asks}<p>{escape(self.definition)}</p></details>'


def tiles(shown: Iterable[Tile]) -> Markup:
    return Markup(f'<div class="d-tiles">{"".join(tile.html for tile in shown)}</div>')


def head(title: str, lead: str, about: str, *, links: str = "", strip: str = "") -> Markup:
    """Title of a page, its answer in a sentence, and what the figures are of."""
    warning = f'<p class="d-strip" role="status">{escape(strip)}</p>' if strip else ""
    sentence = f'<p class="d-lead">{escape(lead)}</p>' if lead else ""
    return Markup(
        f'<header class="d-head"><div class="d-row"><h1>{escape(title)}</h1>{links}</div>'
        f'{sentence}<p class="d-about">{escape(about)}</p>{warning}</header>'
    )


def card_head(title: str, note: str) -> Markup:
    return Markup(f"<h2>{escape(title)}</h2><p>{escape(note)}</p>")


def card(title: str, note: str, body: str, *, span: int = 12) -> Markup:
    return Markup(f'<section class="d-card s{span}">{card_head(title, note)}{body}</section>')


def state(kind: Literal["good", "empty", "failed"], sentence: str, advice: str = "") -> Markup:
    """What stands in a card instead of a chart or table: good news, nothing found, or a failure."""
    glyph = {"good": "○", "empty": "–", "failed": "!"}[kind]
    then = f"<p>{escape(advice)}</p>" if advice else ""
    return Markup(
        f'<div class="d-state {kind}" role="status"><span aria-hidden="true">{glyph}</span>'
        f"<div><strong>{escape(sentence)}</strong>{then}</div></div>"
    )


def severity(name: str, lang: str) -> str:
    """A severity as shape, word and colour, so that none of them stands alone."""
    tone = SEVERITY_TONE.get(name, "neutral")
    word = escape(texts.text(f"severity.{name}", lang))
    return f'<span class="sev" style="color:{INK[tone]}"><i aria-hidden="true">{GLYPHS[tone]}</i>{word}</span>'


def fate(status: str, lang: str) -> str:
    """What became of results, in the colour of its part of the bar."""
    word = escape(texts.text(f"status.{status}", lang))
    colour, glyph = INK[FATE_TONE[status]], FATE_GLYPH[status]
    return f'<span class="sev" style="color:{colour}"><i aria-hidden="true">{glyph}</i>{word}</span>'


def table(caption: str, columns: Sequence[tuple[str, bool]], rows: Iterable[Sequence[str]]) -> Markup:
    """A table of ready cells; a column is its title, and whether it holds figures."""
    figures = [' class="n"' if is_figure else "" for _, is_figure in columns]
    titles = "".join(
        f'<th scope="col"{cls}>{escape(title)}</th>' for (title, _), cls in zip(columns, figures, strict=True)
    )
    body = "".join(
        f"<tr>{''.join(f'<td{cls}>{cell}</td>' for cell, cls in zip(row, figures, strict=True))}</tr>" for row in rows
    )
    # A table that is wider than a phone is scrolled, by keyboard too.
    scrolled = f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(caption)}">'
    return Markup(
        f'{scrolled}<table class="d-t"><caption>{escape(caption)}</caption>'
        f"<thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def rules_table(rules: pl.DataFrame, lang: str) -> Markup:
    """Rules with what they found: rules (severity, label, results, lines, stake) in their order."""
    columns = [("severity", False), ("rule", False), ("results", True), ("lines", True), ("stake", True)]
    rows = (
        (
            severity(row["severity"], lang),
            escape(row["label"]),
            texts.integer(row["results"], lang),
            texts.integer(row["lines"], lang),
            texts.money(row["stake"], lang),
        )
        for row in rules.iter_rows(named=True)
    )
    return table(texts.text("rules.title", lang), _titled(columns, lang), rows)


def days_table(days: pl.DataFrame, lang: str, severity_name: str) -> Markup:
    """The figures behind the trend, newest first, at most FIRST_ROWS: the way of keyboard, screen reader and paper."""
    columns = [
        (texts.text("chart.day", lang), False),
        (texts.text("chart.lines", lang), True),
        (texts.text(f"chart.hits.{severity_name}", lang), True),
        (texts.text(f"chart.rate.{severity_name}", lang), True),
    ]
    newest = days.filter(pl.col("lines") > 0).sort("date_de_service", descending=True).head(FIRST_ROWS)
    rows = (
        (texts.day(day), texts.integer(lines, lang), texts.integer(hits, lang), texts.percent(hits / lines, lang))
        for day, lines, hits in newest.select("date_de_service", "lines", "hits").iter_rows()
    )
    shown = table(texts.text(f"chart.trend.{severity_name}", lang), columns, rows)
    return Markup(f"<details><summary>{escape(texts.text('page.see_data', lang))}</summary>{shown}</details>")


def definitions(keys: Sequence[str], lang: str) -> Markup:
    """What the figures of a page mean, one line each, behind a question mark."""
    items = "".join(
        f"<dt>{escape(texts.text(key, lang))}</dt><dd>{escape(texts.text(f'{key}.definition', lang))}</dd>"
        for key in keys
    )
    summary = escape(texts.text("page.definitions", lang))
    return Markup(f'<details class="d-definitions"><summary>{summary}</summary><dl>{items}</dl></details>')


def figure(svg: str, description: str) -> Markup:
    """A drawn chart on paper, with its words for those who do not see it."""
    return Markup(f'<figure role="img" aria-label="{escape(description, quote=True)}">{svg}</figure>')


def doctors_table(days: pl.DataFrame, lang: str) -> Markup:
    """Days worked and patients a day of each doctor, in the order of the frame (of `metrics.patient_days`)."""
    columns = [
        ("doctor", False),
        ("days", True),
        ("median", True),
        ("most", True),
        ("registered", True),
        ("walk_in", True),
    ]
    doctors = days.group_by("doctor", maintain_order=True).agg(
        pl.len(), pl.col("patients").median().alias("median"), pl.col("patients").max().alias("most"),
        pl.col("registered", "walk_in").sum(),
    )  # fmt: skip
    rows = (
        (
            escape(doctor),
            texts.integer(worked, lang),
            texts.half(median, lang),
            *(texts.integer(n, lang) for n in rest),
        )
        for doctor, worked, median, *rest in doctors.iter_rows()
    )
    return table(texts.text("report.patients", lang), _titled(columns, lang), rows)


def rejections_table(lines: pl.DataFrame, lang: str) -> Markup:
    """Reasons of rejection with their numbers of lines and the first of them (of `metrics.rejected_lines`)."""
    columns = [("reason", False), ("lines", True), ("where", False)]
    rows = (
        (
            f"<code>{escape(row['error_code'])}</code> {escape(_reason(row['error_code'], row['column_name'], lang))}",
            texts.integer(row["lines"], lang),
            escape(_places(row["line_numbers"], row["lines"], lang)),
        )
        for row in lines.iter_rows(named=True)
    )
    return table(texts.text("report.rejections", lang), _titled(columns, lang), rows)


def _reason(code: str, column: str | None, lang: str) -> str:
    said = texts.words(lang).get(f"{code}.line", "")
    return f"{said} ({column})" if column else said


def _places(numbers: Sequence[int], lines: int, lang: str) -> str:
    first = ", ".join(texts.integer(number, lang) for number in numbers)
    rest = lines - len(numbers)
    return f"{first} {texts.plural('report.rejections.rest', rest, lang)}" if rest else first


def _titled(columns: Sequence[tuple[str, bool]], lang: str) -> list[tuple[str, bool]]:
    return [(texts.text(f"column.{name}", lang), is_figure) for name, is_figure in columns]
