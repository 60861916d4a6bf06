"""One result at the right: what it says, what to do, why, its lines to try out, the day, and its history. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from html import escape
from typing import Any

import polars as pl

from dashlib import markup, messages, texts
from dashlib.acknowledgements import REASONS
from dashlib.cards import without_cards
from dashlib.explaining import Why
from dashlib.explorer import pieces
from dashlib.explorer.day import PatientDay
from dashlib.explorer.pieces import Words, attributes, button
from dashlib.explorer.timeline import drawing, year_strip
from dashlib.explorer.trying import EDITABLE, Trial
from dashlib.markup import Markup
from dashlib.whatif import WhatIf

FEW_LINES = 8


@dataclass(frozen=True)
class Sheet:
    """All that is shown of one result; `until` is the day until which it would be set aside."""

    row: Mapping[str, Any]
    why: Why
    day: PatientDay | None
    history: pl.DataFrame
    trial: Trial
    tried: Markup
    asks: bool
    until: date
    may_set_aside: bool


def detail(sheet: Sheet, words: Words) -> Markup:
    """The whole sheet."""
    parts = [
        _head(sheet, words),
        _acts(sheet, words),
        _asking(sheet, words) if sheet.asks else "",
        _why(sheet, words),
        _lines(sheet, words),
        _day(sheet, words),
        _history(sheet, words),
    ]
    return Markup(
        f'<article class="dx-sheet" data-keep="{escape(sheet.row["result"], quote=True)}">{"".join(parts)}</article>'
    )


def nothing(words: Words) -> Markup:
    """Before a result is chosen."""
    return Markup(
        f'<div class="dx-sheet">{markup.state("empty", words("detail.none"), words("detail.none.advice"))}</div>'
    )


def _head(sheet: Sheet, words: Words) -> str:
    row, why = sheet.row, sheet.why
    solution = why.said("solution", words.lang)
    do = f'<p class="dx-do"><b>{words.html("to_do")}</b> {escape(solution)}</p>' if solution else ""
    called = words.html("result", result=row["result"])
    patient = pieces.code(row["patient"])
    facts = [pieces.code(row["doctor"]), patient, pieces.day(row["date_service"]), pieces.code(row["code"])]
    return (
        f'<header><div class="dx-row1">{pieces.severity(row["severity"], words)}{pieces.state(row["state"], words)}'
        f'<span class="dx-called">{called}</span></div><h2>{escape(words.rule(row["rule_id"]))}</h2>'
        f'<p class="dx-message">{escape(why.result["message"])}</p>{do}'
        f'<p class="dx-facts">{" · ".join(facts)}</p>'
        f'<p class="dx-stakes">{pieces.stake(row, words)} {pieces.days(row["days_left"], words)}</p></header>'
    )


def _acts(sheet: Sheet, words: Words) -> str:
    """What can be done with the result, and that it is set aside where it is."""
    aside, result = sheet.why.set_aside, sheet.row["result"]
    is_open = "true" if sheet.asks else "false"
    act = button(words("ack.change" if aside else "ack"), "asking", aria_expanded=is_open)
    act += button(words("unack"), "unack", result) if aside else ""
    copy = button(words("copy"), "copy", result)
    walk = button("‹", "previous", kind="round", aria_label=words("previous"), title=words("previous"))
    walk += button(words("next") + " ›", "next")
    return (
        f'{_aside(aside, words) if aside else ""}<div class="dx-acts">{act if sheet.may_set_aside else ""}{copy}'
        f'<span class="dx-walk">{walk}</span></div>'
    )


def _aside(aside: Mapping[str, Any], words: Words) -> str:
    """Why a result is set aside, until when, and the note of whoever did so."""
    until = words("aside.until", day=texts.day(aside["until"])) if aside["until"] else words("aside.until_changed")
    said = [
        texts.text(f"reason.{aside['reason']}", words.lang),
        until,
        *([without_cards(aside["note"])] if aside["note"] else []),
    ]
    return f'<p class="dx-strip">⊘ {words.html("aside.is")} {escape(" · ".join(said))}</p>'


def _asking(sheet: Sheet, words: Words) -> str:
    """The form by which a result is set aside; of one that is, the form holds what was said of it."""
    scopes = "".join(
        f'<label><input type="radio" name="scope" value="{name}"{" checked" if name == "this" else ""}>'
        f" {words.html(f'scope.{name}')}</label>"
        for name in ("this", "alike")
    )
    scope = f'<fieldset class="wide"><legend>{words.html("scope")}</legend>{scopes}</fieldset>'
    before = sheet.why.set_aside
    until = before["until"] if before else sheet.until
    return aside_form("ack", sheet.row["result"], until, words, scope=scope, said=before)


def aside_form(
    act: str,
    arg: str,
    until: date | None,
    words: Words,
    *,
    scope: str = "",
    said: Mapping[str, Any] | None = None,
    closing: str = "asking",
) -> str:
    """Reason, last day and note of what is set aside; without a last day it holds until the line changes."""
    said = said or {"reason": REASONS[0], "note": None}
    reasons = "".join(
        f'<option value="{name}"{" selected" if name == said["reason"] else ""}>'
        f"{escape(texts.text(f'reason.{name}', words.lang))}</option>"
        for name in REASONS
    )
    note = escape(without_cards(said["note"] or ""), quote=True)
    return (
        f'<form class="dx-form dx-asking" {attributes(act, arg)}>'
        f'<label>{words.html("reason")}<select id="dx-reason" name="reason">{reasons}</select></label>'
        f'<label>{words.html("until")}<input name="until" value="{texts.day(until) if until else ""}" '
        f'placeholder="{words.html("until.form")}" title="{words.html("until.none")}" '
        f'pattern="[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}" inputmode="numeric"></label>'
        f'<p class="wide dx-note">{words.html("until.none")}</p>'
        f'<label class="wide">{words.html("note")}'
        f'<input name="note" maxlength="400" autocomplete="off" value="{note}"></label>{scope}'
        f'<div class="wide"><button class="dx-button main">{words.html("ack.do")}</button>'
        f"{button(words('cancel'), closing)}</div></form>"
    )


def _why(sheet: Sheet, words: Words) -> str:
    why, lang = sheet.why, words.lang
    rows = arithmetic(why.facts, lang)
    counted = _pairs(rows, "dx-sum") if rows else pieces.note(words("why.nothing"))
    rule = why.rule or {}
    about = [(words("why.name"), why.result["rule_id"]), (words("why.version"), _version(why, words))]
    about += [(words("why.source"), str(rule["source"]))] if rule.get("source") else []
    about += [(words("why.tariff"), tariff) for tariff in _tariffs(why, words)]
    changed = pieces.note(texts.text("why.reference_changed", lang)) if why.reference_changed and why.rule else ""
    return (
        f'<section><h3>{words.html("why")}</h3>{counted}<details id="dx-rule">'
        f"<summary>{words.html('why.rule')}</summary>{_pairs(about)}{changed}</details></section>"
    )


def arithmetic(facts: Mapping[str, str], lang: str) -> list[tuple[str, str]]:
    """What a rule counted, and against what, as words and figures."""
    counted = [(word, facts[word]) for word in messages.COUNTED if word in facts]
    return [(texts.text(f"why.fact_{word}", lang), _fact(word, fact, lang)) for word, fact in counted]


def _fact(word: str, fact: str, lang: str) -> str:
    is_money = word in messages.MONEY and "." in fact
    return texts.money(Decimal(fact), lang) if is_money else messages.filled(f"{{{word}}}", {word: fact}, lang)


def _version(why: Why, words: Words) -> str:
    version, today = why.result["rule_version"], why.version_today
    if why.rule is None:
        return texts.NULL
    if today is None:
        return texts.text("why.version_same", words.lang, version=version)
    return texts.text("why.version_other" if today else "why.version_gone", words.lang, version=version, today=today)


def _tariffs(why: Why, words: Words) -> list[str]:
    """The amounts that the manual gives for the code on that day, with where and for whom."""
    named = why.tariffs.head(4).iter_rows(named=True) if why.rule else ()
    return [
        " · ".join(
            str(part) for part in (words.money(row["tariff_value"]), row["place"], row["role"], row["kind"]) if part
        )
        for row in named
    ]


def _pairs(rows: Sequence[tuple[str, str]], kind: str = "") -> str:
    said = "".join(f"<dt>{escape(name)}</dt><dd>{escape(fact)}</dd>" for name, fact in rows)
    return f'<dl class="dx-pairs {kind}">{said}</dl>'


def _lines(sheet: Sheet, words: Words) -> str:
    why = sheet.why
    title = f"<h3>{words.html('lines')}</h3>"
    if not why.kept:
        return f"<section>{title}{markup.state('empty', words('cleared'), words('cleared.advice'))}</section>"
    if why.lines.is_empty():
        return f"<section>{title}{pieces.note(words('lines.none'))}</section>"
    shown = why.lines.head(FEW_LINES).to_dicts()
    rows = "".join(_line(line, sheet.trial, words) for line in shown)
    more = why.lines.height - len(shown)
    rest = pieces.note(words.plural("lines.more", more)) if more else ""
    heads = "".join(f'<th scope="col">{words.html(f"field.{name}")}</th>' for name in ("row", *EDITABLE, "amount"))
    called = words.html("lines")
    return (
        f"<section>{title}{pieces.note(words('lines.hint'))}"
        f'<div class="scroll" role="region" tabindex="0" aria-label="{called}"><table class="dx-lines">'
        f"<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>{rest}{_trying(sheet, words)}</section>"
    )


def _line(line: Mapping[str, Any], trial: Trial, words: Words) -> str:
    row = line["row_number"]
    cells = ""
    for name in EDITABLE:
        stands = standing(line, name)
        shown = trial.cell(row, name, stands)
        edited = " edited" if shown != stands else ""
        label = words.html("field.of", field=words(f"field.{name}"), row=row)
        cells += (
            f'<td><input class="c-{name}{edited}" id="dx-{row}-{name}" value="{escape(shown, quote=True)}" '
            f'aria-label="{label}" autocomplete="off" spellcheck="false" {attributes("edit", f"{row}:{name}")}></td>'
        )
    paid = (line["montant_paye"] or 0) > 0
    amount = words.money(line["montant_paye"] if paid else line["montant_preliminaire"])
    state = words("day.paid") if paid else words("day.unpaid")
    return f'<tr><th scope="row">{row}</th>{cells}<td class="n">{amount}<small>{escape(state)}</small></td></tr>'


def standing(line: Mapping[str, Any], name: str) -> str:
    """What stands in a cell, as it is typed."""
    return str(line[name] or "")


def _trying(sheet: Sheet, words: Words) -> str:
    edits = sheet.trial.edits
    if not edits:
        return f'<p class="dx-acts">{button(words("judge"), "judge", disabled=True)}</p>{sheet.tried}'
    listed = "".join(
        f"<li>{words.html('edit.said', row=row, field=words(f'field.{name}'), value=value)}</li>"
        for row, cells in edits.items()
        for name, value in cells.items()
    )
    acts = button(words("judge"), "judge", kind="main") + button(words("undo"), "undo")
    acts += button(words("sheet"), "sheet")
    return f'<ul class="dx-edits">{listed}</ul><p class="dx-acts">{acts}</p>{sheet.tried}'


def tried(found: WhatIf, words: Words) -> Markup:
    """What corrections would change, in a line, and the results that would come and go."""
    moved = [words.plural("tried.lost", found.lost.height), words.plural("tried.gained", found.gained.height)]
    money = [f"{words(f'stake.{n}')} {_signed(v, words)}" for n, v in found.delta.items() if v]
    line = " · ".join([*moved, *(money or [words("tried.no_money")])])
    rows = [*(("fixed", row) for row in found.lost.to_dicts()), *(("new", row) for row in found.gained.to_dicts())]
    listed = "".join(
        f"<li>{pieces.state(state, words)} {escape(words.rule(row['rule_id']))} "
        f"<small>{words.html('line', row=row['row_number'])}</small></li>"
        for state, row in rows[:FEW_LINES]
    )
    basis = pieces.note(texts.text("whatif.basis", words.lang)) if found.basis_changed else ""
    return Markup(f'<div class="dx-tried" role="status"><b>{escape(line)}</b><ul>{listed}</ul>{basis}</div>')


def _signed(amount: Decimal, words: Words) -> str:
    return f"+{words.money(amount)}" if amount > 0 else words.money(amount)


def _day(sheet: Sheet, words: Words) -> str:
    found = sheet.day
    if found is None:
        return ""
    limit = sheet.why.facts.get("max") if "minutes" in sheet.why.facts else None
    legend = "".join(
        f'<span><i class="{name}"></i>{words.html(f"legend.{name}")}</span>'
        for name in ("touched", "paid", "unpaid", "overlaps")
    )
    title = words("day", patient=found.patient, day=texts.long_day(found.day, words.lang))
    return (
        f"<section><h3>{escape(title)}</h3>{drawing(found, words.lang, limit=limit)}"
        f'<p class="dx-legend" aria-hidden="true">{legend}</p>'
        f'<details id="dx-day-lines"><summary>{escape(texts.text("page.see_data", words.lang))}</summary>'
        f"{_day_lines(found, words)}</details>"
        f"{year_strip(found, words.lang)}</section>"
    )


def _day_lines(found: PatientDay, words: Words) -> str:
    names = ("row", "code", "debut", "fin", "doctor", "amount")
    columns = [(words(f"field.{name}"), name == "amount") for name in names]
    rows = [
        [
            str(line["row_number"]),
            escape(line["code"]),
            *(escape(line[name] or texts.NULL) for name in ("debut", "fin", "doctor")),
            words.money(line["montant_paye"] if line["is_paid"] else line["montant_preliminaire"]),
        ]
        for line in found.lines.to_dicts()
    ]
    return markup.table(words("day.lines"), columns, rows)


def _history(sheet: Sheet, words: Words) -> str:
    """In which runs the result stood, and when it was not there although the doctor's day was."""
    items = "".join(_seen(row, words) for row in sheet.history.iter_rows(named=True))
    return f'<section><h3>{words.html("history")}</h3><ol class="dx-history">{items}</ol></section>'


def _seen(row: Mapping[str, Any], words: Words) -> str:
    kind = "there" if row["result"] is not None else "absent" if row["held"] else "outside"
    kind = "aside" if row["acknowledged"] else kind
    glyph = {"there": "●", "aside": "⊘", "absent": "✓", "outside": "–"}[kind]
    run = words("run.named", number=str(row["number"]), day=texts.day(row["run_date"]))
    amount = f" · {words.money(row['amount'])}" if row["amount"] is not None else ""
    said = f"{escape(run)} · {words.html(f'history.{kind}')}{amount}"
    return f'<li class="{kind}"><i aria-hidden="true">{glyph}</i>{said}</li>'
