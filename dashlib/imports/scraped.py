"""The table of codes that others scraped from the manual's page: every row is taken or refused with its reason.

Its faults are known: zeros lost before codes, titles instead of labels, numbers of paragraphs read as dollars, codes
glued to amounts, and a brochure that is no table of tariffs.
"""

import polars as pl

from dashlib.imports.codes import CODE_ROWS, MONEY, PLAUSIBLE, doubt

COLUMNS = ("billing_code", "place", "tariff_value", "description", "source_file", "top_level", "leaf", "anchor_id")
PLACES = {"cabinet": "Cabinet", "établissement": "Établissement", "etablissement": "Établissement", "all": "all"}

# Rules of the manual are numbered 1.01 to 24.09, and few fees end so while being as small.
PARAGRAPH = r"^(?:[1-9]|1\d|2[0-4])\.0[1-9]$"


def read_scraped(cells: pl.DataFrame, source: str, brochure: str) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """The rows to take (CODE_ROWS + line), those refused and those in doubt (DOUBTED both).

    Args:
        cells: (rows, the file's columns as text + line), in file order.
        source: what rows from the manual's page say that they are from; those from the brochure say `brochure`.
    """
    read = cells.with_columns(
        code=pl.col("billing_code").str.strip_chars().str.zfill(5),
        place=pl.col("place").str.strip_chars().str.to_lowercase().replace_strict(PLACES, default=None),
        amount=pl.col("tariff_value").str.strip_chars(),
        is_brochure=pl.col("source_file").str.contains("(?i)brochure").fill_null(False),
    ).with_columns(
        number=pl.col("amount").cast(pl.Float64, strict=False),
        tariff_value=pl.col("amount").cast(pl.Decimal(18, 2), strict=False),
    )
    reasoned = read.with_columns(refusal=_refusal())
    refused = reasoned.filter(pl.col("refusal").is_not_null())
    taken = reasoned.filter(pl.col("refusal").is_null())
    marked = taken.with_columns(brochure="is_brochure", paragraph=_is_paragraph())
    known = [
        marked.filter(reason).select("line", "code", "place", pl.col("tariff_value").cast(MONEY), reason=pl.lit(reason))
        for reason in ("brochure", "paragraph")
    ]
    kept, doubts = doubt(marked.select(**_columns(source, brochure), line=pl.col("line")), pl.concat(known))
    return kept, _told(refused), doubts


def _refusal() -> pl.Expr:
    """Why a row cannot be a tariff at all; null for one that can."""
    bare = pl.col("code").str.strip_chars_start("0")
    digits = pl.col("amount").str.replace(".", "", literal=True)
    return (
        pl.when(~pl.col("code").str.contains(r"^\d{5}$").fill_null(False))
        .then(pl.lit("code"))
        .when(pl.col("place").is_null())
        .then(pl.lit("place"))
        .when(pl.col("number").is_null() | ~pl.col("number").is_finite() | (pl.col("number") < 0))
        .then(pl.lit("amount"))
        .when(digits.str.starts_with(bare) & (pl.col("number") > PLAUSIBLE[1]))
        .then(pl.lit("glued"))
        .when(pl.col("number") > PLAUSIBLE[1])
        .then(pl.lit("implausible"))
    )


def _is_paragraph() -> pl.Expr:
    """An amount written like the number of a paragraph, of a code that also has one that is not."""
    is_numbered = pl.col("amount").str.contains(PARAGRAPH)
    return is_numbered & (pl.col("is_brochure") | (~is_numbered).any().over("code"))


def _columns(source: str, brochure: str) -> dict[str, pl.Expr]:
    given = {
        "code": pl.col("code"),
        "description": pl.col("description").fill_null(pl.col("leaf")).fill_null(pl.col("code")),
        "tariff_value": pl.col("tariff_value").cast(MONEY),
        "place": pl.col("place"),
        "section": pl.col("top_level"),
        "level1_group": pl.col("level1_group"),
        "leaf": pl.col("leaf"),
        "kind": pl.lit("fee"),
        "source": pl.when("is_brochure").then(pl.lit(brochure)).otherwise(pl.lit(source)),
        "anchor": pl.col("anchor_id"),
        "trusted": ~(pl.col("brochure") | pl.col("paragraph")),
    }
    return {name: given.get(name, pl.lit(None, dtype)) for name, dtype in CODE_ROWS.items()}


def _told(refused: pl.DataFrame) -> pl.DataFrame:
    amount = pl.when(pl.col("number").abs() < 10**8).then("tariff_value").cast(MONEY)
    return refused.select("line", "code", "place", tariff_value=amount, reason=pl.col("refusal"))
