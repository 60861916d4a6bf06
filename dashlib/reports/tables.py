"""Tables and lists of a report of a period: figures in, markup out. Every value is escaped here."""

from collections.abc import Callable, Sequence
from datetime import date
from html import escape
from typing import Any, Literal

import polars as pl

from dashlib import charts, markup, texts
from dashlib.charts import Tone
from dashlib.figures import FEW, SOON_DAYS
from dashlib.markup import Markup

PARTS: tuple[Literal["doctor", "lieu_de_pratique"], ...] = ("doctor", "lieu_de_pratique")
PARTS_LISTED = {"doctor": 20, "lieu_de_pratique": 12}
HASH_SHOWN = 12
LISTED = 30
MARKS: dict[str, tuple[str, Tone]] = {"up": ("▲", "error"), "down": ("▼", "opportunity"), "unusual": ("●", "warning")}

type Cell = Callable[[dict[str, Any]], str]
type Columns = dict[str, tuple[bool, Cell]]
"""Title → whether it holds figures, and what makes a cell of a row."""


def listing(rows: pl.DataFrame, caption: str, columns: Columns) -> Markup:
    """A table of all these rows."""
    titles = [(title, is_figure) for title, (is_figure, _) in columns.items()]
    cells = [make for _, make in columns.values()]
    return markup.table(caption, titles, ([make(row) for make in cells] for row in rows.iter_rows(named=True)))


def run_card(runs: pl.DataFrame, lang: str) -> str:
    """What the figures rest on: runs, files, and the versions of rules, tariffs and code that judged them."""
    if runs.is_empty():
        return ""
    first = runs.head(3)
    more = runs.height - first.height
    rest = f" {texts.plural('paper.card.more', more, lang)}" if more else ""
    when = [
        texts.text("paper.card.run", lang, number=number, moment=texts.moment(moment, lang))
        for number, moment in first.select("number", "completed_at").iter_rows()
    ]
    facts = {
        "runs": escape(" · ".join(when) + rest),
        "files": _codes(sha[:HASH_SHOWN] for sha in first["sha256"].drop_nulls()) or texts.NULL,
        **{name: _codes(first[name].drop_nulls().unique(maintain_order=True)) or texts.NULL for name in _JUDGING},
    }
    items = "".join(
        f"<dt>{escape(texts.text(f'paper.card.{n}', lang))}</dt><dd>{told}</dd>" for n, told in facts.items()
    )
    return f'<div class="p-card"><dl>{items}</dl></div>'


_JUDGING = ("rules_version", "reference_version", "engine_version")


def _codes(values: Any) -> str:
    return " · ".join(f"<code>{escape(str(value))}</code>" for value in values)


def movements(rules: pl.DataFrame, unusual: pl.DataFrame, lang: str) -> str:
    """Three sentences: the rule whose results rose most, the one whose fell most, the day that was least usual."""
    said = {"up": _moved(rules, lang, up=True), "down": _moved(rules, lang, up=False), "unusual": _odd(unusual, lang)}
    items = "".join(
        f'<li><i style="color:{charts.INK[tone]}" aria-hidden="true">{glyph}</i>{escape(said[name])}</li>'
        for name, (glyph, tone) in MARKS.items()
        if name in said
    )
    return f'<ul class="p-said">{items}</ul>'


def _moved(rules: pl.DataFrame, lang: str, *, up: bool) -> str:
    way = "up" if up else "down"
    grave = rules.filter(pl.col("severity") != "info", pl.col("change") > 0 if up else pl.col("change") < 0)
    if rules["change"].is_null().all():
        return texts.text(f"paper.{way}.unknown", lang)
    if grave.is_empty():
        return texts.text(f"paper.{way}.none", lang)
    most = grave.sort("change", "rule_id", descending=[up, False]).row(0, named=True)
    counts = {"before": most["before"] or 0, "now": most["results"] or 0}
    return texts.text(f"paper.{way}", lang, rule=most["label"] or most["rule_id"], **counts)


def _odd(unusual: pl.DataFrame, lang: str) -> str:
    if unusual.is_empty():
        return texts.text("paper.unusual.none", lang)
    day = unusual.row(0, named=True)
    shares = {name: texts.percent(day[name], lang) for name in ("rate", "low", "high")}
    more = unusual.height - 1
    rest = f" {texts.plural('paper.unusual.more', more, lang)}" if more else ""
    return texts.text("paper.unusual", lang, day=texts.long_day(day["date_de_service"], lang), **shares) + rest


def rules(found: pl.DataFrame, lang: str) -> Markup:
    """Rules with their counts, their money, and how many results they have more or less than in the period before."""
    columns: Columns = {
        texts.text("column.severity", lang): (False, lambda row: markup.severity(row["severity"], lang)),
        texts.text("column.rule", lang): (False, lambda row: escape(row["label"])),
        **{texts.text(f"column.{name}", lang): (True, _whole(name, lang)) for name in ("results", "invoices")},
        **{texts.text(f"tile.{name}", lang): (True, _money(name, lang)) for name in ("at_risk", "to_repay", "gain")},
        texts.text("paper.change", lang): (True, lambda row: signed(row["change"], lang)),
    }
    return listing(found, texts.text("paper.rules", lang), columns)


def signed(change: int | None, lang: str) -> str:
    """How many more or less: ▲ 3, ▼ 2, ▬ for none; without a period before it is not known."""
    if change is None:
        return texts.NULL
    return "▬" if not change else f"{'▲' if change > 0 else '▼'}{texts.NBSP}{texts.integer(abs(change), lang)}"


def parts(found: pl.DataFrame, by: Literal["doctor", "lieu_de_pratique"], lang: str) -> str:
    """Doctors or places (of `metrics.parts`): lines, errors with a bar of their rate, money; few lines are hidden."""
    errors = pl.col("lines_in_error")
    hidden = (pl.col("lines") < FEW) | errors.is_between(1, FEW - 1)
    # In the order of what is hidden, the order would tell it.
    told, untold = (
        found.filter(~hidden & (errors > 0)),
        found.filter(hidden).sort("lines", by, descending=[True, False]),
    )
    shown = pl.concat([told, untold, found.filter(~hidden & (errors == 0))])
    shown = shown.head(PARTS_LISTED[by])
    rates = [row["lines_in_error"] / row["lines"] for row in shown.iter_rows(named=True) if not _is_few(row, "error")]
    longest = max([*rates, 0.0]) or 1.0
    none = texts.text("doctor.none" if by == "doctor" else "place.none", lang)
    columns: Columns = {
        texts.text("filter.doctor" if by == "doctor" else "filter.place", lang): (
            False,
            lambda row: _who(row[by] or none),
        ),
        texts.text("column.lines", lang): (True, lambda row: _hidden(row["lines"], lang)),
        texts.text("tile.error", lang): (True, lambda row: _hidden(row["lines_in_error"], lang)),
        texts.text("chart.rate.error", lang): (True, lambda row: _rate(row, longest, lang)),
        **{texts.text(f"tile.{name}", lang): (True, _spared(name, "error", lang)) for name in ("at_risk", "to_repay")},
        texts.text("tile.gain", lang): (True, _spared("gain", "info", lang)),
    }
    more = found.height - shown.height
    kind = "doctors" if by == "doctor" else "places"
    rest = f'<p class="after">{texts.plural(f"paper.{kind}.more", more, lang)}</p>' if more > 0 else ""
    title = texts.text(f"paper.by.{by}", lang)
    return f"<h3>{escape(title)}</h3>{listing(shown, title, columns)}{rest}"


def _is_few(row: dict[str, Any], severity: str) -> bool:
    return bool(row["lines"] < FEW or 0 < row[f"lines_in_{severity}"] < FEW)


def _hidden(count: int, lang: str) -> str:
    return f"&lt;{texts.NBSP}{FEW}" if 0 < count < FEW else texts.integer(count, lang)


def _spared(name: str, severity: str, lang: str) -> Cell:
    """Money of lines with results of a severity, unless they are few: it would tell what one line is worth."""
    return lambda row: texts.NULL if _is_few(row, severity) else texts.money(row[name], lang)


def _rate(row: dict[str, Any], longest: float, lang: str) -> str:
    if _is_few(row, "error"):
        return texts.NULL
    rate = row["lines_in_error"] / row["lines"]
    share = texts.percent(rate, lang)
    bar = f'<i style="width:{100 * rate / longest:.0f}%"></i>' if rate else ""
    return f'<span class="bar" aria-hidden="true">{bar}</span>{share}'


def patient_days(days: pl.DataFrame, lang: str) -> Markup:
    """Patients of each day."""
    names = ("registered", "registered_paid", "walk_in", "walk_in_paid")
    columns: Columns = {
        texts.text("chart.day", lang): (False, lambda row: _weekday(row["date_de_service"], lang)),
        texts.text("paper.patients_seen", lang): (True, _whole("patients", lang)),
        **{texts.text(f"paper.{name}", lang): (True, _whole(name, lang)) for name in names},
    }
    return listing(days, texts.text("paper.patients", lang), columns)


def _weekday(day: date, lang: str) -> str:
    return f"{texts.day(day)} {texts.DAYS[lang][day.isoweekday() % 7]}"


def counted_actions(rows: pl.DataFrame, lang: str) -> str:
    """How much there is to do, how much of it soon, and what it is worth."""
    soon = rows.filter(pl.col("days_left").is_between(0, SOON_DAYS)).height
    late = rows.filter(pl.col("days_left") < 0).height
    counts = [texts.plural(f"paper.to_do.{name}", n, lang) for name, n in (("all", rows.height), ("soon", soon))]
    return ", ".join([*counts, *([texts.plural("paper.to_do.late", late, lang)] if late else [])]) + "."


def by_urgency(rows: pl.DataFrame) -> pl.DataFrame:
    """Things to do that are not done: those that cannot wait by their days, then most money, what is too late last."""
    left = pl.col("days_left")
    late = (left < 0).fill_null(False)
    soon = pl.when(left.is_between(0, SOON_DAYS)).then(left)
    open_still = rows.filter(~pl.col("done").fill_null(False))
    return open_still.sort(late, soon, "amount", descending=[False, False, True], nulls_last=True, maintain_order=True)


def actions(rows: pl.DataFrame, lang: str) -> Markup:
    """Things to do (of `todo.actions`), with the days that are left."""
    columns: Columns = {
        texts.text("paper.days_left", lang): (True, lambda row: _left(row["days_left"], lang)),
        texts.text("filter.doctor", lang): (False, lambda row: _who(row["doctor"])),
        texts.text("head.date_service", lang): (False, lambda row: texts.day(row["date_service"])),
        texts.text("head.invoice", lang): (False, lambda row: _code(row["invoice"])),
        texts.text("head.code", lang): (False, lambda row: _code(row["code"])),
        texts.text("head.to_do", lang): (False, lambda row: escape(row["to_do"] or "")),
        texts.text("head.amount", lang): (True, _money("amount", lang)),
    }
    return listing(rows, texts.text("paper.to_do", lang), columns)


def _left(days: int | None, lang: str) -> str:
    said = texts.integer(days, lang)
    return f'<span class="soon">{said}</span>' if days is not None and days <= SOON_DAYS else said


def fates(totals: pl.DataFrame, lang: str) -> Markup:
    """What became of results (of `Comparison.totals`), with their money."""
    columns: Columns = {
        texts.text("chart.status", lang): (False, lambda row: markup.fate(row["status"], lang)),
        texts.text("column.results", lang): (True, _whole("results", lang)),
        **{texts.text(f"tile.{name}", lang): (True, _money(name, lang)) for name in ("at_risk", "to_repay", "gain")},
    }
    return listing(totals, texts.text("paper.changes", lang), columns)


def reasons(aside: pl.DataFrame, lang: str) -> str:
    """How many results are set aside, by reason."""
    counted = aside.group_by("acknowledged").len().sort("len", "acknowledged", descending=[True, False])
    said = [
        f"{texts.text(f'reason.{reason}', lang)} {texts.integer(count, lang)}" for reason, count in counted.iter_rows()
    ]
    told = texts.plural("paper.aside", aside.height, lang) + (f" ({', '.join(said)})" if said else "") + "."
    return f'<p class="after">{escape(told)}</p>'


def definitions(names: Sequence[str], lang: str) -> str:
    """What the six figures mean."""
    items = "".join(
        f"<dt>{escape(texts.text(f'tile.{name}', lang))}</dt>"
        f"<dd>{escape(texts.text(f'tile.{name}.definition', lang))}</dd>"
        for name in names
    )
    return f'<dl class="words">{items}</dl>'


def imports(runs: pl.DataFrame, lang: str) -> Markup:
    """How the file of each run was read, and what could not be."""
    columns: Columns = {
        texts.text("paper.import.run", lang): (False, lambda row: str(row["number"])),
        texts.text("paper.import.day", lang): (False, lambda row: texts.day(row["run_date"])),
        texts.text("paper.import.format", lang): (False, lambda row: escape(_format(row))),
        **{
            texts.text(f"paper.import.{name}", lang): (True, _whole(name, lang))
            for name in ("line_count", "record_count", "rejected_count")
        },
        texts.text("paper.import.share", lang): (True, lambda row: _share(row, lang)),
    }
    return listing(runs, texts.text("paper.annex.read", lang), columns)


def _format(row: dict[str, Any]) -> str:
    separator = {"\t": "tab"}.get(row["delimiter"], row["delimiter"])
    return " ".join(
        [
            *([row["encoding"].upper()] if row["encoding"] else []),
            *([f"«\u00a0{separator}\u00a0»"] if separator else []),
        ]
    )


def _share(row: dict[str, Any], lang: str) -> str:
    lines = row["line_count"]
    return texts.percent(row["rejected_count"] / lines if lines else None, lang)


def versions(judging: pl.DataFrame) -> str:
    """Rules that found something, by name, and the versions by which they judged."""
    items = "".join(
        f"<li>{_code(rule)} · {', '.join(f'v{number}' for number in numbers or ()) or texts.NULL}</li>"
        for rule, numbers in judging.select("rule_id", "versions").iter_rows()
    )
    return f'<ul class="p-versions">{items}</ul>'


def aside(found: pl.DataFrame, lang: str) -> str:
    """Results that are set aside, with the reason and until when; never the note, which is a person's own words."""
    if found.is_empty():
        return f"<p>{escape(texts.text('paper.aside.none', lang))}</p>"
    columns: Columns = {
        texts.text("head.result", lang): (False, lambda row: _code(row["result"])),
        texts.text("column.rule", lang): (False, lambda row: _code(row["rule_id"])),
        texts.text("filter.doctor", lang): (False, lambda row: _who(row["doctor"])),
        texts.text("head.date_service", lang): (False, lambda row: texts.day(row["date_service"])),
        texts.text("column.reason", lang): (
            False,
            lambda row: escape(texts.text(f"reason.{row['acknowledged']}", lang)),
        ),
        texts.text("head.acknowledged_until", lang): (False, lambda row: texts.day(row["acknowledged_until"])),
    }
    more = found.height - LISTED
    rest = f'<p class="after">{texts.plural("paper.to_do.more", more, lang)}</p>' if more > 0 else ""
    return listing(found.head(LISTED), texts.text("paper.annex.aside", lang), columns) + rest


def _whole(name: str, lang: str) -> Cell:
    return lambda row: texts.integer(row[name], lang)


def _money(name: str, lang: str) -> Cell:
    return lambda row: texts.money(row[name], lang)


def _who(name: str | None) -> str:
    return f'<span class="who">{escape(name)}</span>' if name else texts.NULL


def _code(value: str | None) -> str:
    return f"<code>{escape(value)}</code>" if value else texts.NULL
