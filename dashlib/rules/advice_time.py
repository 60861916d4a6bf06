"""Advice on long visits: a clinical intervention, billed by the time it took, may be worth more."""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal, Self

import polars as pl
from pydantic import Field, model_validator

from dashlib.rules.advice import Earlier, Opportunity, advised, counts_by_code, pairs_of
from dashlib.rules.amounts import AmountLimit, minutes_a_day
from dashlib.rules.base import Case, NamedCode, Plan, Reference, Scope
from dashlib.rules.minutes import BY_TIMES, TELLS_TIME
from dashlib.rules.periods import parameter
from dashlib.rules.reasons import reason, refuse
from dashlib.rules.tariffs import Cad, Sources, look_up, only_one, tariffs, to_cents

# What clinical interventions are worth until a trusted table says so: cabinet, etablissement.
# Source: clarifications, "opportunity".
SEEDS = {"08857": (59_70, 49_75), "08859": (29_85, 24_85)}
NO_CAP = 2**31


class DurationUpgrade(Opportunity):
    """A visit long enough to be billed as periods of time instead, which would be worth more.

    From `min_minutes` on a visit is worth a base period of `base_minutes`, and a further one for each `addon_minutes`
    after it, the last from `addon_min_last` minutes on. Advice is given by date, start and line while the doctor's day
    has room under the maximum of `daily_cap_rule`: less the minutes that this rule counts, and those already advised.
    Base and add-on are never advised against; a line without amount gets no advice, nor one where the tariffs of its
    place are not exactly one each. Lines without times are skipped.
    """

    scope: ClassVar[Scope] = "doctor_day"
    facts: ClassVar[frozenset[str]] = frozenset({"gain", "minutes", "expected", "suggested"})
    takes_codes: ClassVar[bool] = True

    strategy: Literal["duration_upgrade"]
    base_code: NamedCode
    addon_code: NamedCode
    base_minutes: int = Field(ge=1)
    addon_minutes: int = Field(ge=1)
    addon_min_last: int = Field(ge=1)
    min_minutes: int = Field(ge=1)
    daily_cap_rule: str | None = Field(default=None, min_length=1)
    min_gain: Cad

    @property
    def asks(self) -> frozenset[str]:
        return frozenset({self.daily_cap_rule} if self.daily_cap_rule else ())

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        faults = [
            self.without_codes(),
            (self.addon_min_last > self.addon_minutes, reason("addon_min_last", "more_than", other="addon_minutes")),
            (self.min_minutes < self.base_minutes, reason("min_minutes", "less_than", other="base_minutes")),
        ]
        refuse("advice", faults)
        return self

    @classmethod
    def advise(cls, cases: "Cases", lines: pl.LazyFrame, ref: Reference, earlier: Earlier) -> Plan:
        shortest = min(case.condition.min_minutes for case in cases)
        told = TELLS_TIME & pl.col("doctor_day").is_not_null() & pl.col("prel_cents").is_not_null()
        # Most visits are short: that much is told at once.
        apart = pl.col("fin_min") - pl.col("debut_min")
        some = lines.filter((apart >= shortest) | (apart < 0), ~pl.col("reversed")).filter(told)
        pairs = pairs_of(cases, some, lines, ref).with_columns(minutes=BY_TIMES)
        long_enough = pairs.filter(pl.col("judged"), pl.col("minutes") >= parameter(cases, "min_minutes"))
        worth_more = _priced(long_enough, cases, ref).filter(pl.col("gain") >= pl.col("min_gain"))
        in_room = worth_more.join(_room(cases, lines, ref, earlier), on=["rule", "doctor_day"], how="left")
        asked = in_room.with_columns(pl.col("room").fill_null(_cap(cases, earlier))).select(*ADVICE)
        advice = asked.map_batches(_while_room, schema=ADVICE)
        return Plan(
            advised(advice, "gain", "minutes", "expected_cents", "suggested"), counts_by_code(cases, lines, ref, told)
        )


type Cases = Sequence[Case[DurationUpgrade]]

# What is known of a line when it is weighed whether its day has room for it.
ADVICE: dict[str, type[pl.DataType]] = {"rule": pl.UInt16, "suggested": pl.String} | dict.fromkeys(
    ("doctor_day", "time_no", "row_number", "minutes", "room", "gain", "expected_cents"), pl.Int64
)


def _priced(lines: pl.LazyFrame, cases: Cases, ref: Reference) -> pl.LazyFrame:
    """The lines with what they would be worth by the time they took, in cents, and the codes to bill it by."""
    rows = _rows(cases, ref)
    base = look_up(lines.join(_codes(cases), on="rule"), rows.rename({"code": "base_code"}), "base_code")
    base = base.filter(pl.col("code") != pl.col("base_code"), pl.col("code") != pl.col("addon_code"))
    both = look_up(
        base.with_columns(base=only_one()).drop("candidates"), rows.rename({"code": "addon_code"}), "addon_code"
    )
    further = pl.col("minutes") - parameter(cases, "base_minutes")
    each = parameter(cases, "addon_minutes")
    begun = (further % each >= parameter(cases, "addon_min_last")).cast(pl.Int64)
    times = pl.when(pl.col("addons") > 1).then(pl.format("{} × ", "addons")).otherwise(pl.lit(""))
    return (
        both.with_columns(addons=further // each + begun)
        .with_columns(
            expected_cents=pl.col("base")
            + pl.when(pl.col("addons") > 0).then(pl.col("addons") * only_one()).otherwise(0)
        )
        .with_columns(
            gain=pl.col("expected_cents") - pl.col("prel_cents"),
            suggested=pl.when(pl.col("addons") > 0)
            .then(pl.format("{} + {}{}", "base_code", times, "addon_code"))
            .otherwise("base_code"),
        )
    )


def _codes(cases: Cases) -> pl.LazyFrame:
    rows = [(c.rule, c.condition.base_code, c.condition.addon_code, to_cents(c.condition.min_gain)) for c in cases]
    schema = {"rule": pl.UInt16, "base_code": pl.String, "addon_code": pl.String, "min_gain": pl.Int64}
    return pl.LazyFrame(rows, schema=schema, orient="row")


def _rows(cases: Cases, ref: Reference) -> pl.DataFrame:
    """Trusted tariffs of the periods, else the seeds of a code that has none."""
    trusted = tariffs(ref, Sources(sources=("manuel",)))
    seeds = [
        (code, place, cents)
        for code, by_place in SEEDS.items()
        if code not in trusted["code"]
        for place, cents in zip(("cabinet", "etablissement"), by_place, strict=True)
    ]
    schema = {"code": pl.String, "tariff_place": pl.String, "cents": pl.Int64}
    return pl.concat([trusted, pl.DataFrame(seeds, schema=schema, orient="row")], how="diagonal")


def _cap_case(case: Case[DurationUpgrade], earlier: Earlier) -> Case[AmountLimit] | None:
    """The rule on a doctor's minutes a day that bounds the advice, whether it runs or not."""
    named: Case[Any] | None = earlier.cases.get(case.condition.daily_cap_rule or "")
    if named is None or not isinstance(named.condition, AmountLimit):
        return None
    c = named.condition
    return named if (c.measure, c.per, c.period) == ("minutes", "doctor", "day") else None


def _cap(cases: Cases, earlier: Earlier) -> pl.Expr:
    caps = {case.rule: int(cap.condition.max) if (cap := _cap_case(case, earlier)) else NO_CAP for case in cases}
    return pl.col("rule").replace_strict(caps, return_dtype=pl.Int64)


def _room(cases: Cases, lines: pl.LazyFrame, ref: Reference, earlier: Earlier) -> pl.LazyFrame:
    """(rule, doctor_day, room): the minutes left on the days of which the cap rule counts some."""
    empty = pl.LazyFrame(schema={"rule": pl.UInt16, "doctor_day": pl.Int64, "room": pl.Int64})
    left = [
        minutes_a_day(cap, lines, ref).select(
            "doctor_day", rule=pl.lit(case.rule, pl.UInt16), room=int(cap.condition.max) - pl.col("minutes")
        )
        for case in cases
        if (cap := _cap_case(case, earlier))
    ]
    return pl.concat([empty, *(days.select(empty.collect_schema().names()) for days in left)])


def _while_room(lines: pl.DataFrame) -> pl.DataFrame:
    """The lines for which their day has room, taken by time: a line too long for what is left is passed over.

    Each turn of the loop takes all lines up to the first that does not fit, on all days at once.
    """
    day = ["rule", "doctor_day"]
    waiting, taken = lines.sort(*day, "time_no"), [lines.clear()]
    while waiting.height:
        fitting = waiting.filter(pl.col("minutes") <= pl.col("room"))
        reached = fitting.with_columns(used=pl.col("minutes").cum_sum().over(day))
        taken.append(reached.filter(pl.col("used") <= pl.col("room")).drop("used"))
        beyond = reached.filter(pl.col("used") > pl.col("room"))
        used = taken[-1].group_by(day).agg(used=pl.col("minutes").sum())
        waiting = (
            beyond.drop("used")
            .join(used, on=day, maintain_order="left")
            .with_columns(room=pl.col("room") - pl.col("used"))
            .drop("used")
        )
    return pl.concat(taken)
