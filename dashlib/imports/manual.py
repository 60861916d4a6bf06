"""The tariffs of the official manual, from its page: one row for each amount that a code has by place and role.

The page is typeset, not data: an amount belongs to the code on its row, else to the last code above; titles, and labels
indented less, say the rest of a label. What cannot be read for certain is a suspect with its reason, and never a silent
guess.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal

from dashlib.imports.page import Paragraph, Piece, Prose, Row, TableStart, Title, plain
from dashlib.imports.printed import (
    ANYWHERE,
    CABINET,
    ETABLISSEMENT,
    IN_CABINET,
    IN_ETABLISSEMENT,
    ROLE,
    SETTING,
    Printed,
    Value,
    own_label,
    printed_row,
    setting_of,
)

CHAPTER = re.compile(r"^([A-Z]\d?)\s+[—–-]\s+(.+)$")
INDICATOR = re.compile(r"\((P\.\s?[A-Z][^()]*)\)")
REFERENCE = re.compile(r"\s*\(r[ée]f\.?\s*:?[^()]*(?:\([^()]*\)[^()]*)*\)\s*", re.IGNORECASE)

MAXIMUM = re.compile(r"^\(?(?:valeur )?maximum\b|jusqu'a un maximum de$")
COUNTED = re.compile(r"^\(?maximum (?:de |: )?(?:\w+ \()?\d|^\(?maximum (?:une?|deux|trois|quatre|cinq|six|douze)\b")
MORE = re.compile(r"supplement|additionnel|excedant|au-dela|\bchaque\b|\bajouter\b")
REMARK = re.compile(r"^(?:avis|note|notes|n\.b)\b", re.IGNORECASE)
# «Période supplémentaire» is a second code of the same service; a «supplément» is added to another.
ADDED = re.compile(r"supplementaires?")
SHORT = 40  # characters; «supplément (P.A.R. 3.02)» says nothing without the label above
SHORTEST = 4  # characters; what is shorter is a stray mark
LONGEST_TITLE = 200  # characters; what is longer is a text


@dataclass(frozen=True)
class Tariff:
    """One amount of a code: columns of `codes`, and the line of the file. `doubts` are reasons of suspicion."""

    line: int
    anchor: str | None
    code: str
    description: str
    section: str | None
    level1_group: str | None
    leaf: str | None
    place: str = ANYWHERE
    role: str | None = None
    kind: str = "fee"
    tariff_value: Decimal | None = None
    units: int | None = None
    cap: Decimal | None = None
    indicators: tuple[str, ...] = ()
    plus_duration: bool = False
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Stray:
    """An amount, or a code, that could not be given a place among the tariffs, and why."""

    line: int
    code: str | None
    tariff_value: Decimal | None
    reason: str


@dataclass
class Reading:
    """How far the page is read: the titles that hold, and the code that an amount without one belongs to."""

    section: str | None = None
    group: str | None = None
    titles: list[str] = field(default_factory=list)
    run_of_titles: bool = False
    titled_inside: bool = False
    parents: list[Paragraph] = field(default_factory=list)
    prose: str | None = None
    roles: tuple[str, ...] = ()
    coded_rows: int = 0
    current: list[int] = field(default_factory=list)  # places in `tariffs` of the rows of the last code
    last: "Printed | None" = None
    tariffs: list[Tariff] = field(default_factory=list)
    strays: list[Stray] = field(default_factory=list)


def read_tariffs(pieces: list[Piece]) -> Reading:
    """Reads the pieces of a page in order; `tariffs` and `strays` of the answer are what it holds."""
    reading = Reading()
    for piece in pieces:
        match piece:
            case Title():
                _open_title(reading, piece)
            case TableStart():
                _open_table(reading)
            case Prose():
                if SHORTEST <= len(piece.text) <= LONGEST_TITLE and not REMARK.match(piece.text):
                    reading.prose = piece.text.strip(" :")
            case Row():
                _read_row(reading, piece)
    return reading


def _open_table(reading: Reading) -> None:
    """Titles inside a table end with it; a table without one is about what was said last before it."""
    if reading.titled_inside:
        reading.group, reading.titles, reading.titled_inside = None, [], False
    reading.roles, reading.current, reading.last, reading.run_of_titles = (), [], None, False
    reading.parents = [Paragraph(reading.prose, indent=-1.0)] if reading.prose else []


def _open_title(reading: Reading, title: Title) -> None:
    if chapter := CHAPTER.match(title.text):
        reading.section = _section(chapter)
        reading.group = None
        reading.titles = []
    elif title.level > 1:
        reading.group = _title(title.text)
        reading.titles = [reading.group]
    reading.parents, reading.prose, reading.titled_inside = [], None, False
    reading.current, reading.last, reading.run_of_titles = [], None, False


def _section(chapter: re.Match[str]) -> str:
    """«B — Consultation, examen et visite» as the rules name it: B - CONSULTATION, EXAMEN ET VISITE."""
    return f"{chapter[1]} - {re.sub(r'\s*[—–]\s*', ' - ', chapter[2]).upper()}"


def _title(text: str) -> str:
    return REFERENCE.sub(" ", text).strip(" :")


def _read_row(reading: Reading, row: Row) -> None:
    roles = [match[1] for cell in row.cells if cell.paragraphs and (match := ROLE.match(cell.paragraphs[-1].text))]
    if len(roles) == 2:
        # One table prints its columns' roles in the other order than its columns.
        reading.roles = ("1", "2") if set(roles) == {"1", "2"} else tuple(roles)
        if not any(p.is_heading for cell in row.cells for p in cell.paragraphs):
            return
    printed = printed_row(row, bool(reading.roles))
    if printed is None:
        return
    if printed.codes:
        _add_code(reading, printed)
    elif printed.is_same_code:
        _add_to_code(reading, printed)
    elif printed.has_amount:
        _add_amount(reading, printed)
    elif _is_title(printed):
        _open_row_title(reading, printed)
    elif REFERENCE.sub("", printed.text) and not REMARK.match(printed.text):
        _push_label(reading, printed)


def _is_title(printed: Printed) -> bool:
    return (
        bool(printed.label)
        and (any(p.is_heading for p in printed.label) or all(p.is_strong for p in printed.label))
        and len(printed.text) <= LONGEST_TITLE
        and not REMARK.match(printed.text)
        and not printed.text.startswith(("(", "CODE"))
    )


def _open_row_title(reading: Reading, printed: Printed) -> None:
    """A title inside a table. Titles that follow each other are nested; one alone replaces the last one."""
    text = _title(printed.label[0].text)
    if any(p.is_heading for p in printed.label):
        reading.group, reading.titles = text, [text]
    elif reading.run_of_titles or len(reading.titles) < 2:
        reading.titles.append(text)
    else:
        reading.titles[-1] = text
    reading.run_of_titles = reading.titled_inside = True
    reading.parents, reading.current, reading.last = [], [], None


def _push_label(reading: Reading, printed: Printed) -> None:
    """A label without a code says what the labels below it, indented further, have in common."""
    reading.parents = [p for p in reading.parents if p.indent < printed.indent]
    if len(printed.text) <= LONGEST_TITLE:
        reading.parents.append(Paragraph(printed.text.strip(" :"), printed.indent))
    if not _continues(reading, printed):
        reading.current, reading.last = [], None


def _continues(reading: Reading, printed: Printed) -> bool:
    """Whether a label still speaks of the last code: its amount stands on a later row."""
    return reading.last is not None and printed.indent >= reading.last.indent


def _add_code(reading: Reading, printed: Printed) -> None:
    if reading.run_of_titles and len(reading.titles) > 2:
        # A run of three titles is a group and its table; only the deepest two say something of a code.
        reading.titles = [reading.titles[0], *reading.titles[-2:]]
    reading.run_of_titles = False
    reading.coded_rows += 1
    reading.parents = [p for p in reading.parents if _is_above(p, printed)]
    start = len(reading.tariffs)
    reading.tariffs.extend(_tariffs(reading, printed))
    reading.current, reading.last = list(range(start, len(reading.tariffs))), printed


def _is_above(label: Paragraph, printed: Printed) -> bool:
    """Whether a label speaks of the row below: it is indented less, or begins a phrase that the row goes on with."""
    goes_on = printed.text[:1].islower() and label.text[:1].isupper()
    return label.indent < printed.indent or (label.indent == printed.indent and goes_on)


def _tariffs(reading: Reading, printed: Printed) -> Iterator[Tariff]:
    """The rows of a code, as it is printed: by place, by role, or both absent."""
    for nth, code in enumerate(printed.codes):
        base = _base(reading, printed, code, _lines_of(printed, nth))
        values = tuple(_share(column, nth, len(printed.codes)) for column in printed.values)
        yield from _amounts(reading, base, values, _setting_within(reading, printed))


def _lines_of(printed: Printed, nth: int) -> str:
    """The label of one of several codes of a cell: its own line where each has one."""
    if len(printed.codes) > 1 and len(printed.label) == len(printed.codes):
        return printed.label[nth].text
    return own_label(printed)


def _share(column: tuple[Value, ...], nth: int, codes: int) -> tuple[Value, ...]:
    """The amounts of a cell that are the nth code's: one each where there are as many, else all."""
    return column[nth : nth + 1] if codes > 1 and len(column) == codes else column


def _base(reading: Reading, printed: Printed, code: str, label: str) -> Tariff:
    above = [p.text for p in reading.parents]
    if reading.last and plain(label).startswith("supplement") and len(label) < SHORT:
        above.append(own_label(reading.last))
    titles = reading.titles[1:] or reading.titles
    said = [*titles, *above, *([label] if label else [])]
    indicators = tuple(dict.fromkeys(" ".join(i.split()) for i in INDICATOR.findall(printed.text)))
    is_supplement = any(plain(part).startswith("supplement") for part in said) or "supplement" in ADDED.sub(
        "", plain(label)
    )
    return Tariff(
        line=printed.row.line,
        anchor=printed.row.anchor,
        code=code,
        description=" – ".join(dict.fromkeys(said)) or code,
        section=reading.section,
        level1_group=reading.group,
        leaf=reading.titles[-1] if reading.titles else reading.prose,
        kind="supplement" if is_supplement else "fee",
        indicators=indicators,
        doubts=("glued",) if printed.glued else (),
    )


def _amounts(reading: Reading, base: Tariff, columns: tuple[tuple[Value, ...], ...], setting: str) -> Iterator[Tariff]:
    """The tariffs that the columns of amounts give a code; without any, the code alone."""
    units = next((v for column in columns for v in column if v.units is not None), None)
    if units is not None:
        base = replace(base, units=units.units, plus_duration=units.plus_duration)
    found = 0
    for role, column in zip(reading.roles or ("",), columns, strict=False):
        priced = [value for value in column if value.dollars is not None]
        found += len(priced)
        # Base units are the anaesthetist's; the amount beside them is that of who gives the service.
        yield from _by_place(replace(base, role=role or None), priced, setting)
    doubts = tuple(v.doubt for column in columns for v in column if v.doubt == "unreadable" and not found)
    if not found:
        only_units = base.units is not None
        yield replace(
            base,
            place=setting,
            role="2" if only_units else None,
            kind="base_units" if only_units else base.kind,
            doubts=base.doubts + doubts,
        )


def _by_place(base: Tariff, values: list[Value], setting: str) -> Iterator[Tariff]:
    """Two amounts of one code are those of the cabinet and of the établissement, in this order."""
    places = (IN_CABINET, IN_ETABLISSEMENT) if len(values) == 2 else (setting,) * len(values)
    for place, value in zip(places, values, strict=True):
        doubts = (*base.doubts, *([value.doubt] if value.doubt else []), *(["crowded"] if len(values) > 2 else []))
        yield replace(base, place=place, tariff_value=value.dollars, doubts=doubts)


def _setting_within(reading: Reading, printed: Printed) -> str:
    """The place that a label names, else the one that the labels or the title above it name."""
    for text in (printed.text, *(p.text for p in reversed(reading.parents)), *reading.titles[-1:]):
        if CABINET.search(plain(text)) or ETABLISSEMENT.search(plain(text)):
            return setting_of(text)
    return ANYWHERE


def _add_to_code(reading: Reading, printed: Printed) -> None:
    """A row of dashes: the last code in another setting, or what more is paid for it."""
    if not printed.has_amount:
        return
    if not reading.current:
        _stray(reading, printed, "no_code")
        return
    if setting_of(printed.text) == IN_CABINET:
        for at in reading.current:
            if reading.tariffs[at].place == ANYWHERE:
                reading.tariffs[at] = replace(reading.tariffs[at], place=IN_ETABLISSEMENT)
    _add_amount(reading, printed)


def _add_amount(reading: Reading, printed: Printed) -> None:
    """An amount without a code of its own: the last code's, its cap, or what is added to it."""
    if not reading.current:
        _stray(reading, printed, "no_code")
        return
    label, rows = plain(printed.text), [reading.tariffs[at] for at in reading.current]
    has_fee = any(row.tariff_value is not None for row in rows)
    if MAXIMUM.search(label) and has_fee:
        _cap(reading, printed)
    elif not has_fee:
        _complete(reading, printed)
    elif printed.dollars:
        _append(reading, printed, label)


def _cap(reading: Reading, printed: Printed) -> None:
    setting = setting_of(printed.text)
    for at in reading.current:
        row = reading.tariffs[at]
        if printed.dollars and setting in (ANYWHERE, row.place) and row.tariff_value is not None:
            reading.tariffs[at] = replace(row, cap=printed.dollars[0])


def _complete(reading: Reading, printed: Printed) -> None:
    """The amount of a code that had none yet, on a later row."""
    for at in reversed(reading.current):
        row = reading.tariffs.pop(at)
        # An amount printed further to the left than its code may well be of another.
        doubts = ("elsewhere",) if _is_left_of_its_code(reading, printed) else ()
        base = replace(row, description=_with(row, printed), doubts=row.doubts + doubts, role=None, kind=_kind(row))
        reading.tariffs[at:at] = list(_amounts(reading, base, printed.values, setting_of(printed.text)))
    reading.current = list(range(reading.current[0], len(reading.tariffs)))


def _is_left_of_its_code(reading: Reading, printed: Printed) -> bool:
    last = reading.last
    return (
        last is not None
        and bool(printed.label)
        and printed.indent < last.indent
        and printed.row.anchor != last.row.anchor
        and not SETTING.match(plain(printed.text))
        and not MAXIMUM.match(plain(printed.text))
    )


def _append(reading: Reading, printed: Printed, label: str) -> None:
    """Another amount of the same code: in another setting, or for each further one."""
    row = reading.tariffs[reading.current[0]]
    setting = setting_of(printed.text)
    is_more = bool(MORE.search(label)) or COUNTED.match(label) is not None
    others = {reading.tariffs[at].place for at in reading.current if reading.tariffs[at].kind == row.kind}
    if not is_more and setting == IN_ETABLISSEMENT and others == {ANYWHERE}:
        for at in reading.current:
            reading.tariffs[at] = replace(reading.tariffs[at], place=IN_CABINET)
    base = replace(
        row,
        line=printed.row.line,
        anchor=printed.row.anchor,
        description=_with(row, printed),
        kind="supplement" if is_more else row.kind,
        units=None,
        plus_duration=False,
        cap=None,
        tariff_value=None,
        doubts=(),
    )
    start = len(reading.tariffs)
    reading.tariffs.extend(_amounts(reading, base, printed.values, setting))
    reading.current += range(start, len(reading.tariffs))


def _kind(row: Tariff) -> str:
    return "fee" if row.kind == "base_units" else row.kind


def _with(row: Tariff, printed: Printed) -> str:
    own = "" if SETTING.match(plain(printed.text)) else own_label(printed)
    return f"{row.description} – {own}" if own and not REMARK.match(own) else row.description


def _stray(reading: Reading, printed: Printed, reason: str) -> None:
    for dollars in printed.dollars:
        reading.strays.append(Stray(printed.row.line, None, dollars, reason))
