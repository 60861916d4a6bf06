"""Judging an export again after some of its lines were changed, and only where that can matter. Pure.

Each rule says by its scope which lines it sees together. Rules that look at the whole file judge all lines again; the
others only the groups of the lines that changed.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import polars as pl

from dashlib import engine
from dashlib.records import COLUMNS
from dashlib.rules import Rule
from dashlib.rules.advice import Opportunity
from dashlib.rules.advice_office import OF_FEES, OfficeFeeAdvice
from dashlib.rules.base import Reference, Scope

# The columns that make a line's group; a line that lacks one of them is in no group.
GROUPS: dict[Scope, tuple[str, ...]] = {
    "row": ("row_number",),
    "patient_day": ("patient", "date_de_service"),
    "patient_doctor_day": ("patient", "doctor", "date_de_service"),
    "patient": ("patient",),
    "doctor_day": ("doctor", "date_de_service"),
    "doctor": ("doctor",),
    "establishment": ("lieu",),
}
SAME_RESULT = ("rule_id", "row_number", "severity", "nth")


@dataclass(frozen=True)
class Rejudged:
    """All results, before and after, of the lines whose results or content may differ: no other line's do.

    `before`, `after`: results as of `engine.find_results`. `lines`: the numbers of those lines. `judged`: how many
    lines were looked at.
    """

    before: pl.DataFrame
    after: pl.DataFrame
    lines: pl.Series
    judged: int


def judge_again(before: pl.DataFrame, after: pl.DataFrame, rules: Sequence[Rule], ref: Reference) -> Rejudged:
    """What changes when the lines `before` become the lines `after`.

    Args:
        before, after: of `records.prepare`, the same lines in the same order.
    """
    running = [rule for rule in rules if rule.enabled and rule.active]
    of_file, of_groups = _split(running)
    wide = [engine.find_results(lines, of_file, ref).results for lines in (before, after)]
    moved = _union(_changed(before, after), *_differing(*wide))
    lines = _union(moved, _together(moved, before, after, of_groups))
    needed = _union(lines, _together(lines, before, after, of_groups))
    near = [engine.find_results(_of(side, needed), of_groups, ref).results for side in (before, after)]
    was, becomes = (
        pl.concat([_of(results, lines) for results in side]).sort("row_number", "rule_id", maintain_order=True)
        for side in zip(wide, near, strict=True)
    )
    return Rejudged(was, becomes, lines, before.height if of_file else len(needed))


def numbered(results: pl.DataFrame) -> pl.DataFrame:
    """Results with `nth`, which tells apart those of one rule on one line."""
    return results.with_columns(nth=pl.int_range(pl.len()).over("rule_id", "row_number", "severity"))


def _split(rules: Sequence[Rule]) -> tuple[list[Rule], list[Rule]]:
    """Rules that need the whole file, with all that silence them or that they silence or ask, and the others."""
    asked = {rule.name: _asked(rule, rules) for rule in rules}
    wide = {
        rule.name
        for rule in rules
        if rule.condition.scope not in GROUPS or not asked[rule.name] <= _within(rule.condition.scope, rules)
    }
    linked = [{rule.name, *rule.condition.unless_rules, *asked[rule.name]} for rule in rules]
    while more := {name for names in linked if names & wide for name in names} - wide:
        wide |= more
    return [rule for rule in rules if rule.name in wide], [rule for rule in rules if rule.name not in wide]


def _asked(advice: Rule, rules: Sequence[Rule]) -> set[str]:
    """Rules whose results some advice asks for, and those that silence these."""
    condition = advice.condition
    if not isinstance(condition, Opportunity):
        return set()
    of_fees = isinstance(condition, OfficeFeeAdvice)
    asked = [rule for rule in rules if rule.name in condition.asks or (of_fees and rule.category == OF_FEES)]
    silencing = {name for rule in asked for name in rule.condition.unless_rules}
    return {rule.name for rule in rules if rule in asked or rule.name in silencing}


def _within(scope: Scope, rules: Sequence[Rule]) -> set[str]:
    """Rules that look at no more than a group of this scope."""
    columns = set(GROUPS[scope])
    inner = {name for name, names in GROUPS.items() if name == "row" or columns <= set(names)}
    return {rule.name for rule in rules if rule.condition.scope in inner}


def _changed(before: pl.DataFrame, after: pl.DataFrame) -> pl.Series:
    """Lines that say something else, or of which another line now takes back, or no longer takes back, the amount."""
    names = [*(column.name for column in COLUMNS), "reversed"]
    differs = pl.any_horizontal(pl.col(name).ne_missing(pl.col(f"{name}_after")) for name in names)
    beside = before.select("row_number", *names).hstack(after.select(pl.col(names).name.suffix("_after")))
    return beside.filter(differs)["row_number"]


def _differing(before: pl.DataFrame, after: pl.DataFrame) -> Iterable[pl.Series]:
    """Lines on which a rule says something else."""
    sides = [numbered(results) for results in (before, after)]
    for one, other in (sides, sides[::-1]):
        yield one.join(other, on=[*SAME_RESULT, "amount"], how="anti")["row_number"]


def _together(rows: pl.Series, before: pl.DataFrame, after: pl.DataFrame, rules: Collection[Rule]) -> pl.Series:
    """Lines that a rule sees together with these, as they were or as they are."""
    found = []
    columns = sorted({name for names in GROUPS.values() for name in names})
    sides = pl.concat([side.select(columns) for side in (before, after)])
    of_rows = _of(sides, rows)
    for scope in sorted({rule.condition.scope for rule in rules}):
        keys = of_rows.select(GROUPS[scope]).drop_nulls().unique()
        found.append(sides.join(keys, on=list(GROUPS[scope]), how="semi")["row_number"])
    return _union(*found)


def _of(frame: pl.DataFrame, rows: pl.Series) -> pl.DataFrame:
    return frame.filter(pl.col("row_number").is_in(rows.implode()))


def _union(*rows: pl.Series) -> pl.Series:
    return pl.concat([pl.Series("row_number", [], pl.Int64), *rows]).unique().sort()
