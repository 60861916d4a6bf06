"""Stories of the office fee, and of advice."""

from dataclasses import replace
from typing import Unpack

from dashlib.demo.cases.story import VISIT, Case, How, Line, after, alone

_FEE = Line(19928, timed=False)


def _visits(registered: int, walk_in: int, paid: int | None = None) -> tuple[Line, ...]:
    """A day of visits; `paid` of its patients were, where that matters."""
    return tuple(
        Line(
            15803 if n < registered else 15765,
            who=n,
            at=15 * n,
            context=None if n < registered else "#G160",
            paid=None if paid is None else n < paid,
        )
        for n in range(registered + walk_in)
    )


def _day(rule: str, registered: int, walk_in: int, *fees: Line, paid: int | None = None, **how: Unpack[How]) -> Case:
    """A day of visits and its fees, the last of which is reported."""
    *kept, last = (replace(fee, timed=False, paid=None if paid is None else True) for fee in fees)
    return after(rule, (*_visits(registered, walk_in, paid), *kept), last, **({"needs": "day_off"} | how))


def _walk_in(code: int, who: int) -> Line:
    return Line(code, who=who, context="#G160")


OFFICE: tuple[Case, ...] = (
    # Too few patients, the wrong kind, twice, beyond the day's total, too few of them paid.
    _day("OFFICE_FEE_19928", 5, 0, _FEE, weight=14),
    _day("OFFICE_FEE_19928", 0, 9, _walk_in(19928, 0), weight=10),
    _day("OFFICE_FEE_19928", 3, 10, _FEE, weight=4),
    _day("OFFICE_FEE_19928", 6, 0, _FEE, paid=4, severity="warning", weight=6),
    _day("OFFICE_FEE_19929", 11, 0, Line(19929), weight=10),
    _day("OFFICE_FEE_19929", 12, 10, Line(19929), _walk_in(19928, 12), weight=4),
    _day("OFFICE_FEE_19928_REPEAT_REGISTERED", 6, 0, _FEE, replace(_FEE, who=1), weight=4),
    _day("OFFICE_FEE_19928_REPEAT_WALKIN", 0, 10, _walk_in(19928, 0), _walk_in(19928, 1), weight=2),
    _day("OFFICE_FEE_19929_REPEAT_REGISTERED", 12, 0, Line(19929), Line(19929, who=1), weight=2),
    _day("OFFICE_FEE_19929_REPEAT_WALKIN", 0, 20, _walk_in(19929, 0), _walk_in(19929, 1)),
    # At last year's price, and for patients seen at the hospital.
    _day("OFFICE_FEE_TARIFF", 7, 0, replace(_FEE, cents=31_90), weight=8),
    after(
        "OFFICE_FEE_LOCATION",
        Line(15639, at_hospital=True),
        replace(_FEE, at_hospital=True),
        needs="day_off",
    ),
    # Forgotten, too low, and only one of two.
    Case("OFFICE_FEE_MISSED", _visits(8, 0), weight=4, needs="day_off"),
    _day("OFFICE_FEE_UPGRADE", 13, 0, _FEE, weight=4),
    _day("OFFICE_FEE_SECOND", 6, 10, _FEE, weight=2),
    # A long visit, and seven interventions, of which the last may have had a reason to be exempt.
    alone("OPP_CLINICAL_INTERVENTION", replace(VISIT, lasts=50), weight=30, needs="hour"),
    after(
        "CLINICAL_INTERVENTION_180MIN",
        tuple(Line(8858, who=n, at=40 * n, lasts=30, at_hospital=True, paid=False) for n in range(6)),
        Line(8858, also=("OPP_IC_EXEMPT_CONTEXT",), who=6, at=240, lasts=30, at_hospital=True, paid=False),
        weight=6,
        needs="day_off",
    ),
)
