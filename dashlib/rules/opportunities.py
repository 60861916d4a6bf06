"""All advice: the table of contents, and the second round in which it is given."""

from collections.abc import Iterable, Sequence
from typing import Annotated

import polars as pl
from pydantic import Field

from dashlib.rules.advice import Earlier, Opportunity
from dashlib.rules.advice_lines import AgeUpcode, MissingCompanion, SuggestContext, UnpaidWithinDeadline
from dashlib.rules.advice_office import OfficeFeeAdvice, OfficeFeeMissed, OfficeFeeSecond, OfficeFeeUpgrade
from dashlib.rules.advice_time import DurationUpgrade
from dashlib.rules.advice_year import AnnualAllUnpaid, MissingAnnualCode, QuotaLeft
from dashlib.rules.base import Case, Plan, Reference

AnyOpportunity = Annotated[
    AgeUpcode
    | AnnualAllUnpaid
    | DurationUpgrade
    | MissingAnnualCode
    | MissingCompanion
    | OfficeFeeMissed
    | OfficeFeeSecond
    | OfficeFeeUpgrade
    | QuotaLeft
    | SuggestContext
    | UnpaidWithinDeadline,
    Field(discriminator="strategy"),
]

# Strategies that are worked out together: those on the office fee give one piece of advice a day among them.
FAMILIES: tuple[type[Opportunity], ...] = (
    *(OfficeFeeAdvice, AgeUpcode, AnnualAllUnpaid, DurationUpgrade, MissingAnnualCode),
    *(MissingCompanion, QuotaLeft, SuggestContext, UnpaidWithinDeadline),
)


def advise(cases: Sequence[Case[Opportunity]], lines: pl.LazyFrame, ref: Reference, earlier: Earlier) -> Iterable[Plan]:
    """All advice, a plan for each strategy, or family of them, that a rule has."""
    for family in FAMILIES:
        some = [case for case in cases if isinstance(case.condition, family)]
        if some:
            yield family.advise(some, lines, ref, earlier)
