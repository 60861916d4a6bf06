"""What a run would find if some of its lines were other: judged again, told, and not kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

import polars as pl

from dashlib import messages, reference
from dashlib.comparison import STAKES, compare, stakes_of, with_stakes
from dashlib.corrections import Corrections, correct
from dashlib.errors import NotFound
from dashlib.kept import kept_lines
from dashlib.records import prepare
from dashlib.rejudging import SAME_RESULT, judge_again, numbered
from dashlib.rules import Rule
from dashlib.workbench import Workbench

SHOWN = (
    *("severity", "rule_id", "message", "code", "date_service", "invoice", "row_number", "amount", "doctor", "patient"),
    *("category", "rule_version", *STAKES),
)


@dataclass(frozen=True)
class WhatIf:
    """What corrections would change, by the rules and tables of today and as of the run's own day.

    `gained` and `lost`: (results, SHOWN), with pseudonyms, that would come and go; `results`: all that would stand on
    the lines concerned. `before` and `after`: at_risk, to_repay and gain of those lines, CAD; `delta` is their
    difference. `corrected` lines were given, `touched` are those concerned: they and their groups, the only lines whose
    results can change; `judged` were looked at; `basis_changed` when the run itself was judged by
    other rules or tables.
    """

    gained: pl.DataFrame
    lost: pl.DataFrame
    results: pl.DataFrame
    before: dict[str, Decimal]
    after: dict[str, Decimal]
    corrected: int
    touched: int
    judged: int
    basis_changed: bool

    @property
    def delta(self) -> dict[str, Decimal]:
        """What each sum would change by; they are never added up."""
        return {name: self.after[name] - self.before[name] for name in STAKES}


def what_if(
    wb: Workbench,
    run_id: UUID,
    corrections: Corrections,
    *,
    run_date: date,
    versions: tuple[str, str],
    lang: str = "fr",
) -> WhatIf:
    """Judges the corrected lines, and those they are judged with, before and after; keeps nothing.

    Args:
        run_date: the run's.
        versions: of the rules and of the tables that judged the run.

    Raises:
        NotFound: DL-WHATIF-404, the run's lines were cleared.
        CorrectionsRefused: a correction cannot be read, or is of a line that is not there.
    """
    kept = kept_lines(wb, run_id)
    if kept.is_empty():
        raise NotFound("DL-WHATIF-404")
    corrected, count = correct(kept, corrections)
    rules, ref = reference.rules_in_force(wb), reference.load(wb, run_date)
    lines = {"before": prepare(kept), "after": prepare(corrected)}
    again = judge_again(lines["before"], lines["after"], rules, ref)
    before, after = (
        numbered(with_stakes(results, side))
        for results, side in zip((again.before, again.after), lines.values(), strict=True)
    )
    found = compare(before, after, on=SAME_RESULT)
    basis = (reference.rules_version(rules), reference.reference_version(wb))
    return WhatIf(
        gained=_shown(wb, found.new, lines["after"], rules, lang),
        lost=_shown(wb, found.fixed, lines["before"], rules, lang),
        results=_shown(wb, after, lines["after"], rules, lang),
        before=_known(before),
        after=_known(after),
        corrected=count,
        touched=again.lines.len(),
        judged=again.judged,
        basis_changed=versions != basis,
    )


def _known(results: pl.DataFrame) -> dict[str, Decimal]:
    """What is at stake; of results judged just now it is always known."""
    return {name: amount or Decimal(0) for name, amount in stakes_of(results).items()}


def _shown(wb: Workbench, results: pl.DataFrame, lines: pl.DataFrame, rules: Sequence[Rule], lang: str) -> pl.DataFrame:
    """Results as people see them: with their sentences, and pseudonyms."""
    told = messages.with_facts(results, lines, wb.pseudonyms.doctors)
    said = told.with_columns(message=messages.messages(told, rules, lang))
    return wb.pseudonyms.redacted(said.select(SHOWN))
