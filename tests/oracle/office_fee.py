"""office_fee_validation once more, one fee line at a time."""

from collections.abc import Sequence
from typing import Any

from dashlib.rules import Rule
from tests.oracle.base import Found, Line, Verdict, kept_first, looked_at

FEES = {"19928", "19929"}


def verdict(rule: Rule, lines: list[Line], all_rules: Sequence[Rule]) -> Verdict:
    fees, skipped = fees_of(rule, set(rule.condition.codes), lines)
    short = reasons(rule, fees, lines)
    refused_by_any = {
        row
        for other in all_rules
        for row, reason in reasons(other, fees_of(other, set(other.condition.codes), lines)[0], lines).items()
        if reason == "short"
    }
    too_much = {row for other in all_rules for row in beyond_the_most(other, lines)} - refused_by_any
    found = [Found(row) for row, reason in short.items() if reason == "short"]
    found += [Found(row, "warning") for row, reason in short.items() if reason == "unpaid" and row not in too_much]
    found += [Found(row) for row in beyond_the_most(rule, lines) if row in too_much]
    return Verdict(found, skipped)


def fees_of(rule: Rule, codes: set[str], lines: list[Line]) -> tuple[list[Line], int]:
    fees, skipped = [], 0
    for line in lines:
        looks = looked_at(line, rule.condition, codes, lines)
        if looks and line["doctor"] is not None and line["date_de_service"] is not None:
            fees.append(line)
        elif looks is not False:
            skipped += 1
    return fees, skipped


def reasons(rule: Rule, fees: list[Line], lines: list[Line]) -> dict[int, str]:
    c: Any = rule.condition
    said = {}
    for fee in fees:
        if fee["place"] == "etablissement":
            continue
        day = [line for line in lines if day_of(line) == day_of(fee)]
        visits = [line for line in day if is_visit(line, c, lines)]
        seen = claimed_patients(fee, visits, c)
        paid = {line["patient"] for line in day if line["is_paid"]}
        need = c.thresholds[fee["code"]].walkIn if claims_walk_in(fee, c) else c.thresholds[fee["code"]].registered
        enough = seen & paid if c.patient_count == "paid" else seen
        if need is None or len(enough) < need:
            said[fee["row_number"]] = "short"
        elif len(seen & paid) < need and any(line["is_paid"] for line in [fee, *visits]):
            said[fee["row_number"]] = "unpaid"
    return said


def is_visit(line: Line, c: Any, lines: list[Line]) -> bool:
    no_visit = FEES | set(c.codes) | set(c.exclude_codes)
    return line["code"] not in no_visit and looked_at(line, c, {"*"}, lines) is True


def claimed_patients(fee: Line, visits: list[Line], c: Any) -> set[str]:
    here = [line for line in visits if c.place != "cabinet" or line["place"] == "cabinet"]
    named = [line for line in here if line["patient"] is not None]
    walk_in = {line["patient"] for line in named if claims_walk_in(line, c)}
    return walk_in if claims_walk_in(fee, c) else {line["patient"] for line in named} - walk_in


def claims_walk_in(line: Line, c: Any) -> bool:
    return bool(line["contexts"] & set(c.walk_in_contexts))


def beyond_the_most(rule: Rule, lines: list[Line]) -> list[int]:
    if rule.threshold is None:
        return []
    most = int(rule.threshold * 100)
    fees, _ = fees_of(rule, set(rule.condition.codes) | FEES, lines)
    beyond = []
    for day in {day_of(fee) for fee in fees}:
        of_day = sorted((fee for fee in fees if day_of(fee) == day), key=kept_first)
        running, passed = 0, False
        for fee in of_day:
            running += fee["prel"] or 0
            passed = passed or running > most
            if passed and sum(other["prel"] or 0 for other in of_day) > most:
                beyond.append(fee["row_number"])
    return beyond


def day_of(line: Line) -> tuple[Any, Any]:
    return (line["doctor"], line["date_de_service"])
