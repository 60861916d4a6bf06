"""What all rule types share: the parameters every condition takes, and the lines that a rule looks at.

A rule is data; its meaning is a class. `Condition.compile` turns all rules of a type into a few plans over the prepared
lines (`records.prepare`), with the parameters as small tables; what a single rule means is written once more, slowly
and plainly, in its twin under tests/oracle.
"""

import functools
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal, Self

import polars as pl
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from dashlib.rules.reasons import reason, refuse
from dashlib.texts import Phrase

Severity = Literal["error", "warning", "info"]
Scope = Literal["row", "patient_day", "patient_doctor_day", "patient", "doctor_day", "doctor", "establishment", "file"]
"""The key by which a rule's work can be split, with the same results: lines of two keys never meet."""

EVERY_CODE = "*"


def _code(text: str) -> str:
    refuse("code", [(text != EVERY_CODE and not re.fullmatch("[0-9]{1,5}", text), reason("", "no_code"))])
    return text if text == EVERY_CODE else text.zfill(5)


def _named(text: str) -> str:
    refuse("code", [(text == EVERY_CODE, reason("", "every"))])
    return text


def _context(text: str) -> str:
    name = text.strip().lstrip("#").strip().upper()
    refuse("context", [(not name, reason("", "no_context"))])
    return name


def _filled(text: str) -> str:
    refuse("text", [(not text.strip(), reason("", "empty_text"))])
    return text


Code = Annotated[str, AfterValidator(_code)]
NamedCode = Annotated[Code, AfterValidator(_named)]
Context = Annotated[str, AfterValidator(_context)]
Text = Annotated[str, AfterValidator(_filled)]


class Strict(BaseModel):
    """A value that cannot change, refuses unknown keys, and never quotes its input in an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


# In months: a NAM tells no age of so many.
OLDEST = 111 * 12
# More days, months or lines than any export holds; a bigger number would only overflow.
LONGEST_DAYS, LONGEST_MONTHS, MOST = 36_600, 1_200, 10**9


class Where(Strict):
    """Which lines a rule looks at; all given parts must hold. Ages are inclusive, at the line's own date."""

    places: frozenset[Literal["cabinet", "etablissement"]] = frozenset()
    establishment_prefixes: tuple[Text, ...] = ()
    establishment_flags: frozenset[str] = frozenset()
    sectors: tuple[Text, ...] = ()
    contexts_any: frozenset[Context] = frozenset()
    contexts_none: frozenset[Context] = frozenset()
    roles: frozenset[str] = frozenset()
    paid: Literal["any", "paid", "unpaid"] = "any"
    date_from: date | None = None
    date_to: date | None = None
    age_min_months: int | None = Field(default=None, ge=0)
    age_max_months: int | None = Field(default=None, ge=0)
    age_min_years: int | None = Field(default=None, ge=0)
    age_max_years: int | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        least = max(self.age_min_months or 0, (self.age_min_years or 0) * 12)
        months = OLDEST if self.age_max_months is None else self.age_max_months
        years = OLDEST if self.age_max_years is None else self.age_max_years * 12 + 11
        both = self.date_from is not None and self.date_to is not None
        refuse(
            "where",
            [
                (least > min(months, years), reason("age_min_months, age_min_years", "no_age")),
                (both and str(self.date_to) < str(self.date_from), reason("date_to", "before", other="date_from")),
                (
                    bool(self.contexts_any) and self.contexts_any <= self.contexts_none,
                    reason("contexts_any", "all_left_out", by="contexts_none"),
                ),
            ],
        )
        return self

    @property
    def asks_age(self) -> bool:
        return any(
            getattr(self, f"age_{end}_{unit}") is not None for end in ("min", "max") for unit in ("months", "years")
        )

    def unknown(self) -> pl.Expr:
        """True for a line that cannot be judged by role or age: it is left out, and counted as skipped."""
        unknown = pl.lit(False)
        if self.roles:
            unknown = unknown | pl.col("role").is_null()
        if self.asks_age:
            unknown = unknown | AGE_MONTHS.is_null()
        return unknown

    def keeps(self, ref: "Reference") -> pl.Expr:
        """True for a line that the rule looks at, or would if its role or age were known; never null."""
        parts: list[pl.Expr] = []
        if self.places:
            parts.append(pl.col("place").is_in(list(self.places)))
        if self.establishment_prefixes:
            parts.append(pl.any_horizontal(pl.col("lieu").str.starts_with(p) for p in self.establishment_prefixes))
        if self.establishment_flags:
            parts.append(pl.col("lieu").is_in(ref.flagged(self.establishment_flags)))
        if self.sectors:
            sector = plain(pl.col("secteur_activite"))
            parts.append(pl.any_horizontal(sector.str.contains(plain_text(s), literal=True) for s in self.sectors))
        if self.contexts_any:
            parts.append(holds_context(self.contexts_any))
        if self.contexts_none:
            parts.append(~holds_context(self.contexts_none))
        if self.roles:
            parts.append(pl.col("role").is_in(list(self.roles)) | pl.col("role").is_null())
        if self.paid != "any":
            parts.append(pl.col("is_paid") if self.paid == "paid" else ~pl.col("is_paid"))
        if self.date_from:
            parts.append(pl.col("date_de_service") >= self.date_from)
        if self.date_to:
            parts.append(pl.col("date_de_service") <= self.date_to)
        years = AGE_MONTHS // 12
        for bound, age, test in (
            (self.age_min_months, AGE_MONTHS, pl.Expr.ge),
            (self.age_max_months, AGE_MONTHS, pl.Expr.le),
            (self.age_min_years, years, pl.Expr.ge),
            (self.age_max_years, years, pl.Expr.le),
        ):
            if bound is not None:
                parts.append(test(age, bound) | age.is_null())
        return pl.all_horizontal(parts).fill_null(False) if parts else pl.lit(True)


class CodeGroups(Strict):
    """Codes named by the reference instead of one by one; the rule follows the reference."""

    leaf: tuple[Text, ...] = ()
    level1_group_contains: tuple[Text, ...] = ()
    section_prefix: tuple[Text, ...] = ()

    @model_validator(mode="after")
    def _names_some(self) -> Self:
        nothing = not (self.leaf or self.level1_group_contains or self.section_prefix)
        refuse("groups", [(nothing, reason("leaf", "one_of_needed", names=", ".join(type(self).model_fields)))])
        return self

    def resolve(self, codes: pl.DataFrame) -> frozenset[str]:
        """Codes of these groups: leaf exactly, substring and prefix without regard to case and accents."""
        hit = pl.col("leaf").is_in(list(self.leaf))
        for part in self.level1_group_contains:
            hit = hit | plain(pl.col("level1_group")).str.contains(plain_text(part), literal=True)
        for prefix in self.section_prefix:
            hit = hit | plain(pl.col("section")).str.starts_with(plain_text(prefix))
        return frozenset(codes.filter(hit.fill_null(False))["code"].str.zfill(5))


class Condition(Strict, ABC):
    """What every rule type takes.

    `facts` are the words in braces that a message of this type may use, beside those every line has (LINE_FACTS).
    """

    facts: ClassVar[frozenset[str]] = frozenset()

    type: str
    codes: tuple[Code, ...] = ()
    code_groups: CodeGroups | None = None
    where: Where = Where()
    unless_contexts: frozenset[Context] = frozenset()
    unless_same_day_codes: frozenset[NamedCode] = frozenset()
    unless_rules: frozenset[str] = frozenset()
    each_code: bool = False

    def without_codes(self) -> tuple[bool, Phrase]:
        """Whether the rule names no codes, and what is said of it then."""
        none = not self.codes and self.code_groups is None
        return none, reason("codes", "one_of_needed", names="codes, code_groups")

    @property
    @abstractmethod
    def scope(self) -> Scope:
        """The key by which this rule's work can be split; a ClassVar in types where all rules share it."""

    @classmethod
    @abstractmethod
    def compile(cls, cases: "Sequence[Case[Self]]", lines: pl.LazyFrame, ref: "Reference") -> "Iterable[Plan]":
        """All rules of this type, set-at-a-time.

        Args:
            cases: the rules of this type, with their codes resolved; none without codes where codes are needed.
            lines: (lines, columns of `records.prepare`), in file order.
            ref: what lines are judged against.
        """


@dataclass(frozen=True)
class Case[C: Condition]:
    """One rule of a run: its number in the run, its condition, and its codes with the groups resolved."""

    rule: int
    name: str
    condition: C
    codes: frozenset[str]
    threshold: Decimal | None = None
    valid_from: date | None = None
    valid_to: date | None = None


@dataclass(frozen=True)
class Plan:
    """What a type's rules find, and how many lines they could and could not judge.

    `results`: one row a result: rule u16 (Case.rule), row_number i64, and, where the type has them, severity str (else
    the rule's), amount_cents i64 (else the line's preliminary amount), related list[i64] (row numbers of the lines
    that were counted beside this one) and facts (FACTS).
    `counts`: rule u16, checked i64, skipped i64, one row a rule at most per plan; plans of a rule are added up.
    """

    results: pl.LazyFrame
    counts: pl.LazyFrame


RELATED_LINES = 50
"""The most lines that a result names beside its own: in a big group all of them would fill the memory."""

# Facts that a result may carry for its message, beside those of its line, in words that read the same in both
# languages. Money is in cents: a message says {total} for total or total_cents, {max} for max or max_cents.
FACTS: dict[str, pl.DataType | type[pl.DataType]] = {
    "count": pl.Int64,
    "max": pl.Int64,
    "period": pl.String,
    "other": pl.String,
    "other_date": pl.Date,
    "other_debut": pl.String,
    "first_date": pl.Date,
    "days": pl.Int64,
    "value": pl.String,
    "registered": pl.Int64,
    "walkIn": pl.Int64,
    "need_registered": pl.Int64,
    "need_walkIn": pl.Int64,
    "total": pl.Int64,
    "minutes": pl.Int64,
    "age": pl.String,
    "left": pl.Int64,
    "days_left": pl.Int64,
    "unit": pl.String,
    "range": pl.String,
    "window": pl.String,
    "missing": pl.String,
    "codes": pl.String,
    "suggested": pl.String,
    "total_cents": pl.Int64,
    "max_cents": pl.Int64,
    "expected_cents": pl.Int64,
    "gain_cents": pl.Int64,
    "lines": pl.Int64,
    "reason": pl.String,
}
LINE_FACTS = frozenset(
    {"code", "date", "year", "debut", "fin", "establishment", "place", "amount", "invoice", "doctor"}
)


CODES: dict[str, pl.DataType | type[pl.DataType]] = {
    "code": pl.String,
    "place": pl.String,
    "tariff_value": pl.Decimal(10, 2),
    "leaf": pl.String,
    "section": pl.String,
    "level1_group": pl.String,
    "role": pl.String,
    "kind": pl.String,
    "valid_from": pl.Date,
    "valid_to": pl.Date,
    "trusted": pl.Boolean,
    "indicators": pl.List(pl.String),
}


@dataclass(frozen=True)
class Reference:
    """What lines are judged against: published tables, and the day of the run.

    Frames: codes (code, place, tariff_value CAD, leaf, section, level1_group, role, kind, valid_from, valid_to,
    trusted bool, indicators list[str], as «P.G. 2.4.7.7 A»), of which a code has several; contexts (context, aliases
    list[str]), establishments (code, flags list[str]), holidays (date, applies_to: `all`, or the establishment that
    has its own day, name). `trusted` names the tables that are complete; a starter is not.
    """

    run_date: date
    codes: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=CODES))
    contexts: pl.DataFrame = field(
        default_factory=lambda: pl.DataFrame(schema={"context": pl.String, "aliases": pl.List(pl.String)})
    )
    establishments: pl.DataFrame = field(
        default_factory=lambda: pl.DataFrame(schema={"code": pl.String, "flags": pl.List(pl.String)})
    )
    holidays: pl.DataFrame = field(
        default_factory=lambda: pl.DataFrame(schema={"date": pl.Date, "applies_to": pl.String, "name": pl.String})
    )
    trusted: frozenset[str] = frozenset()

    def flagged(self, flags: frozenset[str]) -> list[str]:
        """Establishments, padded to 5, for which all these flags are true."""
        has_all = pl.all_horizontal(pl.col("flags").list.contains(flag) for flag in flags)
        return self.establishments.filter(has_all)["code"].str.zfill(5).to_list()


def candidates[C: Condition](cases: Sequence[Case[C]], lines: pl.LazyFrame, ref: Reference) -> pl.LazyFrame:
    """Every (rule, line) that rules look at: by code, validity, `where`, `unless_contexts`, `unless_same_day_codes`.

    Returns:
        (rule lines, columns of lines + rule u16 + judged bool): `judged` is false where `where` asks a role or an age
        that the line does not tell; such lines take no part and are counted as skipped.
    """
    return looked_at(by_code(cases, lines, ref), cases, lines, ref)


def by_code[C: Condition](cases: Sequence[Case[C]], lines: pl.LazyFrame, ref: Reference) -> pl.LazyFrame:
    """Every (rule, line) of the rules' codes; of a rule of every code only the lines that its `where` keeps."""
    # To leave out other codes first is quicker than to join all lines with the rules.
    codes = frozenset[str]().union(*(case.codes for case in cases)) - {EVERY_CODE}
    named = lines.filter(has_code(codes)).join(code_table(cases), on="code_no")
    every = [case for case in cases if EVERY_CODE in case.codes]
    if not every:
        return named
    kept = lines.filter(pl.any_horizontal(case.condition.where.keeps(ref) for case in every))
    everywhere = kept.join(parameters(every, {}, lambda case: ()), how="cross")
    return pl.concat([named, everywhere.select(named.collect_schema().names())])


def code_table[C: Condition](cases: Sequence[Case[C]]) -> pl.LazyFrame:
    """(rule, code_no) for rules that name their codes."""
    pairs = [(case.rule, int(code)) for case in cases if EVERY_CODE not in case.codes for code in sorted(case.codes)]
    return pl.LazyFrame(pairs, schema={"rule": pl.UInt16, "code_no": pl.UInt32}, orient="row")


def has_code(codes: Iterable[str]) -> pl.Expr:
    """True for a line of one of these codes; never null. By number: texts take eight times as long."""
    return pl.col("code_no").is_in(sorted(int(code) for code in codes)).fill_null(False)


def by_code_no(values: Mapping[int, int], otherwise: int) -> pl.Expr:
    """What is said of each line's code, never null: a code's number is a place in a list, which needs no join."""
    places = pl.repeat(otherwise, 10**5, dtype=pl.Int64, eager=True).scatter(list(values), list(values.values()))
    return pl.lit(places).gather("code_no").fill_null(otherwise)


def looked_at[C: Condition](
    pairs: pl.LazyFrame, cases: Sequence[Case[C]], lines: pl.LazyFrame, ref: Reference
) -> pl.LazyFrame:
    """`pairs` (rule + columns of lines) less those that the rules' filters remove, with `judged`."""
    kept, judged = pl.lit(True), pl.lit(True)
    for where, rules in rules_by(cases, lambda case: case.condition.where).items():
        if where != Where():
            others = ~pl.col("rule").is_in(rules)
            judged = judged & (others | ~where.unknown())
            kept = kept & (others | where.keeps(ref))
    for contexts, rules in rules_by(cases, lambda case: case.condition.unless_contexts).items():
        if contexts:
            kept = kept & ~(pl.col("rule").is_in(rules) & holds_context(contexts))
    for (start, end), rules in rules_by(cases, lambda case: (case.valid_from, case.valid_to)).items():
        others = ~pl.col("rule").is_in(rules)
        if start:
            kept = kept & (others | (pl.col("date_de_service") >= start))
        if end:
            kept = kept & (others | (pl.col("date_de_service") <= end))
    # As columns, what several filters ask (an age) is worked out once.
    pairs = pairs.with_columns(kept=kept, judged=judged).filter("kept").drop("kept")
    silencing = [(case.rule, int(code)) for case in cases for code in sorted(case.condition.unless_same_day_codes)]
    if silencing:
        codes = pl.LazyFrame(silencing, schema={"rule": pl.UInt16, "code_no": pl.UInt32}, orient="row")
        held = lines.select("code_no", "patient_doctor_day").drop_nulls().join(codes, on="code_no").unique()
        pairs = pairs.join(held, on=["rule", "patient_doctor_day"], how="anti")
    return pairs


def rules_by[C: Condition, K](cases: Sequence[Case[C]], key: Any) -> dict[Any, list[int]]:
    """Rule numbers by what they have in common."""
    groups: dict[Any, list[int]] = {}
    for case in cases:
        groups.setdefault(key(case), []).append(case.rule)
    return groups


def parameters[C: Condition](cases: Sequence[Case[C]], schema: dict[str, Any], of: Any) -> pl.LazyFrame:
    """A small table of parameters, one row a rule: `of(case)` gives the values in the order of `schema`."""
    rows = [(case.rule, *of(case)) for case in cases]
    return pl.LazyFrame(rows, schema={"rule": pl.UInt16, **schema}, orient="row")


def counts(pairs: pl.LazyFrame) -> pl.LazyFrame:
    """Lines checked and lines skipped of each rule, from (rule, judged)."""
    return pairs.group_by("rule").agg(
        checked=pl.col("judged").sum().cast(pl.Int64), skipped=(~pl.col("judged")).sum().cast(pl.Int64)
    )


def holds_context(contexts: Iterable[str]) -> pl.Expr:
    """True where the line holds at least one of these context codes, compared as whole tokens; never null."""
    return pl.col("contexts").str.contains_any([f"|{context}|" for context in sorted(contexts)]).fill_null(False)


AGE_MONTHS = pl.col("age_months")
"""Completed months at the date of service, null where the NAM is masked, malformed or impossible; years are // 12."""


def plain(text: pl.Expr) -> pl.Expr:
    """Lower case without accents."""
    return text.str.normalize("NFD").str.replace_all(r"\p{M}", "").str.to_lowercase()


@functools.cache
def plain_text(text: str) -> str:
    """Lower case without accents."""
    return str(pl.select(plain(pl.lit(text))).item())
