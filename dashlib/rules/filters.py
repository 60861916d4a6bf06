"""Which lines a rule looks at, as expressions over all lines of a file, for types that do not join rules with lines."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Self

import polars as pl

from dashlib.rules.base import EVERY_CODE, Case, Reference, Where, has_code, holds_context

SKIPPED, JUDGED, BROKEN = 0, 1, 2
"""What a rule says of a line that it looks at; null where it does not look."""


@dataclass(frozen=True)
class Filters:
    """What removes lines from a rule before it judges: rules with equal filters share one expression."""

    where: Where
    unless_contexts: frozenset[str]
    unless_same_day_codes: frozenset[str]
    valid_from: date | None
    valid_to: date | None

    @classmethod
    def of(cls, case: Case[Any]) -> Self:
        condition = case.condition
        same_day = condition.unless_same_day_codes
        return cls(condition.where, condition.unless_contexts, same_day, case.valid_from, case.valid_to)

    def keep(self, ref: Reference) -> pl.Expr:
        """True for a line that the rule looks at, or would if its role or age were known; never null.

        It asks for all lines of the file at once: another line of the day decides `unless_same_day_codes`.
        """
        parts: list[pl.Expr] = []
        if self.where != Where():
            parts.append(self.where.keeps(ref))
        if self.unless_contexts:
            parts.append(~holds_context(self.unless_contexts))
        if self.unless_same_day_codes:
            held = has_code(self.unless_same_day_codes).any().over("patient_doctor_day")
            parts.append(~held | pl.col("patient_doctor_day").is_null())
        if self.valid_from:
            parts.append(pl.col("date_de_service") >= self.valid_from)
        if self.valid_to:
            parts.append(pl.col("date_de_service") <= self.valid_to)
        return pl.all_horizontal(parts).fill_null(False) if parts else pl.lit(True)


def of_codes(case: Case[Any]) -> pl.Expr:
    """True for a line of the rule's codes; a rule that names none looks at every line."""
    everything = not case.codes or EVERY_CODE in case.codes
    return pl.lit(True) if everything else has_code(case.codes)


def standing(case: Case[Any], ref: Reference, *, unknown: pl.Expr, broken: pl.Expr | None = None) -> pl.Expr:
    """What the rule says of each line: BROKEN, JUDGED, SKIPPED where it cannot say, null where it does not look."""
    filters = Filters.of(case)
    looks = of_codes(case) & filters.keep(ref)
    skipped = unknown.fill_null(True) | filters.where.unknown()
    failed = pl.lit(False) if broken is None else broken.fill_null(False)
    said = pl.when(skipped).then(SKIPPED).when(failed).then(BROKEN).otherwise(JUDGED)
    return pl.when(looks).then(said).cast(pl.Int8)


def count_standings(marked: pl.LazyFrame, cases: Sequence[Case[Any]], names: Sequence[str]) -> pl.LazyFrame:
    """Lines checked and lines skipped of each rule; `names` are the columns of `marked` that hold their `standing`."""
    sums = [
        pl.struct(
            pl.lit(case.rule, pl.UInt16).alias("rule"),
            (pl.col(name) != SKIPPED).sum().cast(pl.Int64).alias("checked"),
            (pl.col(name) == SKIPPED).sum().cast(pl.Int64).alias("skipped"),
        ).alias(name)
        for case, name in zip(cases, names, strict=True)
    ]
    one_row = marked.select(pl.concat_list(sums).alias("counts"))
    return one_row.explode("counts").unnest("counts")
