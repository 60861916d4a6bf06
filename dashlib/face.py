"""What `import dashlib as dl` gives: open the workbench, validate, look at runs, ask the dashboards' questions."""

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from dashlib import followups, metrics, runs, ticks, validation
from dashlib.drafts import Rulebook
from dashlib.followups import Taken
from dashlib.leases import Told, quiet
from dashlib.runs import Run
from dashlib.workbench import Workbench, open_workbench

if TYPE_CHECKING:
    from dashlib.explorer import Explorer, Nothing

__all__ = [
    "Run",
    "Workbench",
    "codes_needing_contexts",
    "explore",
    "import_followup",
    "list_rules",
    "list_runs",
    "most_common_errors",
    "open_workbench",
    "patient_daily_count",
    "run",
    "validate",
    "validation_run_with_results",
]


def validate(
    path: Path | str,
    *,
    wb: Workbench | None = None,
    run_date: date | str | None = None,
    force: bool = False,
    progress: Told = quiet,
) -> Run:
    """Validates an export by the rules in force, keeps the results, and gives the run.

    Args:
        path: the export; it is read, not copied and not touched.
        wb: opened if not given.
        run_date: the day as of which lines are judged, a date or YYYY-MM-DD; today in Toronto by default.
        force: validate again what was validated before.
        progress: is told how far it is (phase, done, of).

    Raises:
        ExportRefused: the file cannot be validated; `faults` says why and where.
        UsageError: DL-RUN-407, the day is none.
    """
    wb, day = wb or open_workbench(), runs.day_of(run_date)
    return runs.find_run(wb, validation.validate_file(wb, Path(path), run_date=day, force=force, told=progress))


def run(wanted: str | int = "last", *, wb: Workbench | None = None) -> Run:
    """A run by its number, the beginning of its id, `last`, or `last~1`."""
    return runs.find_run(wb or open_workbench(), wanted)


def list_runs(last: int = 20, *, wb: Workbench | None = None) -> list[Run]:
    """The newest runs, newest first."""
    return runs.list_runs(wb or open_workbench(), last)


def list_rules(*, wb: Workbench | None = None) -> Rulebook:
    """The rules in force, by name: looked at, tried with `with_(…).preview()`, changed with `save(note=…)`."""
    return Rulebook(wb or open_workbench())


def import_followup(path: Path | str, *, wb: Workbench | None = None) -> Taken:
    """Takes back what clerks ticked and noted in the workbook of `run.export("a.xlsx", audience="clerks")`.

    Raises:
        ExportMissing, TicksRefused: there is no such file, or it is no such workbook; nothing was kept.
    """
    return followups.take(wb or open_workbench(), ticks.read_ticks(Path(path)))


def explore(
    run: str | int = "last", *, compare: str | int | None = None, lang: str = "fr", wb: Workbench | None = None
) -> "Explorer | Nothing":
    """A run's results to look at from every side, in a notebook: by facets, to the lines behind each, and as code.

    Args:
        run: its number, the beginning of its id, `last`, or `last~1`; `last` is the last that was completed.
        compare: an earlier run, beside which each result is new, persisting, fixed, or of a changed rule.

    Raises:
        NotFound: there is no such run, or it is not completed.
        UsageError: DL-DIFF-001, the two runs cannot be compared.
    """
    # Widgets take a second to import, which whoever validates need not wait for.
    from dashlib import explorer

    return explorer.explore(run, compare=compare, lang=lang, wb=wb)


def validation_run_with_results(wanted: str | int = "last", *, wb: Workbench | None = None) -> pl.DataFrame:
    """A run with its results counted by severity: `metrics.validation_run_with_results`."""
    wb = wb or open_workbench()
    return metrics.validation_run_with_results(wb, runs.find_run(wb, wanted).id)


def most_common_errors(days: int = 30, limit: int = 10, *, wb: Workbench | None = None) -> pl.DataFrame:
    """The rules with most errors in the runs of the last days: `metrics.most_common_errors`."""
    return metrics.most_common_errors(wb or open_workbench(), days=days, limit=limit)


def patient_daily_count(wanted: str | int = "last", *, wb: Workbench | None = None) -> pl.DataFrame:
    """Distinct patients of each doctor on each day of a run: `metrics.patient_daily_count`."""
    wb = wb or open_workbench()
    return metrics.patient_daily_count(wb, runs.find_run(wb, wanted).id)


def codes_needing_contexts(wanted: str | int = "last", limit: int = 50, *, wb: Workbench | None = None) -> pl.DataFrame:
    """Codes in error for want of a context that would have exempted them: `metrics.codes_needing_contexts`."""
    wb = wb or open_workbench()
    return metrics.codes_needing_contexts(wb, runs.find_run(wb, wanted).id, limit=limit)
