"""Stories of services billed too often."""

from dashlib.demo.cases.story import Case, Line, after, again, long_ago, repeated


def _ward(code: int) -> Line:
    return Line(code, at_hospital=True)


FREQUENCY: tuple[Case, ...] = (
    # In a year, in some months, in a life.
    again("ANNUAL_PERIODIC_VISIT", Line(15819), weight=40),
    again("ANNUAL_INTAKE_VISIT", Line(15801), weight=25),
    after("INTAKE_VISIT_LIFETIME", Line(15801, ago=0, paid=True), Line(15801), weight=4),
    again("ANNUAL_FULL_MAJOR_EXAM", _ward(97)),
    again("ANNUAL_PSY_MAJOR_EXAM", _ward(8809)),
    again("MSK_INTAKE_LIFETIME", Line(8775), weight=2),
    again("PEDIATRIC_22_63M_ANNUAL", Line(15813), patient="child", weight=4),
    long_ago("PEDIATRIC_0_21M_MAX8", tuple(range(72, -1, -9)), Line(15813), patient="infant"),
    again("GMF_8875_ANNUAL", Line(8875), needs="earlier_paid", weight=30),
    again("GLUCOSE_TEACH_09313_ANNUAL", Line(9313)),
    again("INSULIN_CHECK_09315_3M", Line(9315)),
    again("INSULIN_INITIAL_00335", Line(335)),
    long_ago("INSULIN_INFUSION_09316_5DAYS", (15, 12, 9, 6, 3, 0), _ward(9316)),
    again("BONE_DENSITY_08204_ANNUAL", _ward(8204)),
    long_ago("DEFIB_00313_ANNUAL_6", tuple(range(90, -1, -15)), _ward(313)),
    long_ago("PACER_UNI_REPROG_ANNUAL", (90, 60, 30, 0), _ward(685)),
    long_ago("PACER_DUAL_REPROG_ANNUAL", (90, 60, 30, 0), _ward(693)),
    long_ago("SKIN_TEST_00105_2_PER_YEAR", (60, 30, 0), Line(105, units=10, cents=30_00)),
    again("COLPOSCOPY_4_MONTHS", Line(6075), patient="woman"),
    again("COLPOSCOPY_FIRST_06074", Line(6074), 6075, patient="woman"),
    again("NEUROSTIM_07844_3M", _ward(7844)),
    again("DEATH_STATEMENT_ONE", Line(13)),
    again("AMM_15883_ONCE", Line(15883, lasts=20)),
    again("PREGNANCY_INTAKE_ONCE", Line(15807), 15805, patient="woman"),
    # In a stay.
    again("HOSP_INTAKE_STAY", _ward(15638), needs="earlier_week", weight=3),
    again("REHAB_INTAKE_15626_STAY", _ward(15626), needs="earlier_week"),
    again("PSY_INTAKE_08923_STAY", _ward(8923), needs="earlier_week"),
    again("ABORTION_MED_FOLLOWUP_ONE", Line(15317), patient="woman", needs="earlier_week"),
    # In a day, a week, a month.
    repeated("COMM_REPEAT_NEEDS_CONTEXT", 2, Line(15843), weight=3),
    repeated("NEWBORN_15024_DAILY", 2, _ward(15024), patient="newborn"),
    long_ago(
        "NEWBORN_15024_3DAYS",
        (3, 2, 1, 0),
        Line(15024, also=("AGE_NEWBORN_15024",), at_hospital=True),
        patient="three_days_old",
    ),
    repeated("ER_COMPLEX_ONCE_PER_STAY", 2, Line(15064, at_hospital=True, lasts=30), every=30),
    repeated("ER_PSY_MAIN_DAILY", 2, _ward(15066)),
    after(
        "ER_REMOTE_SUPPORT_15259",
        tuple(
            Line(15259, clock=clock, lasts=480, at_hospital=True, own_place=True)
            for clock in ("07:00", "15:00", "23:00")
        ),
        Line(15259, clock="23:10", lasts=480, who=1, at_hospital=True, own_place=True),
    ),
    repeated("ECHO_URGENT_00689_MAX2", 3, _ward(689)),
    repeated("CATHETER_REPOS_09445_24H", 3, _ward(9445)),
    after(
        "THERMODILUTION_00846_MAX4", Line(846, units=3, at_hospital=True), Line(846, units=2, at=4, at_hospital=True)
    ),
    after("JOINT_INJECTION_00431_MAX3", Line(431, units=2), Line(431, units=2, at=4), weight=3),
    repeated("BONE_DENSITY_SAME_DAY", 2, _ward(8204)),
    repeated("BRACHY_08527_MAX2", 3, _ward(8527)),
    repeated("RADIO_VERIF_08519_WEEK", 2, _ward(8519)),
    repeated("DONOR_20179_ONE_DOCTOR", 2, _ward(20179)),
    repeated("DIALYSIS_00290_MONTH", 2, Line(290)),
    repeated("DIALYSIS_00147_MONTH", 2, _ward(147)),
    repeated("PERITONEAL_HOME_00285_MONTH", 2, Line(285)),
    repeated("TPN_00844_MONTH", 2, Line(844)),
    repeated("HOSP_FOLLOWUP_FIRST_DAILY", 2, _ward(15639), weight=4),
    repeated("PSY_FOLLOWUP_08913_DAILY", 2, _ward(8913)),
    repeated("PLATEAU_PER_SESSION", 2, Line(1098), weight=3),
    repeated("ECONSULT_MAX2", 3, Line(15894, lasts=10), every=10),
    # By a doctor in a quarter, in a day.
    repeated("COMM_SPECIALIST_15841_QUARTER", 14, Line(15841), every=15, people=True, needs="newcomer"),
    repeated("COMM_SPECIALIST_15842_QUARTER", 27, Line(15842), every=15, people=True, needs="newcomer"),
    repeated("COMM_SPECIALIST_15843_QUARTER", 40, Line(15843), every=12, people=True, needs="newcomer"),
    repeated("COMM_OTHER_PRO_15844_QUARTER", 14, Line(15844), every=15, people=True, needs="newcomer"),
    repeated("COMM_OTHER_PRO_15845_QUARTER", 27, Line(15845), every=15, people=True, needs="newcomer"),
    repeated("COMM_OTHER_PRO_15846_QUARTER", 40, Line(15846), every=12, people=True, needs="newcomer"),
    repeated("HOMEVISIT_FIRST_PATIENT", 2, Line(15781), every=40, people=True, needs="day_off"),
    after(
        "HOMEVISIT_MAX3_SAME_TRIP",
        (Line(15781), *(Line(15782, who=n, at=20 * n) for n in (1, 2))),
        Line(15782, who=3, at=60),
        needs="day_off",
    ),
    after(
        "URGENT_TRIP_REPEAT_CONTEXT",
        (*(_ward(code) for code in (15639, 15644)), Line(15639, who=1, at=60, at_hospital=True)),
        Line(15644, who=1, at=60, at_hospital=True),
        needs="day_off",
    ),
)
