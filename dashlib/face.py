"""What `import dashlib as dl` gives: open the workbench, validate, look at runs, ask the dashboards' questions."""

from datetime import date
from pathlib import Path

from dashlib import runs, validation
from dashlib.leases import Told, quiet
from dashlib.runs import Run
from dashlib.workbench import Workbench, open_workbench

__all__ = ["Run", "Workbench", "list_runs", "open_workbench", "run", "validate"]


def validate(
    path: Path | str,
    *,
    wb: Workbench | None = None,
    run_date: date | None = None,
    force: bool = False,
    progress: Told = quiet,
) -> Run:
    """Validates an export by the rules in force, keeps the results, and gives the run.

    Args:
        path: the export; it is read, not copied and not touched.
        wb: opened if not given.
        run_date: the day as of which lines are judged; today in Toronto by default.
        force: validate again what was validated before.
        progress: is told how far it is (phase, done, of).

    Raises:
        ExportRefused: the file cannot be validated; `faults` says why and where.
    """
    wb = wb or open_workbench()
    return runs.find_run(wb, validation.validate_file(wb, Path(path), run_date=run_date, force=force, told=progress))


def run(wanted: str | int = "last", *, wb: Workbench | None = None) -> Run:
    """A run by its number, the beginning of its id, `last`, or `last~1`."""
    return runs.find_run(wb or open_workbench(), wanted)


def list_runs(last: int = 20, *, wb: Workbench | None = None) -> list[Run]:
    """The newest runs, newest first."""
    return runs.list_runs(wb or open_workbench(), last)
