"""Shipped rules held against scenarios: each subject is judged by the rules that it is about, and by no others."""

from collections import Counter
from collections.abc import Callable

import polars as pl

from dashlib.engine import find_results
from dashlib.records import prepare
from dashlib.rules import Rule, shipped_rules
from dashlib.rules.base import Reference
from tests.scenarios import Checker, Outcome, Scenario
from tests.tables import RUN_DATE, frame

# Kinds of violations that one rule alone finds; all others are found by whatever rule of the subject.
FOUND_BY = {"fee_outside_cabinet": "OFFICE_FEE_LOCATION"}


def checker(is_of: Callable[[Rule], bool]) -> Checker:
    """Judges a scenario by the shipped rules that `is_of` chooses, disabled ones too."""
    rules = [rule.model_copy(update={"enabled": True}) for rule in shipped_rules() if is_of(rule)]
    return lambda scenario: check(scenario, rules)


def check(scenario: Scenario, rules: list[Rule]) -> Outcome:
    """Passes when one of the complete lists accepted is met; not yet where a rule that it asks for is not built."""
    found = _results(scenario, rules)
    expect = scenario["expect"]
    lists = [expect["results"], *expect.get("accept_also", [])]
    faults = [_faults(found, wanted, expect["none_of"]) for wanted in lists]
    if not all(faults):
        return Outcome("passed")
    not_built = sorted({missing for result in expect["results"] if (missing := _not_built(result, rules))})
    return Outcome("not yet", ", ".join(not_built)) if not_built else Outcome("failed", "; ".join(faults[0]))


def _results(scenario: Scenario, rules: list[Rule]) -> pl.DataFrame:
    lines = prepare(frame(scenario["given"]["records"]))
    found = find_results(lines, rules, _reference(scenario["given"]["reference"])).results
    opportunity = pl.col("category") == "opportunity"
    return found.with_columns(kind=pl.when(opportunity).then(pl.lit("opportunity")).otherwise(pl.lit("violation")))


def _reference(given: Scenario) -> Reference:
    codes = [
        {
            "code": c["code"],
            "place": "all",
            "leaf": c["leaf"],
            "section": c["top_level"],
            "level1_group": c["level1_group"],
        }
        for c in given["codes"]
    ]
    places = [{"code": e["numero"], "flags": ["gmf"] if e["ep_33"] else []} for e in given["establishments"]]
    empty = Reference(RUN_DATE)
    return Reference(
        RUN_DATE,
        codes=pl.DataFrame(codes, schema=empty.codes.schema),
        establishments=pl.DataFrame(places, schema=empty.establishments.schema),
    )


def _not_built(result: Scenario, rules: list[Rule]) -> str | None:
    if result["category"] == "opportunity":
        return None if any(rule.condition.type == "opportunity" for rule in rules) else "opportunity"
    asked = FOUND_BY.get(result["kind"])
    return asked if asked not in {None, *(rule.name for rule in rules)} else None


def _faults(found: pl.DataFrame, wanted: list[Scenario], none_of: list[str]) -> list[str]:
    """What keeps the results from being the complete list that is wanted."""
    known = {row for result in wanted for row in result["rows"]}
    missing = [f"no {result['severity']} for {result['kind']}" for result in wanted if not _met(found, result)]
    errors = found.filter(pl.col("severity") == "error")["row_number"]
    outside = [f"error on line {row}" for row in errors if row not in known]
    twice = Counter(found.select("row_number", "category", "severity").rows())
    repeated = [f"{category} twice on line {row}" for (row, category, _), times in twice.items() if times > 1]
    came = {f"severity:{s}" for s in found["severity"]} | {f"category:{kind}" for kind in found["kind"]}
    return [*missing, *outside, *repeated, *(kind for kind in none_of if kind in came)]


def _met(found: pl.DataFrame, result: Scenario) -> bool:
    kind = "opportunity" if result["category"] == "opportunity" else "violation"
    alike = found.filter(severity=result["severity"], kind=kind)
    if result["rows"]:
        alike = alike.filter(pl.col("row_number").is_in(result["rows"]))
    if kind == "opportunity" and "monetary_impact" in result:
        alike = alike.filter(pl.col("amount").cast(pl.String) == result["monetary_impact"])
    return alike.height > 0


CHECKERS: dict[str, Checker] = {
    "office_fee": checker(lambda rule: rule.category == "office_fee"),
    "annual_billing_code": checker(lambda rule: rule.name.startswith("ANNUAL_")),
    "gmf_8875": checker(lambda rule: rule.name.startswith("GMF_8875_")),
}
