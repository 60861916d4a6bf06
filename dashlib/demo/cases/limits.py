"""Stories of services at a wrong place, hour or age, and of wrong length."""

from collections.abc import Iterator

from dashlib.demo.cases.story import INTERVENTION, VISIT, Case, Line, Patient, after, alone

# A code of the hospital, billed in the office.
_IN_OFFICE = {
    "CLINICAL_INTERVENTION_ETAB_CODES": 8858,
    "PSYCHOTHERAPY_ETAB_CODES": 8862,
    "CONSULT_NOT_IN_CABINET": 60,
    "EXAM_NOT_IN_CABINET": 5,
    "ER_CODES_NOT_IN_CABINET": 15052,
    "HOSPITAL_VISITS_NOT_IN_CABINET": 15639,
    "LTC_VISITS_NOT_IN_CABINET": 15616,
    "REHAB_VISITS_NOT_IN_CABINET": 15627,
    "PSY_HOSP_VISITS_NOT_IN_CABINET": 8913,
    "ANESTH_EXAM_HOSPITAL_ONLY": 15192,
    "ESTABLISHMENT_ONLY_ACTS": 388,
    "VACCINATION_MASS_ESTABLISHMENT": 20023,
    "HOME_GERIATRIC_15762": 15762,
    "PREGNANCY_15145_NOT_IN_CABINET": 15145,
}
# A code of the office, billed at the hospital.
_AT_HOSPITAL = {
    "PLATEAU_CABINET_ONLY": 1098,
    "CABINET_ONLY_ACTS": 403,
    "CABINET_OR_HOME_INJECTIONS": 113,
    "VACCINATION_MASS_CABINET": 20021,
    "PREGNANCY_SUPPLEMENT_CABINET": 15144,
}
# A code for another age: code, whether at the hospital, the patient.
_OF_AGE: dict[str, tuple[int, bool, Patient]] = {
    "AGE_80_PLUS_VISITS": (15817, False, "adult"),
    "AGE_PEDIATRIC_0_63M": (15813, False, "pupil"),
    "AGE_08877_0_5": (8877, False, "pupil"),
    "AGE_CONSULT_UNDER_70": (60, True, "seventies"),
    "AGE_CONSULT_70_PLUS": (9231, True, "adult"),
    "AGE_EXAM_UNDER_70": (5, True, "seventies"),
    "AGE_EXAM_70_PLUS": (9116, True, "adult"),
    "AGE_EXAM_70_79": (8882, True, "eighties"),
    "AGE_EXAM_80_PLUS": (8883, True, "seventies"),
    "AGE_ER_UNDER_70": (15052, True, "seventies"),
    "AGE_ER_70_79": (15053, True, "eighties"),
    "AGE_ER_80_PLUS": (15054, True, "seventies"),
    "AGE_ER_70_PLUS": (15067, True, "adult"),
    "AGE_NEWBORN_15024": (15024, True, "week_old"),
    "AGE_CALLUS_70_PLUS": (159, False, "adult"),
    "AGE_EMG_UNDER_12": (359, True, "adult"),
    "AGE_IV_4_PLUS": (478, False, "infant"),
    "AGE_IV_UNDER_4": (477, False, "adult"),
    "AGE_CARDIO_2_PLUS": (129, True, "infant"),
    "AGE_CARDIO_UNDER_2": (886, True, "adult"),
    "AGE_09305_UNDER_16": (9305, True, "adult"),
    "AGE_09306_16_PLUS": (9306, True, "pupil"),
    "AGE_OTOPLASTY_UNDER_18": (7424, True, "adult"),
    "AGE_16_OR_LESS": (7228, True, "adult"),
    "AGE_CHILD_ABUSE_UNDER_18": (9070, True, "adult"),
}
# A code outside its hours, at those of the story's evening or at the hour given: code, hour, minutes.
_AT_HOURS: dict[str, tuple[int, str | None, int | None]] = {
    "PHONE_15622_WINDOW": (15622, None, None),
    "TRIP_FEE_19080_WINDOW": (19080, None, None),
    "TRIP_FEE_19081_WINDOW": (19081, "10:15", None),
    "TRIP_FEE_19082_WINDOW": (19082, None, None),
    "TRIP_FEE_19047_WINDOW": (19047, None, None),
    "TRIP_FEE_19048_WINDOW": (19048, "10:15", None),
    "TRIP_FEE_19049_WINDOW": (19049, None, None),
    "NIGHT_09099_WINDOW": (9099, None, None),
    "NIGHT_15232_WINDOW": (15232, None, None),
    "DEATH_00014_WINDOW": (14, "03:00", None),
    "DEATH_15234_WINDOW": (15234, None, None),
    "ER_DUTY_19055_WINDOW": (19055, None, 60),
    "ER_DUTY_42265_WINDOW": (42265, None, 60),
    "ER_DUTY_09996_WINDOW": (9996, "10:00", 60),
    "ER_DUTY_09791_WINDOW": (9791, "10:00", 60),
    "ER_DUTY_09998_WINDOW": (9998, None, 60),
}
# A supplement for an urgent trip at ten, at six in the evening, billed as for another part of the day.
_TRIPS = {
    "URGENT_TRIP_DAY": (15644, "18:00"),
    "URGENT_TRIP_EVENING": (15645, "10:00"),
    "URGENT_TRIP_NIGHT": (15646, "10:00"),
}
# A service too short or too long: code, minutes, whether at the hospital.
_LENGTHS = {
    "AMM_MIN15": (15883, 10, False),
    "ITSS_BLOCK15": (15230, 10, False),
    "EXCHANGE_MIN15": (15643, 10, True),
    "EXCHANGE_USUAL_60": (15643, 70, True),
    "ER_COMPLEX_MIN30": (15064, 20, True),
    "SURVEILLANCE_MIN45": (80, 40, False),
}
_WEIGHTS = {
    **dict.fromkeys(("AGE_80_PLUS_VISITS", "HOSPITAL_VISITS_NOT_IN_CABINET", "CABINET_ONLY_ACTS"), 4),
    **dict.fromkeys(("AGE_08877_0_5", "AGE_ER_UNDER_70", "AGE_PEDIATRIC_0_63M", "CABINET_OR_HOME_INJECTIONS"), 3),
}


def _alone() -> Iterator[Case]:
    for rule, code in _IN_OFFICE.items():
        line = Line(code, lasts=30 if code in (8858, 8862) else None)
        yield alone(rule, line, weight=_WEIGHTS.get(rule, 1), needs="hour" if line.lasts else "evening")
    for rule, code in _AT_HOSPITAL.items():
        yield alone(rule, Line(code, at_hospital=True), weight=_WEIGHTS.get(rule, 1))
    for rule, (code, hospital, patient) in _OF_AGE.items():
        yield alone(rule, Line(code, at_hospital=hospital), weight=_WEIGHTS.get(rule, 1), patient=patient)
    for rule, (code, clock, lasts) in _AT_HOURS.items():
        yield alone(rule, Line(code, clock=clock, lasts=lasts, at_hospital=True), needs="weekday")
    for rule, (code, lasts, hospital) in _LENGTHS.items():
        yield alone(rule, Line(code, lasts=lasts, at_hospital=hospital))
    for rule, (code, clock) in _TRIPS.items():
        visit, trip = (Line(some, clock=clock, at_hospital=True) for some in (15639, code))
        yield after(rule, visit, trip, needs="day_off")


LIMITS: tuple[Case, ...] = (
    *_alone(),
    # A visit for patients under 80 is also worth less, where the tariff of the other one is known.
    alone(
        "AGE_UNDER_80_VISITS",
        Line(15803, also=("OPP_AGE_80_UNDERBILLED",)),
        weight=16,
        needs="large",
        patient="eighties",
    ),
    after(
        "AGE_ASSAULT_SUPPLEMENT_UNDER_14",
        Line(9067, at_hospital=True),
        Line(9069, at=30, lasts=15, at_hospital=True),
        patient="teen",
    ),
    alone("EXAM_NOT_IN_ER", Line(5, at_hospital=True, emergency=True)),
    # On the wrong days.
    alone("TRANSFER_VISIT_WEEKDAY", Line(15641, at_hospital=True), needs="weekend"),
    alone("TRANSFER_PHONE_HOLIDAY", Line(15641, at_hospital=True), needs="holiday"),
    alone("ER_DUTY_19953_WINDOW", Line(19953, lasts=60, at_hospital=True), needs="weekday"),
    after("URGENT_TRIP_CABINET_DAYS", VISIT, Line(15847, at=10), needs="day_off"),
    after(
        "URGENT_TRIP_HOME_HOURS",
        Line(15803, clock="17:00"),
        Line(15848, clock="17:00", context="VISITE_DOMICILE"),
        needs="day_off",
    ),
    after(
        "HYPERBARIC_20084_WINDOW",
        Line(837, clock="14:00", at_hospital=True),
        Line(20084, clock="14:00", at_hospital=True),
        needs="weekday",
    ),
    # Too short, too long.
    alone("CLINICAL_INTERVENTION_MIN25", Line(8857, lasts=20), weight=10, needs="hour"),
    after("CLINICAL_INTERVENTION_ADDON_MIN8", INTERVENTION, Line(8859, at=30, lasts=5), weight=4, needs="hour"),
    Case(
        "CLINICAL_INTERVENTION_FIRST30_IF_ADDON",
        (Line(8857, reported=True, lasts=27), Line(8859, at=27, lasts=15)),
        weight=4,
        needs="hour",
    ),
    after("CLINICAL_INTERVENTION_USUAL_90", INTERVENTION, Line(8859, at=30, lasts=65), weight=2, needs="day_off"),
    alone("PSYCHOTHERAPY_MIN25", Line(15785, lasts=20), weight=2, needs="hour"),
    Case(
        "PSYCHOTHERAPY_FIRST30_IF_ADDON",
        (Line(15785, reported=True, lasts=27), Line(15786, at=27, lasts=15)),
        needs="hour",
    ),
    after("PSYCHOTHERAPY_USUAL_90", Line(15785, lasts=30), Line(15786, at=30, lasts=65), needs="day_off"),
    after("TRAVEL_08861_45MIN", INTERVENTION, Line(8861, at=30, lasts=50), needs="day_off"),
    alone("DIABETES_GROUP_60", Line(9312, lasts=45, own_place=True)),
    alone("REMOTE_SUPPORT_8H", Line(15259, clock="08:00", lasts=420, at_hospital=True, own_place=True)),
)
