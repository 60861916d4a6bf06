"""A line and its filters once more, in plain Python: nothing here shares code with the package."""

import re
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl


@dataclass(frozen=True)
class Found:
    """What a naive rule reports of a line; `severity` None means the rule's own, `amount` None the line's, in cents."""

    row_number: int
    severity: str | None = None
    amount: int | None = None


@dataclass(frozen=True)
class Verdict:
    found: list[Found]
    skipped: int


type Line = dict[str, Any]


def lines_of(exported: pl.DataFrame) -> list[Line]:
    """The exported records as dicts, with what rules ask of them worked out one by one, in file order."""
    lines = [line_of(row) for row in exported.to_dicts()]
    mark_reversals(lines)
    return lines


def line_of(row: Line) -> Line:
    row = {k: (v.strip() or None) if isinstance(v, str) else v for k, v in row.items()}
    row["code"] = row["code"].zfill(5) if row["code"] else None
    doctor, patient = row["doctor"], row["patient"]
    licence = re.match(r"(\d{7})(-\d+)?\s*(\||$)", doctor or "")
    row["doctor"] = licence[1] if licence else doctor
    nam = None if patient is None else "" if patient.startswith("- ") else patient.split(" - ", 1)[0].strip()
    row["nam"] = nam
    row["patient"] = nam if nam and re.fullmatch(r"[A-Z]{4}[0-9]{8}", nam) else patient
    place = row["lieu_de_pratique"]
    row["lieu"] = place.zfill(5) if place and place.isdigit() else place
    row["place"] = None if not place else "cabinet" if row["lieu"].startswith("5") else "etablissement"
    row["contexts"] = {
        t
        for t in (
            p.strip().lstrip("#").strip().upper() for p in re.split(r"[,;|]|\s(?=#)", row["element_de_contexte"] or "")
        )
        if t
    }
    row["debut_min"], row["fin_min"] = minutes(row["debut"], 1439), minutes(row["fin"], 1440)
    row["prel"] = None if row["montant_preliminaire"] is None else int(row["montant_preliminaire"] * 100)
    row["paid"] = None if row["montant_paye"] is None else int(row["montant_paye"] * 100)
    row["is_paid"] = (row["paid"] or 0) > 0
    row["reversed"] = False
    return row


def minutes(text: str | None, last: int) -> int | None:
    match = re.fullmatch(r"(\d{1,2}):([0-5]\d)", text or "")
    if not match or (total := int(match[1]) * 60 + int(match[2])) > last:
        return None
    return total


def mark_reversals(lines: list[Line]) -> None:
    """A negative paid amount takes back the latest earlier line, not yet taken back, of the same service and amount."""
    for at, line in enumerate(lines):
        if (line["paid"] or 0) < 0:
            line["reversed"] = True
            service = service_of(line)
            if None in service:
                continue
            for earlier in reversed(lines[:at]):
                if service_of(earlier) == service and earlier["paid"] == -line["paid"] and not earlier["reversed"]:
                    earlier["reversed"] = True
                    break


def service_of(line: Line) -> tuple[Any, ...]:
    return (line["doctor"], line["patient"], line["date_de_service"], line["code"])


def kept_first(line: Line) -> tuple[Any, ...]:
    """The order of every "keep the first": paid, then date, start (absent last), line."""
    return (not line["is_paid"], *by_time(line))


def by_time(line: Line) -> tuple[Any, ...]:
    start = line["debut_min"]
    return (line["date_de_service"], start is None, start or 0, line["row_number"])


def birth_date(nam: str | None, served: date | None) -> date | None:
    if served is None or not re.fullmatch(r"[A-Z]{4}\d{8}", nam or ""):
        return None
    yy, mm, dd = int(nam[4:6]), int(nam[6:8]), int(nam[8:10])
    for century in (2000, 1900):
        try:
            born = date(century + yy, mm - 50 if mm > 50 else mm, dd)
        except ValueError:
            continue
        if born <= served and age_months(born, served) < 111 * 12:
            return born
    return None


def age_months(born: date, served: date) -> int:
    return (served.year - born.year) * 12 + served.month - born.month - (served.day < born.day)


def looked_at(
    line: Line, condition: Any, codes: set[str], lines: list[Line], *, flags: dict[str, set[str]] | None = None
) -> bool | None:
    """Whether a rule looks at a line: True, False, or None where role or age would have to be known (skipped)."""
    if "*" not in codes and line["code"] not in codes:
        return False
    if line["contexts"] & set(condition.unless_contexts):
        return False
    day = service_of(line)[:3]
    others = (
        [other["code"] for other in lines if service_of(other)[:3] == day] if condition.unless_same_day_codes else []
    )
    if None not in day and set(others) & set(condition.unless_same_day_codes):
        return False
    w = condition.where
    if w.places and line["place"] not in w.places:
        return False
    if w.establishment_prefixes and not (line["lieu"] or "").startswith(tuple(w.establishment_prefixes)):
        return False
    if w.establishment_flags and not set(w.establishment_flags) <= (flags or {}).get(line["lieu"], set()):
        return False
    if w.sectors and not any(s.lower() in (line["secteur_activite"] or "").lower() for s in w.sectors):
        return False
    if w.contexts_any and not line["contexts"] & set(w.contexts_any):
        return False
    if line["contexts"] & set(w.contexts_none):
        return False
    if w.paid != "any" and line["is_paid"] != (w.paid == "paid"):
        return False
    if (w.date_from or w.date_to) and line["date_de_service"] is None:
        return False
    if (w.date_from and line["date_de_service"] < w.date_from) or (w.date_to and line["date_de_service"] > w.date_to):
        return False
    unknown = bool(w.roles) and line["role"] is None
    if w.roles and line["role"] is not None and line["role"] not in w.roles:
        return False
    if w.asks_age:
        born = birth_date(line["nam"], line["date_de_service"])
        if born is None:
            unknown = True
        else:
            months = age_months(born, line["date_de_service"])
            bounds = (
                (w.age_min_months, months, 1),
                (w.age_max_months, -months, -1),
                (w.age_min_years, months // 12, 1),
                (w.age_max_years, -(months // 12), -1),
            )
            if any(bound is not None and age < bound * sign for bound, age, sign in bounds):
                return False
    return None if unknown else True
