"""Rules that compare what stands on a line with a published table, or with the form it should have."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import ClassVar, Literal, Self

import polars as pl
from pydantic import field_validator, model_validator

from dashlib.rules.base import Case, Condition, Plan, Reference, Scope, plain
from dashlib.rules.filters import JUDGED, count_standings, standing
from dashlib.rules.reasons import reason, refuse

Subject = Literal["code", "element_de_contexte", "lieu_de_pratique", "secteur_activite", "diagnostic"]
Table = Literal["codes", "contexts", "establishments"]
Match = Literal["exact", "zfill5", "code_or_alias", "code_place"]

# What each table can be asked, and how.
TABLES: dict[Table, tuple[Subject, frozenset[Match]]] = {
    "codes": ("code", frozenset(("exact", "zfill5", "code_place"))),
    "contexts": ("element_de_contexte", frozenset(("exact", "code_or_alias"))),
    "establishments": ("lieu_de_pratique", frozenset(("exact", "zfill5"))),
}
PLACES = ("cabinet", "etablissement")


class ReferenceCheck(Condition):
    """A value that the reference does not know, or that does not have the form of its `pattern`.

    Each context of a line is looked up by itself; several unknown ones are one result, which names the first. An empty
    table says nothing, and an absent value is not judged. While the codes table is only a starter, an unknown code is
    one info, on its first line, with its number of lines and their sum; with `skip_if_table_untrusted` the rule says
    only once that something is unknown.

    Source:
        Rule types, 11; clarifications, "tariff_check, reference_check, data_quality".
    """

    facts: ClassVar[frozenset[str]] = frozenset({"value", "lines", "total_cents"})

    type: Literal["reference_check"]
    field: Subject
    table: Table | None = None
    match: Match = "exact"
    pattern: str | None = None
    skip_if_table_untrusted: bool = False

    @property
    def scope(self) -> Scope:
        """An untrusted table makes one result of all lines of a code."""
        if self.table == "codes" or self.skip_if_table_untrusted:
            return "file"
        return "patient_doctor_day" if self.unless_same_day_codes else "row"

    @field_validator("pattern")
    @classmethod
    def _can_be_read(cls, pattern: str | None) -> str | None:
        return readable(pattern)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        subject, matches = TABLES[self.table] if self.table else (self.field, frozenset({"exact"}))
        faults = [
            (
                (self.table is None) == (self.pattern is None),
                reason("table", "either_needed", one="table", other="pattern"),
            ),
            (self.field != subject, reason("field", "table_knows", table=self.table, subject=subject)),
            (self.match not in matches, reason("match", "one_of", names=", ".join(sorted(matches)))),
            (
                self.table is None and self.skip_if_table_untrusted,
                reason("skip_if_table_untrusted", "only_with", other="table"),
            ),
        ]
        refuse("reference", faults)
        return self

    @classmethod
    def compile(cls, cases: Sequence[Case[Self]], lines: pl.LazyFrame, ref: Reference) -> Iterable[Plan]:
        ordered = sorted(cases, key=_key_name)
        for key, group in groupby(ordered, key=_key_name):
            yield _plan(list(group), KEYS[key], lines, ref)


def readable(pattern: str | None) -> str | None:
    """The pattern, if it is a regular expression that the engine can read."""
    try:
        pl.Series([""]).str.contains(pattern or "")
    except pl.exceptions.ComputeError:
        refuse("pattern", [(True, reason("", "no_pattern"))])
    return pattern


type Cases = Sequence[Case[ReferenceCheck]]

# The text that a line is looked up by: lines of one text share the answer.
KEYS: dict[str, pl.Expr] = {
    "code": pl.col("code"),
    "code_place": pl.concat_str("code", "place", separator="@"),
    "element_de_contexte": pl.col("contexts"),
    "lieu_de_pratique": pl.col("lieu_de_pratique"),
    "secteur_activite": pl.col("secteur_activite"),
    "diagnostic": pl.col("diagnostic"),
}


def _key_name(case: Case[ReferenceCheck]) -> str:
    return "code_place" if case.condition.match == "code_place" else case.condition.field


def _column(case: Case[ReferenceCheck]) -> str:
    return f"rule_{case.rule}"


def _plan(cases: Cases, key: pl.Expr, lines: pl.LazyFrame, ref: Reference) -> Plan:
    """Rules on one field: what is unknown is found among its distinct values, then its lines."""
    standings = [
        standing(case, ref, unknown=key.is_null() | pl.lit(_is_empty(case, ref))).alias(_column(case)) for case in cases
    ]
    marked = lines.select("row_number", "prel_cents", *standings, key=key).cache()
    unknown = _unknown_values(marked.select("key").unique().drop_nulls(), cases, ref)
    summed = [case for case in cases if _is_summed(case, ref)]
    by_line = [case for case in cases if case not in summed]
    results = [
        *(_each_line(marked, unknown, case) for case in by_line),
        *(_sum(marked, unknown, case) for case in summed),
    ]
    return Plan(pl.concat(results, how="diagonal"), count_standings(marked, cases, [_column(case) for case in cases]))


def _unknown_values(values: pl.LazyFrame, cases: Cases, ref: Reference) -> pl.LazyFrame:
    """(rule, key, value): what each rule does not know, and the first unknown element of it to show."""
    elements = values.with_columns(element=pl.col("key"))
    if cases[0].condition.field == "element_de_contexte":
        elements = values.with_columns(element=pl.col("key").str.strip_chars("|").str.split("|")).explode("element")
    return pl.concat(
        elements.filter(~_is_known(case.condition, ref))
        .group_by("key", maintain_order=True)
        .agg(value=pl.col("element").first().str.split("@").list.first())
        .with_columns(rule=pl.lit(case.rule, pl.UInt16))
        for case in cases
    )


def _is_known(condition: ReferenceCheck, ref: Reference) -> pl.Expr:
    """True where the reference knows an element, or where it has the form of the pattern."""
    element = pl.col("element")
    if condition.pattern is not None:
        return element.str.contains(condition.pattern)
    if condition.match == "code_place":
        return element.is_in(_places_of_codes(ref.codes))
    if condition.table == "contexts":
        return element.is_in(_contexts(ref.contexts, aliases=condition.match == "code_or_alias"))
    table = ref.codes if condition.table == "codes" else ref.establishments
    if condition.match == "exact":
        return element.is_in(table["code"].unique().to_list())
    return element.str.zfill(5).is_in(table["code"].str.zfill(5).unique().to_list())


def _contexts(contexts: pl.DataFrame, *, aliases: bool) -> list[str]:
    """Context codes in the form of a line's: upper case, without #."""
    names = [contexts["context"], *([contexts["aliases"].explode()] if aliases else [])]
    texts = pl.concat(names).drop_nulls().str.strip_chars().str.strip_chars_start("#")
    return texts.str.to_uppercase().unique().to_list()


def _places_of_codes(codes: pl.DataFrame) -> list[str]:
    """code@place for each place where a code is known; a row for all places, or for none, stands for each."""
    place = plain(pl.col("place"))
    return (
        codes.select(
            pl.col("code").str.zfill(5),
            place=pl.when(place.is_in(PLACES)).then(pl.concat_list(place)).otherwise(pl.lit(list(PLACES))),
        )
        .explode("place")
        .select(pl.concat_str("code", "place", separator="@").unique())
        .to_series()
        .to_list()
    )


def _is_empty(case: Case[ReferenceCheck], ref: Reference) -> bool:
    table = case.condition.table
    return table is not None and getattr(ref, table).is_empty()


def _is_summed(case: Case[ReferenceCheck], ref: Reference) -> bool:
    """Whether the table is not yet complete and the rule therefore says less."""
    trusted = case.condition.table is None or case.condition.table in ref.trusted
    return not trusted and (case.condition.skip_if_table_untrusted or _key_name(case) == "code")


def _each_line(marked: pl.LazyFrame, unknown: pl.LazyFrame, case: Case[ReferenceCheck]) -> pl.LazyFrame:
    of_rule = unknown.filter(pl.col("rule") == case.rule)
    judged = marked.filter(pl.col(_column(case)) == JUDGED)
    return judged.join(of_rule, on="key").select("rule", "row_number", "value")


def _sum(marked: pl.LazyFrame, unknown: pl.LazyFrame, case: Case[ReferenceCheck]) -> pl.LazyFrame:
    """One info for each unknown code, or for all that is unknown, on its first line."""
    by_value = (
        marked.filter(pl.col(_column(case)) == JUDGED)
        .group_by("key")
        .agg(pl.col("row_number").min(), lines=pl.len().cast(pl.Int64), total_cents=pl.col("prel_cents").sum())
        .join(unknown.filter(pl.col("rule") == case.rule), on="key")
    )
    together = pl.lit(None, pl.String) if case.condition.skip_if_table_untrusted else pl.col("value")
    return (
        by_value.group_by("rule", together=together)
        .agg(
            pl.col("row_number").min(),
            pl.col("value").get(pl.col("row_number").arg_min()),
            pl.col("lines", "total_cents").sum(),
            severity=pl.lit("info"),
        )
        .drop("together")
    )
