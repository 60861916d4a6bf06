"""What dashboards draw, counted once when a run completes. Pure frames, without PHI: doctors are pseudonyms.

Distinct patients do not add up over places or doctors, so they are counted at each level they are shown at.
"""

from dataclasses import dataclass
from decimal import Decimal

import polars as pl

from dashlib.phi import Pseudonyms
from dashlib.rollup_fees import FEES, office_fees

# What is no place's number may be anything, a name too: roll-ups are for every eye and keep none of it.
PLACE = r"^([0-9]{5}|[A-Z][0-9][A-Z] ?[0-9][A-Z][0-9])$"
WALK_IN_CONTEXTS = ("G160", "AR")  # as the office-fee rules have them by default
_OF_LINE = (
    *("row_number", "date_de_service", "doctor", "lieu", "facture", "code", "contexts", "patient_key"),
    *("is_paid", "prel_cents", "paid_cents", "reversed"),
)
_FOUND = {
    **{f"lines_in_{severity}": f"in_{severity}" for severity in ("error", "warning", "info")},
    "worst_warning": "worst_warning",
    "worst_info": "worst_info",
}
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


def roll_up(
    lines: pl.DataFrame,
    results: pl.DataFrame,
    wanted: pl.DataFrame,
    pseudonyms: Pseudonyms,
    *,
    aside: pl.DataFrame | None = None,
    fees: pl.DataFrame | None = None,
) -> RollUps:
    """Counts of a run's lines and results by day, doctor and place.

    Args:
        lines: of `records.prepare`.
        results: those that are open (results, rule_id, severity, category, row_number, amount; details with `fees`).
        wanted: (rule_id, context): the contexts with which a rule would not have reported a line.
        aside: the results that people have set aside, with the columns of `results`; they are counted apart.
        fees: office fees, of `rollup_fees.FEES`; without them nothing is told of those.

    A line at risk is an unpaid line in error (its preliminary amount), a line to repay a paid one (its paid amount);
    each line counts once whatever the number of its results, a reversal and what it cancels not at all. An invoice
    counts where its first line stands.
    """
    counted = mark(lines, results)
    marked = counted.lazy()
    seen = _seen(marked, "cell")
    cells = (
        _lines(marked)
        .join(_patients(seen, "cell"), on="cell", how="left")
        .join(_invoices(marked), on="cell", how="left")
        .join(_gains(marked, results), on="cell", how="left")
        .with_columns(pl.selectors.numeric().fill_null(0))
        .join(_fees(counted, results, fees), on="cell", how="left")
        .with_columns(pl.col("fee_results").fill_null(0))
    )
    # Every doctor's day is told, also one without a patient: it is what says which run holds it.
    doctor_days = marked.select("doctor_day").unique().join(_patients(seen, "doctor_day"), on="doctor_day", how="left")
    plans = {
        "cell": (cells, _results(marked, results, results.clear() if aside is None else aside)),
        "doctor_day": (doctor_days.with_columns(pl.selectors.numeric().fill_null(0)),),
        "day": (_patients(seen, "day"),),
    }
    named = [_named(plan, marked, level) for level, alike in plans.items() for plan in alike]
    days, rules, *patients, contexts = pl.collect_all([*named, _contexts(marked, results, wanted)], engine="in-memory")
    of_doctors, run_days = patients
    return RollUps(
        _pseudonymised(days, pseudonyms),
        _pseudonymised(rules, pseudonyms),
        contexts,
        _pseudonymised(of_doctors, pseudonyms),
        run_days,
    )


def _named(counted: pl.LazyFrame, marked: pl.LazyFrame, level: str) -> pl.LazyFrame:
    """Counts of a level with the names of its groups in place of their numbers."""
    names = marked.group_by(level).agg(pl.col(NAMES[level]).first())
    return counted.join(names, on=level).select(*NAMES[level], pl.exclude(level, *NAMES[level]))


def _pseudonymised(counted: pl.DataFrame, pseudonyms: Pseudonyms) -> pl.DataFrame:
    return counted.with_columns(pseudonyms.doctors(counted["doctor"]).fill_null(""))


def mark(lines: pl.DataFrame, results: pl.DataFrame) -> pl.DataFrame:
    """What roll-ups need of each line, in the order of `lines`.

    With `in_error`, `in_warning`, `in_info`, `worst_warning`, `worst_info` and `walk_in`, bool.
    """
    error, warning, info = ((pl.col("severity") == severity).any() for severity in ("error", "warning", "info"))
    worst = (
        results.lazy()
        .group_by("row_number")
        .agg(
            in_error=error,
            in_warning=warning,
            in_info=info,
            worst_warning=warning & ~error,
            worst_info=info & ~error & ~warning,
        )
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
        .with_columns(pl.col(*_FOUND.values()).fill_null(False))
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
    sums = {name: pl.col(flag).sum().cast(pl.Int64) for name, flag in _FOUND.items()}
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


def _results(marked: pl.LazyFrame, results: pl.DataFrame, aside: pl.DataFrame) -> pl.LazyFrame:
    """Of each rule what is open, and how much of it is set aside; the money of a line counts once in a rule."""
    of_line = ["row_number", "cell", "facture", "is_paid", "reversed", "prel_cents", "paid_cents"]
    columns = ("row_number", "rule_id", "severity", "category", "amount")
    said = [
        part.lazy().select(columns).with_columns(open=pl.lit(value=n == 0)) for n, part in enumerate((results, aside))
    ]
    rule = ["cell", "rule_id", "severity"]
    found = pl.concat(said).join(marked.select(of_line), on="row_number")
    is_open = pl.col("open")
    first = is_open & pl.struct("rule_id", "severity", "row_number", "open").is_first_distinct()
    stands = first & (pl.col("severity") == "error") & ~pl.col("reversed")
    unpaid = ~pl.col("is_paid") & (pl.col("prel_cents") > 0)

    def cad(cents: str, lines: pl.Expr) -> pl.Expr:
        return pl.when(lines).then(pl.col(cents)).fill_null(0).cast(pl.Int64)

    return (
        found.with_columns(
            at_risk=cad("prel_cents", stands & unpaid),
            to_repay=cad("paid_cents", stands & pl.col("is_paid")),
            gain=pl.when(is_open, pl.col("category") == "opportunity").then("amount").fill_null(0),
        )
        .group_by(rule)
        .agg(
            pl.col("category").first(),
            results=is_open.sum().cast(pl.Int64),
            lines=first.sum().cast(pl.Int64),
            invoices=pl.col("facture").filter("open").drop_nulls().n_unique().cast(pl.Int64),
            amount=pl.col("amount").filter("open").sum(),
            at_risk=pl.col("at_risk").sum().cast(pl.Decimal(38, 2)) / 100,
            to_repay=pl.col("to_repay").sum().cast(pl.Decimal(38, 2)) / 100,
            gain=pl.col("gain").sum(),
            acknowledged=(~is_open).sum().cast(pl.Int64),
        )
    )


def _fees(marked: pl.DataFrame, results: pl.DataFrame, fees: pl.DataFrame | None) -> pl.LazyFrame:
    if fees is None:
        results, fees = results.clear().with_columns(details=pl.lit("")), pl.DataFrame(schema=FEES)
    return office_fees(marked, results, fees).lazy()


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
