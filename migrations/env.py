"""How Alembic reaches the database: with the connection that dashlib hands it, or by the settings (`alembic …`)."""

from alembic import context
from sqlalchemy import Connection, text
from sqlalchemy.schema import SchemaItem

from dashlib.schema import PARTITION, Base

# Any number will do, as long as all migrations wait for the same one.
MIGRATING = text("SELECT pg_advisory_xact_lock(20160)")


def run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        include_object=is_ours,
        compare_server_default=True,
    )
    with context.begin_transaction():
        connection.execute(MIGRATING)
        context.run_migrations()


def is_ours(item: SchemaItem, name: str | None, kind: str, reflected: bool, other: SchemaItem | None) -> bool:
    """Leaves out the tables of single runs."""
    return not (kind == "table" and name and PARTITION.match(name))


if given := context.config.attributes.get("connection"):
    run(given)
else:
    from dashlib.database import open_database
    from dashlib.settings import read_settings

    with open_database(read_settings(), check=False).owner() as connection:
        run(connection)
