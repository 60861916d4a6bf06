"""Advice on what a patient or a doctor has within a period: a yearly service never billed or paid, a quota not used."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Annotated, ClassVar, Literal, Self

import polars as pl
from pydantic import Field, model_validator

from dashlib.rules.advice import OTHERS, Earlier, Opportunity, advised, pairs_of
from dashlib.rules.base import Case, NamedCode, Plan, Reference, Scope, code_table, counts, has_code
from dashlib.rules.periods import GROUP, in_groups, period_label
from dashlib.rules.reasons import reason, refuse
from dashlib.rules.tariffs import Cad, look_up, only_one, tariffs, to_cents

Within = Literal["day", "week", "month", "quarter", "calendar_year", "lifetime"]


class MissingAnnualCode(Opportunity):
    """A patient had services in a period that go with another one, and that one was never billed.

    `trigger_codes`, with those of `code_groups`, are the services; `where` and the other filters choose among them
    only. `code` or one of `codes` on any line of the patient and period, or one of `blocked_by`, silences the advice.
    The gain is `amount`.
    """

    scope: ClassVar[Scope] = "patient"
    facts: ClassVar[frozenset[str]] = frozenset({"gain", "count", "suggested", "period", "first_date"})
    takes_codes: ClassVar[bool] = True
    per: ClassVar[str] = "patient"

    strategy: Literal["missing_annual_code"]
    code: NamedCode | None = None
    trigger_codes: tuple[NamedCode, ...] = ()
    blocked_by: frozenset[NamedCode] = frozenset()
    amount: Cad | None = None
    period: Within = "calendar_year"
    report: Literal["first_trigger", "last_trigger"] = "first_trigger"

    @property
    def targets(self) -> frozenset[str]:
        return frozenset(self.codes if self.code is None else [self.code])

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        faults = [
            (bool(self.codes) == (self.code is not None), reason("code", "either_needed", one="code", other="codes")),
            (
                not self.trigger_codes and self.code_groups is None,
                reason("trigger_codes", "one_of_needed", names="trigger_codes, code_groups"),
            ),
        ]
        refuse("advice", faults)
        return self

    @classmethod
    def advise(cls, cases: Sequence[Case[Self]], lines: pl.LazyFrame, ref: Reference, earlier: Earlier) -> Plan:
        triggering = [replace(case, codes=_triggers(case.condition, ref)) for case in cases]
        triggers = in_groups(pairs_of(triggering, lines.filter(~pl.col("reversed")), lines, ref), cases).cache()
        ending = [replace(case, codes=case.condition.targets | case.condition.blocked_by) for case in cases]
        ended = in_groups(_billed(ending, lines), cases)
        last = pl.col("rule").is_in([case.rule for case in cases if case.condition.report == "last_trigger"])
        missing = (
            triggers.filter("judged")
            .join(ended.filter("judged"), on=GROUP, how="anti")
            .sort(pl.when(last).then(-pl.col("time_no")).otherwise("time_no"))
            .with_columns(period=period_label(cases))
            .group_by(GROUP)
            .agg(
                pl.col("row_number", "period").first(),
                count=pl.len().cast(pl.Int64),
                first_date=pl.col("date_de_service").min(),
                related=OTHERS,
            )
            .join(_worth(cases), on="rule")
        )
        facts = ("related", "count", "suggested", "period", "first_date")
        return Plan(advised(missing, "worth", *facts), counts(triggers))


def _billed(cases: Sequence[Case[MissingAnnualCode]], lines: pl.LazyFrame) -> pl.LazyFrame:
    codes = frozenset[str]().union(*(case.codes for case in cases))
    some = lines.filter(has_code(codes)).with_columns(judged=pl.lit(True))
    return some.join(code_table(cases), on="code_no")


def _triggers(condition: MissingAnnualCode, ref: Reference) -> frozenset[str]:
    groups = condition.code_groups
    return frozenset(condition.trigger_codes) | (groups.resolve(ref.codes) if groups else frozenset())


def _worth(cases: Sequence[Case[MissingAnnualCode]]) -> pl.LazyFrame:
    rows = [
        (case.rule, to_cents(case.condition.amount or Decimal()), " / ".join(sorted(case.condition.targets)))
        for case in cases
    ]
    return pl.LazyFrame(rows, schema={"rule": pl.UInt16, "worth": pl.Int64, "suggested": pl.String}, orient="row")


class AnnualAllUnpaid(Opportunity):
    """A service of once a period was billed for a patient several times, and never paid: told on the first line.

    The gain is one tariff, that of the first line; where the tables do not tell exactly one, what that line bills.
    """

    scope: ClassVar[Scope] = "patient"
    facts: ClassVar[frozenset[str]] = frozenset({"gain", "count", "period"})
    takes_codes: ClassVar[bool] = True
    per: ClassVar[str] = "patient"

    strategy: Literal["annual_all_unpaid"]
    period: Within = "calendar_year"

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        refuse("advice", [self.without_codes()])
        return self

    @classmethod
    def advise(cls, cases: Sequence[Case[Self]], lines: pl.LazyFrame, ref: Reference, earlier: Earlier) -> Plan:
        grouped = in_groups(pairs_of(cases, lines, lines, ref), cases).cache()
        of_first = ("row_number", "code", "place", "role", "date_de_service", "prel_cents", "period")
        unpaid = (
            grouped.filter("judged")
            .sort("time_no")
            .with_columns(period=period_label(cases))
            .group_by(GROUP)
            .agg(
                pl.col(of_first).first(),
                count=pl.len().cast(pl.Int64),
                unpaid=(pl.col("paid_cents").fill_null(0) == 0).all(),
                related=OTHERS,
            )
            .filter(pl.col("unpaid"), pl.col("count") > 1)
        )
        priced = look_up(unpaid, tariffs(ref), "code")
        gain = pl.coalesce(only_one(), "prel_cents", 0)
        return Plan(advised(priced, gain, "related", "count", "period"), counts(grouped))


class QuotaLeft(Opportunity):
    """A doctor has not used the quota of a code within a period: told on its last line, for the highest tier billed."""

    scope: ClassVar[Scope] = "doctor"
    facts: ClassVar[frozenset[str]] = frozenset({"gain", "count", "max", "left", "period"})

    strategy: Literal["quota_left"]
    quotas: Mapping[NamedCode, Annotated[int, Field(ge=1)]] = Field(min_length=1)
    per: Literal["doctor"] = "doctor"
    period: Within = "quarter"

    @classmethod
    def advise(cls, cases: Sequence[Case[Self]], lines: pl.LazyFrame, ref: Reference, earlier: Earlier) -> Plan:
        named = [replace(case, codes=frozenset(case.condition.quotas)) for case in cases]
        grouped = in_groups(pairs_of(named, lines.filter(~pl.col("reversed")), lines, ref), cases).cache()
        quotas = [(case.rule, code, most) for case in cases for code, most in case.condition.quotas.items()]
        tiers = pl.LazyFrame(quotas, {"rule": pl.UInt16, "code": pl.String, "max": pl.Int64}, orient="row")
        highest = (
            grouped.filter("judged")
            .sort("time_no", descending=True)
            .with_columns(period=period_label(cases))
            .group_by(*GROUP, "code")
            .agg(pl.col("row_number", "period").first(), count=pl.len().cast(pl.Int64), related=OTHERS)
            .join(tiers, on=["rule", "code"])
            .sort("max", "code")
            .unique(GROUP, keep="last", maintain_order=True)
            .with_columns(left=pl.col("max") - pl.col("count"))
            .filter(pl.col("left") > 0)
        )
        return Plan(advised(highest, pl.lit(0), "related", "count", "max", "left", "period"), counts(grouped))
