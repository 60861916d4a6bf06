"""duration_check once more, one line at a time."""

from collections import defaultdict
from math import floor
from typing import Any

from dashlib.rules import Rule
from tests.oracle.base import Found, Line, Verdict, by_time, looked_at, service_of


def verdict(rule: Rule, lines: list[Line]) -> Verdict:
    c: Any = rule.condition
    days: dict[Any, list[Line]] = defaultdict(list)
    skipped = 0
    for line in lines:
        looks = looked_at(line, c, set(c.codes), lines)
        if looks is False or not in_session(line, c, lines):
            continue
        day = None if c.aggregate == "row" and not c.when_same_session_codes else service_of(line)[:3]
        if looks is None or lasted(line) is None or None in (day or ()):
            skipped += 1
            continue
        days[line["row_number"] if c.aggregate == "row" else day].append(line)
    last = [max(day, key=by_time) for day in days.values() if wrong(day, c)]
    return Verdict([Found(line["row_number"]) for line in last], skipped)


def in_session(line: Line, c: Any, lines: list[Line]) -> bool:
    day = service_of(line)[:3]
    if not c.when_same_session_codes or None in day:
        return True
    return any(
        service_of(other)[:3] == day and looked_at(other, c, set(c.when_same_session_codes), lines) for other in lines
    )


def wrong(day: list[Line], c: Any) -> bool:
    total = sum(lasted(line) or 0 for line in day)
    return (
        (c.min_minutes is not None and total < c.min_minutes)
        or (c.block_minutes is not None and total < c.block_minutes)
        or (c.max_minutes is not None and total > c.max_minutes)
    )


def lasted(line: Line) -> int | None:
    timed = from_times(line)
    return from_units(line, 5) if timed is None else timed


def from_times(line: Line) -> int | None:
    start, end = line["debut_min"], line["fin_min"]
    if start is None or end is None or start == end:
        return None
    if end > start:
        return int(end - start)
    overnight = end + 24 * 60 - start
    return overnight if overnight <= 12 * 60 else None


def from_units(line: Line, least: int) -> int | None:
    whole = floor(line["unites"] or 0)
    return whole if whole >= least else None
