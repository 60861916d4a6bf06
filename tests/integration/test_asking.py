from datetime import UTC, date, datetime
from decimal import Decimal

import polars as pl
import pytest
import sqlalchemy as sa

from dashlib import asking
from dashlib.asking import ask, views
from dashlib.cache import open_cache
from dashlib.database import Database, migrate
from dashlib.embedded import Cluster
from dashlib.errors import UsageError
from dashlib.installing import install
from dashlib.keys import pseudonyms
from dashlib.runs import find_run
from dashlib.settings import Settings
from dashlib.validation import validate_file
from dashlib.workbench import Workbench, enter
from tests import seed
from tests.conftest import HASTY, own_database
from tests.exports import export, line
from tests.integration import loading

pytestmark = pytest.mark.database

NAM, NAME, LICENCE = "TEST80010112", "EXEMPLE", "9100001"
TWICE = (line(facture="900000001", code="15815"), line(facture="900000002", code="15815", date="2025-03-11"))
RULES = """
    date_de_service | doctor         | lieu_de_pratique | rule_id | severity | results | lines | amount
    2025-06-02      | MÉD-0A11AA1111 | 54321            | FEE     | error    | 30      | 30    | 1944.00
"""
DAYS = """
    date_de_service | doctor         | lieu_de_pratique | lines | lines_in_error | in_force
    2025-06-02      | MÉD-0A11AA1111 | 54321            | 1000  | 30             | 1
"""


@pytest.fixture(scope="module")
def asked(postgres, tmp_path_factory):
    """A workbench that the tests which change nothing share."""
    home = tmp_path_factory.mktemp("asked")
    for database in own_database(postgres, home, template="dashlib"):
        install(database)
        names, settings = pseudonyms(database.settings, database), database.settings
        yield Workbench(enter(database), database, names, settings, open_cache(database.settings))


@pytest.fixture(scope="module")
def validated(asked, tmp_path_factory):
    path = tmp_path_factory.mktemp("export") / "factures.csv"
    path.write_text(export(*TWICE, line(facture=NAM, patient=f"{NAM} - {NAME}")), "utf-8")
    return find_run(asked, validate_file(asked, path, run_date=date(2025, 3, 31)))


def refusal(wb, statement, **given):
    with pytest.raises(UsageError) as refused:
        ask(wb, statement, given)
    return refused.value.code


def one(wb, statement, **given):
    return ask(wb, statement, given).frame.item()


def test_an_answer_is_a_frame_of_the_databases_types(asked):
    found = ask(
        asked, "SELECT 1 AS n, 2.50 AS d, 'x' AS t, true AS b, date '2025-06-30' AS day, ARRAY['a'] AS l, NULL AS e"
    )
    assert found.frame.schema == {
        "n": pl.Int64,
        "d": pl.Decimal(38, 2),
        "t": pl.String,
        "b": pl.Boolean,
        "day": pl.Date,
        "l": pl.List(pl.String),
        "e": pl.String,
    }
    assert found.frame.rows() == [(1, Decimal("2.50"), "x", True, date(2025, 6, 30), ["a"], None)]
    assert not found.is_cut


def test_an_answer_without_rows_has_its_columns(asked):
    assert ask(asked, "SELECT run, at_risk FROM v_runs").frame.schema == {"run": pl.Int64, "at_risk": pl.Decimal(38, 2)}


def test_rules_codes_and_runs_are_answered(asked, validated):
    assert one(asked, "SELECT count(*) FROM v_rules") == 343
    assert one(asked, "SELECT record_count FROM v_runs WHERE run = :run", run=validated.number) == 3
    counted = "SELECT rule_id, count(*) FROM v_results WHERE run = :run AND severity = 'error' GROUP BY 1 ORDER BY 1"
    errors = validated.results.filter(severity="error").group_by("rule_id").len().sort("rule_id")
    assert errors.height > 0
    assert ask(asked, counted, {"run": validated.number}).frame.rows() == errors.rows()


def test_a_result_that_is_set_aside_says_why(asked, validated):
    validated.ack(1, reason="accepte")
    statement = "SELECT number, acknowledged FROM v_results WHERE acknowledged IS NOT NULL"
    assert ask(asked, statement).frame.rows() == [(1, "accepte")]


@pytest.mark.parametrize(
    "value",
    [
        *(
            True,
            7,
            Decimal("12.50"),
            2.5,
            date(2025, 6, 30),
            datetime(2025, 6, 30, 12, tzinfo=UTC),
            "O'Neil'; DROP TABLE users; --",
        ),
        *([1, 2], ["a", "b'"], [date(2025, 1, 1)], "$1", "%s", "::int"),
    ],
)
def test_a_value_comes_back_as_it_was_given(asked, value):
    kept = one(asked, "SELECT to_jsonb(:value)::text AS x", value=value)
    same = one(asked, "SELECT (to_jsonb(:value) = :kept::jsonb)::text AS x", value=value, kept=kept)
    assert same == "true"


def test_values_of_every_kind_are_compared_as_what_they_are(asked):
    statement = (
        "SELECT :n + 1 = 8 AND :d * 2 = 25.00 AND :day < date '2025-07-01' AND 'a' = ANY(:l) AND :no IS NULL AS x"
    )
    assert one(asked, statement, n=7, d=Decimal("12.50"), day=date(2025, 6, 30), l=["a"], no=None) is True


def test_a_colon_in_quotes_comments_and_casts_is_no_value(asked):
    statement = """SELECT ':a' AS ":b", $q$:c$q$ AS d, E'\\':e' AS e, '12:30'::time::text AS f -- :g
        /* :h */"""
    assert ask(asked, statement).frame.rows() == [(":a", ":c", "':e", "12:30:00")]


def test_a_name_without_a_value_or_with_a_value_of_no_known_kind_is_refused(asked):
    assert refusal(asked, "SELECT :nothing") == "DL-SQL-006"
    assert refusal(asked, "SELECT :frame", frame=pl.DataFrame()) == "DL-SQL-007"
    assert refusal(asked, "SELECT :mixed", mixed=[1, "a"]) == "DL-SQL-007"


# What somebody could try who wants more than the views.
ATTACKS = {
    "RESET ROLE": "DL-SQL-002",
    "SELECT 1; RESET ROLE": "DL-SQL-002",
    "COMMIT; SELECT id FROM public.users": "DL-SQL-002",
    "ROLLBACK": "DL-SQL-002",
    "SET ROLE dashlib_owner": "DL-SQL-002",
    "DO $$ BEGIN DELETE FROM public.users; END $$": "DL-SQL-002",
    "COPY public.users TO STDOUT": "DL-SQL-002",
    "CREATE TEMP TABLE t (n int)": "DL-SQL-002",
    "LISTEN x": "DL-SQL-002",
    "SELECT 1) AS x; RESET ROLE; SELECT (2": "DL-SQL-001",
    "SELECT patient FROM billing_records": "DL-SQL-009",
    "SELECT patient FROM public.billing_records": "DL-SQL-003",
    "SELECT id FROM public.users": "DL-SQL-003",
    "SELECT id FROM public.users FOR UPDATE": "DL-SQL-003",
    "SELECT args FROM procrastinate.procrastinate_jobs": "DL-SQL-003",
    "INSERT INTO public.installation VALUES ('a', 'b') RETURNING key": "DL-SQL-003",
    "WITH gone AS (DELETE FROM public.users RETURNING id) SELECT * FROM gone": "DL-SQL-003",
    "SELECT set_config('role', 'dashlib_app', true)": "DL-SQL-003",
    "SELECT set_config('role', 'none', true), query_to_xml('SELECT * FROM public.users', true, true, '')": "DL-SQL-003",
    "SELECT set_config('session_authorization', 'dashlib_owner', true)": "DL-SQL-003",
    "SELECT set_config('transaction_read_only', 'off', true)": "DL-SQL-003",
    "SELECT query_to_xml('SELECT * FROM public.users', true, true, '')": "DL-SQL-003",
    "SELECT query_to_xml('RESET ROLE', true, true, '')": "DL-SQL-003",
    "SELECT public.enter('db|x', 'x@x')": "DL-SQL-003",
    "SELECT public.drop_run_tables(gen_random_uuid())": "DL-SQL-003",
    "SELECT nextval('public.validation_runs_number_seq')": "DL-SQL-003",
    "SELECT lo_create(0)": "DL-SQL-003",
    "SELECT pg_read_file('postgresql.auto.conf')": "DL-SQL-003",
    "SELECT pg_notify('a', 'b')": "DL-SQL-003",
}


@pytest.mark.parametrize(("statement", "code"), ATTACKS.items())
def test_whoever_wants_more_than_the_views_gets_nothing(asked, validated, statement, code):
    assert refusal(asked, statement) == code
    assert one(asked, "SELECT current_user::text AS x") == "dashlib_reader"
    with asked.database.connect() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM users")) == 1


def test_the_reader_may_read_the_views_and_call_nothing_of_ours(asked):
    tables = """
        SELECT oid::regclass::text FROM pg_class
        WHERE relkind IN ('r', 'p', 'v', 'S') AND relnamespace::regnamespace::text IN
          ('public', 'procrastinate', 'dashlib_views') AND relname NOT LIKE 'pg_stat_statements%'
          AND has_table_privilege('dashlib_reader', oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
    """
    functions = """
        SELECT proname FROM pg_proc
        WHERE pronamespace::regnamespace::text IN ('public', 'procrastinate', 'dashlib_views')
          AND has_function_privilege('dashlib_reader', oid, 'EXECUTE')
          AND proname NOT LIKE 'pg_stat_statements%' AND proname NOT LIKE 'unaccent%'
    """
    with asked.database.connect() as connection:
        readable = set(connection.scalars(sa.text(tables)))
        callable_ = set(connection.scalars(sa.text(functions)))
    assert readable == {f"dashlib_views.{view}" for view in views(asked)["view"].unique()}
    assert callable_ == {"ask", "acting_role", "seen_runs", "without_card"}


def test_what_others_ask_is_not_seen(asked):
    assert (
        one(asked, "SELECT count(*) FROM pg_stat_activity WHERE query ILIKE '%acting%' AND pid <> pg_backend_pid()")
        == 0
    )
    hidden = "SELECT count(*) FROM public.pg_stat_statements WHERE query <> '<insufficient privilege>'"
    assert one(asked, hidden) == 0


def test_no_view_holds_an_identity(asked, validated):
    for view in views(asked)["view"].unique():
        said = ask(asked, f"SELECT v::text AS row FROM {view} AS v").frame["row"].str.join(" ").item()
        assert not [word for word in (NAM, NAME, LICENCE, "PAT-", "factures.csv") if word in said]
        assert said or view == "v_establishments" or view == "v_missing_contexts"


def test_lines_are_their_owners_and_roll_ups_everybodys(wb):
    with wb.database.connect() as connection:
        others = loading.run(connection, "db|stranger")
        loading.load(connection, others, 9)
        seed.days(connection, others, DAYS)
        seed.rules(connection, others, RULES)
    assert one(wb, "SELECT count(*) FROM v_results") == 0
    assert one(wb, "SELECT count(*) FROM v_runs") == 0
    assert ask(wb, "SELECT doctor, lines FROM v_days").frame.rows() == [("MÉD-0A11AA1111", 1000)]
    with wb.database.connect() as connection:
        mine = loading.run(connection, wb.viewer.id)
        loading.load(connection, mine, 9)
    assert one(wb, "SELECT count(*) FROM v_results") == 3


def test_who_is_pending_sees_nothing(wb):
    with wb.database.owner() as connection:
        connection.execute(sa.text("UPDATE users SET role = 'pending'"))
    assert {view: one(wb, f"SELECT count(*) FROM {view}") for view in views(wb)["view"].unique()} == dict.fromkeys(
        views(wb)["view"].unique(), 0
    )


def test_a_question_that_takes_too_long_is_stopped(asked, monkeypatch):
    monkeypatch.setattr(asking, "PATIENCE_S", 1)
    assert refusal(asked, "SELECT pg_sleep(20)::text AS x") == "DL-SQL-004"
    assert refusal(asked, "SELECT set_config('statement_timeout', '0', true), pg_sleep(20)::text AS x") == "DL-SQL-004"
    assert one(asked, "SELECT 1 AS x") == 1


def test_of_many_rows_only_so_many_are_read_and_that_is_told(asked, monkeypatch):
    monkeypatch.setattr(asking, "MOST", 2)
    assert ask(asked, "SELECT * FROM generate_series(1, 2) AS n").is_cut is False
    cut = ask(asked, "SELECT * FROM generate_series(1, 3) AS n")
    assert (cut.frame["n"].to_list(), cut.is_cut) == ([1, 2], True)


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("SELCT 1", "DL-SQL-001 : la requête ne se lit pas, près de « SELCT » à la ligne 1."),
        ("SELECT run\nFORM v_runs", "DL-SQL-001 : la requête ne se lit pas, près de « v_runs » à la ligne 2."),
        ("SELECT 1 FROM v_run", "DL-SQL-009 : aucune vue ne s'appelle « v_run » (ligne 1)."),
        ("SELECT run,\n risk FROM v_runs", "DL-SQL-010 : aucune colonne ne s'appelle « risk » (ligne 2)."),
        ("SELECT med(1)", "DL-SQL-011 : aucune fonction ni opération « med » ne va avec ces types (ligne 1)."),
        ("SELECT run, count(*) FROM v_runs", "DL-SQL-012 : « run » n'est ni groupé ni agrégé (ligne 1)."),
        ("SELECT code FROM v_codes a, v_codes b", "DL-SQL-013 : « code » pourrait être de deux vues (ligne 1)."),
        ("SELECT 1 AS a, 2 AS a", "DL-SQL-008 : deux colonnes s'appellent « a »."),
        ("SELECT 'TEST80010112'::int", "DL-SQL-001 : la requête ne se lit pas, près de « '[HEALTH-CARD-REDACTED]' »"),
    ],
)
def test_what_cannot_be_read_is_said_with_its_word_and_line(asked, statement, said):
    with pytest.raises(UsageError) as refused:
        ask(asked, statement)
    assert str(refused.value).replace("\u00a0", " ").startswith(said)


def test_what_stops_underway_quotes_no_row(asked, validated):
    with pytest.raises(UsageError) as refused:
        ask(asked, "SELECT message::int AS n FROM v_results")
    assert refused.value.facts == {"state": "22P02"}
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__


def test_every_view_and_column_is_documented_in_both_languages(asked):
    for lang in ("fr", "en"):
        told = views(asked, lang)
        assert told["about"].str.len_chars().min() > 1
    with asked.database.owner() as connection:
        columns = "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'dashlib_views'"
        held = {tuple(row) for row in connection.execute(sa.text(columns))}
    assert {(view, column) for view, column, _, _ in views(asked).drop_nulls("column").iter_rows()} == held
    assert views(asked, "fr")["about"].to_list() != views(asked, "en")["about"].to_list()


def test_a_cluster_of_an_earlier_version_gets_the_role_that_only_reads(short_folder, tmp_path):
    cluster = Cluster(short_folder / "early", settings=HASTY)
    cluster.ensure()
    cluster.stop()
    cluster.as_superuser("DROP ROLE dashlib_reader;\n")
    cluster.ensure()
    database = Database(Settings(DATABASE_URL=None, REDIS_URL=None, home=tmp_path), cluster)
    migrate(database)
    with database.connect() as connection:
        assert connection.scalar(sa.text("SELECT pg_has_role('dashlib_owner', 'dashlib_reader', 'SET')")) is True
    database.close()
    cluster.stop()
