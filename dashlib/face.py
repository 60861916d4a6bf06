"""What `import dashlib as dl` gives: open the workbench, validate, look at runs, ask the dashboards' questions."""

from datetime import date
from pathlib import Path

from dashlib import runs, validation
from dashlib.drafts import Rulebook
from dashlib.leases import Told, quiet
from dashlib.runs import Run
from dashlib.workbench import Workbench, open_workbench

__all__ = ["Run", "Workbench", "list_rules", "list_runs", "open_workbench", "run", "validate"]


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
