"""What each data quality check asks of a line by itself: cards, dates, times, amounts."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import polars as pl

from dashlib.rules.base import AGE_MONTHS, EVERY_CODE, Reference, has_code

if TYPE_CHECKING:
    from dashlib.rules.quality import DataQuality


@dataclass(frozen=True)
class Check:
    """What one rule asks of a line: when it is `broken`, when it cannot be judged, and what to tell of it."""

    broken: pl.Expr
    unknown: pl.Expr = field(default_factory=lambda: pl.lit(False))
    facts: dict[str, pl.Expr] = field(default_factory=dict)


DIAGNOSIS = r"^[A-Z]?[0-9]{3,5}$"

_DATE = pl.col("date_de_service")
_NAM = pl.col("nam").fill_null("")
# Four letters, a day that exists (month + 50 for women) and two digits.
_WELL_FORMED = pl.col("born_month").is_not_null()
_MASKED = pl.col("is_masked").fill_null(False)


def _nam_format(rule: "DataQuality", ref: Reference) -> Check:
    codes = rule.allow_empty_codes or frozenset()
    without_card = pl.lit(True) if EVERY_CODE in codes else has_code(codes)
    masked = pl.lit(False) if rule.allow_masked is False else _MASKED
    return Check(~_WELL_FORMED & ~((_NAM == "") & without_card), unknown=masked)


def _nam_checksum(rule: "DataQuality", ref: Reference) -> Check:
    """The check digit of a public third-party implementation: RAMQ publishes none, so the rule ships disabled."""
    # A is 01 and S is 20: the table leaves 19 out.
    places = {letter: f"{n + (n > 18):02}" for n, letter in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZ", 1)}
    letters = _NAM.str.slice(0, 4).str.replace_many(places)
    year, month = (_NAM.str.slice(at, 2).cast(pl.Int32, strict=False) for at in (4, 6))
    years_if_young = _DATE.dt.year() - 2000 - year
    young = years_if_young >= AGE_MONTHS // 12
    born = pl.format(
        "{}{}{}{}",
        pl.when(young).then(pl.lit("20")).otherwise(pl.lit("19")),
        _NAM.str.slice(4, 2),
        pl.when(month > 50).then(month - 50).otherwise(month).cast(pl.String).str.zfill(2),
        _NAM.str.slice(8, 2),
    )
    digits = pl.concat_str(letters, born, _NAM.str.slice(10, 1))
    weighed = [
        digits.str.slice(at, 1).cast(pl.Int64, strict=False) * int(w) for at, w in enumerate("71139739531357691")
    ]
    wrong = pl.sum_horizontal(weighed) % 10 != _NAM.str.slice(11, 1).cast(pl.Int64, strict=False)
    masked = pl.lit(rule.skip_masked is False) & _MASKED
    return Check(masked | wrong, unknown=AGE_MONTHS.is_null() & ~masked)


def _date_missing(rule: "DataQuality", ref: Reference) -> Check:
    return Check(_DATE.is_null())


def _future_date(rule: "DataQuality", ref: Reference) -> Check:
    return Check(pl.lit(ref.run_date) < _DATE, unknown=_DATE.is_null())


def _before_birth(rule: "DataQuality", ref: Reference) -> Check:
    """A card's year has no century: the service came before the birth when neither century makes an age."""
    return Check(AGE_MONTHS.is_null(), unknown=_DATE.is_null() | ~_WELL_FORMED)


def _late_billing(rule: "DataQuality", ref: Reference) -> Check:
    days = (pl.lit(ref.run_date) - _DATE).dt.total_days()
    late = days > rule.days
    if rule.max_days is not None:
        late = late & (days <= rule.max_days)
    return Check(late & ~pl.col("is_paid"), _DATE.is_null(), {"days": days, "max": pl.lit(rule.days, pl.Int64)})


def _end_before_start(rule: "DataQuality", ref: Reference) -> Check:
    """An end before the start is the next day's, when the service would then last no longer than a night."""
    longest = (
        0
        if rule.allow_midnight is False
        else 60 * (12 if rule.max_overnight_hours is None else rule.max_overnight_hours)
    )
    minutes = pl.col("fin_min") - pl.col("debut_min")
    return Check((minutes < 0) & (minutes + 1440 > longest), unknown=minutes.is_null())


def _negative_amount(rule: "DataQuality", ref: Reference) -> Check:
    amounts = [pl.col("prel_cents"), pl.col("paid_cents")]
    return Check(pl.min_horizontal(amounts) < 0, unknown=pl.all_horizontal(a.is_null() for a in amounts))


def _paid_above_preliminary(rule: "DataQuality", ref: Reference) -> Check:
    excess = pl.col("paid_cents") - pl.col("prel_cents")
    return Check(excess > 0, unknown=excess.is_null())


def _zero_preliminary(rule: "DataQuality", ref: Reference) -> Check:
    return Check(pl.col("prel_cents") == 0, unknown=pl.col("prel_cents").is_null())


def _role_invalid(rule: "DataQuality", ref: Reference) -> Check:
    role = pl.col("role")
    return Check(~role.is_in(sorted(rule.allowed or ("1", "2", "3"))), role.is_null(), {"value": role})


def _period_before_service(rule: "DataQuality", ref: Reference) -> Check:
    """Weeks are ISO weeks: 31 December can lie in the first week of the next year."""
    period = pl.col("period_no")
    week = _DATE.dt.iso_year() * 100 + _DATE.dt.week()
    return Check(period < week, period.is_null() | _DATE.is_null(), {"value": pl.col("periode")})


def _time_format(rule: "DataQuality", ref: Reference) -> Check:
    unread = [pl.when(pl.col(f"{time}_min").is_null()).then(time) for time in ("debut", "fin")]
    return Check(
        pl.any_horizontal(time.is_not_null() for time in unread),
        unknown=pl.col("debut").is_null() & pl.col("fin").is_null(),
        facts={"value": pl.coalesce(unread)},
    )


def _midnight_placeholder(rule: "DataQuality", ref: Reference) -> Check:
    return Check(pl.col("debut_min") == 0, unknown=pl.col("debut_min").is_null())


def _diagnosis_format(rule: "DataQuality", ref: Reference) -> Check:
    diagnosis = pl.col("diagnostic")
    return Check(~diagnosis.str.contains(rule.pattern or DIAGNOSIS), diagnosis.is_null(), {"value": diagnosis})


def _doctor_unparsed(rule: "DataQuality", ref: Reference) -> Check:
    return Check(~pl.col("is_licence"), unknown=pl.col("doctor").is_null())


CHECKS: dict[str, Callable[["DataQuality", Reference], Check]] = {
    "nam_format": _nam_format,
    "nam_checksum": _nam_checksum,
    "date_missing": _date_missing,
    "future_date": _future_date,
    "before_birth": _before_birth,
    "late_billing": _late_billing,
    "end_before_start": _end_before_start,
    "negative_amount": _negative_amount,
    "paid_above_preliminary": _paid_above_preliminary,
    "zero_preliminary": _zero_preliminary,
    "role_invalid": _role_invalid,
    "period_before_service": _period_before_service,
    "time_format": _time_format,
    "midnight_placeholder": _midnight_placeholder,
    "diagnosis_format": _diagnosis_format,
    "doctor_unparsed": _doctor_unparsed,
}
