"""Rules on how much may be billed within a period: dollars, units, minutes, lines or patients."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Annotated, ClassVar, Literal, Self

import polars as pl
from pydantic import Field, PlainSerializer, model_validator

from dashlib.rules.base import Case, NamedCode, Plan, Reference, Severity, candidates, counts, parameters
from dashlib.rules.minutes import BY_TIMES, LEAST_UNITS, by_units
from dashlib.rules.periods import (
    GROUP,
    ROLLING,
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

Measure = Literal["amount", "units", "minutes", "lines", "patients"]
Place = Literal["cabinet", "etablissement"]
Source = Literal["times", "units_as_minutes", "minutes_by_code"]
SOURCES: tuple[Source, ...] = ("times", "units_as_minutes", "minutes_by_code")

# A limit reads back as it was written: a number.
Most = Annotated[
    Decimal,
    Field(gt=0, lt=10**8, decimal_places=2),
    PlainSerializer(lambda most: int(most) if most == int(most) else float(most), when_used="json"),
]


class AmountLimit(PerPeriod):
    """At most `max` of what is measured for a key and a period; the lines from the one that passes it on are reported.

    Lines are walked through by date, start and line. `measure` says what is added: preliminary amounts in CAD, units
    (absent or 0 is one; with `unit_minutes` one for each such part of the time begun), whole minutes, lines or
    different patients. Minutes come from the first of `minutes_source` that the line has; without any it takes no part.
    Of the codes of `distinct_sessions_for` lines of one doctor, date, code and start count once. `max_by_place` goes
    before `max`, by the place of the first line. `when_all_paid` is the severity when every counted line is paid.

    Source:
        Rule types, 9; clarifications, "amount_limit, duration_check".
    """

    facts: ClassVar[frozenset[str]] = frozenset({"total", "max", "period", "codes", "days"})

    type: Literal["amount_limit"]
    measure: Measure
    max: Most
    minutes_by_code: Mapping[NamedCode, Annotated[int, Field(ge=1)]] = Field(default_factory=dict)
    minutes_source: Annotated[tuple[Source, ...], Field(min_length=1)] = SOURCES
    max_by_place: Mapping[Place, Most] | None = None
    unit_minutes: int | None = Field(default=None, ge=1)
    distinct_sessions_for: frozenset[NamedCode] = frozenset()
    when_all_paid: Severity | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        of_minutes = self.measure == "minutes"
        limits = (self.max, *(self.max_by_place or {}).values())
        faults = [
            *self.strange_periods(),
            self.without_codes(),
            (self.measure != "amount" and any(most % 1 for most in limits), reason("max", "whole")),
            (not of_minutes and bool(self.minutes_by_code), reason("minutes_by_code", "only_for", of="minutes")),
            (not of_minutes and self.minutes_source != SOURCES, reason("minutes_source", "only_for", of="minutes")),
            (len(set(self.minutes_source)) < len(self.minutes_source), reason("minutes_source", "twice")),
            (self.measure != "units" and self.unit_minutes is not None, reason("unit_minutes", "only_for", of="units")),
            (
                self.measure == "patients" and bool(self.distinct_sessions_for),
                reason("distinct_sessions_for", "not_for", of="patients"),
            ),
            (self.strangers(self.distinct_sessions_for), reason("distinct_sessions_for", "among", of="codes")),
            (self.strangers(frozenset(self.minutes_by_code)), reason("minutes_by_code", "among", of="codes")),
        ]
        refuse("amount", faults)
        return self

    @classmethod
    def compile(cls, cases: Sequence[Case[Self]], lines: pl.LazyFrame, ref: Reference) -> Iterable[Plan]:
        grouped = _weighed(candidates(cases, lines, ref), cases).cache()
        # Most groups stay within their limit, even the least: the rest of the work is for the others.
        crowded = (
            grouped.filter("judged").filter(pl.col("weight").clip(0).sum().over("crowd") > pl.col("least")).cache()
        )
        found = [
            _reported(beyond(crowded.filter(of_rules(alike)), alike).cache(), alike)
            for rolling, beyond in ((False, _beyond_fixed), (True, _beyond_rolling))
            if (alike := [case for case in cases if (case.condition.period in ROLLING) == rolling])
        ]
        yield Plan(pl.concat(found), counts(grouped))


def minutes_a_day(case: Case[AmountLimit], lines: pl.LazyFrame, ref: Reference) -> pl.LazyFrame:
    """(doctor_day, minutes): what a rule on a doctor's minutes a day counts, on the days on which it counts any."""
    counted = _weighed(candidates([case], lines, ref), [case]).filter("judged").sort("time_no")
    once = counted.with_columns(weight=_once([case]))
    return once.group_by("doctor_day").agg(minutes=(pl.col("weight").sum() / 100).cast(pl.Int64))


type Cases = Sequence[Case[AmountLimit]]

# Everything is added in hundredths, as money is; half a hundredth is no excess. Source: rule types, 9.
HALF = 0.5
PLACES: tuple[Place, ...] = ("cabinet", "etablissement")
_PARTS = (BY_TIMES / pl.col("unit_minutes")).ceil()
_UNITS = pl.coalesce(_PARTS, pl.when(pl.col("unites") != 0).then("unites"), 1.0)
_WEIGHTS = {
    "amount": pl.col("prel_cents").fill_null(0).cast(pl.Float64),
    "units": _UNITS * 100,
    "minutes": pl.col("minutes") * 100.0,
    "lines": pl.lit(100.0),
    "patients": pl.when(pl.col("patient_key").is_not_null()).then(100.0),
}


def _weighed(pairs: pl.LazyFrame, cases: Cases) -> pl.LazyFrame:
    """The rule lines in their groups, with what each weighs there.

    Returns:
        (rule lines, …): those of `in_groups`, `weight` f64 in hundredths, the rule's limits in hundredths (`most`, that
        of each place, and `least` of these), and `collective` bool, a line of a session that counts once. A line
        without minutes or patient is not judged where these are measured.
    """
    sources = {case.condition.minutes_source for case in cases}
    session = pl.all_horizontal("collective", pl.col("debut_min", "doctor_key").is_not_null())
    return (
        in_groups(pairs, cases)
        .join(_of_codes(cases), on=["rule", "code"], how="left")
        .join(parameters(cases, dict.fromkeys(("most", *PLACES, "least"), pl.Float64), _limits), on="rule")
        .with_columns(
            minutes=by_rule(cases, "minutes_source", {named: _minutes(named) for named in sources}),
            unit_minutes=parameter(cases, "unit_minutes"),
            collective=session.fill_null(False),
        )
        .with_columns(weight=by_rule(cases, "measure", _WEIGHTS))
        .with_columns(judged=pl.col("judged") & pl.col("weight").is_not_null())
    )


def _of_codes(cases: Cases) -> pl.LazyFrame:
    """(rule, code, minutes_by_code, collective) for the codes of which a rule says more."""
    rows = [
        (case.rule, code, c.minutes_by_code.get(code), code in c.distinct_sessions_for)
        for case in cases
        for c in [case.condition]
        for code in sorted(c.distinct_sessions_for.union(c.minutes_by_code))
    ]
    said = {"minutes_by_code": pl.Int64, "collective": pl.Boolean}
    return pl.LazyFrame(rows, schema={"rule": pl.UInt16, "code": pl.String, **said}, orient="row")


def _limits(case: Case[AmountLimit]) -> tuple[float, ...]:
    c = case.condition
    limits = [c.max, *((c.max_by_place or {}).get(place, c.max) for place in PLACES)]
    return tuple(float(most * 100) + HALF for most in (*limits, min(limits)))


def _minutes(sources: Sequence[Source]) -> pl.Expr:
    # Any units of a code that has no minutes of its own are minutes.
    least = pl.when(pl.col("minutes_by_code").is_null()).then(1).otherwise(LEAST_UNITS)
    meant = {"times": BY_TIMES, "units_as_minutes": by_units(least), "minutes_by_code": pl.col("minutes_by_code")}
    return pl.coalesce(meant[source] for source in sources)


def _beyond_fixed(crowded: pl.LazyFrame, cases: Cases) -> pl.LazyFrame:
    """Marks the lines of groups that end over their limit, from the one on that passes it.

    Returns:
        (lines, …): `beyond` bool; `total` and `limit` in hundredths and `all_paid` bool of what was counted; `at`,
        `first` and `last`, places in the frame of the line, and of the lines counted with it.
    """
    over = pl.col("running") > pl.col("limit")
    return (
        crowded.sort(*GROUP, "time_no")
        .with_columns(at=pl.int_range(pl.len()), weight=_once(cases))
        .with_columns(
            running=pl.col("weight").cum_sum().over(GROUP),
            total=pl.col("weight").sum().over(GROUP),
            limit=_LIMIT.first().over(GROUP),
            all_paid=pl.col("is_paid").all().over(GROUP),
            first=pl.col("at").min().over(GROUP),
            last=pl.col("at").max().over(GROUP),
        )
        .with_columns(crossed=pl.when(over).then("at").min().over(GROUP))
        .with_columns(beyond=(pl.col("at") >= pl.col("crossed")) & (pl.col("total") > pl.col("limit")))
    )


def _beyond_rolling(crowded: pl.LazyFrame, cases: Cases) -> pl.LazyFrame:
    """As `_beyond_fixed`, for lines whose window, the lines before in order and themselves, is over the limit."""
    ordered = in_windows(crowded, cases).with_columns(weight=_once(cases), unpaid=(~pl.col("is_paid")).cast(pl.Int64))
    counted = ordered.with_columns(
        total=of_window("weight"), limit=_LIMIT.gather("first"), all_paid=of_window("unpaid") == 0
    )
    by_patient = [case for case in cases if case.condition.measure == "patients"]
    if by_patient:
        different = different_in_window(ordered, by_patient, "patient_key")
        counted = counted.join(different, on="at", how="left", maintain_order="left").with_columns(
            total=pl.coalesce(pl.col("different") * 100, "total")
        )
    return counted.with_columns(beyond=pl.col("total") > pl.col("limit"), last="at")


_LIMIT = pl.coalesce(*(pl.when(pl.col("place") == place).then(place) for place in PLACES), "most")


def _once(cases: Cases) -> pl.Expr:
    """The weight, 0 where the patient or the session has been counted in the group before."""
    by_patient = of_rules([case for case in cases if case.condition.measure == "patients"])
    again = (
        pl.when(by_patient)
        .then(_nth(*GROUP, "patient_key") > 0)
        .when("collective")
        .then(_nth(*GROUP, "doctor_key", "day_key", "code", "debut_min") > 0)
    )
    return pl.when(again).then(0.0).otherwise("weight")


def _nth(*keys: str) -> pl.Expr:
    return pl.int_range(pl.len()).over(keys)


def _reported(marked: pl.LazyFrame, cases: Cases) -> pl.LazyFrame:
    """Results of the lines marked as beyond."""
    of_money = of_rules([case for case in cases if case.condition.measure == "amount"])
    found = marked.filter("beyond").with_columns(
        severity=pl.when("all_paid").then(_when_all_paid(cases)),
        total=pl.when(~of_money).then((pl.col("total") / 100).round(2).ceil()).cast(pl.Int64),
        max=pl.when(~of_money).then(pl.col("limit") // 100).cast(pl.Int64),
        total_cents=pl.when(of_money).then("total").cast(pl.Int64),
        max_cents=pl.when(of_money).then(pl.col("limit") - HALF).cast(pl.Int64),
        period=period_label(cases),
        days=parameter(cases, "days"),
    )
    facts = ("total", "max", "total_cents", "max_cents", "period", "codes", "days")
    beside = counted_beside(found, marked)
    return found.join(beside, on="at").select("rule", "row_number", "severity", "related", *facts)


def _when_all_paid(cases: Cases) -> pl.Expr:
    severities = {case.rule: case.condition.when_all_paid for case in cases}
    return pl.col("rule").replace_strict(severities, return_dtype=pl.String)
