"""Who brought a context, an establishment or a holiday: an import removes only what an import has brought

Rows that are there already are taken for the starter's or for somebody's own, whichever the table is likelier to hold:
neither is removed unasked. Whoever writes without saying who he is, does it by hand.
"""

from alembic import op

revision = "0011_row_origins"
down_revision = "0010_sql_views"
branch_labels = None
depends_on = None

STARTER, ENTERED = "Liste de départ de dashlib", "Saisie"
FIRST = {"contexts": STARTER, "establishments": ENTERED, "holidays": STARTER}


def upgrade() -> None:
    for table, first in FIRST.items():
        # Not by UPDATE, which would change `updated_at`, by which a starter that nobody touched is known.
        op.execute(f"ALTER TABLE {table} ADD COLUMN origin text NOT NULL DEFAULT '{first}'")
        op.execute(f"ALTER TABLE {table} ALTER COLUMN origin SET DEFAULT '{ENTERED}'")


def downgrade() -> None:
    for table in FIRST:
        op.execute(f"ALTER TABLE {table} DROP COLUMN origin")
