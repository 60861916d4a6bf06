"""Two sets of results beside each other: what is new, fixed and persisting, what a changed rule did, and the money.

Pure. Money is in CAD and in three sums that are never netted: at risk, to repay, possible gain.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from decimal import Decimal

import polars as pl

from dashlib.records import MONEY

STAKES = ("at_risk", "to_repay", "gain")
STATUSES = ("new", "fixed", "persisting", "rule_changed")

type Stakes = dict[str, Decimal | None]


def with_stakes(results: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
    """Results with what is at stake on each, added as at_risk, to_repay and gain; never null.

    Args:
        results: (results, at least row_number, severity, category, amount).
        lines: of `records.prepare`.

    An error puts an unpaid line's preliminary amount at risk and a paid line's amount up to be repaid; a reversal and
    what it cancels have nothing at stake. Advice is a gain.
    """
    stands = (pl.col("severity") == "error") & ~pl.col("reversed")
    unpaid = ~pl.col("is_paid") & (pl.col("prel_cents") > 0)
    of_line = ["is_paid", "reversed", "prel_cents", "paid_cents"]
    stakes = {
        "at_risk": pl.when(stands & unpaid).then(_cad("prel_cents")),
        "to_repay": pl.when(stands & pl.col("is_paid")).then(_cad("paid_cents")),
        "gain": pl.when(pl.col("category") == "opportunity").then("amount"),
    }
    return (
        results.join(lines.select("row_number", *of_line), on="row_number", how="left", maintain_order="left")
        .with_columns(amount.fill_null(0).cast(MONEY).alias(name) for name, amount in stakes.items())
        .drop(of_line)
    )


def _cad(cents: str) -> pl.Expr:
    return pl.col(cents).cast(pl.Decimal(12, 2)) / 100


def stakes_of(results: pl.DataFrame) -> Stakes:
    """What is at stake in these results, each line once however many results it has; null where it is not known."""
    if results.select(pl.any_horizontal(pl.col(STAKES).is_null().any())).item():
        return dict.fromkeys(STAKES)
    of_lines = results.group_by("row_number").agg(pl.col("at_risk", "to_repay").max())
    sums = of_lines.select(pl.col("at_risk", "to_repay").sum()).hstack(results.select(pl.col("gain").sum()))
    return dict(sums.row(0, named=True))


def line_texts(lines: pl.DataFrame) -> pl.Series:
    """All that a line says, but who is named on it and how a value is written: what tells a changed line.

    Args:
        lines: of `records.prepare`.
    """
    says = [
        *("date_de_service", "facture", "id_ramq", "lieu", "secteur_activite", "diagnostic", "code", "unites", "role"),
        *("contexts", "prel_cents", "paid_cents", "doctor", "patient", "periode"),
    ]
    times = [pl.coalesce(pl.col(f"{name}_min").cast(pl.String), name) for name in ("debut", "fin")]
    written = [pl.col(name).cast(pl.String).fill_null("") for name in says]
    return lines.select(pl.concat_str([*written, *(time.fill_null("") for time in times)], separator="\0"))[:, 0]


@dataclass(frozen=True)
class Comparison:
    """What one set of results has beside an earlier one; each result stands in one of four frames.

    `new` are only in the later set, `fixed` only in the earlier, `persisting` in both (as in the later).
    `rule_changed` are those of the three whose rule judged otherwise, or judged only one of the sets: there
    the rule, and not the data, can be the reason. Its column `was` tells new, fixed or persisting.
    """

    new: pl.DataFrame
    fixed: pl.DataFrame
    persisting: pl.DataFrame
    rule_changed: pl.DataFrame

    @property
    def totals(self) -> pl.DataFrame:
        """A line for each: (4, 5) status, results, at_risk, to_repay, gain.

        A line of the export counts once in each sum, but can stand in several. The money of `rule_changed` is that of
        its results which are still there.
        """
        rows = []
        for status in STATUSES:
            results: pl.DataFrame = getattr(self, status)
            there = results.filter(pl.col("was") != "fixed") if status == "rule_changed" else results
            rows.append({"status": status, "results": results.height, **stakes_of(there)})
        money: dict[str, pl.DataType] = dict.fromkeys(STAKES, pl.Decimal(38, 2))
        schema = {"status": pl.String(), "results": pl.Int64(), **money}
        return pl.DataFrame(rows, schema=schema)


def compare(
    before: pl.DataFrame, after: pl.DataFrame, *, on: Sequence[str] = ("fingerprint",), changed: Collection[str] = ()
) -> Comparison:
    """Compares two sets of results by what identifies a result in both.

    Args:
        before, after: (results, at least `on`, rule_id, and STAKES), each in its own order.
        changed: rules that judged the two sets otherwise, or only one of them.
    """
    key = list(on)
    by_rule = pl.col("rule_id").is_in(set(changed))
    sets = {
        "new": after.join(before, on=key, how="anti", maintain_order="left"),
        "fixed": before.join(after, on=key, how="anti", maintain_order="left"),
        "persisting": after.join(before, on=key, how="semi", maintain_order="left"),
    }
    by_data = {was: results.filter(~by_rule) for was, results in sets.items()}
    moved = [results.filter(by_rule).with_columns(was=pl.lit(was)) for was, results in sets.items()]
    return Comparison(**by_data, rule_changed=pl.concat(moved, how="diagonal"))
