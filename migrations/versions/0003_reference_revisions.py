"""A number for each cached table that changes with its rows, whoever changes them

A cached value carries the number that it was read at. So nobody needs to be told of a change: who has an older number
reads again, also after an import in another process, a statement in psql, or a restored backup.
"""

from alembic import op

revision = "0003_reference_revisions"
down_revision = "0002_acknowledgements"
branch_labels = None
depends_on = None

CACHED = ("codes", "contexts", "establishments", "holidays", "rules")

TABLE = """
CREATE TABLE reference_revisions (
  table_name TEXT PRIMARY KEY,
  revision BIGINT NOT NULL
);
GRANT SELECT ON reference_revisions TO dashlib_app;
"""

# The revision is the time in microseconds, and always higher than the last: so two databases that share a cache, or a
# restored one and its past, never have the same number for other rows. A second writer of the same table waits here for
# the first one's commit. A load of many single statements raises it once, for nobody sees what lies in between.
FUNCTION = """
CREATE FUNCTION raise_revision() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  mark text := 'dashlib.raised_' || TG_TABLE_NAME;
BEGIN
  IF current_setting(mark, true) IS DISTINCT FROM pg_current_xact_id()::text THEN
    INSERT INTO reference_revisions AS known (table_name, revision)
    VALUES (TG_TABLE_NAME, extract(epoch FROM clock_timestamp()) * 1000000)
    ON CONFLICT (table_name) DO UPDATE SET revision = greatest(known.revision + 1, excluded.revision);
    PERFORM set_config(mark, pg_current_xact_id()::text, true);
  END IF;
  RETURN NULL;
END $$;
REVOKE EXECUTE ON FUNCTION raise_revision() FROM PUBLIC;
"""


def upgrade() -> None:
    op.execute(TABLE)
    op.execute(FUNCTION)
    for table in CACHED:
        # A table without a number is empty, and has never been anything else.
        op.execute(
            f"INSERT INTO reference_revisions SELECT '{table}', extract(epoch FROM clock_timestamp()) * 1000000 "
            f"WHERE EXISTS (SELECT FROM {table})"
        )
        op.execute(
            f"CREATE TRIGGER raise_revision AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION raise_revision()"
        )


def downgrade() -> None:
    for table in CACHED:
        op.execute(f"DROP TRIGGER raise_revision ON {table}")
    op.execute("DROP FUNCTION raise_revision()")
    op.execute("DROP TABLE reference_revisions")
