"""Shipped rules held against scenarios: each subject is judged by the rules that it is about, and by no others."""

import re
from collections import Counter
from collections.abc import Callable
from decimal import Decimal

import polars as pl

from dashlib.engine import find_results
from dashlib.records import prepare
from dashlib.rules import Rule, shipped_rules
from dashlib.rules.base import Reference
from tests.scenarios import Checker, Outcome, Scenario
from tests.tables import RUN_DATE, frame


def checker(is_of: Callable[[Rule], bool]) -> Checker:
    """Judges a scenario by the shipped rules that `is_of` chooses, disabled ones too; the others are there, but rest."""
    rules = [rule.model_copy(update={"enabled": is_of(rule)}) for rule in shipped_rules()]
    return lambda scenario: check(scenario, rules)


def check(scenario: Scenario, rules: list[Rule]) -> Outcome:
    """Passes when one of the complete lists accepted is met."""
    found = _results(scenario, rules)
    expect = scenario["expect"]
    lists = [expect["results"], *expect.get("accept_also", [])]
    faults = [_faults(found, wanted, expect["none_of"]) for wanted in lists]
    return Outcome("failed", "; ".join(faults[0])) if all(faults) else Outcome("passed")


def _results(scenario: Scenario, rules: list[Rule]) -> pl.DataFrame:
    lines = prepare(frame([_as_read(record) for record in scenario["given"]["records"]]))
    found = find_results(lines, rules, _reference(scenario["given"]["reference"])).results
    opportunity = pl.col("category") == "opportunity"
    return found.with_columns(kind=pl.when(opportunity).then(pl.lit("opportunity")).otherwise(pl.lit("violation")))


def _as_read(record: Scenario) -> Scenario:
    """A record as the reader gives it: units that are no number are absent."""
    is_number = re.fullmatch(r"-?\d+(\.\d+)?", str(record.get("unites")))
    return record if is_number else record | {"unites": None}


def _reference(given: Scenario) -> Reference:
    codes = [
        {
            "code": c["code"],
            "place": "all",
            "tariff_value": Decimal(c["tariff_value"]) if c["tariff_value"] else None,
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
    "intervention_clinique": checker(lambda rule: rule.name == "CLINICAL_INTERVENTION_180MIN"),
    "visit_duration": checker(lambda rule: getattr(rule.condition, "strategy", None) == "duration_upgrade"),
}
