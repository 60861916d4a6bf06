"""Every shipped rule on a few lines: where it speaks, and where it keeps silent.

One file a rule type. A rule's name stands alone; below it its cases, `fires` or `silent`, each with its lines parted by
`;`. A line is a code and what differs from a plain one: a date, `09:00-09:30`, `@00123` the place, `+G160` a context,
`r2` the role, `x3` the units, `$12.50` billed, `$$12.50` paid, or any `column=value`, where `_` stands for a blank and
nothing for an absent value. `12x` before the code draws the line twelve times, `{n}` in it counting from 1. The lines
that the rule must report are those marked with `*` before their code, and no others.

The whole rulebook judges all cases at once, so that a line may be left to another rule (`unless_rules`). Cases never
meet: each has its own doctors D1, D2, … and patients P1, P2, … (any letter and a number), and cards that start with
TEST get letters of their own. Lines that begin with `codes` are rows of the reference that cases need beside the
starter's, all trusted: a code, a place, a tariff, and the manual's indicators where it has some. A rule that looks at the whole file or at a place judges its cases one by one, alone.
"""

import re
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import polars as pl

from dashlib.rules.base import CODES
from tests.tables import DEFAULTS, frame

HERE = Path(__file__).parent
WORDS = {
    r"(\d{4}-\d\d-\d\d)": ("date_de_service",),
    r"(\d\d:\d\d)-(\d\d:\d\d)": ("debut", "fin"),
    r"(\d\d:\d\d)-": ("debut",),
    r"-(\d\d:\d\d)": ("fin",),
    r"@(\S+)": ("lieu_de_pratique",),
    r"\+(\S+)": ("element_de_contexte",),
    r"r(\d)": ("role",),
    r"x(-?[\d.]+)": ("unites",),
    r"\$\$(-?[\d.]+)": ("montant_paye",),
    r"\$(-?[\d.]+)": ("montant_preliminaire",),
}
MOST_LINES = 1000
"""More lines than a case has: its lines are numbered from its own thousand on."""

type Row = dict[str, str | None]


@dataclass(frozen=True)
class Example:
    """A few lines, numbered from 1 after `before`, and the numbers of those that a rule must report."""

    rule: str
    kind: str
    drawn: str
    before: int
    rows: list[Row]
    reported: list[int]


def examples() -> list[Example]:
    """All cases of all files."""
    texts = [line for file in sorted(HERE.glob("*.txt")) for line in file.read_text("utf-8").splitlines()]
    found, rule = list[Example](), ""
    for line in texts:
        if line.startswith(("  fires ", "  silent ")):
            kind, drawn = line.split(maxsplit=1)
            found.append(_example(rule, kind, drawn, len(found) + 1))
        elif line.strip() and not line.startswith(("#", "codes ")):
            rule = line.strip()
    return found


def codes() -> pl.DataFrame:
    """The rows of the reference that cases need beside the starter's, with the columns of CODES."""
    texts = [line for file in sorted(HERE.glob("*.txt")) for line in file.read_text("utf-8").splitlines()]
    drawn = [row.split() for line in texts if line.startswith("codes ") for row in line[6:].split(";")]
    rows = [
        {"code": code, "place": place, "tariff_value": Decimal(tariff), "trusted": True}
        | {"indicators": [mark.replace("_", " ") for mark in marks]}
        for code, place, tariff, *marks in drawn
    ]
    return pl.DataFrame([dict.fromkeys(CODES) | row for row in rows], schema=CODES, orient="row")


def records(some: list[Example]) -> pl.DataFrame:
    """The lines of these cases as one file."""
    return frame([row for example in some for row in example.rows])


def _example(rule: str, kind: str, drawn: str, number: int) -> Example:
    before = number * MOST_LINES
    lines = [words for line in drawn.split(";") for words in _repeated(line.split())]
    rows = [_row(words, number) | {"row_number": str(before + n)} for n, words in enumerate(lines, 1)]
    reported = [n for n, words in enumerate(lines, 1) if words[0].startswith("*")]
    return Example(rule, kind, drawn, before, rows, reported)


def _repeated(words: list[str]) -> list[list[str]]:
    """A line as often as its first word says."""
    times = re.fullmatch(r"(\d+)x", words[0])
    if times is None:
        return [words]
    return [[word.replace("{n}", str(n)) for word in words[1:]] for n in range(1, int(times[1]) + 1)]


def _row(words: list[str], number: int) -> Row:
    code, *rest = words
    row: Row = {**DEFAULTS, "code": code.lstrip("*")}
    for word in rest:
        row |= _meant(word)
    return row | {name: _own(row[name], number) for name in ("doctor", "patient")}


def _meant(word: str) -> Row:
    for pattern, columns in WORDS.items():
        if match := re.fullmatch(pattern, word):
            return dict(zip(columns, match.groups(), strict=True))
    column, value = word.split("=", 1)
    return {column: value.replace("_", " ") or None}


def _own(person: str | None, number: int) -> str | None:
    """A doctor or patient whom no other case has."""
    if person is None:
        return None
    letters = "".join(chr(ord("A") + number // 26**place % 26) for place in range(4))
    return re.sub(r"^TEST", letters, re.sub(r"^([A-Z]\d+)$", rf"\1 of {number}", person))
