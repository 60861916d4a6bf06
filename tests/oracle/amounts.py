"""amount_limit once more, one line at a time; what is added is in hundredths."""

from collections import defaultdict
from collections.abc import Iterator
from math import ceil
from typing import Any

from dashlib.rules import Rule
from tests.oracle.base import Found, Line, Verdict, by_time, kept_first, looked_at
from tests.oracle.durations import from_times, from_units
from tests.oracle.limits import WHO, before, span

ROLLING = ("rolling_days", "rolling_months")


def verdict(rule: Rule, lines: list[Line]) -> Verdict:
    c: Any = rule.condition
    groups: dict[Any, list[Line]] = defaultdict(list)
    skipped = 0
    for line in lines:
        looks = looked_at(line, c, set(c.codes), lines)
        if looks is False:
            continue
        who = [line[part] for part in WHO[c.per]]
        if looks is None or None in (*who, line["date_de_service"], measured(line, c)):
            skipped += 1
            continue
        groups[(*who, line["code"] if c.each_code else "", span(line["date_de_service"], c.period))].append(line)
    beyond = beyond_rolling if c.period in ROLLING else beyond_fixed
    return Verdict([found for group in groups.values() for found in beyond(group, c)], skipped)


def beyond_fixed(group: list[Line], c: Any) -> Iterator[Found]:
    ordered = sorted(group, key=by_time)
    most = limit(ordered[0], c)
    if summed(ordered, c) <= most:
        return
    crossing = next(at for at in range(len(ordered)) if summed(ordered[: at + 1], c) > most)
    for line in ordered[crossing:]:
        yield Found(line["row_number"], severity(ordered, c))


def beyond_rolling(group: list[Line], c: Any) -> Iterator[Found]:
    ordered = sorted(group, key=lambda line: (line["date_de_service"], kept_first(line)))
    for at, line in enumerate(ordered):
        since = before(line["date_de_service"], c)
        window = [other for other in ordered[: at + 1] if other["date_de_service"] > since]
        if summed(window, c) > limit(window[0], c):
            yield Found(line["row_number"], severity(window, c))


def severity(counted: list[Line], c: Any) -> str | None:
    return c.when_all_paid if all(line["is_paid"] for line in counted) else None


def limit(first: Line, c: Any) -> float:
    return float((c.max_by_place or {}).get(first["place"], c.max)) * 100 + 0.5


def summed(counted: list[Line], c: Any) -> float:
    met: set[Any] = set()
    total = 0.0
    for line in counted:
        once = counted_once(line, c)
        if once is None or once not in met:
            total += measured(line, c)
        met.add(once)
    return round(total, 6)


def counted_once(line: Line, c: Any) -> Any:
    if c.measure == "patients":
        return line["patient"]
    session = (line["doctor"], line["date_de_service"], line["code"], line["debut_min"])
    return session if line["code"] in c.distinct_sessions_for and None not in session else None


def measured(line: Line, c: Any) -> Any:
    if c.measure == "amount":
        return line["prel"] or 0
    if c.measure == "units":
        return units(line, c) * 100
    if c.measure == "minutes":
        lasted = minutes(line, c)
        return None if lasted is None else lasted * 100
    return 100 if c.measure == "lines" or line["patient"] is not None else None


def units(line: Line, c: Any) -> float:
    lasted = from_times(line)
    if c.unit_minutes and lasted is not None:
        return ceil(lasted / c.unit_minutes)
    return line["unites"] or 1.0


def minutes(line: Line, c: Any) -> int | None:
    own = c.minutes_by_code.get(line["code"])
    told = {
        "times": from_times(line),
        "units_as_minutes": from_units(line, 1 if own is None else 5),
        "minutes_by_code": own,
    }
    return next((told[source] for source in c.minutes_source if told[source] is not None), None)
