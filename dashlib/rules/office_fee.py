"""Rules on the office fee: a doctor bills it for a day on which enough different patients were seen in the office."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, Self

import polars as pl
from pydantic import model_validator

from dashlib.rules.base import (
    EVERY_CODE,
    RELATED_LINES,
    Case,
    Condition,
    Context,
    NamedCode,
    Plan,
    Reference,
    Scope,
    candidates,
    counts,
    has_code,
    holds_context,
)
from dashlib.rules.filters import Filters
from dashlib.rules.reasons import reason, refuse
from dashlib.rules.seen import FEES, WALK_IN_CONTEXTS, Minimum, Seen, Visit, see


class OfficeFeeValidation(Condition):
    """Each fee line needs its minimum of different patients of the category that it claims, on that doctor's day.

    A fee with a walk-in context claims walk-in patients, any other registered ones; a patient seen both ways is a
    walk-in. Too few seen is reported with the rule's severity; enough seen but too few of them paid is a warning, once
    the day has been answered. A fee known to be elsewhere than in an office is left to the rule on places. The rule's
    `threshold`, where it has one, is the most that the fees of a doctor's day may come to: lines beyond are reported.
    Whichever rules report a line, it is for one reason: too few patients seen, else the total, else unpaid ones.

    Results tell why in `reason`: category (it has no fee), count, paid (the patients told are then those paid), total,
    and what the day's fees come to, where the rule has a threshold. Lines checked and skipped are fee lines.

    Source:
        Rule types, 1; policies 3 to 5 and 20; clarifications, "office_fee_validation".
    """

    scope: ClassVar[Scope] = "doctor_day"
    facts: ClassVar[frozenset[str]] = frozenset(
        {"registered", "walkIn", "need_registered", "need_walkIn", "total", "max", "reason"}
    )

    type: Literal["office_fee_validation"]
    thresholds: dict[NamedCode, Minimum]
    walk_in_contexts: frozenset[Context] = WALK_IN_CONTEXTS
    place: Literal["cabinet", "any"] | None = "cabinet"
    patient_count: Literal["all", "paid"] = "all"
    exclude_codes: frozenset[NamedCode] = FEES

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        faults = [
            self.without_codes(),
            (EVERY_CODE in self.codes, reason("codes", "named")),
            (
                self.code_groups is None and not self.thresholds.keys() <= set(self.codes),
                reason("thresholds", "among", of="codes"),
            ),
            (not set(self.codes) <= self.thresholds.keys(), reason("thresholds", "every_code")),
        ]
        refuse("office_fee", faults)
        return self

    @classmethod
    def compile(cls, cases: Sequence[Case[Self]], lines: pl.LazyFrame, ref: Reference) -> Iterable[Plan]:
        fees = candidates(cases, lines, ref).with_columns(judged=pl.col("judged") & pl.col("doctor_day").is_not_null())
        fees = fees.cache()
        days = lines.filter(has_code(_fee_codes(cases))).select("doctor_day").unique()
        of_days = lines.join(days, on="doctor_day", how="semi").cache()
        groups = [_Group(alike, see(visit, of_days, ref)) for visit, alike in _by_visit(cases).items()]
        totals = _totals(cases, lines, ref)
        short = pl.concat([_short(fees.filter("judged"), group) for group in groups])
        short = short.join(totals, on=DAY, how="left").cache()
        # One defect once: a fee short of patients is not also too much, and one too much not also short of paid ones.
        refused = short.filter(pl.col("reason") != "paid")
        excess = _excess(cases, lines, ref).join(refused, on="row_number", how="anti").cache()
        unpaid = short.filter(pl.col("reason") == "paid").join(excess, on="row_number", how="anti")
        over = pl.concat([_with_counts(excess, group) for group in groups])
        yield Plan(pl.concat([found.select(RESULTS) for found in (refused, unpaid, over)]), counts(fees))


DAY = ["rule", "doctor_day"]
RESULTS = [
    *("rule", "row_number", "severity", "related", "reason", "total_cents", "max_cents"),
    *("registered", "walkIn", "need_registered", "need_walkIn"),
]


@dataclass(frozen=True)
class _Group:
    """Rules that agree on what a visit is, and who was seen by it on the days of fees."""

    cases: Sequence[Case[OfficeFeeValidation]]
    seen: Seen


def _by_visit(cases: Sequence[Case[OfficeFeeValidation]]) -> dict[Visit, list[Case[OfficeFeeValidation]]]:
    groups: dict[Visit, list[Case[OfficeFeeValidation]]] = {}
    for case in cases:
        groups.setdefault(_visit(case), []).append(case)
    return groups


def _visit(case: Case[OfficeFeeValidation]) -> Visit:
    c = case.condition
    place = None if c.place == "any" else c.place
    no_visits = c.exclude_codes | FEES | case.codes
    return Visit(Filters.of(replace(case, valid_from=None, valid_to=None)), c.walk_in_contexts, place, no_visits)


def _with_counts(fees: pl.LazyFrame, group: _Group) -> pl.LazyFrame:
    """The fee lines of these rules with the patients seen, and needed, in each category."""
    return (
        fees.filter(pl.col("rule").is_in([case.rule for case in group.cases]))
        .join(group.seen.days, on="doctor_day", how="left")
        .join(_needs(group.cases), on=["rule", "code"], how="left")
    )


def _short(fees: pl.LazyFrame, group: _Group) -> pl.LazyFrame:
    """Fee lines that claim a category which has no fee, or with too few patients of it seen, or paid."""
    by_paid = pl.col("rule").is_in([case.rule for case in group.cases if case.condition.patient_count == "paid"])
    walk_in = holds_context(group.cases[0].condition.walk_in_contexts)

    def claimed(registered: str, walk_in_too: str) -> pl.Expr:
        return pl.when("walk_in").then(walk_in_too).otherwise(registered)

    need, paid = claimed("need_registered", "need_walkIn"), claimed("registered_paid", "walkIn_paid")
    enough = pl.when(by_paid).then(paid).otherwise(claimed("registered", "walkIn"))
    answered = pl.col("is_paid") | pl.col("answered")
    reason = (
        pl.when(need.is_null())
        .then(pl.lit("category"))
        .when(enough < need)
        .then(pl.lit("count"))
        .when((paid < need) & answered)
        .then(pl.lit("paid"))
    )
    of_paid = pl.col("reason") == "paid"
    in_office = pl.col("place").is_null() | (pl.col("place") == "cabinet")
    short = (
        _with_counts(fees.filter(in_office), group)
        .with_columns(walk_in=walk_in)
        .with_columns(reason=reason)
        .drop_nulls("reason")
        .with_columns(
            severity=pl.when(of_paid).then(pl.lit("warning")),
            registered=pl.when(of_paid | by_paid).then("registered_paid").otherwise("registered"),
            walkIn=pl.when(of_paid | by_paid).then("walkIn_paid").otherwise("walkIn"),
        )
        .cache()
    )
    return short.join(_counted_visits(short, group), on=["doctor_day", "walk_in"], how="left")


def _counted_visits(short: pl.LazyFrame, group: _Group) -> pl.LazyFrame:
    """`related`: lines of the patients counted for a category on a doctor's day."""
    patients = group.seen.patients.filter("seen").join(short, on=["doctor_day", "walk_in"], how="semi")
    lines = group.seen.lines.filter("counted").select("row_number", "patient").join(patients, on="patient")
    related = pl.col("row_number").sort().head(RELATED_LINES)
    return lines.group_by("doctor_day", "walk_in").agg(related=related)


def _excess(cases: Sequence[Case[OfficeFeeValidation]], lines: pl.LazyFrame, ref: Reference) -> pl.LazyFrame:
    """Fee lines from the one on with which a doctor's day passes the rule's threshold, paid lines first."""
    beside = pl.col("row_number").over(DAY, mapping_strategy="join").list.set_difference(pl.concat_list("row_number"))
    over = _totals(cases, lines, ref).filter(pl.col("total_cents") > pl.col("max_cents"))
    return (
        _limited(cases, lines, ref)
        .join(over, on=DAY)
        .sort(*DAY, "order_no")
        .with_columns(running=pl.col("prel_cents").fill_null(0).cum_sum().over(DAY))
        .with_columns(highest=pl.col("running").cum_max().over(DAY))
        .with_columns(related=beside.list.sort().list.head(RELATED_LINES), reason=pl.lit("total"))
        .with_columns(severity=pl.lit(None, pl.String))
        .filter(pl.col("highest") > pl.col("max_cents"))
    )


def _limited(cases: Sequence[Case[OfficeFeeValidation]], lines: pl.LazyFrame, ref: Reference) -> pl.LazyFrame:
    """The fee lines that rules with a threshold add up."""
    limited = [replace(case, codes=case.codes | FEES) for case in cases if case.threshold is not None]
    return candidates(limited, lines, ref).filter(pl.col("judged") & pl.col("doctor_day").is_not_null())


def _totals(cases: Sequence[Case[OfficeFeeValidation]], lines: pl.LazyFrame, ref: Reference) -> pl.LazyFrame:
    """(rule, doctor_day, total_cents, max_cents): what a day's fees come to, of rules with a threshold."""
    limits = [(case.rule, int(case.threshold * 100)) for case in cases if case.threshold is not None]
    most = pl.LazyFrame(limits, {"rule": pl.UInt16, "max_cents": pl.Int64}, orient="row")
    return _limited(cases, lines, ref).group_by(DAY).agg(total_cents=pl.col("prel_cents").sum()).join(most, on="rule")


def _needs(cases: Sequence[Case[OfficeFeeValidation]]) -> pl.LazyFrame:
    """(rule, code, need_registered, need_walkIn): of a fee that only another rule judges, what that one asks."""
    asked = {code: least for case in cases for code, least in case.condition.thresholds.items()}
    rows = []
    for case in cases:
        others = {code: least for code, least in asked.items() if code not in case.codes}
        for code, least in {**others, **case.condition.thresholds}.items():
            rows.append((case.rule, code, least.registered, least.walkIn))
    schema = {"rule": pl.UInt16, "code": pl.String, "need_registered": pl.Int64, "need_walkIn": pl.Int64}
    return pl.LazyFrame(rows, schema=schema, orient="row")


def _fee_codes(cases: Sequence[Case[OfficeFeeValidation]]) -> list[str]:
    return sorted(FEES.union(*(case.codes for case in cases)))
