import re
from collections import Counter
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from dashlib.demo import DemoSummary, share, write_demo
from dashlib.engine import find_results
from dashlib.errors import UsageError
from dashlib.exports import Export, read_export
from dashlib.records import prepare
from dashlib.rules import shipped_rules
from dashlib.starter import starter_reference

RUN_DATE = date(2025, 6, 30)
TRUTH = {"rule": pl.String, "row_number": pl.Int64, "severity": pl.String}


def found(export: Export, run_date: date = RUN_DATE) -> pl.DataFrame:
    results = find_results(prepare(export.records), shipped_rules(), starter_reference(run_date)).results
    return results.select(rule="rule_id", row_number="row_number", severity="severity").sort("row_number", "rule")


@pytest.fixture
def demo(tmp_path: Path):
    def write(rows: int, seed: int = 1, errors: float = 0.03, **how):
        how = {"run_date": RUN_DATE} | how
        summary = write_demo(tmp_path / "e.csv", rows=rows, seed=seed, errors=errors, truth=tmp_path / "t.csv", **how)
        return summary, read_export(tmp_path / "e.csv"), pl.read_csv(tmp_path / "t.csv", schema=TRUTH)

    return write


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize(("rows", "errors"), [(200, 0.03), (5_000, 0.03), (5_000, 0.1), (50_000, 0.01)])
def test_judging_finds_the_planted_results_and_no_other(demo, rows, errors, seed):
    summary, export, truth = demo(rows, seed, errors)
    assert summary.planted == round(rows * errors)
    assert summary.expected == truth.height
    assert export.records.height == rows
    assert_frame_equal(found(export), truth)


@pytest.mark.parametrize("rows", [1, 40, 5_000])
def test_without_errors_nothing_but_advice_is_found(demo, rows):
    summary, export, truth = demo(rows, errors=0)
    assert export.records.height == rows
    assert summary.planted == 0
    assert_frame_equal(found(export), truth)
    assert set(truth["rule"]) <= {
        "OPP_UNPAID_RESUBMIT",
        "OPP_PERIODIC_VISIT_DUE",
        "OPP_COMM_QUOTA_LEFT",
        "OFFICE_FEE_MISSED",
    }
    assert set(truth["severity"]) <= {"info"}


@pytest.mark.parametrize("run_date", [date(2026, 1, 5), date(2025, 10, 1), date(2024, 2, 29)])
def test_new_years_quarters_and_leap_days_change_nothing(demo, run_date):
    _, export, truth = demo(3_000, errors=0.05, run_date=run_date)
    assert_frame_equal(found(export, run_date), truth)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "windows-1252"])
@pytest.mark.parametrize("delimiter", ["semicolon", "comma", "tab"])
def test_every_delimiter_and_encoding_says_the_same(demo, delimiter, encoding):
    _, plain, _ = demo(600)
    _, export, truth = demo(600, delimiter=delimiter, encoding=encoding)
    assert_frame_equal(export.records, plain.records)
    assert_frame_equal(found(export), truth)
    assert [fault.code for fault in export.faults if fault.level == "rejected"] == []


def test_a_file_of_5000_lines_gives_535_results_of_155_rules(demo):
    summary, _, truth = demo(5_000)
    assert summary == DemoSummary(rows=5_000, doctors=6, planted=150, expected=535, rules=155, run_date=RUN_DATE)
    assert (truth.height, truth["rule"].n_unique()) == (535, 155)


def test_what_make_demo_shows_breaks_every_rule_that_a_starter_reference_can_judge(demo):
    day = date(2025, 7, 2)
    summary, export, truth = demo(50_000, seed=7, run_date=day)
    assert_frame_equal(found(export, day), truth)
    enabled = {rule.name: rule.condition.type for rule in shipped_rules() if rule.enabled}
    assert (len(enabled), summary.rules) == (336, 331)
    assert enabled.keys() - set(truth["rule"]) == {
        "OPP_AGE_70_CONSULT",
        "OPP_AGE_70_ER_UNDERBILLED",
        "OPP_AGE_70_EXAM",
        "TARIFF_CLINICAL_INTERVENTION",
        "TARIFF_ITSS_15230",
    }
    assert Counter(enabled[rule] for rule in set(truth["rule"])) == {
        "age_restriction": 27,
        "amount_limit": 26,
        "data_quality": 15,
        "duration_check": 16,
        "frequency_limit": 63,
        "location_restriction": 21,
        "mutual_exclusion": 6,
        "office_fee_validation": 2,
        "opportunity": 12,
        "prohibition": 49,
        "reference_check": 3,
        "requirement": 61,
        "tariff_check": 5,
        "time_restriction": 25,
    }


def test_most_lines_are_clean_and_some_percent_get_advice(demo):
    _, export, truth = demo(20_000)
    lines = truth.group_by("severity").agg(pl.col("row_number").n_unique() / export.records.height)
    share = dict(lines.rows())
    assert share["error"] == pytest.approx(0.017, abs=0.003)
    assert share["warning"] == pytest.approx(0.01, abs=0.003)
    assert share["info"] == pytest.approx(0.08, abs=0.01)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path):
    for name, seed in (("a", 4), ("b", 4), ("c", 5)):
        write_demo(tmp_path / name, rows=300, seed=seed, errors=0.03, run_date=RUN_DATE)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert (tmp_path / "a").read_bytes() != (tmp_path / "c").read_bytes()


def test_a_line_is_written_as_exporters_write_it(tmp_path):
    write_demo(tmp_path / "e.csv", rows=2, seed=1, errors=0, run_date=RUN_DATE, delimiter="comma")
    header, first, _ = (tmp_path / "e.csv").read_text("utf-8").splitlines()
    assert header.startswith("#,Facture,ID RAMQ,Date de Service,Début,Fin,Periode,Lieu de pratique,Secteur d'activité,")
    assert header.endswith(",Agence,Patient,Grand Total")
    assert header.count(",") == 22
    assert re.fullmatch(
        r"1,130000001,15770000003,2025-0[456]-\d\d,\d\d:\d\d,(\d\d:\d\d)?,2025\d\d,"
        r"599\d\d,Aucun Secteur,[V\d]*,15[78]\d\d,0,1,[#A-Z\d]*,"
        r'"\d+,\d\d","\d+,\d\d","1900000-10000 \| [^,]+, [^,]+ - Omnipraticien","\d+,\d\d","\d+,\d\d",2,90210,'
        r'"ZX[A-Z]{2}\d{8} - [^,]+, [^,]+"',
        first,
    )


def test_no_health_insurance_number_can_be_anybodys(demo):
    _, export, _ = demo(2_000, errors=0)
    assert export.records["patient"].str.contains(r"^ZX[B-DF-HJ-NP-TVW][A-Z](\d{8}|xxxx\d{4}) - ").all()


def test_services_are_recent_and_doctors_rest_on_holidays(demo):
    _, export, _ = demo(20_000, errors=0)
    days = export.records["date_de_service"]
    assert (days.min(), days.max()) == (date(2025, 4, 28), date(2025, 6, 27))
    assert not days.is_in([date(2025, 5, 19), date(2025, 6, 24)]).any()
    assert (days.dt.weekday() > 5).mean() < 0.03


def test_a_doctor_bills_about_a_thousand_lines_and_sees_ten_to_thirty_five_patients_a_day(demo):
    _, export, _ = demo(20_000, errors=0)
    lines = prepare(export.records)
    seen = lines.group_by("doctor", "date_de_service").agg(patients=pl.col("patient").n_unique())["patients"]
    assert 900 < lines.height / lines["doctor"].n_unique() < 1_500
    assert seen.quantile(0.01) >= 10
    assert seen.max() <= 35


def test_most_lines_of_earlier_weeks_are_paid_and_those_of_the_last_week_are_not(demo):
    _, export, _ = demo(20_000, errors=0)
    lines = prepare(export.records)
    paid = lines.group_by(week=pl.col("date_de_service").dt.truncate("1w")).agg(pl.col("is_paid").mean()).sort("week")
    assert paid["is_paid"].head(4).min() > 0.8
    assert paid["is_paid"].tail(1).item() == 0


@pytest.mark.parametrize(("text", "expected"), [("3%", 0.03), ("0.03", 0.03), ("2,5 %", 0.025), ("0", 0.0)])
def test_a_share_of_errors_is_read(text, expected):
    assert share(text) == pytest.approx(expected)


@pytest.mark.parametrize("text", ["many", "", "%"])
def test_what_is_no_share_is_refused(text):
    with pytest.raises(UsageError, match="DL-DEMO-001"):
        share(text)


@pytest.mark.parametrize(("rows", "errors"), [(0, 0.0), (10, 0.2), (10, -0.1)])
def test_what_cannot_be_made_is_refused(tmp_path, rows, errors):
    with pytest.raises(UsageError, match="DL-DEMO-001"):
        write_demo(tmp_path / "e.csv", rows=rows, seed=1, errors=errors, run_date=RUN_DATE)
    assert not (tmp_path / "e.csv").exists()
