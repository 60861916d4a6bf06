"""Sums of doctors' quarters, at their places: long periods of doctors read few rows

What a rule found with a doctor is summed at each of his places, not over all of them, and his lines, money and
patients by quarter beside the weeks. Weeks also tell on how many days office fees were billed. What rules found at
places is read from the index alone.
"""

import re
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from alembic import op

revision = "0012_doctors_sums"
down_revision = "0011_row_origins"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE rollup_doctor_spans (
  first DATE NOT NULL,
  doctor TEXT NOT NULL,
  lieu_de_pratique TEXT NOT NULL,
  lines INTEGER NOT NULL DEFAULT 0,
  at_risk NUMERIC(18,2) NOT NULL DEFAULT 0,
  patients INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (first, doctor, lieu_de_pratique)
);
ALTER TABLE rollup_weeks ADD COLUMN fee_billed INTEGER NOT NULL DEFAULT 0,
  ADD COLUMN fee_below INTEGER NOT NULL DEFAULT 0, ADD COLUMN fee_difference NUMERIC(18,2) NOT NULL DEFAULT 0;
DROP INDEX idx_rollup_rule_spans_rule_id;
CREATE INDEX idx_rollup_rule_spans_rule_id ON rollup_rule_spans (rule_id, days, lieu_de_pratique, first)
  INCLUDE (severity, results, lines, at_risk, to_repay, gain) WHERE doctor = '*';
CREATE INDEX idx_rollup_rule_spans_lieu_de_pratique
  ON rollup_rule_spans (days, lieu_de_pratique, first, rule_id, severity)
  INCLUDE (results, lines, invoices, amount, at_risk, to_repay, gain, acknowledged, earliest_unpaid)
  WHERE doctor = '*';
GRANT SELECT ON rollup_doctor_spans TO dashlib_app;
"""

SUM_WEEKS = """
CREATE OR REPLACE FUNCTION sum_weeks(touched date[], doctors text[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
SET enable_seqscan = off AS $$
DECLARE
  weeks date[];
  size integer;
  spans date[];
BEGIN
  SELECT array_agg(DISTINCT date_trunc('week', day)::date) INTO weeks FROM unnest(touched) AS day;
  DELETE FROM rollup_weeks WHERE week = ANY (weeks) AND doctor = ANY (doctors || '*'::text);
  DELETE FROM rollup_dates USING unnest(weeks) AS w WHERE date_de_service BETWEEN w AND w + 6;

  INSERT INTO rollup_weeks
  SELECT w, doctor, lieu_de_pratique, count(*), sum(lines), sum(lines_in_error), sum(lines_in_warning),
    sum(lines_in_info), sum(worst_warning), sum(worst_info), sum(invoices), sum(clean_invoices),
    sum(at_risk), sum(to_repay), sum(gain),
    sum(patients), sum(registered), sum(registered_paid), sum(walk_in), sum(walk_in_paid),
    count(fee_codes), count(fee_codes) FILTER (WHERE fee_results > 0 AND fee_difference < 0),
    coalesce(sum(fee_difference) FILTER (WHERE fee_codes IS NOT NULL AND fee_results > 0 AND fee_difference < 0), 0)
  FROM unnest(weeks) AS w JOIN rollup_days ON date_de_service BETWEEN w AND w + 6
  WHERE in_force AND doctor = ANY (doctors)
  GROUP BY w, doctor, lieu_de_pratique;
  INSERT INTO rollup_weeks
  SELECT week, '*', lieu_de_pratique, sum(days), sum(lines), sum(lines_in_error), sum(lines_in_warning),
    sum(lines_in_info), sum(worst_warning), sum(worst_info), sum(invoices), sum(clean_invoices),
    sum(at_risk), sum(to_repay), sum(gain),
    sum(patients), sum(registered), sum(registered_paid), sum(walk_in), sum(walk_in_paid),
    sum(fee_billed), sum(fee_below), sum(fee_difference)
  FROM rollup_weeks WHERE week = ANY (weeks)
  GROUP BY week, lieu_de_pratique;

  -- Rules at places: a week from its days, longer spans from those below.
  DELETE FROM rollup_rule_spans WHERE days = 7 AND doctor = '*' AND first = ANY (weeks);
  INSERT INTO rollup_rule_spans
  SELECT 7, w, '*', CASE WHEN grouping(lieu_de_pratique) = 1 THEN '*' ELSE lieu_de_pratique END, rule_id, severity,
    sum(results), sum(lines), sum(invoices), sum(amount), sum(at_risk), sum(to_repay), sum(gain), sum(acknowledged),
    min(date_de_service) FILTER (WHERE at_risk > 0)
  FROM unnest(weeks) AS w JOIN rollup_rules ON date_de_service BETWEEN w AND w + 6
  WHERE in_force
  GROUP BY GROUPING SETS ((w, lieu_de_pratique, rule_id, severity), (w, rule_id, severity));

  -- Doctors: thirteen weeks, of rules from their days, for a week of his is hardly shorter than its days.
  SELECT array_agg(DISTINCT span_of(week, 91)) INTO spans FROM unnest(weeks) AS week;
  DELETE FROM rollup_doctor_spans WHERE first = ANY (spans) AND doctor = ANY (doctors);
  INSERT INTO rollup_doctor_spans
  SELECT s, doctor, lieu_de_pratique, sum(lines), sum(at_risk), sum(patients)
  FROM unnest(spans) AS s JOIN rollup_weeks ON week BETWEEN s AND s + 90
  WHERE doctor = ANY (doctors)
  GROUP BY s, doctor, lieu_de_pratique;
  DELETE FROM rollup_rule_spans WHERE days = 91 AND doctor = ANY (doctors) AND first = ANY (spans);
  INSERT INTO rollup_rule_spans
  SELECT 91, s, who, lieu_de_pratique, rule_id, severity,
    sum(results), sum(lines), sum(invoices), sum(amount), sum(at_risk), sum(to_repay), sum(gain), sum(acknowledged),
    min(date_de_service) FILTER (WHERE at_risk > 0)
  FROM unnest(spans) AS s CROSS JOIN unnest(doctors) AS who
  JOIN rollup_rules ON doctor = who AND date_de_service BETWEEN s AND s + 90
  WHERE in_force
  GROUP BY s, who, lieu_de_pratique, rule_id, severity;

  FOREACH size IN ARRAY ARRAY[91, 364] LOOP
    SELECT array_agg(DISTINCT span_of(week, size)) INTO spans FROM unnest(weeks) AS week;
    DELETE FROM rollup_rule_spans WHERE days = size AND doctor = '*' AND first = ANY (spans);
    INSERT INTO rollup_rule_spans
    SELECT size, s, '*', lieu_de_pratique, rule_id, severity,
      sum(results), sum(lines), sum(invoices), sum(amount), sum(at_risk), sum(to_repay), sum(gain), sum(acknowledged),
      min(earliest_unpaid)
    FROM unnest(spans) AS s JOIN rollup_rule_spans AS part ON part.first BETWEEN s AND s + size - 1
    WHERE part.days = CASE size WHEN 91 THEN 7 ELSE 91 END AND part.doctor = '*'
    GROUP BY s, lieu_de_pratique, rule_id, severity;
  END LOOP;

  -- Patients of a date are distinct where one run holds it for all its doctors; else those of its doctors add up.
  INSERT INTO rollup_dates
  SELECT d.date_de_service, d.doctors,
    coalesce(r.patients, d.patients), coalesce(r.registered, d.registered),
    coalesce(r.registered_paid, d.registered_paid), coalesce(r.walk_in, d.walk_in),
    coalesce(r.walk_in_paid, d.walk_in_paid), r.patients IS NOT NULL OR d.doctors = 1
  FROM (
    SELECT date_de_service, count(*) AS doctors, min(validation_run_id::text)::uuid AS run,
      count(DISTINCT validation_run_id) = 1 AS is_of_one,
      sum(patients) AS patients, sum(registered) AS registered, sum(registered_paid) AS registered_paid,
      sum(walk_in) AS walk_in, sum(walk_in_paid) AS walk_in_paid
    FROM unnest(weeks) AS w JOIN rollup_doctor_days ON date_de_service BETWEEN w AND w + 6
    WHERE in_force
    GROUP BY date_de_service
  ) AS d
  LEFT JOIN rollup_run_days r ON d.is_of_one AND r.validation_run_id = d.run
    AND r.date_de_service = d.date_de_service
    AND d.doctors = (SELECT count(*) FROM rollup_doctor_days mine
                     WHERE mine.validation_run_id = d.run AND mine.date_de_service = d.date_de_service);
END $$;
"""

ANEW = """
DELETE FROM rollup_rule_spans WHERE doctor <> '*';
SELECT sum_weeks(array_agg(DISTINCT date_de_service), array_agg(DISTINCT doctor))
FROM rollup_doctor_days WHERE in_force;
"""

DOWN = """
DROP TABLE rollup_doctor_spans;
ALTER TABLE rollup_weeks DROP COLUMN fee_billed, DROP COLUMN fee_below, DROP COLUMN fee_difference;
DROP INDEX idx_rollup_rule_spans_rule_id, idx_rollup_rule_spans_lieu_de_pratique;
CREATE INDEX idx_rollup_rule_spans_rule_id ON rollup_rule_spans (rule_id, days, lieu_de_pratique, first)
  WHERE doctor = '*';
"""


def upgrade() -> None:
    for step in (TABLES, SUM_WEEKS, ANEW):
        op.execute(step)


def downgrade() -> None:
    for step in (DOWN, _before(), ANEW):
        op.execute(step)


def _before() -> str:
    """The function as 0006 made it."""
    spec = spec_from_file_location("open_figures", Path(__file__).with_name("0006_open_figures.py"))
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    made = (value for value in vars(module).values() if isinstance(value, str) and "FUNCTION sum_weeks" in value)
    function = re.search(r"CREATE (FUNCTION sum_weeks\(.*?END \$\$;)", next(made), re.DOTALL)
    assert function
    return f"CREATE OR REPLACE {function[1]}"
