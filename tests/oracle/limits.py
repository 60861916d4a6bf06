"""frequency_limit once more, one line at a time."""

from calendar import monthrange
from collections import defaultdict
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from dashlib.rules import Rule
from tests.oracle.base import Found, Line, Verdict, by_time, kept_first, looked_at

WHO = {
    "patient": ("patient",),
    "doctor": ("doctor",),
    "patient_doctor": ("patient", "doctor"),
    "establishment": ("lieu",),
    "patient_establishment": ("patient", "lieu"),
    "doctor_location": ("doctor", "lieu"),
}


def verdict(rule: Rule, lines: list[Line]) -> Verdict:
    c: Any = rule.condition
    groups: dict[Any, list[Line]] = defaultdict(list)
    skipped = 0
    for line in lines:
        looks = False if line["reversed"] else looked_at(line, c, set(c.codes), lines)
        if looks is False:
            continue
        who = [line[part] for part in WHO[c.per]]
        if looks is None or None in (*who, line["date_de_service"], item(line, c.count)):
            skipped += 1
            continue
        groups[(*who, line["code"] if c.each_code else "", span(line["date_de_service"], c.period))].append(line)
    beyond = [line for group in groups.values() for line in beyond_limit(group, c)]
    reported = [line for line in beyond if c.anchor_codes is None or line["code"] in c.anchor_codes]
    return Verdict([Found(line["row_number"]) for line in reported], skipped)


def beyond_limit(group: list[Line], c: Any) -> Iterator[Line]:
    if c.period in ("rolling_days", "rolling_months"):
        return beyond_rolling(group, c)
    if c.keep == "first_paid":
        return after_first_paid(group)
    if c.count in ("distinct_dates", "distinct_patients"):
        return beyond_items(group, c)
    return beyond_sum(group, c)


def beyond_sum(group: list[Line], c: Any) -> Iterator[Line]:
    running = 0.0
    for line in sorted(group, key=kept_first):
        running += weight(line, c.count)
        if round(running, 6) > c.max:
            yield line


def beyond_items(group: list[Line], c: Any) -> Iterator[Line]:
    met: list[Any] = []
    for line in sorted(group, key=kept_first):
        if item(line, c.count) not in met:
            met.append(item(line, c.count))
    for line in group:
        if met.index(item(line, c.count)) >= c.max:
            yield line


def after_first_paid(group: list[Line]) -> Iterator[Line]:
    paid = False
    for line in sorted(group, key=by_time):
        if paid:
            yield line
        paid = paid or line["is_paid"]


def beyond_rolling(group: list[Line], c: Any) -> Iterator[Line]:
    ordered = sorted(group, key=lambda line: (line["date_de_service"], kept_first(line)))
    for at, line in enumerate(ordered):
        since = before(line["date_de_service"], c)
        window = [other for other in ordered[: at + 1] if other["date_de_service"] > since]
        if c.count in ("distinct_dates", "distinct_patients"):
            count: float = len({item(other, c.count) for other in window})
        else:
            count = round(sum(weight(other, c.count) for other in window), 6)
        if count > c.max:
            yield line


def before(day: date, c: Any) -> date:
    if c.period == "rolling_days":
        return day - timedelta(days=c.days)
    months = day.year * 12 + day.month - 1 - c.months
    year, month = months // 12, months % 12 + 1
    return date(year, month, min(day.day, monthrange(year, month)[1]))


def span(day: date, period: str) -> Any:
    return {
        "day": day,
        "week": day.isocalendar()[:2],
        "month": (day.year, day.month),
        "quarter": (day.year, (day.month + 2) // 3),
        "calendar_year": day.year,
    }.get(period)


def item(line: Line, count: str) -> Any:
    return {"distinct_dates": line["date_de_service"], "distinct_patients": line["patient"]}.get(
        count, line["row_number"]
    )


def weight(line: Line, count: str) -> float:
    return (line["unites"] or 1.0) if count in ("units", "units_or_lines") else 1.0
