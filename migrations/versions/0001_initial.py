"""The guide's ten tables, what a run needs beside them, and the functions that load it

The SQL stands as it is run: the guide's tables can be read against the guide, and what SQLAlchemy has no word for
(triggers, definer functions, grants) stands beside them.
"""

from alembic import op

revision = "0001_initial"
down_revision = None
branch_labels = None
depends_on = None

# Plain `french` does not find «periodique»; its stemmer must see words without accents.
SEARCH = """
CREATE EXTENSION IF NOT EXISTS unaccent WITH SCHEMA public;
CREATE TEXT SEARCH CONFIGURATION public.french_unaccent (COPY = pg_catalog.french);
ALTER TEXT SEARCH CONFIGURATION public.french_unaccent
  ALTER MAPPING FOR hword, hword_part, word WITH public.unaccent, french_stem;
"""

PEOPLE = """
CREATE TABLE users (
  id TEXT PRIMARY KEY,
  email TEXT NOT NULL UNIQUE,
  name TEXT,
  role TEXT NOT NULL DEFAULT 'pending' CHECK (role IN ('pending', 'viewer', 'editor', 'admin')),
  created_at TIMESTAMPTZ DEFAULT now(),
  updated_at TIMESTAMPTZ DEFAULT now(),
  last_login TIMESTAMPTZ
);

CREATE TABLE audit_events (
  id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
  actor TEXT NOT NULL DEFAULT '',
  event TEXT NOT NULL,
  kind TEXT,
  target_id TEXT,
  details JSONB,
  prev_hash BYTEA,
  row_hash BYTEA NOT NULL DEFAULT ''
);

CREATE TABLE installation (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL
);
"""

RUNS = """
CREATE TABLE files (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  user_id TEXT NOT NULL,
  filename TEXT NOT NULL,
  original_filename TEXT NOT NULL,
  size BIGINT NOT NULL,
  mime_type TEXT NOT NULL DEFAULT 'text/csv',
  path TEXT NOT NULL,
  uploaded_at TIMESTAMPTZ DEFAULT now(),
  deleted_at TIMESTAMPTZ,
  sha256 TEXT,
  CONSTRAINT fk_user FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE
);
CREATE INDEX idx_files_user_id ON files (user_id);
CREATE INDEX idx_files_uploaded_at ON files (uploaded_at);

CREATE TABLE validation_runs (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  file_id UUID NOT NULL,
  user_id TEXT NOT NULL,
  status TEXT NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'processing', 'completed', 'failed')),
  record_count INTEGER DEFAULT 0,
  error_count INTEGER DEFAULT 0,
  warning_count INTEGER DEFAULT 0,
  progress INTEGER DEFAULT 0 CHECK (progress BETWEEN 0 AND 100),
  created_at TIMESTAMPTZ DEFAULT now(),
  started_at TIMESTAMPTZ,
  completed_at TIMESTAMPTZ,
  error_message TEXT,
  phi_redaction_enabled BOOLEAN DEFAULT true,
  number BIGINT NOT NULL GENERATED ALWAYS AS IDENTITY UNIQUE,
  run_date DATE,
  error_code TEXT,
  info_count INTEGER NOT NULL DEFAULT 0,
  line_count INTEGER NOT NULL DEFAULT 0,
  rejected_count INTEGER NOT NULL DEFAULT 0,
  lines_in_error INTEGER NOT NULL DEFAULT 0,
  lines_in_warning INTEGER NOT NULL DEFAULT 0,
  at_risk NUMERIC(18,2) NOT NULL DEFAULT 0,
  to_repay NUMERIC(18,2) NOT NULL DEFAULT 0,
  gain NUMERIC(18,2) NOT NULL DEFAULT 0,
  encoding TEXT,
  delimiter TEXT,
  rules_version TEXT,
  reference_version TEXT,
  engine_version TEXT,
  fingerprint_key TEXT,
  CONSTRAINT fk_file FOREIGN KEY (file_id) REFERENCES files(id) ON DELETE CASCADE,
  CONSTRAINT fk_user FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE
);
CREATE INDEX idx_validation_runs_status ON validation_runs (status);
CREATE INDEX idx_validation_runs_user_id ON validation_runs (user_id);
CREATE INDEX idx_validation_runs_created_at ON validation_runs (created_at);
CREATE INDEX idx_validation_runs_file_id ON validation_runs (file_id);

CREATE TABLE billing_records (
  id UUID NOT NULL DEFAULT gen_random_uuid(),
  validation_run_id UUID NOT NULL,
  row_number INTEGER NOT NULL,
  facture TEXT,
  id_ramq TEXT,
  date_de_service DATE NOT NULL,
  debut TIME,
  fin TIME,
  lieu_de_pratique TEXT,
  secteur_activite TEXT,
  diagnostic TEXT,
  code TEXT NOT NULL,
  unites TEXT,
  role TEXT,
  element_de_contexte TEXT,
  montant_preliminaire NUMERIC(10,2),
  montant_paye NUMERIC(10,2),
  doctor TEXT,
  patient TEXT,
  created_at TIMESTAMPTZ DEFAULT now(),
  periode TEXT,
  doctor_name TEXT,
  patient_name TEXT,
  PRIMARY KEY (validation_run_id, id),
  UNIQUE (validation_run_id, row_number),
  CONSTRAINT fk_validation_run FOREIGN KEY (validation_run_id) REFERENCES validation_runs(id) ON DELETE CASCADE
) PARTITION BY LIST (validation_run_id);
CREATE INDEX idx_billing_records_validation_run_id ON billing_records (validation_run_id);
CREATE INDEX idx_billing_records_patient ON billing_records (patient);
CREATE INDEX idx_billing_records_date_service ON billing_records (date_de_service);

CREATE TABLE rejected_records (
  id UUID NOT NULL DEFAULT gen_random_uuid(),
  validation_run_id UUID NOT NULL,
  row_number INTEGER,
  line_number INTEGER NOT NULL,
  error_code TEXT NOT NULL,
  column_name TEXT,
  raw TEXT,
  created_at TIMESTAMPTZ DEFAULT now(),
  PRIMARY KEY (validation_run_id, id),
  CONSTRAINT fk_validation_run FOREIGN KEY (validation_run_id) REFERENCES validation_runs(id) ON DELETE CASCADE
) PARTITION BY LIST (validation_run_id);
CREATE INDEX idx_rejected_records_validation_run_id ON rejected_records (validation_run_id);

CREATE TABLE validation_results (
  id UUID NOT NULL DEFAULT gen_random_uuid(),
  validation_run_id UUID NOT NULL,
  rule_id TEXT NOT NULL,
  severity TEXT NOT NULL CHECK (severity IN ('error', 'warning', 'info')),
  message TEXT NOT NULL,
  invoice TEXT,
  patient TEXT,
  code TEXT,
  amount NUMERIC(10,2),
  date_service DATE,
  row_number INTEGER,
  created_at TIMESTAMPTZ DEFAULT now(),
  doctor TEXT,
  category TEXT,
  rule_version INTEGER,
  fingerprint TEXT,
  details JSONB,
  related INTEGER[],
  PRIMARY KEY (validation_run_id, id),
  CONSTRAINT fk_validation_run FOREIGN KEY (validation_run_id) REFERENCES validation_runs(id) ON DELETE CASCADE
) PARTITION BY LIST (validation_run_id);
CREATE INDEX idx_validation_results_validation_run_id ON validation_results (validation_run_id);
CREATE INDEX idx_validation_results_severity ON validation_results (severity);

CREATE TABLE validation_logs (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  validation_run_id UUID NOT NULL,
  level TEXT NOT NULL CHECK (level IN ('info', 'warn', 'error', 'debug')),
  source TEXT NOT NULL,
  message TEXT NOT NULL,
  details JSONB,
  created_at TIMESTAMPTZ DEFAULT now(),
  CONSTRAINT fk_validation_run FOREIGN KEY (validation_run_id) REFERENCES validation_runs(id) ON DELETE CASCADE
);
CREATE INDEX idx_validation_logs_validation_run_id ON validation_logs (validation_run_id);

CREATE TABLE run_rules (
  validation_run_id UUID NOT NULL,
  rule_id TEXT NOT NULL,
  rule_version INTEGER NOT NULL,
  lines_checked INTEGER NOT NULL DEFAULT 0,
  lines_skipped INTEGER NOT NULL DEFAULT 0,
  results INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (validation_run_id, rule_id),
  CONSTRAINT fk_validation_run FOREIGN KEY (validation_run_id) REFERENCES validation_runs(id) ON DELETE CASCADE
);

CREATE TABLE run_leases (
  validation_run_id UUID PRIMARY KEY,
  holder TEXT NOT NULL,
  fence BIGINT NOT NULL DEFAULT 1,
  heartbeat_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
  progress INTEGER NOT NULL DEFAULT 0,
  phase TEXT,
  CONSTRAINT fk_validation_run FOREIGN KEY (validation_run_id) REFERENCES validation_runs(id) ON DELETE CASCADE
);
"""

REFERENCE = """
CREATE TABLE codes (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  code TEXT NOT NULL,
  description TEXT NOT NULL,
  tariff_value NUMERIC(10,2),
  place TEXT,
  level_groups TEXT,
  active BOOLEAN DEFAULT true,
  custom_fields JSONB,
  created_at TIMESTAMPTZ DEFAULT now(),
  updated_at TIMESTAMPTZ DEFAULT now(),
  section TEXT,
  level1_group TEXT,
  leaf TEXT,
  role TEXT,
  kind TEXT,
  units NUMERIC(10,2),
  cap NUMERIC(10,2),
  valid_from DATE,
  valid_to DATE,
  source TEXT,
  anchor TEXT,
  trusted BOOLEAN NOT NULL DEFAULT true
);
CREATE INDEX idx_codes_code ON codes (code);
CREATE INDEX idx_codes_description_gin ON codes USING gin (to_tsvector('french_unaccent', description));

CREATE TABLE contexts (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  context TEXT NOT NULL UNIQUE,
  description TEXT NOT NULL,
  active BOOLEAN DEFAULT true,
  custom_fields JSONB,
  created_at TIMESTAMPTZ DEFAULT now(),
  updated_at TIMESTAMPTZ DEFAULT now(),
  aliases TEXT[] NOT NULL DEFAULT '{}',
  kind TEXT,
  source TEXT
);

CREATE TABLE establishments (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  code TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  city TEXT,
  region TEXT,
  active BOOLEAN DEFAULT true,
  custom_fields JSONB,
  created_at TIMESTAMPTZ DEFAULT now(),
  updated_at TIMESTAMPTZ DEFAULT now()
);

CREATE TABLE rules (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  name TEXT NOT NULL UNIQUE,
  category TEXT NOT NULL,
  condition JSONB NOT NULL,
  threshold NUMERIC(10,2),
  enabled BOOLEAN DEFAULT true,
  version INTEGER DEFAULT 1,
  created_at TIMESTAMPTZ DEFAULT now(),
  updated_at TIMESTAMPTZ DEFAULT now(),
  active BOOLEAN DEFAULT true,
  severity TEXT NOT NULL DEFAULT 'error' CHECK (severity IN ('error', 'warning', 'info')),
  label JSONB NOT NULL DEFAULT '{}',
  message JSONB NOT NULL DEFAULT '{}',
  solution JSONB NOT NULL DEFAULT '{}',
  source TEXT,
  confidence TEXT,
  valid_from DATE,
  valid_to DATE
);
CREATE INDEX idx_rules_enabled ON rules (enabled);

CREATE TABLE rule_versions (
  name TEXT NOT NULL,
  version INTEGER NOT NULL,
  rule JSONB NOT NULL,
  author TEXT,
  note TEXT,
  created_at TIMESTAMPTZ DEFAULT now(),
  PRIMARY KEY (name, version)
);

CREATE TABLE holidays (
  date DATE NOT NULL,
  applies_to TEXT NOT NULL DEFAULT 'all',
  name TEXT NOT NULL,
  PRIMARY KEY (date, applies_to)
);

CREATE TABLE reference_state (
  table_name TEXT PRIMARY KEY,
  trusted BOOLEAN NOT NULL DEFAULT false,
  source TEXT,
  version TEXT,
  rows BIGINT NOT NULL DEFAULT 0,
  updated_at TIMESTAMPTZ DEFAULT now()
);
"""

ROLLUPS = """
CREATE TABLE rollup_days (
  validation_run_id UUID NOT NULL,
  date_de_service DATE NOT NULL,
  doctor TEXT NOT NULL,
  lieu_de_pratique TEXT NOT NULL,
  lines INTEGER NOT NULL DEFAULT 0,
  lines_in_error INTEGER NOT NULL DEFAULT 0,
  lines_in_warning INTEGER NOT NULL DEFAULT 0,
  invoices INTEGER NOT NULL DEFAULT 0,
  clean_invoices INTEGER NOT NULL DEFAULT 0,
  at_risk NUMERIC(18,2) NOT NULL DEFAULT 0,
  to_repay NUMERIC(18,2) NOT NULL DEFAULT 0,
  gain NUMERIC(18,2) NOT NULL DEFAULT 0,
  patients INTEGER NOT NULL DEFAULT 0,
  patients_paid INTEGER NOT NULL DEFAULT 0,
  registered INTEGER NOT NULL DEFAULT 0,
  registered_paid INTEGER NOT NULL DEFAULT 0,
  walk_in INTEGER NOT NULL DEFAULT 0,
  walk_in_paid INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (validation_run_id, date_de_service, doctor, lieu_de_pratique),
  CONSTRAINT fk_validation_run FOREIGN KEY (validation_run_id) REFERENCES validation_runs(id) ON DELETE CASCADE
);

CREATE TABLE rollup_rules (
  validation_run_id UUID NOT NULL,
  date_de_service DATE NOT NULL,
  doctor TEXT NOT NULL,
  lieu_de_pratique TEXT NOT NULL,
  rule_id TEXT NOT NULL,
  severity TEXT NOT NULL CHECK (severity IN ('error', 'warning', 'info')),
  category TEXT,
  results INTEGER NOT NULL DEFAULT 0,
  lines INTEGER NOT NULL DEFAULT 0,
  amount NUMERIC(18,2) NOT NULL DEFAULT 0,
  PRIMARY KEY (validation_run_id, date_de_service, doctor, lieu_de_pratique, rule_id, severity),
  CONSTRAINT fk_validation_run FOREIGN KEY (validation_run_id) REFERENCES validation_runs(id) ON DELETE CASCADE
);

CREATE TABLE rollup_contexts (
  validation_run_id UUID NOT NULL,
  code TEXT NOT NULL,
  context TEXT NOT NULL,
  lines INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (validation_run_id, code, context),
  CONSTRAINT fk_validation_run FOREIGN KEY (validation_run_id) REFERENCES validation_runs(id) ON DELETE CASCADE
);

CREATE TABLE rollup_doctor_days (
  validation_run_id UUID NOT NULL,
  date_de_service DATE NOT NULL,
  doctor TEXT NOT NULL,
  patients INTEGER NOT NULL DEFAULT 0,
  patients_paid INTEGER NOT NULL DEFAULT 0,
  registered INTEGER NOT NULL DEFAULT 0,
  registered_paid INTEGER NOT NULL DEFAULT 0,
  walk_in INTEGER NOT NULL DEFAULT 0,
  walk_in_paid INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (validation_run_id, date_de_service, doctor),
  CONSTRAINT fk_validation_run FOREIGN KEY (validation_run_id) REFERENCES validation_runs(id) ON DELETE CASCADE
);
CREATE INDEX idx_rollup_doctor_days_doctor ON rollup_doctor_days (doctor, date_de_service);

CREATE TABLE rollup_run_days (
  validation_run_id UUID NOT NULL,
  date_de_service DATE NOT NULL,
  patients INTEGER NOT NULL DEFAULT 0,
  registered INTEGER NOT NULL DEFAULT 0,
  walk_in INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (validation_run_id, date_de_service),
  CONSTRAINT fk_validation_run FOREIGN KEY (validation_run_id) REFERENCES validation_runs(id) ON DELETE CASCADE
);
"""

# The server's own word on when a row changed, whoever changes it.
TOUCHED = ("users", "codes", "contexts", "establishments", "rules", "reference_state")
TOUCH = """
CREATE FUNCTION set_updated_at() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  NEW.updated_at := now();
  RETURN NEW;
END $$;
"""

# Who acts: the person of this database login, or, on a machine of one person, that person.
# The first to enter an empty installation is its admin; two at once are put in a row by the lock.
WHO = """
CREATE FUNCTION acting_user() RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT coalesce(
    (SELECT id FROM users WHERE id = 'db|' || session_user),
    (SELECT id FROM users WHERE id LIKE 'local|%' ORDER BY last_login DESC NULLS LAST LIMIT 1),
    session_user)
$$;

CREATE FUNCTION enter(id text, email text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
#variable_conflict use_column
DECLARE granted text;
BEGIN
  PERFORM pg_advisory_xact_lock(20161);
  INSERT INTO users AS person (id, email, role, last_login)
  VALUES (enter.id, enter.email, CASE WHEN EXISTS (SELECT FROM users) THEN 'pending' ELSE 'admin' END, now())
  ON CONFLICT (id) DO UPDATE SET email = excluded.email, last_login = now()
  RETURNING person.role INTO granted;
  RETURN granted;
END $$;
"""

# Numbered under the lock, not by the sequence: the order of ids is the order of the chain, and a gap is a deletion.
AUDIT = """
CREATE FUNCTION audit_hash(e audit_events) RETURNS bytea
LANGUAGE sql STABLE SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT sha256(coalesce(e.prev_hash, '') || convert_to(jsonb_build_array(
    e.id, to_char(e.at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US'), e.actor, e.event, e.kind, e.target_id, e.details
  )::text, 'UTF8'))
$$;

CREATE FUNCTION chain_audit_event() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE last audit_events;
BEGIN
  PERFORM pg_advisory_xact_lock(20162);
  SELECT * INTO last FROM audit_events ORDER BY id DESC LIMIT 1;
  NEW.id := coalesce(last.id, 0) + 1;
  NEW.at := clock_timestamp();
  NEW.actor := acting_user();
  NEW.prev_hash := last.row_hash;
  NEW.row_hash := audit_hash(NEW);
  RETURN NEW;
END $$;

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  RAISE EXCEPTION 'audit_events is append-only' USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE TRIGGER chain BEFORE INSERT ON audit_events FOR EACH ROW EXECUTE FUNCTION chain_audit_event();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_events
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""

# A load, in this order: start_load, COPY, finish_load, roll-ups, attach_load, the run's status; then commit.
# Nothing before attach_load touches validation_runs or a parent table with more than a reader's lock.
LOADING = """
-- The parents, each with the name of its table for a run, whether or not that exists.
CREATE FUNCTION run_tables(run uuid, OUT parent text, OUT child text) RETURNS SETOF record
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT parent, parent || '_' || replace(run::text, '-', '')
  FROM unnest(ARRAY['billing_records', 'validation_results', 'rejected_records']) AS parent
$$;

CREATE FUNCTION start_load(run uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE t record;
BEGIN
  FOR t IN SELECT * FROM run_tables(run) LOOP
    EXECUTE format(
      'CREATE TABLE public.%I (LIKE public.%I INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', t.child, t.parent);
    EXECUTE format('ALTER TABLE public.%I ALTER validation_run_id SET DEFAULT %L', t.child, run);
    EXECUTE format('GRANT SELECT, INSERT ON public.%I TO dashlib_app', t.child);
  END LOOP;
END $$;

-- One table of a load, or all: what the parent has, so that attach_load builds nothing, and the CHECK that spares it
-- reading every line.
CREATE FUNCTION finish_load(run uuid, of text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
SET maintenance_work_mem = '256MB' SET max_parallel_maintenance_workers = 2 AS $$
DECLARE
  t record;
  i record;
BEGIN
  FOR t IN SELECT * FROM run_tables(run) WHERE parent = coalesce(of, parent) LOOP
    FOR i IN
      SELECT pg_get_constraintdef(c.oid) AS key, substring(pg_get_indexdef(x.indexrelid) FROM ' USING .*') AS method
      FROM pg_index x LEFT JOIN pg_constraint c ON c.conindid = x.indexrelid AND c.contype IN ('p', 'u')
      WHERE x.indrelid = format('public.%I', t.parent)::regclass
      ORDER BY x.indexrelid
    LOOP
      IF i.key IS NULL THEN
        EXECUTE format('CREATE INDEX ON public.%I %s', t.child, i.method);
      ELSE
        EXECUTE format('ALTER TABLE public.%I ADD %s', t.child, i.key);
      END IF;
    END LOOP;
    EXECUTE format('ALTER TABLE public.%I ADD CHECK (validation_run_id = %L)', t.child, run);
  END LOOP;
END $$;

-- A table without lines is not worth a partition. One that is attached is read through its parent only.
CREATE FUNCTION attach_load(run uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  t record;
  filled boolean;
BEGIN
  FOR t IN SELECT * FROM run_tables(run) LOOP
    EXECUTE format('SELECT EXISTS (SELECT FROM public.%I)', t.child) INTO filled;
    IF filled THEN
      EXECUTE format('REVOKE ALL ON public.%I FROM dashlib_app', t.child);
      EXECUTE format('ALTER TABLE public.%I ATTACH PARTITION public.%I FOR VALUES IN (%L)', t.parent, t.child, run);
    ELSE
      EXECUTE format('DROP TABLE public.%I', t.child);
    END IF;
  END LOOP;
END $$;

-- Clearing destroys: the tables of a run that are named, or all of them. It gives way rather than hold up all readers.
CREATE FUNCTION drop_run_tables(
  run uuid, tables text[] DEFAULT ARRAY['billing_records', 'validation_results', 'rejected_records']
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET lock_timeout = '5s' AS $$
DECLARE t record;
BEGIN
  FOR t IN SELECT * FROM run_tables(run) WHERE parent = ANY (tables) LOOP
    EXECUTE format('DROP TABLE IF EXISTS public.%I', t.child);
  END LOOP;
END $$;
"""

# What the library may do as dashlib_app. Lines come in by start_load and go by drop_run_tables only; people come in by
# enter; what is written once (logs, events, versions of rules) is never changed.
GRANTS = """
GRANT USAGE ON SCHEMA public TO dashlib_app;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO dashlib_app;
GRANT INSERT ON validation_logs, audit_events, rule_versions, installation TO dashlib_app;
GRANT INSERT, UPDATE, DELETE ON
  files, validation_runs, run_rules, run_leases,
  codes, contexts, establishments, rules, holidays, reference_state,
  rollup_days, rollup_rules, rollup_contexts, rollup_doctor_days, rollup_run_days
  TO dashlib_app;
GRANT UPDATE (patient, doctor) ON validation_results TO dashlib_app;
"""
FOR_APP = (
    "enter(text, text)",
    "acting_user()",
    "start_load(uuid)",
    "finish_load(uuid, text)",
    "attach_load(uuid)",
    "drop_run_tables(uuid, text[])",
)
FOR_NOBODY = ("set_updated_at()", "audit_hash(audit_events)", "chain_audit_event()", "refuse_change()",
              "run_tables(uuid)")  # fmt: skip

# The tables of loads that never ended are not attached to anything, and hold lines.
DOWN = r"""
DO $$
DECLARE name text;
BEGIN
  FOR name IN
    SELECT tablename FROM pg_tables
    WHERE schemaname = 'public' AND tablename ~ '^(billing_records|validation_results|rejected_records)_[0-9a-f]{32}$'
  LOOP
    EXECUTE format('DROP TABLE IF EXISTS public.%I', name);
  END LOOP;
END $$;
DROP TABLE rollup_days, rollup_rules, rollup_contexts, rollup_doctor_days, rollup_run_days,
  run_leases, run_rules, validation_logs, validation_results, rejected_records, billing_records, validation_runs, files,
  reference_state, holidays, rule_versions, rules, establishments, contexts, codes, installation, users CASCADE;
DROP FUNCTION audit_hash(audit_events);
DROP TABLE audit_events;
DROP FUNCTION set_updated_at, acting_user, enter, chain_audit_event, refuse_change,
  start_load, finish_load, attach_load, drop_run_tables, run_tables;
DROP TEXT SEARCH CONFIGURATION public.french_unaccent;
DROP EXTENSION unaccent;
"""


def upgrade() -> None:
    for statements in (SEARCH, PEOPLE, RUNS, REFERENCE, ROLLUPS, TOUCH, WHO, AUDIT, LOADING, GRANTS):
        op.execute(statements)
    for table in TOUCHED:
        op.execute(
            f"CREATE TRIGGER set_updated_at BEFORE UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION set_updated_at()"
        )
    for function in (*FOR_APP, *FOR_NOBODY):
        op.execute(f"REVOKE EXECUTE ON FUNCTION {function} FROM PUBLIC")
    for function in FOR_APP:
        op.execute(f"GRANT EXECUTE ON FUNCTION {function} TO dashlib_app")


def downgrade() -> None:
    op.execute(DOWN)
