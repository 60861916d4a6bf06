"""Rules on codes that may not be billed together: the same day, the same year, on one invoice."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from functools import reduce
from itertools import batched
from operator import or_
from typing import Annotated, ClassVar, Literal, Self

import polars as pl
from pydantic import ConfigDict, Field, model_validator

from dashlib.rules.base import (
    EVERY_CODE,
    LONGEST_DAYS,
    Case,
    Code,
    Condition,
    Plan,
    Reference,
    Scope,
    by_code_no,
)
from dashlib.rules.filters import Filters
from dashlib.rules.reasons import reason, refuse

Within = Literal[
    "patient_day",
    "patient_doctor_day",
    "patient_doctor_calendar_year",
    "patient_doctor_lifetime",
    "patient_doctor_rolling_days",
    "invoice",
    "invoice_or_patient_day",
]

Roles = Annotated[frozenset[str], Field(min_length=1)]

# A set of rules is the bits of one signed number, so that lines and rules need not be multiplied.
RULES_AT_ONCE = 63
# In a crowd only so many partners of one code, day and payment are paired: the first of them decides, and the square
# of a big group would fill the memory.
PARTNERS = 64


class Prohibition(Condition):
    """A code that may not be billed beside another: each offending line is reported once.

    A line of `codes` (a) offends when another line of `with_codes` (b) stands in the same `scope`: of the patient's
    day, the patient's day, year or time with one doctor, or the invoice. `order` b_before_a asks for a b that came
    before; `report` says which of the two is reported; `with_codes` * is any other code; `same_code` wants a and b to
    be of one code, told apart by `roles_a` and `roles_b`. Filters remove lines on both sides; a reversal and the line
    that it cancels take no part.

    Source:
        Rule types, 3; clarifications, "prohibition, requirement".
    """

    # The rule's word `scope` says where two lines meet; the attribute `scope` says how the work can be split.
    model_config = ConfigDict(serialize_by_alias=True)

    facts: ClassVar[frozenset[str]] = frozenset({"other", "other_date"})

    type: Literal["prohibition"]
    with_codes: tuple[Code, ...] = ()
    within: Within = Field(alias="scope")
    order: Literal["any", "b_before_a"] = "any"
    report: Literal["a", "b", "both"] = "a"
    days: int | None = Field(default=None, ge=1, le=LONGEST_DAYS)
    roles_a: Roles | None = None
    roles_b: Roles | None = None
    same_code: bool = False

    @property
    def scope(self) -> Scope:
        """An invoice can hold lines of several patients and doctors."""
        if self.within.startswith("invoice"):
            return "file"
        if self.within == "patient_day" or self.within == "patient_doctor_day":
            return self.within
        return "patient"

    @property
    def other_code(self) -> bool:
        return EVERY_CODE in self.with_codes and not self.same_code

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        rolling = self.within == "patient_doctor_rolling_days"
        faults = [
            self.without_codes(),
            (not self.with_codes and not self.same_code, reason("with_codes", "needed_unless", other="same_code")),
            (rolling and self.days is None, reason("days", "needed_by", by="patient_doctor_rolling_days")),
            (not rolling and self.days is not None, reason("days", "only_for", of="patient_doctor_rolling_days")),
        ]
        refuse("prohibition", faults)
        return self

    @classmethod
    def compile(cls, cases: Sequence[Case[Self]], lines: pl.LazyFrame, ref: Reference) -> Iterable[Plan]:
        for some in batched(cases, RULES_AT_ONCE):
            taking_part = _with_sides(some, lines, ref)
            all_b = _bits(some, lambda case: case.condition.report != "a").get(True, 0)
            kinds = _kinds(taking_part)
            rarer = _rarer_sides(kinds, some)
            pairs = [_pairs(taking_part, rarer, within, bits, all_b) for within, bits in _bits(some, _within).items()]
            yield Plan(_offending(_forbidden(pl.concat(pairs).cache(), some)), _counts(kinds, some))


type Cases = Sequence[Case[Prohibition]]

KEYS: dict[Within, pl.Expr] = {
    "patient_day": pl.col("patient_day"),
    "patient_doctor_day": pl.col("patient_doctor_day"),
    "patient_doctor_calendar_year": pl.col("patient_doctor") * 10_000 + pl.col("month_no") // 12,
    "patient_doctor_lifetime": pl.col("patient_doctor"),
    "patient_doctor_rolling_days": pl.col("patient_doctor"),
    "invoice": pl.col("facture").rank("dense").cast(pl.Int64),
    # Below zero so that an invoice never meets a day.
    "invoice_or_patient_day": pl.coalesce(pl.col("facture").rank("dense").cast(pl.Int64), -1 - pl.col("patient_day")),
}


def _within(case: Case[Prohibition]) -> Within:
    return case.condition.within


def _bits[K: Hashable](cases: Cases, of: Callable[[Case[Prohibition]], K]) -> dict[K, int]:
    """The rules that have something in common, as bits: the n-th rule of `cases` is bit n."""
    groups: dict[K, int] = {}
    for bit, case in enumerate(cases):
        groups[of(case)] = groups.get(of(case), 0) | 1 << bit
    return groups


def _mask[K: Hashable](groups: dict[K, int], holds: Callable[[K], pl.Expr]) -> pl.Expr:
    """The rules whose part of a line `holds`, as bits."""
    bits = [pl.when(holds(key)).then(pl.lit(rules, pl.Int64)).otherwise(0) for key, rules in groups.items()]
    return reduce(or_, bits)


def _with_sides(cases: Cases, lines: pl.LazyFrame, ref: Reference) -> pl.LazyFrame:
    """The lines that rules look at, with the rules in which each stands on side a or b.

    Returns:
        (lines, …): i64 sets of rules, 0 where there is none: `a`, `b` those in which the line takes part; `unknown_a`,
        `unknown_b` those that look at it but cannot judge it, for want of a key, a date, a code, a role or an age.
    """
    dated = pl.col("date_de_service").is_not_null() & pl.col("code").is_not_null()
    every, of_codes = _every_code(cases), _code_sides(cases)
    sides = {s: by_code_no({code: bits[n] for code, bits in of_codes.items()}, every[n]) for n, s in enumerate("ab")}
    keys = sorted(_bits(cases, _within))
    return (
        # Lines that take no part stay, with empty sets: to leave them out would copy all others.
        lines.with_columns(
            **{within: KEYS[within] for within in keys},
            kept=_mask(_bits(cases, Filters.of), lambda filters: filters.keep(ref) & ~pl.col("reversed")),
        )
        .with_columns(
            *((pl.col("kept") & sides[s] & _by_role(cases, s, _has_role)).alias(s) for s in "ab"),
            known=pl.when(dated).then(_known(cases)).otherwise(0),
        )
        .with_columns(
            (pl.col(s) & pl.col("known") & _by_role(cases, s, _knows_role)).alias(f"judged_{s}") for s in "ab"
        )
        .with_columns((pl.col(s) & ~pl.col(f"judged_{s}")).alias(f"unknown_{s}") for s in "ab")
        .select(*ABOUT, "is_paid", *keys, "unknown_a", "unknown_b", a="judged_a", b="judged_b")
        .cache()
    )


def _by_role(cases: Cases, side: str, holds: Callable[[frozenset[str] | None], pl.Expr]) -> pl.Expr:
    return _mask(_bits(cases, lambda case: getattr(case.condition, f"roles_{side}")), holds)


def _known(cases: Cases) -> pl.Expr:
    """The rules that find their key on a line, and its role and age where `where` asks for them."""
    located = _mask(_bits(cases, _within), lambda within: pl.col(within).is_not_null())
    return located & _mask(_bits(cases, lambda case: case.condition.where), lambda where: ~where.unknown())


def _has_role(roles: frozenset[str] | None) -> pl.Expr:
    return pl.lit(True) if roles is None else pl.col("role").is_in(sorted(roles)) | pl.col("role").is_null()


def _knows_role(roles: frozenset[str] | None) -> pl.Expr:
    return pl.lit(True) if roles is None else pl.col("role").is_not_null()


def _side_codes(case: Case[Prohibition]) -> tuple[frozenset[str], frozenset[str]]:
    with_codes = frozenset(case.condition.with_codes)
    return case.codes, with_codes or case.codes


def _every_code(cases: Cases) -> tuple[int, int]:
    """The rules that take every code on side a, and on side b."""
    every = _bits(cases, lambda case: tuple(EVERY_CODE in codes for codes in _side_codes(case)))
    return sum(bits for (a, _), bits in every.items() if a), sum(bits for (_, b), bits in every.items() if b)


def _code_sides(cases: Cases) -> dict[int, list[int]]:
    """For each code that a rule names, the rules that have it on side a, and on side b, with those of every code."""
    every = _every_code(cases)
    sides: dict[int, list[int]] = {}
    for bit, case in enumerate(cases):
        for side, codes in enumerate(_side_codes(case)):
            for code in codes - {EVERY_CODE}:
                sides.setdefault(int(code), [*every])[side] |= 1 << bit
    return sides


ABOUT = ["row_number", "code", "date_de_service", "time_no", "order_no"]
ABOUT_B = [f"{name}_b" for name in ABOUT]


def _kinds(taking_part: pl.LazyFrame) -> pl.LazyFrame:
    """(kinds of lines, 5): how many lines stand on the same sides of the same rules. There are few kinds."""
    return taking_part.group_by("a", "b", "unknown_a", "unknown_b").len().cache()


def _rarer_sides(kinds: pl.LazyFrame, cases: Cases) -> pl.LazyFrame:
    """One row: the rules on whose side a fewer lines stand, and those on whose side b."""
    lines = {side: pl.when((pl.col(side) & pl.col("bit")) != 0).then("len").sum() for side in "ab"}
    sizes = _rules_with_bits(cases).join(kinds, how="cross").group_by("bit").agg(**lines)
    on_a = pl.when(pl.col("a") <= pl.col("b"))
    return sizes.select(rarer_a=on_a.then("bit").otherwise(0).sum(), rarer_b=on_a.then(0).otherwise("bit").sum())


def _rules_with_bits(cases: Cases) -> pl.LazyFrame:
    rows = [(case.rule, 1 << bit) for bit, case in enumerate(cases)]
    return pl.LazyFrame(rows, schema={"rule": pl.UInt16, "bit": pl.Int64}, orient="row")


def _pairs(taking_part: pl.LazyFrame, rarer: pl.LazyFrame, within: Within, rules: int, all_b: int) -> pl.LazyFrame:
    """Every two lines of one key that stand on side a and side b of a same rule.

    Args:
        taking_part: of `_with_sides`.
        rarer: of `_rarer_sides`; only where a line stands on a rule's rarer side can two lines meet in it.
        within: where lines meet.
        rules: the bits of the rules that ask for this.
        all_b: the bits of those that report side b, of which a crowd loses no line.

    Returns:
        (pairs, 11): ABOUT of line a, the same of line b with `_b`, and `rules`, the bits they have in common.
    """
    in_a, in_b = pl.col("a") & rules, pl.col("b") & rules
    on_rarer = in_a & pl.col("rarer_a") | in_b & pl.col("rarer_b")
    narrow = taking_part.filter((in_a | in_b) != 0).select(within, "a", "b")
    rare = narrow.join(rarer, how="cross").filter(on_rarer != 0).select(within).unique()
    sides = taking_part.join(rare, on=within, how="semi").select(*ABOUT, "is_paid", key=within, a=in_a, b=in_b).cache()
    partners = sides.filter(pl.col("b") != 0)
    of_one_kind = pl.int_range(pl.len()).over("key", "code", "date_de_service", "is_paid", "b", order_by="time_no")
    crowded = partners.filter(pl.len().over("key") > PARTNERS).filter(
        (of_one_kind < PARTNERS) | ((pl.col("b") & all_b) != 0)
    )
    partners = pl.concat([partners.filter(pl.len().over("key") <= PARTNERS), crowded])
    return (
        sides.filter(pl.col("a") != 0)
        .join(partners, on="key", suffix="_b")
        .filter((pl.col("a") & pl.col("b_b")) != 0, pl.col("row_number") != pl.col("row_number_b"))
        .select(*ABOUT, *ABOUT_B, rules=pl.col("a") & pl.col("b_b"))
    )


def _forbidden(pairs: pl.LazyFrame, cases: Cases) -> pl.LazyFrame:
    """The pairs that meet a rule's order, days and codes, one row for each side that the rule reports.

    Returns:
        (reported sides of pairs, …): the columns of `pairs`, those of the reported line without `_b`, and `rule`.
    """
    same_code = pl.col("code") == pl.col("code_b")
    apart = (pl.col("date_de_service") - pl.col("date_de_service_b")).dt.total_days().abs()
    # Few sets of rules are distinct: each is met with the rules once, not once a pair.
    sets = pairs.select("rules").unique().join(_reports(cases), how="cross")
    of_rules = sets.filter((pl.col("rules") & pl.col("bit")) != 0)
    return (
        pairs.join(of_rules, on="rules")
        .filter(
            ~pl.col("before") | (pl.col("time_no_b") < pl.col("time_no")),
            ~pl.col("same_code") | same_code,
            ~(pl.col("other_code") & same_code),
            pl.col("days").is_null() | (apart < pl.col("days")),
        )
        .with_columns(
            pl.when("swap").then(there).otherwise(here).alias(name)
            for a, b in zip(ABOUT, ABOUT_B, strict=True)
            for name, here, there in ((a, a, b), (b, b, a))
        )
    )


def _reports(cases: Cases) -> pl.LazyFrame:
    """One row for each side that a rule reports, with what it asks of a pair; `swap` where that is side b."""
    rows = [
        (case.rule, 1 << bit, c.order == "b_before_a", c.same_code, c.other_code, c.days, side == "b")
        for bit, case in enumerate(cases)
        for c in [case.condition]
        for side in "ab"
        if c.report in (side, "both")
    ]
    asked = dict.fromkeys(("before", "same_code", "other_code"), pl.Boolean)
    schema = {"rule": pl.UInt16, "bit": pl.Int64, **asked, "days": pl.Int64, "swap": pl.Boolean}
    return pl.LazyFrame(rows, schema=schema, orient="row")


def _offending(forbidden: pl.LazyFrame) -> pl.LazyFrame:
    """One result for each line that a rule reports, with its partners, the first in order being named."""
    return (
        forbidden.unique(["rule", "row_number", "row_number_b"])
        .sort("order_no_b")
        .group_by("rule", "row_number")
        .agg(
            other=pl.col("code_b").first(),
            other_date=pl.col("date_de_service_b").first(),
            related="row_number_b",
        )
    )


def _counts(kinds: pl.LazyFrame, cases: Cases) -> pl.LazyFrame:
    """Lines on the sides that each rule reports: those it could judge, and those it could not."""
    reports = _bits(cases, lambda case: case.condition.report)
    a, b = (sum(bits for report, bits in reports.items() if report != other) for other in ("b", "a"))
    checked = pl.col("a") & a | pl.col("b") & b
    unknown = pl.col("unknown_a") & a | pl.col("unknown_b") & b
    return (
        _rules_with_bits(cases)
        .join(kinds.with_columns(checked=checked, skipped=unknown & ~checked), how="cross")
        .group_by("rule")
        .agg(
            (pl.when((pl.col(name) & pl.col("bit")) != 0).then("len").sum().cast(pl.Int64)).alias(name)
            for name in ("checked", "skipped")
        )
    )
