"""A period's figures by doctor or by place: what a report lists."""

from typing import Literal

import polars as pl
import sqlalchemy as sa

from dashlib.metrics.rows import cells, total
from dashlib.metrics.scope import Scope
from dashlib.workbench import Workbench

FIGURES = ("lines", "lines_in_error", "lines_in_info", "invoices", "clean_invoices", "at_risk", "to_repay", "gain")


def parts(wb: Workbench, scope: Scope, by: Literal["doctor", "lieu_de_pratique"]) -> pl.DataFrame:
    """Lines, invoices and money of each doctor or place, those with most to lose first.

    Returns:
        (doctors or places, 9): the column `by` str, «» where lines name none; lines, lines_in_error, lines_in_info,
        invoices, clean_invoices i64; at_risk, to_repay, gain decimal (CAD).
    """
    found = cells(scope, by_week=True, of_doctors=True)
    of = found.c[by]
    summed = wb.frame(sa.select(of, *(total(found.c[name]) for name in FIGURES)).group_by(of))
    return summed.sort(pl.col("at_risk") + pl.col("to_repay"), "lines_in_error", by, descending=[True, True, False])
