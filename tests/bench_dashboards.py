"""How long each question of the dashboards takes in the database; from `make bench`, or by itself.

The roll-ups are made by SQL as a large clinic's would be after three years: 150 doctors at 12 places, 300 rules of which
few find most, a run for each month, and one more for the last month of each quarter, which takes its days over. All
runs together hold 10,000,000 records and 1,000,000 results. A time is PostgreSQL's own (EXPLAIN ANALYZE, the median of
five), of the slowest of the queries that a question asks.
"""

import statistics
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from dashlib import metrics
from dashlib.cache import open_cache
from dashlib.database import open_database, stop
from dashlib.installing import install
from dashlib.keys import pseudonyms
from dashlib.metrics import Scope
from dashlib.settings import Settings
from dashlib.workbench import Workbench, enter

LIMIT_MS = 20
ROUNDS = 5
RECORDS, RESULTS = 10_000_000, 1_000_000

TABLES = (
    *("rollup_days", "rollup_rules", "rollup_doctor_days", "rollup_dates"),
    *("rollup_weeks", "rollup_doctor_spans", "rollup_rule_spans"),
)
DOCTORS = """
CREATE TEMP TABLE clinic AS
SELECT 'MÉD-' || upper(substr(md5(n::text), 1, 10)) AS doctor, (55001 + n % 12)::text AS place,
  CASE WHEN n % 3 = 0 THEN (55001 + (n + 5) % 12)::text END AS other_place
FROM generate_series(1, 150) AS n
"""
FILE = """
INSERT INTO files (id, user_id, filename, original_filename, size, path) VALUES (:file, :user, 'f', 'f', 1, 'f')
"""
RUN = """
INSERT INTO validation_runs (id, file_id, user_id, status, run_date, completed_at, rules_version)
VALUES (:run, :file, :user, 'completed', :last, now(), :rules_version)
"""
DOCTOR_DAYS = """
INSERT INTO rollup_doctor_days (validation_run_id, date_de_service, doctor, patients, patients_paid, registered,
  registered_paid, walk_in, walk_in_paid)
SELECT :run, day, doctor, 22, 18, 14, 12, 8, 6
FROM clinic, generate_series(CAST(:first AS date), CAST(:last AS date), interval '1 day') AS day
WHERE extract(isodow FROM day) < 6 ORDER BY day, doctor
"""
DAYS = """
INSERT INTO rollup_days (validation_run_id, date_de_service, doctor, lieu_de_pratique, lines, lines_in_error,
  lines_in_warning, lines_in_info, worst_warning, worst_info, invoices, clean_invoices, at_risk, to_repay, gain,
  patients, patients_paid, registered, registered_paid, walk_in, walk_in_paid, fee_codes, in_force)
SELECT :run, held.date_de_service, held.doctor, part.place, lines, 2, 1, 2, 1, 2, 22, 20, 64.80, 32.40, 12.00,
  p, p - 2, p - 4, p - 6, 4, 3, CASE WHEN p > 15 THEN '19929' END, true
FROM rollup_doctor_days AS held JOIN clinic USING (doctor)
CROSS JOIN LATERAL (
  SELECT clinic.place, 33 AS lines, 11 AS p WHERE other_place IS NOT NULL
  UNION ALL SELECT other_place, 33, 11 WHERE other_place IS NOT NULL
  UNION ALL SELECT clinic.place, 66, 22 WHERE other_place IS NULL
) AS part
WHERE held.validation_run_id = :run ORDER BY 2, 3, 4
"""
RULES = """
INSERT INTO rollup_rules (validation_run_id, date_de_service, doctor, lieu_de_pratique, rule_id, severity, category,
  results, lines, invoices, amount, at_risk, to_repay, gain, acknowledged, in_force)
SELECT :run, date_de_service, doctor, lieu_de_pratique, 'RULE_' || lpad(rule::text, 3, '0'),
  (ARRAY['error', 'error', 'warning', 'info'])[1 + rule % 4], 'test', count(*), count(*), count(*),
  count(*) * 32.40, CASE WHEN rule % 4 < 2 THEN count(*) * 16.20 ELSE 0 END,
  CASE WHEN rule % 8 = 0 THEN count(*) * 16.20 ELSE 0 END, CASE WHEN rule % 4 = 3 THEN count(*) * 9.35 ELSE 0 END,
  0, true
FROM rollup_days
CROSS JOIN LATERAL (
  SELECT (floor(300 * power(random(), 3)))::int AS rule
  FROM generate_series(1, CASE WHEN lines = 33 THEN 3 ELSE 7 END + length(doctor) * 0) AS result
) AS found
WHERE validation_run_id = :run
GROUP BY date_de_service, doctor, lieu_de_pratique, rule ORDER BY 2, 3, 4, 5
"""
SUMS = """
SELECT sum_weeks(array_agg(DISTINCT date_de_service), array_agg(DISTINCT doctor))
FROM rollup_days WHERE validation_run_id = :run
"""
RESULT_ROWS = """
INSERT INTO validation_results_{run} (rule_id, severity, message, row_number, date_service, number)
SELECT rule_id, severity, 'message', n, date_de_service, n
FROM (
  SELECT *, row_number() OVER () AS n FROM rollup_rules, generate_series(1, results) WHERE validation_run_id = :run
) AS found
"""
RUN_DAYS = """
INSERT INTO rollup_run_days (validation_run_id, date_de_service, patients, registered, walk_in)
SELECT :run, date_de_service, sum(patients), sum(registered), sum(walk_in)
FROM rollup_doctor_days WHERE validation_run_id = :run GROUP BY date_de_service
"""


def fill(wb: Workbench) -> None:
    """The three years' runs, each completed as a load completes it."""
    months = [date(year, month, 1) for year in (2023, 2024, 2025) for month in range(1, 13)]
    with wb.database.owner() as connection:
        connection.execute(sa.text(DOCTORS))
        for first in [*months, *months[2::3]]:
            ids = connection.execute(sa.text("SELECT gen_random_uuid(), gen_random_uuid()")).one()
            last = (first.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
            about = {"run": ids[0], "file": ids[1], "user": wb.viewer.id, "first": first, "last": last}
            about["rules_version"] = f"{first.year}"
            for statement in (
                FILE,
                RUN,
                "SELECT start_load(:run)",
                DOCTOR_DAYS,
                "SELECT take_days(:run)",
                DAYS,
                RULES,
                RUN_DAYS,
            ):
                connection.execute(sa.text(statement), about)
            connection.execute(sa.text(SUMS), about)
            connection.execute(sa.text(RESULT_ROWS.format(run=about["run"].hex)), about)
            connection.execute(sa.text("SELECT finish_load(:run), attach_load(:run)"), about)
            connection.commit()
    with wb.database.open("dashlib_owner") as server:
        server.autocommit = True
        server.execute(f"VACUUM ANALYZE {', '.join(TABLES)}")


type Asked = Callable[[], Any]


def scopes(held: metrics.Holdings) -> dict[str, Scope]:
    """Filters as a page can have them."""
    since, until = held.first, held.last
    everything, quarter = Scope(since, until), Scope(until - timedelta(days=89), until)
    rule = next(iter(held.rules))
    return {
        "90 days": quarter,
        "a year": Scope(until - timedelta(days=364), until),
        "3 years": everything,
        "from a Wednesday to a Tuesday, 2 years": Scope(date(2023, 7, 5), date(2025, 7, 1)),
        "3 years, a place": replace(everything, places=held.places[:1]),
        "3 years, six places": replace(everything, places=held.places[:6]),
        "3 years, a doctor": replace(everything, doctors=held.doctors[:1]),
        "3 years, five doctors": replace(everything, doctors=held.doctors[:5]),
        "90 days, forty doctors": replace(quarter, doctors=held.doctors[:40]),
        "3 years, a rule": replace(everything, rule=rule),
        "90 days, a rule, two places, three doctors": replace(
            quarter, rule=rule, places=held.places[:2], doctors=held.doctors[:3]
        ),
    }


def questions(wb: Workbench, scope: Scope, run: str, rules: list[str]) -> dict[str, Asked]:
    """All that the three pages ask, and the guide's four queries."""
    return {
        "holdings": lambda: metrics.holdings(wb),
        "error_facts": lambda: metrics.error_facts(wb, scope, severity=None, lang="fr"),
        "error_facts, info": lambda: metrics.error_facts(wb, scope, severity="info", lang="fr"),
        "severity_weeks": lambda: metrics.severity_weeks(wb, scope),
        "doctor_weeks": lambda: metrics.doctor_weeks(wb, scope),
        "version_changes": lambda: metrics.version_changes(wb, scope),
        "run_change": lambda: metrics.run_change(wb),
        "common_rules": lambda: metrics.common_rules(wb, scope),
        "rules_by_place": lambda: metrics.rules_by_place(wb, scope, rules),
        "rules_by_doctor": lambda: metrics.rules_by_doctor(wb, scope, rules),
        "rule_weeks": lambda: metrics.rule_weeks(wb, scope, rules),
        "rule_sheet": lambda: metrics.rule_sheet(wb, rules[0], scope),
        "patient_totals": lambda: metrics.patient_totals(wb, scope),
        "doctor_days": lambda: metrics.doctor_days(wb, scope),
        "weekday_patients": lambda: metrics.weekday_patients(wb, scope),
        "fee_days": lambda: metrics.fee_days(wb, scope),
        "day_table": lambda: metrics.day_table(wb, scope),
        "office_fee_thresholds": lambda: metrics.office_fee_thresholds(wb),
        "validation_run_with_results": lambda: metrics.validation_run_with_results(wb, run),
        "most_common_errors": lambda: metrics.most_common_errors(wb),
        "patient_daily_count": lambda: metrics.patient_daily_count(wb, run),
        "codes_needing_contexts": lambda: metrics.codes_needing_contexts(wb, run),
    }


@contextmanager
def overheard() -> Iterator[list[tuple[str, Any]]]:
    """The queries sent meanwhile, with their parameters."""
    sent: list[tuple[str, Any]] = []

    def hear(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.lstrip().startswith("SELECT"):
            sent.append((statement, parameters))

    sa.event.listen(sa.Engine, "before_cursor_execute", hear)
    try:
        yield sent
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", hear)


def slowest(wb: Workbench, asked: Asked) -> float:
    """Milliseconds in the database of the slowest query that a question asks, as PostgreSQL tells them."""
    with overheard() as queries:
        asked()
    with wb.database.raw() as connection:
        return max(_milliseconds(connection, *query) for query in queries)


def _milliseconds(connection: Any, statement: str, parameters: Any) -> float:
    explained = f"EXPLAIN (ANALYZE, TIMING OFF) {statement}"
    taken = [connection.execute(explained, parameters).fetchall()[-1][0] for _ in range(ROUNDS)]
    return statistics.median(float(said.split()[2]) for said in taken)


def measured(wb: Workbench) -> dict[str, dict[str, float]]:
    """Milliseconds by question and scope."""
    held = metrics.holdings(wb)
    assert held is not None
    with wb.database.connect() as connection:
        run = str(connection.scalar(sa.text("SELECT id FROM validation_runs ORDER BY number DESC LIMIT 1")))
    rules = list(held.rules)[:8]
    return {
        name: {question: slowest(wb, asked) for question, asked in questions(wb, scope, run, rules).items()}
        for name, scope in scopes(held).items()
    }


def show(figures: dict[str, dict[str, float]]) -> None:
    """A line for each question: the slowest filters, and what they take."""
    if not figures:
        return
    print(f"\ndashboard queries on {RECORDS:,} records and {RESULTS:,} results, in the database (limit {LIMIT_MS} ms)")
    for question in next(iter(figures.values())):
        worst = max(figures, key=lambda name: figures[name][question])
        taken = figures[worst][question]
        mark = "" if taken <= LIMIT_MS else "  <<<"
        print(f"{question:<28} {taken:>7.1f} ms  {worst}{mark}")


@contextmanager
def filled(home: Path) -> Iterator[Workbench]:
    """A database of its own with the roll-ups in it."""
    settings = Settings(DATABASE_URL=None, REDIS_URL=None, home=home)
    database = open_database(settings)
    try:
        install(database)
        wb = Workbench(enter(database), database, pseudonyms(settings, database), settings, open_cache(settings))
        fill(wb)
        yield wb
    finally:
        database.close()
        stop(settings)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="dashlib-bench-", dir="/var/tmp") as folder:
        Path(folder).chmod(0o711)  # PostgreSQL's own user looks in, where root runs this
        with filled(Path(folder)) as clinic:
            show(measured(clinic))
