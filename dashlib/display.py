"""What the command line shows: a run's summary, tables of text, and how far a run is."""

import re
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import click
import polars as pl

from dashlib import exporting, texts
from dashlib.display_tables import GLYPHS, table, worded
from dashlib.errors import Fact, Fault
from dashlib.exports import facts_of
from dashlib.leases import Told
from dashlib.runs import Run

BAR = 20
QUICK_S = 0.5  # what ends sooner shows no progress


@contextmanager
def progress(lang: str) -> Iterator[Told]:
    """Tells on stderr how far the work is: a bar on a terminal, a line a tenth elsewhere, nothing when it is quick."""
    began, terminal, said = time.monotonic(), sys.stderr.isatty(), set[tuple[str, int]]()

    def told(phase: str, done: int, of: int) -> None:
        tenth = 10 * done // max(of, 1)
        if phase == "known":
            click.echo(texts.text("run.known", lang), err=True)
            return
        if phase == "done" or time.monotonic() - began < QUICK_S or (phase, tenth) in said:
            return
        said.add((phase, tenth))
        share = texts.percent(Decimal(done) / max(of, 1), lang, places=0)
        words = f"{texts.text(f'phase.{phase}', lang):<14}"
        if terminal:
            bar = "█" * (BAR * done // max(of, 1))
            click.echo(f"\r{words} {bar:░<{BAR}} {share} ", err=True, nl=False)
        else:
            click.echo(f"{words} {share}", err=True)

    yield told
    if terminal and said:
        click.echo("\r" + " " * (BAR + 24) + "\r", err=True, nl=False)


@contextmanager
def busy(key: str, lang: str, *, unless: bool = False) -> Iterator[None]:
    """Says on a terminal, on one line that goes again, what is being done; nothing `unless` it is for a person."""
    said = texts.text(key, lang) if sys.stderr.isatty() and not unless else ""
    click.echo(said, err=True, nl=False)
    try:
        yield
    finally:
        click.echo(f"\r{' ' * len(said)}\r" if said else "", err=True, nl=False)


def confidence(level: str | None, lang: str) -> str:
    """How far a rule can be trusted, in words."""
    known = level in ("high", "medium", "low")
    return texts.text(f"rule.confidence.{level}", lang) if known else level or texts.NULL


def summary(run: Run, lang: str) -> str:
    """What a run found, in a dozen lines: counts of lines, the three sums, and the rules that reported most."""
    lines = [_head(run, lang), *_ended(run, lang)]
    if run.status == "completed":
        lines += [*_severities(run, run.set_aside(), lang), "", *_top(run, lang)]
        lines += ["", texts.text("run.next", lang, number=str(run.number))]
    return "\n".join(lines)


def _head(run: Run, lang: str) -> str:
    figures = run.figures
    facts = [texts.text("run.title", lang, number=str(run.number)), str(figures["file"])]
    if figures["record_count"]:
        facts.append(texts.plural("run.lines", figures["line_count"] or 0, lang))
        facts.append(f"{figures['encoding']} « {figures['delimiter']} »".replace("\t", "tab"))
    return " · ".join([*facts, texts.text("run.as_of", lang, day=texts.day(figures["run_date"]))])


def _ended(run: Run, lang: str) -> list[str]:
    figures = run.figures
    if run.status != "completed":
        return [texts.text(f"run.{run.status}", lang, reason=reason(run, lang)), *_faults(run, lang)]
    rejected = figures["rejected_count"] or 0
    return [texts.plural("run.rejected", rejected, lang, run=str(run.number))] if rejected else []


def reason(run: Run, lang: str) -> str:
    """Why it failed, without holes: as it was said in French, unless all that the other language says is known."""
    code, kept = run.figures["error_code"] or "", run.figures["error_message"]
    facts = {"file": run.figures["file"]}
    for fault in run.faults[:1]:
        facts |= facts_of(fault)
    return kept if kept and (lang == "fr" or not _all_known(code, facts, lang)) else texts.error(code, facts, lang)


def _faults(run: Run, lang: str) -> list[str]:
    """What else is wrong with its file, a sentence each; where a sentence would have holes, the code and the lines."""
    said = []
    for fault in run.faults[1:]:  # the first is the reason itself
        facts = facts_of(fault)
        known = _all_known(fault.code, facts, lang)
        said.append(f"  {texts.error(fault.code, facts, lang) if known else _bare(fault, lang)}")
    return said


def _bare(fault: Fault, lang: str) -> str:
    facts = facts_of(fault)
    return texts.text("fault.bare", lang, code=fault.code, lines=facts["lines"]) if fault.lines else fault.code


def _all_known(code: str, facts: Mapping[str, Fact], lang: str) -> bool:
    """Whether all that the sentence of a code says is at hand."""
    return set(re.findall(r"\{(\w+)", texts.words(lang).get(code, ""))) <= facts.keys()


def _severities(run: Run, aside: dict[str, Any], lang: str) -> list[str]:
    """Lines in error and in warning and advice, less what is set aside, which has a line of its own."""
    figures, awaiting = run.figures, run.awaiting
    rows = (
        ("error", "lines_in_error", ("at_risk", "to_repay")),
        ("warning", "lines_in_warning", ()),
        ("info", "info_count", ("gain",)),
    )
    said = []
    for severity, name, sums in rows:
        money = {each: (figures[each] or 0) - aside[f"acknowledged_{each}"] for each in sums}
        money |= {"awaiting": awaiting} if severity == "info" and awaiting else {}
        count = figures[name] - aside[f"acknowledged_{name}"]
        said.append(_counted(GLYPHS[severity], f"run.count.{severity}", count, money, lang))
    set_aside = sum(aside[f"acknowledged_{severity}_count"] for severity in GLYPHS)
    if set_aside:
        money = {name: aside[f"acknowledged_{name}"] for name in ("at_risk", "to_repay", "gain")}
        said.append(_counted("⊘", "run.count.aside", set_aside, money, lang))
    return [*said, _counted("○", "run.count.clean", figures["record_count"] - run.lines_touched, {}, lang)]


def _counted(glyph: str, label: str, count: int, money: Mapping[str, Decimal], lang: str) -> str:
    sums = " · ".join(f"{texts.text(f'sum.{name}', lang)} {texts.money(cad, lang)}" for name, cad in money.items())
    return f"  {glyph} {texts.text(label, lang):<26} {texts.integer(count, lang):>9}   {sums}".rstrip()


def _top(run: Run, lang: str, rules: int = 8) -> list[str]:
    reported = run.summary
    top = reported.head(rules)
    if top.is_empty():
        return [texts.plural("run.good", run.figures["record_count"], lang)]
    columns = [texts.text(f"column.{name}", lang) for name in ("rule", "results", "amount")]
    rows = [
        [f"{GLYPHS[severity]} {rule}", texts.integer(results, lang), texts.money(amount, lang)]
        for rule, severity, results, amount in top.select("rule_id", "severity", "results", "amount").iter_rows()
    ]
    more = reported.height - top.height
    rest = [f"  {texts.plural('rules.more', more, lang)}"] if more else []
    return [*table(columns, rows, right=(1, 2), indent="  "), *rest]


RESULT_COLUMNS = (
    "result",
    "severity",
    "rule_id",
    "row_number",
    "date_service",
    "invoice",
    "code",
    "amount",
    "doctor",
    "patient",
    "message",
)


def shown_results(rows: pl.DataFrame, lang: str) -> pl.DataFrame:
    """What a table shows of results, in words; why some are set aside, when some are."""
    aside = ("acknowledged", "acknowledged_until") if rows["acknowledged"].count() else ()
    return worded(rows.select(*RESULT_COLUMNS[:-1], *aside, RESULT_COLUMNS[-1]), lang)


def runs(found: Sequence[Run], lang: str) -> str:
    """A line a run, newest first."""
    if not found:
        return texts.text("run.none", lang)
    fields = ("run", "status", "created_at", "file", "records", "errors", "warnings", "at_risk")
    return "\n".join(
        table(
            [texts.text(f"field.{name}", lang) for name in fields],
            [_line(run, lang) for run in found],
            right=(4, 5, 6, 7),
        )
    )


def _line(run: Run, lang: str) -> list[str]:
    figures = run.figures
    status = "cancelled" if figures["error_code"] == "DL-RUN-CANCELLED" else run.status
    counts = [texts.integer(figures[name], lang) for name in ("record_count", "error_count", "warning_count")]
    words = [str(run.number), texts.text(f"status.{status}", lang), cell(figures["created_at"], lang), figures["file"]]
    return [*words, *counts, texts.money(figures["at_risk"], lang)]


def pairs(facts: dict[str, Any], lang: str) -> str:
    """What facts are called in words, and their values, one pair a line."""
    words = texts.words(lang)
    rows = [[words.get(f"head.{name}", name), cell(value, lang)] for name, value in facts.items()]
    return "\n".join(table(["", ""], rows))


def write_csv(rows: pl.DataFrame, path: Path, lang: str) -> str:
    """Writes a frame for a spreadsheet; a cell that would run as a formula there is made text."""
    written = exporting.write(rows, path, lang, kind="csv")
    return texts.text("cli.csv", lang, rows=written, path=str(path))


def frame(rows: pl.DataFrame, lang: str) -> str:
    """A frame as a table of text, with numbers, dates and money as people write them."""
    written = [[cell(value, lang) for value in row] for row in rows.iter_rows()]
    numeric = tuple(i for i, dtype in enumerate(rows.dtypes) if dtype.is_numeric())
    return "\n".join(table(list(rows.columns), written, right=numeric))


def cell(value: object, lang: str) -> str:
    """One value as people write it; an absent one is a dash."""
    match value:
        case None:
            return texts.NULL
        case bool():
            return texts.text("rule.yes" if value else "rule.no", lang)
        case datetime():
            return f"{value.astimezone(texts.TORONTO):%Y-%m-%d %H:%M}"
        case date():
            return texts.day(value)
        case Decimal():
            return texts.money(value, lang)
        case list():
            return ", ".join(map(str, value))
        case _:
            return str(value)
