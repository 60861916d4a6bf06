import shutil
import subprocess
import threading
import time
import traceback
from contextlib import suppress
from dataclasses import replace

import psycopg
import pytest
import sqlalchemy as sa

from dashlib import database as databases
from dashlib.database import Database, StatementError, downgrade, migrate, open_database, revisions, status
from dashlib.embedded import Cluster
from dashlib.errors import DatabaseUnavailable, UsageError
from dashlib.settings import Settings
from tests.integration.loading import fill, load, run

pytestmark = pytest.mark.database

NAM = "TEST00000000"
LINES = ("billing_records", "validation_results", "rejected_records")

# The schema guide's "Common Queries", as printed there.
RUN_WITH_RESULTS = """
SELECT
  vr.id,
  vr.status,
  vr.record_count,
  vr.error_count,
  COUNT(CASE WHEN res.severity = 'error' THEN 1 END) as errors,
  COUNT(CASE WHEN res.severity = 'warning' THEN 1 END) as warnings
FROM validation_runs vr
LEFT JOIN validation_results res ON res.validation_run_id = vr.id
WHERE vr.id = $1
GROUP BY vr.id;
"""
MOST_COMMON_ERRORS = """
SELECT
  rule_id,
  COUNT(*) as error_count,
  ROUND(COUNT(*) * 100.0 / SUM(COUNT(*)) OVER(), 2) as percentage
FROM validation_results
WHERE severity = 'error'
  AND created_at >= NOW() - INTERVAL '30 days'
GROUP BY rule_id
ORDER BY error_count DESC
LIMIT 10;
"""
PATIENT_DAILY_COUNT = """
SELECT
  date_de_service,
  doctor,
  COUNT(DISTINCT patient) as unique_patients
FROM billing_records
WHERE validation_run_id = $1
GROUP BY date_de_service, doctor
ORDER BY date_de_service;
"""
CODES_NEEDING_CONTEXTS = """
SELECT DISTINCT br.code, c.description
FROM billing_records br
JOIN codes c ON c.code = br.code
LEFT JOIN validation_results vr ON vr.validation_run_id = br.validation_run_id
  AND vr.row_number = br.row_number
WHERE br.element_de_contexte IS NULL
  AND vr.severity = 'error'
  AND vr.message LIKE '%context%'
LIMIT 50;
"""


def do(database, statement, **values):
    with database.connect() as connection:
        answer = connection.execute(sa.text(statement), values)
        return [tuple(row) for row in answer] if answer.returns_rows else []


@pytest.fixture
def loaded(database):
    with database.connect() as connection:
        run_id = run(connection)
        load(connection, run_id, lines=7)
    return run_id


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE mine (n int)",
        "CREATE TEMPORARY TABLE mine (n int)",
        "SET ROLE dashlib_owner",
        "DROP TABLE codes",
        "ALTER TABLE audit_events DISABLE TRIGGER ALL",
        "UPDATE users SET role = 'admin'",
        "INSERT INTO users (id, email, role) VALUES ('x', 'x', 'admin')",
        "DELETE FROM billing_records",
        "INSERT INTO billing_records (validation_run_id) VALUES (gen_random_uuid())",
        "UPDATE rule_versions SET note = ''",
        "UPDATE installation SET value = ''",
        "DELETE FROM validation_logs",
        "DELETE FROM audit_events",
        "SELECT run_tables(gen_random_uuid())",
    ],
)
def test_the_library_may_not(database, statement):
    with pytest.raises(StatementError, match="42501"):
        do(database, statement)


def test_the_library_is_nobody_special_and_owns_nothing(database, loaded):
    assert do(database, "SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user") == [(False, False)]
    assert do(database, "SELECT relname FROM pg_class WHERE relowner = current_user::regrole") == []


def test_a_runs_own_table_is_read_through_its_parent_only(database, loaded):
    assert do(database, "SELECT count(*) FROM billing_records") == [(7,)]
    with pytest.raises(StatementError, match="42501"):
        do(database, f"SELECT count(*) FROM billing_records_{loaded.hex}")


def test_definer_functions_name_their_schemas_and_are_nobodys_but_ours(database):
    careless = """
        SELECT proname FROM pg_proc
        WHERE pronamespace = 'public'::regnamespace AND proowner = 'dashlib_owner'::regrole
        AND (proconfig IS NULL OR proconfig[1] <> 'search_path=pg_catalog, public, pg_temp'
             OR proacl::text ~ '[{,]=X')"""
    assert do(database, careless) == []


def test_the_first_to_enter_is_admin_and_the_next_ones_wait(database):
    enter = "SELECT enter(:id, :id || '@localhost')"
    assert do(database, enter, id="local|a") == [("admin",)]
    assert do(database, enter, id="local|b") == [("pending",)]
    assert do(database, enter, id="local|a") == [("admin",)]
    assert do(database, "SELECT id, email, last_login IS NOT NULL FROM users ORDER BY id") == [
        ("local|a", "local|a@localhost", True),
        ("local|b", "local|b@localhost", True),
    ]


def test_the_guides_common_queries_run_as_printed(database, loaded):
    do(database, "INSERT INTO codes (code, description) VALUES ('15804', 'Visite')")
    with database.raw() as connection:
        ask = psycopg.RawCursor(connection)
        assert ask.execute(RUN_WITH_RESULTS, [loaded]).fetchall() == [(loaded, "completed", 0, 0, 3, 0)]
        assert ask.execute(MOST_COMMON_ERRORS).fetchall() == [("RULE", 3, 100)]
        [(day, doctor, patients)] = ask.execute(PATIENT_DAILY_COUNT, [loaded]).fetchall()
        assert (day.isoformat(), doctor, patients) == ("2025-03-10", "1999001", 4)
        assert ask.execute(CODES_NEEDING_CONTEXTS).fetchall() == [("15804", "Visite")]


def test_attaching_builds_no_index_and_leaves_none_out(database, loaded):
    indexes = "SELECT count(*), bool_and(indisvalid) FROM pg_index WHERE indrelid = CAST(:table AS regclass)"
    for table in LINES:
        assert do(database, indexes, table=f"{table}_{loaded.hex}") == do(database, indexes, table=table)
    twins = "SELECT count(*) FROM pg_inherits JOIN pg_index ON inhrelid = indexrelid"
    assert do(database, twins) == [(12,)]


def test_a_table_without_lines_becomes_no_partition(database):
    with database.connect() as connection:
        load(connection, run(connection), lines=0)
    assert do(database, "SELECT relname FROM pg_class WHERE relispartition AND relkind = 'r'") == []


def test_a_load_that_is_taken_back_leaves_nothing(database):
    with suppress(ZeroDivisionError), database.connect() as connection:
        load(connection, run(connection))
        raise ZeroDivisionError
    assert do(database, "SELECT relname FROM pg_class WHERE relname ~ '_[0-9a-f]{32}$'") == []
    assert do(database, "SELECT count(*) FROM validation_runs") == [(0,)]


def test_clearing_drops_the_tables_that_are_named(database, loaded):
    clear = "SELECT drop_run_tables(:run, :tables)"
    do(database, clear, run=loaded, tables=["billing_records", "rejected_records"])
    do(database, clear, run=loaded, tables=["billing_records", "users"])
    assert [do(database, f"SELECT count(*) FROM {table}") for table in LINES] == [[(0,)], [(3,)], [(0,)]]
    do(database, "SELECT drop_run_tables(:run)", run=loaded)
    assert do(database, "SELECT count(*) FROM validation_results") == [(0,)]


@pytest.mark.parametrize("table", ["users", "files", "validation_runs"])
def test_what_hangs_on_a_deleted_row_goes_with_it(database, loaded, table):
    do(
        database,
        "INSERT INTO rollup_run_days (validation_run_id, date_de_service) VALUES (:run, '2025-03-10')",
        run=loaded,
    )
    do(
        database,
        "INSERT INTO run_rules (validation_run_id, rule_id, rule_version) VALUES (:run, 'RULE', 1)",
        run=loaded,
    )
    with database.owner() as connection:
        connection.execute(sa.text(f"DELETE FROM {table}"))
    for child in ("validation_runs", *LINES, "validation_logs", "run_leases", "run_rules", "rollup_run_days"):
        assert do(database, f"SELECT count(*) FROM {child}") == [(0,)]


@pytest.mark.parametrize(
    ("statement", "constraint"),
    [
        ("UPDATE users SET role = 'root'", "users_role_check"),
        ("UPDATE validation_runs SET status = 'cancelled'", "validation_runs_status_check"),
        ("UPDATE validation_runs SET progress = 101", "validation_runs_progress_check"),
        ("UPDATE validation_results SET severity = 'optimization'", "validation_results_severity_check"),
        ("UPDATE validation_logs SET level = 'WARN'", "validation_logs_level_check"),
        (
            "INSERT INTO rules (name, category, condition, severity) VALUES ('a', 'b', '{}', 'bad')",
            "rules_severity_check",
        ),
        ("INSERT INTO contexts (context, description) VALUES ('A', ''), ('A', '')", "contexts_context_key"),
        ("UPDATE billing_records SET row_number = 1", "billing_records_"),
        ("UPDATE validation_runs SET user_id = 'nobody'", "fk_user"),
    ],
)
def test_the_database_refuses_words_and_keys_it_does_not_know(database, loaded, statement, constraint):
    with pytest.raises(StatementError) as refused, database.owner() as connection:
        connection.execute(sa.text(statement))
    assert refused.value.constraint.startswith(constraint)


def test_a_changed_row_says_when(database):
    do(database, "INSERT INTO contexts (context, description, updated_at) VALUES ('A', '', '2001-01-01')")
    do(database, "UPDATE contexts SET description = 'b', updated_at = '2001-01-01'")
    assert do(database, "SELECT updated_at > now() - interval '1 minute' FROM contexts") == [(True,)]


def test_words_are_found_without_their_accents(database):
    do(database, "INSERT INTO codes (code, description) VALUES ('15804', 'Visite périodique d''un patient')")
    found = (
        "SELECT code FROM codes WHERE to_tsvector('french_unaccent', description) @@ to_tsquery('french_unaccent', :w)"
    )
    assert do(database, found, w="periodiques") == [("15804",)]
    assert do(database, found, w="PÉRIODIQUE") == [("15804",)]


BROKEN = """
    SELECT e.id FROM (
      SELECT audit_events AS whole, id, prev_hash, row_hash, lag(row_hash) OVER by_id AS before,
             lag(id, 1, 0::bigint) OVER by_id AS id_before
      FROM audit_events WINDOW by_id AS (ORDER BY id)) AS e
    WHERE e.prev_hash IS DISTINCT FROM e.before OR e.row_hash <> audit_hash(e.whole) OR e.id <> e.id_before + 1"""


def note(database, event):
    do(
        database,
        """INSERT INTO audit_events (event, actor, at, row_hash, details)
           VALUES (:event, 'somebody else', '2001-01-01', 'x', '{"run": 1}')""",
        event=event,
    )


def broken(database):
    with database.owner() as connection:
        return list(connection.scalars(sa.text(BROKEN)))


def test_events_say_who_and_when_by_themselves_and_are_chained(database):
    do(database, "SELECT enter('local|a', 'a@localhost')")
    writers = [threading.Thread(target=note, args=(database, f"event {n}")) for n in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert broken(database) == []
    assert do(database, "SELECT id FROM audit_events ORDER BY id") == [(n,) for n in range(1, 9)]
    assert do(database, "SELECT DISTINCT actor, at > now() - interval '1 minute' FROM audit_events") == [
        ("local|a", True)
    ]


@pytest.mark.parametrize(
    "statement", ["UPDATE audit_events SET event = ''", "DELETE FROM audit_events", "TRUNCATE audit_events"]
)
def test_not_even_the_owner_changes_an_event(database, statement):
    note(database, "event")
    with pytest.raises(StatementError, match="append-only"), database.owner() as connection:
        connection.execute(sa.text(statement))


@pytest.mark.parametrize(
    "change", ["UPDATE audit_events SET event = 'x' WHERE id = 2", "DELETE FROM audit_events WHERE id = 2"]
)
def test_a_change_behind_the_triggers_back_shows(database, change):
    for number in range(4):
        note(database, f"event {number}")
    with database.owner() as connection:
        connection.execute(sa.text("ALTER TABLE audit_events DISABLE TRIGGER append_only"))
        connection.execute(sa.text(change))
    assert broken(database) != []


class Beats(threading.Thread):
    """Runs a statement every 50 ms until told to stop, and remembers how long each took."""

    def __init__(self, database, statement, run_id):
        super().__init__()
        self.database, self.statement, self.run_id = database, sa.text(statement), run_id
        self.stopped, self.seconds = threading.Event(), []

    def run(self):
        while not self.stopped.wait(0.05):
            began = time.monotonic()
            with self.database.connect() as connection:
                connection.execute(self.statement, {"run": self.run_id})
            self.seconds.append(time.monotonic() - began)


def test_no_heartbeat_waits_for_a_load(database):
    with database.connect() as connection:
        run_id, other = run(connection), run(connection)
    beats = [
        Beats(
            database, "UPDATE run_leases SET heartbeat_at = clock_timestamp() WHERE validation_run_id = :run", run_id
        ),
        Beats(database, "UPDATE validation_runs SET progress = progress WHERE id = :run", run_id),
        Beats(database, "UPDATE validation_runs SET progress = progress WHERE id = :run", other),
    ]
    for beat in beats:
        beat.start()
    try:
        with database.connect() as connection:
            fill(connection, run_id, lines=50_000)
            connection.execute(sa.text("SELECT finish_load(:run)"), {"run": run_id})
            connection.execute(
                sa.text("INSERT INTO rollup_run_days (validation_run_id, date_de_service) VALUES (:run, '2025-03-10')"),
                {"run": run_id},
            )
            time.sleep(1.5)
            connection.execute(sa.text("SELECT attach_load(:run)"), {"run": run_id})
    finally:
        for beat in beats:
            beat.stopped.set()
            beat.join()
    assert all(len(beat.seconds) > 15 for beat in beats)
    assert max(second for beat in beats for second in beat.seconds) < 1


def test_before_it_attaches_a_load_holds_only_readers_locks_on_what_others_write(database):
    locks = """
        SELECT DISTINCT mode FROM pg_locks WHERE pid = pg_backend_pid() AND relation = ANY (ARRAY[
          'validation_runs', 'run_leases', 'billing_records', 'validation_results', 'rejected_records']::regclass[])"""
    with database.connect() as connection:
        run_id = run(connection)
    with database.connect() as connection:
        fill(connection, run_id)
        connection.execute(sa.text("SELECT finish_load(:run)"), {"run": run_id})
        assert set(connection.scalars(sa.text(locks))) <= {"AccessShareLock", "RowShareLock"}


@pytest.mark.parametrize(
    ("statement", "state"),
    [
        ("INSERT INTO contexts (context, description) VALUES (:nam, ''), (:nam, '')", "23505"),
        ("SELECT CAST(:nam AS date)", "22007"),
        (f"SELECT {NAM}", "42703"),
        (f"SELECT '{NAM}' '", "42601"),
        ("INSERT INTO files (id, user_id) VALUES (gen_random_uuid(), :nam)", "23502"),
    ],
)
def test_an_error_says_its_state_and_no_value(database, statement, state):
    with pytest.raises(StatementError) as refused:
        do(database, statement, **({"nam": NAM} if ":nam" in statement else {}))
    assert refused.value.sqlstate == state
    assert NAM not in "".join(traceback.format_exception(refused.value)).upper()


def test_a_value_that_psycopg_itself_refuses_is_not_quoted_either(database):
    with pytest.raises(StatementError) as refused:
        do(database, "SELECT CAST(:nam AS text)", nam=f"{NAM}\0")
    assert NAM not in str(refused.value)


def test_a_failing_copy_names_no_value(database):
    copying = "COPY holidays (date, name) FROM STDIN"
    with (
        pytest.raises(StatementError, match="SQLSTATE 22007") as refused,
        database.raw() as connection,
        connection.cursor().copy(copying) as copy,
    ):
        copy.write(f"{NAM}\t{NAM}\n")
    assert NAM not in "".join(traceback.format_exception(refused.value))


def test_a_full_disk_is_said_to_be_full(database):
    with pytest.raises(DatabaseUnavailable, match="DL-DB-003"):
        do(database, "DO $$ BEGIN RAISE EXCEPTION 'no space' USING ERRCODE = 'disk_full'; END $$")


def test_a_connection_that_breaks_is_said_to_be_broken(database):
    with pytest.raises(DatabaseUnavailable, match="DL-DB-001"):
        do(database, "SELECT pg_terminate_backend(pg_backend_pid())")
    assert do(database, "SELECT 1") == [(1,)]


NOBODY_THERE = "postgresql://user:secret@127.0.0.1:1/base?sslmode=prefer"
NO_ADDRESSES = [
    "mysql://user:secret@host/base",
    "postgresql://user:secret words@host/base",
    "postgresql://h/b?secret=1",
    "postgresql://user:p@secret@host/base",
    "postgresql://user:p/secret@host/base",
    "postgresql://user:p@a:secret@host/base",
]


def at(url):
    return Settings(DATABASE_URL=url, home="/nowhere")


def test_a_server_that_is_not_there_is_named_without_its_password():
    with pytest.raises(DatabaseUnavailable, match="DL-DB-001") as refused:
        open_database(at(NOBODY_THERE))
    assert refused.value.facts == {"host": "127.0.0.1:1/base"}
    assert "secret" not in "".join(traceback.format_exception(refused.value)) + repr(Database(at(NOBODY_THERE)))


@pytest.mark.parametrize("url", NO_ADDRESSES)
def test_an_address_that_is_none_is_not_quoted(url):
    with pytest.raises(DatabaseUnavailable, match="DL-DB-007") as refused:
        open_database(at(url))
    assert "secret" not in "".join(traceback.format_exception(refused.value))


@pytest.mark.parametrize("move", [migrate, downgrade])
def test_a_migration_that_is_none_is_said_and_leaves_no_backup(database, loaded, move):
    with pytest.raises(UsageError, match=r"DL-DB-016.*nope"):
        move(database, "nope")
    assert not [*database.settings.home.glob("backups/*")]


def test_an_older_postgresql_is_refused(database, monkeypatch):
    monkeypatch.setattr(databases, "OLDEST", 99)
    with pytest.raises(DatabaseUnavailable, match="DL-DB-004") as refused, database.raw():
        pass
    assert refused.value.facts["found"] == 16


ELSEWHERE = "127.0.16.1"  # this machine too, where nobody else listens


@pytest.fixture(scope="module")
def server(short_folder):
    """A PostgreSQL as a clinic would have it: reached by TCP, without our roles, with two logins."""
    cluster = Cluster(short_folder / "own", settings={"fsync": "off", "listen_addresses": ELSEWHERE})
    cluster.ensure()
    cluster.stop()
    cluster.as_superuser("REVOKE pg_read_all_stats FROM dashlib_owner;\nDROP DATABASE dashlib;\n")
    cluster.as_superuser(
        "DROP ROLE dashlib_owner;\nDROP ROLE dashlib_app;\nDROP ROLE dashlib_reader;\n"
        "CREATE ROLE dashvalidator_user LOGIN CREATEROLE PASSWORD 'pass:wo\\rd';\n"
        "CREATE ROLE plain LOGIN PASSWORD 'plain';\n"
        "CREATE DATABASE dashvalidator OWNER dashvalidator_user;\n"
        "CREATE DATABASE plain OWNER plain;\n"
    )
    (cluster.data / "pg_hba.conf").write_text("host all all 127.0.0.0/8 scram-sha-256\n")
    cluster.ensure()
    yield cluster
    cluster.stop()


def clinic(tmp_path, login, database, sslmode):
    url = f"postgresql://{login}@{ELSEWHERE}:5432/{database}?sslmode={sslmode}"
    return Settings(DATABASE_URL=url, home=tmp_path)


@pytest.fixture
def prefer(tmp_path):
    return clinic(tmp_path, "dashvalidator_user:pass%3Awo%5Crd", "dashvalidator", "prefer")


@pytest.fixture
def opened():
    databases_opened = []
    yield lambda settings, **how: databases_opened.append(open_database(settings, **how)) or databases_opened[-1]
    for each in databases_opened:
        each.close()


def test_a_login_that_may_not_make_roles_is_told_what_to_ask_for(server, tmp_path, opened):
    database = opened(clinic(tmp_path, "plain:plain", "plain", "prefer"), check=False)
    with pytest.raises(DatabaseUnavailable, match="DL-DB-006") as refused:
        migrate(database)
    assert refused.value.facts["sql"].split("; ") == [
        'CREATE ROLE "dashlib_owner"',
        'CREATE ROLE "dashlib_app"',
        'CREATE ROLE "dashlib_reader"',
        'GRANT "dashlib_owner", "dashlib_app" TO "plain" WITH INHERIT FALSE, SET TRUE',
        'GRANT "dashlib_reader" TO "dashlib_owner" WITH INHERIT TRUE, SET TRUE',
        'GRANT CREATE ON DATABASE "plain" TO "dashlib_owner"',
        'GRANT USAGE, CREATE ON SCHEMA public TO "dashlib_owner"',
    ]
    server.stop()
    server.as_superuser(refused.value.facts["sql"].replace("; ", ";\n") + ";\n", "plain")
    server.ensure()
    migrate(database)
    assert opened(database.settings).revision() == revisions()[-1]
    server.stop()
    server.as_superuser(
        "DROP DATABASE plain;\nDROP ROLE dashlib_owner;\nDROP ROLE dashlib_app;\nDROP ROLE dashlib_reader;\n"
    )
    server.ensure()


def test_any_postgresql_serves_when_its_login_may_make_roles(server, prefer, opened):
    with pytest.raises(DatabaseUnavailable, match="DL-DB-006"):
        open_database(prefer)
    assert migrate(opened(prefer, check=False)) is None
    database = opened(prefer)
    with database.connect() as connection:
        load(connection, run(connection, "db|dashvalidator_user"))
    asked = "SELECT current_user, session_user, current_setting('TimeZone'), acting_user()"
    assert do(database, asked) == [("dashlib_app", "dashvalidator_user", "UTC", "db|dashvalidator_user")]
    assert status(database)["address"] == f"{ELSEWHERE}:5432/dashvalidator"
    kept = downgrade(database, "base")
    assert kept.stat().st_size > 10_000
    with pytest.raises(DatabaseUnavailable, match="DL-DB-002"):
        open_database(prefer)


def test_sslmode_require_asks_for_tls(server, tmp_path, opened, prefer):
    require = clinic(tmp_path, "dashvalidator_user:pass%3Awo%5Crd", "dashvalidator", "require")
    migrate(opened(prefer, check=False))
    with pytest.raises(DatabaseUnavailable, match="DL-DB-001"):
        open_database(require)
    openssl = shutil.which("openssl")
    assert openssl, "no openssl: run tests/install-browser"
    names = ["-keyout", server.data / "server.key", "-out", server.data / "server.crt", "-subj", "/CN=localhost"]
    subprocess.run([openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", *names], check=True, capture_output=True)
    for name in ("server.key", "server.crt"):
        (server.data / name).chmod(0o600)
        shutil.chown(server.data / name, server.data.owner())
    server.stop()
    replace(server, settings={**server.settings, "ssl": "on"}).ensure()
    with opened(require).raw() as connection:
        assert connection.pgconn.ssl_in_use
