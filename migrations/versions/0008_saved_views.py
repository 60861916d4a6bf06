"""Views of the explorer that people keep, and what it asks of each result: place, RAMQ id, whether its line is paid

The three stand with the result, for the lines are cleared long before it; a place that is no place's number may be
anything, a name too, and is not kept. Results are found by their number in a run, and by their fingerprint in all runs.
"""

from alembic import op

revision = "0008_saved_views"
down_revision = "0007_schedules"
branch_labels = None
depends_on = None

UP = """
CREATE TABLE saved_views (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  user_id TEXT NOT NULL,
  name TEXT NOT NULL,
  query JSONB NOT NULL,
  created_at TIMESTAMPTZ DEFAULT now(),
  updated_at TIMESTAMPTZ DEFAULT now(),
  UNIQUE (user_id, name),
  CONSTRAINT fk_user FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE
);
GRANT SELECT, INSERT, UPDATE, DELETE ON saved_views TO dashlib_app;
CREATE TRIGGER set_updated_at BEFORE UPDATE ON saved_views FOR EACH ROW EXECUTE FUNCTION set_updated_at();

ALTER TABLE validation_results
  ADD COLUMN lieu_de_pratique TEXT,
  ADD COLUMN id_ramq TEXT,
  ADD COLUMN is_paid BOOLEAN;

UPDATE validation_results AS result SET
  lieu_de_pratique = substring(
    CASE WHEN line.lieu_de_pratique ~ '^[0-9]{1,5}$' THEN lpad(line.lieu_de_pratique, 5, '0')
    ELSE line.lieu_de_pratique END
    FROM '^(?:[0-9]{5}|[A-Z][0-9][A-Z] ?[0-9][A-Z][0-9])$'),
  id_ramq = line.id_ramq,
  is_paid = coalesce(line.montant_paye > 0, false)
FROM billing_records AS line
WHERE line.validation_run_id = result.validation_run_id AND line.row_number = result.row_number;

CREATE INDEX idx_validation_results_number ON validation_results (validation_run_id, number);
CREATE INDEX idx_validation_results_fingerprint ON validation_results (fingerprint);
"""

DOWN = """
DROP INDEX idx_validation_results_number, idx_validation_results_fingerprint;
ALTER TABLE validation_results DROP COLUMN lieu_de_pratique, DROP COLUMN id_ramq, DROP COLUMN is_paid;
DROP TABLE saved_views;
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
