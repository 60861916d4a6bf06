"""Prohibited combinations: each scenario brings its own rule."""

from collections import Counter

import polars as pl

from dashlib.engine import find_results
from dashlib.errors import RuleError
from dashlib.records import prepare
from dashlib.rules import Rule
from tests.scenarios import Outcome, Scenario
from tests.tables import REFERENCE, frame, rule


def check(scenario: Scenario) -> Outcome:
    """Passes when the expected lines, and no others, are reported with the expected severity."""
    codes = scenario["given"]["rule"]["codes"]
    try:
        prohibition = _rule(codes)
    except RuleError:
        refused = len(codes) < 2
        return Outcome("passed" if refused else "failed", "the rule was refused")
    found = find_results(prepare(frame(scenario["given"]["records"])), [prohibition], REFERENCE).results
    expect = scenario["expect"]
    complete = [
        _faults(found, wanted, expect["none_of"]) for wanted in [expect["results"], *expect.get("accept_also", [])]
    ]
    return Outcome("failed", "; ".join(complete[0])) if all(complete) else Outcome("passed")


def _rule(codes: list[str]) -> Rule:
    a, b = codes[:1], codes[1:]
    scope = {"scope": "invoice_or_patient_day", "report": "both"}
    return rule({"type": "prohibition", "codes": a, "with_codes": b, **scope}, category="prohibited_combination")


def _faults(found: pl.DataFrame, wanted: list[Scenario], none_of: list[str]) -> list[str]:
    """What keeps the results from being the complete list that is wanted."""
    came = found.select("row_number", "severity").rows()
    known = {row for result in wanted for row in result["rows"]}
    met = [any((row, result["severity"]) in came for row in result["rows"]) for result in wanted]
    missing = [f"nothing on lines {result['rows']}" for result, is_met in zip(wanted, met, strict=True) if not is_met]
    outside = [f"{severity} on line {row}" for row, severity in came if severity == "error" and row not in known]
    twice = [f"line {row} twice" for row, times in Counter(row for row, _ in came).items() if times > 1]
    kinds = {"prohibited_together", "category:violation", *(f"severity:{severity}" for _, severity in came)}
    return [*missing, *outside, *twice, *(kind for kind in none_of if came and kind in kinds)]
