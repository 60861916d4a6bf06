from datetime import date, timedelta
from decimal import Decimal
from threading import Thread

import polars as pl
import pytest
import sqlalchemy as sa

from dashlib import acknowledgements, metrics
from dashlib.database import downgrade, migrate
from dashlib.demo import write_demo
from dashlib.metrics import Scope
from dashlib.recounting import recount_expired
from dashlib.runs import find_run
from dashlib.validation import validate_file
from tests import seed
from tests.exports import export, line

pytestmark = pytest.mark.database

JULY_2 = date(2025, 7, 2)
EVER = Scope(date(2020, 1, 1), date(2030, 12, 31))
LINES_IN_FORCE = """
    WITH held AS (SELECT * FROM (
      SELECT b.*, r.number, rank() OVER (
        PARTITION BY coalesce(b.doctor, ''), b.date_de_service ORDER BY r.number DESC) AS nth
      FROM billing_records b JOIN validation_runs r ON r.id = b.validation_run_id AND r.status = 'completed'
    ) AS ranked WHERE nth = 1)"""
BY_DAY = """
    SELECT h.date_de_service, count(DISTINCT (h.validation_run_id, h.row_number)),
      count(DISTINCT (h.validation_run_id, h.row_number)) FILTER (WHERE e.row_number IS NOT NULL),
      coalesce(sum(e.at_risk), 0), coalesce(sum(e.to_repay), 0)
    FROM held h LEFT JOIN (
      SELECT validation_run_id, row_number, max(at_risk) AS at_risk, max(to_repay) AS to_repay
      FROM validation_results WHERE severity = 'error' GROUP BY 1, 2
    ) AS e USING (validation_run_id, row_number)
    GROUP BY 1 ORDER BY 1"""
BY_RULE = """
    SELECT r.rule_id, r.severity, count(*), count(DISTINCT (r.validation_run_id, r.row_number)),
      min(h.date_de_service) FILTER (WHERE r.at_risk > 0)
    FROM validation_results r JOIN held h USING (validation_run_id, row_number) GROUP BY 1, 2 ORDER BY 1, 2"""
BY_DOCTOR_DAY = """
    SELECT date_de_service, count(DISTINCT patient) AS patients FROM held GROUP BY date_de_service, doctor ORDER BY 1, 2"""
MONEY_OF_ONE_RULE = """
    SELECT coalesce(sum(at_risk), 0), coalesce(sum(to_repay), 0) FROM (
      SELECT max(r.at_risk) AS at_risk, max(r.to_repay) AS to_repay
      FROM validation_results r JOIN held h USING (validation_run_id, row_number)
      WHERE r.rule_id = 'ANNUAL_PERIODIC_VISIT' GROUP BY r.validation_run_id, r.row_number
    ) AS of_line"""


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    path = tmp_path_factory.mktemp("demo") / "demo.csv"
    write_demo(path, rows=3_000, seed=11, errors=0.05, run_date=JULY_2)
    return path


@pytest.fixture
def two_exports(wb, demo, tmp_path):
    """A whole month, then its last days again with every second line of them left out."""
    header, *lines = demo.read_text("utf-8-sig").splitlines()
    late = [written for written in lines if ";2025-06-2" in written][::2]
    second = tmp_path / "second.csv"
    second.write_text("\n".join((header, *late, "")), "utf-8")
    return [validate_file(wb, path, run_date=JULY_2) for path in (demo, second)]


@pytest.fixture
def one_day(wb, tmp_path):
    """Three lines of one doctor's day, the second without a diagnosis that can be read."""
    path = tmp_path / "day.csv"
    twice = [line(facture=f"90000000{n}", ramq=f"7000000000{n}", date="2025-07-09", debut="") for n in (1, 2)]
    path.write_text(export(line(date="2025-06-30"), *twice), "utf-8")
    return find_run(wb, validate_file(wb, path, run_date=JULY_2))


def rows(wb, *statement):
    with wb.database.connect() as connection:
        return [tuple(row) for row in connection.execute(sa.text(" ".join(statement)))]


def stored(wb):
    tables = ("rollup_weeks", "rollup_rule_spans", "rollup_dates")
    kept = "SELECT validation_run_id, date_de_service, doctor FROM rollup_doctor_days WHERE in_force"
    return [sorted(map(str, rows(wb, statement))) for statement in (*(f"TABLE {table}" for table in tables), kept)]


def figures(wb, scope=EVER):
    days = metrics.error_days(wb, scope)
    return days.select(pl.col("lines", "lines_in_error", "clean_invoices", "at_risk").sum()).row(0)


def test_the_figures_of_overlapping_exports_are_those_of_their_lines_and_results(wb, two_exports):
    june = Scope(date(2025, 6, 1), date(2025, 6, 30))
    by_day = [row for row in rows(wb, LINES_IN_FORCE, BY_DAY) if june.since <= row[0] <= june.until]
    assert (
        metrics.error_days(wb, june).select("date_de_service", "lines", "lines_in_error", "at_risk", "to_repay").rows()
        == by_day
    )
    assert sum(row[1] for row in rows(wb, LINES_IN_FORCE, BY_DAY)) < 3_000


def test_the_figures_of_a_long_period_are_the_sums_of_its_days(wb, two_exports):
    by_day = rows(wb, LINES_IN_FORCE, BY_DAY)
    weeks = metrics.error_days(wb, EVER)
    assert weeks.select(pl.col("lines", "lines_in_error", "at_risk", "to_repay").sum()).row(0) == tuple(
        sum(column) for column in list(zip(*by_day, strict=True))[1:]
    )


def test_what_rules_found_is_counted_from_the_results_in_force(wb, two_exports):
    rules = metrics.rules_by_stake(wb, EVER).sort("rule_id", "severity")
    assert rules.select("rule_id", "severity", "results", "lines", "earliest_unpaid").rows() == rows(
        wb, LINES_IN_FORCE, BY_RULE
    )


def test_the_money_of_a_rule_counts_each_line_once(wb, two_exports):
    [of_rule] = metrics.rules_by_stake(wb, EVER).filter(rule_id="ANNUAL_PERIODIC_VISIT").to_dicts()
    assert [(of_rule["at_risk"], of_rule["to_repay"])] == rows(wb, LINES_IN_FORCE, MONEY_OF_ONE_RULE)


def test_patients_are_distinct_in_each_doctors_day(wb, two_exports):
    days = metrics.doctor_days(wb, Scope(date(2025, 6, 1), date(2025, 6, 30)))
    expected = [row for row in rows(wb, LINES_IN_FORCE, BY_DOCTOR_DAY) if row[0].month == 6 and row[0].year == 2025]
    assert sorted(days.select("date_de_service", "patients").rows()) == expected


@pytest.mark.parametrize("places", [0, 2])
@pytest.mark.parametrize("doctors", [0, 2])
def test_every_question_adds_up_to_the_same_whatever_the_filters(wb, two_exports, places, doctors):
    held = metrics.holdings(wb)
    scope = Scope(held.first, held.last, held.places[-places:] * bool(places), held.doctors[:doctors])
    errors = metrics.error_days(wb, scope)["lines_in_error"].sum()
    lines = metrics.error_days(wb, scope)["lines"].sum()
    weeks = metrics.severity_weeks(wb, scope)
    assert (weeks["error"].sum(), weeks["lines"].sum()) == (errors, lines)
    assert metrics.doctor_weeks(wb, scope, doctors=1_000)["hits"].sum() == errors
    rules = metrics.rules_by_stake(wb, scope)
    names = rules["rule_id"].unique().to_list()
    results = rules["results"].sum()
    assert metrics.rules_by_place(wb, scope, names)["results"].sum() == results
    assert metrics.rules_by_doctor(wb, scope, names, doctors=1_000)["results"].sum() == results
    assert metrics.rule_weeks(wb, scope, names)["results"].sum() == results
    assert metrics.day_table(wb, scope, limit=100_000)["lines"].sum() == lines


def test_the_newest_run_is_compared_in_the_days_that_both_hold(wb, two_exports):
    change = metrics.run_change(wb)
    counts = dict(change.rows.select("status", "results").iter_rows())
    there = "SELECT count(*) FROM validation_results r JOIN validation_runs v ON v.id = r.validation_run_id WHERE v.number = 2"
    assert (change.run, change.before) == (2, 1)
    assert counts["new"] + counts["persisting"] == rows(wb, there)[0][0]
    assert counts["fixed"] > 0


def test_without_the_newest_run_the_run_before_stands_again(wb, demo, tmp_path):
    validate_file(wb, demo, run_date=JULY_2)
    before = stored(wb)
    header, *lines = demo.read_text("utf-8-sig").splitlines()
    second = tmp_path / "second.csv"
    second.write_text("\n".join((header, *lines[::3], "")), "utf-8")
    newest = validate_file(wb, second, run_date=JULY_2)
    assert stored(wb) != before
    with wb.database.connect() as connection:
        connection.execute(sa.text("DELETE FROM validation_runs WHERE id = :run"), {"run": newest})
    assert stored(wb) == before
    assert rows(wb, f"SELECT count(*) FROM rollup_days WHERE validation_run_id = '{newest}'") == [(0,)]


def test_a_run_that_ends_after_a_newer_one_takes_only_the_days_that_it_holds_alone(wb):
    day = """
        date_de_service | doctor | lieu_de_pratique | lines
        2025-06-03      | M1     | 54321            | 100
        2025-06-04      | M1     | 54321            | 100
    """
    newer_day = """
        date_de_service | doctor | lieu_de_pratique | lines
        2025-06-04      | M1     | 54321            | 7
    """
    with wb.database.connect() as connection:
        older = seed.run(connection, wb.viewer.id, status="processing")
        seed.days(connection, older, day)
        seed.days(connection, seed.run(connection, wb.viewer.id), newer_day)
        connection.execute(sa.text("UPDATE validation_runs SET status = 'completed' WHERE id = :run"), {"run": older})
    assert metrics.error_days(wb, EVER)["lines"].sum() == 107


def test_two_runs_that_end_at_once_lose_none_of_their_days(wb):
    drawn = """
        date_de_service | doctor | lieu_de_pratique | lines
        2025-06-03      | {}     | 54321            | 10
        2025-06-04      | BOTH   | 54321            | {}
    """
    with wb.database.connect() as connection:
        runs = [seed.run(connection, wb.viewer.id, status="processing") for _ in range(2)]
        for run, doctor, lines in zip(runs, ("M1", "M2"), (100, 1000), strict=True):
            seed.days(connection, run, drawn.format(doctor, lines))

    def complete(run):
        with wb.database.connect() as connection:
            connection.execute(sa.text("UPDATE validation_runs SET status = 'completed' WHERE id = :run"), {"run": run})
            connection.execute(sa.text("SELECT pg_sleep(0.3)"))

    threads = [Thread(target=complete, args=(run,)) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert metrics.error_days(wb, EVER)["lines"].sum() == 10 + 10 + 1000
    assert rows(wb, "SELECT sum(lines) FROM rollup_weeks WHERE doctor = '*'") == [(1020,)]


def test_a_doctors_day_cannot_be_in_force_twice(wb):
    day = """
        date_de_service | doctor | lieu_de_pratique | lines
        2025-06-03      | M1     | 54321            | 100
    """
    with wb.database.connect() as connection:
        for _ in range(2):
            seed.days(connection, seed.run(connection, wb.viewer.id), day)
        connection.commit()
        with pytest.raises(sa.exc.IntegrityError):
            connection.execute(sa.text("UPDATE rollup_doctor_days SET in_force = true"))


def errors_of(run):
    return run.results.filter(severity="error")


def test_figures_follow_what_is_set_aside_and_taken_back(wb, one_day):
    found = errors_of(one_day)
    before, all_of_it = stored(wb), figures(wb)
    names = [int(called.partition(":")[2]) for called in found["result"]]
    acknowledgements.acknowledge(wb, one_day.id, names, reason="accepte", note=None, until=None)
    assert figures(wb) == (3, 0, 2, Decimal("0.00"))
    assert metrics.rules_by_stake(wb, EVER).filter(severity="error").is_empty()
    rules = metrics.common_rules(wb, EVER)
    assert rules.filter(severity="error")["results"].sum() == 0
    assert rules.filter(severity="error")["acknowledged"].sum() == len(names)
    acknowledgements.withdraw(wb, one_day.id, names)
    assert figures(wb) == all_of_it
    assert stored(wb) == before


def test_a_run_after_that_leaves_out_what_is_set_aside(wb, one_day, tmp_path):
    names = [int(called.partition(":")[2]) for called in errors_of(one_day)["result"]]
    acknowledgements.acknowledge(wb, one_day.id, names, reason="accepte", note=None, until=None)
    aside = stored(wb)[:2]
    validate_file(wb, tmp_path / "day.csv", run_date=JULY_2, force=True)
    assert stored(wb)[:2] == aside


def test_figures_come_back_the_day_after_the_last(wb, one_day):
    names = [int(called.partition(":")[2]) for called in errors_of(one_day)["result"]]
    all_of_it, last = figures(wb), acknowledgements.today()
    acknowledgements.acknowledge(wb, one_day.id, names, reason="accepte", note=None, until=last)
    assert recount_expired(wb, last) == 0
    assert figures(wb) != all_of_it
    assert recount_expired(wb, last + timedelta(days=1)) == 2
    assert figures(wb) == all_of_it
    assert recount_expired(wb, last + timedelta(days=1)) == 0


def test_figures_stay_as_counted_once_the_lines_are_cleared(wb, one_day):
    names = [int(called.partition(":")[2]) for called in errors_of(one_day)["result"]]
    before = figures(wb)
    with wb.database.connect() as connection:
        connection.execute(sa.text("SELECT drop_run_tables(:run, ARRAY['billing_records'])"), {"run": one_day.id})
    acknowledgements.acknowledge(wb, one_day.id, names, reason="accepte", note=None, until=None)
    assert figures(wb) == before


def test_patients_of_a_date_are_distinct_where_one_run_holds_it_and_sums_elsewhere(wb):
    both = """
        date_de_service | doctor | lieu_de_pratique | lines | patients
        2025-06-03      | M1     | 54321            | 10    | 5
        2025-06-03      | M2     | 54321            | 10    | 5
    """
    mine = """
        date_de_service | doctor | lieu_de_pratique | lines | patients
        2025-06-03      | M2     | 54321            | 10    | 6
    """
    both_seen = """
        date_de_service | doctor | patients
        2025-06-03      | M1     | 5
        2025-06-03      | M2     | 5
    """
    mine_seen = """
        date_de_service | doctor | patients
        2025-06-03      | M2     | 6
    """
    seen = "INSERT INTO rollup_run_days (validation_run_id, date_de_service, patients) VALUES (:run, '2025-06-03', 8)"
    june = Scope(date(2025, 6, 1), date(2025, 6, 30))
    with wb.database.connect() as connection:
        first = seed.run(connection, wb.viewer.id)
        connection.execute(sa.text(seen), {"run": first})
        seed.days(connection, first, both)
        seed.doctor_days(connection, first, both_seen)
        connection.commit()
        assert metrics.patient_totals(wb, june).select("patients", "is_exact").rows() == [(8, True)]
        second = seed.run(connection, wb.viewer.id)
        seed.days(connection, second, mine)
        seed.doctor_days(connection, second, mine_seen)
        connection.commit()
    assert metrics.patient_totals(wb, june).select("patients", "is_exact").rows() == [(11, False)]
    alone = Scope(june.since, june.until, doctors=("M2",))
    assert metrics.patient_totals(wb, alone).select("patients", "is_exact").rows() == [(6, True)]


def test_fees_are_told_with_what_the_rules_expect(wb, two_exports):
    days = metrics.day_table(wb, EVER, limit=100_000).filter(pl.col("difference").is_not_null())
    assert days.height > 0
    assert days.filter(pl.col("fee_codes") == pl.col("expected_code")).is_empty()
    assert metrics.office_fee_thresholds(wb).rows() == [
        ("19928", 6, 10, "OFFICE_FEE_19928", 1),
        ("19929", 12, 20, "OFFICE_FEE_19929", 1),
    ]


def test_the_guides_queries_answer_as_the_guide_writes_them(wb, demo):
    run = str(validate_file(wb, demo, run_date=JULY_2))
    [summary] = metrics.validation_run_with_results(wb, run).to_dicts()
    counted = rows(
        wb,
        "SELECT count(*) FILTER (WHERE severity = 'error'), count(*) FILTER (WHERE severity = 'warning') FROM validation_results",
    )
    assert [(summary["errors"], summary["warnings"])] == counted
    common = """
        SELECT rule_id, count(*), round(count(*) * 100.0 / sum(count(*)) OVER (), 2)::float FROM validation_results
        WHERE severity = 'error' GROUP BY rule_id ORDER BY 2 DESC, 1 LIMIT 10"""
    assert metrics.most_common_errors(wb).rows() == rows(wb, common)
    daily = "SELECT count(DISTINCT patient) FROM billing_records GROUP BY date_de_service, doctor ORDER BY 1"
    assert sorted(metrics.patient_daily_count(wb, run)["unique_patients"]) == [n for (n,) in rows(wb, daily)]
    needing = metrics.codes_needing_contexts(wb, run)
    bare = """
        SELECT DISTINCT b.code FROM billing_records b JOIN validation_results r USING (validation_run_id, row_number)
        WHERE b.element_de_contexte IS NULL AND r.severity = 'error'"""
    assert needing.height > 0
    assert set(needing["code"]) <= {code for (code,) in rows(wb, bare)}


def test_a_database_of_before_gets_its_figures_from_what_it_has(wb, two_exports):
    before = figures(wb)
    days = stored(wb)[3]
    wb.database.close()
    downgrade(wb.database, "0005_unread_times", backup=False)
    migrate(wb.database, backup=False)
    assert figures(wb) == before
    assert stored(wb)[3] == days
