"""What the command line shows of one result, of two runs beside each other, and of corrections tried out."""

from collections.abc import Mapping
from decimal import Decimal

import polars as pl

from dashlib import messages, texts
from dashlib.comparison import STAKES, STATUSES
from dashlib.diffing import RunComparison
from dashlib.display import cell, confidence, frame
from dashlib.display_tables import GLYPHS, table, worded
from dashlib.explaining import Why
from dashlib.rules.base import RELATED_LINES
from dashlib.whatif import WhatIf

MARKS = {"new": "✚", "fixed": "✓", "persisting": "●", "rule_changed": "⟲"}
CHANGED = ("severity", "rule_id", "row_number", "date_service", "invoice", "code", "amount", "message")


def why(found: Why, lang: str) -> str:
    """A result with all that stands behind it: the rule's words, the arithmetic, the lines, the tariffs."""
    parts = [_head(found, lang), f"  {found.result['message']}", "", *_sheet(found, lang)]
    if found.kept:
        parts += ["", texts.text("why.lines", lang), frame(_filled_columns(found.lines), lang)]
        parts += [texts.text("why.capped", lang, n=RELATED_LINES)] if found.capped else []
    else:
        parts += ["", texts.text("why.cleared", lang)]
    return "\n".join([*parts, *_tariffs(found, lang)])


def _head(found: Why, lang: str) -> str:
    result = found.result
    facts = [
        texts.text("why.title", lang, result=result["result"]),
        f"{GLYPHS[result['severity']]} {result['rule_id']}",
    ]
    facts += [str(result["code"])] if result["code"] else []
    facts += [texts.day(result["date_service"])] if result["date_service"] else []
    facts += [texts.text("why.line", lang, row=result["row_number"])] if result["row_number"] else []
    return " · ".join([*facts, *([cell(result["amount"], lang)] if result["amount"] is not None else [])])


def _sheet(found: Why, lang: str) -> list[str]:
    rule = found.rule or {}
    rows = [
        ("why.solution", found.said("solution", lang)),
        ("why.counted", _arithmetic(found, lang)),
        ("why.rule", (found.said("label", lang) or found.result["rule_id"]) if rule else None),
        ("why.rule", None if rule else texts.text("why.no_rule", lang)),
        ("why.source", str(rule.get("source") or texts.NULL) if rule else None),
        ("rule.confidence", confidence(rule.get("confidence"), lang) if rule else None),
        ("why.version", _version(found, lang) if rule else None),
        ("why.aside", _aside(found, lang)),
    ]
    return table(["", ""], [[texts.text(name, lang), said] for name, said in rows if said], indent="  ")


def _arithmetic(found: Why, lang: str) -> str:
    """What was counted against what, in the order in which all rules tell it."""
    facts = {word: found.facts[word] for word in messages.COUNTED if word in found.facts}
    return " · ".join(
        f"{texts.text(f'why.fact_{word}', lang)} {_fact(word, fact, lang)}" for word, fact in facts.items()
    )


def _fact(word: str, fact: str, lang: str) -> str:
    is_money = word in messages.MONEY and "." in fact
    return texts.money(Decimal(fact), lang) if is_money else messages.filled(f"{{{word}}}", {word: fact}, lang)


def _version(found: Why, lang: str) -> str:
    version, today = found.result["rule_version"], found.version_today
    if today is None:
        return texts.text("why.version_same", lang, version=version)
    key = "why.version_other" if today else "why.version_gone"
    return texts.text(key, lang, version=version, today=today)


def _aside(found: Why, lang: str) -> str | None:
    aside = found.set_aside
    if aside is None:
        return None
    by = texts.text("aside.by", lang, author=aside["author"], day=texts.day(aside["at"].astimezone(texts.TORONTO)))
    until = [texts.text("aside.until", lang, day=texts.day(aside["until"]))] if aside["until"] else []
    return ", ".join([texts.text(f"reason.{aside['reason']}", lang), *until, by]) + (
        f" : {aside['note']}" if aside["note"] else ""
    )


def _tariffs(found: Why, lang: str) -> list[str]:
    code, day = found.result["code"], found.result["date_service"]
    if found.rule is None or code is None:
        return []
    facts = {"code": code, "day": texts.day(day)}
    if found.tariffs.is_empty():
        return ["", texts.text("why.no_tariff", lang, **facts)]
    changed = [texts.text("why.reference_changed", lang)] if found.reference_changed else []
    return ["", texts.text("why.tariffs", lang, **facts), frame(_filled_columns(found.tariffs), lang), *changed]


def _filled_columns(rows: pl.DataFrame) -> pl.DataFrame:
    """Without the columns in which nothing stands."""
    return rows.select(column for column in rows if column.null_count() < rows.height)


def diff(found: RunComparison, lang: str) -> str:
    """How many results came, went and stayed, with their money."""
    rows = [_compared(row, lang) for row in found.totals.iter_rows(named=True)]
    said = [texts.text("diff.title", lang, before=str(found.before), after=str(found.after))]
    said += table(["", "", ""], rows, right=(1,), indent="  ")
    was = found.rule_changed["was"]
    if len(was):
        counts = {name: int((was == name).sum()) for name in STATUSES[:3]}
        said.append(f"  {MARKS['rule_changed']} {texts.text('diff.was', lang, **counts)}")
    said += _gone(found, lang)
    said += [f"  {texts.text('diff.reference', lang)}"] if found.reference_changed else []
    return "\n".join([*said, "", texts.text("diff.next", lang, before=str(found.before), after=str(found.after))])


def _compared(row: Mapping[str, object], lang: str) -> list[str]:
    status = row["status"]
    label = f"{MARKS[str(status)]} {texts.text(f'diff.{status}', lang)}"
    return [label, cell(row["results"], lang), _money({name: row[name] for name in STAKES}, lang)]


def _money(sums: Mapping[str, object], lang: str) -> str:
    if None in sums.values():
        return texts.text("diff.unknown_money", lang)
    return " · ".join(f"{texts.text(f'sum.{name}', lang)} {cell(amount, lang)}" for name, amount in sums.items())


def _gone(found: RunComparison, lang: str) -> list[str]:
    """How many came or went with their line."""
    said = []
    for status, run in (("new", found.before), ("fixed", found.after)):
        number = found.without_line(getattr(found, status))
        if number is None:
            return [texts.text("diff.unknown", lang)]
        if number:
            said.append(f"  {MARKS[status]} {texts.text('diff.without_line', lang, n=number, run=str(run))}")
    return said


def whatif(found: WhatIf, lang: str) -> str:
    """What corrections would change: the money, and the results that would come and go."""
    title = [
        texts.plural("whatif.title", found.corrected, lang),
        texts.plural("whatif.judged", found.judged, lang),
    ]
    sums = [
        [
            texts.text(f"sum.{name}", lang),
            *(cell(side[name], lang) for side in (found.before, found.after, found.delta)),
        ]
        for name in STAKES
    ]
    columns = ["", *(texts.text(f"whatif.{name}", lang) for name in ("before", "after", "delta"))]
    said = [" · ".join(title), *table(columns, sums, right=(1, 2, 3), indent="  ")]
    said += ["", texts.plural("whatif.part", found.touched, lang)]
    for name, results in (("lost", found.lost), ("gained", found.gained)):
        said += ["", texts.text(f"whatif.{name}", lang, n=results.height)]
        said += [frame(worded(results.select(CHANGED), lang), lang)] if results.height else []
    return "\n".join([*said, *([texts.text("whatif.basis", lang)] if found.basis_changed else [])])
