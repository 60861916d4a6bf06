"""What clerks did with results

A clerk's tick and note on a result, as the workbook that came back says them. They are of a fingerprint, so that they
are seen in every run of their owner that finds the same again. The newest word counts, and the logs keep how many
there were.
"""

from alembic import op

revision = "0009_followup"
down_revision = "0008_saved_views"
branch_labels = None
depends_on = None

UP = """
CREATE TABLE result_followups (
  user_id TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  done BOOLEAN NOT NULL,
  note TEXT,
  author TEXT NOT NULL,
  said_at TIMESTAMPTZ NOT NULL,
  created_at TIMESTAMPTZ DEFAULT now(),
  PRIMARY KEY (user_id, fingerprint),
  CONSTRAINT fk_user FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE
);

GRANT SELECT, INSERT, UPDATE (done, note, author, said_at, created_at) ON result_followups TO dashlib_app;
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute("DROP TABLE result_followups")
