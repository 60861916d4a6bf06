"""Rules on what an export itself does wrong: cards, dates, times, amounts, repeated and overlapping lines."""

from collections.abc import Iterable, Sequence
from functools import reduce
from typing import ClassVar, Literal, Self

import polars as pl
from pydantic import Field, field_validator, model_validator

from dashlib.records import COLUMNS
from dashlib.rules.base import LONGEST_DAYS, Case, Code, Condition, NamedCode, Plan, Reference, Scope, has_code
from dashlib.rules.filters import BROKEN, JUDGED, count_standings, standing
from dashlib.rules.line_checks import CHECKS
from dashlib.rules.reasons import reason, refuse
from dashlib.rules.references import readable

LineCheck = Literal[
    "nam_format",
    "nam_checksum",
    "date_missing",
    "future_date",
    "before_birth",
    "late_billing",
    "end_before_start",
    "negative_amount",
    "paid_above_preliminary",
    "zero_preliminary",
    "role_invalid",
    "period_before_service",
    "time_format",
    "midnight_placeholder",
    "diagnosis_format",
    "doctor_unparsed",
]

# What each check can be told; the others take no parameter of their own.
PARAMETERS: dict[str, tuple[str, ...]] = {
    "nam_format": ("allow_masked", "allow_empty_codes"),
    "nam_checksum": ("skip_masked",),
    "late_billing": ("days", "max_days", "reference_date"),
    "end_before_start": ("allow_midnight", "max_overnight_hours"),
    "duplicate_line": ("keys",),
    "overlap": ("exclude_pairs_same_session", "collective_codes"),
    "role_invalid": ("allowed",),
    "diagnosis_format": ("pattern",),
}
NEEDED = {"late_billing": "days", "duplicate_line": "keys"}


class DataQuality(Condition):
    """What looks wrong in a line itself, or beside its neighbours of the same day: one `check` a rule.

    A check takes its own parameters only (PARAMETERS); those not given have the defaults written in the checks below.
    `exclude_codes` goes with every check. A line that lacks what a check looks at is skipped.

    Source:
        Rule types, 12; clarifications, "tariff_check, reference_check, data_quality"; export format, 4.
    """

    facts: ClassVar[frozenset[str]] = frozenset({"days", "max", "value", "other", "other_debut"})

    type: Literal["data_quality"]
    check: LineCheck | Literal["duplicate_line", "overlap"]
    exclude_codes: frozenset[NamedCode] = frozenset()
    allow_masked: bool | None = None
    allow_empty_codes: frozenset[Code] | None = None
    skip_masked: bool | None = None
    days: int | None = Field(default=None, ge=0, le=LONGEST_DAYS)
    max_days: int | None = Field(default=None, ge=0, le=LONGEST_DAYS)
    reference_date: Literal["run_date"] | None = None
    allow_midnight: bool | None = None
    max_overnight_hours: int | None = Field(default=None, ge=0, le=24)
    keys: tuple[str, ...] | None = Field(default=None, min_length=1)
    exclude_pairs_same_session: bool | None = None
    collective_codes: frozenset[Code] | None = None
    allowed: frozenset[str] | None = Field(default=None, min_length=1)
    pattern: str | None = None

    @property
    def scope(self) -> Scope:
        if self.check == "overlap":
            return "doctor_day"
        if self.check == "duplicate_line" and not {"doctor", "patient", "date_de_service"} <= set(self.keys or ()):
            return "file"
        return "patient_doctor_day" if self.check == "duplicate_line" or self.unless_same_day_codes else "row"

    @field_validator("pattern")
    @classmethod
    def _can_be_read(cls, pattern: str | None) -> str | None:
        return readable(pattern)

    @field_validator("keys")
    @classmethod
    def _are_columns(cls, keys: tuple[str, ...] | None) -> tuple[str, ...] | None:
        unknown = set(keys or ()) - {column.name for column in COLUMNS}
        refuse("keys", [(bool(unknown), reason("", "no_column"))])
        return keys

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        known = PARAMETERS.get(self.check, ())
        every = [name for names in PARAMETERS.values() for name in names]
        needed = NEEDED.get(self.check)
        foreign = [name for name in every if name not in known and getattr(self, name) is not None]
        faults = [
            (needed is not None and getattr(self, needed) is None, reason(str(needed), "needed_by", by=self.check)),
            (
                self.days is not None and self.max_days is not None and self.max_days <= self.days,
                reason("max_days", "must_be_more", other="days"),
            ),
            *((True, reason(name, "not_of", of=self.check)) for name in foreign),
        ]
        refuse("quality", faults)
        return self

    @classmethod
    def compile(cls, cases: Sequence[Case[Self]], lines: pl.LazyFrame, ref: Reference) -> Iterable[Plan]:
        of_lines = [case for case in cases if case.condition.check in CHECKS]
        if of_lines:
            yield _check_lines(of_lines, lines, ref)
        for check, find in (("duplicate_line", _find_repeated), ("overlap", _find_overlapping)):
            of_groups = [case for case in cases if case.condition.check == check]
            if of_groups:
                yield find(of_groups, lines, ref)


type Cases = Sequence[Case[DataQuality]]


def _column(case: Case[DataQuality]) -> str:
    return f"rule_{case.rule}"


def _stand(case: Case[DataQuality], ref: Reference, unknown: pl.Expr, broken: pl.Expr | None = None) -> pl.Expr:
    excluded = sorted(case.condition.exclude_codes)
    said = standing(case, ref, unknown=unknown, broken=broken)
    if excluded:
        said = pl.when(~has_code(excluded)).then(said)
    return said.alias(_column(case))


def _check_lines(cases: Cases, lines: pl.LazyFrame, ref: Reference) -> Plan:
    """Rules that judge a line by itself: one column a rule, all over the same lines."""
    checks = {case.rule: CHECKS[case.condition.check](case.condition, ref) for case in cases}
    told = {name for check in checks.values() for fact in check.facts.values() for name in fact.meta.root_names()}
    standings = [_stand(case, ref, checks[case.rule].unknown, checks[case.rule].broken) for case in cases]
    marked = lines.select("row_number", *sorted(told), *standings).cache()
    broken = [
        marked.filter(pl.col(_column(case)) == BROKEN).select(
            "row_number", rule=pl.lit(case.rule, pl.UInt16), **checks[case.rule].facts
        )
        for case in cases
    ]
    return Plan(pl.concat(broken, how="diagonal"), count_standings(marked, cases, [_column(case) for case in cases]))


def _times(name: str) -> pl.Expr:
    return pl.coalesce(pl.col(f"{name}_min").cast(pl.String), name)


# How columns are compared: times and places however they are written, contexts as sets.
KEYS: dict[str, pl.Expr] = {column.name: pl.col(column.name) for column in COLUMNS} | {
    "debut": _times("debut"),
    "fin": _times("fin"),
    "lieu_de_pratique": pl.col("lieu"),
    "doctor": pl.col("doctor_key"),
    "patient": pl.col("patient_key"),
    "element_de_contexte": pl.col("contexts")
    .str.strip_chars("|")
    .str.split("|")
    .list.unique()
    .list.sort()
    .list.join("|"),
}


# Lines are first compared by a cheap number made of these; only the few that agree in it are compared whole.
ROUGHLY = ("doctor", "patient", "date_de_service", "code")


def _find_repeated(cases: Cases, lines: pl.LazyFrame, ref: Reference) -> Plan:
    """Lines that say the same as an earlier one in the order of "keep the first"."""
    unknown = pl.any_horizontal(pl.col("patient_doctor_day", "code").is_null())
    keys = {name for case in cases for name in case.condition.keys or ()}
    compared = {name for key in keys for name in KEYS[key].meta.root_names()}
    standings = [_stand(case, ref, unknown) for case in cases]
    marked = lines.select("row_number", "order_no", *sorted(compared), *standings).cache()
    repeated = pl.concat(_repeated(case, marked) for case in cases)
    return Plan(repeated, count_standings(marked, cases, [_column(case) for case in cases]))


def _repeated(case: Case[DataQuality], marked: pl.LazyFrame) -> pl.LazyFrame:
    keys = {f"key_{name}": KEYS[name] for name in case.condition.keys or ()}
    hashes = [KEYS[name].hash(seed) for seed, name in enumerate(ROUGHLY) if name in (case.condition.keys or ())]
    rough = reduce(pl.Expr.xor, hashes, pl.repeat(0, pl.len(), dtype=pl.UInt64))
    numbered = marked.with_columns(rough=rough)
    # Sorting finds the few numbers that stand twice in half the time of a hash table.
    ordered = pl.col("rough").sort()
    twice = numbered.select(ordered.filter(ordered == ordered.shift()).unique())
    return (
        numbered.join(twice, on="rough", how="semi")
        .filter(pl.col(_column(case)) == JUDGED)
        .select("row_number", "order_no", **keys)
        .with_columns(first=pl.col("row_number").sort_by("order_no").first().over(list(keys)))
        .filter(pl.col("row_number") != pl.col("first"))
        .select("row_number", rule=pl.lit(case.rule, pl.UInt16), related=pl.concat_list("first"))
    )


TIMED = ["row_number", "order_no", "is_paid", "doctor_day", "patient_key", "code", "debut", "debut_min", "fin_min"]
# Days are laid one after another on one line of time, so that a running maximum needs no groups.
DAY = 2 * 1440
# In a crowd of lines at one time only so many are paired: the first of them decides.
PARTNERS = 64


def _find_overlapping(cases: Cases, lines: pl.LazyFrame, ref: Reference) -> Plan:
    """Lines that begin before another patient's service by the same doctor has ended."""
    nobody = pl.any_horizontal(pl.col("doctor_day", "patient_key").is_null())
    unknown = nobody | (pl.col("fin_min") <= pl.col("debut_min"))
    marked = lines.select(*TIMED, *(_stand(case, ref, unknown) for case in cases)).cache()
    timed = pl.concat(
        marked.filter(pl.col(_column(case)) == JUDGED).select(*TIMED, _session(case), rule=pl.lit(case.rule, pl.UInt16))
        for case in cases
    )
    return Plan(_overlapping(timed), count_standings(marked, cases, [_column(case) for case in cases]))


def _session(case: Case[DataQuality]) -> pl.Expr:
    """The start of a collective session, which several patients share; null for a service to one."""
    collective = sorted(case.condition.collective_codes or ())
    if case.condition.exclude_pairs_same_session is False:
        collective = []
    return pl.when(pl.col("code").is_in(collective)).then("debut_min").alias("session")


def _overlapping(timed: pl.LazyFrame) -> pl.LazyFrame:
    """Of each two lines that overlap the later one, once, with the first of those that it overlaps."""
    day = pl.col("rule").cast(pl.Int64) * (pl.col("doctor_day").max() + 1) + pl.col("doctor_day")
    crowded = (
        timed.with_columns(start=day * DAY + pl.col("debut_min"), end=day * DAY + pl.col("fin_min"))
        .sort("start", "row_number")
        .with_columns(begins=pl.col("start") >= pl.col("end").cum_max().shift(1, fill_value=-1))
        .with_columns(cluster=pl.col("begins").cum_sum())
        .filter(~pl.col("begins") | ~pl.col("begins").shift(-1, fill_value=True))
    )
    same_start = pl.col("start") == pl.col("start_other")
    return (
        crowded.join(_partners(crowded), on="cluster", suffix="_other")
        .filter(
            pl.col("patient_key") != pl.col("patient_key_other"),
            pl.col("start") < pl.col("end_other"),
            (pl.col("start") > pl.col("start_other"))
            | (same_start & (pl.col("row_number") > pl.col("row_number_other"))),
            (pl.col("session") != pl.col("session_other")).fill_null(True),
        )
        .sort("order_no_other")
        .group_by("rule", "row_number")
        .agg(
            other=pl.col("code_other").first(),
            other_debut=pl.col("debut_other").first(),
            related="row_number_other",
        )
    )


def _partners(crowded: pl.LazyFrame) -> pl.LazyFrame:
    """The lines that others may overlap: all of a small cluster, the first patients of each time in a crowd."""
    time = ["cluster", "start", "end", "session", "is_paid"]
    return (
        crowded.with_columns(first=pl.col("patient_key").is_first_distinct().over(time))
        .with_columns(nth=pl.col("first").cum_sum().over(time))
        .filter((pl.len().over("cluster") <= PARTNERS) | (pl.col("first") & (pl.col("nth") <= PARTNERS)))
    )
