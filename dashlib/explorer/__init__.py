"""The explorer: from a run's results to the lines behind each, by facets, and as code.

`query` is a question and its code, `ledger` what a run's results are sifted by, `sifting` the answers, `reading` the
rows of a page; `bar`, `facets`, `lists`, `detail` and `timeline` draw, `desk` puts it together, `acts` is what can be
asked for, and `widget` shows what was drawn and tells what was clicked.
"""

from dashlib.explorer.acts import Explorer
from dashlib.explorer.desk import Nothing, nothing
from dashlib.explorer.query import Query
from dashlib.runs import list_runs
from dashlib.workbench import Workbench, open_workbench

__all__ = ["Explorer", "Nothing", "Query", "explore"]


def explore(
    run: str | int = "last", *, compare: str | int | None = None, lang: str = "fr", wb: Workbench | None = None
) -> Explorer | Nothing:
    """The explorer of a run, or before the first one what there is to do; `last` is the last that was completed.

    Raises:
        NotFound: there is no such run, or it is not completed.
        UsageError: DL-DIFF-001, the two runs cannot be compared.
    """
    wb = wb or open_workbench()
    if run == "last" and not any(each.status == "completed" for each in list_runs(wb)):
        return nothing(lang)
    return Explorer(run, compare=compare, lang=lang, wb=wb)
