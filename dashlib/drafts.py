"""Rules as a program handles them: `dl.list_rules()["NAME"].with_(max=2).preview(days=90)`, then `.save(note=…)`."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from dashlib import preview, reference, rulebook, sheets
from dashlib.edits import Change, differences, edited, rule_data
from dashlib.preview import DAYS, Preview
from dashlib.rulebook import Version
from dashlib.rules import Rule
from dashlib.workbench import Workbench


@dataclass(frozen=True)
class RuleDraft:
    """A rule as it is in force, and as it would be; a draft changes nothing until it is saved."""

    wb: Workbench
    before: Rule
    after: Rule

    def with_(self, changes: Mapping[str, Any] | None = None, /, **named: Any) -> "RuleDraft":
        """The draft with more changes: by path (`{"thresholds.19928.registered": 7}`), or by name (`max=2`).

        Raises:
            RuleError: DL-RULE-001 with every fault at once; DL-RULE-004, nothing would change.
        """
        return RuleDraft(self.wb, self.before, edited(self.after, {**(changes or {}), **named}))

    @property
    def changes(self) -> list[Change]:
        """What differs from the rule in force, field by field."""
        return differences(rule_data(self.before), rule_data(self.after))

    def preview(self, *, days: int = DAYS, lang: str = "fr") -> Preview:
        """Results gained, lost and common on the lines still kept of the last `days`; nothing is saved."""
        return preview.preview(self.wb, self.before, self.after, days=days, lang=lang)

    def save(self, *, note: str) -> "RuleDraft":
        """Puts the draft in force as a new version, and gives the rule as it then is.

        Raises:
            AccessDenied, RuleError: as `rulebook.save_rule`.
        """
        rulebook.save_rule(self.wb, self.before, self.after, note=note)
        return of_rule(self.wb, self.before.name)

    @property
    def history(self) -> list[Version]:
        """All versions, newest first."""
        return rulebook.history(self.wb, self.before.name)

    def __repr__(self) -> str:
        return f"RuleDraft({self.before.name}, version {self.before.version}, {len(self.changes)} changes)"


def of_rule(wb: Workbench, name: str) -> RuleDraft:
    """A rule in force, without a change.

    Raises:
        NotFound: DL-RULE-404.
    """
    rule = rulebook.find_rule(wb, name)
    return RuleDraft(wb, rule, rule)


class Rulebook(Mapping[str, RuleDraft]):
    """The rules in force by name; prints as a table."""

    def __init__(self, wb: Workbench) -> None:
        self._wb = wb
        self._rules = {rule.name: rule for rule in reference.rules_in_force(wb)}

    def __getitem__(self, name: str) -> RuleDraft:
        if name in self._rules:
            return RuleDraft(self._wb, self._rules[name], self._rules[name])
        return of_rule(self._wb, name)  # says which names are near

    def __contains__(self, name: object) -> bool:
        return name in self._rules

    def __iter__(self) -> Iterator[str]:
        return iter(self._rules)

    def __len__(self) -> int:
        return len(self._rules)

    @property
    def frame(self) -> pl.DataFrame:
        """(rules, 7), by name: name, type, category, severity str, enabled bool, version i64, label str in French."""
        rows = [
            (r.name, r.condition.type, r.category, r.severity, r.enabled, r.version, sheets.said(r.label, "fr"))
            for r in self._rules.values()
        ]
        names = ("name", "type", "category", "severity", "enabled", "version", "label")
        kinds = (pl.String, pl.String, pl.String, pl.String, pl.Boolean, pl.Int64, pl.String)
        return pl.DataFrame(rows, schema=dict(zip(names, kinds, strict=True)), orient="row")

    def __repr__(self) -> str:
        return sheets.listed(list(self._rules.values()), "fr")
