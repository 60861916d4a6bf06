"""Rules on what must stand with a code: another code beside it, a context, a time, a number of units."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Literal, Self, get_args

import polars as pl
from pydantic import model_validator

from dashlib.records import COLUMNS
from dashlib.rules.base import (
    Case,
    Code,
    Condition,
    Context,
    Plan,
    Reference,
    Scope,
    Strict,
    Where,
    by_code,
    candidates,
    counts,
    holds_context,
    rules_by,
)
from dashlib.rules.reasons import reason, refuse

Within = Literal["patient_day", "patient_doctor_day", "patient_doctor_lifetime", "invoice"]
Filled = Literal["debut", "fin", "unites", "diagnostic", "patient", "lieu_de_pratique"]


class Demands(Strict):
    """What a line needs; all that is given must hold.

    `any_codes` asks for another line with one of these codes in the same `scope`; `any_contexts` for one of these
    contexts, `no_contexts` for none of those; `fields` for a value in each, `any_fields` in at least one.
    """

    any_codes: tuple[Code, ...] = ()
    scope: Within | None = None
    any_contexts: tuple[Context, ...] = ()
    no_contexts: tuple[Context, ...] = ()
    fields: tuple[Filled, ...] = ()
    any_fields: tuple[Filled, ...] = ()

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        demanded = any(getattr(self, name) for name in DEMANDS)
        excluded = set(self.any_contexts) <= set(self.no_contexts)
        refuse(
            "requirement",
            [
                (not demanded, reason(DEMANDS[0], "one_of_needed", names=", ".join(DEMANDS))),
                (bool(self.any_codes) and self.scope is None, reason("scope", "needed_by", by="any_codes")),
                (not self.any_codes and self.scope is not None, reason("scope", "only_with", other="any_codes")),
                (bool(self.any_contexts) and excluded, reason("any_contexts", "all_left_out", by="no_contexts")),
            ],
        )
        return self


DEMANDS = ("any_codes", "any_contexts", "no_contexts", "fields", "any_fields")


class Requirement(Condition):
    """A line that lacks what its code requires, each reported once with what is missing.

    The companion of `any_codes` is another line, paid or not, looked for among all lines of the file: filters choose
    only the lines judged. Where nobody can tell whether there is one, for want of a patient, a doctor, a date or an
    invoice, the other demands are still judged. 00:00 is a start like another; units of 0 are none; an end tells
    nothing in `any_fields` unless the line has a start too.

    Source:
        Rule types, 5; clarifications, "prohibition, requirement".
    """

    facts: ClassVar[frozenset[str]] = frozenset({"missing"})

    type: Literal["requirement"]
    require: Demands

    @property
    def scope(self) -> Scope:
        """An invoice can hold lines of several patients and doctors."""
        match self.require.scope:
            case "invoice":
                return "file"
            case "patient_doctor_lifetime":
                return "patient"
            case None:
                return "patient_doctor_day" if self.unless_same_day_codes else "row"
            case day:
                return day

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        refuse("requirement", [self.without_codes()])
        return self

    @classmethod
    def compile(cls, cases: Sequence[Case[Self]], lines: pl.LazyFrame, ref: Reference) -> Iterable[Plan]:
        by_scope = rules_by(cases, lambda case: case.condition.require.scope)
        keys = {KEYS[scope] for scope in by_scope if scope}
        looked_at = candidates(cases, lines, ref).select("rule", "row_number", "judged", *keys, **_met(cases), **FILLED)
        looked_at = looked_at.cache()
        judged = (
            pl.concat(
                _with_companion(looked_at.filter(pl.col("rule").is_in(rules)), scope, cases, lines, ref)
                for scope, rules in by_scope.items()
            )
            .with_columns(holds=pl.all_horizontal(DEMANDS))
            .with_columns(judged=pl.col("judged") & pl.col("holds").is_not_null())
            .cache()
        )
        failing = judged.filter("judged", ~pl.col("holds"))
        yield Plan(failing.select("rule", "row_number", missing=_missing(cases)), counts(judged))


type Cases = Sequence[Case[Requirement]]

KEYS: dict[Within, str] = {
    "patient_day": "patient_day",
    "patient_doctor_day": "patient_doctor_day",
    "patient_doctor_lifetime": "patient_doctor",
    "invoice": "facture",
}
LABELS = {column.name: column.header for column in COLUMNS}
# Under names of their own, so that a line keeps its columns beside them.
FILLED = {
    "has_debut": pl.col("debut").is_not_null(),
    "has_fin": pl.col("fin").is_not_null(),
    "has_unites": (pl.col("unites") > 0).fill_null(False),
    "has_diagnostic": pl.col("diagnostic").is_not_null(),
    "has_patient": pl.col("patient").is_not_null(),
    "has_lieu_de_pratique": pl.col("lieu_de_pratique").is_not_null(),
}


def _met(cases: Cases) -> dict[str, pl.Expr]:
    """For each kind of demand on the line itself, true where it is met or not made; never null."""

    def every(demand: str, holds: Callable[[Any], pl.Expr]) -> pl.Expr:
        asked = rules_by(cases, lambda case: getattr(case.condition.require, demand))
        met = [~pl.col("rule").is_in(rules) | holds(values) for values, rules in asked.items() if values]
        return pl.all_horizontal(met) if met else pl.lit(True)

    return {
        "any_contexts": every("any_contexts", holds_context),
        "no_contexts": every("no_contexts", lambda contexts: ~holds_context(contexts)),
        "fields": every("fields", lambda fields: pl.all_horizontal(FILLED[f"has_{name}"] for name in fields)),
        "any_fields": every("any_fields", lambda fields: pl.any_horizontal(_tells(name) for name in fields)),
    }


def _tells(field: Filled) -> pl.Expr:
    filled = FILLED[f"has_{field}"]
    return FILLED["has_debut"] & filled if field == "fin" else filled


def _with_companion(
    looked_at: pl.LazyFrame, scope: Within | None, cases: Cases, lines: pl.LazyFrame, ref: Reference
) -> pl.LazyFrame:
    """Adds `any_codes`: whether another line in the same scope has a code asked for; null where nobody can tell."""
    if scope is None:
        return looked_at.with_columns(any_codes=True)
    key = KEYS[scope]
    asking = [_for_companions(case) for case in cases if case.condition.require.scope == scope]
    # Few lines are judged, and many could be companions: those that meet none of them are left out first.
    near = lines.join(looked_at.select(key).unique(), on=key, how="semi").select("row_number", "code_no", key)
    beside = by_code(asking, near, ref).group_by("rule", key).agg(companions=pl.len(), first=pl.col("row_number").min())
    another = (pl.col("companions") > 1) | (pl.col("first") != pl.col("row_number"))
    return (
        looked_at.join(beside, on=["rule", key], how="left")
        .with_columns(any_codes=pl.when(pl.col(key).is_not_null()).then(another.fill_null(False)))
        .drop("companions", "first")
    )


def _for_companions(case: Case[Requirement]) -> Case[Requirement]:
    """The rule as if the codes that it asks for were its own, without its filters."""
    condition = case.condition.model_copy(update={"where": Where()})
    return replace(case, condition=condition, codes=frozenset(condition.require.any_codes))


def _missing(cases: Cases) -> pl.Expr:
    """What a line lacks: codes, contexts or fields, alternatives parted by a stroke; a context too many has no name."""
    alternatives = [
        pl.when(~pl.col(demand)).then(_by_rule(cases, demand, label))
        for demand, label in (("any_codes", str), ("any_contexts", str), ("any_fields", LABELS.__getitem__))
    ]
    fields = [
        pl.when(~pl.col(f"has_{name}") & pl.col("rule").is_in(rules)).then(pl.lit(LABELS[name]))
        for name in get_args(Filled)
        if (rules := [case.rule for case in cases if name in case.condition.require.fields])
    ]
    said = pl.concat_str(*alternatives, *fields, separator=", ", ignore_nulls=True)
    return pl.when(said != "").then(said)


def _by_rule(cases: Cases, demand: str, label: Callable[[str], str]) -> pl.Expr:
    texts = {case.rule: " / ".join(map(label, getattr(case.condition.require, demand))) or None for case in cases}
    return pl.col("rule").replace_strict(texts, return_dtype=pl.String)
