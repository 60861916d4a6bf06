"""The rules of this installation: found, told, and changed. A change is a new version with author, note and date.

Rules are superseded, never edited: what a run was judged by stays known.
"""

import difflib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from dashlib import installing, reference, texts
from dashlib.cards import holds_card, without_cards
from dashlib.edits import Change, differences, named_codes, named_contexts, rule_data
from dashlib.errors import AccessDenied, NotFound, RuleError
from dashlib.rules import Rule, shipped_rules
from dashlib.rules.base import EVERY_CODE, plain_text
from dashlib.rules.reasons import at, reason
from dashlib.schema import AuditEvent, Code, RuleEntry, RuleVersion
from dashlib.texts import Phrase, Phrases
from dashlib.workbench import Workbench

EDITORS = ("editor", "admin")
NEAR, MAY_BE_MEANT = 3, 0.5
LONGEST_NAME = 200
# PostgreSQL keeps neither a zero nor half a character; JSON writes the zero so.
NO_TEXT = r"\\u0000|[\ud800-\udfff]"


@dataclass(frozen=True)
class Version:
    """A rule as it once was: who made it so, when, why, and what he changed."""

    version: int
    created_at: datetime
    author: str | None
    note: str | None
    changes: tuple[Change, ...]

    def as_dict(self) -> dict[str, Any]:
        """For another program."""
        return asdict(self)


@dataclass(frozen=True)
class Saved:
    """What a change has done to the rulebook: new versions by name, and names of rules that stay as they are.

    `unjudged` are codes that the new versions name and that nobody can vouch for: the table of codes is only the
    starter, so a code that it lacks may well exist.
    """

    added: Mapping[str, int] = field(default_factory=dict)
    changed: Mapping[str, int] = field(default_factory=dict)
    equal: tuple[str, ...] = ()
    unjudged: tuple[str, ...] = ()

    @property
    def versions(self) -> dict[str, int]:
        return {**self.added, **self.changed}

    def as_dict(self) -> dict[str, Any]:
        """For another program."""
        return asdict(self)


def chosen(
    rules: Iterable[Rule], *, kind: str | None = None, disabled: bool = False, search: str | None = None
) -> list[Rule]:
    """Rules of a type, those that do not judge, or those that hold a word in name, label, source or codes."""
    return [
        rule
        for rule in rules
        if (kind is None or rule.condition.type == kind)
        and not (disabled and rule.enabled)
        and (search is None or plain_text(search) in plain_text(_words(rule)))
    ]


def _words(rule: Rule) -> str:
    return " ".join([rule.name, *rule.label.values(), rule.source or "", *named_codes(rule)])


def find_rule(wb: Workbench, name: str) -> Rule:
    """The rule in force of this name, in any case of letters.

    Raises:
        NotFound: DL-RULE-404, there is none; names that are near are told.
    """
    rules = {rule.name.upper(): rule for rule in reference.rules_in_force(wb)}
    found = rules.get(name.strip().upper())
    if found is None:
        near = difflib.get_close_matches(name.strip().upper(), rules, NEAR, MAY_BE_MEANT)
        names = ", ".join(rules[each].name for each in near)
        raise NotFound("DL-RULE-404" if names else "DL-RULE-405", names=names)
    return found


def history(wb: Workbench, name: str) -> list[Version]:
    """All versions of a rule, newest first, each with what it changed of the one before.

    Raises:
        NotFound: DL-RULE-404.
    """
    rule = find_rule(wb, name)
    entry = RuleVersion
    query = sa.select(entry).where(entry.name == rule.name).order_by(entry.version)
    with wb.database.connect() as connection:
        rows = connection.execute(query).all()
    versions = list[Version]()
    before: Mapping[str, Any] = {}
    for row in rows:
        after = installing.canonical(row.rule)
        changes = tuple(differences(before, after)) if before else ()
        versions.append(Version(row.version, row.created_at, row.author, row.note, changes))
        before = after
    return versions[::-1]


@dataclass(frozen=True)
class Sheet:
    """A rule with what one wants to know beside it: its latest version, and the codes that it looks at.

    `codes` are those that it names or that its groups hold today, each with its description, null where no table tells.
    """

    rule: Rule
    latest: Version | None
    codes: Mapping[str, str | None]

    def as_dict(self) -> dict[str, Any]:
        """For another program: the rule's data, `codes` with their descriptions, `latest`."""
        latest = self.latest.as_dict() if self.latest else None
        return {**rule_data(self.rule), "codes": dict(self.codes), "latest": latest}


def sheet(wb: Workbench, name: str) -> Sheet:
    """A rule as a sheet.

    Raises:
        NotFound: DL-RULE-404.
    """
    rule = find_rule(wb, name)
    codes = set(rule.condition.codes) - {EVERY_CODE}
    if rule.condition.code_groups is not None:
        codes |= rule.condition.code_groups.resolve(reference.load(wb, _today()).codes)
    described = (
        sa.select(Code.code, sa.func.min(Code.description).label("said"))
        .where(Code.code.in_(codes))
        .group_by(Code.code)
    )
    with wb.database.connect() as connection:
        descriptions = {row.code: row.said for row in connection.execute(described)}
    versions = history(wb, rule.name)
    return Sheet(rule, versions[0] if versions else None, {code: descriptions.get(code) for code in sorted(codes)})


def _today() -> date:
    return datetime.now(texts.TORONTO).date()


def save_rule(wb: Workbench, before: Rule, after: Rule, *, note: str) -> Saved:
    """Puts `after` in force as the next version of `before`.

    Raises:
        AccessDenied: DL-RULE-003, the viewer may not change rules.
        RuleError: DL-RULE-001, it names what nobody knows; DL-RULE-002, somebody has changed the rule since `before`
            was read; DL-RULE-006, there is no note.
    """
    _require_editor(wb)
    if not note.strip():
        raise RuleError("DL-RULE-006")
    unjudged = require_known(wb, [after])
    entry = RuleEntry
    with wb.database.connect() as connection:
        held = sa.select(entry.version).where(entry.name == before.name, entry.active.is_(True)).with_for_update()
        version = connection.scalar(held)
        if version != before.version:
            raise RuleError("DL-RULE-002", rule=before.name)
        changed = _write(wb, connection, {after.name: rule_data(before)}, [after], note)
        connection.commit()
    reference.changed(wb, "rules")
    return Saved(changed=changed, unjudged=unjudged)


def save_rules(wb: Workbench, rules: Sequence[Rule], *, note: str, dry_run: bool = False) -> Saved:
    """Adds those that are new, supersedes those that differ, and leaves those that are equal, in one transaction.

    Args:
        dry_run: only tell what would be done.

    Raises:
        AccessDenied, RuleError: as `save_rule`; nothing was saved.
    """
    _require_editor(wb)
    unjudged = require_known(wb, rules)
    with wb.database.connect() as connection:
        connection.execute(sa.select(RuleEntry.name).with_for_update()).all()
        active = set(connection.scalars(sa.select(RuleEntry.name).where(RuleEntry.active.is_(True))))
        latest = installing.latest_versions(connection)
        kept = {name: data for name, data in latest.items() if name in active}
        fresh = {rule.name for rule in rules} - active
        differing = [rule for rule in rules if rule.name in fresh or not _is_kept(kept, rule)]
        if dry_run:
            versions = _versions(installing.numbered(connection, differing))
        else:
            versions = _write(wb, connection, kept, differing, note)
            connection.commit()
    reference.changed(wb, "rules")
    added, changed = ({name: n for name, n in versions.items() if (name in fresh) is new} for new in (True, False))
    equal = {rule.name for rule in rules} - versions.keys()
    return Saved(added, changed, tuple(sorted(equal)), unjudged)


def _versions(rules: Iterable[Rule]) -> dict[str, int]:
    return {rule.name: rule.version for rule in rules}


def _is_kept(kept: Mapping[str, dict[str, Any]], rule: Rule) -> bool:
    return rule.name in kept and installing.same_rule(kept[rule.name], rule)


def _write(
    wb: Workbench, connection: sa.Connection, before: Mapping[str, dict[str, Any]], rules: Sequence[Rule], note: str
) -> dict[str, int]:
    """New versions by name, with a line of the journal for each: the fields, not what was typed into the note."""
    said = without_cards(note.strip())
    written = installing.supersede(connection, rules, author=wb.viewer.email, note=said)
    for rule in written:
        known = installing.canonical(before.get(rule.name, {}))
        fields = [change.field for change in differences(known, rule_data(rule))] if rule.name in before else []
        details = {"version": rule.version, "fields": fields}
        event = {"event": "rule.changed", "kind": "rule", "target_id": rule.name, "details": details}
        connection.execute(sa.insert(AuditEvent).values(event))
    return _versions(written)


def set_enabled(wb: Workbench, name: str, enabled: bool, *, note: str = "") -> Saved:
    """Lets a rule judge, or keeps it silent; one that is so already stays as it is, without a new version."""
    before = find_rule(wb, name)
    if before.enabled == enabled:
        _require_editor(wb)
        return Saved(equal=(before.name,))
    said = note or texts.text("rule.note.enabled" if enabled else "rule.note.disabled")
    return save_rule(wb, before, before.model_copy(update={"enabled": enabled}), note=said)


def shipped(name: str) -> Rule:
    """The rule as dashlib ships it.

    Raises:
        NotFound: DL-RULE-407, dashlib ships no such rule.
    """
    for rule in shipped_rules():
        if rule.name == name:
            return rule
    raise NotFound("DL-RULE-407", rule=name)


def reset_rule(wb: Workbench, name: str, *, note: str = "") -> Saved:
    """Puts the shipped rule in force again, as a new version."""
    before = find_rule(wb, name)
    original = shipped(before.name).model_copy(update={"version": before.version})
    if rule_data(original) == rule_data(before):
        _require_editor(wb)
        return Saved(equal=(before.name,))
    return save_rule(wb, before, original, note=note or texts.text("rule.note.reset"))


def _require_editor(wb: Workbench) -> None:
    if wb.viewer.role not in EDITORS:
        raise AccessDenied("DL-RULE-003")


def require_known(wb: Workbench, rules: Sequence[Rule]) -> tuple[str, ...]:
    """Codes that cannot be judged, because the table of codes is only the starter.

    Raises:
        RuleError: DL-RULE-001, rules name codes or contexts that neither the tables nor the shipped rulebook know, or
            hold words that are not kept: a health insurance number, a character that is none.
    """
    ref, known = reference.load(wb, _today()), shipped_rules()
    codes = set(ref.codes["code"].str.zfill(5)).union(*(named_codes(rule) for rule in known))
    contexts = _spellings(ref.contexts).union(*(named_contexts(rule) for rule in known))
    unknown = [
        (rule.name, field, code) for rule in rules for code, field in named_codes(rule).items() if code not in codes
    ]
    faults = [fault for rule in rules for fault in _unfit_words(rule)]
    faults += [
        at(f"{rule.name}, {field}", reason(field, "unknown_context", name=context))
        for rule in rules
        for context, field in named_contexts(rule).items()
        if context not in contexts
    ]
    names = {rule.name for rule in (*reference.rules_in_force(wb), *rules)}
    faults += [
        at(f"{rule.name}, unless_rules", reason("unless_rules", "unknown_rule", name=other))
        for rule in rules
        for other in sorted(rule.condition.unless_rules - names)
    ]
    if "codes" in ref.trusted:
        faults += [at(f"{name}, {field}", reason(field, "unknown_code", name=code)) for name, field, code in unknown]
    if faults:
        origin = _shown(rules[0].name) if len(rules) == 1 else "rules"
        raise RuleError("DL-RULE-001", origin=origin, faults=Phrases(tuple(faults)))
    return tuple(sorted({code for _, _, code in unknown}))


def _unfit_words(rule: Rule) -> list[Phrase]:
    """What of a rule's own words cannot be kept, or may not: they stand in every result, and in both logs."""
    said = {change.field: json.dumps(change.after, ensure_ascii=False) for change in differences({}, rule_data(rule))}
    name = _shown(rule.name)
    found = [(field, reason(field, "card")) for field in said if holds_card(said[field])]
    found += [(field, reason(field, "character")) for field in said if re.search(NO_TEXT, said[field])]
    found += [("name", reason("name", "too_long", most=LONGEST_NAME))] * (len(rule.name) > LONGEST_NAME)
    return [at(f"{name}, {field}", why) for field, why in found]


def _shown(name: str) -> str:
    """A name as a message may say it, whoever made it up."""
    return "".join(c if c.isprintable() else "…" for c in name)[:LONGEST_NAME]


def _spellings(contexts: Any) -> set[str]:
    """Every way in which a context may be written, as rules compare them."""
    written = [*contexts["context"], *contexts["aliases"].explode().drop_nulls()]
    return {text.strip().lstrip("#").upper() for text in written}
