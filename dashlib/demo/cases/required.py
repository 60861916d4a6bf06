"""Stories of lines that lack what their code requires: another code, a time, a duration, units, a context."""

from collections.abc import Iterator

from dashlib.demo.cases.story import INTERVENTION, VISIT, Case, Line, Needs, Patient, after, alone

# A further period without the first: code, whether at the hospital.
_PERIODS = {
    "ADDON_08859_NEEDS_08857": (8859, False),
    "ADDON_08860_NEEDS_08858": (8860, True),
    "ADDON_08868_NEEDS_08866": (8868, False),
    "ADDON_08869_NEEDS_08867": (8869, True),
    "ADDON_08843_NEEDS_08841": (8843, False),
    "ADDON_08844_NEEDS_08842": (8844, True),
    "ADDON_15786_NEEDS_15785": (15786, False),
    "ADDON_15788_NEEDS_15787": (15788, False),
    "ADDON_08863_NEEDS_08862": (8863, True),
    "ADDON_08865_NEEDS_08864": (8865, True),
    "ADDON_15881_NEEDS_15880": (15881, False),
    "ADDON_15884_NEEDS_15883": (15884, False),
    "ADDON_09246_NEEDS_09087": (9246, True),
    "ADDON_09069_NEEDS_09067": (9069, True),
    "ADDON_09073_NEEDS_09070": (9073, True),
    "HYPERBARIC_EXTRA_NEEDS_FIRST": (838, True),
}
# A service of the hospital without the one that it goes with.
_BESIDE = {
    "HOSP_SUBSEQUENT_15640": 15640,
    "HOSP_SUBSEQUENT_15649": 15649,
    "PSY_SUBSEQUENT_08942": 8942,
    "ER_SUPPLEMENT_15637": 15637,
    "COURT_09077_NEEDS_09070": 9077,
    "TENDON_02859_NEEDS_TRANSFER": 2859,
    "DONOR_20180_NEEDS_20179": 20180,
    "HOME_EVAL_09063_NEEDS_09100": 9063,
}
# A supplement for an urgent trip in the evening, without the visit.
_TRIPS = {
    "HOSP_TRIP_SUPPLEMENT_NEEDS_VISIT": 15645,
    "LTC_TRIP_SUPPLEMENT_NEEDS_VISIT": 15624,
    "REHAB_TRIP_SUPPLEMENT_NEEDS_VISIT": 15634,
    "PSY_TRIP_SUPPLEMENT_NEEDS_VISIT": 8967,
}
_ABORTIONS = {
    "ABORTION_MED_US_NEEDS_FOLLOWUP": 15319,
    "ABORTION_MED_15407_NEEDS_15313": 15407,
    "ABORTION_MED_15408_NEEDS_15317": 15408,
}
# A service without its start: code, whether at the hospital.
_STARTS = {
    "PSYCHOTHERAPY_START": (15785, False),
    "AMM_START": (15880, False),
    "NIGHT_09099_START": (9099, True),
    "NIGHT_15232_START": (15232, True),
    "ASSAULT_EXAM_START": (9067, True),
    "TRANSFER_START": (9087, True),
    "PHONE_15622_START": (15622, True),
    "HYPERBARIC_START": (837, True),
    "CHILD_ABUSE_START": (9070, True),
}
# A service with its start, but without its end and without units: code, whether at the hospital.
_ENDS = {
    "ECONSULT_TIMES": (15894, False),
    "EXCHANGE_DURATION": (15643, True),
    "ITSS_DURATION": (15230, False),
    "SURVEILLANCE_DURATION": (80, False),
    "ER_COMPLEX_DURATION": (15064, True),
    "INJECTION_UNITS": (431, False),
    "WART_UNITS": (1222, False),
}
_WEIGHTS = {
    **dict.fromkeys(("ADDON_08859_NEEDS_08857", "PSYCHOTHERAPY_START", "INJECTION_UNITS", "WART_UNITS"), 6),
    **dict.fromkeys(("EXCHANGE_DURATION", "ITSS_DURATION", "ECONSULT_TIMES", "HOSP_SUBSEQUENT_15640"), 3),
}
_PUPILS = frozenset({"ADDON_09069_NEEDS_09067", "ADDON_09073_NEEDS_09070", "CHILD_ABUSE_START"})


def _lacking() -> Iterator[Case]:
    for rule, (code, hospital) in _PERIODS.items():
        yield _one(rule, Line(code, lasts=15, at_hospital=hospital), needs="hour")
    for rule, code in _BESIDE.items():
        yield _one(rule, Line(code, at_hospital=True))
    for rule, code in _TRIPS.items():
        yield _one(rule, Line(code, clock="18:00", at_hospital=True), needs="day_off")
    for rule, code in _ABORTIONS.items():
        yield _one(rule, Line(code), patient="woman")
    for rule, (code, hospital) in _STARTS.items():
        yield _one(rule, Line(code, timed=False, at_hospital=hospital))
    for rule, (code, hospital) in _ENDS.items():
        yield _one(rule, Line(code, at_hospital=hospital))


def _one(rule: str, line: Line, *, needs: Needs = "evening", patient: Patient = "adult") -> Case:
    of_age: Patient = "pupil" if rule in _PUPILS else patient
    return alone(rule, line, weight=_WEIGHTS.get(rule, 1), needs=needs, patient=of_age)


REQUIRED: tuple[Case, ...] = (
    *_lacking(),
    alone("CLINICAL_INTERVENTION_TIMES", Line(8857), weight=45, needs="hour"),
    after("TRAVEL_08861_TIMES", INTERVENTION, Line(8861, at=30), needs="hour"),
    alone("TRAVEL_08861_NEEDS_IC", Line(8861, lasts=25), needs="hour"),
    after("ADDON_PERIOD_DURATION", Line(15785, lasts=30), Line(15786, at=30), weight=2, needs="hour"),
    alone("ER_COMPLEX_START", Line(15064, timed=False, units=30, cents=115_00, at_hospital=True)),
    alone("SKIN_TEST_UNITS", Line(105, cents=25_00)),
    alone("ER_DUTY_TIMES", Line(9998, clock="03:00", at_hospital=True), needs="weekday"),
    alone("HYPERBARIC_20084", Line(20084, clock="20:00", at_hospital=True)),
    alone("URGENT_TRIP_15847_NEEDS_VISIT", Line(15849, clock="02:00"), needs="day_off"),
    after(
        "URGENT_TRIP_START",
        Line(15639, at_hospital=True),
        Line(15644, timed=False, at_hospital=True),
        needs="day_off",
    ),
    alone("COMM_PATIENT_AND_PLACE", Line(15843, lieu=""), weight=2),
    alone("HOMEVISIT_NO_DOMICILE_CONTEXT", Line(15781, context="VISITE_DOMICILE"), weight=2, needs="day_off"),
    alone("KM_09991_DIRECTION", Line(9991, units=40)),
    alone("PG14_SERVICE_START", Line(VISIT.code, timed=False, context="SERVICE_PERIODE_PG14")),
)
