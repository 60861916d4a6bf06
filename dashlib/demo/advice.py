"""The advice that a clinic's lines give by themselves, worked out here once more in a plain way.

Nobody plants it: a line not yet paid, a quota not used up, a visit that falls due are no faults. What needs a story
(a fee too low, a long visit, a code for another age) stands with its story.
"""

from datetime import date, timedelta

import polars as pl

ADVICE = {"rule": pl.String, "row_number": pl.Int64}

# Source: the shipped rules of the same names.
_DEADLINE = timedelta(days=90)
_QUOTAS = {15841: 13, 15842: 26, 15843: 39, 15844: 13, 15845: 26, 15846: 39}
_INTAKE = (15801, 15802, 15815, 15816, 15821, 15822, 15835, 15836)
_PERIODIC = (15819, 15820, 15839, 15840)
_PREGNANCY = (*range(15805, 15811), *range(15825, 15831))
_FULL_EXAM = (97, 98, 9119, 9120, 59, 15159)
_VULNERABLE = (15823, 15824, 15837, 15838)
_ONCE_A_YEAR = {
    "OPP_ANNUAL_ALL_UNPAID_INTAKE": _INTAKE,
    "OPP_ANNUAL_ALL_UNPAID_PERIODIC": _PERIODIC,
    "OPP_ANNUAL_ALL_UNPAID_MSK": (8775,),
}
_FEES, _REGISTERED, _WALK_IN = (19928, 19929), 6, 10

_YEAR = pl.col("day").dt.year()


def expected_advice(lines: pl.DataFrame, run_date: date) -> pl.DataFrame:
    """Advice on all lines of a file.

    Args:
        lines: (lines, columns of `Planted.lines` and row_number).

    Returns:
        (advice, 2): rule str, row_number i64.
    """
    # A doctor whose cell cannot be read is taken for another one.
    known = lines.with_columns(biller=pl.col("doctor") * 2 + pl.col("unread_doctor").fill_null(False))
    advice = {
        "OPP_UNPAID_RESUBMIT": _unpaid(known, run_date),
        "OPP_COMM_QUOTA_LEFT": _quota_left(known),
        "OPP_PERIODIC_VISIT_DUE": _periodic_due(known),
        "OFFICE_FEE_MISSED": _fee_missed(known),
        **{rule: _all_unpaid(known, codes) for rule, codes in _ONCE_A_YEAR.items()},
    }
    return pl.concat([pl.DataFrame(schema=ADVICE), *(_of(rule, rows) for rule, rows in advice.items())])


def _of(rule: str, rows: pl.DataFrame) -> pl.DataFrame:
    return rows.select(pl.lit(rule).alias("rule"), "row_number")


def _in_time(lines: pl.DataFrame) -> pl.DataFrame:
    """By day, start, and line; without a start last."""
    clock = pl.col("debut").str.extract_groups(r"^(\d\d):(\d\d)$")
    minutes = clock.struct[0].cast(pl.Int64) * 60 + clock.struct[1].cast(pl.Int64)
    start = pl.when(pl.col("debut").is_null()).then("minute").otherwise(minutes)
    return lines.with_columns(start=start).sort("day", "start", "row_number", nulls_last=True)


def _unpaid(lines: pl.DataFrame, run_date: date) -> pl.DataFrame:
    """The oldest of a doctor's unpaid lines of each code that may still be billed."""
    billable = lines.filter(pl.col("paid") == 0, pl.col("day").is_between(run_date - _DEADLINE, run_date))
    return _in_time(billable).group_by("biller", "code").agg(pl.col("row_number").first())


def _quota_left(lines: pl.DataFrame) -> pl.DataFrame:
    """A doctor's last communication of a quarter, of the highest quota billed, where it is not used up."""
    calls = _in_time(lines.filter(pl.col("code").is_in(list(_QUOTAS))))
    used = calls.group_by("biller", pl.col("day").dt.truncate("1q"), "code").agg(
        pl.len().cast(pl.Int64).alias("used"), pl.col("row_number").last()
    )
    most = pl.col("code").replace_strict(_QUOTAS, return_dtype=pl.Int64)
    highest = used.with_columns(most=most).sort("most", "code").unique(["biller", "day"], keep="last")
    return highest.filter(pl.col("used") < pl.col("most"))


def _periodic_due(lines: pl.DataFrame) -> pl.DataFrame:
    """The last visit in a year of a vulnerable patient who had no visit that stands for the yearly one."""
    visits = _in_time(lines.filter(pl.col("code").is_in(_VULNERABLE)))
    had = lines.filter(pl.col("code").is_in([*_PERIODIC, *_INTAKE, *_PREGNANCY, *_FULL_EXAM]))
    last = visits.group_by("patient", _YEAR).agg(pl.col("row_number").last())
    return last.join(had.select("patient", _YEAR), on=["patient", "day"], how="anti")


def _all_unpaid(lines: pl.DataFrame, codes: tuple[int, ...]) -> pl.DataFrame:
    """The first of several lines of a patient and year that were never paid."""
    billed = _in_time(lines.filter(pl.col("code").is_in(codes)))
    of_year = billed.group_by("patient", _YEAR).agg(
        pl.col("row_number").first(), times=pl.len(), unpaid=(pl.col("paid") == 0).all()
    )
    return of_year.filter("unpaid", pl.col("times") > 1)


def _fee_missed(lines: pl.DataFrame) -> pl.DataFrame:
    """The first visit, paid ones first, of a day in the office that earned a fee and bills none."""
    day = ["biller", "day"]
    fee = pl.col("code").is_in(_FEES)
    unbilled = lines.join(lines.filter(fee).select(day).unique(), on=day, how="anti")
    office = pl.coalesce("lieu_text", pl.col("lieu").cast(pl.String)).str.zfill(5).str.starts_with("5")
    seen = unbilled.filter(office)
    walk_in = pl.col("context").str.contains(r"\b(G160|AR)\b").fill_null(False)
    people = seen.group_by(*day, "patient").agg(walk_in=walk_in.any())
    counted = people.group_by(day).agg(walk_in=pl.col("walk_in").sum(), registered=(~pl.col("walk_in")).sum())
    earned = counted.filter((pl.col("registered") >= _REGISTERED) | (pl.col("walk_in") >= _WALK_IN))
    visits = _in_time(seen.join(earned, on=day, how="semi")).sort(pl.col("paid") <= 0, maintain_order=True)
    return visits.group_by(day).agg(pl.col("row_number").first())
