"""« Fiche de la règle »: what a rule asks and of whom, its source and version, what it found, and three examples."""

import json
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from dashlib import markup, messages, rule_words, rulebook, sheets, texts
from dashlib.explorer.detail import arithmetic
from dashlib.figures import STAKES
from dashlib.markup import Markup
from dashlib.metrics import RuleSheet
from dashlib.pages.drawer import pairs
from dashlib.rules.base import LINE_FACTS
from dashlib.workbench import Workbench

SAID = (
    *("meaning", "message", "solution", "codes", "threshold", "parameters", "exceptions"),
    *("source", "confidence", "validity", "latest"),
)


def drawn(wb: Workbench, found: RuleSheet, lang: str, *, explorer: str) -> Markup:
    """The sheet as markup; `explorer` is the address of the rule's results, one by one."""
    sheet = rulebook.sheet(wb, found.rule)
    rule = sheet.rule
    told = dict(sheets.told(sheet, lang))
    asked = rule_words.told_parameters(rule, lang)
    lines = {
        **told,
        "parameters": [each.said(lang) for each in asked if not each.is_exception],
        "exceptions": [each.said(lang) for each in asked if each.is_exception],
    }
    words = {name: f"rule.{name}" for name in told} | {"exceptions": "sheet.exceptions"}
    facts = {texts.text(words[name], lang): _lines(lines[name]) for name in SAID}
    state = texts.text("rule.on" if rule.enabled else "rule.off", lang)
    head = f"{markup.severity(rule.severity, lang)} · {escape(rule.name)} · {escape(state)}"
    act = f'<a class="d-button" href="{escape(explorer, quote=True)}">{escape(texts.text("sheet.explore", lang))}</a>'
    return Markup(
        f'<p class="d-sheet-head">{head}</p>{_figures(found, lang)}<p class="d-acts">{act}</p>'
        f"{pairs(facts)}{_changing(wb, lang)}{_examples(found.examples.to_dicts(), rule.message.get(lang), lang)}"
    )


def _changing(wb: Workbench, lang: str) -> str:
    """Where a threshold is changed, or by whom."""
    key = "sheet.change" if wb.viewer.role in rulebook.EDITORS else "sheet.change.ask"
    return f'<p class="d-note">{escape(texts.text(key, lang))}</p>'


def _figures(found: RuleSheet, lang: str) -> Markup:
    """What it found in the period; money as three sums, what was set aside apart."""
    counts = {texts.text(f"column.{name}", lang): getattr(found, name) for name in ("results", "lines", "invoices")}
    counts[texts.text("tile.acknowledged", lang)] = found.acknowledged
    sums = {texts.text(f"tile.{name}", lang): texts.money(getattr(found, name), lang) for name in STAKES}
    return pairs({**{name: texts.integer(count, lang) for name, count in counts.items()}, **sums})


def _lines(lines: Sequence[str]) -> Markup:
    return Markup("<br>".join(escape(line) for line in lines))


def _examples(examples: Sequence[Mapping[str, Any]], message: str | None, lang: str) -> str:
    heading = f"<h3>{escape(texts.text('sheet.examples', lang))}</h3>"
    if not examples:
        return heading + f"<p>{escape(texts.text('sheet.no_examples', lang))}</p>"
    return heading + "".join(_example(row, message, lang) for row in examples)


def _example(row: Mapping[str, Any], message: str | None, lang: str) -> str:
    """A result with its arithmetic: what the rule counted, and against what. Its sentence is kept in French."""
    words = {word: str(fact) for word, fact in json.loads(row["details"] or "{}").items() if fact is not None}
    counted = pairs(dict(arithmetic({word: fact for word, fact in words.items() if word not in LINE_FACTS}, lang)))
    said = row["message"] if lang == "fr" or message is None else messages.filled(message, words, lang)
    stakes = (f"{texts.text(f'tile.{name}', lang)} {texts.money(row[name], lang)}" for name in STAKES if row[name])
    about = " · ".join(
        filter(None, (row["result"], texts.day(row["date_service"]), row["doctor"], row["code"], *stakes))
    )
    return f'<article class="d-found"><p>{escape(about)}</p><p>{escape(said)}</p>{counted}</article>'
