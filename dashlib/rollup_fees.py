"""What office fees a doctor's day at a place was billed, what rules on them ask for instead, and the difference.

Pure. The facts are those that the results themselves tell (`details`), so that a page cannot disagree with the engine.
"""

from collections.abc import Sequence

import polars as pl

from dashlib.rules import Rule
from dashlib.rules.advice_office import OfficeFeeAdvice
from dashlib.rules.office_fee import OfficeFeeValidation

FEES: dict[str, pl.DataType | type[pl.DataType]] = {
    "code": pl.String,
    "registered": pl.Int64,
    "walk_in": pl.Int64,
    "amount": pl.Decimal(10, 2),
}
"""Office fees: the patients that each asks for, null where a category has none, and its amount (CAD)."""

OF_FEE = '"registered"'
"""What the details of a result on office fees hold, and no other's."""

JOINT = " + "


def office_fees_of(rules: Sequence[Rule]) -> pl.DataFrame:
    """The fees that rules on office fees judge, with what they and the advice on them say of each: columns of FEES."""
    amounts = {
        code: amount
        for rule in rules
        if isinstance(rule.condition, OfficeFeeAdvice)
        for code, amount in rule.condition.amounts.items()
    }
    least = {
        code: minimum
        for rule in rules
        if isinstance(rule.condition, OfficeFeeValidation)
        for code, minimum in rule.condition.thresholds.items()
    }
    rows = [(code, of.registered, of.walkIn, amounts.get(code)) for code, of in least.items()]
    return pl.DataFrame(rows, schema=FEES, orient="row")


def office_fees(marked: pl.DataFrame, results: pl.DataFrame, fees: pl.DataFrame) -> pl.DataFrame:
    """Fees of each cell that was billed one or is advised to.

    Args:
        marked: of `rollups.mark`.
        results: open ones (results, at least row_number, severity, category, amount, details).
        fees: (fees, columns of FEES).

    Returns:
        (cells, 5): cell; fee_codes str, those billed; fee_expected str, what should be, "" where it is nothing;
        fee_difference decimal, what should be less what is (CAD); fee_results i64.
    """
    told = _told(marked, results)
    lines = marked.filter(pl.col("code").is_in(fees["code"].implode())).select("row_number", "cell", "code")
    refused = _refused(told, fees)
    advice = told.filter(category="opportunity")
    replaced = advice.filter(pl.col("suggested") != pl.col("code"))
    kept = lines.join(refused, on="row_number", how="anti").join(replaced, on="row_number", how="anti")
    expected = pl.concat(
        [
            kept.select("cell", pl.col("code")),
            refused.select("cell", code="lower").drop_nulls(),
            advice.select("cell", code="suggested"),
        ]
    )
    differences = pl.concat([refused.select("cell", "difference"), advice.select("cell", difference="amount")])
    return (
        _by_cell(lines, pl.col("code").sort().str.join(JOINT).alias("fee_codes"))
        .join(_by_cell(told, pl.len().cast(pl.Int64).alias("fee_results")), on="cell", how="full", coalesce=True)
        .join(_by_cell(expected, pl.col("code").sort().str.join(JOINT).alias("fee_expected")), on="cell", how="left")
        .join(_by_cell(differences, pl.col("difference").sum().alias("fee_difference")), on="cell", how="left")
        .with_columns(pl.col("fee_expected").fill_null(""), pl.col("fee_results", "fee_difference").fill_null(0))
        .select("cell", "fee_codes", "fee_expected", "fee_difference", "fee_results")
    )


def _by_cell(rows: pl.DataFrame, figure: pl.Expr) -> pl.DataFrame:
    return rows.group_by("cell").agg(figure)


def _told(marked: pl.DataFrame, results: pl.DataFrame) -> pl.DataFrame:
    """Open results on office fees with what they tell; a warning (patients not paid) asks for no other fee."""
    about = results.filter(pl.col("details").str.contains(OF_FEE, literal=True), pl.col("severity") != "warning")
    facts = {name: pl.col("details").str.json_path_match(f"$.{name}") for name in ("registered", "walkIn", "suggested")}
    columns = ["row_number", "cell", "code", "walk_in", "prel_cents"]
    return (
        about.select("row_number", "category", pl.col("amount").cast(pl.Decimal(38, 2)), **facts)
        .with_columns(pl.col("registered", "walkIn").cast(pl.Int64, strict=False))
        .join(marked.select(columns), on="row_number", maintain_order="left")
    )


def _refused(told: pl.DataFrame, fees: pl.DataFrame) -> pl.DataFrame:
    """Fee lines that should not be: with `lower`, the dearest lesser fee that enough patients were seen for, if any."""
    lines = told.filter(pl.col("category") != "opportunity").unique("row_number", maintain_order=True)
    needed = pl.when("walk_in").then(pl.col("need_walk_in")).otherwise(pl.col("need_registered"))
    seen = pl.when("walk_in").then(pl.col("walkIn")).otherwise(pl.col("registered"))
    least = fees.select(lower="code", need_registered="registered", need_walk_in="walk_in", lower_amount="amount")
    lower = (
        lines.join(least, how="cross")
        .filter(seen >= needed, pl.col("lower_amount") * 100 < pl.col("prel_cents"))
        .sort("lower_amount")
        .unique("row_number", keep="last", maintain_order=True)
        .select("row_number", "lower", "lower_amount")
    )
    billed = (pl.col("prel_cents").fill_null(0).cast(pl.Decimal(38, 2)) / 100).cast(pl.Decimal(38, 2))
    return lines.join(lower, on="row_number", how="left", maintain_order="left").with_columns(
        difference=pl.col("lower_amount").fill_null(0).cast(pl.Decimal(38, 2)) - billed
    )
