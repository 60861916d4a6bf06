"""Rules on how often a code may be billed for a patient, a doctor or a place, within a period."""

from collections.abc import Iterable, Sequence
from typing import Annotated, ClassVar, Literal, Self

import polars as pl
from pydantic import Field, model_validator

from dashlib.rules.base import MOST, Case, NamedCode, Plan, Reference, candidates, counts
from dashlib.rules.periods import (
    GROUP,
    ROLLING,
    SERVED,
    PerPeriod,
    by_rule,
    counted_beside,
    different_in_window,
    in_groups,
    in_windows,
    of_rules,
    of_window,
    parameter,
    period_label,
)
from dashlib.rules.reasons import reason, refuse

Count = Literal["lines", "units", "units_or_lines", "distinct_dates", "distinct_patients"]

# Units are exported as decimals: a sum of tenths must not pass a limit that it only reaches.
TOLERANCE = 1e-6


class FrequencyLimit(PerPeriod):
    """At most `max` billings for a key and a period; each line beyond is reported, paid lines being kept first.

    `count` says what is counted, `per` for whom, `period` within what (rolling periods end at each line and need `days`
    or `months`). With `anchor_codes` all codes are counted and only lines of those are reported. `keep` first_paid
    keeps the first paid line and reports the lines after it. A reversal and the line that it cancels take no part.

    Source:
        Rule types, 2; clarifications, "frequency_limit, mutual_exclusion".
    """

    facts: ClassVar[frozenset[str]] = frozenset({"count", "max", "period", "first_date", "other_date", "days"})

    type: Literal["frequency_limit"]
    max: int = Field(ge=0, le=MOST)
    count: Count = "lines"
    keep: Literal["paid_first", "first_paid"] = "paid_first"
    anchor_codes: Annotated[frozenset[NamedCode], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        first_paid = self.keep == "first_paid"
        faults = [
            *self.strange_periods(),
            self.without_codes(),
            (first_paid and self.max != 1, reason("max", "must_be_with", value=1, other="keep first_paid")),
            (
                first_paid and self.count != "lines",
                reason("count", "must_be_with", value="lines", other="keep first_paid"),
            ),
            (first_paid and self.period in ROLLING, reason("period", "fixed_with", other="keep first_paid")),
            (self.strangers(self.anchor_codes or frozenset()), reason("anchor_codes", "among", of="codes")),
        ]
        refuse("limit", faults)
        return self

    @classmethod
    def compile(cls, cases: Sequence[Case[Self]], lines: pl.LazyFrame, ref: Reference) -> Iterable[Plan]:
        grouped = _weighed(candidates(cases, lines, ref).filter(~pl.col("reversed")), cases).cache()
        # Most groups hold no more than their limit, whatever is counted: the rest of the work is for the others.
        crowded = grouped.filter("judged").filter(pl.col("weight").clip(0).sum().over("crowd") > _LIMIT).cache()
        found = [
            _reported(beyond(crowded.filter(of_rules(alike)), alike).cache(), alike)
            for rolling, beyond in ((False, _beyond_fixed), (True, _beyond_rolling))
            if (alike := [case for case in cases if (case.condition.period in ROLLING) == rolling])
        ]
        yield Plan(pl.concat(found), counts(grouped))


_LIMIT = pl.col("max") + TOLERANCE
# What the rest of the work asks of a line: the others would only be carried along.
TAKEN = [
    *(*GROUP, "crowd", "item", "weight", "max", "judged", "row_number", "code"),
    *("date_de_service", "order_no", "time_no", "is_paid"),
]
_ITEMS = {
    **dict.fromkeys(("lines", "units", "units_or_lines"), pl.col("row_number")),
    "distinct_dates": pl.col("day_key"),
    "distinct_patients": pl.col("patient_key"),
}
_UNITS = pl.when(pl.col("unites") != 0).then("unites").otherwise(1.0)
_WEIGHTS = {
    **dict.fromkeys(("lines", "distinct_dates", "distinct_patients"), pl.lit(1.0)),
    **dict.fromkeys(("units", "units_or_lines"), _UNITS),
}


def _weighed(pairs: pl.LazyFrame, cases: Sequence[Case[FrequencyLimit]]) -> pl.LazyFrame:
    """The rule lines in their groups, with what each weighs there.

    Returns:
        (rule lines, …): those of `in_groups`, `item` what is counted once (a line, a date, a patient), `weight` f64 of
        it, and the rule's `max`. A line without item is not judged either.
    """
    return (
        in_groups(pairs, cases)
        .with_columns(
            item=by_rule(cases, "count", _ITEMS), weight=by_rule(cases, "count", _WEIGHTS), max=parameter(cases, "max")
        )
        .with_columns(judged=pl.col("judged") & pl.col("item").is_not_null())
        .select(TAKEN)
    )


def _beyond_fixed(crowded: pl.LazyFrame, cases: Sequence[Case[FrequencyLimit]]) -> pl.LazyFrame:
    """Marks the lines after the first `max` of their group; a date or a patient stands where it first appears."""
    first_paid = of_rules([case for case in cases if case.condition.keep == "first_paid"])
    after_paid = pl.col("time_no") > pl.when("is_paid").then("time_no").min().over(GROUP)
    running = pl.col("running").min().over([*GROUP, "item"])
    return (
        crowded.with_columns(order=pl.when(first_paid).then("time_no").otherwise("order_no"))
        .sort(*GROUP, "order")
        .with_columns(at=pl.int_range(pl.len()), weight=_once_an_item())
        .with_columns(running=pl.col("weight").cum_sum().over(GROUP))
        .with_columns(
            beyond=pl.when(first_paid).then(after_paid).otherwise(running > _LIMIT).fill_null(False),
            count=pl.col("weight").sum().over(GROUP),
            first=pl.col("at").first().over(GROUP),
            last=pl.col("at").last().over(GROUP),
        )
        .with_columns(before=pl.when(~pl.col("beyond")).then("at").forward_fill().over(GROUP))
    )


def _beyond_rolling(crowded: pl.LazyFrame, cases: Sequence[Case[FrequencyLimit]]) -> pl.LazyFrame:
    """Marks the lines with more than `max` in the window that ends with them: lines before in order, and themselves."""
    ordered = in_windows(crowded, cases).with_columns(weight=_once_an_item()).cache()
    counted = ordered.with_columns(count=of_window("weight"))
    by_patient = [case for case in cases if case.condition.count == "distinct_patients"]
    if by_patient:
        different = different_in_window(ordered, by_patient, "item")
        counted = counted.join(different, on="at", how="left", maintain_order="left").with_columns(
            count=pl.coalesce("different", "count")
        )
    return counted.with_columns(
        beyond=pl.col("count") > _LIMIT,
        last="at",
        before=pl.when(pl.col("at") > pl.col("first")).then(pl.col("at") - 1),
    )


def _reported(marked: pl.LazyFrame, cases: Sequence[Case[FrequencyLimit]]) -> pl.LazyFrame:
    """Results of the lines marked as beyond, with the lines counted beside them, from `first` to `last`."""
    anchored = [case for case in cases if case.condition.anchor_codes is not None]
    found = (
        marked.with_columns(first_date=SERVED.gather("first"), other_date=SERVED.gather("before"))
        .filter("beyond", of_rules([case for case in cases if case not in anchored]) | _anchors(anchored))
        .with_columns(
            count=pl.col("count").round(6).ceil().cast(pl.Int64),
            period=period_label(cases),
            days=parameter(cases, "days"),
        )
    )
    return found.join(counted_beside(found, marked), on="at", how="left").select(
        "rule", "row_number", "related", "count", "max", "period", "first_date", "other_date", "days"
    )


def _anchors(cases: Sequence[Case[FrequencyLimit]]) -> pl.Expr:
    by_rule = [of_rules([case]) & pl.col("code").is_in(list(case.condition.anchor_codes or ())) for case in cases]
    return pl.any_horizontal(by_rule) if by_rule else pl.lit(False)


def _once_an_item() -> pl.Expr:
    return pl.when(pl.col("item").is_first_distinct().over(GROUP)).then("weight").otherwise(0.0)
