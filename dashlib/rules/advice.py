"""What all advice shares: it comes after the other rules, is never more than an info, and its amount is a gain."""

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal, Self

import polars as pl
from pydantic import model_validator

from dashlib.rules.base import (
    EVERY_CODE,
    RELATED_LINES,
    Case,
    Condition,
    Plan,
    Reference,
    by_code,
    code_table,
    has_code,
    looked_at,
    parameters,
    rules_by,
)
from dashlib.rules.filters import Filters
from dashlib.rules.reasons import reason, refuse

REPORTED = {"rule_id": pl.String, "category": pl.String, "severity": pl.String, "row_number": pl.Int64}


@dataclass(frozen=True)
class Earlier:
    """What is known when advice is given.

    `results` (results of the other rules that ran, REPORTED): those of the rules that advice asks for, at least.
    `cases`: every rule at hand by its name, those that do not run among them.
    """

    results: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=REPORTED))
    cases: Mapping[str, Case[Any]] = field(default_factory=dict)


class Opportunity(Condition):
    """Advice: what could have been billed, or put right, with the gain that it would bring as the result's amount.

    One class a `strategy`, each with its own parameters. Lines taken back by a reversal, and the reversal, get no
    advice.

    Source:
        Rule types, 13; policies 6, 7, 10 and 14; clarifications, "opportunity".
    """

    # The category of its results, which tells gains from amounts that are only billed and not yet answered.
    results_category: ClassVar[str] = "opportunity"
    # Whether a strategy looks at lines of its `codes`; the others name codes by parameters of their own.
    takes_codes: ClassVar[bool] = False

    type: Literal["opportunity"]

    @property
    def asks(self) -> frozenset[str]:
        """Names of other rules whose results or conditions this advice needs."""
        return frozenset()

    @model_validator(mode="after")
    def _names_no_codes(self) -> Self:
        named = [("codes", bool(self.codes)), ("code_groups", self.code_groups is not None)]
        refuse("advice", [(it and not self.takes_codes, reason(name, "not_of_strategy")) for name, it in named])
        return self

    @classmethod
    def compile(cls, cases: Sequence[Case[Self]], lines: pl.LazyFrame, ref: Reference) -> Iterable[Plan]:
        yield cls.advise(cases, lines, ref, Earlier())

    @classmethod
    @abstractmethod
    def advise(cls, cases: Sequence[Case[Self]], lines: pl.LazyFrame, ref: Reference, earlier: Earlier) -> Plan:
        """All advice of this kind: as `compile`, after what came earlier."""


type Cases = Sequence[Case[Any]]

AWAITING = "awaiting"  # the category of what is billed and not yet answered: an amount, and no gain
NONE = frozenset[str]()
# Of a group whose first line is the one that the result stands on: the others.
OTHERS = pl.col("row_number").slice(1, RELATED_LINES)


def advised(found: pl.LazyFrame, gain: pl.Expr | str, *facts: str) -> pl.LazyFrame:
    """Results of advice, from frames with rule, row_number and these facts."""
    cents = (pl.col(gain) if isinstance(gain, str) else gain).cast(pl.Int64)
    return found.select("rule", "row_number", *facts, severity=pl.lit("info"), amount_cents=cents, gain_cents=cents)


def pairs_of(cases: Cases, some: pl.LazyFrame, lines: pl.LazyFrame, ref: Reference) -> pl.LazyFrame:
    """Every (rule, line) that rules look at among some of the lines, as `base.candidates` finds them among all."""
    return looked_at(by_code(cases, some, ref), cases, lines, ref)


def counts_by_code(cases: Cases, lines: pl.LazyFrame, ref: Reference, judged: pl.Expr) -> pl.LazyFrame:
    """Lines checked and lines skipped of each rule, where only some of the lines are looked at any closer.

    Lines that another of their day excuses count too: to find them all would cost more than the advice.
    """
    counted = []
    for filters, rules in rules_by(cases, lambda case: replace(Filters.of(case), unless_same_day_codes=NONE)).items():
        alike = [case for case in cases if case.rule in rules]
        every = [case for case in alike if EVERY_CODE in case.codes]
        named = pl.lit(True) if every else has_code(frozenset[str]().union(*(case.codes for case in alike)))
        of_codes = (
            lines.filter(named, filters.keep(ref), ~pl.col("reversed"))
            .select("code_no", known=judged & ~filters.where.unknown())
            .group_by("code_no")
            .agg(checked=pl.col("known").sum().cast(pl.Int64), lines=pl.len().cast(pl.Int64))
            .select("code_no", "checked", skipped=pl.col("lines") - pl.col("checked"))
            .cache()
        )
        everywhere = of_codes.join(parameters(every, {}, lambda case: ()), how="cross")
        for of_rules in (of_codes.join(code_table(alike), on="code_no"), everywhere):
            counted.append(of_rules.select("rule", "checked", "skipped"))
    return pl.concat(counted)
