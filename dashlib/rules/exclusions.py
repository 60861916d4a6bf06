"""Rules on services of which a patient, a doctor or a place may have only some within a period."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import ClassVar, Literal, Self

import polars as pl
from pydantic import Field, model_validator

from dashlib.rules.base import EVERY_CODE, MOST, Case, Code, Plan, Reference, by_code, counts, looked_at
from dashlib.rules.periods import (
    GROUP,
    ROLLING,
    SERVED,
    PerPeriod,
    counted_beside,
    in_groups,
    in_windows,
    listed,
    of_rules,
    parameter,
    period_label,
)
from dashlib.rules.reasons import reason, refuse


class MutualExclusion(PerPeriod):
    """At most `max_distinct` of several services for a key and a period; lines of the others are reported.

    Each of `codes` is a service of its own, or each list of `groups` is one. The services of the first lines are kept,
    paid lines first; repeats of one service are no fault. In a rolling period each line is judged among those before
    it. A reversal and the line that it cancels take no part.

    Source:
        Rule types, 4; clarifications, "frequency_limit, mutual_exclusion".
    """

    facts: ClassVar[frozenset[str]] = frozenset({"codes", "count", "max", "period", "other", "other_date", "days"})

    type: Literal["mutual_exclusion"]
    groups: tuple[tuple[Code, ...], ...] | None = None
    max_distinct: int = Field(default=1, ge=1, le=MOST)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        of_groups = Counter(code for group in self.groups or () for code in set(group))
        named = bool(self.codes or self.code_groups)
        services = len(self.groups) if self.groups is not None else len(set(self.codes))
        open_ended = self.code_groups is not None or EVERY_CODE in self.codes
        faults = [
            *self.strange_periods(),
            (named == bool(self.groups), reason("codes", "either_needed", one="codes, code_groups", other="groups")),
            (not all(self.groups or ()), reason("groups", "empty_one")),
            (EVERY_CODE in of_groups, reason("groups", "named")),
            (any(times > 1 for times in of_groups.values()), reason("groups", "in_two")),
            (not open_ended and services <= self.max_distinct, reason("max_distinct", "as_many")),
        ]
        refuse("exclusion", faults)
        return self

    @classmethod
    def compile(cls, cases: Sequence[Case[Self]], lines: pl.LazyFrame, ref: Reference) -> Iterable[Plan]:
        pairs = looked_at(_with_services(cases, lines, ref), cases, lines, ref).filter(~pl.col("reversed"))
        grouped = in_groups(pairs, cases).with_columns(_KNOWN, pl.col("crowd") // SERVICES).select(TAKEN).cache()
        crowded = _crowded(grouped.filter("judged")).with_columns(max=parameter(cases, "max_distinct")).cache()
        found = [
            _reported(rank(crowded.filter(of_rules(alike)), alike).cache(), alike)
            for rolling, rank in ((False, _ranked_fixed), (True, _ranked_rolling))
            if (alike := [case for case in cases if (case.condition.period in ROLLING) == rolling])
        ]
        yield Plan(pl.concat(found), counts(grouped))


type Cases = Sequence[Case[MutualExclusion]]

# More services than a file has codes: a crowd and a service fit into 64 bits.
SERVICES = 2**24
_KNOWN = pl.col("judged") & pl.col("service").is_not_null()
TAKEN = [*GROUP, "crowd", "judged", "service", "row_number", "code", "date_de_service", "order_no"]


def _with_services(cases: Cases, lines: pl.LazyFrame, ref: Reference) -> pl.LazyFrame:
    """Every (rule, line) by code, with the number of the line's `service` within the rule."""
    rows = [
        (case.rule, int(code), number)
        for case in cases
        if EVERY_CODE not in case.codes
        for number, codes in enumerate(case.condition.groups or [{code} for code in case.codes])
        for code in sorted(set(codes))
    ]
    schema = {"rule": pl.UInt16, "code_no": pl.UInt32, "service": pl.UInt32}
    named = lines.join(pl.LazyFrame(rows, schema=schema, orient="row"), on="code_no")
    every = [case for case in cases if EVERY_CODE in case.codes]
    if not every:
        return named
    numbered = pl.col("code").cast(pl.Categorical(pl.Categories.random())).to_physical()
    everywhere = by_code(every, lines, ref).with_columns(service=numbered)
    return pl.concat([named, everywhere.select(named.collect_schema().names())])


def _crowded(judged: pl.LazyFrame) -> pl.LazyFrame:
    """The lines of groups that hold several services: most hold one, and the rest of the work is for the others.

    Crowd and service are sorted as one number, which is much quicker than grouping; a few groups too many do no harm.
    """
    packed, crowd = pl.col("packed"), pl.col("packed") // SERVICES
    several = (
        judged.select(packed=(pl.col("crowd") * SERVICES + pl.col("service")).sort())
        .filter(crowd == crowd.shift(), packed != packed.shift())
        .select(crowd=crowd)
        .unique()
    )
    return judged.join(several, on="crowd", how="semi")


def _ranked_fixed(crowded: pl.LazyFrame, cases: Cases) -> pl.LazyFrame:
    """Lines with the place of their service among those of their group, in the order in which services are kept.

    Returns:
        (lines, …): `rank` of the line's service and `count` of services, both from 1, in its group; `codes` of the
        services' first lines, `other` and `other_date` of the very first; `at`, `first` and `last`, places in the frame
        of the line, and of the lines that its group holds.
    """
    ordered = crowded.sort(*GROUP, "order_no").with_columns(at=pl.int_range(pl.len()))
    ranked = (
        ordered.with_columns(
            met=pl.col("at").min().over(*GROUP, "service"),
            first=pl.col("at").min().over(GROUP),
            last=pl.col("at").max().over(GROUP),
        )
        .with_columns(rank=pl.col("met").rank("dense").over(GROUP))
        .with_columns(count=pl.col("rank").max().over(GROUP))
        .cache()
    )
    kept = ranked.filter(pl.col("at") == pl.col("met")).sort("at").group_by("first").agg(*_ABOUT_SERVICES)
    return ranked.join(kept, on="first")


def _ranked_rolling(crowded: pl.LazyFrame, cases: Cases) -> pl.LazyFrame:
    """As `_ranked_fixed`, each line among those of the window that ends with it."""
    ordered = in_windows(crowded, cases).cache()
    services = ordered.select("group", "service").unique()
    # The first line of each service in each window, which begins later and later.
    met = (
        ordered.select("group", "at", "first", own="service")
        .join(services, on="group")
        .sort("first")
        .join_asof(
            ordered.select("group", "service", "code", "date_de_service", met="at"),
            left_on="first",
            right_on="met",
            by=["group", "service"],
            strategy="forward",
            check_sortedness=False,
        )
        .filter(pl.col("met") <= pl.col("at"))
        .sort("met")
    )
    kept = met.group_by("at").agg(
        *_ABOUT_SERVICES,
        rank=(pl.col("met") <= pl.col("met").filter(pl.col("service") == pl.col("own")).first()).sum(),
        count=pl.len(),
    )
    return ordered.join(kept, on="at").with_columns(last="at")


# Of the first lines of services, in order.
_ABOUT_SERVICES = (
    listed(pl.col("code")).alias("codes"),
    pl.col("code").first().alias("other"),
    SERVED.first().alias("other_date"),
)


def _reported(ranked: pl.LazyFrame, cases: Cases) -> pl.LazyFrame:
    """Results of the lines whose service is not among the first `max` ones."""
    found = ranked.filter(pl.col("rank") > pl.col("max")).with_columns(
        period=period_label(cases), days=parameter(cases, "days")
    )
    beside = counted_beside(found, ranked).drop("codes")
    facts = ("codes", "count", "max", "period", "other", "other_date", "days")
    return found.join(beside, on="at").select("rule", "row_number", "related", *facts)
