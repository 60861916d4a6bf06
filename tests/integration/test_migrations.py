import subprocess
from dataclasses import replace
from io import StringIO

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext

from dashlib import database as databases
from dashlib.database import (
    downgrade,
    migrate,
    new_revision,
    open_database,
    revisions,
    show,
    status,
    stop,
)
from dashlib.embedded import Cluster, find_programs
from dashlib.errors import DatabaseUnavailable
from dashlib.resources import folder
from dashlib.schema import PARTITION, Base
from dashlib.settings import Settings
from tests.conftest import HASTY
from tests.integration.loading import load, run

pytestmark = pytest.mark.database

# What PostgreSQL itself says of every table, in words that do not depend on how it came to be.
COLUMNS = """
    SELECT table_name, ordinal_position, column_name, data_type, udt_name, numeric_precision, numeric_scale,
           is_nullable, column_default, is_identity
    FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'alembic_version'
      AND table_name NOT LIKE 'pg_stat%' ORDER BY 1, 2"""
CONSTRAINTS = """
    SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE connamespace = 'public'::regnamespace AND conrelid <> coalesce(to_regclass('alembic_version'), 0)
    ORDER BY 1, 2"""
INDEXES = """
    SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'alembic_version'
    ORDER BY 1"""
OBJECTS = """
    SELECT relkind::text, relname FROM pg_class WHERE relnamespace = 'public'::regnamespace
      AND relname NOT LIKE 'alembic_version%' AND relname NOT LIKE 'pg_stat%'
    UNION ALL SELECT 'f', proname FROM pg_proc
      WHERE pronamespace = 'public'::regnamespace AND proname NOT LIKE 'pg_stat%'
    UNION ALL SELECT 'c', cfgname FROM pg_ts_config WHERE cfgnamespace = 'public'::regnamespace"""

GUIDES_INDEXES = {
    "idx_billing_records_validation_run_id",
    "idx_billing_records_patient",
    "idx_billing_records_date_service",
    "idx_validation_results_validation_run_id",
    "idx_validation_results_severity",
    "idx_codes_code",
    "idx_codes_description_gin",
    "idx_validation_runs_status",
    "idx_validation_logs_validation_run_id",
}


def ask(database, question):
    with database.owner() as connection:
        return [tuple(row) for row in connection.execute(sa.text(question))]


def test_models_and_migrations_build_the_same_tables(blank, database):
    with blank.owner() as connection:
        connection.execute(sa.text("CREATE TEXT SEARCH CONFIGURATION french_unaccent (COPY = french)"))
        Base.metadata.create_all(connection)
    for question in (COLUMNS, CONSTRAINTS, INDEXES):
        assert ask(blank, question) == ask(database, question)


def test_alembic_finds_no_difference_with_a_run_loaded(database):
    with database.connect() as connection:
        load(connection, run(connection))
    with database.owner() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        partitions = {t for t in sa.inspect(connection).get_table_names() if PARTITION.match(t)}
        differences = compare_metadata(context, Base.metadata)
    assert len(partitions) == 3
    assert {d[1].name if d[0] == "remove_table" else d[1].table.name for d in differences} == partitions


def test_a_new_revision_of_unchanged_tables_is_empty(database, monkeypatch, tmp_path):
    with database.connect() as connection:
        load(connection, run(connection))
    copy = tmp_path / "migrations"
    subprocess.run(["cp", "-r", folder("migrations"), copy], check=True)
    monkeypatch.setattr(databases, "folder", lambda name: copy)
    written = new_revision(database, "Nothing new")
    assert written.name == f"{len(revisions()):04}_nothing_new.py"
    assert written.read_text().count("    pass\n") == 2


def test_the_guides_nine_indexes_have_their_names(database):
    assert {name for name, _ in ask(database, INDEXES)} >= GUIDES_INDEXES


def test_up_down_and_up_again_leave_nothing_and_build_the_same(database):
    before = ask(database, OBJECTS)
    with database.connect() as connection:
        load(connection, run(connection))
        connection.execute(sa.text("SELECT start_load(gen_random_uuid())"))
    downgrade(database, "base")
    assert ask(database, OBJECTS) == []
    migrate(database)
    assert sorted(ask(database, OBJECTS)) == sorted(before)


def test_a_database_that_holds_data_is_backed_up_first_and_can_be_restored(database, blank):
    with database.connect() as connection:
        load(connection, run(connection))
    file = downgrade(database, "base")
    assert file.stat().st_mode & 0o077 == 0
    assert file.parent.stat().st_mode & 0o077 == 0
    assert [each.name for each in file.parent.iterdir()] == [file.name]
    programs = find_programs(None, spare=file.parent)
    login = blank.login("dashlib_owner")
    subprocess.run([programs / "pg_restore", "-d", login, "--no-comments", file], check=True)
    with blank.connect() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM billing_records")) == 3


def test_an_empty_database_and_one_told_not_to_are_not_backed_up(database):
    assert downgrade(database, "base") is None
    assert migrate(database) is None
    with database.connect() as connection:
        run(connection)
    assert downgrade(database, "base", backup=False) is None


def test_nothing_changes_when_there_can_be_no_backup(database, tmp_path):
    with database.connect() as connection:
        run(connection)
    without_pg_dump = replace(database, settings=Settings(DATABASE_URL=None, home=tmp_path, pg_bin=tmp_path))
    with pytest.raises(DatabaseUnavailable, match="DL-DB-008"):
        downgrade(without_pg_dump, "base")
    without_pg_dump.close()
    assert database.revision() == revisions()[-1]


def test_the_last_migration_is_the_one_that_alembic_calls_head(database):
    listed = show(database)
    assert [name for name, _, _ in listed] == revisions()
    assert all(done for _, _, done in listed)
    assert status(database)["revision"] == status(database)["newest"] == revisions()[-1]


@pytest.fixture
def settings(short_folder):
    settings = Settings(DATABASE_URL=None, home=short_folder / "first")
    Cluster(settings.home, settings=HASTY).ensure()
    yield settings
    stop(settings)


def test_the_embedded_database_is_migrated_when_first_opened_and_never_again_unasked(settings, monkeypatch):
    opened = open_database(settings)
    assert opened.revision() == revisions()[-1]
    monkeypatch.setattr(databases, "revisions", lambda: [revisions()[-1], "9999_next"])
    with pytest.raises(DatabaseUnavailable, match="DL-DB-002"):
        open_database(settings)
    monkeypatch.setattr(databases, "revisions", lambda: ["0000_earlier"])
    with pytest.raises(DatabaseUnavailable, match="DL-DB-005"):
        open_database(settings)
    opened.close()


def test_alembics_own_command_finds_the_database_by_the_settings(settings, monkeypatch):
    open_database(settings).close()
    monkeypatch.setenv("DASHLIB_HOME", str(settings.home))
    monkeypatch.delenv("DATABASE_URL", raising=False)
    config = Config(stdout=StringIO())
    config.set_main_option("script_location", str(folder("migrations")))
    command.check(config)
    assert "No new upgrade operations detected" in config.stdout.getvalue()
