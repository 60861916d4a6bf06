"""Judges every scenario of a directory; ends with 1 when one fails that may not."""

import sys
from collections import Counter
from pathlib import Path

from tests.scenarios import Checker, Outcome, Scenario, csv_parsing, may_fail, prohibition, rules, scenarios

CHECKERS: dict[str, Checker] = {
    "csv_parsing": csv_parsing.check,
    "prohibition": prohibition.check,
    **rules.CHECKERS,
}


def check(subject: str, scenario: Scenario) -> Outcome:
    """What becomes of a scenario of this subject; one without a checker is not yet."""
    checker = CHECKERS.get(subject)
    return checker(scenario) if checker else Outcome("not yet", "no checker")


def main(directory: str) -> int:
    failed = 0
    for file in sorted(Path(directory).glob("*.json")):
        outcomes = [(scenario, check(file.stem, scenario)) for scenario in scenarios(file)]
        _print(file.stem, outcomes)
        failed += sum(outcome.status == "failed" and not may_fail(scenario) for scenario, outcome in outcomes)
    return 1 if failed else 0


def _print(subject: str, outcomes: list[tuple[Scenario, Outcome]]) -> None:
    counts = Counter(outcome.status for _, outcome in outcomes)
    later = f", {counts['not yet']} not yet" if counts["not yet"] else ""
    print(f"{subject} {counts['passed']}/{len(outcomes)}{later}")
    for scenario, outcome in outcomes:
        if outcome.status == "failed":
            reported = " (reported only)" if may_fail(scenario) else ""
            print(f"  {scenario['id']} {scenario['title']}{reported}")
            print(f"    expected: {scenario['expect']}")
            print(f"    came:     {outcome.came}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
