"""What each check of the export itself, and each look into the reference, means for one line after the other."""

import re
import unicodedata
from datetime import date
from typing import Any

from dashlib.rules import Rule
from dashlib.rules.base import Reference
from tests.oracle.base import Found, Line, Verdict, birth_date, kept_first, looked_at

UNKNOWN = "unknown"


def verdict(rule: Rule, lines: list[Line], ref: Reference) -> Verdict:
    c: Any = rule.condition
    codes = set(c.codes) or {"*"}
    looks = [(line, looked_at(line, c, codes, lines)) for line in lines]
    looks = [
        (line, seen)
        for line, seen in looks
        if seen is not False and line["code"] not in getattr(c, "exclude_codes", ())
    ]
    says = reference_says if c.type == "reference_check" else SAYS.get(c.check) or group_says(c)
    said = [(line, UNKNOWN if seen is None else says(line, c, ref)) for line, seen in looks]
    judged = [line for line, what in said if what is not UNKNOWN]
    skipped = len(said) - len(judged)
    if c.type == "data_quality" and c.check in ("duplicate_line", "overlap"):
        return Verdict([Found(number) for number in group_partners(rule, judged)], skipped)
    broken = [line for line, what in said if what is True]
    if c.type == "reference_check":
        return Verdict(summed_up(broken, c, ref), skipped)
    return Verdict([Found(line["row_number"]) for line in broken], skipped)


def group_says(c: Any) -> Any:
    """Whether a line can be compared with others at all."""
    if c.check == "duplicate_line":
        return lambda line, c, ref: (
            UNKNOWN if None in (line["doctor"], line["patient"], line["date_de_service"], line["code"]) else False
        )
    return lambda line, c, ref: UNKNOWN if not timed(line) else False


def timed(line: Line) -> bool:
    known = None not in (line["doctor"], line["patient"], line["date_de_service"], line["debut_min"], line["fin_min"])
    return known and line["fin_min"] > line["debut_min"]


def group_partners(rule: Rule, judged: list[Line]) -> dict[int, list[Line]]:
    """The lines that each reported line repeats or overlaps, the first in order first."""
    c: Any = rule.condition
    offends = repeats if c.check == "duplicate_line" else overlaps
    found = {line["row_number"]: [o for o in judged if o is not line and offends(line, o, c)] for line in judged}
    return {number: sorted(others, key=kept_first) for number, others in found.items() if others}


def repeats(line: Line, first: Line, c: Any) -> bool:
    return kept_first(first) < kept_first(line) and all(
        as_compared(line, key) == as_compared(first, key) for key in c.keys
    )


def as_compared(line: Line, key: str) -> Any:
    if key in ("debut", "fin"):
        return line[f"{key}_min"] if line[f"{key}_min"] is not None else line[key]
    return line[{"lieu_de_pratique": "lieu", "element_de_contexte": "contexts"}.get(key, key)]


def overlaps(line: Line, other: Line, c: Any) -> bool:
    if line["doctor"] != other["doctor"] or line["date_de_service"] != other["date_de_service"]:
        return False
    later = (line["debut_min"], line["row_number"]) > (other["debut_min"], other["row_number"])
    collective = c.collective_codes or () if c.exclude_pairs_same_session is not False else ()
    one_session = {line["code"], other["code"]} <= set(collective) and line["debut_min"] == other["debut_min"]
    return later and line["patient"] != other["patient"] and line["debut_min"] < other["fin_min"] and not one_session


def nam_format(line: Line, c: Any, ref: Reference) -> Any:
    nam = line["nam"] or ""
    if not nam:
        return not set(c.allow_empty_codes or ()) & {"*", line["code"]}
    if re.fullmatch(r"[A-Z]{4}[xX*]{4}[0-9]{4}", nam):
        return True if c.allow_masked is False else UNKNOWN
    return not well_formed(nam)


def well_formed(nam: str) -> bool:
    if not re.fullmatch(r"[A-Z]{4}[0-9]{8}", nam):
        return False
    year, month, day = int(nam[4:6]), int(nam[6:8]), int(nam[8:10])
    return any(is_date(century + year, month - 50 if month > 50 else month, day) for century in (1900, 2000))


def is_date(year: int, month: int, day: int) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


def nam_checksum(line: Line, c: Any, ref: Reference) -> Any:
    nam, served = line["nam"] or "", line["date_de_service"]
    if c.skip_masked is False and re.fullmatch(r"[A-Z]{4}[xX*]{4}[0-9]{4}", nam):
        return True
    born = birth_date(nam, served) if served else None
    if born is None:
        return UNKNOWN
    values = {letter: value for value, letter in enumerate("ABCDEFGHIJKLMNOPQR", 1)}
    values |= {letter: value for value, letter in enumerate("STUVWXYZ", 20)}
    digits = "".join(f"{values[letter]:02}" for letter in nam[:4]) + born.strftime("%Y%m%d") + nam[10]
    weights = (7, 1, 1, 3, 9, 7, 3, 9, 5, 3, 1, 3, 5, 7, 6, 9, 1)
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=True)) % 10 != int(nam[11])


def date_missing(line: Line, c: Any, ref: Reference) -> Any:
    return line["date_de_service"] is None


def future_date(line: Line, c: Any, ref: Reference) -> Any:
    return UNKNOWN if line["date_de_service"] is None else line["date_de_service"] > ref.run_date


def before_birth(line: Line, c: Any, ref: Reference) -> Any:
    nam, served = line["nam"] or "", line["date_de_service"]
    if served is None or not well_formed(nam):
        return UNKNOWN
    return birth_date(nam, served) is None


def late_billing(line: Line, c: Any, ref: Reference) -> Any:
    if line["date_de_service"] is None:
        return UNKNOWN
    days = (ref.run_date - line["date_de_service"]).days
    return days > c.days and (c.max_days is None or days <= c.max_days) and not line["is_paid"]


def end_before_start(line: Line, c: Any, ref: Reference) -> Any:
    if line["debut_min"] is None or line["fin_min"] is None:
        return UNKNOWN
    if line["fin_min"] >= line["debut_min"]:
        return False
    longest = 12 if c.max_overnight_hours is None else c.max_overnight_hours
    return c.allow_midnight is False or line["fin_min"] + 24 * 60 - line["debut_min"] > longest * 60


def negative_amount(line: Line, c: Any, ref: Reference) -> Any:
    amounts = [amount for amount in (line["prel"], line["paid"]) if amount is not None]
    return any(amount < 0 for amount in amounts) if amounts else UNKNOWN


def paid_above_preliminary(line: Line, c: Any, ref: Reference) -> Any:
    return UNKNOWN if None in (line["prel"], line["paid"]) else line["paid"] > line["prel"]


def zero_preliminary(line: Line, c: Any, ref: Reference) -> Any:
    return UNKNOWN if line["prel"] is None else line["prel"] == 0


def role_invalid(line: Line, c: Any, ref: Reference) -> Any:
    return UNKNOWN if line["role"] is None else line["role"] not in (c.allowed or {"1", "2", "3"})


def period_before_service(line: Line, c: Any, ref: Reference) -> Any:
    period = re.fullmatch(r"([0-9]{4})([0-9]{2})", line["periode"] or "")
    if not period or not 1 <= int(period[2]) <= 53 or line["date_de_service"] is None:
        return UNKNOWN
    return (int(period[1]), int(period[2])) < tuple(line["date_de_service"].isocalendar())[:2]


def time_format(line: Line, c: Any, ref: Reference) -> Any:
    if line["debut"] is None and line["fin"] is None:
        return UNKNOWN
    return any(line[name] is not None and line[f"{name}_min"] is None for name in ("debut", "fin"))


def midnight_placeholder(line: Line, c: Any, ref: Reference) -> Any:
    return UNKNOWN if line["debut_min"] is None else line["debut_min"] == 0


def diagnosis_format(line: Line, c: Any, ref: Reference) -> Any:
    if line["diagnostic"] is None:
        return UNKNOWN
    return not re.search(c.pattern or r"^[A-Z]?[0-9]{3,5}$", line["diagnostic"])


def doctor_unparsed(line: Line, c: Any, ref: Reference) -> Any:
    return UNKNOWN if line["doctor"] is None else not re.fullmatch(r"[0-9]{7}", line["doctor"])


SAYS = {
    check.__name__: check
    for check in (
        nam_format,
        nam_checksum,
        date_missing,
        future_date,
        before_birth,
        late_billing,
        end_before_start,
        negative_amount,
        paid_above_preliminary,
        zero_preliminary,
        role_invalid,
        period_before_service,
        time_format,
        midnight_placeholder,
        diagnosis_format,
        doctor_unparsed,
    )
}


def reference_says(line: Line, c: Any, ref: Reference) -> Any:
    elements = elements_of(line, c)
    table = getattr(ref, c.table).to_dicts() if c.table else []
    if not elements or (c.table and not table):
        return UNKNOWN
    return any(not known(element, c, table) for element in elements)


def elements_of(line: Line, c: Any) -> set[Any]:
    if c.match == "code_place":
        return {(line["code"], line["place"])} if line["code"] and line["place"] else set()
    if c.field == "element_de_contexte":
        return line["contexts"]
    return {line[c.field]} - {None, "Aucun Secteur"}


def known(element: Any, c: Any, table: list[dict[str, Any]]) -> bool:
    if c.pattern is not None:
        return re.search(c.pattern, element) is not None
    match (c.table, c.match):
        case ("contexts", how):
            names = [
                n
                for row in table
                for n in [row["context"], *((row["aliases"] or []) if how == "code_or_alias" else [])]
            ]
            return element in {name.strip().lstrip("#").upper() for name in names if name}
        case (_, "zfill5"):
            return element.zfill(5) in {row["code"].zfill(5) for row in table}
        case (_, "exact"):
            return element in {row["code"] for row in table}
    places = {(row["code"].zfill(5), place) for row in table for place in places_of(row["place"])}
    return element in places


def places_of(place: str | None) -> tuple[str, ...]:
    plain = unicodedata.normalize("NFD", place or "").encode("ascii", "ignore").decode().lower()
    return (plain,) if plain in ("cabinet", "etablissement") else ("cabinet", "etablissement")


def summed_up(broken: list[Line], c: Any, ref: Reference) -> list[Found]:
    """Every line; while the table is not complete, the first of each code, or the first of all."""
    broken = sorted(broken, key=lambda line: line["row_number"])
    if c.table and c.table not in ref.trusted and c.skip_if_table_untrusted:
        return [Found(line["row_number"], "info") for line in broken[:1]]
    if c.table == "codes" and c.match != "code_place" and c.table not in ref.trusted:
        firsts = {line["code"]: line["row_number"] for line in reversed(broken)}
        return [Found(number, "info") for number in firsts.values()]
    return [Found(line["row_number"]) for line in broken]
