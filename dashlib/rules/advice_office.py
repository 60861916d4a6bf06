"""Advice on the office fee: a fee not billed, the lower fee where the higher was reached, a second one possible."""

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import ClassVar, Literal, Self

import polars as pl
from pydantic import ConfigDict, Field, model_validator

from dashlib.rules.advice import Earlier, Opportunity, advised
from dashlib.rules.base import (
    RELATED_LINES,
    Case,
    NamedCode,
    Plan,
    Reference,
    Scope,
    has_code,
    holds_context,
    parameters,
)
from dashlib.rules.filters import Filters
from dashlib.rules.reasons import reason, refuse
from dashlib.rules.seen import FEES, WALK_IN_CONTEXTS, Minimum, Seen, Visit, see
from dashlib.rules.tariffs import Cad, to_cents
from dashlib.texts import Phrase

CATEGORIES = ("registered", "walkIn")
# A result of these rules that is an error makes no fee of its day certain.
OF_FEES = "office_fee"


class OfficeFeeAdvice(Opportunity):
    """What a doctor's day could still bring in office fees: one piece of advice a day, and only what fits into a day.

    Patients seen are counted as `office_fee_validation` counts them, in an office only. A day is left alone when a fee
    of it stands elsewhere, or when a rule on office fees reports an error on one.

    Source:
        Rule types, 13; policies 3, 6 and 7; clarifications, "office_fee_validation".
    """

    scope: ClassVar[Scope] = "doctor_day"
    facts: ClassVar[frozenset[str]] = frozenset({"gain", "suggested", "registered", "walkIn"})
    # The first strategy that has something to say of a day says it; the others keep silent.
    rank: ClassVar[int]

    thresholds: Mapping[NamedCode, Minimum] = Field(min_length=1)
    amounts: Mapping[NamedCode, Cad] = Field(min_length=1)

    def needed(self, *, thresholds: Iterable[str], amounts: Iterable[str]) -> list[tuple[bool, Phrase]]:
        lacking = [("thresholds", code) for code in thresholds if code not in self.thresholds]
        lacking += [("amounts", code) for code in amounts if code not in self.amounts]
        return [(True, reason(name, "code_lacks", code=code)) for name, code in lacking]

    def cents(self, code: str) -> int:
        return to_cents(self.amounts[code])

    def reaches(self, code: str, category: str) -> pl.Expr:
        """True where enough patients of a category were seen for a fee; never null."""
        least = getattr(self.thresholds[code], category)
        return pl.lit(False) if least is None else pl.col(category) >= least

    @property
    @abstractmethod
    def told_on(self) -> str | None:
        """The fee on whose first line the advice stands; null for the first visit of the day."""

    @abstractmethod
    def gains(self) -> pl.Expr:
        """What the advice brings, in cents, on `_days`; null where there is none to give."""

    def most(self) -> int:
        """The most cents that fees of a day may already come to for the advice to be given; -1 where there is none."""
        return -1

    @abstractmethod
    def suggests(self) -> pl.Expr:
        """The codes to bill, joined by +."""

    @classmethod
    def advise(cls, cases: "Cases", lines: pl.LazyFrame, ref: Reference, earlier: Earlier) -> Plan:
        fees = _fees(lines, cases, earlier).cache()
        by_visit: dict[Visit, list[Case[OfficeFeeAdvice]]] = {}
        for case in cases:
            by_visit.setdefault(_visit(case), []).append(case)
        of_days = _with_room(lines, fees, cases)
        seen = {visit: see(visit, of_days, ref) for visit in by_visit}
        found = [_advice(seen[visit], fees, alike) for visit, alike in by_visit.items()]
        first = pl.concat(found).sort("rank", "rule").unique("doctor_day", keep="first", maintain_order=True)
        counted = [_counts(seen[visit], alike) for visit, alike in by_visit.items()]
        return Plan(advised(first, "gain", "related", "suggested", *CATEGORIES), pl.concat(counted))


type Cases = Sequence[Case[OfficeFeeAdvice]]


class OfficeFeeMissed(OfficeFeeAdvice):
    """No fee was billed on a day on which enough patients were seen: told on the first visit of the day.

    The day is worth what each category carries, and never more than the highest fee.
    """

    rank: ClassVar[int] = 0

    strategy: Literal["office_fee_missed"]

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        refuse("advice", self.needed(thresholds=(), amounts=self.thresholds))
        return self

    @property
    def told_on(self) -> None:
        return None

    def gains(self) -> pl.Expr:
        most = max(self.cents(code) for code in self.thresholds)
        gain = pl.min_horizontal(pl.sum_horizontal(self._carried(c) for c in CATEGORIES), most)
        return pl.when(pl.col("billed").is_null(), gain > 0).then(gain)

    def suggests(self) -> pl.Expr:
        """The fee of one category where that is all the day may bring, else that of both."""
        best = {category: self._best(category) for category in CATEGORIES}
        both = pl.concat_str(*best.values(), separator=" + ", ignore_nulls=True)
        alone = [pl.when(self._carried(c) == pl.col("gain")).then(best[c]) for c in CATEGORIES]
        return pl.coalesce(*alone, both)

    def _dearest_first(self) -> list[str]:
        return sorted(self.thresholds, key=lambda code: (-self.cents(code), code))

    def _carried(self, category: str) -> pl.Expr:
        fees = [pl.when(self.reaches(code, category)).then(self.cents(code)) for code in self._dearest_first()]
        return pl.coalesce(*fees, 0)

    def _best(self, category: str) -> pl.Expr:
        fees = [pl.when(self.reaches(code, category)).then(pl.lit(code)) for code in self._dearest_first()]
        return pl.coalesce(*fees, pl.lit(None, pl.String))


class OfficeFeeUpgrade(OfficeFeeAdvice):
    """The lower fee was billed although its category reached the higher one: told on the lower fee."""

    # The rule's word `from` is a word of the language.
    model_config = ConfigDict(serialize_by_alias=True)

    rank: ClassVar[int] = 1

    strategy: Literal["office_fee_upgrade"]
    lower: NamedCode = Field(alias="from")
    higher: NamedCode = Field(alias="to")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        lacking = self.needed(thresholds=[self.higher], amounts=[self.lower, self.higher])
        refuse("advice", lacking)
        worth_less = self.cents(self.higher) <= self.cents(self.lower)
        refuse("advice", [(worth_less, reason("amounts", "worth_more", higher="to", lower="from"))])
        return self

    @property
    def told_on(self) -> str:
        return self.lower

    def gains(self) -> pl.Expr:
        reached = [pl.col(f"{self.lower}_{c}") & self.reaches(self.higher, c) for c in CATEGORIES]
        fits = (pl.col("billed") <= self.most()) & ~pl.col("in_doubt")
        return pl.when(pl.any_horizontal(reached), fits).then(self.cents(self.higher) - self.cents(self.lower))

    def most(self) -> int:
        return self.cents(self.lower)

    def suggests(self) -> pl.Expr:
        return pl.lit(self.higher)


class OfficeFeeSecond(OfficeFeeAdvice):
    """A fee was billed for one category only, and the other carries one too: told on the fee billed."""

    rank: ClassVar[int] = 2

    strategy: Literal["office_fee_second"]
    code: NamedCode
    other_code: NamedCode
    max: Cad

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        refuse("advice", self.needed(thresholds=[self.code], amounts=[self.code]))
        return self

    @property
    def told_on(self) -> str:
        return self.code

    def gains(self) -> pl.Expr:
        billed = {c: pl.col(f"{self.code}_{c}") for c in CATEGORIES}
        other_billed = pl.any_horizontal(pl.col(f"{self.other_code}_{c}") for c in CATEGORIES)
        both_reached = pl.all_horizontal(self.reaches(self.code, c) for c in CATEGORIES)
        one_billed = billed["registered"] ^ billed["walkIn"]
        fits = (pl.col("billed") <= self.most()) & ~pl.col("in_doubt")
        return pl.when(one_billed, ~other_billed, both_reached, fits).then(self.cents(self.code))

    def most(self) -> int:
        return to_cents(self.max) - self.cents(self.code)

    def suggests(self) -> pl.Expr:
        return pl.lit(self.code)


def _codes(cases: Cases) -> list[str]:
    """Every fee that these rules speak of."""
    named = [code for case in cases for code in (*case.condition.thresholds, *case.condition.amounts)]
    seconds = [case.condition.other_code for case in cases if isinstance(case.condition, OfficeFeeSecond)]
    return sorted(FEES.union(named, seconds))


def _visit(case: Case[OfficeFeeAdvice]) -> Visit:
    where = case.condition.where
    # Patients are counted in an office only: to ask for an office once more makes no difference.
    if where.places == {"cabinet"}:
        where = where.model_copy(update={"places": frozenset()})
    return Visit(replace(Filters.of(case), where=where), WALK_IN_CONTEXTS, "cabinet", frozenset(_codes([case])))


def _fees(lines: pl.LazyFrame, cases: Cases, earlier: Earlier) -> pl.LazyFrame:
    """Fee lines with what they say of their day.

    Returns:
        (fee lines, 9): doctor_day, code, order_no, walk_in, reversed, prel_cents, worth (the fee by its code, in
        cents), in_doubt (it stands elsewhere, or a rule on fees reports an error), row_number.
    """
    worth = {code: case.condition.cents(code) for case in cases for code in case.condition.amounts}
    wrong = earlier.results.filter(category=OF_FEES, severity="error")["row_number"].unique()
    elsewhere = (pl.col("place") != "cabinet").fill_null(False)
    return lines.filter(has_code(_codes(cases)), pl.col("doctor_day").is_not_null()).select(
        *("row_number", "doctor_day", "code", "order_no", "reversed", "prel_cents"),
        walk_in=holds_context(WALK_IN_CONTEXTS),
        worth=pl.col("code").replace_strict(worth, default=0, return_dtype=pl.Int64),
        in_doubt=elsewhere | pl.col("row_number").is_in(wrong.implode()),
    )


def _billed(fees: pl.LazyFrame) -> pl.LazyFrame:
    """(days with fees, 3): doctor_day, `billed` what its fees come to in cents, in_doubt."""
    stands = ~pl.col("reversed")
    sums = [pl.col(name).filter(stands).sum() for name in ("prel_cents", "worth")]
    # By its code a fee is worth more than a line says that bills nothing.
    return fees.group_by("doctor_day").agg(billed=pl.max_horizontal(sums), in_doubt=pl.col("in_doubt").any())


def _with_room(lines: pl.LazyFrame, fees: pl.LazyFrame, cases: Cases) -> pl.LazyFrame:
    """Lines of the days that could still bring something: without a fee, or with fees that leave room for more."""
    room = max((case.condition.most() for case in cases), default=0)
    full = _billed(fees).filter((pl.col("billed") > room) | pl.col("in_doubt"))
    return lines.filter(pl.col("doctor_day").is_not_null()).join(full, on="doctor_day", how="anti")


def _advice(seen: Seen, fees: pl.LazyFrame, cases: Cases) -> pl.LazyFrame:
    """What each rule says of these days: (advice, 9), with the line it stands on and the visits counted."""
    by_category = {
        f"{code}_{category}": ((pl.col("code") == code) & (pl.col("walk_in") == walk_in) & ~pl.col("reversed")).any()
        for code in _codes(cases)
        for category, walk_in in zip(CATEGORIES, (False, True), strict=True)
    }
    flags = fees.group_by("doctor_day").agg(**by_category)
    days = seen.days.join(_billed(fees), on="doctor_day", how="left").join(flags, on="doctor_day", how="left")
    gains = pl.concat(
        days.with_columns(gain=case.condition.gains().cast(pl.Int64))
        .drop_nulls("gain")
        .with_columns(suggested=case.condition.suggests())
        .select(
            *("doctor_day", "gain", "suggested", *CATEGORIES),
            rule=pl.lit(case.rule, pl.UInt16),
            rank=pl.lit(case.condition.rank),
            told_on=pl.lit(case.condition.told_on, pl.String),
        )
        for case in cases
    ).cache()
    return _on_lines(gains, seen, fees)


def _on_lines(gains: pl.LazyFrame, seen: Seen, fees: pl.LazyFrame) -> pl.LazyFrame:
    first = pl.col("row_number").get(pl.col("order_no").arg_min())
    visits = (
        seen.lines.filter("counted")
        .join(gains, on="doctor_day", how="semi")
        .group_by("doctor_day")
        .agg(visit=first, visits=pl.col("row_number").sort().head(RELATED_LINES))
    )
    billed = fees.filter(~pl.col("reversed")).group_by("doctor_day", told_on="code").agg(fee=first)
    row = pl.coalesce("fee", "visit")
    return (
        gains.join(visits, on="doctor_day")
        .join(billed, on=["doctor_day", "told_on"], how="left")
        .with_columns(row_number=row, related=pl.col("visits").list.set_difference(pl.concat_list(row)).list.sort())
    )


def _counts(seen: Seen, cases: Cases) -> pl.LazyFrame:
    """Visits in an office on days with room for advice: those that were counted, and those without patient."""
    unknown = pl.col("visit") & pl.col("here") & ~pl.col("counted")
    sums = seen.lines.select(checked=pl.col("counted").sum().cast(pl.Int64), skipped=unknown.sum().cast(pl.Int64))
    return parameters(cases, {}, lambda case: ()).join(sums, how="cross")
