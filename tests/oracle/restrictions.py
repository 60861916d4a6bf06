"""What a restriction of place, time or age means, one line after the other."""

import unicodedata
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

from dashlib.rules import Rule
from dashlib.rules.base import Reference
from tests.oracle.base import Found, Line, Verdict, age_months, birth_date, looked_at

# The agreement's list, read off a calendar.
HOLIDAYS = {
    2024: "01-01 01-02 03-29 04-01 05-20 06-24 07-01 09-02 10-14 12-24 12-25 12-26 12-31",
    2025: "01-01 01-02 04-18 04-21 05-19 06-24 07-01 09-01 10-13 12-24 12-25 12-26 12-31",
}
WEEK = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


def verdict(rule: Rule, lines: list[Line], ref: Reference) -> Verdict:
    c: Any = rule.condition
    found, skipped = [], 0
    for line in lines:
        looks = looked_at(line, c, set(c.codes), lines)
        if looks is False:
            continue
        broken = None if looks is None else SAYS[c.type](line, c, ref)
        skipped += broken is None
        if broken:
            found.append(Found(line["row_number"]))
    return Verdict(found, skipped)


def is_misplaced(line: Line, c: Any, ref: Reference) -> bool | None:
    if line["lieu"] is None:
        return None
    allowed = c.allow.places or c.allow.prefixes or c.allow.sectors
    return is_at(line, c.deny) or bool(allowed and not is_at(line, c.allow))


def is_at(line: Line, places: Any) -> bool:
    sector = line["secteur_activite"] or ""
    return (
        line["place"] in places.places
        or ("domicile" in places.places and "VISITE_DOMICILE" in line["contexts"])
        or any(line["lieu"].startswith(prefix) for prefix in places.prefixes)
        or (sector != "Aucun Secteur" and any(bare(text) in bare(sector) for text in places.sectors))
    )


def bare(text: str) -> str:
    letters = (letter for letter in unicodedata.normalize("NFD", text) if not unicodedata.combining(letter))
    return "".join(letters).lower()


def is_mistimed(line: Line, c: Any, ref: Reference) -> bool | None:
    served, start = line["date_de_service"], line["debut_min"]
    if any((w.start, w.end) != ("00:00", "24:00") for w in c.windows) and start is None:
        return None
    if served is None:
        return None
    return not any(is_inside(w, served, start or 0, is_holiday(served, line["lieu"], ref)) for w in c.windows)


def is_inside(window: Any, served: date, start: int, holiday: bool) -> bool:
    first, last = (int(clock[:2]) * 60 + int(clock[3:]) for clock in (window.start, window.end))
    if not first <= start < last:
        return False
    if window.holiday == "only":
        return holiday
    return WEEK[served.weekday()] in window.days and not (window.holiday == "exclude" and holiday)


def is_holiday(served: date, lieu: str | None, ref: Reference) -> bool:
    rows = ref.holidays.to_dicts()
    general = [row for row in rows if row["applies_to"] == "all"]
    own = [row for row in rows if lieu is not None and row["applies_to"].zfill(5) == lieu]
    if any(row["date"] == served for row in own):
        return True
    if not any(row["date"].year == served.year for row in general):
        return served.strftime("%m-%d") in HOLIDAYS.get(served.year, "")
    replaced = {(row["name"], reference_year(row["date"])) for row in own}
    return any(
        row["date"] == served and (row["name"] is None or (row["name"], reference_year(served)) not in replaced)
        for row in general
    )


def reference_year(day: date) -> int:
    return day.year if day.month >= 5 else day.year - 1


def is_misaged(line: Line, c: Any, ref: Reference) -> bool | None:
    served = line["date_de_service"]
    born = birth_date(line["nam"], served) if served else None
    if born is None:
        return None
    months = age_months(born, served)
    return any(
        (
            c.min_years is not None and months < c.min_years * 12,
            c.max_years_excl is not None and months >= c.max_years_excl * 12,
            c.min_months is not None and months < c.min_months,
            c.max_months_incl is not None and months > c.max_months_incl,
            c.max_days_incl is not None and served > born + timedelta(days=c.max_days_incl),
        )
    )


SAYS: dict[str, Callable[[Line, Any, Reference], bool | None]] = {
    "location_restriction": is_misplaced,
    "time_restriction": is_mistimed,
    "age_restriction": is_misaged,
}
