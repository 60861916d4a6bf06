"""What a requirement means, one line after the other."""

from typing import Any

from dashlib.rules import Rule
from dashlib.rules.base import Reference
from tests.oracle.base import Found, Line, Verdict, looked_at

KEYS = {
    "patient_day": ("patient", "date_de_service"),
    "patient_doctor_day": ("patient", "doctor", "date_de_service"),
    "patient_doctor_lifetime": ("patient", "doctor"),
    "invoice": ("facture",),
}
HEADERS = {
    "debut": "Début",
    "fin": "Fin",
    "unites": "Unités",
    "diagnostic": "Diagnostic",
    "patient": "Patient",
    "lieu_de_pratique": "Lieu de pratique",
}


def verdict(rule: Rule, lines: list[Line], ref: Reference) -> Verdict:
    said = {line["row_number"]: says(line, rule.condition, lines) for line in lines}
    return Verdict([Found(number) for number, what in said.items() if what is False], list(said.values()).count(None))


def says(line: Line, c: Any, lines: list[Line]) -> bool | str | None:
    """False where something is missing, None where nobody can tell, "" where the rule does not look."""
    looks = looked_at(line, c, set(c.codes), lines)
    if looks is False:
        return ""
    met = list(demands(line, c.require, lines).values())
    if looks is None:
        return None
    return False if False in met else None if None in met else True


def demands(line: Line, asked: Any, lines: list[Line]) -> dict[str, bool | None]:
    met: dict[str, bool | None] = {}
    if asked.any_codes:
        met["any_codes"] = has_companion(line, asked, lines)
    if asked.any_contexts:
        met["any_contexts"] = bool(line["contexts"] & set(asked.any_contexts))
    if asked.no_contexts:
        met["no_contexts"] = not line["contexts"] & set(asked.no_contexts)
    if asked.any_fields:
        met["any_fields"] = any(
            is_filled(line, f) and (f != "fin" or is_filled(line, "debut")) for f in asked.any_fields
        )
    for field in asked.fields:
        met[field] = is_filled(line, field)
    return met


def has_companion(line: Line, asked: Any, lines: list[Line]) -> bool | None:
    key = [line[name] for name in KEYS[asked.scope]]
    if None in key:
        return None
    others = [o for o in lines if o is not line and [o[name] for name in KEYS[asked.scope]] == key]
    return any("*" in asked.any_codes or other["code"] in asked.any_codes for other in others)


def is_filled(line: Line, field: str) -> bool:
    return (line["unites"] or 0) > 0 if field == "unites" else line[field] is not None


def missing(line: Line, c: Any, lines: list[Line]) -> str | None:
    """What the message of a reported line names."""
    met = demands(line, c.require, lines)
    said = [" / ".join(getattr(c.require, d)) for d in ("any_codes", "any_contexts") if met.get(d, True) is False]
    if met.get("any_fields", True) is False:
        said.append(" / ".join(HEADERS[field] for field in c.require.any_fields))
    said += [header for field, header in HEADERS.items() if met.get(field, True) is False]
    return ", ".join(said) or None
