"""Finds what is wrong, and what is missing, in Quebec physicians' claims.

The face of the library: what notebooks and dashboards use, and nothing else.
"""

import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dashlib.face import list_rules, list_runs, open_workbench, run, validate

logging.getLogger(__name__).addHandler(logging.NullHandler())  # a library says nothing unless it is asked to

__all__ = ["list_rules", "list_runs", "open_workbench", "run", "validate"]


def __getattr__(name: str) -> Any:
    """Loads the face at first use: importing dashlib costs nothing."""
    if name not in __all__:
        raise AttributeError(f"module 'dashlib' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module("dashlib.face"), name)
