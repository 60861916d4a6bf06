"""Rules on how often a code may be billed for a patient, a doctor or a place, within a period."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Literal, Self

import polars as pl
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from dashlib.rules.base import (
    EVERY_CODE,
    RELATED_LINES,
    Case,
    Code,
    Condition,
    Plan,
    Reference,
    Scope,
    candidates,
    counts,
)

Per = Literal["patient", "doctor", "patient_doctor", "establishment", "patient_establishment", "doctor_location"]
Period = Literal["day", "week", "month", "quarter", "calendar_year", "rolling_days", "rolling_months", "lifetime"]
Count = Literal["lines", "units", "units_or_lines", "distinct_dates", "distinct_patients"]

FIXED = ("day", "week", "month", "quarter", "calendar_year", "lifetime")
ROLLING = ("rolling_days", "rolling_months")
# Units are exported as decimals: a sum of tenths must not pass a limit that it only reaches.
TOLERANCE = 1e-6


class FrequencyLimit(Condition):
    """At most `max` billings for a key and a period; each line beyond is reported, paid lines being kept first.

    `count` says what is counted, `per` for whom, `period` within what (rolling periods end at each line and need `days`
    or `months`). With `anchor_codes` all codes are counted and only lines of those are reported. `keep` first_paid
    keeps the first paid line and reports the lines after it. A reversal and the line that it cancels take no part.

    Source:
        Rule types, 2; clarifications, "frequency_limit, mutual_exclusion".
    """

    facts: ClassVar[frozenset[str]] = frozenset({"count", "max", "period", "first_date", "other_date", "days"})

    type: Literal["frequency_limit"]
    max: int = Field(ge=0)
    per: Per
    period: Period
    count: Count = "lines"
    keep: Literal["paid_first", "first_paid"] = "paid_first"
    anchor_codes: frozenset[Code] | None = None
    days: int | None = Field(default=None, ge=1)
    months: int | None = Field(default=None, ge=1)

    @property
    def scope(self) -> Scope:
        """Who is counted decides; a day's filter can make lines of two establishments meet."""
        if self.per == "establishment":
            return "file" if self.unless_same_day_codes else "establishment"
        of_a_day: dict[Per, Scope] = {
            "patient": "patient_day",
            "patient_doctor": "patient_doctor_day",
            "patient_establishment": "patient_day",
            "doctor": "doctor_day",
            "doctor_location": "doctor_day",
        }
        always: Scope = "doctor" if self.per.startswith("doctor") else "patient"
        return of_a_day[self.per] if self.period == "day" else always

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        for refused, reason in (
            (not self.codes and not self.code_groups, "codes: a limit names codes or code_groups"),
            (self.period == "rolling_days" and self.days is None, "days: needed by rolling_days"),
            (self.period == "rolling_months" and self.months is None, "months: needed by rolling_months"),
            (self.period != "rolling_days" and self.days is not None, "days: only for rolling_days"),
            (self.period != "rolling_months" and self.months is not None, "months: only for rolling_months"),
            (self.keep == "first_paid" and self.max != 1, "max: must be 1 with keep first_paid"),
            (self.keep == "first_paid" and self.count != "lines", "count: must be lines with keep first_paid"),
            (self.keep == "first_paid" and self.period in ROLLING, "period: must be fixed with keep first_paid"),
            (self._strange_anchors(), "anchor_codes: must be among codes"),
        ):
            if refused:
                raise PydanticCustomError("limit", reason)
        return self

    def _strange_anchors(self) -> bool:
        known = self.code_groups is not None or EVERY_CODE in self.codes
        return not known and not (self.anchor_codes or frozenset()) <= set(self.codes)

    @classmethod
    def compile(cls, cases: Sequence[Case[Self]], lines: pl.LazyFrame, ref: Reference) -> Iterable[Plan]:
        grouped = _in_groups(candidates(cases, lines, ref).filter(~pl.col("reversed")), cases).cache()
        # Most groups hold no more than their limit, whatever is counted: the rest of the work is for the others.
        crowded = grouped.filter("judged").filter(pl.col("weight").clip(0).sum().over(GROUP) > _LIMIT)
        found = [
            _reported(beyond(crowded.filter(_of(alike)), alike), alike)
            for periods, beyond in ((FIXED, _beyond_fixed), (ROLLING, _beyond_rolling))
            if (alike := [case for case in cases if case.condition.period in periods])
        ]
        yield Plan(pl.concat(found), counts(grouped))


GROUP = ["rule", "key", "part", "span"]

_LIMIT = pl.col("max") + TOLERANCE
_SERVED = pl.col("date_de_service")
_KEYS = {
    "patient": pl.col("patient_key"),
    "doctor": pl.col("doctor_key"),
    "patient_doctor": pl.col("patient_doctor"),
    "establishment": pl.col("lieu_key"),
    "patient_establishment": pl.col("patient_key") * (pl.col("lieu_key").max() + 1) + pl.col("lieu_key"),
    "doctor_location": pl.col("doctor_key") * (pl.col("lieu_key").max() + 1) + pl.col("lieu_key"),
}
_SPANS = {
    "day": pl.col("day_key"),
    "week": (_SERVED.cast(pl.Int32) + 3) // 7,  # 1970-01-01 was a Thursday
    "month": _SERVED.dt.year() * 12 + _SERVED.dt.month(),
    "quarter": _SERVED.dt.year() * 4 + _SERVED.dt.quarter(),
    "calendar_year": _SERVED.dt.year(),
    **dict.fromkeys((*ROLLING, "lifetime"), pl.lit(0)),
}
# Names of periods that read the same in both languages (ISO 8601, and Q for quarters).
_LABELS = {
    "day": _SERVED.cast(pl.String),
    "week": _SERVED.dt.strftime("%G-W%V"),
    "month": _SERVED.dt.strftime("%Y-%m"),
    "quarter": pl.format("{}-Q{}", _SERVED.dt.year(), _SERVED.dt.quarter()),
    "calendar_year": _SERVED.dt.year().cast(pl.String),
    **dict.fromkeys((*ROLLING, "lifetime"), pl.lit(None, pl.String)),
}
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


def _in_groups(pairs: pl.LazyFrame, cases: Sequence[Case[FrequencyLimit]]) -> pl.LazyFrame:
    """The rule lines with the group that each is counted in, and what it weighs there.

    Returns:
        (rule lines, …): GROUP (`rule`, `key` who, `part` the code where each code has its own limit, `span` the fixed
        period), `item` what is counted once (a line, a date, a patient), `weight` f64 of it, and the rule's `max`. A
        line without key, date or item is not judged.
    """
    each = {True: pl.col("code").cast(pl.Categorical).to_physical(), False: pl.lit(0, pl.UInt32)}
    return pairs.with_columns(
        key=_by_rule(cases, "per", _KEYS),
        part=_by_rule(cases, "each_code", each),
        span=_by_rule(cases, "period", _SPANS).cast(pl.Int64),
        item=_by_rule(cases, "count", _ITEMS),
        weight=_by_rule(cases, "count", _WEIGHTS),
        max=_parameter(cases, "max"),
    ).with_columns(judged=pl.col("judged") & pl.all_horizontal(pl.col("key", "day_key", "item").is_not_null()))


def _beyond_fixed(crowded: pl.LazyFrame, cases: Sequence[Case[FrequencyLimit]]) -> pl.LazyFrame:
    """Marks the lines after the first `max` of their group; a date or a patient stands where it first appears."""
    first_paid = _of([case for case in cases if case.condition.keep == "first_paid"])
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
    ordered = (
        crowded.sort(*GROUP, "date_de_service", "order_no")
        .with_columns(at=pl.int_range(pl.len()), weight=_once_an_item(), group=pl.struct(GROUP).rle_id().cast(pl.Int64))
        .with_columns(
            first=_day_of_group(_SERVED).search_sorted(_day_of_group(_since(cases)), side="right").cast(pl.Int64)
        )
    )
    sums = pl.col("weight").cum_sum()
    counted = ordered.with_columns(count=sums - (sums - pl.col("weight")).gather("first"))
    by_patient = [case for case in cases if case.condition.count == "distinct_patients"]
    if by_patient:
        counted = _count_patients(counted, by_patient)
    return counted.with_columns(
        beyond=pl.col("count") > _LIMIT,
        last="at",
        before=pl.when(pl.col("at") > pl.col("first")).then(pl.col("at") - 1),
    )


def _since(cases: Sequence[Case[FrequencyLimit]]) -> pl.Expr:
    """The day before the window that ends at each line; a month back from the 31st is a month's last day."""
    days = _SERVED - pl.duration(days=_parameter(cases, "days"))
    months = _SERVED.dt.offset_by(pl.format("-{}mo", _parameter(cases, "months")))
    return pl.coalesce(days, months)


def _day_of_group(day: pl.Expr) -> pl.Expr:
    """A number that sorts by group, then by day."""
    return pl.col("group") * 2**32 + day.cast(pl.Int32)


def _count_patients(ordered: pl.LazyFrame, cases: Sequence[Case[FrequencyLimit]]) -> pl.LazyFrame:
    """Replaces the count of these rules by that of the different patients in each line's window."""
    windows = ordered.filter(_of(cases)).select("at", line=pl.int_ranges("first", pl.col("at") + 1)).explode("line")
    patients = ordered.select(line="at", patient="item")
    seen = windows.join(patients, on="line").group_by("at").agg(patients=pl.col("patient").n_unique().cast(pl.Float64))
    return ordered.join(seen, on="at", how="left", maintain_order="left").with_columns(
        count=pl.coalesce("patients", "count")
    )


def _reported(marked: pl.LazyFrame, cases: Sequence[Case[FrequencyLimit]]) -> pl.LazyFrame:
    """Results of the lines marked as beyond, with the lines counted beside them, from `first` to `last`."""
    anchored = [case for case in cases if case.condition.anchor_codes is not None]
    found = (
        marked.with_columns(first_date=_SERVED.gather("first"), other_date=_SERVED.gather("before"))
        .filter("beyond", _of([case for case in cases if case not in anchored]) | _anchors(anchored))
        .with_columns(
            count=pl.col("count").ceil().cast(pl.Int64),
            period=_by_rule(cases, "period", _LABELS),
            days=_parameter(cases, "days"),
        )
    )
    to = pl.min_horizontal("last", pl.col("first") + RELATED_LINES) + 1
    beside = (
        found.select("at", line=pl.int_ranges("first", to))
        .explode("line")
        .filter(pl.col("line") != pl.col("at"))
        .join(marked.select(line="at", beside="row_number"), on="line")
        .group_by("at")
        .agg(related=pl.col("beside").sort())
    )
    return found.join(beside, on="at", how="left").select(
        "rule", "row_number", "related", "count", "max", "period", "first_date", "other_date", "days"
    )


def _anchors(cases: Sequence[Case[FrequencyLimit]]) -> pl.Expr:
    by_rule = [_of([case]) & pl.col("code").is_in(list(case.condition.anchor_codes or ())) for case in cases]
    return pl.any_horizontal(by_rule) if by_rule else pl.lit(False)


def _once_an_item() -> pl.Expr:
    return pl.when(pl.col("item").is_first_distinct().over(GROUP)).then("weight").otherwise(0.0)


def _of(cases: Sequence[Case[FrequencyLimit]]) -> pl.Expr:
    return pl.col("rule").is_in([case.rule for case in cases])


def _by_rule(cases: Sequence[Case[FrequencyLimit]], parameter: str, meanings: Mapping[Any, pl.Expr]) -> pl.Expr:
    """For each rule, what its parameter means."""
    values = {getattr(case.condition, parameter) for case in cases}
    alike = {value: [case for case in cases if getattr(case.condition, parameter) == value] for value in values}
    return pl.coalesce(pl.when(_of(some)).then(meanings[value]) for value, some in sorted(alike.items()))


def _parameter(cases: Sequence[Case[FrequencyLimit]], name: str) -> pl.Expr:
    """For each rule, its parameter."""
    values = {case.rule: getattr(case.condition, name) for case in cases}
    return pl.col("rule").replace_strict(values, return_dtype=pl.Int64)
