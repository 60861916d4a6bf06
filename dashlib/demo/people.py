"""Invented names, and health insurance numbers that nobody can hold.

A NAM begins with three letters of the surname, padded with X at the end where it is shorter, and the initial of the
given name. The letters here begin with Z, X and another consonant: no surname is spelt so, and padding puts an X in
second place only where the third is an X too. Nobody's number can begin so, whatever follows; the rest is well-formed,
so that ages and formats can be judged.

Source: the RAMQ's public description of the number.
"""

import numpy as np
import polars as pl

from dashlib.demo.clinic import Dates

_SURNAMES = (
    ("Brav", "Torm", "Quél", "Vass", "Mord", "Fré", "Gauv", "Larn", "Pelt", "Sorv", "Dru", "Chav", "Zém", "Oul", "Hav"),
    ("el", "au", "in", "ou", "é", "or", "an", "ui", "ô", "ic"),
    ("dier", "mont", "lin", "rac", "ville", "quet", "sson", "reau", "gne", "bec"),
)
_GIVEN = (
    ("Mar", "Jol", "Ann", "Cé", "Fer", "Lu", "No", "Sté", "Val", "Hé"),
    ("i", "a", "é", "o", "e", "u"),
    ("line", "lde", "ric", "nan", "the", "ve", "ssa", "mie"),
)
_THIRD = "BCDFGHJKLMNPQRSTVW"
_MASKED_SHARE = 0.03


def doctors(rng: np.random.Generator, count: int) -> pl.DataFrame:
    """(doctors, 2): `text` as exported, "licence-group | name - speciality"; `unread`, the same without the licence."""
    number = pl.int_range(count)
    return pl.select(
        name=pl.format("{}, {}", _words(rng, count, _SURNAMES), _words(rng, count, _GIVEN)),
        licence=1_900_000 + number,
        group=10_000 + number * 37 % 80_000,
    ).select(
        text=pl.format("{}-{} | {} - Omnipraticien", "licence", "group", "name"),
        unread=pl.format("Dr {} - Omnipraticien", "name"),
    )


def _words(rng: np.random.Generator, count: int, parts: tuple[tuple[str, ...], ...]) -> pl.Expr:
    spoken = [pl.Series(part).gather(rng.integers(0, len(part), count)) for part in parts]
    return pl.concat_str([pl.lit(part) for part in spoken])


def patients(rng: np.random.Generator, births: Dates, women: pl.Series, *, whole_from: int) -> pl.Series:
    """Each patient's cell, NAM - SURNAME, GIVEN NAME, all different; a few before number `whole_from` are masked."""
    count = births.size
    given = pl.select(_words(rng, count, _GIVEN)).to_series()
    named = pl.DataFrame(
        {
            "surname": pl.select(_words(rng, count, _SURNAMES)).to_series().str.to_uppercase(),
            "given": given.str.to_uppercase(),
            "initial": given.str.slice(0, 1),
            "born": pl.Series(births.astype("datetime64[D]")),
            "woman": women,
        }
    )
    full = named.with_columns(birth=_birth()).with_columns(turn=pl.int_range(pl.len()).over("birth", "initial"))
    full = full.with_columns(nam=_nam(), name=pl.format("{}, {}", "surname", "given"))
    masked = pl.format("{}xxxx{}", pl.col("nam").str.slice(0, 4), pl.col("nam").str.slice(8))
    hidden = pl.Series((rng.random(count) < _MASKED_SHARE) & (np.arange(count) < whole_from))
    shown = full.with_columns(shown=pl.when(hidden).then(masked).otherwise("nam"))
    # Two masked people who look the same would be one patient: both keep their numbers.
    twins = pl.struct("shown", "name").is_duplicated()
    return shown.select(pl.format("{} - {}", pl.when(twins).then("nam").otherwise("shown"), "name")).to_series()


def _birth() -> pl.Expr:
    """YYMMDD, month + 50 for women."""
    month = pl.col("born").dt.month() + pl.when("woman").then(50).otherwise(0)
    return pl.format(
        "{}{}{}", pl.col("born").dt.strftime("%y"), month.cast(pl.String).str.zfill(2), pl.col("born").dt.strftime("%d")
    )


def _nam() -> pl.Expr:
    """Different for all who share a birth date and an initial: the 18 third letters × 100 last digits, in turn."""
    start = pl.col("birth").cast(pl.Int64) * 7
    third = pl.lit(pl.Series(list(_THIRD))).gather(((start + pl.col("turn") // 100) % len(_THIRD)).cast(pl.UInt32))
    digits = ((start + pl.col("turn") * 37) % 100).cast(pl.String).str.zfill(2)
    return pl.concat_str([pl.lit("ZX"), third, "initial", "birth", digits])
