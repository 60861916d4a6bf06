"""tariff_check once more, one line at a time; and what a code may be worth, by all rows of the codes table."""

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from dashlib.rules import Rule
from tests.oracle.base import Found, Line, Verdict, looked_at

FURTHER = {"08843", "08859", "08860", "08868", "08869", "15786", "15788"}


def verdict(rule: Rule, lines: list[Line], table: Sequence[dict[str, Any]], *, starter: bool) -> Verdict:
    c: Any = rule.condition
    found, skipped = [], 0
    for line in lines:
        looks = looked_at(line, c, set(c.codes), lines)
        if looks is False:
            continue
        amount = line["paid"] if c.amount_field == "montant_paye" else line["prel"]
        right = None if looks is None or (amount or 0) <= 0 else is_right(c, line, amount, table, starter=starter)
        if right is None:
            skipped += 1
        elif not right:
            found.append(Found(line["row_number"], None, amount))
    return Verdict(found, skipped)


def is_right(c: Any, line: Line, amount: int, table: Sequence[dict[str, Any]], *, starter: bool) -> bool | None:
    tolerance = c.tolerance * 100
    if c.compare_to == "montant_preliminaire":
        return None if line["prel"] is None else line["prel"] - amount <= tolerance
    worth = worths(c, line, table, starter=starter)
    if not worth:
        return None
    return any(abs(amount - cents * factor) <= tolerance for cents in worth for factor in c.multipliers)


def worths(c: Any, line: Line, table: Sequence[dict[str, Any]], *, starter: bool) -> list[int]:
    if c.fixed and line["code"] in c.fixed:
        cents = [int(c.fixed[line["code"]] * 100)]
    else:
        only = bool(c.reference.sources) or not starter
        some = rows(line["code"], table, trusted_only=only, plausible=c.reference.plausible_only)
        cents = candidates(some, line, place_aware=c.place_aware)
    if c.per_minutes and line["code"] in FURTHER:
        periods = further_periods(minutes(line) or 0, c.per_minutes)
        cents = [each * max(1, periods) for each in cents]
    if c.units_aware and (line["unites"] or 0) > 0:
        cents += [int((each * Decimal(repr(line["unites"]))).quantize(Decimal(1), ROUND_HALF_UP)) for each in cents]
    return cents


def further_periods(lasted: int, of: int) -> int:
    full, rest = divmod(lasted, of)
    return full + 1 if rest * 2 > of else full


def rows(
    code: str, table: Sequence[dict[str, Any]], *, trusted_only: bool, plausible: bool = True
) -> list[dict[str, Any]]:
    some = [row for row in table if row["code"].zfill(5) == code and row["tariff_value"] is not None]
    some = [row for row in some if row["kind"] not in ("base_units", "maximum")]
    some = [row for row in some if row["kind"] or row["role"] != "2"]
    if plausible:
        some = [row for row in some if 2 <= row["tariff_value"] <= 10_000]
    trusted = [row for row in some if row["trusted"]]
    return trusted if trusted or trusted_only else some


def candidates(some: list[dict[str, Any]], line: Line, *, place_aware: bool = True) -> list[int]:
    some = [row for row in some if not row["role"] or not line["role"] or row["role"] == line["role"]]
    some = [row for row in some if holds(row, line["date_de_service"])]
    here = [row for row in some if place_of(row) == line["place"] is not None]
    everywhere = [row for row in some if place_of(row) == "all"]
    chosen = (here or everywhere) if place_aware else some
    return sorted({int(row["tariff_value"] * 100) for row in chosen})


def place_of(row: dict[str, Any]) -> str:
    return {"Cabinet": "cabinet", "Établissement": "etablissement"}.get(row["place"], "all")


def holds(row: dict[str, Any], day: Any) -> bool:
    begun = row["valid_from"] is None or (day is not None and row["valid_from"] <= day)
    return begun and (row["valid_to"] is None or (day is not None and day <= row["valid_to"]))


def minutes(line: Line) -> int | None:
    if line["debut_min"] is None or line["fin_min"] is None or line["debut_min"] == line["fin_min"]:
        return None
    lasted = line["fin_min"] - line["debut_min"]
    if lasted < 0:
        lasted += 1440
        return lasted if lasted <= 720 else None
    return lasted
