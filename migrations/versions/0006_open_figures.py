"""What dashboards ask, counted so that each question reads few rows

Until here each question ranked all runs to find which holds a doctor's day. Now the roll-ups say themselves which of
their rows count (`in_force`), a unique index keeps that to one run for each doctor's day, and sums by week and by date
stand beside them. What is set aside is no longer counted as open.

Roll-ups of earlier versions did not keep the money of a rule, nor lines by their worst result: they get the nearest
that follows from what they kept, until their file is validated again.
"""

from alembic import op

revision = "0006_open_figures"
down_revision = "0005_unread_times"
branch_labels = None
depends_on = None

# A key to the run, checked row by row, cost a large load seconds: these rows go with their run by its trigger instead.
COLUMNS = """
ALTER TABLE rollup_days DROP CONSTRAINT fk_validation_run,
  ADD COLUMN in_force BOOLEAN NOT NULL DEFAULT false,
  ADD COLUMN lines_in_info INTEGER NOT NULL DEFAULT 0,
  ADD COLUMN worst_warning INTEGER NOT NULL DEFAULT 0,
  ADD COLUMN worst_info INTEGER NOT NULL DEFAULT 0,
  ADD COLUMN fee_codes TEXT,
  ADD COLUMN fee_expected TEXT,
  ADD COLUMN fee_difference NUMERIC(18,2),
  ADD COLUMN fee_results INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollup_rules DROP CONSTRAINT fk_validation_run,
  ADD COLUMN in_force BOOLEAN NOT NULL DEFAULT false,
  ADD COLUMN invoices INTEGER NOT NULL DEFAULT 0,
  ADD COLUMN at_risk NUMERIC(18,2) NOT NULL DEFAULT 0,
  ADD COLUMN to_repay NUMERIC(18,2) NOT NULL DEFAULT 0,
  ADD COLUMN gain NUMERIC(18,2) NOT NULL DEFAULT 0,
  ADD COLUMN acknowledged INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollup_doctor_days DROP CONSTRAINT fk_validation_run,
  ADD COLUMN in_force BOOLEAN NOT NULL DEFAULT false;
ALTER TABLE rollup_run_days
  ADD COLUMN patients_paid INTEGER NOT NULL DEFAULT 0,
  ADD COLUMN registered_paid INTEGER NOT NULL DEFAULT 0,
  ADD COLUMN walk_in_paid INTEGER NOT NULL DEFAULT 0;
ALTER TABLE run_rules ADD COLUMN errors INTEGER NOT NULL DEFAULT 0;
ALTER TABLE result_acknowledgements
  ADD COLUMN date_de_service DATE,
  ADD COLUMN doctor TEXT,
  ADD COLUMN is_expired BOOLEAN NOT NULL DEFAULT false;
CREATE INDEX idx_result_acknowledgements_until ON result_acknowledgements (until)
  WHERE revoked_at IS NULL AND NOT is_expired;
"""

TABLES = """
CREATE TABLE rollup_weeks (
  week DATE NOT NULL,
  doctor TEXT NOT NULL,
  lieu_de_pratique TEXT NOT NULL,
  days INTEGER NOT NULL DEFAULT 0,
  lines INTEGER NOT NULL DEFAULT 0,
  lines_in_error INTEGER NOT NULL DEFAULT 0,
  lines_in_warning INTEGER NOT NULL DEFAULT 0,
  lines_in_info INTEGER NOT NULL DEFAULT 0,
  worst_warning INTEGER NOT NULL DEFAULT 0,
  worst_info INTEGER NOT NULL DEFAULT 0,
  invoices INTEGER NOT NULL DEFAULT 0,
  clean_invoices INTEGER NOT NULL DEFAULT 0,
  at_risk NUMERIC(18,2) NOT NULL DEFAULT 0,
  to_repay NUMERIC(18,2) NOT NULL DEFAULT 0,
  gain NUMERIC(18,2) NOT NULL DEFAULT 0,
  patients INTEGER NOT NULL DEFAULT 0,
  registered INTEGER NOT NULL DEFAULT 0,
  registered_paid INTEGER NOT NULL DEFAULT 0,
  walk_in INTEGER NOT NULL DEFAULT 0,
  walk_in_paid INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (week, doctor, lieu_de_pratique)
);
CREATE INDEX idx_rollup_weeks_doctor ON rollup_weeks (doctor, week);

CREATE TABLE rollup_rule_spans (
  days INTEGER NOT NULL CHECK (days IN (7, 91, 364)),
  first DATE NOT NULL,
  doctor TEXT NOT NULL,
  lieu_de_pratique TEXT NOT NULL,
  rule_id TEXT NOT NULL,
  severity TEXT NOT NULL,
  results INTEGER NOT NULL DEFAULT 0,
  lines INTEGER NOT NULL DEFAULT 0,
  invoices INTEGER NOT NULL DEFAULT 0,
  amount NUMERIC(18,2) NOT NULL DEFAULT 0,
  at_risk NUMERIC(18,2) NOT NULL DEFAULT 0,
  to_repay NUMERIC(18,2) NOT NULL DEFAULT 0,
  gain NUMERIC(18,2) NOT NULL DEFAULT 0,
  acknowledged INTEGER NOT NULL DEFAULT 0,
  earliest_unpaid DATE,
  PRIMARY KEY (days, doctor, lieu_de_pratique, first, rule_id, severity)
);
CREATE INDEX idx_rollup_rule_spans_rule_id ON rollup_rule_spans (rule_id, days, lieu_de_pratique, first)
  WHERE doctor = '*';
CREATE INDEX idx_rollup_rule_spans_first ON rollup_rule_spans (days, first) WHERE doctor = '*';
CREATE INDEX idx_rollup_rule_spans_doctor ON rollup_rule_spans (doctor, rule_id, first) WHERE doctor <> '*';

CREATE TABLE rollup_dates (
  date_de_service DATE PRIMARY KEY,
  doctors INTEGER NOT NULL DEFAULT 0,
  patients INTEGER NOT NULL DEFAULT 0,
  registered INTEGER NOT NULL DEFAULT 0,
  registered_paid INTEGER NOT NULL DEFAULT 0,
  walk_in INTEGER NOT NULL DEFAULT 0,
  walk_in_paid INTEGER NOT NULL DEFAULT 0,
  is_exact BOOLEAN NOT NULL
);

CREATE TABLE rollup_changes (
  validation_run_id UUID NOT NULL,
  rule_id TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('new', 'fixed', 'persisting', 'rule_changed')),
  before BIGINT NOT NULL,
  results INTEGER NOT NULL DEFAULT 0,
  at_risk NUMERIC(18,2) NOT NULL DEFAULT 0,
  to_repay NUMERIC(18,2) NOT NULL DEFAULT 0,
  gain NUMERIC(18,2) NOT NULL DEFAULT 0,
  PRIMARY KEY (validation_run_id, rule_id, status),
  CONSTRAINT fk_validation_run FOREIGN KEY (validation_run_id) REFERENCES validation_runs(id) ON DELETE CASCADE
);
"""

# Which run holds a doctor's day, and what follows from it. Whoever changes that holds the lock until his commit: of two
# runs that end at once the second sees what the first took. Rows are reached by their keys: without statistics, as on a
# first day, PostgreSQL takes these tables for empty, and reads them whole for each row.
IN_FORCE = """
-- Spans of whole weeks that hold a Monday, counted from the first Monday of the century.
CREATE FUNCTION span_of(monday date, days integer) RETURNS date
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT date '2001-01-01' + days * floor((monday - date '2001-01-01') / days::numeric)::integer
$$;

-- Sums of the weeks of these dates, anew from what is in force; of single doctors those of these.
CREATE FUNCTION sum_weeks(touched date[], doctors text[]) RETURNS void
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
    sum(patients), sum(registered), sum(registered_paid), sum(walk_in), sum(walk_in_paid)
  FROM unnest(weeks) AS w JOIN rollup_days ON date_de_service BETWEEN w AND w + 6
  WHERE in_force AND doctor = ANY (doctors)
  GROUP BY w, doctor, lieu_de_pratique;
  INSERT INTO rollup_weeks
  SELECT week, '*', lieu_de_pratique, sum(days), sum(lines), sum(lines_in_error), sum(lines_in_warning),
    sum(lines_in_info), sum(worst_warning), sum(worst_info), sum(invoices), sum(clean_invoices),
    sum(at_risk), sum(to_repay), sum(gain),
    sum(patients), sum(registered), sum(registered_paid), sum(walk_in), sum(walk_in_paid)
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

  -- Rules of a doctor: thirteen weeks from their days, for a week of his is hardly shorter than its days.
  SELECT array_agg(DISTINCT span_of(week, 91)) INTO spans FROM unnest(weeks) AS week;
  DELETE FROM rollup_rule_spans WHERE days = 91 AND doctor = ANY (doctors) AND lieu_de_pratique = '*'
    AND first = ANY (spans);
  INSERT INTO rollup_rule_spans
  SELECT 91, s, who, '*', rule_id, severity,
    sum(results), sum(lines), sum(invoices), sum(amount), sum(at_risk), sum(to_repay), sum(gain), sum(acknowledged),
    min(date_de_service) FILTER (WHERE at_risk > 0)
  FROM unnest(spans) AS s CROSS JOIN unnest(doctors) AS who
  JOIN rollup_rules ON doctor = who AND date_de_service BETWEEN s AND s + 90
  WHERE in_force
  GROUP BY s, who, rule_id, severity;

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

-- The days of a run that is being completed, before its other roll-ups are copied: what older runs held they lose.
-- Gives the days that a newer run keeps; rows of all others can be copied as being in force.
CREATE FUNCTION take_days(run uuid) RETURNS TABLE (date_de_service date, doctor text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
SET enable_seqscan = off SET enable_mergejoin = off SET enable_hashjoin = off AS $$
#variable_conflict use_column
DECLARE mine bigint;
BEGIN
  PERFORM pg_advisory_xact_lock(20163);
  SELECT number INTO mine FROM validation_runs WHERE id = run;
  WITH lost AS (
    UPDATE rollup_doctor_days AS old SET in_force = false
    FROM rollup_doctor_days AS new, validation_runs AS r
    WHERE new.validation_run_id = run AND old.doctor = new.doctor AND old.date_de_service = new.date_de_service
      AND old.in_force AND r.id = old.validation_run_id AND r.number < mine
    RETURNING old.validation_run_id, old.date_de_service, old.doctor
  ), days AS (
    UPDATE rollup_days AS d SET in_force = false FROM lost
    WHERE d.validation_run_id = lost.validation_run_id AND d.date_de_service = lost.date_de_service
      AND d.doctor = lost.doctor AND d.in_force
  )
  UPDATE rollup_rules AS r SET in_force = false FROM lost
  WHERE r.validation_run_id = lost.validation_run_id AND r.date_de_service = lost.date_de_service
    AND r.doctor = lost.doctor AND r.in_force;

  UPDATE rollup_doctor_days AS d SET in_force = true
  WHERE d.validation_run_id = run AND NOT d.in_force AND NOT EXISTS (
    SELECT FROM rollup_doctor_days AS other
    WHERE other.doctor = d.doctor AND other.date_de_service = d.date_de_service AND other.in_force);
  RETURN QUERY
    SELECT d.date_de_service, d.doctor FROM rollup_doctor_days AS d
    WHERE d.validation_run_id = run AND NOT d.in_force;
END $$;

-- The rows of a run follow its days; for a run whose roll-ups were copied otherwise.
CREATE FUNCTION put_in_force(run uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
SET enable_seqscan = off SET enable_mergejoin = off SET enable_hashjoin = off AS $$
DECLARE
  touched date[];
  doctors text[];
BEGIN
  INSERT INTO rollup_doctor_days (validation_run_id, date_de_service, doctor)
  SELECT DISTINCT validation_run_id, date_de_service, doctor FROM rollup_days WHERE validation_run_id = run
  ON CONFLICT DO NOTHING;
  PERFORM take_days(run);
  UPDATE rollup_days AS d SET in_force = held.in_force
  FROM rollup_doctor_days AS held
  WHERE d.validation_run_id = run AND held.validation_run_id = run AND held.date_de_service = d.date_de_service
    AND held.doctor = d.doctor AND d.in_force <> held.in_force;
  UPDATE rollup_rules AS r SET in_force = held.in_force
  FROM rollup_doctor_days AS held
  WHERE r.validation_run_id = run AND held.validation_run_id = run AND held.date_de_service = r.date_de_service
    AND held.doctor = r.doctor AND r.in_force <> held.in_force;
  SELECT array_agg(DISTINCT date_de_service), array_agg(DISTINCT doctor) INTO touched, doctors
  FROM rollup_doctor_days WHERE validation_run_id = run;
  PERFORM sum_weeks(touched, doctors);
END $$;

-- A run leaves: its days go to the newest of the completed runs that hold them too.
CREATE FUNCTION leave_force(run uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
SET enable_seqscan = off SET enable_mergejoin = off SET enable_hashjoin = off AS $$
DECLARE
  touched date[];
  doctors text[];
BEGIN
  PERFORM pg_advisory_xact_lock(20163);
  SELECT array_agg(DISTINCT date_de_service), array_agg(DISTINCT doctor) INTO touched, doctors
  FROM rollup_doctor_days WHERE validation_run_id = run AND in_force;
  IF touched IS NULL THEN
    RETURN;
  END IF;
  WITH left_days AS (
    UPDATE rollup_doctor_days SET in_force = false WHERE validation_run_id = run AND in_force
    RETURNING date_de_service, doctor
  ), heirs AS (
    SELECT DISTINCT ON (held.date_de_service, held.doctor) held.validation_run_id, held.date_de_service, held.doctor
    FROM left_days
    JOIN rollup_doctor_days AS held USING (date_de_service, doctor)
    JOIN validation_runs AS r ON r.id = held.validation_run_id AND r.status = 'completed'
    WHERE r.id <> run
    ORDER BY held.date_de_service, held.doctor, r.number DESC
  ), doctor_days AS (
    UPDATE rollup_doctor_days AS d SET in_force = true FROM heirs
    WHERE (d.validation_run_id, d.date_de_service, d.doctor)
      = (heirs.validation_run_id, heirs.date_de_service, heirs.doctor)
  ), days AS (
    UPDATE rollup_days AS d SET in_force = true FROM heirs
    WHERE (d.validation_run_id, d.date_de_service, d.doctor)
      = (heirs.validation_run_id, heirs.date_de_service, heirs.doctor)
  )
  UPDATE rollup_rules AS d SET in_force = true FROM heirs
  WHERE (d.validation_run_id, d.date_de_service, d.doctor)
    = (heirs.validation_run_id, heirs.date_de_service, heirs.doctor);
  UPDATE rollup_days SET in_force = false WHERE validation_run_id = run AND in_force;
  UPDATE rollup_rules SET in_force = false WHERE validation_run_id = run AND in_force;
  PERFORM sum_weeks(touched, doctors);
END $$;

-- No way of completing or deleting a run goes past these.
CREATE FUNCTION keep_force() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    PERFORM leave_force(OLD.id);
    DELETE FROM rollup_rules WHERE validation_run_id = OLD.id;
    DELETE FROM rollup_days WHERE validation_run_id = OLD.id;
    DELETE FROM rollup_doctor_days WHERE validation_run_id = OLD.id;
    RETURN OLD;
  END IF;
  IF NEW.status <> 'completed' THEN
    PERFORM leave_force(NEW.id);
  ELSIF EXISTS (SELECT FROM rollup_days WHERE validation_run_id = NEW.id)
    AND NOT EXISTS (SELECT FROM rollup_doctor_days WHERE validation_run_id = NEW.id AND in_force)
  THEN
    PERFORM put_in_force(NEW.id);
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER leave_force BEFORE DELETE ON validation_runs FOR EACH ROW EXECUTE FUNCTION keep_force();
CREATE TRIGGER keep_force AFTER UPDATE OF status ON validation_runs FOR EACH ROW
  WHEN ((OLD.status = 'completed') <> (NEW.status = 'completed')) EXECUTE FUNCTION keep_force();
"""

# The figures of doctors' days on which something was set aside, taken back, or came back, counted again from the lines
# and results that are kept. Where the lines were cleared, figures stay as they were counted last.
RECOUNT = """
CREATE FUNCTION recount(acknowledgements uuid[], today date) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  touched date[];
  doctors text[];
  counted integer;
BEGIN
  PERFORM pg_advisory_xact_lock(20163);
  CREATE TEMP TABLE recounted ON COMMIT DROP AS
  SELECT DISTINCT run.id AS run, run.user_id, found.date_service AS day, coalesce(found.doctor, '') AS person,
    held.doctor
  FROM result_acknowledgements AS ack
  JOIN rollup_doctor_days AS held ON held.date_de_service = ack.date_de_service AND held.doctor = ack.doctor
  JOIN validation_runs AS run ON run.id = held.validation_run_id AND run.user_id = ack.user_id
    AND run.status = 'completed'
  CROSS JOIN LATERAL (
    SELECT result.date_service, result.doctor FROM validation_results AS result
    WHERE result.validation_run_id = run.id AND result.date_service = ack.date_de_service
      AND result.fingerprint = ack.fingerprint
    LIMIT 1
  ) AS found
  WHERE ack.id = ANY (acknowledgements)
    AND EXISTS (SELECT FROM billing_records WHERE validation_run_id = run.id);

  -- An invoice counts where its first line stands, which can be another day of the same doctor: that one too, then.
  INSERT INTO recounted
  SELECT DISTINCT about.run, about.user_id, first.date_de_service, about.person, about.doctor
  FROM (
    SELECT DISTINCT r.run, r.user_id, r.person, r.doctor, line.facture
    FROM recounted AS r
    JOIN billing_records AS line ON line.validation_run_id = r.run AND line.date_de_service = r.day
      AND coalesce(line.doctor, '') = r.person AND line.facture IS NOT NULL
  ) AS about
  JOIN (
    SELECT DISTINCT ON (line.validation_run_id, line.facture) line.validation_run_id, line.facture,
      line.date_de_service, coalesce(line.doctor, '') AS person
    FROM billing_records AS line
    WHERE line.validation_run_id IN (SELECT run FROM recounted)
    ORDER BY line.validation_run_id, line.facture, line.row_number
  ) AS first ON first.validation_run_id = about.run AND first.facture = about.facture AND first.person = about.person
  WHERE NOT EXISTS (
    SELECT FROM recounted AS known
    WHERE known.run = about.run AND known.person = about.person AND known.day = first.date_de_service);

  CREATE TEMP TABLE recounted_lines ON COMMIT DROP AS
  SELECT r.run, r.day, r.doctor, line.row_number, line.facture,
    CASE WHEN placed.lieu ~ '^([0-9]{5}|[A-Z][0-9][A-Z] ?[0-9][A-Z][0-9])$' THEN placed.lieu ELSE '' END AS lieu
  FROM recounted AS r
  JOIN billing_records AS line ON line.validation_run_id = r.run AND line.date_de_service = r.day
    AND coalesce(line.doctor, '') = r.person
  CROSS JOIN LATERAL (
    SELECT CASE WHEN line.lieu_de_pratique ~ '^[0-9]+$' THEN lpad(line.lieu_de_pratique, 5, '0')
      ELSE coalesce(line.lieu_de_pratique, '') END AS lieu
  ) AS placed;

  CREATE TEMP TABLE recounted_results ON COMMIT DROP AS
  SELECT r.run, r.day, r.doctor, line.lieu, line.facture, result.row_number, result.rule_id, result.severity,
    result.category, coalesce(result.amount, 0) AS amount, coalesce(result.at_risk, 0) AS at_risk,
    coalesce(result.to_repay, 0) AS to_repay, coalesce(result.gain, 0) AS gain,
    result.details ? 'registered' AS is_of_fee,
    EXISTS (
      SELECT FROM result_acknowledgements AS ack
      WHERE ack.user_id = r.user_id AND ack.fingerprint = result.fingerprint AND ack.line_mark = result.line_mark
        AND ack.revoked_at IS NULL AND (ack.until IS NULL OR ack.until >= today)
    ) AS aside
  FROM recounted AS r
  JOIN validation_results AS result ON result.validation_run_id = r.run AND result.date_service = r.day
    AND coalesce(result.doctor, '') = r.person
  JOIN recounted_lines AS line ON line.run = r.run AND line.row_number = result.row_number;

  CREATE TEMP TABLE recounted_invoices ON COMMIT DROP AS
  SELECT about.run, about.facture, min(line.row_number) AS first_row, bool_or(wrong.row_number IS NOT NULL) AS dirty
  FROM (SELECT DISTINCT run, facture FROM recounted_lines WHERE facture IS NOT NULL) AS about
  JOIN billing_records AS line ON line.validation_run_id = about.run AND line.facture = about.facture
  LEFT JOIN (
    SELECT DISTINCT result.validation_run_id, result.row_number
    FROM (SELECT DISTINCT run, user_id FROM recounted) AS r
    JOIN validation_results AS result ON result.validation_run_id = r.run AND result.severity = 'error'
    WHERE NOT EXISTS (
      SELECT FROM result_acknowledgements AS ack
      WHERE ack.user_id = r.user_id AND ack.fingerprint = result.fingerprint AND ack.line_mark = result.line_mark
        AND ack.revoked_at IS NULL AND (ack.until IS NULL OR ack.until >= today))
  ) AS wrong ON wrong.validation_run_id = about.run AND wrong.row_number = line.row_number
  GROUP BY about.run, about.facture;

  UPDATE rollup_days AS cell SET
    lines_in_error = coalesce(f.in_error, 0), lines_in_warning = coalesce(f.in_warning, 0),
    lines_in_info = coalesce(f.in_info, 0), worst_warning = coalesce(f.worst_warning, 0),
    worst_info = coalesce(f.worst_info, 0), at_risk = coalesce(f.at_risk, 0), to_repay = coalesce(f.to_repay, 0),
    gain = coalesce(f.gain, 0), fee_results = coalesce(f.fee_results, 0),
    clean_invoices = coalesce(i.clean, 0)
  FROM recounted AS r
  CROSS JOIN LATERAL (SELECT DISTINCT lieu FROM recounted_lines WHERE run = r.run AND day = r.day AND doctor = r.doctor)
    AS place
  LEFT JOIN (
    SELECT run, day, doctor, lieu, count(*) FILTER (WHERE worst = 1) AS in_error, count(*) FILTER (WHERE warns)
      AS in_warning, count(*) FILTER (WHERE informs) AS in_info, count(*) FILTER (WHERE worst = 2) AS worst_warning,
      count(*) FILTER (WHERE worst = 3) AS worst_info, sum(at_risk) AS at_risk, sum(to_repay) AS to_repay,
      sum(gain) AS gain, sum(fee_results) AS fee_results
    FROM (
      SELECT run, day, doctor, lieu, row_number,
        min(CASE severity WHEN 'error' THEN 1 WHEN 'warning' THEN 2 ELSE 3 END) AS worst,
        bool_or(severity = 'warning') AS warns, bool_or(severity = 'info') AS informs,
        max(at_risk) AS at_risk, max(to_repay) AS to_repay, sum(gain) AS gain,
        count(*) FILTER (WHERE is_of_fee) AS fee_results
      FROM recounted_results WHERE NOT aside
      GROUP BY run, day, doctor, lieu, row_number
    ) AS of_line
    GROUP BY run, day, doctor, lieu
  ) AS f ON f.run = r.run AND f.day = r.day AND f.doctor = r.doctor AND f.lieu = place.lieu
  LEFT JOIN (
    SELECT line.run, line.day, line.doctor, line.lieu, count(*) AS clean
    FROM recounted_lines AS line
    JOIN recounted_invoices AS invoice ON invoice.run = line.run AND invoice.first_row = line.row_number
    WHERE NOT invoice.dirty
    GROUP BY line.run, line.day, line.doctor, line.lieu
  ) AS i ON i.run = r.run AND i.day = r.day AND i.doctor = r.doctor AND i.lieu = place.lieu
  WHERE cell.validation_run_id = r.run AND cell.date_de_service = r.day AND cell.doctor = r.doctor
    AND cell.lieu_de_pratique = place.lieu;

  DELETE FROM rollup_rules AS old USING recounted AS r
  WHERE old.validation_run_id = r.run AND old.date_de_service = r.day AND old.doctor = r.doctor;
  INSERT INTO rollup_rules (validation_run_id, date_de_service, doctor, lieu_de_pratique, rule_id, severity, category,
    results, lines, invoices, amount, at_risk, to_repay, gain, acknowledged, in_force)
  SELECT f.run, f.day, f.doctor, f.lieu, f.rule_id, f.severity, max(f.category),
    count(*) FILTER (WHERE NOT aside), count(DISTINCT f.row_number) FILTER (WHERE NOT aside),
    count(DISTINCT f.facture) FILTER (WHERE NOT aside), coalesce(sum(f.amount) FILTER (WHERE NOT aside), 0),
    coalesce(sum(f.at_risk) FILTER (WHERE NOT aside AND f.is_first), 0),
    coalesce(sum(f.to_repay) FILTER (WHERE NOT aside AND f.is_first), 0),
    coalesce(sum(f.gain) FILTER (WHERE NOT aside), 0), count(*) FILTER (WHERE aside), bool_or(held.in_force)
  FROM (
    SELECT *, row_number() OVER (PARTITION BY run, rule_id, severity, row_number, aside) = 1 AS is_first
    FROM recounted_results
  ) AS f
  JOIN rollup_doctor_days AS held
    ON held.validation_run_id = f.run AND held.date_de_service = f.day AND held.doctor = f.doctor
  GROUP BY f.run, f.day, f.doctor, f.lieu, f.rule_id, f.severity;

  SELECT count(*), array_agg(DISTINCT r.day) FILTER (WHERE held.in_force),
    array_agg(DISTINCT r.doctor) FILTER (WHERE held.in_force) INTO counted, touched, doctors
  FROM recounted AS r
  JOIN rollup_doctor_days AS held
    ON held.validation_run_id = r.run AND held.date_de_service = r.day AND held.doctor = r.doctor;
  IF touched IS NOT NULL THEN
    PERFORM sum_weeks(touched, doctors);
  END IF;
  DROP TABLE recounted, recounted_lines, recounted_results, recounted_invoices;
  UPDATE result_acknowledgements SET is_expired = true
  WHERE id = ANY (acknowledgements) AND revoked_at IS NULL AND until < today;
  RETURN counted;
END $$;
"""

INDEXES = """
CREATE INDEX idx_rollup_days_date_de_service ON rollup_days (date_de_service) WHERE in_force;
CREATE INDEX idx_rollup_days_doctor ON rollup_days (doctor, date_de_service) WHERE in_force;
CREATE INDEX idx_rollup_rules_date_de_service ON rollup_rules (date_de_service) WHERE in_force;
CREATE INDEX idx_rollup_rules_doctor ON rollup_rules (doctor, date_de_service) WHERE in_force;
CREATE INDEX idx_rollup_rules_doctor_rule_id ON rollup_rules (doctor, rule_id, date_de_service) WHERE in_force;
CREATE INDEX idx_rollup_rules_rule_id ON rollup_rules (rule_id, date_de_service) WHERE in_force;
CREATE UNIQUE INDEX idx_rollup_doctor_days_in_force ON rollup_doctor_days (date_de_service, doctor) WHERE in_force;
"""

FILL = """
UPDATE run_rules AS judged SET errors = found.errors
FROM (
  SELECT validation_run_id, rule_id, count(*) AS errors FROM validation_results WHERE severity = 'error' GROUP BY 1, 2
) AS found
WHERE (found.validation_run_id, found.rule_id) = (judged.validation_run_id, judged.rule_id);

INSERT INTO rollup_doctor_days (validation_run_id, date_de_service, doctor)
SELECT DISTINCT validation_run_id, date_de_service, doctor FROM rollup_days
ON CONFLICT DO NOTHING;

UPDATE rollup_doctor_days AS d SET in_force = true
FROM (
  SELECT DISTINCT ON (held.date_de_service, held.doctor) held.validation_run_id, held.date_de_service, held.doctor
  FROM rollup_doctor_days AS held JOIN validation_runs AS r ON r.id = held.validation_run_id AND r.status = 'completed'
  ORDER BY held.date_de_service, held.doctor, r.number DESC
) AS newest
WHERE (d.validation_run_id, d.date_de_service, d.doctor)
  = (newest.validation_run_id, newest.date_de_service, newest.doctor);

UPDATE rollup_run_days AS day SET
  patients_paid = least(day.patients, d.patients_paid), registered_paid = least(day.registered, d.registered_paid),
  walk_in_paid = least(day.walk_in, d.walk_in_paid)
FROM (
  SELECT validation_run_id, date_de_service, sum(patients_paid) AS patients_paid,
    sum(registered_paid) AS registered_paid, sum(walk_in_paid) AS walk_in_paid
  FROM rollup_doctor_days GROUP BY 1, 2
) AS d
WHERE d.validation_run_id = day.validation_run_id AND d.date_de_service = day.date_de_service;

UPDATE rollup_rules AS rule SET
  in_force = held.in_force,
  invoices = least(rule.lines, day.invoices),
  at_risk = CASE WHEN rule.severity = 'error' THEN least(rule.amount, day.at_risk) ELSE 0 END,
  to_repay = CASE WHEN rule.severity = 'error'
    THEN least(rule.amount - least(rule.amount, day.at_risk), day.to_repay) ELSE 0 END,
  gain = CASE WHEN rule.category = 'opportunity' THEN rule.amount ELSE 0 END
FROM rollup_days AS day, rollup_doctor_days AS held
WHERE (day.validation_run_id, day.date_de_service, day.doctor, day.lieu_de_pratique)
    = (rule.validation_run_id, rule.date_de_service, rule.doctor, rule.lieu_de_pratique)
  AND (held.validation_run_id, held.date_de_service, held.doctor)
    = (rule.validation_run_id, rule.date_de_service, rule.doctor);

UPDATE rollup_days AS day SET
  in_force = held.in_force, worst_warning = least(day.lines_in_warning, day.lines - day.lines_in_error)
FROM rollup_doctor_days AS held
WHERE (held.validation_run_id, held.date_de_service, held.doctor)
  = (day.validation_run_id, day.date_de_service, day.doctor);

UPDATE rollup_days AS day SET
  lines_in_info = least(day.lines, info.lines),
  worst_info = least(info.lines, day.lines - day.lines_in_error - day.worst_warning)
FROM (
  SELECT validation_run_id, date_de_service, doctor, lieu_de_pratique, sum(lines) AS lines
  FROM rollup_rules WHERE severity = 'info' GROUP BY 1, 2, 3, 4
) AS info
WHERE (info.validation_run_id, info.date_de_service, info.doctor, info.lieu_de_pratique)
  = (day.validation_run_id, day.date_de_service, day.doctor, day.lieu_de_pratique);

SELECT sum_weeks(array_agg(DISTINCT date_de_service), array_agg(DISTINCT doctor))
FROM rollup_doctor_days WHERE in_force;
"""

GRANTS = """
REVOKE EXECUTE ON FUNCTION span_of(date, integer), sum_weeks(date[], text[]), take_days(uuid), put_in_force(uuid),
  leave_force(uuid), keep_force(), recount(uuid[], date) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sum_weeks(date[], text[]), take_days(uuid), put_in_force(uuid), recount(uuid[], date)
  TO dashlib_app;
GRANT SELECT ON rollup_weeks, rollup_rule_spans, rollup_dates TO dashlib_app;
GRANT SELECT, INSERT ON rollup_changes TO dashlib_app;
"""

DOWN = """
DROP TRIGGER leave_force ON validation_runs;
DROP TRIGGER keep_force ON validation_runs;
DROP FUNCTION keep_force, leave_force, put_in_force, take_days, sum_weeks, span_of, recount;
DROP TABLE rollup_weeks, rollup_rule_spans, rollup_dates, rollup_changes;
ALTER TABLE run_rules DROP COLUMN errors;
ALTER TABLE result_acknowledgements DROP COLUMN date_de_service, DROP COLUMN doctor, DROP COLUMN is_expired;
ALTER TABLE rollup_run_days DROP COLUMN patients_paid, DROP COLUMN registered_paid, DROP COLUMN walk_in_paid;
ALTER TABLE rollup_doctor_days DROP COLUMN in_force;
ALTER TABLE rollup_rules DROP COLUMN in_force, DROP COLUMN invoices, DROP COLUMN at_risk, DROP COLUMN to_repay,
  DROP COLUMN gain, DROP COLUMN acknowledged;
ALTER TABLE rollup_days DROP COLUMN in_force, DROP COLUMN lines_in_info, DROP COLUMN worst_warning,
  DROP COLUMN worst_info, DROP COLUMN fee_codes, DROP COLUMN fee_expected, DROP COLUMN fee_difference,
  DROP COLUMN fee_results;
DELETE FROM rollup_rules WHERE results = 0;
ALTER TABLE rollup_days ADD CONSTRAINT fk_validation_run
  FOREIGN KEY (validation_run_id) REFERENCES validation_runs(id) ON DELETE CASCADE;
ALTER TABLE rollup_rules ADD CONSTRAINT fk_validation_run
  FOREIGN KEY (validation_run_id) REFERENCES validation_runs(id) ON DELETE CASCADE;
ALTER TABLE rollup_doctor_days ADD CONSTRAINT fk_validation_run
  FOREIGN KEY (validation_run_id) REFERENCES validation_runs(id) ON DELETE CASCADE;
"""


def upgrade() -> None:
    for statements in (COLUMNS, TABLES, IN_FORCE, RECOUNT, FILL, INDEXES, GRANTS):
        op.execute(statements)


def downgrade() -> None:
    op.execute(DOWN)
