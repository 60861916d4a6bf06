"""Rules that judge a line by itself: where, when and at what age a service may be given."""

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from functools import reduce
from operator import or_
from typing import Annotated, ClassVar, Literal, Self, get_args

import polars as pl
from pydantic import ConfigDict, Field, field_validator, model_validator

from dashlib.records import age_days
from dashlib.rules.base import (
    AGE_MONTHS,
    Case,
    Condition,
    Plan,
    Reference,
    Scope,
    Strict,
    candidates,
    counts,
    holds_context,
    parameters,
    plain,
    plain_text,
    rules_by,
)
from dashlib.rules.calendar import mark_holidays
from dashlib.rules.reasons import reason, refuse
from dashlib.texts import Phrase

HOME_VISIT = "VISITE_DOMICILE"


class Restriction(Condition):
    """What the rules of this file share: they judge a line by itself."""

    @property
    def scope(self) -> Scope:
        return "patient_doctor_day" if self.unless_same_day_codes else "row"

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        faults = [self.without_codes()]
        refuse("restriction", [*faults, *self._impossible()])
        return self

    @abstractmethod
    def _impossible(self) -> list[tuple[bool, Phrase]]:
        """What of a type's own parameters does not fit together, and why."""


class Places(Strict):
    """Places by kind, by the beginning of their number, or by sector; a line matches when any of them does."""

    places: frozenset[Literal["cabinet", "etablissement", "domicile"]] = frozenset()
    prefixes: tuple[str, ...] = ()
    sectors: tuple[str, ...] = ()

    @field_validator("prefixes", "sectors")
    @classmethod
    def _say_something(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        refuse("places", [(not all(text.strip() for text in texts), reason("", "empty_text"))])
        return texts

    def match(self) -> pl.Expr:
        """True for a line at one of these places; never null."""
        parts: list[pl.Expr] = []
        if self.places:
            parts.append(pl.col("place").is_in(sorted(self.places)))
        if "domicile" in self.places:
            parts.append(holds_context([HOME_VISIT]))
        parts += [pl.col("lieu").str.starts_with(prefix) for prefix in self.prefixes]
        sector = plain(pl.col("secteur_activite"))
        parts += [sector.str.contains(plain_text(text), literal=True) for text in self.sectors]
        return reduce(or_, (part.fill_null(False) for part in parts), pl.lit(False))


class LocationRestriction(Restriction):
    """A code billed at a place where it may not be: at one that `deny` names, or at none of those that `allow` names.

    A home visit is told by its context, and is at a cabinet or an establishment as well. A line without place is
    skipped, whatever the rule asks.

    Source:
        Rule types, 6; clarifications, "location, time".
    """

    type: Literal["location_restriction"]
    allow: Places = Places()
    deny: Places = Places()

    def _impossible(self) -> list[tuple[bool, Phrase]]:
        lists = ((getattr(self.allow, name), getattr(self.deny, name)) for name in Places.model_fields)
        both = any(set(allowed) & set(denied) for allowed, denied in lists)
        return [
            (self.allow == Places() == self.deny, reason("allow", "one_of_needed", names="allow, deny")),
            (both, reason("deny", "also_allowed")),
        ]

    @classmethod
    def compile(cls, cases: Sequence[Case[Self]], lines: pl.LazyFrame, ref: Reference) -> Iterable[Plan]:
        # To read sectors is slow, and few rules do.
        by_sector = [case for case in cases if case.condition.allow.sectors or case.condition.deny.sectors]
        for some in (by_sector, [case for case in cases if case not in by_sector]):
            if some:
                judged = pl.col("judged") & pl.col("lieu").is_not_null()
                of_codes = candidates(some, lines, ref)
                yield _plan(of_codes.select("rule", "row_number", judged=judged, broken=_denied(some)))


def _denied(cases: Sequence[Case[LocationRestriction]]) -> pl.Expr:
    """True for a line at a place where its rule's code may not be billed; never null."""
    alike = rules_by(cases, lambda case: (case.condition.allow, case.condition.deny))
    elsewhere = {asked: ~asked[0].match() if asked[0] != Places() else pl.lit(False) for asked in alike}
    return pl.any_horizontal(
        pl.col("rule").is_in(rules) & (elsewhere[asked] | asked[1].match()) for asked, rules in alike.items()
    )


def _plan(judged: pl.LazyFrame, words: pl.LazyFrame | None = None, **facts: pl.Expr) -> Plan:
    """What rules say of their lines.

    Args:
        judged: (rule lines, at least rule, row_number, judged, broken).
        words: (rule, …), what `facts` need to know of a rule.
    """
    judged = judged.cache()
    broken = judged.filter("judged", "broken")
    broken = broken if words is None else broken.join(words, on="rule")
    return Plan(broken.select("rule", "row_number", **facts), counts(judged))


Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEK: tuple[Day, ...] = get_args(Day)
WHOLE_DAY = (0, 24 * 60)

Clock = Annotated[str, Field(pattern=r"^(([01]\d|2[0-3]):[0-5]\d|24:00)$")]


class Window(Strict):
    """Hours of some days: `from` included, `to` not; `holiday` says whether holidays are among those days.

    `only` means the holidays themselves, on whatever day of the week they fall.
    """

    model_config = ConfigDict(serialize_by_alias=True)

    days: tuple[Day, ...] = Field(default=WEEK, min_length=1)
    start: Clock = Field(alias="from")
    end: Clock = Field(alias="to")
    holiday: Literal["any", "exclude", "only"] = "any"

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        first, last = self.hours
        refuse("window", [(last <= first, reason("to", "window_ends"))])
        return self

    @property
    def hours(self) -> tuple[int, int]:
        """Minutes after midnight."""
        first, last = (int(clock[:2]) * 60 + int(clock[3:]) for clock in (self.start, self.end))
        return first, last

    def holds_on(self, day: Day, *, is_holiday: bool) -> bool:
        if self.holiday == "only":
            return is_holiday
        return day in self.days and not (is_holiday and self.holiday == "exclude")

    def label(self) -> str:
        """Its days, as mon–fri or mon,thu; `messages` says them in the language of the reader."""
        if self.holiday == "only":
            return "holidays"
        numbers = sorted(WEEK.index(day) for day in set(self.days))
        in_a_row = len(numbers) > 1 and numbers[-1] - numbers[0] == len(numbers) - 1
        days = (WEEK[number] for number in ((numbers[0], numbers[-1]) if in_a_row else numbers))
        every = "" if len(numbers) == len(WEEK) else ("–" if in_a_row else ",").join(days)
        return f"{every} not holidays".strip() if self.holiday == "exclude" else every


class TimeRestriction(Restriction):
    """A code billed outside the hours, or on other days, than its `windows`.

    What counts is the start. It is needed only where some window does not last the whole day: a line without it is then
    skipped, as is one without a date.

    Source:
        Rule types, 7; clarifications, "location, time".
    """

    facts: ClassVar[frozenset[str]] = frozenset({"window"})

    type: Literal["time_restriction"]
    windows: tuple[Window, ...] = Field(min_length=1)

    def _impossible(self) -> list[tuple[bool, Phrase]]:
        return []

    @property
    def needs_time(self) -> bool:
        return any(window.hours != WHOLE_DAY for window in self.windows)

    @classmethod
    def compile(cls, cases: Sequence[Case[Self]], lines: pl.LazyFrame, ref: Reference) -> Iterable[Plan]:
        whole_days = [case.rule for case in cases if not case.condition.needs_time]
        start = pl.when(pl.col("rule").is_in(whole_days)).then(0).otherwise("debut_min")
        windows, most = _windows(cases)
        inside = (start.is_between(f"from_{n}", f"to_{n}", closed="left") for n in range(most))
        of_codes = candidates(cases, lines, ref).select(
            "rule", "row_number", "judged", "date_de_service", "lieu", "debut_min"
        )
        yield _plan(
            mark_holidays(of_codes, ref)
            .with_columns(weekday=pl.col("date_de_service").dt.weekday())
            .join(windows, on=["rule", "weekday", "is_holiday"], how="left")
            .select(
                "rule",
                "row_number",
                judged=pl.col("judged") & pl.all_horizontal(pl.col("weekday").is_not_null(), start.is_not_null()),
                broken=~pl.any_horizontal(inside).fill_null(False),
            ),
            parameters(cases, {"window": pl.String}, lambda case: [told_hours(case.condition.windows)]),
            window=pl.col("window"),
        )


def _windows(cases: Sequence[Case[TimeRestriction]]) -> tuple[pl.LazyFrame, int]:
    """What each rule allows on each kind of day.

    Returns:
        (rules and kinds of days, …): rule, weekday i8 from 1 for Monday, is_holiday, and `from_n`, `to_n` i64, minutes
        after midnight, null beyond the last; and how many of these there are.
    """
    allowed = {
        (case.rule, number, is_holiday): [
            window.hours for window in case.condition.windows if window.holds_on(day, is_holiday=is_holiday)
        ]
        for case in cases
        for number, day in enumerate(WEEK, 1)
        for is_holiday in (False, True)
    }
    most = max(map(len, allowed.values()))
    ends = [f"{end}_{n}" for n in range(most) for end in ("from", "to")]
    rows = [
        (*kind, *(minute for hours in windows for minute in hours), *[None] * 2 * (most - len(windows)))
        for kind, windows in allowed.items()
    ]
    schema = {"rule": pl.UInt16, "weekday": pl.Int8, "is_holiday": pl.Boolean, **dict.fromkeys(ends, pl.Int64)}
    return pl.LazyFrame(rows, schema=schema, orient="row"), most


def told_hours(windows: Iterable[Window]) -> str:
    """Windows as a message tells them: days and hours, those of the same hours together."""
    days: dict[str, list[str]] = {}
    for window in windows:
        hours = "" if window.hours == WHOLE_DAY else f"{window.start}–{window.end}"
        days.setdefault(hours, []).append(window.label())
    return " / ".join(f"{', '.join(filter(None, labels))} {hours}".strip() for hours, labels in days.items())


class AgeRestriction(Restriction):
    """A code billed for a patient who is too young or too old for it, on the day of the service.

    Ages are completed years, months or days; `min_*` and `max_*_incl` are inclusive, `max_years_excl` is not. A line
    whose NAM tells no age is skipped. Born on 29 February one grows older on 1 March.

    Source:
        Rule types, 8.
    """

    facts: ClassVar[frozenset[str]] = frozenset({"age", "range"})

    type: Literal["age_restriction"]
    min_years: int | None = Field(default=None, ge=0, le=110)
    max_years_excl: int | None = Field(default=None, ge=1, le=111)
    min_months: int | None = Field(default=None, ge=0)
    max_months_incl: int | None = Field(default=None, ge=0)
    max_days_incl: int | None = Field(default=None, ge=0)

    def _impossible(self) -> list[tuple[bool, Phrase]]:
        least, most = self.months
        # No month is shorter than 28 days.
        within_days = most if self.max_days_incl is None else self.max_days_incl // 28
        return [
            (
                all(getattr(self, name) is None for name in AGES),
                reason(AGES[0], "one_of_needed", names=", ".join(AGES)),
            ),
            (least > min(most, within_days), reason("min_years, min_months", "no_age")),
        ]

    @property
    def months(self) -> tuple[int, int]:
        """The least and the highest age allowed, in completed months."""
        oldest = OLDEST if self.max_years_excl is None else self.max_years_excl * 12 - 1
        most = oldest if self.max_months_incl is None else min(oldest, self.max_months_incl)
        return max((self.min_years or 0) * 12, self.min_months or 0), most

    @property
    def unit(self) -> str:
        """The finest unit that the rule asks."""
        if self.max_days_incl is not None:
            return "d"
        return "y" if self.min_months is None and self.max_months_incl is None else "m"

    @classmethod
    def compile(cls, cases: Sequence[Case[Self]], lines: pl.LazyFrame, ref: Reference) -> Iterable[Plan]:
        # Days are costly to count, and few rules ask them.
        by_days = [case for case in cases if case.condition.unit == "d"]
        for some, age in ((by_days, age_days()), ([case for case in cases if case not in by_days], AGE_MONTHS)):
            if some:
                yield _by_age(some, candidates(some, lines, ref), age)


def _by_age(cases: Sequence[Case[AgeRestriction]], of_codes: pl.LazyFrame, age: pl.Expr) -> Plan:
    """What rules say of the ages of their lines; `age` is that in days for those that ask days, else in months."""
    asked = {"least": pl.Int64, "most": pl.Int64, "days": pl.Int64}
    limits = parameters(cases, asked, lambda case: (*case.condition.months, case.condition.max_days_incl))
    words = {"unit": pl.String, "range": pl.String}
    in_unit = pl.when(pl.col("unit") == "y").then(pl.col("age") // 12).otherwise("age")
    return _plan(
        of_codes.join(limits, on="rule").select(
            "rule",
            "row_number",
            age=age,
            judged=pl.col("judged") & AGE_MONTHS.is_not_null(),
            broken=~AGE_MONTHS.is_between("least", "most") | (age > pl.col("days")).fill_null(False),
        ),
        parameters(cases, words, lambda case: (case.condition.unit, _ages(case.condition))),
        age=pl.format("{}{}", in_unit, "unit"),
        range=pl.col("range"),
    )


AGES = ("min_years", "max_years_excl", "min_months", "max_months_incl", "max_days_incl")
OLDEST = 111 * 12


def _ages(condition: AgeRestriction) -> str:
    """The ages allowed, as ≥ 80y, 70–79y or ≤ 63m; `messages` says them in the language of the reader."""
    oldest = None if condition.max_years_excl is None else condition.max_years_excl - 1
    spans = (
        (condition.min_years, oldest, "y"),
        (condition.min_months, condition.max_months_incl, "m"),
        (None, condition.max_days_incl, "d"),
    )
    return ", ".join(said for least, most, unit in spans if (said := _span(least, most, unit)))


def _span(least: int | None, most: int | None, unit: str) -> str:
    if least and most is not None:
        return f"{least}–{most}{unit}" if least != most else f"{least}{unit}"
    if most is not None:
        return f"< {most + 1}{unit}" if unit == "y" else f"≤ {most}{unit}"
    return "" if least is None else f"≥ {least}{unit}"
