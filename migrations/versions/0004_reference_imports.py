"""A tariff ends no earlier than it begins

An import closes a tariff on the day before its successor begins. What the looking up of an old service's tariff relies
upon, the table holds to, whoever writes.
"""

from alembic import op

revision = "0004_reference_imports"
down_revision = "0003_reference_revisions"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE codes ADD CONSTRAINT codes_validity_check CHECK (valid_to >= valid_from)")


def downgrade() -> None:
    op.execute("ALTER TABLE codes DROP CONSTRAINT codes_validity_check")
