"""What a rule is, and the types that give it meaning: the table of contents."""

import json
import re
from collections import Counter
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from functools import reduce
from importlib import resources
from typing import Annotated, Any

from pydantic import Field, ValidationError, model_validator

from dashlib.errors import RuleError
from dashlib.rules.amounts import AmountLimit
from dashlib.rules.base import LINE_FACTS, Severity, Strict
from dashlib.rules.combinations import Prohibition
from dashlib.rules.durations import DurationCheck
from dashlib.rules.exclusions import MutualExclusion
from dashlib.rules.limits import FrequencyLimit
from dashlib.rules.office_fee import OfficeFeeValidation
from dashlib.rules.opportunities import AnyOpportunity
from dashlib.rules.quality import DataQuality
from dashlib.rules.reasons import at, reason, reasons_of
from dashlib.rules.references import ReferenceCheck
from dashlib.rules.requirements import Requirement
from dashlib.rules.restrictions import AgeRestriction, LocationRestriction, TimeRestriction
from dashlib.rules.tariffs import TariffCheck
from dashlib.texts import Phrase, Phrases

AnyCondition = Annotated[
    AgeRestriction
    | AmountLimit
    | AnyOpportunity
    | DataQuality
    | DurationCheck
    | FrequencyLimit
    | LocationRestriction
    | MutualExclusion
    | OfficeFeeValidation
    | Prohibition
    | ReferenceCheck
    | Requirement
    | TariffCheck
    | TimeRestriction,
    Field(discriminator="type"),
]


type Words = dict[str, str]
"""Texts by language."""


class Rule(Strict):
    """One rule: what it looks for, how grave it is, and where it comes from.

    `name` identifies it (the results' `rule_id`); `threshold` is dollars a day and acts only for
    office_fee_validation; of an amount_limit it is the condition's `max`, and one that is left out follows the other;
    `label`, `message` and `solution` are texts by language; a rule holds from `valid_from` to `valid_to`,
    null meaning always.
    """

    name: str = Field(min_length=1)
    category: str
    condition: AnyCondition
    threshold: Decimal | None = Field(default=None, gt=0, decimal_places=2)
    enabled: bool = True
    active: bool = True
    version: int = Field(default=1, ge=1)
    severity: Severity = "error"
    label: Words = Field(default_factory=dict)
    message: Words = Field(default_factory=dict)
    solution: Words = Field(default_factory=dict)
    source: str | None = None
    confidence: str | None = None
    valid_from: date | None = None
    valid_to: date | None = None

    @model_validator(mode="before")
    @classmethod
    def _threshold_follows_max(cls, given: Any) -> Any:
        condition = given.get("condition") if isinstance(given, dict) else None
        if not isinstance(condition, dict) or condition.get("type") != "amount_limit":
            return given
        most, threshold = condition.get("max"), given.get("threshold")
        if most is None and threshold is not None:
            return given | {"condition": condition | {"max": threshold}}
        return given if threshold is not None else given | {"threshold": most}


def parse_rules(items: Sequence[dict[str, Any]], *, origin: str = "rules") -> list[Rule]:
    """Rules from their JSON form.

    Raises:
        RuleError: DL-RULE-001, with every fault of every rule at once: which rule, which field, why.
    """
    rules, faults, names = list[Rule](), list[Phrase](), Counter[str]()
    for number, item in enumerate(items):
        name = item["name"] if isinstance(item, dict) and isinstance(item.get("name"), str) else f"rule {number}"
        rule, found = _read(item)
        rules += [rule] if rule else []
        names[name] += 1
        faults += [at(f"{name}, {field}" if field else name, why) for field, why in found]
    faults += [at(name, reason("name", "given_twice")) for name, times in sorted(names.items()) if times > 1]
    if faults:
        raise RuleError("DL-RULE-001", origin=origin, faults=Phrases(tuple(faults)))
    return rules


type Refused = tuple[str, Phrase | Phrases]
"""A field by its path, and why it is refused."""


def _read(item: Any) -> tuple[Rule | None, list[Refused]]:
    """A rule, as far as it can be read, and all its faults: what is refused is left out, to see what else would be."""
    faults, refused = list[Refused](), set[tuple[int | str, ...]]()
    while True:
        try:
            rule = Rule.model_validate(item)
        except ValidationError as found:
            told = found.errors(include_input=False, include_url=False)
        else:
            return rule, [*faults, *impossible(rule)]
        left_out = {part for path in refused for part in path if isinstance(part, str)}
        for error in (e for e in told if e["loc"] not in refused):
            # What is said of a field because it was left out is no fault of the rule.
            reasons = [why for why in reasons_of(error) if left_out.isdisjoint(re.findall(r"\w+", str(why)))]
            faults += [(".".join(map(str, error["loc"])), Phrases(tuple(reasons)))] if reasons else []
        refused |= {e["loc"] for e in told}
        bare = reduce(_without, (e["loc"] for e in told), item)
        if bare == item:
            return None, faults
        item = bare


def _without(item: Any, path: Sequence[int | str]) -> Any:
    """A configuration less the value at a path, in which stand also the types of conditions, which are no keys."""
    if not path or not isinstance(item, dict):
        return item
    key, *rest = path
    if key not in item:
        return _without(item, rest)
    if rest and isinstance(item[key], dict):
        return item | {key: _without(item[key], rest)}
    return {name: value for name, value in item.items() if name != key}


def impossible(rule: Rule) -> list[Refused]:
    """What no single field can tell: words a message may not use, a threshold that the type does not know."""
    known = rule.condition.facts | LINE_FACTS
    words = {w for text in (*rule.message.values(), *rule.solution.values()) for w in re.findall(r"\{(\w*)\}", text)}
    faults: list[Refused] = [
        ("message", reason("message", "unknown_word", word=word)) for word in sorted(words - known)
    ]
    if isinstance(rule.condition, AmountLimit):
        if rule.threshold != rule.condition.max:
            faults.append(("threshold", reason("threshold", "must_equal", other="condition.max")))
    elif rule.threshold is not None and rule.condition.type != "office_fee_validation":
        faults.append(("threshold", reason("threshold", "acts_only_for", of="office_fee_validation")))
    if rule.name in rule.condition.unless_rules:
        faults.append(("condition.unless_rules", reason("unless_rules", "names_itself")))
    if rule.valid_from and rule.valid_to and rule.valid_to < rule.valid_from:
        faults.append(("valid_to", reason("valid_to", "is_before", other="valid_from")))
    return faults


def shipped_rules() -> list[Rule]:
    """The rules that come with dashlib, from the folder `ramq` beside this file: one file for each type."""
    files = sorted(resources.files(__name__).joinpath("ramq").iterdir(), key=lambda file: file.name)
    return parse_rules([rule for file in files for rule in json.loads(file.read_text("utf-8"))], origin="ramq")
