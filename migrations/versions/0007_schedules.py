"""Schedules, their reports, and the queue

The queue is procrastinate's, in a schema of its own, as the library brings it. Its version is held in pyproject.toml:
when a newer one changes its tables, a migration of ours runs the files of procrastinate/sql/migrations that are new.
"""

from alembic import op
from procrastinate.schema import SchemaManager

revision = "0007_schedules"
down_revision = "0006_open_figures"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE schedules (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  user_id TEXT NOT NULL,
  name TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL CHECK (kind IN ('weekly', 'monthly')),
  cron TEXT NOT NULL,
  time_zone TEXT NOT NULL DEFAULT 'America/Toronto',
  options JSONB NOT NULL DEFAULT '{}',
  enabled BOOLEAN NOT NULL DEFAULT true,
  active_since TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
  created_at TIMESTAMPTZ DEFAULT now(),
  updated_at TIMESTAMPTZ DEFAULT now(),
  CONSTRAINT fk_user FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE
);
CREATE TRIGGER set_updated_at BEFORE UPDATE ON schedules FOR EACH ROW EXECUTE FUNCTION set_updated_at();

CREATE TABLE report_runs (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  schedule_id UUID NOT NULL,
  period TEXT NOT NULL,
  since DATE NOT NULL,
  until DATE NOT NULL,
  status TEXT NOT NULL DEFAULT 'waiting' CHECK (status IN ('waiting', 'running', 'done', 'partial', 'failed')),
  attempts INTEGER NOT NULL DEFAULT 0,
  created_at TIMESTAMPTZ DEFAULT now(),
  started_at TIMESTAMPTZ,
  finished_at TIMESTAMPTZ,
  paths TEXT[] NOT NULL DEFAULT '{}',
  failed_sections TEXT[] NOT NULL DEFAULT '{}',
  error_code TEXT,
  mail TEXT NOT NULL DEFAULT 'none' CHECK (mail IN ('none', 'sending', 'sent', 'failed')),
  mail_error TEXT,
  CONSTRAINT fk_schedule FOREIGN KEY (schedule_id) REFERENCES schedules(id) ON DELETE CASCADE,
  UNIQUE (schedule_id, period)
);

GRANT SELECT, INSERT, UPDATE, DELETE ON schedules, report_runs TO dashlib_app;
"""

# The library's words name no schema; its functions look where whoever calls them looks.
ASIDE = """
CREATE SCHEMA procrastinate;
SET LOCAL search_path = procrastinate;
"""
BACK = "SET LOCAL search_path TO DEFAULT"

# What the queue does in its own name, and no more: its history of events is written once, and goes with its job.
GRANTS = """
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA procrastinate FROM PUBLIC;
GRANT USAGE ON SCHEMA procrastinate TO dashlib_app;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA procrastinate TO dashlib_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON
  procrastinate.procrastinate_jobs, procrastinate.procrastinate_workers, procrastinate.procrastinate_periodic_defers
  TO dashlib_app;
GRANT SELECT, INSERT ON procrastinate.procrastinate_events TO dashlib_app;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA procrastinate TO dashlib_app;
"""


def upgrade() -> None:
    for statements in (TABLES, ASIDE, SchemaManager.get_schema(), BACK, GRANTS):
        op.execute(statements)


def downgrade() -> None:
    op.execute("DROP SCHEMA procrastinate CASCADE")
    op.execute("DROP TABLE report_runs, schedules")
