"""An invented clinic group whose lines obey every shipped rule: doctors, working days, visits, acts, office fees.

Rules hold by construction, not by repair. A patient of a panel sees only his doctor, once a day at most, and has at
most one of the services that are counted by year. Visits of a day follow one another, so that no two overlap. An
office fee is billed when it is earned, and for the category that earns it. Whatever is cut off at the end leaves a
file that obeys still: the fee of a day is its last line. What may be told is advice, and `demo.advice` says which.
"""

from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from dashlib.demo.fees import fees_of
from dashlib.starter import quebec_holidays

type Ints = np.ndarray[tuple[int], np.dtype[np.int64]]
type Dates = np.ndarray[tuple[int], np.dtype[np.datetime64]]
type Flags = np.ndarray[tuple[int], np.dtype[np.bool_]]

FIRST_DAY, LAST_DAY = 64, 2
"""Days before the run: an unpaid line is never old enough for the warning at 75 days."""

EVENING = 18 * 60 + 30
"""Minutes after midnight by which every visit of a day has ended."""

# Visits have two codes: an odd one for doctors of fewer than 500 registered patients, the next for larger lists.
# Source: the shipped rules on visits; ROSTER_SIZE_COHERENT of the manual's P.G. 2.2.6 A.
ROSTER = ((15765, 15780), (15801, 15840))
WALK_IN_CONTEXTS = ("#G160", "#AR", "G160")
_PANELS = (307, 401, 503, 607, 701, 809, 907, 1009)  # primes, so that every step through a panel meets everyone
_LINES_PER_DOCTOR = 950

# Codes of the starter. Pairs are for patients under 80, and of 80 and more; the first of a roster pair is meant.
_FOLLOWED, _VULNERABLE, _PERIODIC = (15803, 15817), (15823, 15837), (15819, 15839)
_INTAKE, _VULNERABLE_INTAKE = (15801, 15815), (15821, 15835)
_CHILD, _PREGNANCY, _PREGNANT = 15813, 15805, 15811
_INTERVENTION, _MORE_TIME, _PSYCHOTHERAPY = 8857, 8859, 15785
_CALLS, _WALK_INS = (15843, 15846), (15765, 15767)
_GMF_YEAR = 8875
_TIMED = (_INTERVENTION, _PSYCHOTHERAPY)

# Small acts done beside a visit, the commonest first: code, youngest age, age no longer allowed, most units.
_ACTS = (
    (403, 0, 120, 0), (478, 4, 120, 0), (609, 4, 120, 0), (382, 0, 120, 0), (113, 0, 120, 0), (15188, 0, 120, 0),
    (1222, 6, 120, 6), (384, 0, 120, 0), (431, 18, 120, 2), (404, 18, 120, 0), (111, 0, 120, 0), (159, 70, 120, 0),
    (8877, 0, 6, 0), (400, 0, 120, 0), (477, 0, 4, 0), (118, 0, 120, 0), (1225, 6, 120, 4), (608, 0, 4, 0),
    (127, 0, 120, 0), (474, 0, 120, 0), (430, 18, 120, 0), (1223, 6, 120, 4), (479, 0, 120, 0), (201, 18, 120, 0),
)  # fmt: skip
_HOSPITAL_ACTS = ((119, 0, 120, 0), (128, 0, 120, 0), (388, 18, 120, 0), (527, 0, 120, 0), (528, 0, 120, 0))
_WARD, _EMERGENCY, _LONG_TERM = 0, 1, 2
SECTORS = ("Aucun Secteur", "Unité de soins", "Clinique d'urgence", "Soins de longue durée")


_DIAGNOSES = "4019 2500 4659 4661 7242 7245 3000 311 2724 4779 7804 4660 5990 6929 V700 V202 71946 7890 4939 2449"


@dataclass(frozen=True)
class Clinic:
    """A clinic group in numbers; `demo.people` gives names, `demo.export` text.

    `doctors`: one row a doctor: large bool (500 patients or more), cabinet, hospital i64 (establishment numbers).
    `days`: the days worked: doctor, day date, answered bool. `off`: days of the same window not worked: doctor, day,
    holiday bool.
    `lines`: in the order worked: doctor, day, minute, end (minutes after midnight, null where not billed), visit, lieu,
    sector, code, units, cents, paid, patient (all i64), context, diagnostic str.
    `births`: birth date of each patient.
    """

    doctors: pl.DataFrame
    days: pl.DataFrame
    off: pl.DataFrame
    lines: pl.DataFrame
    births: Dates


@dataclass(frozen=True)
class _Days:
    """Working days, in the order worked: one element a day."""

    doctor: Ints
    day: Dates
    hospital: Flags
    answered: Flags
    visits: Ints


@dataclass(frozen=True)
class _Visits:
    """Visits, in the order worked: one element a visit; `day` is the number of its working day."""

    day: Ints
    position: Ints
    walk_in: Flags
    patient: Ints
    first: Flags
    months: Ints


def make_clinic(rng: np.random.Generator, *, rows: int, run_date: date) -> Clinic:
    """A group that bills exactly `rows` lines in the nine weeks before `run_date`, about 1,000 a doctor."""
    count = rows // _LINES_PER_DOCTOR + 2
    clinic = _clinic(rng, count, run_date)
    while clinic.lines.height < rows:
        count += count // 3 + 1
        clinic = _clinic(rng, count, run_date)
    return _cut(clinic, rows)


def _cut(clinic: Clinic, rows: int) -> Clinic:
    lines = clinic.lines.head(rows)
    worked = lines.select("doctor", "day").unique()
    last = int(lines["doctor"].max()) if rows else 0  # type: ignore[arg-type]
    return Clinic(
        doctors=clinic.doctors.head(last + 1),
        days=clinic.days.join(worked, on=["doctor", "day"], how="semi", maintain_order="left"),
        off=clinic.off.filter(pl.col("doctor") <= last),
        lines=lines,
        births=clinic.births,
    )


def _clinic(rng: np.random.Generator, count: int, run_date: date) -> Clinic:
    doctors = _doctors(rng, count)
    days, off = _working_days(rng, doctors, run_date)
    panel = rng.choice(_PANELS, count)
    pool = 2 ** int(np.ceil(np.log2(256 * count)))
    births = _births(rng, int(panel.sum()), pool, run_date)
    visits = _visits(rng, days, panel, pool, births)
    lines = _lines(rng, days, visits, doctors)
    worked = pl.DataFrame({"doctor": days.doctor, "day": days.day.astype("datetime64[D]"), "answered": days.answered})
    return Clinic(doctors, worked, off, lines, births)


def _doctors(rng: np.random.Generator, count: int) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "large": rng.random(count) < 0.6,
            "cabinet": 59_900 + rng.integers(0, max(2, min(90, count // 6 + 2)), count),
            "hospital": 9_900 + rng.integers(0, max(2, min(60, count // 12 + 2)), count),
            "ward": rng.choice([_WARD, _EMERGENCY, _LONG_TERM], count, p=[0.4, 0.4, 0.2]),
            "load": rng.integers(15, 33, count),
        }
    )


def _working_days(rng: np.random.Generator, doctors: pl.DataFrame, run_date: date) -> tuple[_Days, pl.DataFrame]:
    """Days worked, shuffled within each doctor, so that a file cut short holds days of all weeks; and the days off."""
    count = doctors.height
    window = np.datetime64(run_date) - np.arange(FIRST_DAY, LAST_DAY - 1, -1).astype("timedelta64[D]")
    weekday = (window.astype(np.int64) + 3) % 7
    holiday = np.isin(window, quebec_holidays({run_date.year - 1, run_date.year})["date"].to_numpy())
    pattern = np.concatenate([rng.random((count, 5)) < 0.9, rng.random((count, 2)) < 0.02], axis=1)
    pattern[:, 1] |= ~pattern[:, :5].any(axis=1)
    works = pattern[:, weekday] & ~holiday & (rng.random((count, window.size)) < 0.93)
    doctor, place = np.nonzero(works)
    doctor, place = (part[np.lexsort((rng.random(doctor.size), doctor))] for part in (doctor, place))
    away, when = np.nonzero(~works)
    hospital_weekday = np.where(rng.random(count) < 0.4, rng.integers(0, 5, count), 9)
    age = (np.datetime64(run_date) - window[place]).astype(np.int64)
    load = rng.normal(doctors["load"].to_numpy()[doctor], 3)
    days = _Days(
        doctor=doctor,
        day=window[place],
        hospital=weekday[place] == hospital_weekday[doctor],
        answered=rng.random(doctor.size) < np.clip((age - 7) / 21, 0, 0.95),
        visits=np.clip(load.round().astype(np.int64), 10, 35),
    )
    return days, pl.DataFrame({"doctor": away, "day": window[when], "holiday": holiday[when]})


def _births(rng: np.random.Generator, panel: int, pool: int, run_date: date) -> Dates:
    """Birth dates of patients of panels, then of walk-ins; all born before the first day, none older than 95."""
    ages = np.array([0, 5, 18, 65, 80, 95])
    registered = rng.choice(5, panel, p=[0.07, 0.11, 0.48, 0.22, 0.12])
    walk_in = rng.choice(5, pool, p=[0.10, 0.18, 0.57, 0.11, 0.04])
    group = np.concatenate([registered, walk_in])
    years = ages[group] + (ages[group + 1] - ages[group]) * rng.random(group.size)
    last = np.datetime64(run_date) - np.timedelta64(FIRST_DAY + 30, "D")
    return last - (years * 365.25).astype("timedelta64[D]")  # type: ignore[no-any-return]


def _visits(
    rng: np.random.Generator,
    days: _Days,
    panel: Ints,
    pool: int,
    births: Dates,
) -> _Visits:
    day = np.repeat(np.arange(days.visits.size), days.visits)
    position = np.arange(day.size) - np.repeat(np.cumsum(days.visits) - days.visits, days.visits)
    clinic_of_walk_ins = ~days.hospital & (rng.random(days.hospital.size) < 0.2)
    share = np.where(days.hospital, 0.0, np.where(clinic_of_walk_ins, 0.85, 0.06))
    walk_in = rng.random(day.size) < share[day]
    doctor = days.doctor[day]
    turn = _count_within(doctor, ~walk_in)
    step, start = 1 + rng.integers(0, 300, panel.size), rng.integers(0, 300, panel.size)
    own = (np.cumsum(panel) - panel)[doctor] + (turn * step[doctor] + start[doctor]) % panel[doctor]
    # An odd step through a power of two meets everyone once before it meets anyone twice.
    passing = panel.sum() + (np.cumsum(walk_in) * (2 * int(rng.integers(0, pool // 2)) + 1)) % pool
    patient = np.where(walk_in, passing, own)
    return _Visits(
        day=day,
        position=position,
        walk_in=walk_in,
        patient=patient,
        first=~walk_in & (turn < panel[doctor]),
        months=_months(births[patient], days.day[day]),
    )


def _count_within(group: Ints, counted: Flags) -> Ints:
    """How many counted elements of the same group stand before each element; groups lie together."""
    running = np.cumsum(counted) - counted
    return running - running[np.searchsorted(group, group)]


def _months(births: Dates, day: Dates) -> Ints:
    """Completed months of age."""
    born, served = births.astype("datetime64[M]"), day.astype("datetime64[M]")
    return (served - born).astype(np.int64) - ((day - served) < (births - born))  # type: ignore[no-any-return]


def _lines(rng: np.random.Generator, days: _Days, visits: _Visits, doctors: pl.DataFrame) -> pl.DataFrame:
    hospital = days.hospital[visits.day]
    doctor = days.doctor[visits.day]
    code = np.where(hospital, _hospital_codes(rng, visits, doctors["ward"].to_numpy()[doctor]), _codes(rng, visits))
    large = doctors["large"].to_numpy()[doctor]
    code = code + (large & of_roster(code))
    long = (code == _INTERVENTION) & (rng.random(code.size) < 0.5)
    visit_lines = _timed(rng, days, visits, code, long)
    second = _seconds(rng, visits, code, long, hospital, visit_lines)
    lines = pl.concat([visit_lines, second, _office_fees(days, visits, visit_lines)])
    return _complete(rng, lines.sort("day_no", "position", "step", maintain_order=True), days, visits, doctors)


def _codes(rng: np.random.Generator, visits: _Visits) -> Ints:
    """Codes of visits in the office, as those of a small list; one per patient and day."""
    chance, years, first = rng.random(visits.day.size), visits.months // 12, visits.first
    vulnerable = _constant(visits.patient, 1) < np.where(years < 80, 12, 35)
    own, grown, old = ~visits.walk_in, years >= 18, years >= 80
    fertile = own & ~vulnerable & is_woman(visits.patient) & (years >= 20) & (years < 40)
    cases = [
        (visits.walk_in, np.where(chance < 0.6, _WALK_INS[0], _WALK_INS[1]) + 4 * old),
        (own & np.isin(visits.position, (3, 11)) & (chance < 0.25) & grown, _INTERVENTION),
        (own & (visits.position == 7) & (chance < 0.12) & grown, _PSYCHOTHERAPY),
        (own & (visits.position == 5) & (chance < 0.15), np.where(chance < 0.08, _CALLS[0], _CALLS[1])),
        (first & (visits.months <= 63) & (chance < 0.6), _CHILD),
        (first & fertile & (chance < 0.03), _PREGNANCY),
        (fertile & (chance < 0.08), _PREGNANT),
        (first & grown & vulnerable & (chance > 0.65), _by_age(_PERIODIC, old)),
        (first & (years > 6) & ~vulnerable & (chance > 0.95), _by_age(_INTAKE, old)),
        (first & grown & vulnerable & (chance > 0.6), _by_age(_VULNERABLE_INTAKE, old)),
        (vulnerable & grown, _by_age(_VULNERABLE, old)),
    ]
    return np.select([test for test, _ in cases], [code for _, code in cases], _by_age(_FOLLOWED, old))


def _by_age(codes: tuple[int, int], old: Flags) -> Ints:
    return np.where(old, codes[1], codes[0])


def _hospital_codes(rng: np.random.Generator, visits: _Visits, ward: Ints) -> Ints:
    chance, years = rng.random(visits.day.size), visits.months // 12
    variant = 15052 + 3 * np.searchsorted([0.5, 0.8, 0.95], chance)
    emergency = variant + (years >= 70) + (years >= 80)
    followed = np.where(visits.first & (chance < 0.15), 15638, 15639)
    return np.select([ward == _WARD, ward == _EMERGENCY], [followed, emergency], np.where(chance < 0.8, 15616, 15617))


def of_roster(code: Ints) -> Flags:
    """Codes that have a twin, one higher, for doctors with a large list."""
    return np.any([(code >= low) & (code <= high) for low, high in ROSTER], axis=0)


def _constant(patient: Ints, salt: int) -> Ints:
    """A number from 0 to 99 that stays the patient's."""
    return ((patient * 2_654_435_761 + salt * 40_503) % 2**32) // 65_536 % 100


def is_woman(patient: Ints) -> Flags:
    """Who has a woman's number: always the same for a patient."""
    return _constant(patient, 2) < 53


def _timed(rng: np.random.Generator, days: _Days, visits: _Visits, code: Ints, long: Flags) -> pl.DataFrame:
    """The visits' own lines, one after the other from eight o'clock or later, ended before the evening."""
    slot = np.minimum(22, 520 // days.visits)[visits.day]
    timed = np.isin(code, _TIMED)
    taken = np.where(timed, np.where(long, 47, 32), slot)
    begins = np.where(days.visits <= 24, 480 + 30 * rng.integers(0, 3, days.visits.size), 480)
    before = np.cumsum(taken) - taken
    opening = np.cumsum(days.visits) - days.visits
    start = begins[visits.day] + before - before[opening][visits.day]
    stay = np.where(timed, 30, slot - rng.integers(0, 5, code.size))
    return pl.DataFrame(
        {
            "day_no": visits.day,
            "position": visits.position,
            "step": np.zeros(code.size, np.int64),
            "visit": np.arange(code.size),
            "code": code,
            "minute": start,
            "end": start + stay,
            "ended": timed | (rng.random(code.size) < 0.6),
            "units": np.zeros(code.size, np.int64),
        }
    )


def _seconds(
    rng: np.random.Generator, visits: _Visits, code: Ints, long: Flags, hospital: Flags, own: pl.DataFrame
) -> pl.DataFrame:
    """What is billed beside a visit: the further fifteen minutes, the yearly GMF fee, a small act."""
    years = visits.months // 12
    visiting = ~np.isin(code, (*_TIMED, *_CALLS))
    act, units = _acts(rng, years, _ACTS)
    hospital_act, hospital_units = _acts(rng, years, _HOSPITAL_ACTS)
    chance = rng.random(code.size)
    second = np.select(
        [
            long,
            ~hospital & visiting & visits.first & (chance < 0.08),
            ~hospital & visiting & (chance < 0.28),
            hospital & (chance < 0.08),
        ],
        [_MORE_TIME, _GMF_YEAR, act, hospital_act],
        0,
    )
    units = np.where(second == act, units, np.where(second == hospital_act, hospital_units, 0))
    added = own.with_columns(
        step=pl.lit(1, pl.Int64),
        code=second,
        units=units,
        minute=pl.when(pl.lit(pl.Series(long))).then(pl.col("end")).otherwise("minute"),
        end=pl.col("end") + 15,
        ended=pl.lit(pl.Series(long)),
    )
    return added.filter(pl.col("code") > 0)


def _acts(rng: np.random.Generator, years: Ints, acts: tuple[tuple[int, int, int, int], ...]) -> tuple[Ints, Ints]:
    """An act each, the commonest by Zipf's law, 0 where the patient's age does not allow it; and its units."""
    weight = 1 / np.arange(1, len(acts) + 1)
    code, youngest, oldest, most = np.array(acts).T[:, rng.choice(len(acts), years.size, p=weight / weight.sum())]
    units = np.where(most > 0, 1 + rng.integers(0, 100, years.size) % np.maximum(most, 1), 0)
    return np.where((years >= youngest) & (years < oldest), code, 0), units


# Source: the shipped rules OFFICE_FEE_19928 and OFFICE_FEE_19929: registered patients, walk-ins.
_HALF, _FULL = (6, 10), (12, 20)


def _office_fees(days: _Days, visits: _Visits, own: pl.DataFrame) -> pl.DataFrame:
    """What the day has earned, at most 64.80: one 19929, or a 19928 for each kind of patients.

    A fee names the first patient of its kind; it has no time.
    """
    kinds = own.with_columns(walk_in=pl.lit(pl.Series(visits.walk_in)), hospital=pl.Series(days.hospital[visits.day]))
    earned = (
        kinds.filter(~pl.col("hospital"))
        .group_by("day_no", "walk_in")
        .agg(pl.len(), pl.col("visit").first())
        .with_columns(
            half=pl.col("len") >= pl.when("walk_in").then(_HALF[1]).otherwise(_HALF[0]),
            full=pl.col("len") >= pl.when("walk_in").then(_FULL[1]).otherwise(_FULL[0]),
        )
        .sort("day_no", "walk_in")
    )
    first_full = pl.col("full") & (pl.col("full").cum_sum().over("day_no") == 1)
    billed = pl.when(first_full).then(19929).when(pl.col("half") & ~pl.col("full").any().over("day_no")).then(19928)
    absent = pl.lit(None, pl.Int64)
    return (
        earned.with_columns(code=billed.cast(pl.Int64))
        .filter(pl.col("code").is_not_null())
        .select(
            "day_no",
            position=pl.lit(99, pl.Int64),
            step=pl.col("walk_in").cast(pl.Int64),
            visit="visit",
            code="code",
            minute=absent,
            end=absent,
            ended=pl.lit(False),
            units=pl.lit(0, pl.Int64),
        )
    )


def _complete(
    rng: np.random.Generator, lines: pl.DataFrame, days: _Days, visits: _Visits, doctors: pl.DataFrame
) -> pl.DataFrame:
    day, visit, code = (lines[name].to_numpy() for name in ("day_no", "visit", "code"))
    doctor, hospital = days.doctor[day], days.hospital[day]
    cents = fees_of(code, hospital) * np.maximum(lines["units"].to_numpy(), 1)
    paid = _paid_visits(rng, days, visits)[visit]
    lieu = np.where(hospital, doctors["hospital"].to_numpy()[doctor], doctors["cabinet"].to_numpy()[doctor])
    return lines.select(
        doctor=doctor,
        day=days.day[day],
        minute="minute",
        end=pl.when("ended").then("end"),
        visit="visit",
        lieu=lieu,
        sector=np.where(hospital, 1 + doctors["ward"].to_numpy()[doctor], 0),
        code="code",
        units="units",
        cents=cents,
        paid=np.where(paid, cents, 0),
        patient=visits.patient[visit],
        context=_contexts(rng, visits)[visit],
        diagnostic=diagnoses(rng, visits.day.size)[visit],
    )


def _contexts(rng: np.random.Generator, visits: _Visits) -> pl.Series:
    chance = rng.random(visits.day.size)
    walk_in = np.searchsorted([0.7, 0.9], chance)
    other = np.select([chance < 0.02, chance < 0.04, chance < 0.045], [3, 4, 5], 6)
    labels = pl.Series([*WALK_IN_CONTEXTS, "#85", "#GAP", "#85,#GMFU", None])
    return labels.gather(np.where(visits.walk_in, walk_in, other))


def diagnoses(rng: np.random.Generator, count: int) -> pl.Series:
    """Common diagnoses, absent on a third of the lines."""
    known = _DIAGNOSES.split()
    weight = 1 / np.arange(1, len(known) + 1)
    chosen = rng.choice(len(known), count, p=weight / weight.sum())
    return pl.Series([*known, None]).gather(np.where(rng.random(count) < 0.3, len(known), chosen))


def _paid_visits(rng: np.random.Generator, days: _Days, visits: _Visits) -> Flags:
    """Visits paid: most of a day that was answered, none of another.

    A day that would keep too few paid patients for the fee it earned has none refused.
    """
    refused = pl.DataFrame(
        {"day": visits.day, "walk_in": visits.walk_in, "refused": rng.random(visits.day.size) < 0.04}
    )
    refused = refused.with_columns(
        seen=pl.len().over("day", "walk_in"), paid=pl.col("refused").not_().sum().over("day", "walk_in")
    )
    short = [
        (pl.col("seen") >= least) & (pl.col("paid") < least) & (pl.col("walk_in") == walk_in)
        for walk_in in (False, True)
        for least in (_HALF[walk_in], _FULL[walk_in])
    ]
    lost = refused.select(lost=pl.any_horizontal(short).any().over("day"))["lost"].to_numpy()
    return days.answered[visits.day] & (lost | ~refused["refused"].to_numpy())  # type: ignore[no-any-return]
