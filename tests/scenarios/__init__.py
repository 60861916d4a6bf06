"""Acceptance scenarios: what is given, what is expected, and how one is held against the other.

`python -m tests.scenarios DIRECTORY` judges every file of a directory. A file's name without .json is its subject; each
subject has a checker, in `csv_parsing` or in `rules`.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

type Scenario = dict[str, Any]

DATA = Path(__file__).parent / "data"


@dataclass(frozen=True)
class Outcome:
    """What became of a scenario; `came` is what came instead, or what is missing where it is not yet."""

    status: Literal["passed", "failed", "not yet"]
    came: str = ""


type Checker = Callable[[Scenario], Outcome]


def scenarios(file: Path) -> list[Scenario]:
    """The scenarios of a file, by their order in it."""
    return list(json.loads(file.read_text("utf-8")))


def may_fail(scenario: Scenario) -> bool:
    """Whether a failure is only reported: the answer is contested, or its topic is not a gate."""
    return bool(scenario.get("contested") or scenario.get("report_only"))
