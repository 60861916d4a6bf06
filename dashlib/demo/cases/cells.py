"""Stories of cells that cannot be right, of what no reference knows, and of wrong amounts."""

from dataclasses import replace

from dashlib.demo.cases.story import VISIT, Case, Line, after, alone

CELLS: tuple[Case, ...] = (
    # Unknown to the reference.
    Case(
        "UNKNOWN_BILLING_CODE",
        (Line(0, reported=True, when="earlier"), Line(0, who=1)),
        needs="earlier",
        severity="info",
        unknown_code=True,
        weight=4,
    ),
    alone("UNKNOWN_CONTEXT", replace(VISIT, context="#ZZZ9"), weight=20),
    alone("ESTABLISHMENT_FORMAT", Line(15616, at_hospital=True, lieu="549"), weight=4),
    # Cells that cannot be right.
    alone("DQ_NAM_FORMAT", replace(VISIT, spoiled_nam=True), weight=10),
    alone("DQ_FUTURE_DATE", replace(VISIT, when="future", paid=False), weight=4),
    alone("DQ_LATE_90_DAYS", replace(VISIT, when="late", paid=False), weight=60),
    alone("DQ_LATE_WARNING_75_DAYS", replace(VISIT, when="soon_late", paid=False), weight=60),
    alone("DQ_END_BEFORE_START", replace(VISIT, debut="10:00", fin="09:00"), weight=8),
    after("DQ_DUPLICATE_LINE", VISIT, VISIT, weight=80),
    after(
        "DQ_OVERLAP_SAME_DOCTOR", Line(8857, lasts=30), Line(8857, who=1, at=20, lasts=30), needs="day_off", weight=4
    ),
    after(
        "DQ_NEGATIVE_AMOUNT",
        replace(VISIT, paid=True),
        replace(VISIT, paid=True, sign=-1),
        needs="earlier_paid",
        weight=4,
    ),
    alone("DQ_ZERO_PRELIMINARY", replace(VISIT, sign=0), weight=4),
    alone("DQ_ROLE_INVALID", replace(VISIT, role="5"), weight=2),
    alone("DQ_PERIOD_BEFORE_SERVICE", replace(VISIT, period_weeks=-2), weight=2),
    alone("DQ_TIME_FORMAT", replace(VISIT, debut="9h30"), weight=2),
    alone("DQ_MIDNIGHT_PLACEHOLDER", replace(VISIT, debut="00:00"), weight=12),
    alone("DQ_DIAGNOSIS_FORMAT", replace(VISIT, diagnostic="250.00"), weight=6),
    alone("DQ_DOCTOR_UNPARSED", replace(VISIT, unread_doctor=True), weight=2),
    # Amounts that the published tables do not know, and less paid than billed.
    alone("TARIFF_TAB_B_VISITS", replace(VISIT, cents=47_95), weight=45, needs="large"),
    alone("PLATEAU_AMOUNT", Line(1098, cents=36_35), weight=3),
    alone("NIGHT_09099_AMOUNT", Line(9099, clock="03:00", cents=137_50, at_hospital=True)),
    alone("PAID_LESS_THAN_PRELIMINARY", replace(VISIT, paid=True, short=True), weight=45, needs="earlier_paid"),
)
