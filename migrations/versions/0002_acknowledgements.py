"""Results that were set aside, and what naming and comparing results asks: a number, a mark of the line, the money

A result kept by an earlier version gets its number, but has neither mark nor money: it cannot be set aside, and its
money is unknown.
"""

from alembic import op

revision = "0002_acknowledgements"
down_revision = "0001_initial"
branch_labels = None
depends_on = None

# One line of a fingerprint is set aside once; a change of the line gives another mark, and nothing is ever deleted.
UP = """
ALTER TABLE validation_results
  ADD COLUMN number INTEGER,
  ADD COLUMN line_mark TEXT,
  ADD COLUMN at_risk NUMERIC(10,2),
  ADD COLUMN to_repay NUMERIC(10,2),
  ADD COLUMN gain NUMERIC(10,2);

UPDATE validation_results AS result SET number = ranked.number
FROM (
  SELECT validation_run_id, id, row_number() OVER (
    PARTITION BY validation_run_id
    ORDER BY
      array_position(ARRAY['error', 'warning', 'info'], severity), row_number NULLS FIRST, rule_id COLLATE "C", id
  ) AS number
  FROM validation_results
) AS ranked
WHERE ranked.validation_run_id = result.validation_run_id AND ranked.id = result.id;

CREATE TABLE result_acknowledgements (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  user_id TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  line_mark TEXT NOT NULL,
  rule_id TEXT NOT NULL,
  reason TEXT NOT NULL CHECK (reason IN ('contexte_valide', 'erreur_de_regle', 'accepte', 'autre')),
  note TEXT,
  author TEXT NOT NULL,
  until DATE,
  created_at TIMESTAMPTZ DEFAULT now(),
  revoked_at TIMESTAMPTZ,
  revoked_by TEXT,
  CONSTRAINT fk_user FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX idx_result_acknowledgements_standing
  ON result_acknowledgements (user_id, fingerprint, line_mark) WHERE revoked_at IS NULL;

GRANT SELECT, INSERT, UPDATE (revoked_at, revoked_by) ON result_acknowledgements TO dashlib_app;
"""

DOWN = """
DROP TABLE result_acknowledgements;
ALTER TABLE validation_results
  DROP COLUMN number, DROP COLUMN line_mark, DROP COLUMN at_risk, DROP COLUMN to_repay, DROP COLUMN gain;
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
