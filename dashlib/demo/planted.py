"""Chooses stories of `demo.cases`, gives each a doctor, a day and patients, and tells it in lines."""

from dataclasses import asdict, dataclass
from datetime import date

import numpy as np
import polars as pl

from dashlib.demo.cases import CASES, Needs
from dashlib.demo.clinic import EVENING, Clinic, Dates, diagnoses, of_roster
from dashlib.demo.fees import fees_of

_STORIES_AN_EVENING = 5  # of an hour each, until 23:30
_MORNING = 9 * 60
_DAYS_OFF = 6  # stories that need a day off, for each doctor
_STAY_DAYS = 6  # a later day of the same stay
_SHORT, _SMALL_FILE = 4, 5_000  # stories of more lines are left out of files of fewer
_NONE_PAID, _KEPT_PAID, _ALL_PAID = 0, 1, 2
_FIRST_UNKNOWN, _UNKNOWN = 90_000, 9_999  # no shipped rule names a code that begins with 9

# Age on the day of the story: at least, and less than, in days.
_AGES = {
    "adult": (11_000, 21_000),
    "woman": (9_500, 14_000),
    "child": (800, 1_700),
    "teen": (5_300, 6_300),
    "newborn": (0, 1),
}


@dataclass(frozen=True)
class Planted:
    """Stories told.

    `lines`: columns of `Clinic.lines`, with patients and visits numbered from 0, the cells of `cases.Line` that differ
    (role, debut, fin, lieu_text, period_weeks, spoiled_nam, unread_doctor), and rule and severity, null but on lines
    in error. `births`, `women`: of each patient. `newcomers`: how many doctors beyond the clinic's.
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
    """Stories that need a day off give way to short ones of an evening once days off are used up."""
    apart = np.isin(chosen, [n for n, case in enumerate(CASES) if case.needs == "day_off"])
    too_many = apart & (np.cumsum(apart) > _DAYS_OFF * doctors)
    common = [n for n, case in enumerate(CASES) if case.needs == "evening" and len(case.lines) <= 2]
    return [int(n) for n in np.where(too_many, rng.choice(common, chosen.size), chosen)]


def lines_of(stories: list[int]) -> int:
    """How many lines these stories take."""
    return sum(len(CASES[n].lines) for n in stories)


def lacking(stories: list[int], clinic: Clinic) -> frozenset[Needs]:
    """Kinds of day that these stories need and the clinic has not: a file of few lines may hold one day only."""
    pools = _pools(clinic)
    return frozenset(needs for needs in {CASES[n].needs for n in stories} if pools[needs].is_empty())


def plant(rng: np.random.Generator, stories: list[int], clinic: Clinic, *, run_date: date) -> Planted:
    """Tells the stories on days of the clinic."""
    told = pl.DataFrame({"story": stories}, schema={"story": pl.Int64}).with_row_index("number")
    told = told.join(_stories(), on="story", how="left", maintain_order="left")
    placed = _placed(rng, told, clinic)
    lines = placed.join(_cells(), on="story", how="inner", maintain_order="left")
    births, women = _people(rng, placed)
    newcomers = int((placed["needs"] == "newcomer").sum())
    return Planted(_told(rng, _dated(lines, run_date), clinic), births, women, newcomers)


def _stories() -> pl.DataFrame:
    return pl.DataFrame(
        [
            {
                "story": n,
                "needs": case.needs,
                "kind": case.patient,
                "people": 1 + max(line.who for line in case.lines),
                "untimed": all(line.lasts is None for line in case.lines),
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
            "rule": case.rule if line.reported else None,
            "severity": case.severity if line.reported else None,
            "unknown": case.unknown_code,
        }
        for n, case in enumerate(CASES)
        for step, line in enumerate(case.lines)
    ]
    return pl.DataFrame(rows, infer_schema_length=None).rename({"lieu": "lieu_text", "paid": "was_paid"})


def _placed(rng: np.random.Generator, told: pl.DataFrame, clinic: Clinic) -> pl.DataFrame:
    """Stories with a doctor and a day that suit them, the minute at which they begin, and who was paid."""
    pools = {needs: _shuffled(rng, pool) for needs, pool in _pools(clinic).items()}
    placed = pl.concat([_on(told.filter(pl.col("needs") == needs), pool) for needs, pool in pools.items()])
    apart, newcomer = pl.col("needs").is_in(["day_off", "newcomer"]), pl.col("needs") == "newcomer"
    placed = placed.sort("number").with_columns(
        apart=apart,
        first_patient=pl.col("people").cum_sum() - pl.col("people"),
        payment=pl.Series(rng.integers(_NONE_PAID, _ALL_PAID, placed.height, endpoint=True)),
        doctor=pl.when(newcomer).then(clinic.doctors.height + newcomer.cum_sum() - 1).otherwise("doctor"),
    )
    # Timed services must not overlap, so they have the first hours; of the others any number may fall together.
    turn = pl.int_range(pl.len()).over("doctor", "day", "apart", order_by=["untimed", "number"]) % _STORIES_AN_EVENING
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
    days = clinic.days.sort("doctor", "day").with_columns(
        earlier=pl.col("day").shift(1).over("doctor"), earlier_answered=pl.col("answered").shift(1).over("doctor")
    )
    followed = days.filter(pl.col("earlier").dt.truncate("1q") == pl.col("day").dt.truncate("1q"))
    off = clinic.off.select(
        "doctor", "day", answered=True, earlier=pl.lit(None, pl.Date), earlier_answered=pl.lit(None, pl.Boolean)
    )
    return {
        "evening": days.with_columns(earlier_answered=pl.lit(None, pl.Boolean)),
        "earlier": followed,
        "earlier_week": followed.filter((pl.col("day") - pl.col("earlier")).dt.total_days() <= _STAY_DAYS),
        "earlier_paid": followed.filter(pl.col("answered") & pl.col("earlier_answered")),
        "day_off": off,
        "newcomer": off,
    }


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
        # A year and more before, so that no two services fall into one calendar year.
        "old": pl.col("day") - pl.duration(days=366 + number % 30),
        "future": run + pl.duration(days=1 + number % 20),
        "late": run - pl.duration(days=91 + number % 40),
        "soon_late": run - pl.duration(days=76 + number % 15),
    }
    dated = pl.col("day")
    for when, day in days.items():
        dated = pl.when(pl.col("when") == when).then(day).otherwise(dated)
    return lines.with_columns(day=dated)


def _people(rng: np.random.Generator, placed: pl.DataFrame) -> tuple[Dates, pl.Series]:
    people = placed.select(pl.col("kind", "day").repeat_by("people")).explode("kind", "day")
    bounds = pl.DataFrame([(k, *v) for k, v in _AGES.items()], schema=["kind", "least", "most"], orient="row")
    aged = people.join(bounds, on="kind", how="left", maintain_order="left")
    days = rng.integers(aged["least"].to_numpy(), aged["most"].to_numpy())
    births = aged["day"].to_numpy().astype("datetime64[D]") - days.astype("timedelta64[D]")
    return births, (people["kind"] == "woman") | pl.Series(rng.random(people.height) < 0.5)


def _told(rng: np.random.Generator, lines: pl.DataFrame, clinic: Clinic) -> pl.DataFrame:
    """Lines as the clinic bills them, with the cells that the story changes."""
    doctor = lines["doctor"].to_numpy() % clinic.doctors.height
    large, cabinet, hospital = (clinic.doctors[name].to_numpy()[doctor] for name in ("large", "cabinet", "hospital"))
    code, away = lines["code"].to_numpy(), lines["at_hospital"].to_numpy()
    unknown = (
        _FIRST_UNKNOWN + lines.select(pl.col("number").rank("dense").over("unknown"))["number"].to_numpy() % _UNKNOWN
    )
    code = np.where(lines["unknown"].to_numpy(), unknown, code + (large & of_roster(code)))
    cents = fees_of(code, away) * np.maximum(lines["units"].to_numpy(), 1) * lines["sign"].to_numpy()
    kept = (pl.col("payment") == _KEPT_PAID) & pl.col("rule").is_null()
    paid = pl.coalesce("was_paid", kept | (pl.col("payment") == _ALL_PAID))
    minute = pl.when("timed").then(pl.col("begins") + pl.col("at"))
    return lines.select(
        "doctor",
        "day",
        "step",
        minute=minute,
        end=minute + pl.col("lasts"),
        visit=pl.struct(pl.col("first_patient") + pl.col("who"), "day").rank("dense").cast(pl.Int64) - 1,
        lieu=np.where(away, hospital, cabinet),
        sector=pl.lit(0, pl.Int64),
        code=code,
        units="units",
        cents=cents,
        paid=pl.when(paid).then(pl.Series(cents)).otherwise(0),
        patient=pl.col("first_patient") + pl.col("who"),
        context="context",
        diagnostic=pl.coalesce("diagnostic", pl.Series(diagnoses(rng, lines.height))),
        role="role",
        debut="debut",
        fin="fin",
        lieu_text="lieu_text",
        period_weeks="period_weeks",
        spoiled_nam="spoiled_nam",
        unread_doctor="unread_doctor",
        rule="rule",
        severity="severity",
    )
