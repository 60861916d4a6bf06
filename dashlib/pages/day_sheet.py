"""« Feuille du jour »: a doctor's day, its patients by kind, its fees, and what was found in it, one card a result.

What is counted comes from the roll-ups and is for every viewer; results and lines are for the owner of their run.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

import polars as pl

from dashlib import markup, results, texts
from dashlib.explorer.day import PatientDay, read_day
from dashlib.explorer.timeline import drawing
from dashlib.figures import STAKES, gravity
from dashlib.markup import Markup
from dashlib.metrics import DayFigures
from dashlib.pages.drawer import opening, pairs
from dashlib.pages.filters import day_name
from dashlib.pages.tables import Columns, table
from dashlib.schema import ValidationResult
from dashlib.workbench import Workbench

MOST_CARDS = 8
"""Results that are told one by one; the others stand in the explorer."""


type Link = Callable[[str, Mapping[str, str]], str]
"""The address of a page with these filters."""


@dataclass(frozen=True)
class Found:
    """Results of a doctor's day, the gravest first, at most MOST_CARDS of `count`, each with its patient's day.

    The day is None where the line was cleared, or names nobody.
    """

    count: int
    cards: list[tuple[dict[str, Any], PatientDay | None]]


def find(wb: Workbench, figures: DayFigures, lang: str) -> Found | None:
    """What was found in a doctor's day; None where its run is somebody else's, or the day is of all doctors."""
    if figures.run is None:
        return None
    _, run_id = figures.run
    of_day = results.read_results(wb, run_id, where=[ValidationResult.date_service == figures.day])
    his = of_day.filter(pl.col("doctor").fill_null("") == figures.doctor, pl.col("acknowledged").is_null())
    stake = pl.sum_horizontal(pl.col(name).fill_null(0) for name in STAKES)
    first = his.sort(gravity(), stake, "result", descending=[False, True, False]).head(MOST_CARDS)
    told = first if lang == "fr" else results.translated(wb, first, lang)
    cards = [(row, _his_day(wb, figures, row)) for row in told.iter_rows(named=True)]
    return Found(his.height, cards)


def _his_day(wb: Workbench, figures: DayFigures, row: Mapping[str, Any]) -> PatientDay | None:
    if figures.run is None or row["row_number"] is None:
        return None
    return read_day(wb, figures.run[1], row["row_number"], [row["row_number"], *(row["related"] or [])])


def title(figures: DayFigures, lang: str) -> str:
    day = texts.long_day(figures.day, lang)
    if figures.doctor is None:
        return texts.text("day.title", lang, day=day)
    return texts.text("day.title.doctor", lang, day=day, doctor=figures.doctor or texts.text("doctor.none", lang))


def drawn(figures: DayFigures, found: Found | None, rules: Mapping[str, str], lang: str, link: Link) -> Markup:
    """The sheet as markup: who was seen, what it brings, then the doctors of the day or one doctor's results."""
    if not figures.lines:
        return markup.state("empty", texts.text("day.none", lang))
    parts = [_seen(figures, lang), _money(figures, lang)]
    parts += [_places(figures, lang), _results(figures, found, rules, lang, link)] if figures.doctor is not None else []
    parts += [_doctors(figures, lang, link)] if figures.doctor is None else []
    return Markup("".join(parts))


def _seen(figures: DayFigures, lang: str) -> Markup:
    """Registered or walk-in by paid or not, with the sums of the rows."""
    titles = [("", False), *((texts.text(f"day.{name}", lang), True) for name in ("paid", "unpaid", "all"))]
    seen = figures.seen
    rows = [
        (texts.text(f"chart.{kind}", lang), seen[f"{kind}_paid"], seen[kind] - seen[f"{kind}_paid"], seen[kind])
        for kind in ("registered", "walk_in")
    ]
    cells = [(escape(name), *(texts.integer(n, lang) for n in counts)) for name, *counts in rows]
    said = texts.plural("day.patients", seen["patients"], lang)
    return Markup(f"<p>{escape(said)}</p>{markup.table(texts.text('day.seen', lang), titles, cells)}")


def _money(figures: DayFigures, lang: str) -> Markup:
    """The three sums, never one."""
    sums = {texts.text(f"tile.{name}", lang): texts.money(getattr(figures, name), lang) for name in STAKES}
    return pairs({texts.text("chart.lines", lang): texts.integer(figures.lines, lang), **sums})


def _places(figures: DayFigures, lang: str) -> Markup:
    """The office fees at each place: billed, expected by the rules, and the difference."""
    columns: Columns = {
        "lieu_de_pratique": ("filter.place", "text"),
        "registered": ("column.registered", "integer"),
        "walk_in": ("column.walk_in", "integer"),
        "fee_codes": ("column.fee_codes", "text"),
        "expected_code": ("column.expected_code", "text"),
        "difference": ("column.difference", "money"),
    }
    words = texts.text("day.fees", lang)
    return Markup(f"<h3>{escape(words)}</h3>{table(figures.places, columns, words, lang)}")


def _doctors(figures: DayFigures, lang: str, link: Link) -> Markup:
    """The doctors of the day: each leads to his own sheet."""

    def address(row: Mapping[str, Any], shown: str) -> Markup:
        name = day_name(figures.day, row["doctor"])
        return opening(name, link("patient_days", {"day": name}), shown)

    columns: Columns = {
        "doctor": ("filter.doctor", "text"),
        "patients": ("chart.patients", "integer"),
        "registered": ("column.registered", "integer"),
        "walk_in": ("column.walk_in", "integer"),
        "worst": ("column.worst", "severity"),
    }
    rows = figures.doctors.sort("patients", "doctor", descending=[True, False])
    rows = rows.with_columns(pl.col("worst").fill_null("clean"))
    words = texts.text("day.doctors", lang)
    shown = table(rows, columns, words, lang, most=rows.height, links={"doctor": address})
    return Markup(f"<h3>{escape(words)}</h3>{shown}")


def _results(figures: DayFigures, found: Found | None, rules: Mapping[str, str], lang: str, link: Link) -> Markup:
    heading = f"<h3>{escape(texts.text('day.results', lang))}</h3>"
    if found is None:
        return Markup(heading + markup.state("empty", texts.text("day.not_yours", lang)))
    if not found.count:
        return Markup(heading + markup.state("good", texts.text("day.clean", lang)))
    cards = "".join(_card(row, day, rules, lang) for row, day in found.cards)
    more = found.count - len(found.cards)
    address = escape(link("explorer", {"run": str(figures.run[0])} if figures.run else {}), quote=True)
    words = texts.plural("day.more", more, lang) if more else texts.text("sheet.explore", lang)
    return Markup(f'{heading}{cards}<p><a href="{address}">{escape(words)}</a></p>')


def _card(row: Mapping[str, Any], day: PatientDay | None, rules: Mapping[str, str], lang: str) -> str:
    """A result: what it is, its sentence, whose and what is at stake; below it the patient's day."""
    stakes = " · ".join(
        f"{texts.text(f'tile.{name}', lang)} {texts.money(row[name], lang)}" for name in STAKES if row[name]
    )
    about = " · ".join(filter(None, (row["result"], row["patient"], row["code"], stakes)))
    drawn = drawing(day, lang) if day is not None else f"<p>{escape(texts.text('day.cleared', lang))}</p>"
    return (
        f'<article class="d-found">{markup.severity(row["severity"], lang)} '
        f"<b>{escape(rules.get(row['rule_id'], row['rule_id']))}</b>"
        f"<p>{escape(row['message'])}</p><p>{escape(about)}</p>{drawn}</article>"
    )
