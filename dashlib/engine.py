"""Records and rules in, results out. Pure: the same lines, rules and reference give the same results."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

import polars as pl

from dashlib.rules import Rule
from dashlib.rules.base import FACTS, Case, Condition, Plan, Reference

VERSION = "1"
"""Raised whenever the same lines and rules would give other results."""

# Polars collects in its streaming engine by default, which loses order and, in 2.1, panics on a frame of many chunks.
ENGINE: Final = "in-memory"


@dataclass(frozen=True)
class Findings:
    """What rules say of lines.

    `results`: (results, …), by row_number and rule: rule_id str, rule_version i64, category str, severity str,
    row_number i64, amount decimal(10,2) in CAD, related list[i64] row numbers, and the FACTS, null where a rule has
    none. `counts`: (rules that ran, 5): rule_id, rule_version, checked, skipped, results, all i64 but the first.
    """

    results: pl.DataFrame
    counts: pl.DataFrame


def find_results(lines: pl.DataFrame, rules: Sequence[Rule], ref: Reference) -> Findings:
    """Judges `lines` (of `records.prepare`) by those of `rules` that are enabled and active."""
    running = [rule for rule in rules if rule.enabled and rule.active]
    lines = lines.rechunk()
    plans = list(_plans(running, lines.lazy(), ref))
    collected = pl.collect_all([*(p.results for p in plans), *(p.counts for p in plans)], engine=ENGINE)
    found, counted = collected[: len(plans)], collected[len(plans) :]
    results = _without_repeats(_complete(found, running, lines), running)
    return Findings(results, _count(counted, results, running))


def cases_of(rules: Sequence[Rule], ref: Reference) -> list[Case[Condition]]:
    """Each rule with its number among `rules` and its codes; a rule that names groups without a code is silent."""
    cases: list[Case[Condition]] = []
    for number, rule in enumerate(rules):
        condition = rule.condition
        codes = frozenset(condition.codes)
        if condition.code_groups is not None:
            codes |= condition.code_groups.resolve(ref.codes)
            if not codes:
                continue
        cases.append(Case(number, rule.name, condition, codes, rule.threshold, rule.valid_from, rule.valid_to))
    return cases


def _plans(rules: Sequence[Rule], lines: pl.LazyFrame, ref: Reference) -> Iterator[Plan]:
    cases = sorted(cases_of(rules, ref), key=lambda case: (case.condition.type, case.rule))
    for _, group in groupby(cases, key=lambda case: case.condition.type):
        alike = list(group)
        yield from type(alike[0].condition).compile(alike, lines, ref)


def _complete(found: Iterable[pl.DataFrame], rules: Sequence[Rule], lines: pl.DataFrame) -> pl.DataFrame:
    """All types' results in one form, with what the rule and the line say where the type said nothing."""
    own = {
        "rule": pl.UInt16,
        "row_number": pl.Int64,
        "severity": pl.String,
        "amount_cents": pl.Int64,
        "related": pl.List(pl.Int64),
        **FACTS,
    }
    empty = pl.DataFrame(schema=own)
    results = pl.concat(
        [empty, *(frame.select(pl.col(c).cast(own[c]) for c in frame.columns) for frame in found)], how="diagonal"
    )
    of_rule = pl.DataFrame(
        [(i, r.name, r.version, r.category, r.severity) for i, r in enumerate(rules)],
        schema={
            "rule": pl.UInt16,
            "rule_id": pl.String,
            "rule_version": pl.Int64,
            "category": pl.String,
            "declared": pl.String,
        },
        orient="row",
    )
    amounts = lines.select("row_number", "prel_cents")
    return (
        results.join(of_rule, on="rule")
        .join(amounts, on="row_number")
        .with_columns(
            severity=pl.coalesce("severity", "declared"),
            amount=pl.coalesce("amount_cents", "prel_cents", 0).cast(pl.Decimal(12, 2)) / 100,
        )
        .sort("row_number", "rule")
        .drop("rule", "declared", "amount_cents", "prel_cents")
    )


def _without_repeats(results: pl.DataFrame, rules: Sequence[Rule]) -> pl.DataFrame:
    """One defect once: a line is not reported by a rule when one of its `unless_rules` reports it."""
    pairs = [(rule.name, other) for rule in rules for other in sorted(rule.condition.unless_rules)]
    silenced_by = pl.DataFrame(pairs, schema={"rule_id": pl.String, "other": pl.String}, orient="row")
    silenced = silenced_by.join(results.select("row_number", other="rule_id"), on="other")
    return results.join(silenced, on=["rule_id", "row_number"], how="anti", maintain_order="left")


def _count(counted: Iterable[pl.DataFrame], results: pl.DataFrame, rules: Sequence[Rule]) -> pl.DataFrame:
    of_rule = pl.DataFrame(
        [(i, r.name, r.version) for i, r in enumerate(rules)],
        schema={"rule": pl.UInt16, "rule_id": pl.String, "rule_version": pl.Int64},
        orient="row",
    )
    empty = pl.DataFrame(schema={"rule": pl.UInt16, "checked": pl.Int64, "skipped": pl.Int64})
    sums = pl.concat([empty, *(frame.select(pl.col(c).cast(t) for c, t in empty.schema.items()) for frame in counted)])
    return (
        of_rule.join(sums.group_by("rule").sum(), on="rule", how="left")
        .join(results.group_by("rule_id").agg(results=pl.len().cast(pl.Int64)), on="rule_id", how="left")
        .with_columns(pl.col("checked", "skipped", "results").fill_null(0))
        .sort("rule_id")
        .drop("rule")
    )
