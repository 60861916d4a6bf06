"""Records and rules in, results out. Pure: the same lines, rules and reference give the same results."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

import polars as pl

from dashlib.rules import Rule
from dashlib.rules.advice import REPORTED, Earlier, Opportunity
from dashlib.rules.advice_office import OF_FEES
from dashlib.rules.base import FACTS, Case, Condition, Plan, Reference
from dashlib.rules.opportunities import advise

VERSION = "3"
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
    """Judges `lines` (of `records.prepare`) by those of `rules` that are enabled and active.

    Advice comes in a second round, when it is known what the other rules report. It may ask what a rule says that does
    not run itself: such a rule is looked for among all of `rules`.
    """
    running = [rule for rule in rules if rule.enabled and rule.active]
    lines = lines.rechunk()
    cases = cases_of(running, ref)
    advice: list[Case[Any]] = [case for case in cases if isinstance(case.condition, Opportunity)]
    found, counted = _collect(
        _plans([case for case in cases if not isinstance(case.condition, Opportunity)], lines.lazy(), ref)
    )
    if advice:
        earlier = _earlier(advice, found, running, rules, ref)
        more_found, more_counted = _collect(advise(advice, lines.lazy(), ref, earlier))
        found, counted = found + more_found, counted + more_counted
    results = _without_repeats(_complete(found, running, lines), running)
    return Findings(results, _count(counted, results, running))


def _collect(plans: Iterable[Plan]) -> tuple[list[pl.DataFrame], list[pl.DataFrame]]:
    """The results and the counts of some plans, all worked out together."""
    plans = list(plans)
    collected = pl.collect_all([*(p.results for p in plans), *(p.counts for p in plans)], engine=ENGINE)
    return collected[: len(plans)], collected[len(plans) :]


def _earlier(
    advice: Sequence[Case[Opportunity]],
    found: Iterable[pl.DataFrame],
    running: Sequence[Rule],
    rules: Sequence[Rule],
    ref: Reference,
) -> Earlier:
    """What advice may ask: what rules on office fees, and those that it names, report, and what the named ones say."""
    named = frozenset[str]().union(*(case.condition.asks for case in advice))
    asked = {rule.name for rule in running if rule.category == OF_FEES or rule.name in named}
    silencing = frozenset[str]().union(*(rule.condition.unless_rules for rule in running if rule.name in asked))
    heard = [(n, r.name, r.category, r.severity) for n, r in enumerate(running) if r.name in asked | silencing]
    of_rule = pl.DataFrame(
        heard, {"rule": pl.UInt16, "rule_id": pl.String, "category": pl.String, "declared": pl.String}, orient="row"
    )
    said = {"rule": pl.UInt16, "row_number": pl.Int64, "severity": pl.String}
    of_some = [
        frame.select(pl.col(c).cast(t) for c, t in said.items() if c in frame.columns).join(of_rule, on="rule")
        for frame in found
    ]
    empty = pl.DataFrame(schema=said).join(of_rule, on="rule")
    results = pl.concat([empty, *of_some], how="diagonal").with_columns(
        pl.col("severity").fill_null(pl.col("declared"))
    )
    reported = _without_repeats(results, running).filter(pl.col("rule_id").is_in(sorted(asked))).select(*REPORTED)
    return Earlier(reported, {c.name: c for c in cases_of([rule for rule in rules if rule.name in named], ref)})


def cases_of(rules: Sequence[Rule], ref: Reference) -> list[Case[Condition]]:
    """Each rule with its number among `rules` and its codes; a rule that names groups without a code is silent."""
    cases: list[Case[Condition]] = []
    for number, rule in enumerate(rules):
        condition = rule.condition
        codes = frozenset(condition.codes)
        if condition.code_groups is not None:
            codes |= condition.code_groups.resolve(ref.codes)
            # Advice can name codes by parameters of its own.
            if not codes and not isinstance(condition, Opportunity):
                continue
        cases.append(Case(number, rule.name, condition, codes, rule.threshold, rule.valid_from, rule.valid_to))
    return cases


def _plans(cases: Sequence[Case[Condition]], lines: pl.LazyFrame, ref: Reference) -> Iterator[Plan]:
    ordered = sorted(cases, key=lambda case: (case.condition.type, case.rule))
    for _, group in groupby(ordered, key=lambda case: case.condition.type):
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
        [(r.name, r.version, _category(r), r.severity) for r in rules],
        schema={"rule_id": pl.String, "rule_version": pl.Int64, "category": pl.String, "declared": pl.String},
        orient="row",
    )
    return (
        # Columns are laid beside the results, not joined to them: a join would copy all the facts.
        results.with_columns(
            *of_rule.select(pl.all().gather(results["rule"])), _preliminary(results["row_number"], lines)
        )
        .with_columns(
            severity=pl.coalesce("severity", "declared"),
            amount=pl.coalesce("amount_cents", "prel_cents", 0).cast(pl.Decimal(12, 2)) / 100,
        )
        .sort("row_number", "rule")
        .drop("rule", "declared", "amount_cents", "prel_cents")
    )


def _preliminary(row_numbers: pl.Series, lines: pl.DataFrame) -> pl.Series:
    """What these lines bill, in cents."""
    few = lines.select("row_number", "prel_cents").filter(pl.col("row_number").is_in(row_numbers.unique().implode()))
    return row_numbers.to_frame().join(few, on="row_number", how="left", maintain_order="left")["prel_cents"]


def _category(rule: Rule) -> str:
    """Advice is told apart by its category, whatever it is about: amounts of opportunities are gains."""
    return rule.condition.results_category if isinstance(rule.condition, Opportunity) else rule.category


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
