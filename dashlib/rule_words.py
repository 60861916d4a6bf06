"""What a rule asks, in words: its parameters with what they are called, its sentence with what will stand in it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from dashlib import messages, texts
from dashlib.edits import parameters
from dashlib.rules import Rule
from dashlib.rules.restrictions import Window, told_hours

SAID_ELSEWHERE = ("codes", "strategy", "check")
"""Parameters that a sheet tells in other words: its codes by name, what it looks for in its label."""

OF_CODE = re.compile(r"\.([0-9]{5}|[A-Z])(?=\.|$)")
"""A part of a path that is a code or a category of patients, and no word."""

EXCEPTIONS = ("unless_", "exclude_", "require.no_contexts", "deny.")
"""What a rule lets pass, or keeps out, by how the paths of its parameters begin."""

MONEY = ("amounts", "fixed", "amount", "min_gain", "tolerance")
LIMITS = ("max", "min_minutes", "max_minutes", "days", "min_years", "max_years_excl")


@dataclass(frozen=True)
class Parameter:
    """One thing that a rule asks, for one code or for several; `path` is what `rules set` calls it."""

    path: str
    name: str
    value: str

    def said(self, lang: str) -> str:
        return texts.text("sheet.asked", lang, name=self.name, value=self.value)

    @property
    def is_exception(self) -> bool:
        return self.path.startswith(EXCEPTIONS)


def told_parameters(rule: Rule, lang: str) -> list[Parameter]:
    """What a rule asks besides its codes; the same of several codes stands together."""
    found: dict[str, dict[str, str]] = {}
    for path, value in parameters(rule):
        if path not in SAID_ELSEWHERE:
            word = OF_CODE.sub("", path)
            said = _value(word, value, lang, is_money=word in MONEY or _is_sum(rule, word))
            of = " ".join(OF_CODE.findall(path))
            found.setdefault(word, {})[path] = f"{of} → {said}" if of else said
    return [
        Parameter(next(iter(of)) if len(of) == 1 else _path(of), _name(word, lang), " · ".join(of.values()))
        for word, of in found.items()
    ]


def told_message(template: str, rule: Rule, lang: str) -> str:
    """A rule's sentence with its own limits in it, and in ‹ › what a result will put there."""
    own = _limits(rule)

    def said(found: re.Match[str]) -> str:
        word = found[1]
        if word in own:
            return _value(word, own[word], lang, is_money=_is_sum(rule, word))
        return f"‹{texts.words(lang).get(f'why.fact_{word}', word)}›"

    return re.sub(r"\{(\w+)\}", said, template)


def _limits(rule: Rule) -> dict[str, Any]:
    """What its sentence calls by the same word, and the threshold of its only code."""
    own = {path: value for path, value in parameters(rule) if path in LIMITS and not isinstance(value, list)}
    thresholds = getattr(rule.condition, "thresholds", {})
    if len(thresholds) == 1:
        own |= {
            f"need_{OF_CODE.sub('', path).split('.')[1]}": n
            for path, n in parameters(rule)
            if path.startswith("thresholds.")
        }
    return own


def _path(paths: Mapping[str, str]) -> str:
    return OF_CODE.sub(".CODE", next(iter(paths)))


def _name(word: str, lang: str) -> str:
    return texts.words(lang).get(f"parameter.{word}", word)


def _is_sum(rule: Rule, word: str) -> bool:
    """A maximum that is dollars."""
    return word.startswith("max") and getattr(rule.condition, "measure", "") == "amount"


def _value(word: str, value: Any, lang: str, *, is_money: bool) -> str:
    if word == "windows":
        return messages.filled("{window}", {"window": told_hours([Window(**each) for each in value])}, lang)
    if isinstance(value, list):
        return ", ".join(_value(word, part, lang, is_money=is_money) for part in value)
    if is_money:
        return texts.money(Decimal(str(value)), lang)
    key = str(value).lower() if isinstance(value, bool) else str(value)
    return texts.words(lang).get(f"parameter.value.{key}", key.replace(".", ",") if _is_decimal(key, lang) else key)


def _is_decimal(text: str, lang: str) -> bool:
    return lang == "fr" and re.fullmatch(r"\d+\.\d+", text) is not None
