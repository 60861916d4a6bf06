"""A row of the manual's page as it is printed: its codes, its label, and what its columns of amounts say."""

import re
from dataclasses import dataclass
from decimal import Decimal

from dashlib.imports.page import Cell, Paragraph, Row, plain

CODE = re.compile(r"^(\d{5})\s*\*?$")
GLUED = re.compile(r"^(\d{5})\s*(\d[\d\s]*,\d\d)\s*\$?$")
SAME_CODE = re.compile(r"^-{2,}$")
MONEY = re.compile(r"^(\d[\d\s]{0,9})([,.])(\d\d)\s*\$?\s*\*?$")
WHOLE = re.compile(r"^(\d{1,3})\s*(\*?)$")
WHOLE_DOLLARS = re.compile(r"^(\d[\d\s]{0,9})\$$")
ROLE = re.compile(r"^R\s*=\s*(\d)$")
LEADERS = re.compile(r"[.…]{3,}")
LONGEST_AMOUNT = 16  # characters; 99 999 999,99 $ has fifteen
TOO_MUCH = 10**8  # dollars: more than a column of money holds

# In labels without accents: which setting an amount is for, when it names only one.
CABINET = re.compile(r"\b(?:en|au|depuis un|dans un) cabinet\b|^cabinet\b")
ETABLISSEMENT = re.compile(
    r"\b(?:en|au|dans un|depuis un|sauf en) (?:etablissement|clsc|gmf|centre hospitalier|clinique externe|chs)"
    r"|^etablissement\b|\bservice d'urgence\b|\bdans une? (?:centre|unite|clinique externe)\b"
)
SETTING = re.compile(
    r"^(?:(?:lorsqu'effectuee )?en (?:cabinet|clsc|gmf|etablissement)|depuis un |cabinet$|etablissement$)"
)
IN_CABINET, IN_ETABLISSEMENT, ANYWHERE = "Cabinet", "Établissement", "all"


@dataclass(frozen=True)
class Value:
    """What a cell of an amount says: dollars, or base units; `doubt` where it is written as neither should be."""

    dollars: Decimal | None = None
    units: int | None = None
    plus_duration: bool = False
    doubt: str | None = None


@dataclass(frozen=True)
class Printed:
    """A row as it is printed: its codes (none, or SAME), its label, and what stands in its columns of amounts."""

    row: Row
    codes: tuple[str, ...]
    is_same_code: bool
    label: tuple[Paragraph, ...]
    values: tuple[tuple[Value, ...], ...]
    glued: bool = False

    @property
    def text(self) -> str:
        return LEADERS.sub(" ", " ".join(paragraph.text for paragraph in self.label))

    @property
    def indent(self) -> float:
        return self.label[0].indent if self.label else 0.0

    @property
    def dollars(self) -> tuple[Decimal, ...]:
        return tuple(value.dollars for column in self.values for value in column if value.dollars is not None)

    @property
    def has_amount(self) -> bool:
        return any(value.dollars is not None or value.units is not None for column in self.values for value in column)


def printed_row(row: Row, has_roles: bool) -> Printed | None:
    """What the cells of a row are; None for a row that says nothing."""
    at, codes, same, glued = _find_codes(row.cells)
    rest = row.cells[at + 1 :] if at is not None else row.cells
    label_at = (
        0 if at is not None else next((i for i, c in enumerate(rest) if c.paragraphs and not _is_amount(c)), None)
    )
    if label_at is None and not any(cell.paragraphs for cell in rest):
        return None
    label = rest[label_at].paragraphs if label_at is not None and rest else ()
    amounts = rest[(label_at or 0) + 1 :] if label_at is not None else tuple(c for c in rest if c.paragraphs)
    if glued:
        amounts = (Cell((Paragraph(glued),)),)
    columns = amounts[-2:] if has_roles and len(amounts) > 1 else tuple(c for c in amounts if c.paragraphs)[-1:]
    values = tuple(tuple(map(_value, _amount_lines(cell))) for cell in columns)
    return Printed(row, codes, same, label, values, bool(glued))


def _find_codes(cells: tuple[Cell, ...]) -> tuple[int | None, tuple[str, ...], bool, str]:
    """Where the cell of codes is, its codes, whether it says «the same», and an amount glued to a code."""
    for at, cell in enumerate(cells[:2]):
        lines = [paragraph.text for paragraph in cell.paragraphs]
        if lines and all(CODE.match(line) for line in lines):
            return at, tuple(line[:5] for line in lines), False, ""
        if len(lines) == 1 and SAME_CODE.match(lines[0]):
            return at, (), True, ""
        if len(lines) == 1 and (glued := GLUED.match(lines[0])):
            return at, (glued[1],), False, glued[2]
    return None, (), False, ""


def _amount_lines(cell: Cell) -> list[str]:
    return [p.text for p in cell.paragraphs if not ROLE.match(p.text)]


def _is_amount(cell: Cell) -> bool:
    return all(MONEY.match(p.text) or WHOLE.match(p.text) or WHOLE_DOLLARS.match(p.text) for p in cell.paragraphs)


def _value(text: str) -> Value:
    if len(text) > LONGEST_AMOUNT:
        return Value(doubt="unreadable" if text[0].isdigit() else None)
    if money := MONEY.match(text):
        dollars = Decimal(f"{re.sub(r'\s', '', money[1])}.{money[3]}")
        if dollars >= TOO_MUCH:
            return Value(doubt="unreadable")
        # The manual writes a decimal comma; «7.02» is the number of a paragraph.
        is_paragraph = money[2] == "." and dollars < 100 and money[3].startswith("0")
        return Value(dollars, doubt="paragraph" if is_paragraph else None)
    if whole := WHOLE.match(text):
        return Value(units=int(whole[1]), plus_duration=bool(whole[2]))
    if dollars_only := WHOLE_DOLLARS.match(text):
        return Value(Decimal(re.sub(r"\s", "", dollars_only[1])))
    return Value(doubt="unreadable" if re.search(r"\d", text) else None)


def setting_of(label: str) -> str:
    """The place that a label names, if only one."""
    text = plain(label)
    cabinet, etablissement = bool(CABINET.search(text)), bool(ETABLISSEMENT.search(text))
    if cabinet == etablissement:
        return ANYWHERE
    return IN_CABINET if cabinet else IN_ETABLISSEMENT


def own_label(printed: Printed) -> str:
    """What a label says beside the settings of its amounts."""
    lines = [p.text for p in printed.label]
    if len(printed.dollars) > 1 and len(lines) > 1:
        lines = [line for line in lines if not SETTING.match(plain(line))]
    return LEADERS.sub(" ", " ".join(lines)).strip(" :")
