"""What a prohibition means, one pair of lines after the other."""

from datetime import timedelta
from typing import Any

from dashlib.rules import Rule
from dashlib.rules.base import Reference
from tests.oracle.base import Found, Line, Verdict, by_time, kept_first, looked_at


def verdict(rule: Rule, lines: list[Line], ref: Reference) -> Verdict:
    c: Any = rule.condition
    skipped = 0
    for line in lines:
        reported = [side(line, c, name, lines) for name in "ab" if c.report in (name, "both")]
        skipped += None in reported and True not in reported
    return Verdict([Found(number) for number in partners(rule, lines)], skipped)


def partners(rule: Rule, lines: list[Line]) -> dict[int, list[Line]]:
    """The lines that each reported line may not stand with, the first in order first."""
    c: Any = rule.condition
    pairs = [
        (a, b)
        for a in lines
        if side(a, c, "a", lines)
        for b in lines
        if b is not a and side(b, c, "b", lines) and together(a, b, c)
    ]
    found: dict[int, list[Line]] = {}
    for line in lines:
        others = [b for a, b in pairs if a is line and c.report != "b"] + [
            a for a, b in pairs if b is line and c.report != "a"
        ]
        if others:
            found[line["row_number"]] = sorted({id(o): o for o in others}.values(), key=kept_first)
    return found


def side(line: Line, c: Any, name: str, lines: list[Line]) -> bool | None:
    """True on the side, False not, None where nobody can tell."""
    codes, roles = (set(c.codes), c.roles_a) if name == "a" else (set(c.with_codes) or set(c.codes), c.roles_b)
    looks = looked_at(line, c, codes, lines)
    if line["reversed"] or looks is False or (roles and line["role"] is not None and line["role"] not in roles):
        return False
    if looks is None or (roles and line["role"] is None) or None in (line["code"], line["date_de_service"]):
        return None
    return True if located(line, c.within) else None


def located(line: Line, within: str) -> bool:
    day = line["patient"] is not None
    if within == "invoice":
        return line["facture"] is not None
    if within == "invoice_or_patient_day":
        return line["facture"] is not None or day
    return day and (within == "patient_day" or line["doctor"] is not None)


def together(a: Line, b: Line, c: Any) -> bool:
    if a["code"] == b["code"] and "*" in c.with_codes and not c.same_code:
        return False
    if a["code"] != b["code"] and c.same_code:
        return False
    if c.order == "b_before_a" and not by_time(b) < by_time(a):
        return False
    same_day = a["date_de_service"] == b["date_de_service"]
    same_doctor = a["doctor"] == b["doctor"]
    same_patient = a["patient"] == b["patient"]
    match c.within:
        case "patient_day":
            return same_patient and same_day
        case "patient_doctor_day":
            return same_patient and same_doctor and same_day
        case "patient_doctor_calendar_year":
            return same_patient and same_doctor and a["date_de_service"].year == b["date_de_service"].year
        case "patient_doctor_lifetime":
            return same_patient and same_doctor
        case "patient_doctor_rolling_days":
            apart = abs(a["date_de_service"] - b["date_de_service"])
            return same_patient and same_doctor and apart < timedelta(days=c.days)
        case "invoice":
            return a["facture"] == b["facture"]
        case "invoice_or_patient_day":
            if a["facture"] is None and b["facture"] is None:
                return same_patient and same_day
            return a["facture"] is not None and a["facture"] == b["facture"]
    raise AssertionError(c.within)
