"""Changes of a rule as people write them: `max=2`, `codes=+15804`, `thresholds.19928.registered=7`. Pure.

A change names a field by its dotted path. What does not begin with a field of the rule itself lies in its condition.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from types import UnionType
from typing import Annotated, Any, TypeAliasType, Union, get_args, get_origin

from pydantic import BaseModel

from dashlib.errors import RuleError, UsageError
from dashlib.rules import Rule, parse_rules
from dashlib.rules.base import EVERY_CODE, Code, Context, NamedCode
from dashlib.rules.reasons import at, reason
from dashlib.texts import Phrase, Phrases

OWN = ("threshold", "enabled", "severity", "label", "message", "solution", "source", "confidence")
VALIDITY = ("valid_from", "valid_to")
FIXED = ("name", "category", "version", "active", "type", "condition.type")
MANY = (tuple, list, frozenset, set)


@dataclass(frozen=True)
class Change:
    """A field that differs: its path, and its value before and after as JSON; None where there was, or is, none."""

    field: str
    before: Any
    after: Any


def rule_data(rule: Rule) -> dict[str, Any]:
    """A rule as JSON keeps it: the condition as it was written, without what it leaves to its type's defaults.

    Sets come in order, so that the same rule always gives the same data.
    """
    data = {name: getattr(rule, name) for name in Rule.model_fields}
    condition = rule.condition.model_dump(exclude_defaults=True)
    return {name: _plain(value) for name, value in (data | {"condition": condition}).items()}


def _plain(value: Any) -> Any:
    match value:
        case dict():
            return {str(name): _plain(part) for name, part in value.items()}
        case frozenset() | set():
            return sorted(map(_plain, value), key=str)
        case list() | tuple():
            return [_plain(part) for part in value]
        case Decimal():
            return f"{value.normalize():f}"
        case date():
            return value.isoformat()
        case _:
            return value


def read_changes(assignments: Iterable[str]) -> dict[str, str]:
    """`path=value` texts by path.

    Raises:
        UsageError: DL-RULE-005, one is written otherwise.
    """
    parted = [text.partition("=") for text in assignments]
    if any(not path.strip() or not sign for path, sign, _ in parted):
        raise UsageError("DL-RULE-005")
    return {path.strip(): value.strip() for path, _, value in parted}


def edited(rule: Rule, changes: Mapping[str, Any]) -> Rule:
    """The rule with these changes, of the same version.

    Args:
        changes: values by path; a text is read as its field asks: a list by commas, `+x,y` and `-x` add to a list and
            take away, `null` or nothing leaves the field to its default, and JSON is JSON.

    Raises:
        RuleError: DL-RULE-001 with every fault at once, DL-RULE-004 when the rule stays as it was.
    """
    data, faults = rule_data(rule), list[Phrase]()
    for path, value in changes.items():
        if path in FIXED:
            faults.append(at(f"{rule.name}, {path}", reason(path, "fixed")))
        elif not _is_put(rule, data, _path(path), value):
            faults.append(at(f"{rule.name}, {path}", reason(path, "no_field")))
    # The guide's threshold of an amount limit says its maximum a second time.
    if rule.condition.type == "amount_limit" and data["threshold"] is not None and "threshold" not in changes:
        data["threshold"] = data["condition"].get("max")
    after = _parsed(rule.name, data, faults)
    if rule_data(after) == rule_data(rule):
        raise RuleError("DL-RULE-004", rule=rule.name)
    return after


def _parsed(name: str, data: dict[str, Any], faults: list[Phrase]) -> Rule:
    try:
        [after] = parse_rules([data], origin=name)
    except RuleError as refused:
        more = [fault for fault in refused.facts.values() if isinstance(fault, Phrases)]
        raise RuleError("DL-RULE-001", origin=name, faults=Phrases((*faults, *more))) from None
    if faults:
        raise RuleError("DL-RULE-001", origin=name, faults=Phrases(tuple(faults)))
    return after


def _path(path: str) -> list[str]:
    parts = path.split(".")
    return parts if parts[0] in (*OWN, *VALIDITY, "condition") else ["condition", *parts]


def _is_put(rule: Rule, data: dict[str, Any], path: list[str], value: Any) -> bool:
    meant = _meant(rule, path, data, value)
    # A field that is emptied leaves nothing behind by which its type could tell that it is none.
    return (meant is not None or _kind_at(rule, path) is not None) and _put(data, path, meant)


def _put(data: Any, path: list[str], value: Any) -> bool:
    """Puts `value` at the end of the path; False where the path leads nowhere."""
    first, *rest = path
    if isinstance(data, list):
        if not first.isdigit() or int(first) >= len(data):
            return False
        if rest:
            return _put(data[int(first)], rest, value)
        data[int(first)] = value
        return True
    if not isinstance(data, dict):
        return False
    if rest:
        if data.get(first) is None:
            data[first] = {}
        return _put(data[first], rest, value)
    data[first] = value
    if value is None:
        del data[first]
    return True


def _meant(rule: Rule, path: list[str], data: Any, value: Any) -> Any:
    """What a text means in the field at this path; anything but a text is meant as it stands."""
    if not isinstance(value, str):
        return _plain(value)
    if value in ("", "null"):
        return None
    if value[0] in '[{"':
        return _json(value)
    return _several(value, part_at(data, path)) if _is_many(_kind_at(rule, path)) else value


def _several(text: str, before: Any) -> list[str]:
    sign, names = (text[0], text[1:]) if text[0] in "+-" else ("", text)
    given = [name.strip() for name in names.split(",") if name.strip()]
    had = [str(name) for name in before or ()]
    # A code is the same with and without its zeros.
    named, held = ({name.lstrip("0") for name in names} for names in (given, had))
    if sign == "-":
        return [name for name in had if name.lstrip("0") not in named]
    return [*had, *(name for name in given if name.lstrip("0") not in held)] if sign else given


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def part_at(data: Any, path: Iterable[str]) -> Any:
    """What stands in nested data at the end of a path; None where there is nothing."""
    for part in path:
        data = data.get(part) if isinstance(data, dict) else None
    return data


def _kind_at(rule: Rule, path: list[str]) -> Any:
    """The declared type of the field at this path; None where there is none."""
    kind: Any = Rule
    for part in path:
        kind = type(rule.condition) if kind is Rule and part == "condition" else _kind_of(kind, part)
    return kind


def _kind_of(kind: Any, part: str) -> Any:
    for each in _alternatives(kind):
        if isinstance(each, type) and issubclass(each, BaseModel):
            named = {info.alias or name: info for name, info in each.model_fields.items()}
            return named[part].annotation if part in named else None
        if get_origin(each) is dict:
            return get_args(each)[1]
        if get_origin(each) in MANY:
            return get_args(each)[0]
    return None


def _alternatives(kind: Any) -> Iterator[Any]:
    """What a declared type may be, without annotations, aliases and None."""
    if isinstance(kind, TypeAliasType):
        yield from _alternatives(kind.__value__)
    elif get_origin(kind) is Annotated:
        yield from _alternatives(get_args(kind)[0])
    elif get_origin(kind) in (Union, UnionType):
        for each in get_args(kind):
            yield from _alternatives(each)
    elif kind is not type(None):
        yield kind


def _is_many(kind: Any) -> bool:
    return any(get_origin(each) in MANY for each in _alternatives(kind))


def parameters(rule: Rule) -> list[tuple[str, Any]]:
    """What a rule's condition holds, by path, with its type's defaults; what is absent is left out."""
    whole = _plain(rule.condition.model_dump(exclude={"type"}, exclude_none=True))
    return [(path, value) for path, value in _flat(whole) if value not in ([], {})]


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    """Fields of two versions' data that differ, by path, the version's own number aside."""
    old, new = (dict(_flat(data)) for data in (before, after))
    paths = sorted((old.keys() | new.keys()) - {"version"})
    return [Change(path, old.get(path), new.get(path)) for path in paths if old.get(path) != new.get(path)]


def _flat(data: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in data.items():
        path = f"{above}{name}"
        if isinstance(value, Mapping):
            yield from _flat(value, "" if path == "condition" else f"{path}.")
        elif value is not None:
            yield path, value


def named_codes(rule: Rule) -> dict[str, str]:
    """Every code that a rule names, with the field that names it first."""
    named = [*_named(rule.condition, Code), *_named(rule.condition, NamedCode)]
    return {code: field for field, code in reversed(named) if code != EVERY_CODE}


def named_contexts(rule: Rule) -> dict[str, str]:
    """Every context that a rule names, with the field that names it first."""
    return {context: field for field, context in reversed(list(_named(rule.condition, Context)))}


def _named(model: BaseModel, kind: Any, above: str = "") -> Iterator[tuple[str, str]]:
    annotated: Any = Annotated
    for name, info in type(model).model_fields.items():
        declared = annotated[(info.annotation, *info.metadata)] if info.metadata else info.annotation
        yield from _within(f"{above}{info.alias or name}", declared, getattr(model, name), kind)


def _within(field: str, declared: Any, value: Any, kind: Any) -> Iterator[tuple[str, str]]:
    """Values of this kind inside a field's value, found by what the field is declared as."""
    if isinstance(value, BaseModel):
        yield from _named(value, kind, f"{field}.")
    elif declared == kind:
        if isinstance(value, str):
            yield field, value
    elif isinstance(declared, TypeAliasType):
        yield from _within(field, declared.__value__, value, kind)
    elif get_origin(declared) in (Union, UnionType):
        for each in get_args(declared):
            yield from _within(field, each, value, kind)
    elif get_origin(declared) is Annotated:
        yield from _within(field, get_args(declared)[0], value, kind)
    elif get_origin(declared) is dict and isinstance(value, Mapping):
        keys, values = get_args(declared)
        for key, part in value.items():
            yield from _within(field, keys, key, kind)
            yield from _within(f"{field}.{key}", values, part, kind)
    elif get_origin(declared) in MANY and isinstance(value, MANY):
        for part in sorted(value, key=str) if isinstance(value, frozenset | set) else value:
            yield from _within(field, get_args(declared)[0], part, kind)
