"""opportunity, the rules that advise, once more: strategy by strategy, one line, day or patient at a time."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from dashlib.rules import Rule
from tests.oracle.base import Found, Line, Verdict, age_months, birth_date, by_time, kept_first, looked_at, service_of
from tests.oracle.tariffs import candidates, minutes, rows

FEES = {"19928", "19929"}
WALK_IN = {"G160", "AR"}
SEEDS = {"08857": {"cabinet": 5970, "etablissement": 4975}, "08859": {"cabinet": 2985, "etablissement": 2485}}

type Table = Sequence[dict[str, Any]]


def look(line: Line, c: Any, codes: set[str], lines: list[Line]) -> bool | None:
    """Whether advice looks at a line; lines taken back, and reversals, are left out."""
    return False if line["reversed"] else looked_at(line, c, codes, lines)


def at_any_day(c: Any) -> Any:
    """Counts do not look at the other lines of the day."""
    return c.model_copy(update={"unless_same_day_codes": []})


def tariff(code: str, line: Line, table: Table, *, starter: bool) -> int | None:
    some = candidates(rows(code, table, trusted_only=not starter), line)
    return some[0] if len(some) == 1 else None


def age_upcode(rule: Rule, lines: list[Line], table: Table, *, starter: bool) -> Verdict:
    c: Any = rule.condition
    found, skipped = [], 0
    for line in lines:
        looks = look(line, at_any_day(c), {*c.map, *c.map_80}, lines)
        served = line["date_de_service"]
        born = birth_date(line["nam"], served) if served else None
        if looks is False:
            continue
        if looks is None or born is None:
            skipped += 1
            continue
        if not look(line, c, {line["code"]}, lines):
            continue
        years = age_months(born, served) // 12
        new = c.map.get(line["code"]) if years >= c.min_years else None
        if years >= 80:
            new = c.map_80.get(line["code"], new)
        if new is None:
            continue
        now, then = (tariff(code, line, table, starter=starter) for code in (line["code"], new))
        if now is None or then is None:
            skipped += 1
        elif then > now:
            found.append(Found(line["row_number"], "info", then - now))
    return Verdict(found, skipped)


def missing_annual_code(rule: Rule, lines: list[Line]) -> Verdict:
    c: Any = rule.condition
    ending = {*c.codes, *([c.code] if c.code else []), *c.blocked_by}
    triggers, skipped = judged_in_periods(c, set(c.trigger_codes), lines)
    found = []
    for key, group in triggers.items():
        billed = [line for line in lines if line["code"] in ending and key_of(line, c, "patient") == key]
        if not billed:
            told = sorted(group, key=by_time)[0 if c.report == "first_trigger" else -1]
            found.append(Found(told["row_number"], "info", int((c.amount or 0) * 100)))
    return Verdict(found, skipped)


def judged_in_periods(
    c: Any, codes: set[str], lines: list[Line], per: str = "patient", *, reversals: bool = False
) -> tuple[dict[Any, list[Line]], int]:
    groups: dict[Any, list[Line]] = {}
    skipped = 0
    for line in lines:
        looks = (looked_at if reversals else look)(line, c, codes, lines)
        key = key_of(line, c, per)
        if looks and key is not None:
            groups.setdefault(key, []).append(line)
        elif looks is not False:
            skipped += 1
    return groups, skipped


def key_of(line: Line, c: Any, per: str) -> tuple[Any, ...] | None:
    served = line["date_de_service"]
    if line[per] is None or served is None:
        return None
    return (line[per], period_of(served, c.period))


def period_of(served: date, period: str) -> Any:
    return {
        "day": served,
        "month": (served.year, served.month),
        "quarter": (served.year, (served.month - 1) // 3),
        "calendar_year": served.year,
        "lifetime": None,
    }[period]


def annual_all_unpaid(rule: Rule, lines: list[Line], table: Table, *, starter: bool) -> Verdict:
    c: Any = rule.condition
    groups, skipped = judged_in_periods(c, set(c.codes), lines, reversals=True)
    found = []
    for group in groups.values():
        if len(group) > 1 and not any(line["paid"] for line in group):
            first = min(group, key=by_time)
            worth = tariff(first["code"], first, table, starter=starter)
            found.append(Found(first["row_number"], "info", (first["prel"] or 0) if worth is None else worth))
    return Verdict(found, skipped)


def quota_left(rule: Rule, lines: list[Line]) -> Verdict:
    c: Any = rule.condition
    groups, skipped = judged_in_periods(c, set(c.quotas), lines, "doctor")
    found = []
    for group in groups.values():
        highest = max({line["code"] for line in group}, key=lambda code: (c.quotas[code], code))
        of_code = [line for line in group if line["code"] == highest]
        if len(of_code) < c.quotas[highest]:
            found.append(Found(max(of_code, key=by_time)["row_number"], "info", 0))
    return Verdict(found, skipped)


def unpaid_within_deadline(rule: Rule, lines: list[Line], run_date: date) -> Verdict:
    c: Any = rule.condition
    groups: dict[Any, list[Line]] = {}
    skipped = 0
    for line in lines:
        served = line["date_de_service"]
        within = served is not None and 0 <= (run_date - served).days <= c.days
        looks = within and not line["is_paid"] and look(line, c, set(c.codes) or {"*"}, lines)
        if looks and line["doctor"] is not None:
            groups.setdefault((line["doctor"], *(line[KEYS[name]] for name in c.group)), []).append(line)
        elif looks is not False:
            skipped += 1
    found = [
        Found(min(group, key=by_time)["row_number"], "info", sum(line["prel"] or 0 for line in group))
        for group in groups.values()
    ]
    return Verdict(found, skipped)


KEYS = {"code": "code", "lieu_de_pratique": "lieu"}


def suggest_context(rule: Rule, lines: list[Line], reported: set[int]) -> Verdict:
    c: Any = rule.condition
    days: dict[Any, list[Line]] = {}
    skipped = 0
    for line in lines:
        looks = line["row_number"] in reported and looked_at(line, c, {"*"}, lines)
        if looks and None not in day_of(line):
            days.setdefault(day_of(line), []).append(line)
        elif looks is not False:
            skipped += 1
    return Verdict([Found(min(day, key=by_time)["row_number"], "info", 0) for day in days.values()], skipped)


def day_of(line: Line) -> tuple[Any, Any]:
    return (line["doctor"], line["date_de_service"])


def missing_companion(
    rule: Rule, lines: list[Line], marks: dict[str, set[str]], table: Table, *, starter: bool
) -> Verdict:
    c: Any = rule.condition
    found, told, skipped = [], set(), 0
    for line in sorted(
        lines, key=lambda line: (line["date_de_service"] is None, line["date_de_service"] and kept_first(line))
    ):
        letters = [
            letter for letter in c.companions if f"{c.trigger_indicator} {letter}" in marks.get(line["code"], set())
        ]
        looks = look(line, c, {line["code"]} if letters else set(), lines)
        day = service_of(line)[:3]
        if looks is None or (looks and None in day):
            skipped += 1
            continue
        billed = {other["code"] for other in lines if service_of(other)[:3] == day}
        lacking = {c.companions[letter] for letter in letters if looks} - billed
        for companion in sorted(code for code in lacking if (day, code) not in told):
            told.add((day, companion))
            worth = tariff(companion, line, table, starter=starter)
            if worth is None:
                skipped += 1
            else:
                found.append(Found(line["row_number"], "info", worth))
    return Verdict(found, skipped)


def duration_upgrade(rule: Rule, lines: list[Line], table: Table, cap: Any) -> Verdict:
    c: Any = rule.condition
    looking = [line for line in lines if look(line, c, set(c.codes), lines)]
    said = [(line, look(line, at_any_day(c), set(c.codes), lines)) for line in lines]
    skipped = sum(looks is None or (looks and not tells(line)) for line, looks in said)
    found = []
    for day in {day_of(line) for line in looking if tells(line)}:
        room = (
            None if cap is None else int(cap.max) - counted(cap, [line for line in lines if day_of(line) == day], lines)
        )
        for line in sorted((line for line in looking if tells(line) and day_of(line) == day), key=by_time):
            gain = gain_by_time(c, line, table)
            fits = room is None or minutes(line) <= room
            if gain is not None and gain >= c.min_gain * 100 and fits:
                found.append(Found(line["row_number"], "info", gain))
                room = None if room is None else room - minutes(line)
    return Verdict(found, skipped)


def tells(line: Line) -> bool:
    return minutes(line) is not None and line["prel"] is not None and None not in day_of(line)


def counted(cap: Any, day: list[Line], lines: list[Line]) -> int:
    of_cap = [line for line in day if looked_at(line, cap, set(cap.codes), lines)]
    return sum(minutes(line) or cap.minutes_by_code.get(line["code"]) or 0 for line in of_cap)


def gain_by_time(c: Any, line: Line, table: Table) -> int | None:
    lasted = minutes(line)
    if lasted is None or lasted < c.min_minutes or line["code"] in (c.base_code, c.addon_code):
        return None
    further, rest = divmod(lasted - c.base_minutes, c.addon_minutes)
    further += rest >= c.addon_min_last
    base, addon = period_worth(c.base_code, line, table), period_worth(c.addon_code, line, table)
    if base is None or (further and addon is None):
        return None
    return int(base + further * (addon or 0) - line["prel"])


def period_worth(code: str, line: Line, table: Table) -> int | None:
    trusted = rows(code, table, trusted_only=True)
    if not trusted:
        return SEEDS.get(code, {}).get(line["place"])
    some = candidates(trusted, line)
    return some[0] if len(some) == 1 else None


def office_fees(rules: Sequence[Rule], lines: list[Line], wrong: set[int]) -> dict[str, list[Found]]:
    """What each rule says: one piece of advice a day, the first in the order missed, upgrade, second."""
    order = ["office_fee_missed", "office_fee_upgrade", "office_fee_second"]
    by_rank = sorted(enumerate(rules), key=lambda pair: (order.index(pair[1].condition.strategy), pair[0]))
    said: dict[str, list[Found]] = {rule.name: [] for rule in rules}
    for day in {day_of(line) for line in lines if None not in day_of(line)}:
        of_day = [line for line in lines if day_of(line) == day]
        for _, rule in by_rank:
            told = advice_of_day(rule.condition, of_day, lines, wrong)
            if told:
                said[rule.name].append(told)
                break
    return said


def advice_of_day(c: Any, day: list[Line], lines: list[Line], wrong: set[int]) -> Found | None:
    visits = [line for line in day if is_counted(line, c, lines)]
    walk_in = {line["patient"] for line in visits if line["contexts"] & WALK_IN}
    seen = {"registered": len({line["patient"] for line in visits} - walk_in), "walkIn": len(walk_in)}
    fees = [line for line in day if line["code"] in FEES]
    if c.strategy == "office_fee_missed":
        return missed(c, visits, seen) if not fees else None
    if not visits or any(line["place"] == "etablissement" or line["row_number"] in wrong for line in fees):
        return None
    standing = sorted((line for line in fees if not line["reversed"]), key=kept_first)
    nominal = sum(int(c.amounts.get(line["code"], Decimal()) * 100) for line in standing)
    billed = max(nominal, sum(line["prel"] or 0 for line in standing))
    return (upgrade if c.strategy == "office_fee_upgrade" else second)(c, standing, billed, seen)


def is_counted(line: Line, c: Any, lines: list[Line]) -> bool:
    visit = line["code"] not in FEES and looked_at(line, c, {"*"}, lines) is True
    return visit and line["place"] == "cabinet" and line["patient"] is not None


def reaches(c: Any, code: str, category: str, seen: dict[str, int]) -> bool:
    least = getattr(c.thresholds[code], category)
    return least is not None and seen[category] >= least


def missed(c: Any, visits: list[Line], seen: dict[str, int]) -> Found | None:
    worth = {code: int(c.amounts[code] * 100) for code in c.thresholds}
    carried = [max([worth[code] for code in worth if reaches(c, code, each, seen)], default=0) for each in seen]
    gain = min(sum(carried), max(worth.values()))
    return Found(min(visits, key=kept_first)["row_number"], "info", gain) if gain else None


def upgrade(c: Any, fees: list[Line], billed: int, seen: dict[str, int]) -> Found | None:
    lower = [fee for fee in fees if fee["code"] == c.lower]
    worth = {code: int(c.amounts[code] * 100) for code in (c.lower, c.higher)}
    carried = any(reaches(c, c.higher, claimed(fee), seen) for fee in lower)
    gain = worth[c.higher] - worth[c.lower]
    return Found(lower[0]["row_number"], "info", gain) if carried and billed + gain <= worth[c.higher] else None


def second(c: Any, fees: list[Line], billed: int, seen: dict[str, int]) -> Found | None:
    ours = [fee for fee in fees if fee["code"] == c.code]
    one_category = len({claimed(fee) for fee in ours}) == 1 and not any(fee["code"] == c.other_code for fee in fees)
    both = all(reaches(c, c.code, each, seen) for each in seen)
    gain = int(c.amounts[c.code] * 100)
    fits = billed + gain <= int(c.max * 100)
    return Found(ours[0]["row_number"], "info", gain) if one_category and both and fits else None


def claimed(fee: Line) -> str:
    return "walkIn" if fee["contexts"] & WALK_IN else "registered"
