"""Finds what is wrong, and what is missing, in Quebec physicians' claims.

The face of the library: what notebooks and dashboards use, and nothing else.
"""

import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dashlib.face import (
        codes_needing_contexts,
        explore,
        import_followup,
        list_rules,
        list_runs,
        most_common_errors,
        open_workbench,
        patient_daily_count,
        run,
        validate,
        validation_run_with_results,
    )

logging.getLogger(__name__).addHandler(logging.NullHandler())  # a library says nothing unless it is asked to

__all__ = [
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


def __getattr__(name: str) -> Any:
    """Loads the face at first use: importing dashlib costs nothing."""
    if name not in __all__:
        raise AttributeError(f"module 'dashlib' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module("dashlib.face"), name)


def load_ipython_extension(shell: Any) -> None:
    """What `%load_ext dashlib` asks for: %%sql, %sql_views, %run_card and %why."""
    from importlib import import_module

    shell.register_magics(import_module("dashlib.magics").DashMagics)
