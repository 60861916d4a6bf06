"""What dashboards draw, counted once when a run completes. Pure frames, without PHI: doctors are pseudonyms.

Distinct patients do not add up over places or doctors, so they are counted at each level they are shown at.
"""

from dataclasses import dataclass
from decimal import Decimal

import polars as pl

from dashlib.phi import Pseudonyms

# What is no place's number may be anything, a name too: roll-ups are for every eye and keep none of it.
PLACE = r"^([0-9]{5}|[A-Z][0-9][A-Z] ?[0-9][A-Z][0-9])$"
WALK_IN_CONTEXTS = ("G160", "AR")  # as the office-fee rules have them by default
_OF_LINE = (
    *("row_number", "date_de_service", "doctor", "lieu", "facture", "code", "contexts", "patient_key"),
    *("is_paid", "prel_cents", "paid_cents", "reversed"),
)
# A cell is a doctor's day at one place. Lines are grouped by numbers, which costs a third of grouping by the texts.
NAMES = {
    "cell": ("date_de_service", "doctor", "lieu_de_pratique"),
    "doctor_day": ("date_de_service", "doctor"),
    "day": ("date_de_service",),
}


@dataclass(frozen=True)
class RollUps:
    """One frame for each roll-up table, with its columns but the run's."""

    days: pl.DataFrame
    rules: pl.DataFrame
    contexts: pl.DataFrame
    doctor_days: pl.DataFrame
    run_days: pl.DataFrame


def roll_up(lines: pl.DataFrame, results: pl.DataFrame, wanted: pl.DataFrame, pseudonyms: Pseudonyms) -> RollUps:
    """Counts of a run's lines and results by day, doctor and place.

    Args:
        lines: of `records.prepare`.
        results: (results, rule_id, severity, category, row_number, amount).
        wanted: (rule_id, context): the contexts with which a rule would not have reported a line.

    A line at risk is an unpaid line in error (its preliminary amount), a line to repay a paid one (its paid amount);
    each line counts once whatever the number of its results, a reversal and what it cancels not at all. An invoice
    counts where its first line stands.
    """
    marked = mark(lines, results).lazy()
    seen = _seen(marked, "cell")
    cells = (
        _lines(marked)
        .join(_patients(seen, "cell"), on="cell", how="left")
        .join(_invoices(marked), on="cell", how="left")
        .join(_gains(marked, results), on="cell", how="left")
        .with_columns(pl.selectors.numeric().fill_null(0))
    )
    plans = {
        "cell": (cells, _results(marked, results)),
        "doctor_day": (_patients(seen, "doctor_day"),),
        "day": (_patients(seen, "day").select("day", "patients", "registered", "walk_in"),),
    }
    named = [_named(plan, marked, level) for level, alike in plans.items() for plan in alike]
    days, rules, *patients, contexts = pl.collect_all([*named, _contexts(marked, results, wanted)], engine="in-memory")
    doctor_days, run_days = patients
    return RollUps(
        _pseudonymised(days, pseudonyms),
        _pseudonymised(rules, pseudonyms),
        contexts,
        _pseudonymised(doctor_days, pseudonyms),
        run_days,
    )


def _named(counted: pl.LazyFrame, marked: pl.LazyFrame, level: str) -> pl.LazyFrame:
    """Counts of a level with the names of its groups in place of their numbers."""
    names = marked.group_by(level).agg(pl.col(NAMES[level]).first())
    return counted.join(names, on=level).select(*NAMES[level], pl.exclude(level, *NAMES[level]))


def _pseudonymised(counted: pl.DataFrame, pseudonyms: Pseudonyms) -> pl.DataFrame:
    return counted.with_columns(pseudonyms.doctors(counted["doctor"]).fill_null(""))


def mark(lines: pl.DataFrame, results: pl.DataFrame) -> pl.DataFrame:
    """What roll-ups need of each line, with `in_error`, `in_warning` and `walk_in`, in the order of `lines`."""
    worst = (
        results.lazy()
        .group_by("row_number")
        .agg(in_error=(pl.col("severity") == "error").any(), in_warning=(pl.col("severity") == "warning").any())
    )
    walk_in = pl.col("contexts").str.contains_any([f"|{c}|" for c in WALK_IN_CONTEXTS]).fill_null(False)
    known_place = pl.when(pl.col("lieu").str.contains(PLACE)).then("lieu_key")
    keys = (pl.col("day_key"), pl.col("doctor_key"), known_place)
    day, doctor, place = (key.fill_null(-1) + 1 for key in keys)
    doctor_day = day * (doctor.max() + 1) + doctor
    return (
        lines.lazy()
        .select(*_OF_LINE, walk_in=walk_in, day=day, doctor_day=doctor_day, cell=doctor_day * (place.max() + 1) + place)
        .with_columns(lieu_de_pratique=pl.when(pl.col("lieu").str.contains(PLACE)).then("lieu").otherwise(pl.lit("")))
        .join(worst, on="row_number", how="left", maintain_order="left")
        .with_columns(pl.col("in_error", "in_warning").fill_null(False))
        .collect(engine="in-memory")
    )


def totals(lines: pl.DataFrame, results: pl.DataFrame) -> dict[str, Decimal | int]:
    """A run's own figures: lines_in_error, lines_in_warning, at_risk, to_repay, gain (CAD)."""
    gains = results.filter(pl.col("category") == "opportunity")["amount"].sum()
    row = mark(lines, results).select(
        lines_in_error=pl.col("in_error").sum(), lines_in_warning=pl.col("in_warning").sum(), **_money()
    )
    return {**row.row(0, named=True), "gain": gains}


def _money() -> dict[str, pl.Expr]:
    def sum_of(cents: str, lines: pl.Expr) -> pl.Expr:
        return pl.col(cents).filter(lines).sum().cast(pl.Decimal(38, 2)) / 100

    stands = pl.col("in_error") & ~pl.col("reversed")
    return {
        "at_risk": sum_of("prel_cents", stands & ~pl.col("is_paid") & (pl.col("prel_cents") > 0)),
        "to_repay": sum_of("paid_cents", stands & pl.col("is_paid")),
    }


def _lines(marked: pl.LazyFrame) -> pl.LazyFrame:
    counted = {"lines_in_error": "in_error", "lines_in_warning": "in_warning"}
    sums = {name: pl.col(flag).sum().cast(pl.Int64) for name, flag in counted.items()}
    return marked.group_by("cell").agg(lines=pl.len().cast(pl.Int64), **sums, **_money())


def _seen(marked: pl.LazyFrame, level: str) -> pl.LazyFrame:
    """Each patient once in each group: whether he came without appointment, and whether a line of his was paid."""
    above = [name for name in NAMES if name != level]
    known = marked.filter(pl.col("patient_key").is_not_null())
    return known.group_by(level, "patient_key").agg(pl.col(above).first(), pl.col("walk_in", "is_paid").any())


def _patients(seen: pl.LazyFrame, level: str) -> pl.LazyFrame:
    """Distinct patients of each group; one who came both ways counts once, as a walk-in."""
    walk_in, paid = pl.col("walk_in"), pl.col("is_paid")
    counted = {
        "patients": pl.lit(True),
        "patients_paid": paid,
        "registered": ~walk_in,
        "registered_paid": ~walk_in & paid,
        "walk_in": walk_in,
        "walk_in_paid": walk_in & paid,
    }
    each_once = seen if level == "cell" else _seen(seen, level)
    return each_once.with_columns(**counted).group_by(level).agg(pl.col(*counted).sum().cast(pl.Int64))


def _invoices(marked: pl.LazyFrame) -> pl.LazyFrame:
    """Invoices, and those of them without a line in error, each counted where its first line stands."""
    known = marked.filter(pl.col("facture").is_not_null())
    invoices = known.group_by("facture").agg(pl.col("cell").first(), clean=~pl.col("in_error").any())
    return invoices.group_by("cell").agg(
        invoices=pl.len().cast(pl.Int64), clean_invoices=pl.col("clean").sum().cast(pl.Int64)
    )


def _gains(marked: pl.LazyFrame, results: pl.DataFrame) -> pl.LazyFrame:
    advice = results.lazy().filter(pl.col("category") == "opportunity").select("row_number", "amount")
    return marked.join(advice, on="row_number").group_by("cell").agg(gain=pl.col("amount").sum())


def _results(marked: pl.LazyFrame, results: pl.DataFrame) -> pl.LazyFrame:
    found = results.lazy().select("row_number", "rule_id", "severity", "category", "amount")
    return (
        found.join(marked.select("row_number", "cell"), on="row_number")
        .group_by("cell", "rule_id", "severity")
        .agg(
            pl.col("category").first(),
            results=pl.len().cast(pl.Int64),
            lines=pl.col("row_number").n_unique().cast(pl.Int64),
            amount=pl.col("amount").sum(),
        )
    )


def _contexts(marked: pl.LazyFrame, results: pl.DataFrame, wanted: pl.DataFrame) -> pl.LazyFrame:
    """Codes in error on a line without any context, where a context would have exempted it."""
    bare = marked.filter(pl.col("contexts").is_null(), pl.col("code").str.contains(r"^\d{5}$")).select(
        "row_number", "code"
    )
    errors = results.lazy().filter(pl.col("severity") == "error").select("row_number", "rule_id")
    return (
        errors.join(wanted.lazy(), on="rule_id")
        .join(bare, on="row_number")
        .group_by("code", "context")
        .agg(lines=pl.col("row_number").n_unique().cast(pl.Int64))
    )
