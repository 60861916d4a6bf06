"""A rule, its history and what a change of it would do, as text that people read."""

import json
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from dashlib import display, rule_words, texts
from dashlib.display_tables import severity, table, terminal_width
from dashlib.edits import Change
from dashlib.preview import MONEY, SEVERITIES, STATES, Preview
from dashlib.rulebook import Sheet, Version
from dashlib.rules import Rule

WIDTH = 110  # a sheet is read: longer lines tire the eye
FEW_CODES = 12
SIGNS = {"gained": "✚", "lost": "−", "common": "●"}


def listed(rules: Sequence[Rule], lang: str) -> str:
    """A line a rule: name, type, severity, whether it judges, version, label."""
    columns = [texts.text(f"rule.{name}", lang) for name in ("name", "type", "severity", "enabled", "version", "label")]
    rows = [
        [
            rule.name,
            rule.condition.type,
            severity(rule.severity, lang),
            texts.text("rule.yes" if rule.enabled else "rule.no", lang),
            str(rule.version),
            said(rule.label, lang),
        ]
        for rule in rules
    ]
    return "\n".join(table(columns, rows, right=(4,)))


def said(words: Mapping[str, str], lang: str) -> str:
    """A rule's own words in this language, else in the one that it has."""
    return words.get(lang) or next(iter(words.values()), texts.NULL)


def sheet(found: Sheet, lang: str) -> str:
    """A rule as a sheet: what it asks, of which codes, what it says, where it comes from, and since when."""
    rule = found.rule
    state = texts.text("rule.on" if rule.enabled else "rule.off", lang)
    version = f"{texts.text('rule.version', lang).lower()} {rule.version}"
    head = " · ".join([rule.name, severity(rule.severity, lang), state, version])
    return "\n".join(
        [head, *_paragraphs([(texts.text(f"rule.{name}", lang), lines) for name, lines in told(found, lang)])]
    )


def told(found: Sheet, lang: str) -> list[tuple[str, list[str]]]:
    """What a sheet tells of a rule, in its order: the key of the words before it (`rule.<key>`), and its lines.

    A parameter stands with the path by which `rules set` changes it.
    """
    rule, asked = found.rule, rule_words.told_parameters(found.rule, lang)
    return [
        ("label", [said(rule.label, lang)]),
        ("meaning", [texts.text(f"rule.meaning.{rule.condition.type}", lang)]),
        ("codes", list(_codes(found, lang))),
        ("parameters", [f"{each.said(lang)}  [{each.path}]" for each in asked]),
        ("threshold", _threshold(rule, lang)),
        ("message", [rule_words.told_message(said(rule.message, lang), rule, lang)]),
        ("solution", [rule_words.told_message(said(rule.solution, lang), rule, lang)]),
        ("validity", [_validity(rule.valid_from, rule.valid_to, lang)]),
        ("source", [rule.source or texts.NULL]),
        ("confidence", [display.confidence(rule.confidence, lang)]),
        ("latest", [_made(found.latest, lang)]),
    ]


def _paragraphs(parts: Iterable[tuple[str, list[str]]]) -> Iterator[str]:
    named = [(name, lines) for name, lines in parts if lines]
    width = max(len(name) for name, _ in named) + 2
    room = max(min(WIDTH, terminal_width() or WIDTH) - width, width)
    for name, lines in named:
        folded = [piece for line in lines for piece in textwrap.wrap(line, room, subsequent_indent="  ")]
        for n, piece in enumerate(folded):
            yield f"  {name if n == 0 else '':<{width}}{piece}"


def written(value: Any) -> str:
    """A value of a rule as people write it: a list by commas, a text as it stands, anything else as JSON."""
    if isinstance(value, list) and all(isinstance(part, str | int) for part in value):
        return ", ".join(map(str, value))
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _codes(found: Sheet, lang: str) -> Iterator[str]:
    codes = list(found.codes.items())
    if not codes:
        yield texts.text("rule.codes.every" if "*" in found.rule.condition.codes else "rule.codes.none", lang)
    elif len(codes) > FEW_CODES:
        yield f"{texts.plural('rule.codes', len(codes), lang)} : {', '.join(code for code, _ in codes)}"
    else:
        for code, description in codes:
            yield f"{code}  {description or texts.text('rule.codes.unknown', lang)}"


def _validity(first: date | None, last: date | None, lang: str) -> str:
    if first is None and last is None:
        return texts.text("rule.always", lang)
    key = "rule.between" if first and last else "rule.from" if first else "rule.until"
    return texts.text(key, lang, first=texts.long_day(first, lang), last=texts.long_day(last, lang))


def _threshold(rule: Rule, lang: str) -> list[str]:
    """Dollars a day; of an amount_limit it is the parameter `max`, which is told already."""
    told = rule.threshold is not None and rule.condition.type == "office_fee_validation"
    return [texts.money(rule.threshold, lang)] if told and rule.threshold is not None else []


def _made(version: Version | None, lang: str) -> str:
    if version is None:
        return texts.NULL
    parts = (str(version.version), texts.moment(version.created_at, lang), version.author, version.note)
    return " · ".join(part for part in parts if part)


def history(versions: Sequence[Version], lang: str) -> str:
    """Each version of a rule with its author, date and note, and below it what it changed, newest first."""
    lines = []
    for version in versions:
        lines.append(_made(version, lang))
        lines += [f"    {_changed(change)}" for change in version.changes]
    return "\n".join(lines)


def _changed(change: Change) -> str:
    return f"{change.field} : {_or_none(change.before)} → {_or_none(change.after)}"


def _or_none(value: Any) -> str:
    return texts.NULL if value is None else written(value)


def previewed(shown: Preview, lang: str, *, examples: int, changes: Iterable[Change]) -> str:
    """What a change would do: before and after side by side, gained and lost, and some of each."""
    lines = [
        texts.text("preview.title", lang, rule=shown.before.name, version=str(shown.before.version)),
        *(f"  {_changed(change)}" for change in changes),
        coverage(shown, lang),
    ]
    if shown.lines:
        lines += ["", *table(*before_and_after(shown, lang), right=(1, 2, 3), indent="  "), ""]
        lines += [*_counts(shown, lang), *_counts_by_rule(shown, lang)]
        lines += _examples(shown, lang, examples)
    return "\n".join(lines)


def _counts(shown: Preview, lang: str) -> list[str]:
    counts = shown.counts().items()
    said = [f"{SIGNS[state]} {texts.text(f'preview.{state}', lang)} {texts.integer(n, lang)}" for state, n in counts]
    return [f"  {' · '.join(said)}"]


def _counts_by_rule(shown: Preview, lang: str) -> list[str]:
    """The counts of each rule, where others than the changed one are among them."""
    if not hanging(shown):
        return []
    columns = [texts.text("column.rule", lang), *(texts.text(f"preview.{state}", lang) for state in STATES)]
    rows = [[rule, *(texts.integer(n, lang) for n in counts)] for rule, *counts in shown.by_rule().iter_rows()]
    return ["", *table(columns, rows, right=(1, 2, 3), indent="  ")]


def hanging(shown: Preview) -> list[str]:
    """Rules with results in a preview, though another was changed: they are silent where it speaks, or ask it."""
    return [rule for rule in shown.by_rule()["rule_id"] if rule != shown.before.name]


def coverage(shown: Preview, lang: str) -> str:
    """How much of the time asked for can be judged, in a sentence or two."""
    said = [
        texts.plural("preview.kept", shown.days_kept, lang, days=shown.days, **_judged(shown, lang)),
    ]
    if shown.days_cleared:
        said.append(texts.plural("preview.cleared", shown.days_cleared, lang))
    if not (shown.before.enabled or shown.after.enabled):
        said.append(texts.text("preview.silent", lang))
    if others := hanging(shown):
        said.append(texts.plural("preview.hanging", len(others), lang, rules=", ".join(others)))
    return " ".join(said)


def _judged(shown: Preview, lang: str) -> dict[str, str]:
    counts = {"lines": shown.lines, "runs": shown.runs}
    return {name: texts.plural(f"preview.{name}", count, lang) for name, count in counts.items()}


def before_and_after(shown: Preview, lang: str) -> tuple[list[str], list[list[str]]]:
    """Titles and cells of what these rules report before and after: counts and money, where there are any."""
    before, after = shown.figures.to_dicts()
    columns = ["", *(texts.text(f"preview.{name}", lang) for name in ("before", "after", "difference"))]
    counts = [
        [
            texts.text(f"preview.count.{name}", lang),
            *(texts.integer(n, lang) for n in (a, b)),
            _signed(texts.integer(b - a, lang)),
        ]
        for name in SEVERITIES
        if (a := before[name]) + (b := after[name])
    ]
    money = [
        [texts.text(f"sum.{name}", lang), *(texts.money(n, lang) for n in (a, b)), _signed(texts.money(b - a, lang))]
        for name in MONEY
        if (a := before[name]) + (b := after[name])
    ]
    return columns, [*counts, *money]


def _signed(number: str) -> str:
    return number if number.startswith(texts.MINUS) else f"+{number}"


def _examples(shown: Preview, lang: str, of_each: int) -> list[str]:
    lines = []
    for state in STATES:
        some = shown.examples(of_each).filter(state=state)
        if some.height:
            lines += ["", texts.text(f"preview.examples.{state}", lang)]
            lines += ["  " + _example(row, lang) for row in some.to_dicts()]
    return lines


def _example(row: dict[str, Any], lang: str) -> str:
    where = texts.text("preview.where", lang, run=str(row["run"]), row=row["row_number"])
    what = (texts.day(row["date_service"]), row["code"], texts.money(row["amount"], lang), row["message"])
    parts = (row["rule_id"], where, *what)
    return " · ".join(part for part in parts if part)
