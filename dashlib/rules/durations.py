"""Rules on how long a service lasts."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import ClassVar, Literal, Self

import polars as pl
from pydantic import Field, model_validator

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
    has_code,
    parameters,
)
from dashlib.rules.minutes import BY_TIMES, by_units
from dashlib.rules.periods import of_rules
from dashlib.rules.reasons import reason, refuse


class DurationCheck(Condition):
    """A service that is too short, too long, or not even one block; its minutes come from its times, then its units.

    With `aggregate` patient_doctor_day the minutes of a patient's day with one doctor are added first, and its last
    line is reported. With `when_same_session_codes` only days that also hold one of these codes are judged; the rule's
    filters choose those lines too. A line that tells no minutes is skipped.

    Source:
        Rule types, 14; clarifications, "amount_limit, duration_check".
    """

    facts: ClassVar[frozenset[str]] = frozenset({"minutes", "range"})

    type: Literal["duration_check"]
    min_minutes: int | None = Field(default=None, ge=1)
    max_minutes: int | None = Field(default=None, ge=1)
    block_minutes: int | None = Field(default=None, ge=1)
    when_same_session_codes: frozenset[Code] = frozenset()
    aggregate: Literal["row", "patient_doctor_day"] = "row"

    @property
    def scope(self) -> Scope:
        return "patient_doctor_day" if self.meets_others or self.unless_same_day_codes else "row"

    @property
    def meets_others(self) -> bool:
        """Whether other lines of the patient's day with the doctor matter."""
        return self.aggregate != "row" or bool(self.when_same_session_codes)

    @property
    def least(self) -> int | None:
        return max((least for least in (self.min_minutes, self.block_minutes) if least is not None), default=None)

    @property
    def range(self) -> str:
        """The minutes that are asked for, in signs that every language reads."""
        least, most = self.least, self.max_minutes
        if least is None or most is None:
            return f"≤ {most}" if least is None else f"≥ {least}"
        return f"{least}" if least == most else f"{least}–{most}"

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        least, most = self.least, self.max_minutes
        faults = [
            self.without_codes(),
            (
                least is None and most is None,
                reason("min_minutes", "one_of_needed", names="min_minutes, max_minutes, block_minutes"),
            ),
            (
                least is not None and most is not None and least > most,
                reason("max_minutes", "less_than", other="min_minutes, block_minutes"),
            ),
        ]
        refuse("duration", faults)
        return self

    @classmethod
    def compile(cls, cases: Sequence[Case[Self]], lines: pl.LazyFrame, ref: Reference) -> Iterable[Plan]:
        timed = _timed(cases, lines, ref).cache()
        judged = timed.filter("judged")
        of_days = [case for case in cases if case.condition.aggregate != "row"]
        wrong = (pl.col("minutes") < pl.col("least")) | (pl.col("minutes") > pl.col("most"))
        found = pl.concat([judged.filter(~of_rules(of_days)).select(FOUND), _days(judged.filter(of_rules(of_days)))])
        results = found.join(_asked(cases), on="rule").filter(wrong)
        others = pl.col("related").list.set_difference(pl.concat_list("row_number")).list.sort()
        yield Plan(results.select("rule", "row_number", "minutes", "range", related=others), counts(timed))


type Cases = Sequence[Case[DurationCheck]]

TAKEN = ("rule", "judged", "row_number", "code_no", "time_no", "patient_doctor_day", "debut_min", "fin_min", "unites")
FOUND = ("rule", "row_number", "minutes", "related")


def _asked(cases: Cases) -> pl.LazyFrame:
    asked = {"least": pl.Int64, "most": pl.Int64, "range": pl.String}
    return parameters(
        cases, asked, lambda case: (case.condition.least, case.condition.max_minutes, case.condition.range)
    )


def _timed(cases: Cases, lines: pl.LazyFrame, ref: Reference) -> pl.LazyFrame:
    """The rule lines with their minutes; of rules that ask for a session only the days that hold one.

    Returns:
        (rule lines, …): `minutes` i64; `related`, the lines that open the session. Not judged is a line without
        minutes, or without patient, doctor or date where other lines of the day matter.
    """
    in_sessions = [case for case in cases if case.condition.when_same_session_codes]
    wide = [replace(case, codes=case.codes | case.condition.when_same_session_codes) for case in cases]
    pairs = candidates(wide, lines, ref).select(TAKEN).cache()
    of_day = pl.col("patient_doctor_day")
    opened = (
        pairs.filter("judged", _of_rules_codes(in_sessions, lambda case: case.condition.when_same_session_codes))
        .sort("time_no")
        .group_by("rule", of_day)
        .agg(related=pl.col("row_number").head(RELATED_LINES))
    )
    needs_day = of_rules([case for case in cases if case.condition.meets_others])
    minutes = pl.coalesce(BY_TIMES, by_units())
    return (
        pairs.filter(~of_rules(in_sessions) | _of_rules_codes(in_sessions, lambda case: case.codes))
        .join(opened, on=["rule", "patient_doctor_day"], how="left")
        .filter(~of_rules(in_sessions) | of_day.is_null() | pl.col("related").is_not_null())
        .with_columns(minutes=minutes)
        .with_columns(judged=pl.col("judged") & minutes.is_not_null() & (~needs_day | of_day.is_not_null()))
    )


def _of_rules_codes(cases: Cases, codes_of: Callable[[Case[DurationCheck]], Iterable[str]]) -> pl.Expr:
    """True for a line of one of these rules that has one of the codes."""
    own = [of_rules([case]) & _is_of(frozenset(codes_of(case))) for case in cases]
    return pl.any_horizontal(own) if own else pl.lit(False)


def _is_of(codes: frozenset[str]) -> pl.Expr:
    return pl.lit(True) if EVERY_CODE in codes else has_code(codes)


def _days(judged: pl.LazyFrame) -> pl.LazyFrame:
    """The last line of each patient's day, with the minutes of the whole day."""
    lines = pl.col("row_number").sort_by("time_no")
    return (
        judged.group_by("rule", "patient_doctor_day")
        .agg(row_number=lines.last(), minutes=pl.col("minutes").sum(), related=lines.tail(RELATED_LINES))
        .select(FOUND)
    )
