"""What a service is worth by the published tables, and rules that compare a line's amount with it."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Annotated, ClassVar, Literal, Self

import polars as pl
from pydantic import Field, PlainSerializer, model_validator

from dashlib.rules.base import (
    CODES,
    EVERY_CODE,
    Case,
    Condition,
    NamedCode,
    Plan,
    Reference,
    Scope,
    Strict,
    code_table,
    has_code,
    parameters,
    plain,
    rules_by,
)
from dashlib.rules.filters import BROKEN, JUDGED, SKIPPED, Filters, count_standings, standing
from dashlib.rules.minutes import BY_TIMES
from dashlib.rules.periods import of_rules, parameter
from dashlib.rules.reasons import reason, refuse

# Numbers read back as they were written.
_AS_NUMBER = PlainSerializer(lambda number: int(number) if number == int(number) else float(number), when_used="json")
Cad = Annotated[Decimal, Field(gt=0, lt=10**8, decimal_places=2), _AS_NUMBER]
Factor = Annotated[Decimal, Field(gt=0, le=100, decimal_places=6), _AS_NUMBER]

# Source: codes facts, 3. What is read as dollars below or above is a paragraph number, or a code glued to an amount.
PLAUSIBLE_CENTS = (2_00, 10_000_00)
# Base units count time under anaesthesia, and a maximum is not what a service is worth.
NO_FEES = ("base_units", "maximum")
# Further periods of a service; all other codes are worth their tariff once. Source: manual, tab B, #167840 to #206535.
FURTHER_PERIODS = ("08843", "08859", "08860", "08868", "08869", "15786", "15788")
# Factors are compared in millionths, so that no binary fraction decides on a cent.
MILLION = 10**6


class Sources(Strict):
    """Which rows of the codes table count: trusted ones only where a source is named, and plausible amounts only."""

    sources: tuple[Literal["manuel"], ...] = ()
    plausible_only: bool = True


class TariffCheck(Condition):
    """An amount that is none of the code's tariffs, whatever premium is considered.

    The tariffs are `fixed`, or the candidates of the codes table for the line's place, role and date; the amount is
    right when it is one of them times one of `multipliers`, within `tolerance` CAD. `units_aware` also takes a tariff
    times the units, `per_minutes` a further period's tariff times its periods of so many minutes, the last of which
    counts when more than half of it was given (of 15 minutes, from 8). With `compare_to`
    montant_preliminaire a paid amount is compared with what was billed, and only too little is reported. Without a
    candidate, or with an amount of 0 or less, a line is skipped. The result's amount is the one compared; `expected` is
    the nearest candidate.

    Source:
        Rule types, 10; policies, 14; clarifications, "tariff_check, reference_check, data_quality".
    """

    facts: ClassVar[frozenset[str]] = frozenset({"expected", "gain"})

    type: Literal["tariff_check"]
    amount_field: Literal["montant_preliminaire", "montant_paye"] = "montant_preliminaire"
    compare_to: Literal["reference", "montant_preliminaire"] = "reference"
    place_aware: bool = True
    units_aware: bool = False
    per_minutes: int | None = Field(default=None, ge=1)
    fixed: Mapping[NamedCode, Cad] | None = Field(default=None, min_length=1)
    tolerance: Annotated[Decimal, Field(ge=0, lt=100, decimal_places=2), _AS_NUMBER] = Decimal("0.01")
    multipliers: tuple[Factor, ...] = Field(default=(Decimal(1),), min_length=1)
    reference: Sources = Sources()

    @property
    def scope(self) -> Scope:
        return "patient_doctor_day" if self.unless_same_day_codes else "row"

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        two_columns = self.compare_to == "montant_preliminaire"
        of_tariffs = ("units_aware", "per_minutes", "fixed", "multipliers", "reference", "place_aware")
        changed = [name for name in of_tariffs if getattr(self, name) != type(self).model_fields[name].default]
        foreign = changed if two_columns else []
        named = self.code_groups is not None or EVERY_CODE in self.codes
        faults = [
            self.without_codes(),
            (not named and not (self.fixed or {}).keys() <= set(self.codes), reason("fixed", "among", of="codes")),
            (
                two_columns and self.amount_field != "montant_paye",
                reason("amount_field", "must_be_with", value="montant_paye", other="compare_to"),
            ),
            *((True, reason(name, "only_with", other="compare_to reference")) for name in foreign),
        ]
        refuse("tariff", faults)
        return self

    @classmethod
    def compile(cls, cases: Sequence[Case[Self]], lines: pl.LazyFrame, ref: Reference) -> Iterable[Plan]:
        by_columns = [case for case in cases if case.condition.compare_to == "montant_preliminaire"]
        if by_columns:
            yield _compare_columns(by_columns, lines, ref)
        by_tariff = [case for case in cases if case.condition.compare_to == "reference"]
        for field, cents in AMOUNTS.items():
            alike = [case for case in by_tariff if case.condition.amount_field == field]
            if alike:
                yield _compare_tariffs(alike, cents, lines, ref)


type Cases = Sequence[Case[TariffCheck]]

AMOUNTS = {"montant_preliminaire": pl.col("prel_cents"), "montant_paye": pl.col("paid_cents")}


EVERY_SOURCE = Sources()


def tariffs(ref: Reference, sources: Sources = EVERY_SOURCE) -> pl.DataFrame:
    """The rows of the codes table that tell what a code is worth.

    While the whole table is a starter, a code without a trusted row is judged by those it has.

    Returns:
        (rows, 6): code str, 5 digits; tariff_place str, cabinet or etablissement, else all; tariff_role str, null for
        every role; valid_from, valid_to date, null for always; cents i64.
    """
    codes = pl.concat(
        [pl.DataFrame(schema=CODES), ref.codes.select(*(set(ref.codes.columns) & CODES.keys()))], how="diagonal"
    )
    place = plain(pl.col("place"))
    rows = codes.select(
        pl.col("code").str.zfill(5),
        pl.col("valid_from", "valid_to"),
        tariff_place=pl.when(place.is_in(["cabinet", "etablissement"])).then(place).otherwise(pl.lit("all")),
        tariff_role="role",
        cents=(pl.col("tariff_value") * 100).cast(pl.Int64),
        kind=pl.coalesce("kind", pl.when(pl.col("role") == "2").then(pl.lit("base_units")).otherwise(pl.lit("fee"))),
        trusted=pl.col("trusted").fill_null(False),
    ).filter(pl.col("cents").is_not_null(), ~pl.col("kind").is_in(NO_FEES))
    if sources.plausible_only:
        rows = rows.filter(pl.col("cents").is_between(*PLAUSIBLE_CENTS))
    if sources.sources or "codes" in ref.trusted:
        rows = rows.filter("trusted")
    return rows.filter(pl.col("trusted") | ~pl.col("trusted").any().over("code")).drop("kind", "trusted")


def look_up(wanted: pl.LazyFrame, rows: pl.DataFrame, *keys: str) -> pl.LazyFrame:
    """What each wanted code may be worth: every candidate, never one picked among several.

    Args:
        wanted: (…, at least `keys`, place, role and date_de_service), of lines.
        rows: of `tariffs`, with all of `keys`.
        keys: what a row and a line agree in, the code among it.

    Returns:
        (wanted, …): `candidates` list[i64] in cents, in order: the tariffs of the place, else those for all places.
    """
    wanted = wanted.cache()
    asked = [*keys, "place", "role", *(["date_de_service"] if _is_dated(rows) else [])]
    served, here = pl.col("date_de_service"), (pl.col("tariff_place") == pl.col("place")).fill_null(False)
    role = pl.col("tariff_role").is_null() | pl.col("role").is_null() | (pl.col("tariff_role") == pl.col("role"))
    begun = pl.col("valid_from").is_null() | (pl.col("valid_from") <= served)
    not_ended = pl.col("valid_to").is_null() | (pl.col("valid_to") >= served)
    found = (
        wanted.select(asked)
        .unique()
        .join(rows.lazy(), on=list(keys))
        .filter(role, here | (pl.col("tariff_place") == "all"), *([begun, not_ended] if _is_dated(rows) else []))
        .with_columns(here=here)
        .group_by(asked)
        .agg(at_place=pl.col("cents").filter("here").unique().sort(), anywhere=pl.col("cents").unique().sort())
        .with_columns(candidates=pl.when(pl.col("at_place").list.len() > 0).then("at_place").otherwise("anywhere"))
        .drop("at_place", "anywhere")
    )
    known = wanted.join(found, on=asked, how="left", nulls_equal=True)
    return known.with_columns(pl.col("candidates").fill_null(pl.lit([], pl.List(pl.Int64))))


def only_one() -> pl.Expr:
    """The tariff in cents where `look_up` finds one candidate; null without any, or among several."""
    return pl.when(pl.col("candidates").list.len() == 1).then(pl.col("candidates").list.first())


def _is_dated(rows: pl.DataFrame) -> bool:
    return bool(rows.select(pl.any_horizontal(pl.col("valid_from", "valid_to").is_not_null().any())).item())


def _compare_columns(cases: Cases, lines: pl.LazyFrame, ref: Reference) -> Plan:
    """Rules on lines that were paid less than was billed."""
    paid, billed = pl.col("paid_cents"), pl.col("prel_cents")
    unknown = ~(paid > 0).fill_null(False) | billed.is_null()
    names = [f"rule_{case.rule}" for case in cases]
    standings = [
        standing(case, ref, unknown=unknown, broken=billed - paid > to_cents(case.condition.tolerance)).alias(name)
        for case, name in zip(cases, names, strict=True)
    ]
    marked = lines.select("row_number", "prel_cents", "paid_cents", *standings).cache()
    short = [
        marked.filter(pl.col(name) == BROKEN).select(
            "row_number",
            rule=pl.lit(case.rule, pl.UInt16),
            amount_cents="paid_cents",
            expected_cents="prel_cents",
            gain_cents=paid - billed,
        )
        for case, name in zip(cases, names, strict=True)
    ]
    return Plan(pl.concat(short), count_standings(marked, cases, names))


def _compare_tariffs(cases: Cases, cents: pl.Expr, lines: pl.LazyFrame, ref: Reference) -> Plan:
    """Rules that look amounts up: lines that agree in all that decides are judged together."""
    known = {sources: tariffs(ref, sources) for sources in {case.condition.reference for case in cases}}
    rows = pl.concat(_rows(case, known[case.condition.reference]) for case in cases)
    situations = pl.concat(
        _situations([case for case in cases if case.rule in rules], filters, cents, lines, ref, dated=_is_dated(rows))
        for filters, rules in rules_by(cases, Filters.of).items()
    )
    judged = _judged(look_up(situations, rows, "rule", "code"), cases).cache()
    results = (
        judged.filter(pl.col("standing") == BROKEN)
        .explode("row_number")
        .select(
            *("rule", "row_number", "expected_cents"),
            amount_cents="cents",
            gain_cents=pl.col("cents") - pl.col("expected_cents"),
        )
    )
    skipped = pl.col("standing") == SKIPPED
    of_lines = pl.col("row_number").list.len().cast(pl.Int64)
    counted = judged.group_by("rule").agg(
        checked=of_lines.filter(~skipped).sum(), skipped=of_lines.filter(skipped).sum()
    )
    return Plan(results, counted)


def _situations(
    cases: Cases, filters: Filters, cents: pl.Expr, lines: pl.LazyFrame, ref: Reference, *, dated: bool
) -> pl.LazyFrame:
    """What decides whether an amount is right by rules of equal filters, with the lines that agree in it.

    Returns:
        (rule situations, 11): rule, code, code_no, place, role, cents, judged; date_de_service, units and minutes,
        null where no rule asks for them; row_number list[i64].
    """
    every = [case for case in cases if EVERY_CODE in case.codes]
    codes = sorted(frozenset[str]().union(*(case.codes for case in cases)))
    named = pl.lit(True) if every else has_code(codes)
    units = any(case.condition.units_aware for case in cases)
    minutes = any(case.condition.per_minutes for case in cases)
    asked = {
        "cents": cents,
        "judged": ~filters.where.unknown(),
        "date_de_service": pl.when(pl.lit(dated)).then("date_de_service"),
        "units": pl.when(pl.lit(units) & (pl.col("unites") > 0)).then("unites"),
        "minutes": pl.when(pl.lit(minutes) & pl.col("code").is_in(FURTHER_PERIODS)).then(BY_TIMES),
    }
    kept = lines.filter(named & filters.keep(ref)).select("row_number", "code", "code_no", "place", "role", **asked)
    situations = kept.group_by("code", "code_no", "place", "role", *asked).agg("row_number").cache()
    of_code = situations.join(code_table(cases), on="code_no")
    of_every = situations.join(parameters(every, {}, lambda case: ()), how="cross")
    return pl.concat([of_code, of_every.select(of_code.collect_schema().names())])


def _rows(case: Case[TariffCheck], rows: pl.DataFrame) -> pl.DataFrame:
    """Of the rows of the table what the codes of one rule may be worth, its fixed tariffs before them."""
    c = case.condition
    if not c.place_aware:
        rows = rows.with_columns(tariff_place=pl.lit("all"))
    if EVERY_CODE not in case.codes:
        rows = rows.filter(pl.col("code").is_in(sorted(case.codes)))
    fixed = pl.DataFrame(
        [(code, "all", to_cents(cad)) for code, cad in (c.fixed or {}).items()],
        schema={"code": pl.String, "tariff_place": pl.String, "cents": pl.Int64},
        orient="row",
    )
    rows = pl.concat([rows.filter(~pl.col("code").is_in(fixed["code"].to_list())), fixed], how="diagonal")
    return rows.with_columns(rule=pl.lit(case.rule, pl.UInt16))


def _judged(situations: pl.LazyFrame, cases: Cases) -> pl.LazyFrame:
    """Situations with their `standing`, and `expected_cents`, what the line may be worth that is nearest its amount."""
    # Worked out once: a second time the situations could come in another order.
    numbered = situations.with_row_index("situation").cache()
    worth, cents = pl.col("worth"), pl.col("cents")
    apart = (worth * pl.col("millionths") - cents * MILLION).abs()
    tried = (
        _worth(numbered, cases)
        .join(_multipliers(cases), on="rule")
        .sort((worth - cents).abs(), worth)
        .group_by("situation")
        .agg(right=(apart <= pl.col("tolerance") * MILLION).any(), expected_cents=worth.first())
    )
    unknown = ~pl.col("judged") | ~(cents > 0).fill_null(False) | pl.col("right").is_null()
    standing = pl.when(unknown).then(SKIPPED).when("right").then(JUDGED).otherwise(BROKEN)
    return numbered.join(tried, on="situation", how="left").with_columns(standing=standing)


def _worth(situations: pl.LazyFrame, cases: Cases) -> pl.LazyFrame:
    """Each candidate of a situation, times its further periods, and beside it that times its units, to the cent."""
    each_lasts = parameter(cases, "per_minutes")
    # Source: policies, 14. A last period counts when more than half of it was given: of 15 minutes, from 8.
    last = (pl.col("minutes") % each_lasts > each_lasts // 2).cast(pl.Int64)
    periods = pl.max_horizontal(pl.col("minutes") // each_lasts + last, 1)
    each = situations.explode("candidates").drop_nulls("candidates").with_columns(worth=pl.col("candidates") * periods)
    of_units = of_rules([case for case in cases if case.condition.units_aware])
    times_units = pl.when(of_units).then(
        (pl.col("worth") * pl.col("units")).round(mode="half_away_from_zero").cast(pl.Int64)
    )
    both = each.with_columns(worth=pl.concat_list("worth", times_units)).explode("worth").drop_nulls("worth")
    return both.select("situation", "rule", "cents", "worth")


def _multipliers(cases: Cases) -> pl.LazyFrame:
    rows = [
        (case.rule, int(factor * MILLION), to_cents(case.condition.tolerance))
        for case in cases
        for factor in case.condition.multipliers
    ]
    return pl.LazyFrame(rows, {"rule": pl.UInt16, "millionths": pl.Int64, "tolerance": pl.Int64}, orient="row")


def to_cents(cad: Decimal) -> int:
    """CAD in cents."""
    return int(cad * 100)
