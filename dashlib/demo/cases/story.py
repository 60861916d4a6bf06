"""What a story is made of, and the few shapes that most stories have."""

from dataclasses import dataclass, replace
from typing import Literal, TypedDict, Unpack

type When = Literal["same", "earlier", "future", "late", "soon_late"]
type Patient = Literal[
    "adult",
    "woman",
    "newborn",
    "three_days_old",
    "week_old",
    "infant",
    "child",
    "pupil",
    "teen",
    "seventies",
    "eighties",
]
type Needs = Literal[
    "evening",
    "hour",
    "large",
    "weekday",
    "earlier",
    "earlier_week",
    "earlier_paid",
    "day_off",
    "weekend",
    "holiday",
    "newcomer",
]
"""Where a story happens.

An evening: any; with at most one such story; of a doctor with a large list; from Monday to Friday. An evening with the
working day before in the same quarter: any; in the same week; both answered by the RAMQ. A day not worked, all for the
story: from Monday to Friday; a weekend; a holiday; of a doctor who is new.
"""


@dataclass(frozen=True)
class Line:
    """A line of a story. Even codes of a pair are made from odd ones for doctors with a large list.

    `at` minutes after the story begins, or at the hour of `clock`; `lasts` minutes until the end billed, none where not
    billed; `ago` days before a Thursday of June of an earlier year; `who` numbers the story's patients; the rest are
    cells that differ from an ordinary line's. `reported` marks the line in error, `also` names further rules that
    report it. `other_size` bills as for a list of the other size; `short` is paid less than was billed; `own_place` is
    a place where nobody else bills.
    """

    code: int
    reported: bool = False
    also: tuple[str, ...] = ()
    when: When = "same"
    ago: int | None = None
    at: int = 0
    clock: str | None = None
    lasts: int | None = None
    who: int = 0
    units: int = 0
    cents: int | None = None
    role: str = "1"
    context: str | None = None
    at_hospital: bool = False
    own_place: bool = False
    emergency: bool = False
    other_size: bool = False
    timed: bool = True
    paid: bool | None = None
    short: bool = False
    sign: int = 1
    debut: str | None = None
    fin: str | None = None
    lieu: str | None = None
    diagnostic: str | None = None
    period_weeks: int | None = None
    spoiled_nam: bool = False
    unread_doctor: bool = False


@dataclass(frozen=True)
class Case:
    """One story: the rule that reports it, how often it happens beside others, where, and to whom.

    `severity` where it is not the rule's own.
    """

    rule: str
    lines: tuple[Line, ...]
    weight: int = 1
    needs: Needs = "evening"
    patient: Patient = "adult"
    severity: str | None = None
    unknown_code: bool = False


class How(TypedDict, total=False):
    weight: int
    needs: Needs
    patient: Patient
    severity: str


# Codes that several rules speak of, and how long they must last to be billable at all, in minutes.
VISIT = Line(15803)
INTERVENTION = Line(8857, lasts=30)
LASTS = {
    **dict.fromkeys((8857, 8858, 8862, 8864, 8866, 8867, 8841, 8842, 15064, 9087), 30),
    15785: 25,
    15230: 15,
    15880: 20,
    80: 50,
    15643: 20,
}


def alone(rule: str, line: Line, **how: Unpack[How]) -> Case:
    """A line that is wrong by itself."""
    return Case(rule, (replace(line, reported=True),), **how)


def after(rule: str, before: Line | tuple[Line, ...], line: Line, **how: Unpack[How]) -> Case:
    """Lines that are right, then one that is not beside them."""
    first = before if isinstance(before, tuple) else (before,)
    return Case(rule, (*first, replace(line, reported=True)), **how)


def repeated(rule: str, times: int, line: Line, *, every: int = 4, people: bool = False, **how: Unpack[How]) -> Case:
    """Several times the same day, `every` so many minutes, each time for another of the `people`: the last is reported.

    Minutes are counted from the line's own.
    """
    lines = (
        replace(line, at=line.at + n * every, who=n if people else line.who, reported=n == times - 1)
        for n in range(times)
    )
    return Case(rule, tuple(lines), **how)


def again(rule: str, line: Line, first: int | None = None, **how: Unpack[How]) -> Case:
    """On an earlier day, and once more: the second is reported."""
    before = replace(line, code=first or line.code, when="earlier")
    return Case(rule, (before, replace(line, reported=True)), **({"needs": "earlier"} | how))


def long_ago(rule: str, days: tuple[int, ...], line: Line, **how: Unpack[How]) -> Case:
    """On several days of a year before, each so many days before the last, and all paid: the last is reported."""
    *before, last = (replace(line, ago=ago, also=(), paid=True) for ago in days)
    return Case(rule, (*before, replace(last, reported=True, also=line.also)), **how)


def together(rule: str, refused: int, other: int, *, hospital: bool = False, **how: Unpack[How]) -> Case:
    """`other`, then `refused`, by one doctor for one patient on one day."""
    first = Line(other, at_hospital=hospital, lasts=LASTS.get(other))
    second = Line(refused, at=LASTS.get(other, 6), at_hospital=hospital, lasts=LASTS.get(refused))
    return after(rule, first, second, **how)
