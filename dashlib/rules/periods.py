"""Who is counted, and within what time: what the rules on numbers, sums and choices share."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import polars as pl
from pydantic import Field

from dashlib.rules.base import EVERY_CODE, LONGEST_DAYS, LONGEST_MONTHS, RELATED_LINES, Case, Condition, Scope
from dashlib.rules.reasons import reason
from dashlib.texts import Phrase

Per = Literal["patient", "doctor", "patient_doctor", "establishment", "patient_establishment", "doctor_location"]
Period = Literal["day", "week", "month", "quarter", "calendar_year", "rolling_days", "rolling_months", "lifetime"]

ROLLING = ("rolling_days", "rolling_months")


class PerPeriod(Condition):
    """A rule on the lines that a key (`per`) has within a `period`; rolling periods need `days` or `months`.

    Source:
        Rule types, 0.
    """

    per: Per
    period: Period
    days: int | None = Field(default=None, ge=1, le=LONGEST_DAYS)
    months: int | None = Field(default=None, ge=1, le=LONGEST_MONTHS)

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

    def strange_periods(self) -> list[tuple[bool, Phrase]]:
        """What of a period does not fit together, and why."""
        return [
            (self.period == "rolling_days" and self.days is None, reason("days", "needed_by", by="rolling_days")),
            (
                self.period == "rolling_months" and self.months is None,
                reason("months", "needed_by", by="rolling_months"),
            ),
            (self.period != "rolling_days" and self.days is not None, reason("days", "only_for", of="rolling_days")),
            (
                self.period != "rolling_months" and self.months is not None,
                reason("months", "only_for", of="rolling_months"),
            ),
        ]

    def strangers(self, named: frozenset[str]) -> bool:
        """Whether a parameter names codes that the rule itself does not."""
        known = self.code_groups is not None or EVERY_CODE in self.codes
        return not known and not named <= set(self.codes)


type Cases = Sequence[Case[Any]]

GROUP = ["rule", "key", "part", "span"]
SERVED = pl.col("date_de_service")

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
    "week": (SERVED.cast(pl.Int32) + 3) // 7,  # 1970-01-01 was a Thursday
    "month": pl.col("month_no"),
    "quarter": pl.col("month_no") // 3,
    "calendar_year": pl.col("month_no") // 12,
    **dict.fromkeys((*ROLLING, "lifetime"), pl.lit(0)),
}
# Names of periods that read the same in both languages (ISO 8601, and Q for quarters).
_LABELS = {
    "day": SERVED.cast(pl.String),
    "week": SERVED.dt.strftime("%G-W%V"),
    "month": SERVED.dt.strftime("%Y-%m"),
    "quarter": pl.format("{}-Q{}", SERVED.dt.year(), SERVED.dt.quarter()),
    "calendar_year": SERVED.dt.year().cast(pl.String),
    **dict.fromkeys((*ROLLING, "lifetime"), pl.lit(None, pl.String)),
}
# Odd numbers without much in common: what they mix seldom meets by chance, and sums beyond 64 bits wrap.
_MIXERS = (0x1E3779B97F4A7C15, 0x3F58476D1CE4E5B9, 0x14D049BB133111EB, 0x56E8FEB86659FD93)


def in_groups(pairs: pl.LazyFrame, cases: Cases) -> pl.LazyFrame:
    """The rule lines with the group that each is counted in.

    Returns:
        (rule lines, …): GROUP (`rule`, `key` who, `part` the code where each code has its own limit, `span` the fixed
        period) and `crowd` i64, one number for a group that another group seldom shares: quick to tell which lines
        cannot be of a group that breaks its rule. A line without key or date is not judged.
    """
    each = {
        True: pl.col("code").cast(pl.Categorical(pl.Categories.random())).to_physical(),
        False: pl.lit(0, pl.UInt32),
    }
    return (
        pairs.with_columns(
            key=by_rule(cases, "per", _KEYS),
            part=by_rule(cases, "each_code", each),
            span=by_rule(cases, "period", _SPANS).cast(pl.Int64),
        )
        .with_columns(judged=pl.col("judged") & pl.all_horizontal(pl.col("key", "day_key").is_not_null()))
        .with_columns(crowd=pl.sum_horizontal(pl.col(GROUP[n]).cast(pl.Int64) * m for n, m in enumerate(_MIXERS)))
    )


def period_label(cases: Cases) -> pl.Expr:
    """What the period of a line is called; null for one that rolls or never ends."""
    return by_rule(cases, "period", _LABELS)


def in_windows(lines: pl.LazyFrame, cases: Cases) -> pl.LazyFrame:
    """Lines in the order in which rolling periods count them, with the window that ends at each.

    Returns:
        (rule lines, …), by GROUP, date and order: `at` i64 the place of the line, `first` that of the first line of its
        window, `group` i64 a number for its GROUP.
    """
    group = pl.struct(GROUP).rle_id().cast(pl.Int64)
    ordered = lines.sort(*GROUP, "date_de_service", "order_no").with_columns(at=pl.int_range(pl.len()), group=group)
    opens = _day_of_group(SERVED).search_sorted(_day_of_group(_since(cases)), side="right").cast(pl.Int64)
    return ordered.with_columns(first=opens)


def of_window(column: str) -> pl.Expr:
    """The sum of a column over the window that ends at each line."""
    sums = pl.col(column).cum_sum()
    return sums - (sums - pl.col(column)).gather("first")


def different_in_window(ordered: pl.LazyFrame, cases: Cases, item: str) -> pl.LazyFrame:
    """(at, different f64): how many different `item`s the windows of these rules hold."""
    windows = (
        ordered.filter(of_rules(cases)).select("at", line=pl.int_ranges("first", pl.col("at") + 1)).explode("line")
    )
    items = ordered.select(item, line="at")
    return windows.join(items, on="line").group_by("at").agg(different=pl.col(item).n_unique().cast(pl.Float64))


def _since(cases: Cases) -> pl.Expr:
    """The day before the window that ends at each line; a month back from the 31st is a month's last day."""
    days = SERVED - pl.duration(days=parameter(cases, "days"))
    months = SERVED.dt.offset_by(pl.format("-{}mo", parameter(cases, "months")))
    return pl.coalesce(days, months)


def _day_of_group(day: pl.Expr) -> pl.Expr:
    """A number that sorts by group, then by day."""
    return pl.col("group") * 2**32 + day.cast(pl.Int32)


def counted_beside(found: pl.LazyFrame, marked: pl.LazyFrame) -> pl.LazyFrame:
    """(at, related, codes): the lines from `first` to `last` beside each found one, and the codes of all of them."""
    to = pl.min_horizontal("last", pl.col("first") + RELATED_LINES) + 1
    return (
        found.select("at", line=pl.int_ranges("first", to).list.set_union(pl.concat_list("at")))
        .explode("line")
        .join(marked.select("code", line="at", beside="row_number"), on="line")
        .group_by("at")
        .agg(
            related=pl.col("beside").filter(pl.col("line") != pl.col("at")).sort(),
            codes=listed(pl.col("code").unique().sort()),
        )
    )


# A message names no more codes than a reader takes in.
LISTED = 10


def listed(codes: pl.Expr) -> pl.Expr:
    """Codes as one text, the first of them where they are many."""
    return codes.head(LISTED).str.join(", ") + pl.when(codes.len() > LISTED).then(pl.lit(", …")).otherwise(pl.lit(""))


def of_rules(cases: Cases) -> pl.Expr:
    return pl.col("rule").is_in([case.rule for case in cases])


def by_rule(cases: Cases, name: str, meanings: Mapping[Any, pl.Expr]) -> pl.Expr:
    """For each rule, what its parameter means."""
    values = {getattr(case.condition, name) for case in cases}
    if len(values) == 1:
        return meanings[values.pop()]
    alike = {value: [case for case in cases if getattr(case.condition, name) == value] for value in values}
    return pl.coalesce(pl.when(of_rules(some)).then(meanings[value]) for value, some in sorted(alike.items()))


def parameter(cases: Cases, name: str) -> pl.Expr:
    """For each rule, its parameter, a whole number or null."""
    values = {case.rule: getattr(case.condition, name) for case in cases}
    return pl.col("rule").replace_strict(values, return_dtype=pl.Int64)
