"""What the demo plants: one small story for each rule, told in lines, one of which the rule reports.

A story has patients of its own, so that it meets no other line of theirs. Most stories happen in the evening of a day
that the doctor works; those that a rule judges by doctor and day get a day that he does not.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal, TypedDict, Unpack

type When = Literal["same", "earlier", "old", "future", "late", "soon_late"]
type Patient = Literal["adult", "woman", "child", "teen", "newborn"]
type Needs = Literal["evening", "earlier", "earlier_week", "earlier_paid", "day_off", "newcomer"]


@dataclass(frozen=True)
class Line:
    """A line of a story. Even codes of a pair are made from odd ones for doctors with a large list.

    `at` minutes after the story begins, `lasts` minutes until the end billed, none where not billed; `who` numbers the
    story's patients; the rest are cells that differ from an ordinary line's. `reported` marks the line in error.
    """

    code: int
    reported: bool = False
    when: When = "same"
    at: int = 0
    lasts: int | None = None
    who: int = 0
    units: int = 0
    role: str = "1"
    context: str | None = None
    at_hospital: bool = False
    timed: bool = True
    paid: bool | None = None
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


class _How(TypedDict, total=False):
    weight: int
    needs: Needs
    patient: Patient
    severity: str


def _again(
    rule: str,
    code: int,
    first: int | None = None,
    *,
    hospital: bool = False,
    lasts: int | None = None,
    **how: Unpack[_How],
) -> Case:
    """On an earlier day, and once more: the second is reported."""
    before = Line(first or code, when="earlier", at_hospital=hospital, lasts=lasts)
    after = Line(code, reported=True, at_hospital=hospital, lasts=lasts)
    return Case(rule, (before, after), **({"needs": "earlier"} | how))


def _repeated(
    rule: str,
    code: int,
    times: int = 2,
    *,
    hospital: bool = False,
    lasts: int | None = None,
    units: tuple[int, ...] = (),
    **how: Unpack[_How],
) -> Case:
    """Several times the same day: the last is reported."""
    lines = (
        Line(
            code,
            at=n * (lasts or 4),
            lasts=lasts,
            at_hospital=hospital,
            reported=n == times - 1,
            units=units[n] if units else 0,
        )
        for n in range(times)
    )
    return Case(rule, tuple(lines), **how)


# How long a service must last to be billable at all, in minutes.
_LASTS = {8857: 30, 8858: 30, 15785: 25, 15230: 15, 15880: 20, 15064: 30, 80: 50, 15643: 20, 9087: 30}


def _together(rule: str, refused: int, other: int, *, hospital: bool = False, **how: Unpack[_How]) -> Case:
    """`other`, then `refused`, by one doctor for one patient on one day."""
    lines = (
        Line(other, at_hospital=hospital, lasts=_LASTS.get(other)),
        Line(refused, reported=True, at=_LASTS.get(other, 6), at_hospital=hospital, lasts=_LASTS.get(refused)),
    )
    return Case(rule, lines, **how)


def _alone(rule: str, line: Line, **how: Unpack[_How]) -> Case:
    return Case(rule, (replace(line, reported=True),), **how)


def _fee_day(
    rule: str, registered: int, walk_in: int, *fees: Line, paid: int | None = None, **how: Unpack[_How]
) -> Case:
    """A day of visits and its fees, the last of which is reported; `paid` of its patients were, where that matters."""
    visits = [
        Line(
            15803 if n < registered else 15765,
            who=n,
            at=15 * n,
            context=None if n < registered else "#G160",
            paid=None if paid is None else n < paid,
        )
        for n in range(registered + walk_in)
    ]
    *kept, last = (replace(fee, timed=False, paid=None if paid is None else True) for fee in fees)
    return Case(rule, (*visits, *kept, replace(last, reported=True)), **({"needs": "day_off"} | how))


def _walk_in(code: int, who: int) -> Line:
    return Line(code, who=who, context="#G160")


_VISIT = Line(15803)

CASES: tuple[Case, ...] = (
    # Office fees: too few patients, the wrong kind, twice, beyond the day's total, too few of them paid.
    _fee_day("OFFICE_FEE_19928", 5, 0, Line(19928), weight=3),
    _fee_day("OFFICE_FEE_19928", 0, 9, _walk_in(19928, 0), weight=2),
    _fee_day("OFFICE_FEE_19928", 3, 10, Line(19928)),
    _fee_day("OFFICE_FEE_19928", 6, 0, Line(19928), paid=4, severity="warning"),
    _fee_day("OFFICE_FEE_19929", 11, 0, Line(19929), weight=2),
    _fee_day("OFFICE_FEE_19929", 12, 10, Line(19929), _walk_in(19928, 12)),
    _fee_day("OFFICE_FEE_19928_REPEAT_REGISTERED", 6, 0, Line(19928), Line(19928, who=1)),
    _fee_day("OFFICE_FEE_19928_REPEAT_WALKIN", 0, 10, _walk_in(19928, 0), _walk_in(19928, 1)),
    _fee_day("OFFICE_FEE_19929_REPEAT_REGISTERED", 12, 0, Line(19929), Line(19929, who=1)),
    _fee_day("OFFICE_FEE_19929_REPEAT_WALKIN", 0, 20, _walk_in(19929, 0), _walk_in(19929, 1)),
    # Too often.
    _again("ANNUAL_PERIODIC_VISIT", 15819, weight=6),
    _again("ANNUAL_INTAKE_VISIT", 15801, weight=3),
    Case("INTAKE_VISIT_LIFETIME", (Line(15801, when="old", paid=True), Line(15801, reported=True))),
    _again("ANNUAL_FULL_MAJOR_EXAM", 97, hospital=True),
    _again("ANNUAL_PSY_MAJOR_EXAM", 8809, hospital=True),
    _again("MSK_INTAKE_LIFETIME", 8775),
    _again("PEDIATRIC_22_63M_ANNUAL", 15813, patient="child", weight=2),
    _again("GMF_8875_ANNUAL", 8875, needs="earlier_paid", weight=5),
    _again("GLUCOSE_TEACH_09313_ANNUAL", 9313),
    _again("INSULIN_CHECK_09315_3M", 9315),
    _again("INSULIN_INITIAL_00335", 335),
    _again("BONE_DENSITY_08204_ANNUAL", 8204, hospital=True),
    _again("COLPOSCOPY_4_MONTHS", 6075, patient="woman"),
    _again("COLPOSCOPY_FIRST_06074", 6074, 6075, patient="woman"),
    _again("NEUROSTIM_07844_3M", 7844, hospital=True),
    _again("DEATH_STATEMENT_ONE", 13),
    _again("AMM_15883_ONCE", 15883, lasts=20),
    _again("PREGNANCY_INTAKE_ONCE", 15807, 15805, patient="woman"),
    _again("HOSP_INTAKE_STAY", 15638, hospital=True, needs="earlier_week"),
    _again("REHAB_INTAKE_15626_STAY", 15626, hospital=True, needs="earlier_week"),
    _again("PSY_INTAKE_08923_STAY", 8923, hospital=True, needs="earlier_week"),
    _again("ABORTION_MED_FOLLOWUP_ONE", 15317, patient="woman", needs="earlier_week"),
    _repeated("COMM_REPEAT_NEEDS_CONTEXT", 15843, weight=2),
    _repeated("NEWBORN_15024_DAILY", 15024, hospital=True, patient="newborn"),
    _repeated("ER_COMPLEX_ONCE_PER_STAY", 15064, hospital=True, lasts=30),
    _repeated("ER_PSY_MAIN_DAILY", 15066, hospital=True),
    _repeated("ECHO_URGENT_00689_MAX2", 689, 3, hospital=True),
    _repeated("CATHETER_REPOS_09445_24H", 9445, 3, hospital=True),
    _repeated("THERMODILUTION_00846_MAX4", 846, hospital=True, units=(3, 2)),
    _repeated("JOINT_INJECTION_00431_MAX3", 431, units=(2, 2), weight=2),
    _repeated("BONE_DENSITY_SAME_DAY", 8204, hospital=True),
    _repeated("RADIO_VERIF_08519_WEEK", 8519, hospital=True),
    _repeated("DONOR_20179_ONE_DOCTOR", 20179, hospital=True),
    _repeated("DIALYSIS_00290_MONTH", 290),
    _repeated("DIALYSIS_00147_MONTH", 147, hospital=True),
    _repeated("PERITONEAL_HOME_00285_MONTH", 285),
    _repeated("TPN_00844_MONTH", 844),
    _repeated("HOSP_FOLLOWUP_FIRST_DAILY", 15639, hospital=True, weight=2),
    _repeated("PSY_FOLLOWUP_08913_DAILY", 8913, hospital=True),
    _repeated("PLATEAU_PER_SESSION", 1098, weight=2),
    _repeated("ECONSULT_MAX2", 15894, 3, lasts=10),
    Case(
        "COMM_SPECIALIST_15841_QUARTER",
        tuple(Line(15841, who=n, at=15 * n, reported=n == 13) for n in range(14)),
        needs="newcomer",
    ),
    Case(
        "COMM_OTHER_PRO_15844_QUARTER",
        tuple(Line(15844, who=n, at=15 * n, reported=n == 13) for n in range(14)),
        needs="newcomer",
    ),
    Case("HOMEVISIT_FIRST_PATIENT", (Line(15781), Line(15781, reported=True, who=1, at=40)), needs="day_off"),
    Case(
        "HOMEVISIT_MAX3_SAME_TRIP",
        (Line(15781), *(Line(15782, who=n, at=20 * n, reported=n == 3) for n in (1, 2, 3))),
        needs="day_off",
    ),
    Case(
        "URGENT_TRIP_REPEAT_CONTEXT",
        (
            *(Line(code, at_hospital=True) for code in (15639, 15644)),
            Line(15639, who=1, at=60, at_hospital=True),
            Line(15644, reported=True, who=1, at=60, at_hospital=True),
        ),
        needs="day_off",
    ),
    # Not together.
    _together("CLINICAL_INTERVENTION_NOT_WITH_VISIT", 8857, 15803, weight=6),
    _together("CLINICAL_INTERVENTION_NOT_WITH_PSYCHOTHERAPY", 8857, 15785),
    _together("PSYCHOTHERAPY_NOT_WITH_VISIT", 15785, 15803, weight=2),
    _together("ITSS_NOT_WITH_CLINICAL_INTERVENTION", 15230, 8857),
    _together("AMM_INTERVENTION_EXCLUSIVE", 15880, 15803),
    _together("ER_COMPLEX_NOT_WITH_ER_ACTS", 15064, 15052, hospital=True),
    _together("LTC_15617_NOT_WITH_15616", 15617, 15616, hospital=True, weight=2),
    _together("REHAB_15628_NOT_WITH_15627", 15628, 15627, hospital=True),
    _together("PSY_08933_NOT_WITH_PSY_VISITS", 8933, 8913, hospital=True),
    _together("ASSAULT_09067_NOT_WITH_09070", 9067, 9070, hospital=True, patient="teen"),
    _together("ASSAULT_15160_ALONE", 15160, 15803),
    _together("ECG_30060_NOT_WITH_VO2", 30060, 30130, hospital=True),
    _together("EP_00170_NOT_WITH_00176", 170, 176, hospital=True),
    _together("EP_09471_NOT_WITH_MAPPING", 9471, 9422, hospital=True),
    _together("LAB_00402_NOT_WITH_00404", 402, 404),
    _together("OPHT_00543_NOT_WITH_00576", 543, 576),
    _together("GI_00620_NOT_WITH_00691", 620, 691, hospital=True),
    _together("INJECTION_SAME_SITE", 430, 254, weight=2),
    _together("EPIDURAL_00952_NOT_WITH_REINJECTION", 933, 952, hospital=True),
    _together("EPIDURAL_00952_NOT_WITH_01901", 952, 1901, hospital=True),
    _together("HIP_SUPPLEMENTS_EXCLUSION", 2261, 2747, hospital=True),
    _together("KNEE_02122_NOT_WITH_ARTHROSCOPY", 2122, 2577, hospital=True),
    _together("SINUS_03210_NOT_WITH_03113", 3210, 3113, hospital=True),
    _together("URETER_06332_NOT_WITH_06321", 6332, 6321, hospital=True),
    _together("URETER_06044_EXCLUSION", 6044, 6008, hospital=True),
    _together("URETER_06024_NOT_WITH_06111", 6024, 6111, hospital=True),
    _together("SCROTAL_06390_SAME_SIDE", 6390, 6389, hospital=True),
    _together("XRAY_SACRUM_COCCYX", 8101, 8110, hospital=True),
    _together("XRAY_SI_WITH_PELVIS", 8058, 8054, hospital=True),
    _together("CT_ABDOMEN_PELVIS", 8264, 8266, hospital=True),
    _together("CT_PELVIS_COMBINED", 8266, 8268, hospital=True),
    _together("NEWBORN_15024_NOT_WITH_EXAMS", 15024, 15639, hospital=True, patient="newborn"),
    _together("SURVEILLANCE_00080_EXCLUSIVE", 15803, 80),
    _together("TRANSFER_09087_EXCLUSIVE", 15052, 9087, hospital=True),
    _together("DEATH_BULLETIN_NO_EXAM", 15803, 15265),
    _together("HOSP_EXCHANGE_SAME_SESSION", 15643, 8858, hospital=True),
    _together("IC_NOT_WITH_INPATIENT_VISIT", 8858, 15639, hospital=True),
    _together("INTERPRETER_15188_NOT_WITH_IC", 15188, 8857),
    _together("ABORTION_MED_US_NOT_WITH_VISIT", 15315, 15803, patient="woman"),
    _again("PERIODIC_NOT_WITH_INTAKE_YEAR", 15819, 15821, weight=3),
    _again("PERIODIC_NOT_AFTER_FULL_EXAM", 15819, 15825, patient="woman"),
    Case(
        "FULL_EXAM_NOT_AFTER_PERIODIC",
        (Line(15819, when="earlier"), Line(97, reported=True, at_hospital=True)),
        needs="earlier",
    ),
    _again("MSK_INTAKE_NOT_WITH_OPINION", 8775, 8777),
    _again("PERITONEAL_FIRST_6_WEEKS", 283, hospital=True),
    _again("HAEMODIALYSIS_00287_6WEEKS", 287, hospital=True),
    Case(
        "ROLE_1_AND_2_SAME_ACT",
        (Line(2122, reported=True, at_hospital=True), Line(2122, role="2", at_hospital=True)),
    ),
    Case(
        "ANESTH_00917_NOT_ROLE2",
        (Line(915, role="2", at_hospital=True), Line(917, reported=True, at=5, at_hospital=True)),
    ),
    # Unknown to the reference.
    Case(
        "UNKNOWN_BILLING_CODE",
        (Line(0, reported=True, when="earlier"), Line(0, who=1)),
        needs="earlier",
        severity="info",
        unknown_code=True,
        weight=2,
    ),
    _alone("UNKNOWN_CONTEXT", replace(_VISIT, context="#ZZZ9"), weight=4),
    _alone("ESTABLISHMENT_FORMAT", Line(15616, at_hospital=True, lieu="549"), weight=2),
    # Cells that cannot be right.
    _alone("DQ_NAM_FORMAT", replace(_VISIT, spoiled_nam=True), weight=4),
    _alone("DQ_FUTURE_DATE", replace(_VISIT, when="future", paid=False), weight=2),
    _alone("DQ_LATE_90_DAYS", replace(_VISIT, when="late", paid=False), weight=5),
    _alone("DQ_LATE_WARNING_75_DAYS", replace(_VISIT, when="soon_late", paid=False), weight=5),
    _alone("DQ_END_BEFORE_START", replace(_VISIT, debut="10:00", fin="09:00"), weight=3),
    Case("DQ_DUPLICATE_LINE", (_VISIT, replace(_VISIT, reported=True)), weight=6),
    Case(
        "DQ_OVERLAP_SAME_DOCTOR",
        (Line(8857, lasts=30), Line(8857, reported=True, who=1, at=20, lasts=30)),
        needs="day_off",
        weight=2,
    ),
    Case(
        "DQ_NEGATIVE_AMOUNT",
        (replace(_VISIT, paid=True), replace(_VISIT, reported=True, paid=True, sign=-1)),
        needs="earlier_paid",
    ),
    _alone("DQ_ZERO_PRELIMINARY", replace(_VISIT, sign=0), weight=2),
    _alone("DQ_ROLE_INVALID", replace(_VISIT, role="5")),
    _alone("DQ_PERIOD_BEFORE_SERVICE", replace(_VISIT, period_weeks=-2)),
    _alone("DQ_TIME_FORMAT", replace(_VISIT, debut="9h30")),
    _alone("DQ_MIDNIGHT_PLACEHOLDER", replace(_VISIT, debut="00:00"), weight=3),
    _alone("DQ_DIAGNOSIS_FORMAT", replace(_VISIT, diagnostic="250.00"), weight=2),
    _alone("DQ_DOCTOR_UNPARSED", replace(_VISIT, unread_doctor=True)),
)


def planted_rules() -> Iterable[str]:
    """Names of the rules that have a story."""
    return sorted({case.rule for case in CASES})
