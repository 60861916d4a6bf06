"""Stories of too much within a day or a period: dollars, units, minutes, sessions, patients."""

from collections.abc import Iterator

from dashlib.demo.cases.story import INTERVENTION, Case, Line, after, alone, repeated

# A line beyond the most of a day: code, whether at the hospital, units, cents; no units where money is counted.
_DAYS: dict[str, tuple[int, bool, int, int]] = {
    "SKIN_TEST_00105_MAX": (105, False, 30, 54_00),
    "SKIN_TEST_00150_SEMIANNUAL": (150, False, 20, 52_00),
    "PATCH_TEST_00110_MAX": (110, False, 22, 44_00),
    "BLOCK_CONTROL_00915_DAY": (915, True, 5, 125_00),
    "INHALO_00917_DAY": (917, True, 5, 125_00),
    "VENT_I_00927_DAY": (927, True, 5, 110_00),
    "VENT_II_00991_DAY": (991, True, 7, 154_00),
    "SKIN_ELECTRO_01300_SESSION": (1300, False, 0, 24_50),
    "NEUROFIBROMA_01198_SESSION": (1198, False, 0, 310_00),
    "TRAVEL_AMM_15882_MAX6": (15882, False, 0, 305_20),
    "FACET_BLOCK_00217_MAX": (217, True, 0, 165_00),
    "MOHS_01302_MAX6": (1302, False, 7, 630_00),
    "LACERATION_01320_MAX_CABINET": (1320, False, 0, 260_00),
    "WART_01222_MAX17": (1222, False, 18, 180_00),
    "WART_01223_MAX11": (1223, False, 12, 132_00),
    "WART_01225_MAX12": (1225, False, 13, 143_00),
    "ER_COMPLEX_90MIN": (15064, True, 95, 340_00),
}


def _of_days() -> Iterator[Case]:
    for rule, (code, hospital, units, cents) in _DAYS.items():
        yield alone(rule, Line(code, units=units, cents=cents, at_hospital=hospital))


AMOUNTS: tuple[Case, ...] = (
    *_of_days(),
    alone("ER_COMPLEX_105MIN", Line(15068, units=110, cents=395_00, at_hospital=True), patient="seventies"),
    after(
        "EP_DAILY_MAX_948",
        Line(170, cents=500_00, at_hospital=True),
        Line(248, at=60, cents=480_00, at_hospital=True),
    ),
    repeated("NERVE_BLOCK_00280_DAY", 2, Line(280, cents=40_00)),
    after("TRAVEL_08861_MAX6", INTERVENTION, Line(8861, at=30, lasts=25, cents=208_95), needs="hour"),
    # Sessions of an hour for a group, at one place.
    repeated("DIABETES_GROUP_09312_DAY", 3, Line(9312, lasts=60, own_place=True), every=70, needs="day_off"),
    Case(
        "DIABETES_GROUP_09312_WEEK",
        tuple(
            Line(9312, reported=not ago and clock == "14:30", ago=ago, clock=clock, lasts=60, paid=True, own_place=True)
            for ago, clock in ((2, "13:00"), (2, "14:30"), (1, "13:00"), (0, "13:00"), (0, "14:30"))
        ),
    ),
    repeated("CARDIAC_REHAB_00780_MAX15", 16, Line(780, at_hospital=True), every=20, people=True, needs="day_off"),
    # 25 talks of an hour each with families and colleagues.
    repeated(
        "DOCTOR_DAY_24H", 25, Line(15643, at=-500, lasts=60, at_hospital=True), every=50, people=True, needs="day_off"
    ),
)
