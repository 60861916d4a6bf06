"""Chooses stories of `demo.cases`, gives each a doctor, a day and patients, and tells it in lines."""

from collections import Counter
from dataclasses import asdict, dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl

from dashlib.demo.cases import CASES, Needs
from dashlib.demo.clinic import EVENING, FIRST_DAY, SECTORS, Clinic, Dates, Flags, Ints, diagnoses, of_roster
from dashlib.demo.fees import fees_of

_STORIES_AN_EVENING = 5  # of an hour each, until 23:30
_MORNING = 9 * 60
# Days not worked are few: so many stories on them, for each doctor.
_DAYS_OFF: dict[Needs, int] = {"day_off": 6, "weekend": 4, "holiday": 1}
# No two stories of these kinds meet on a doctor's day.
_ALONE: tuple[Needs, ...] = ("hour", "day_off", "weekend", "holiday")
_APART: tuple[Needs, ...] = ("day_off", "weekend", "holiday", "newcomer")  # they have the day for themselves
_HALF_FEE = 19928
_STAY_DAYS = 6  # a later day of the same stay
_SHORT, _SMALL_FILE = 4, 5_000  # stories of more lines are left out of files of fewer
_NONE_PAID, _KEPT_PAID, _ALL_PAID = 0, 1, 2
_SHORT_PAID = 5_00  # cents that are not paid
_FIRST_UNKNOWN, _UNKNOWN = 90_000, 9_999  # no shipped rule names a code that begins with 9
_OWN_HOSPITAL, _OWN_CABINET, _OWN_PLACES = 8_000, 58_000, 1_900  # below those of the clinic's doctors

# Age on the day of the line that is reported: at least, and less than, in days.
_AGES = {
    "newborn": (0, 1),
    "three_days_old": (3, 4),
    "week_old": (5, 9),
    "infant": (100, 600),
    "child": (800, 1_700),
    "pupil": (2_600, 3_600),
    "teen": (5_300, 6_300),
    "woman": (9_500, 14_000),
    "adult": (11_000, 21_000),
    "seventies": (25_700, 29_000),
    "eighties": (29_400, 33_500),
}

_EMERGENCY = SECTORS.index("Clinique d'urgence")
_TOLD = (
    *("doctor", "day", "step", "minute", "end", "visit", "lieu", "sector", "code", "units", "cents", "paid", "patient"),
    *("context", "diagnostic", "role", "debut", "fin", "lieu_text", "period_weeks", "spoiled_nam", "unread_doctor"),
    "found",
)


@dataclass(frozen=True)
class Planted:
    """Stories told.

    `lines`: columns of `Clinic.lines`, with patients and visits numbered from 0, the cells of `story.Line` that differ
    (role, debut, fin, lieu_text, period_weeks, spoiled_nam, unread_doctor), and `found`, the rules that report the line
    by its story, each with its severity, null for the rule's own. `births`, `women`: of each patient. `newcomers`: how
    many doctors beyond the clinic's.
    """

    lines: pl.DataFrame
    births: Dates
    women: pl.Series
    newcomers: int


def choose_stories(rng: np.random.Generator, *, rows: int, errors: float, without: frozenset[Needs]) -> list[int]:
    """Numbers of CASES, one for each error: every story once, in any order, then by weight.

    None that needs a kind of day of `without`.
    """
    wanted = round(rows * errors)
    suited = [n for n, case in enumerate(CASES) if case.needs not in without]
    allowed = [n for n in suited if len(CASES[n].lines) <= _SHORT or rows >= _SMALL_FILE]
    weight = np.array([CASES[n].weight for n in allowed], dtype=np.float64)
    once = rng.permutation(allowed)[:wanted]
    chosen = np.concatenate([once, rng.choice(allowed, wanted - once.size, p=weight / weight.sum())])
    return _within_days_off(rng, chosen, 1 + rows // 1_500)


def _within_days_off(
    rng: np.random.Generator, chosen: np.ndarray[tuple[int], np.dtype[np.int64]], doctors: int
) -> list[int]:
    """Stories that need a day not worked give way to short ones of an evening once such days are used up."""
    common = [n for n, case in enumerate(CASES) if case.needs == "evening" and len(case.lines) <= 2]
    weight = np.array([CASES[n].weight for n in common], dtype=np.float64)
    instead = rng.choice(common, chosen.size, p=weight / weight.sum())
    for needs, days in _DAYS_OFF.items():
        such = np.isin(chosen, [n for n, case in enumerate(CASES) if case.needs == needs])
        chosen = np.where(such & (np.cumsum(such) > days * doctors), instead, chosen)
    return [int(n) for n in chosen]


def lines_of(stories: list[int]) -> int:
    """How many lines these stories take."""
    return sum(len(CASES[n].lines) for n in stories)


def lacking(stories: list[int], clinic: Clinic) -> frozenset[Needs]:
    """Kinds of day that these stories need and the clinic has not: a file of few lines may hold one day only."""
    pools, wanted = _pools(clinic), Counter(CASES[n].needs for n in stories)
    least = {needs: count if needs in _ALONE else 1 for needs, count in wanted.items()}
    return frozenset(needs for needs, days in least.items() if pools[needs].height < days)


def plant(rng: np.random.Generator, stories: list[int], clinic: Clinic, *, run_date: date) -> Planted:
    """Tells the stories on days of the clinic."""
    told = pl.DataFrame({"story": stories}, schema={"story": pl.Int64}).with_row_index("number")
    told = told.join(_stories(), on="story", how="left", maintain_order="left")
    placed = _placed(rng, told, clinic)
    lines = _dated(placed.join(_cells(), on="story", how="inner", maintain_order="left"), run_date)
    births, women = _people(rng, placed, lines)
    newcomers = int((placed["needs"] == "newcomer").sum())
    return Planted(_told(rng, lines, clinic), births, women, newcomers)


def _stories() -> pl.DataFrame:
    return pl.DataFrame(
        [
            {
                "story": n,
                "needs": case.needs,
                "kind": case.patient,
                "people": 1 + max(line.who for line in case.lines),
            }
            for n, case in enumerate(CASES)
        ]
    )


def _cells() -> pl.DataFrame:
    rows = [
        {
            **asdict(line),
            "story": n,
            "step": step,
            "unknown": case.unknown_code,
            "found": [
                *([{"rule": case.rule, "severity": case.severity}] if line.reported else []),
                *({"rule": rule, "severity": None} for rule in line.also),
            ],
        }
        for n, case in enumerate(CASES)
        for step, line in enumerate(case.lines)
    ]
    renamed = {"lieu": "lieu_text", "paid": "was_paid", "cents": "own_cents"}
    return pl.DataFrame(rows, infer_schema_length=None).rename(renamed)


def _placed(rng: np.random.Generator, told: pl.DataFrame, clinic: Clinic) -> pl.DataFrame:
    """Stories with a doctor and a day that suit them, the minute at which they begin, and who was paid."""
    pools = {needs: _shuffled(rng, pool) for needs, pool in _pools(clinic).items()}
    placed = pl.concat([_on(told.filter(pl.col("needs") == needs), pool) for needs, pool in pools.items()])
    apart, newcomer = pl.col("needs").is_in(_APART), pl.col("needs") == "newcomer"
    placed = placed.sort("number").with_columns(
        apart=apart,
        first_patient=pl.col("people").cum_sum() - pl.col("people"),
        payment=pl.Series(rng.integers(_NONE_PAID, _ALL_PAID, placed.height, endpoint=True)),
        doctor=pl.when(newcomer).then(clinic.doctors.height + newcomer.cum_sum() - 1).otherwise("doctor"),
    )
    turn = pl.int_range(pl.len()).over("doctor", "day", "apart", order_by="number") % _STORIES_AN_EVENING
    # A paid line would turn its day into one that was answered, whose fee then lacks paid patients.
    answered = apart | (pl.col("answered") & pl.col("earlier_answered").fill_null(True))
    some = (
        pl.when(pl.col("needs") == "earlier_paid").then(pl.max_horizontal("payment", _KEPT_PAID)).otherwise("payment")
    )
    return placed.with_columns(
        begins=pl.when(apart).then(_MORNING).otherwise(EVENING + 60 * turn),
        payment=pl.when(answered).then(some).otherwise(_NONE_PAID),
    )


def _pools(clinic: Clinic) -> dict[Needs, pl.DataFrame]:
    """Doctors' days by what a story needs; `earlier` is the doctor's working day before, in the same quarter."""
    half = clinic.lines.filter(pl.col("code") == _HALF_FEE).select("doctor", "day").unique()
    # One more patient could bring such a day to a higher fee, or to a second one.
    days = clinic.days.join(half, on=["doctor", "day"], how="anti").sort("doctor", "day")
    days = days.with_columns(
        earlier=pl.col("day").shift(1).over("doctor"), earlier_answered=pl.col("answered").shift(1).over("doctor")
    )
    followed = days.filter(pl.col("earlier").dt.truncate("1q") == pl.col("day").dt.truncate("1q"))
    evening = days.with_columns(earlier_answered=pl.lit(None, pl.Boolean))
    off = clinic.off.with_columns(
        answered=True, earlier=pl.lit(None, pl.Date), earlier_answered=pl.lit(None, pl.Boolean)
    )
    from_monday = pl.col("day").dt.weekday() <= 5
    large = clinic.doctors.with_row_index("doctor").filter("large").select(pl.col("doctor").cast(pl.Int64))
    pools: dict[Needs, pl.DataFrame] = {
        "evening": evening,
        "hour": evening,
        "large": evening.join(large, on="doctor", how="semi", maintain_order="left"),
        "weekday": evening.filter(from_monday),
        "earlier": followed,
        "earlier_week": followed.filter((pl.col("day") - pl.col("earlier")).dt.total_days() <= _STAY_DAYS),
        "earlier_paid": followed.filter(pl.col("answered") & pl.col("earlier_answered")),
        "day_off": off.filter(from_monday & ~pl.col("holiday")),
        "weekend": off.filter(~from_monday & ~pl.col("holiday")),
        "holiday": off.filter(from_monday & pl.col("holiday")),
        "newcomer": off.filter(~pl.col("holiday")),
    }
    columns = ("doctor", "day", "answered", "earlier", "earlier_answered")
    return {needs: pool.select(columns) for needs, pool in pools.items()}


def _shuffled(rng: np.random.Generator, pool: pl.DataFrame) -> pl.DataFrame:
    """In random order, weekends last."""
    return pool[rng.permutation(pool.height)].sort(pl.col("day").dt.weekday() > 5, maintain_order=True)


def _on(told: pl.DataFrame, pool: pl.DataFrame) -> pl.DataFrame:
    """Each story on a day of `pool`, every day once before any day twice."""
    return told.hstack(pool[np.arange(told.height) % max(pool.height, 1)])


def _dated(lines: pl.DataFrame, run_date: date) -> pl.DataFrame:
    number, run = pl.col("number").cast(pl.Int64), pl.lit(run_date)
    days = {
        "earlier": pl.col("earlier"),
        "future": run + pl.duration(days=1 + number % 20),
        "late": run - pl.duration(days=91 + number % 40),
        "soon_late": run - pl.duration(days=76 + number % 15),
    }
    dated = pl.col("day")
    for when, day in days.items():
        dated = pl.when(pl.col("when") == when).then(day).otherwise(dated)
    ago = pl.lit(_long_ago(run_date)) + pl.duration(weeks=number % 8, days=-pl.col("ago"))
    return lines.with_columns(day=pl.coalesce(ago, dated))


def _long_ago(run_date: date) -> date:
    """A Thursday in the middle of the year before: no day of the clinic's is of that calendar year."""
    middle = date((run_date - timedelta(days=FIRST_DAY)).year - 1, 6, 11)
    return middle + timedelta(days=(3 - middle.weekday()) % 7)


def _people(rng: np.random.Generator, placed: pl.DataFrame, lines: pl.DataFrame) -> tuple[Dates, pl.Series]:
    told = lines.sort("reported", maintain_order=True).group_by("number").agg(told=pl.col("day").last())
    of_story = placed.join(told, on="number", how="left", maintain_order="left")
    people = of_story.select(pl.col("kind", "told").repeat_by("people")).explode("kind", "told")
    bounds = pl.DataFrame([(k, *v) for k, v in _AGES.items()], schema=["kind", "least", "most"], orient="row")
    aged = people.join(bounds, on="kind", how="left", maintain_order="left")
    days = rng.integers(aged["least"].to_numpy(), aged["most"].to_numpy())
    births = aged["told"].to_numpy().astype("datetime64[D]") - days.astype("timedelta64[D]")
    return births, (people["kind"] == "woman") | pl.Series(rng.random(people.height) < 0.5)


def _told(rng: np.random.Generator, lines: pl.DataFrame, clinic: Clinic) -> pl.DataFrame:
    """Lines as the clinic bills them, with the cells that the story changes."""
    doctor = lines["doctor"].to_numpy() % clinic.doctors.height
    large, cabinet, hospital = (clinic.doctors[name].to_numpy()[doctor] for name in ("large", "cabinet", "hospital"))
    away = lines["at_hospital"].to_numpy()
    code = _codes(lines, large)
    cents = fees_of(code, away) * np.maximum(lines["units"].to_numpy(), 1) * lines["sign"].to_numpy()
    kept = (pl.col("payment") == _KEPT_PAID) & ~pl.col("reported")
    paid = pl.coalesce("was_paid", kept | (pl.col("payment") == _ALL_PAID))
    return (
        lines.with_columns(
            patient=pl.col("first_patient") + pl.col("who"),
            minute=pl.when("timed").then(pl.coalesce(_clock(), pl.col("begins") + pl.col("at"))),
            cents=pl.coalesce("own_cents", pl.Series(cents)),
        )
        .with_columns(
            end=pl.col("minute") + pl.col("lasts"),
            visit=pl.struct("patient", "day").rank("dense").cast(pl.Int64) - 1,
            lieu=np.where(away, hospital, cabinet),
            lieu_text=pl.coalesce("lieu_text", _own_place()),
            sector=pl.when("emergency").then(_EMERGENCY).otherwise(0).cast(pl.Int64),
            code=code,
            paid=pl.when(paid).then(pl.col("cents") - pl.col("short") * _SHORT_PAID).otherwise(0),
            diagnostic=pl.coalesce("diagnostic", pl.Series(diagnoses(rng, lines.height))),
        )
        .select(_TOLD)
    )


def _codes(lines: pl.DataFrame, large: Flags) -> Ints:
    unknown = lines.select(pl.col("number").rank("dense").over("unknown")).to_series().to_numpy() % _UNKNOWN
    code = lines["code"].to_numpy()
    large_code = code + ((large ^ lines["other_size"].to_numpy()) & of_roster(code))
    return np.where(lines["unknown"].to_numpy(), _FIRST_UNKNOWN + unknown, large_code)


def _clock() -> pl.Expr:
    """Minutes after midnight that HH:MM says."""
    return pl.col("clock").str.slice(0, 2).cast(pl.Int64) * 60 + pl.col("clock").str.slice(3).cast(pl.Int64)


def _own_place() -> pl.Expr:
    first = pl.when("at_hospital").then(_OWN_HOSPITAL).otherwise(_OWN_CABINET)
    number = (first + pl.col("number") % _OWN_PLACES).cast(pl.String).str.zfill(5)
    return pl.when("own_place").then(number)
