"""mutual_exclusion once more, one line at a time."""

from collections import defaultdict
from typing import Any

from dashlib.rules import Rule
from tests.oracle.base import Found, Line, Verdict, kept_first, looked_at
from tests.oracle.limits import WHO, before, span


def verdict(rule: Rule, lines: list[Line]) -> Verdict:
    c: Any = rule.condition
    groups: dict[Any, list[Line]] = defaultdict(list)
    skipped = 0
    for line in lines:
        looks = False if line["reversed"] else looked_at(line, c, codes_of(c), lines)
        if looks is False:
            continue
        who = [line[part] for part in WHO[c.per]]
        if looks is None or None in (*who, line["date_de_service"], line["code"]):
            skipped += 1
            continue
        groups[(*who, span(line["date_de_service"], c.period))].append(line)
    return Verdict([Found(line["row_number"]) for group in groups.values() for line in not_kept(group, c)], skipped)


def codes_of(c: Any) -> set[str]:
    return {code for group in c.groups for code in group} if c.groups else set(c.codes)


def not_kept(group: list[Line], c: Any) -> list[Line]:
    if c.period not in ("rolling_days", "rolling_months"):
        kept = services(sorted(group, key=kept_first), c)[: c.max_distinct]
        return [line for line in group if service(line, c) not in kept]
    ordered = sorted(group, key=lambda line: (line["date_de_service"], kept_first(line)))
    return [line for at, line in enumerate(ordered) if service(line, c) not in kept_in_window(ordered[: at + 1], c)]


def kept_in_window(until: list[Line], c: Any) -> list[Any]:
    since = before(until[-1]["date_de_service"], c)
    return services([line for line in until if line["date_de_service"] > since], c)[: c.max_distinct]


def services(ordered: list[Line], c: Any) -> list[Any]:
    met: list[Any] = []
    for line in ordered:
        if service(line, c) not in met:
            met.append(service(line, c))
    return met


def service(line: Line, c: Any) -> Any:
    if not c.groups:
        return line["code"]
    [number] = [number for number, group in enumerate(c.groups) if line["code"] in group]
    return number
