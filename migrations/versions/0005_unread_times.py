"""Times that could not be read are kept as they stood

What stood in the place of a time that cannot be read is kept too: a line judged again from its record then gives the
same results.
"""

from alembic import op

revision = "0005_unread_times"
down_revision = "0004_reference_imports"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE billing_records ADD COLUMN debut_illisible TEXT, ADD COLUMN fin_illisible TEXT")


def downgrade() -> None:
    op.execute("ALTER TABLE billing_records DROP COLUMN debut_illisible, DROP COLUMN fin_illisible")
