"""Advice on single lines: a code for another age, a supplement or a context that may be missing, what is unpaid."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import ClassVar, Literal, Self

import polars as pl
from pydantic import Field, model_validator

from dashlib.rules.advice import AWAITING, OTHERS, Earlier, Opportunity, advised, counts_by_code, pairs_of
from dashlib.rules.base import (
    AGE_MONTHS,
    EVERY_CODE,
    LONGEST_DAYS,
    Case,
    Context,
    NamedCode,
    Plan,
    Reference,
    Scope,
    counts,
    looked_at,
    parameters,
    plain,
)
from dashlib.rules.periods import parameter
from dashlib.rules.reasons import reason, refuse
from dashlib.rules.tariffs import look_up, only_one, tariffs

_RULE_CODE = {"rule": pl.UInt16, "code": pl.String}


class AgeUpcode(Opportunity):
    """A code for younger patients was billed for an older one: told with the code of the age, where it is worth more.

    `map` names the code for `min_years` and older, `map_80`, which goes before, that for 80 years and older. The gain
    is the difference of the tariffs; where the tables do not tell exactly one of each, the line is skipped.
    """

    facts: ClassVar[frozenset[str]] = frozenset({"gain", "age", "suggested"})

    strategy: Literal["age_upcode"]
    min_years: int = Field(ge=1, le=110)
    map: Mapping[NamedCode, NamedCode] = Field(min_length=1)
    map_80: Mapping[NamedCode, NamedCode] = Field(default_factory=dict)

    @property
    def scope(self) -> Scope:
        return "patient_doctor_day" if self.unless_same_day_codes else "row"

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        same = sorted(old for ages in (self.map, self.map_80) for old, new in ages.items() if old == new)
        refuse("advice", [(True, reason("map", "itself", code=code)) for code in same])
        return self

    @classmethod
    def advise(cls, cases: Sequence[Case[Self]], lines: pl.LazyFrame, ref: Reference, earlier: Earlier) -> Plan:
        named = [replace(case, codes=frozenset({**case.condition.map, **case.condition.map_80})) for case in cases]
        youngest = 12 * min(80, *(case.condition.min_years for case in cases))
        older = lines.filter(AGE_MONTHS.ge(youngest), ~pl.col("reversed"))
        of_age = (
            pairs_of(named, older, lines, ref)
            .filter("judged")
            .with_columns(age=AGE_MONTHS // 12)
            .join(_of_ages(cases), on=["rule", "code"])
            .filter(pl.col("age") >= pl.col("from_age"))
            .sort("from_age")
            .unique(["rule", "row_number"], keep="last", maintain_order=True)
        )
        priced = _priced(of_age, ref)
        worth = pl.col("worth") - pl.col("worth_now")
        worth_more = priced.with_columns(gain=worth).filter(pl.col("gain") > 0)
        counted = counts_by_code(named, lines, ref, AGE_MONTHS.is_not_null())
        return Plan(advised(worth_more, "gain", "age", "suggested"), pl.concat([counted, _unpriced(priced)]))


def _of_ages(cases: Sequence[Case[AgeUpcode]]) -> pl.LazyFrame:
    """(rule, code, from_age, suggested): the code that takes the place of another from an age on."""
    rows = [
        (case.rule, old, age, new)
        for case in cases
        for ages, age in ((case.condition.map, case.condition.min_years), (case.condition.map_80, 80))
        for old, new in ages.items()
    ]
    return pl.LazyFrame(rows, _RULE_CODE | {"from_age": pl.Int64, "suggested": pl.String}, orient="row")


def _priced(lines: pl.LazyFrame, ref: Reference) -> pl.LazyFrame:
    """The lines with `worth` of the suggested code and `worth_now` of their own, in cents; null where not known."""
    rows = tariffs(ref)
    now = look_up(lines, rows, "code").with_columns(worth_now=only_one()).drop("candidates")
    of_suggested = rows.rename({"code": "suggested"})
    return look_up(now, of_suggested, "suggested").with_columns(worth=only_one()).drop("candidates").cache()


def _unpriced(priced: pl.LazyFrame, *needed: str) -> pl.LazyFrame:
    """Moves the lines without a known gain from the lines checked to the lines skipped."""
    unknown = priced.filter(pl.any_horizontal(pl.col(needed or ("worth", "worth_now")).is_null()))
    return unknown.group_by("rule").agg(checked=-pl.len().cast(pl.Int64), skipped=pl.len().cast(pl.Int64))


class MissingCompanion(Opportunity):
    """A service that goes with a supplement was billed without it: told on the first such line of the patient's day.

    The manual marks services with indicators, as «P.G. 2.4.7.7 A»: `trigger_indicator` is what comes before the letter,
    and `companions` names the supplement of each letter. Without indicators in the codes table the rule is silent. The
    gain is the supplement's tariff; where the tables do not tell exactly one, the line is skipped.
    """

    scope: ClassVar[Scope] = "patient_doctor_day"
    facts: ClassVar[frozenset[str]] = frozenset({"gain", "suggested"})

    strategy: Literal["missing_companion"]
    trigger_indicator: str = Field(min_length=1)
    companions: Mapping[str, NamedCode] = Field(min_length=1)

    @classmethod
    def advise(cls, cases: Sequence[Case[Self]], lines: pl.LazyFrame, ref: Reference, earlier: Earlier) -> Plan:
        asked = pl.concat(_indicated(case, ref) for case in cases)
        by_rule = dict(asked.group_by("rule").agg("code").iter_rows())
        named = [replace(case, codes=frozenset(by_rule.get(case.rule, ()))) for case in cases]
        pairs = (
            pairs_of(named, lines.filter(~pl.col("reversed")), lines, ref)
            .with_columns(judged=pl.col("judged") & pl.col("patient_doctor_day").is_not_null())
            .cache()
        )
        companions = sorted({code for case in cases for code in case.condition.companions.values()})
        billed = lines.filter(pl.col("code").is_in(companions)).select("patient_doctor_day", suggested="code").unique()
        alone = (
            pairs.filter("judged")
            .join(asked.lazy(), on=["rule", "code"])
            .join(billed, on=["patient_doctor_day", "suggested"], how="anti")
            .sort("order_no")
            .unique(["rule", "patient_doctor_day", "suggested"], keep="first", maintain_order=True)
        )
        rows = tariffs(ref).rename({"code": "suggested"})
        priced = look_up(alone, rows, "suggested").with_columns(worth=only_one()).cache()
        found = advised(priced.filter(pl.col("worth") > 0), "worth", "suggested")
        return Plan(found, pl.concat([counts(pairs), _unpriced(priced, "worth")]))


def _indicated(case: Case[MissingCompanion], ref: Reference) -> pl.DataFrame:
    """(rule, code, suggested): the codes with an indicator of the rule, and the supplement that goes with it."""
    schema = {**_RULE_CODE, "suggested": pl.String}
    if "indicators" not in ref.codes.columns:
        return pl.DataFrame(schema=schema)
    marks = ref.codes.select(pl.col("code").str.zfill(5), mark="indicators").explode("mark")
    found = [pl.DataFrame(schema=schema)]
    for letter, companion in sorted(case.condition.companions.items()):
        wanted = _letters(pl.lit(f"{case.condition.trigger_indicator} {letter}"))
        codes = marks.filter(_letters(pl.col("mark")) == wanted)
        found.append(codes.select(rule=pl.lit(case.rule, pl.UInt16), code="code", suggested=pl.lit(companion)))
    return pl.concat(found).unique()


def _letters(text: pl.Expr) -> pl.Expr:
    return plain(text).str.replace_all("[^a-z0-9]", "")


class SuggestContext(Opportunity):
    """A rule reports a doctor's day, and a context could explain it: told once a day, on the first line reported."""

    scope: ClassVar[Scope] = "doctor_day"
    facts: ClassVar[frozenset[str]] = frozenset({"gain", "count", "suggested"})

    strategy: Literal["suggest_context"]
    rule: str = Field(min_length=1)
    contexts: tuple[Context, ...] = Field(min_length=1)

    @property
    def asks(self) -> frozenset[str]:
        return frozenset({self.rule})

    @classmethod
    def advise(cls, cases: Sequence[Case[Self]], lines: pl.LazyFrame, ref: Reference, earlier: Earlier) -> Plan:
        said = {"rule_id": pl.String, "suggested": pl.String}
        suggested = parameters(cases, said, lambda case: (case.condition.rule, " / ".join(case.condition.contexts)))
        reported = (
            suggested.join(earlier.results.lazy(), on="rule_id").select("rule", "suggested", "row_number").unique()
        )
        pairs = (
            looked_at(lines.join(reported, on="row_number"), cases, lines, ref)
            .with_columns(judged=pl.col("judged") & pl.col("doctor_day").is_not_null())
            .cache()
        )
        days = (
            pairs.filter("judged")
            .sort("time_no")
            .group_by("rule", "doctor_day", "suggested")
            .agg(pl.col("row_number").first(), count=pl.len().cast(pl.Int64), related=OTHERS)
        )
        return Plan(advised(days, pl.lit(0), "related", "count", "suggested"), counts(pairs))


class UnpaidWithinDeadline(Opportunity):
    """Lines of a doctor not paid, and still within the time to bill: one result a group, on its oldest line.

    Groups are a doctor's lines that agree in `group`; the amount is what they bill together, which is no gain: most of
    them only await their answer. Without codes, every line.
    """

    scope: ClassVar[Scope] = "doctor"
    facts: ClassVar[frozenset[str]] = frozenset({"gain", "count", "total", "days", "days_left"})
    takes_codes: ClassVar[bool] = True
    results_category: ClassVar[str] = AWAITING

    strategy: Literal["unpaid_within_deadline"]
    days: int = Field(ge=1, le=LONGEST_DAYS)
    group: tuple[Literal["code", "lieu_de_pratique"], ...] = ("code",)

    @classmethod
    def advise(cls, cases: Sequence[Case[Self]], lines: pl.LazyFrame, ref: Reference, earlier: Earlier) -> Plan:
        named = [case if case.condition.codes or case.condition.code_groups else _of_every_code(case) for case in cases]
        oldest = ref.run_date - timedelta(days=max(case.condition.days for case in cases))
        within = pl.col("date_de_service").is_between(oldest, ref.run_date)
        open_lines = lines.filter(~pl.col("is_paid"), ~pl.col("reversed"), within)
        age = (pl.lit(ref.run_date) - pl.col("date_de_service")).dt.total_days()
        left = parameter(cases, "days") - age
        pairs = (
            pairs_of(named, open_lines, lines, ref)
            .with_columns(days_left=left, judged=pl.col("judged") & pl.col("doctor_key").is_not_null())
            .filter(pl.col("days_left") >= 0)
            .cache()
        )
        groups = {
            group: [c for c in cases if c.condition.group == group] for group in {c.condition.group for c in cases}
        }
        found = [_summed(pairs, alike, group) for group, alike in sorted(groups.items())]
        return Plan(advised(pl.concat(found), "total_cents", *OF_GROUP), counts(pairs))


OF_GROUP = ("related", "count", "total_cents", "days", "days_left")


def _of_every_code(case: Case[UnpaidWithinDeadline]) -> Case[UnpaidWithinDeadline]:
    return replace(case, codes=frozenset({EVERY_CODE}))


def _summed(pairs: pl.LazyFrame, cases: Sequence[Case[UnpaidWithinDeadline]], group: Sequence[str]) -> pl.LazyFrame:
    keys = {"code": "code", "lieu_de_pratique": "lieu_key"}
    return (
        pairs.filter(pl.col("rule").is_in([case.rule for case in cases]), pl.col("judged"))
        .sort("time_no")
        .group_by("rule", "doctor_key", *(keys[name] for name in group))
        .agg(
            pl.col("row_number", "days_left").first(),
            count=pl.len().cast(pl.Int64),
            total_cents=pl.col("prel_cents").sum(),
            related=OTHERS,
        )
        .with_columns(days=parameter(cases, "days"))
        .select("rule", "row_number", *OF_GROUP)
    )
