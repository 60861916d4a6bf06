"""The rows that a page shows, and all of a selection: as `run.results` has them, with what the ledger adds."""

from collections.abc import Mapping
from typing import Any

import polars as pl
import sqlalchemy as sa

from dashlib import reference, results
from dashlib.acknowledgements import set_aside_now
from dashlib.explorer.ledger import Ledger
from dashlib.explorer.query import folded
from dashlib.schema import ResultAcknowledgement, RollupDoctorDay, ValidationResult, ValidationRun
from dashlib.workbench import Workbench

RESULTS, RUNS, ASIDE = ValidationResult, ValidationRun, ResultAcknowledgement
ADDED = ("run", "number", "days_left", "state", "stake")
FEW = 1_000


def read_rows(ledger: Ledger, selection: pl.DataFrame, lang: str = "fr") -> pl.DataFrame:
    """The results of a selection in its order.

    Returns:
        (results, 29): the columns of `run.results`, `details` str, and of the ledger run, number, days_left, state and
        stake. Identities are pseudonyms; messages are in `lang`.
    """
    parts = []
    for run in ledger.runs:
        numbers = selection.filter(run=run.number)["number"]
        kept = results.read_results(ledger.wb, run.id, where=_of(numbers, ledger.rows))
        said = kept if lang == "fr" else results.translated(ledger.wb, kept, lang)
        parts.append(said)
    found = pl.concat(parts)
    keys = selection.select(*ADDED, result=pl.format("{}:{}", "run", "number"))
    return keys.join(found, on="result", how="left", maintain_order="left")


def _of(numbers: pl.Series, rows: pl.DataFrame) -> list[sa.ColumnElement[bool]]:
    """Which rows to read: by their numbers, unless it is all of them."""
    if len(numbers) > FEW and len(numbers) == rows.height:
        return []
    return [RESULTS.number == sa.any_(sa.literal(numbers.to_list(), sa.ARRAY(sa.Integer)))]


def labels(wb: Workbench, lang: str) -> dict[str, str]:
    """What each rule in force calls itself."""
    said = {
        rule.name: rule.label.get(lang) or next(iter(rule.label.values()), "") for rule in reference.rules_in_force(wb)
    }
    return {name: label for name, label in said.items() if label}


def rule_words(wb: Workbench) -> Mapping[str, str]:
    """All that each rule says, for searching: its name, label and messages in both languages, `folded`."""
    return {
        rule.name: folded(" ".join([rule.name, *rule.label.values(), *rule.message.values()]))
        for rule in reference.rules_in_force(wb)
    }


def history(ledger: Ledger, result: Mapping[str, Any], last: int = 8) -> pl.DataFrame:
    """Where the same result stood in the runs of the same owner and key, oldest of the `last` first.

    Returns:
        (runs, 7): number i64, run_date date, result i32, its number there, null where it was not, severity, amount,
        acknowledged str, and held bool, whether the run had lines of that doctor on that day at all.
    """
    here = ledger.run_of(result["run"])
    owner = sa.select(RUNS.user_id).where(RUNS.id == here.id).scalar_subquery()
    same = (RUNS.user_id == owner, RUNS.fingerprint_key == here.figures["fingerprint_key"])
    newest = (
        sa.select(RUNS.id, RUNS.number, RUNS.run_date)
        .where(RUNS.status == "completed", *same)
        .order_by(RUNS.number.desc())
        .limit(last)
        .subquery()
    )
    seen = sa.exists().where(
        RollupDoctorDay.validation_run_id == newest.c.id,
        RollupDoctorDay.date_de_service == sa.literal(result["date_service"], sa.Date),
        RollupDoctorDay.doctor == sa.literal(result["doctor"] or "", sa.Text),
    )
    found = sa.and_(RESULTS.validation_run_id == newest.c.id, RESULTS.fingerprint == sa.literal(result["fingerprint"]))
    query = (
        sa.select(
            newest.c.number,
            newest.c.run_date,
            RESULTS.number.label("result"),
            RESULTS.severity,
            RESULTS.amount,
            ASIDE.reason.label("acknowledged"),
            seen.label("held"),
        )
        .select_from(newest)
        .outerjoin(RESULTS, found)
        .outerjoin(RUNS, RUNS.id == newest.c.id)
        .outerjoin(ASIDE, set_aside_now())
        .order_by(newest.c.number)
    )
    return ledger.wb.frame(query)
