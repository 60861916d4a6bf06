import io
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from pathlib import Path

import polars as pl
import psycopg
import pytest
from polars.testing import assert_frame_equal

from dashlib import cache as caches
from dashlib import reference, validation
from dashlib.cache import Slot, open_cache
from dashlib.database import StatementError, downgrade, migrate
from dashlib.embedded import APP, OWNER
from dashlib.errors import CacheUnavailable, UsageError
from dashlib.rules.base import CODES
from tests.exports import export, line
from tests.integration.caches import Distributions, Embedded, asked, opened, settings_of

pytestmark = pytest.mark.database

DAY = date(2025, 7, 2)
SLOT = Slot("ramq:codes:all", 3600, {"code": pl.String, "aliases": pl.List(pl.String)})
ROWS = pl.DataFrame({"code": ["00001", "é"], "aliases": [["a"], []]})
ALL = list(reference.SLOTS.values())
HERE = Path(__file__).parents[2]
REVISION = "SELECT coalesce(max(revision), 0) FROM reference_revisions WHERE table_name = 'codes'"
CALL = """
import sys, time
from pathlib import Path
import polars as pl
from dashlib import cache as caches
from dashlib.cache import Slot, open_cache
from dashlib.settings import Settings
caches.ANSWER_S = caches.LOCK_S = caches.WAIT_S = 20.0
cache = open_cache(Settings(DATABASE_URL=None, REDIS_URL=sys.argv[1] or None, home=Path(sys.argv[2])))
slot = Slot("ramq:codes:all", 3600, {"code": pl.String})
def load():
    with open(sys.argv[3], "a") as file:
        file.write("read\\n")
    time.sleep(0.3)
    return pl.DataFrame({"code": ["00001"]})
cache.status([])
print("ready", flush=True)
sys.stdin.readline()
print(cache.frame(slot, 1, load)["code"].to_list())
"""


def nobody():
    raise AssertionError("read although it is cached")


@pytest.fixture(scope="module", params=[Distributions, Embedded], ids=["redis-server", "valkey"])
def running(request, short_folder):
    folder = short_folder / request.param.__name__
    folder.mkdir(mode=0o711)
    server = request.param(folder)
    yield server
    server.stop()


@pytest.fixture
def server(running):
    """A server that runs and holds nothing."""
    running.ensure()
    with asked(running) as redis:
        redis.flushall()
    return running


@pytest.fixture
def desk(wb, server):
    """A workbench whose cache is `server`."""
    return replace(wb, cache=opened(server))


def again(wb):
    """The same workbench in a process that has no copies yet."""
    return replace(wb, cache=caches.Cache(wb.cache.kind, wb.cache._connect))


def plainly(database, statement, role=APP):
    with psycopg.connect(database.cluster.conninfo(role, database.name)) as connection:
        connection.execute(statement)


def revision(database):
    with psycopg.connect(database.cluster.conninfo(APP, database.name)) as connection:
        return connection.execute(REVISION).fetchone()[0]


def misses(cache):
    return {key["key"]: key["misses"] for key in cache.status(ALL)["keys"]}


def test_what_one_process_read_another_finds_there_with_its_types(server):
    opened(server).frame(SLOT, 7, lambda: ROWS)
    assert_frame_equal(opened(server).frame(SLOT, 7, nobody), ROWS)


def test_a_value_of_another_revision_does_not_count(server):
    opened(server).frame(SLOT, 7, lambda: ROWS)
    assert_frame_equal(opened(server).frame(SLOT, 8, lambda: ROWS.head(1)), ROWS.head(1))
    assert_frame_equal(opened(server).frame(SLOT, 8, nobody), ROWS.head(1))


@pytest.mark.parametrize(
    "damage",
    [
        lambda value: b"",
        lambda value: b'[{"code": "00001"}]',
        lambda value: value[:-3],
        lambda value: value[:-30] + bytes([value[-30] ^ 1]) + value[-29:],
        lambda value: caches._pack(ROWS.select("code"), 7),
    ],
    ids=["empty", "of another program", "cut off", "one bit", "other columns"],
)
def test_a_damaged_value_is_read_anew(server, damage):
    opened(server).frame(SLOT, 7, lambda: ROWS)
    with asked(server) as redis:
        redis.set(SLOT.key, damage(redis.get(SLOT.key)))
    assert_frame_equal(opened(server).frame(SLOT, 7, lambda: ROWS), ROWS)
    assert_frame_equal(opened(server).frame(SLOT, 7, nobody), ROWS)


def test_a_value_of_another_program_does_not_hinder_looking_at_the_cache(server):
    cache = opened(server)
    with asked(server) as redis:
        redis.set(SLOT.key, b"garbage")
    assert cache.status([SLOT])["keys"][0]["revision"] is None


def test_keys_and_times_are_the_guides(desk, server):
    reference.warm(desk)
    with asked(server) as redis:
        left = {key.decode(): redis.ttl(key) for key in redis.scan_iter()}
    assert left.pop("dashlib:cache:counters") == -1
    assert {key: round(seconds, -2) for key, seconds in left.items()} == {
        "ramq:codes:all": 3600,
        "ramq:contexts:all": 3600,
        "ramq:establishments:all": 3600,
        "validation:rules:all": 86400,
    }


def test_rules_and_tables_are_the_same_with_and_without_the_cache(desk):
    alone = replace(desk, cache=caches.Cache("process"))
    for wb in (desk, again(desk)):
        assert reference.rules_in_force(wb) == reference.rules_in_force(alone)
        cached, direct = reference.load(wb, DAY), reference.load(alone, DAY)
        assert cached.trusted == direct.trusted == {"contexts", "holidays"}
        for name in ("codes", "contexts", "establishments", "holidays"):
            assert_frame_equal(getattr(cached, name), getattr(direct, name))
    assert dict(cached.codes.schema) == CODES
    assert cached.holidays.columns == ["date", "applies_to", "name"]


WRITES = {
    "insert": "INSERT INTO codes (code, description, tariff_value) VALUES ('99999', 'A', 1)",
    "update": "UPDATE codes SET code = '99999' WHERE id = (SELECT id FROM codes LIMIT 1)",
}


@pytest.mark.parametrize("statement", WRITES.values(), ids=WRITES)
def test_the_next_read_sees_what_another_process_wrote_with_plain_sql(desk, database, statement):
    reference.load(desk, DAY)
    plainly(database, statement)
    assert "99999" in reference.load(desk, DAY).codes["code"]
    assert "99999" in reference.load(again(desk), DAY).codes["code"]


@pytest.mark.parametrize(("statement", "role"), [("DELETE FROM codes", APP), ("TRUNCATE codes", OWNER)])
def test_the_next_read_sees_that_all_was_removed(desk, database, statement, role):
    reference.load(desk, DAY)
    plainly(database, statement, role)
    assert reference.load(desk, DAY).codes.height == 0


def test_every_cached_table_is_watched(desk, database):
    reference.warm(desk)
    plainly(database, "UPDATE contexts SET context = 'NEW' WHERE context = 'AR'")
    plainly(
        database, "INSERT INTO establishments (code, name, custom_fields) VALUES ('12345', 'A', '{\"clsc\": true}')"
    )
    plainly(database, "INSERT INTO holidays VALUES ('2025-03-03', '12345', 'A')")
    plainly(database, "UPDATE rules SET enabled = false WHERE name = 'DQ_FUTURE_DATE'")
    ref = reference.load(desk, DAY)
    assert "NEW" in ref.contexts["context"]
    assert ref.establishments.rows() == [("12345", ["clsc"])]
    assert (date(2025, 3, 3), "12345", "A") in ref.holidays.rows()
    [rule] = [rule for rule in reference.rules_in_force(desk) if rule.name == "DQ_FUTURE_DATE"]
    assert not rule.enabled


def test_removed_rows_are_left_out_and_rows_no_longer_valid_are_not(desk, database):
    plainly(database, "DELETE FROM codes")
    plainly(
        database,
        "INSERT INTO codes (code, description, active, valid_to) VALUES "
        "('00001', 'A', true, '2020-12-31'), ('00002', 'A', false, null)",
    )
    assert reference.load(desk, DAY).codes.select("code", "valid_to").rows() == [("00001", date(2020, 12, 31))]


def test_what_is_taken_back_changes_no_revision(database):
    before = revision(database)
    with psycopg.connect(database.cluster.conninfo(APP, database.name)) as connection:
        connection.execute(WRITES["insert"])
        connection.rollback()
    assert revision(database) == before


def test_many_statements_of_one_transaction_raise_the_revision_once(database):
    with psycopg.connect(database.cluster.conninfo(APP, database.name)) as connection:
        before = connection.execute(REVISION).fetchone()[0]
        connection.execute(WRITES["insert"])
        once = connection.execute(REVISION).fetchone()[0]
        connection.execute(WRITES["insert"])
        assert connection.execute(REVISION).fetchone()[0] == once > before
        connection.commit()
        connection.execute(WRITES["insert"])
        assert connection.execute(REVISION).fetchone()[0] > once


def test_a_statement_after_a_savepoint_that_was_taken_back_raises_the_revision(database):
    before = revision(database)
    with psycopg.connect(database.cluster.conninfo(APP, database.name)) as connection:
        connection.execute("SAVEPOINT s")
        connection.execute(WRITES["insert"])
        connection.execute("ROLLBACK TO s")
        connection.execute(WRITES["insert"])
    assert revision(database) > before


def test_of_two_writers_at_once_both_are_seen(desk, database):
    login = database.cluster.conninfo(APP, database.name)
    insert = "INSERT INTO codes (code, description) VALUES ('{}', 'A')"
    with psycopg.connect(login) as first, ThreadPoolExecutor(1) as beside:
        first.execute(insert.format("99991"))
        second = beside.submit(plainly, database, insert.format("99992"))
        assert reference.load(desk, DAY).codes.filter(pl.col("code").str.starts_with("9999")).height == 0
        first.commit()
        second.result(timeout=30)
    found = reference.load(desk, DAY).codes.filter(pl.col("code").str.starts_with("9999"))
    assert sorted(found["code"]) == ["99991", "99992"]


def test_a_database_that_held_rows_before_there_were_revisions_has_them_at_once(wb):
    downgrade(wb.database, "0002_acknowledgements", backup=False)
    migrate(wb.database, backup=False)
    assert revision(wb.database) > 0


def test_the_library_cannot_set_a_revision_itself(database):
    with pytest.raises(StatementError), database.connect() as connection:
        connection.exec_driver_sql("UPDATE reference_revisions SET revision = 1")


def test_a_table_said_to_be_changed_is_dropped_and_read_once_more(desk, server):
    reference.warm(desk)
    reference.changed(desk, "codes", "holidays")
    with asked(server) as redis:
        assert not redis.exists("ramq:codes:all")
        assert redis.exists("validation:rules:all")


def test_a_change_of_a_table_that_is_not_shared_drops_nothing_and_costs_nothing(desk, server, caplog):
    reference.warm(desk)
    reference.changed(desk, "holidays")
    with asked(server) as redis:
        assert redis.exists(*(slot.key for slot in ALL)) == 4
    assert not caplog.records


def test_the_same_reference_has_the_same_mark_and_another_has_another(desk, database):
    before = reference.reference_version(desk)
    plainly(database, "UPDATE codes SET description = description")
    assert reference.reference_version(again(desk)) == before
    plainly(database, "UPDATE codes SET tariff_value = 1 WHERE id = (SELECT id FROM codes LIMIT 1)")
    assert reference.reference_version(desk) != before


def test_killed_and_started_again_in_the_middle_it_costs_no_result(desk, server, monkeypatch):
    monkeypatch.setattr(caches, "REST_S", 0.0)
    whole = reference.load(desk, DAY).codes
    server.send(signal.SIGKILL)
    assert_frame_equal(reference.load(again(desk), DAY).codes, whole)
    assert len(reference.rules_in_force(desk)) > 100
    server.ensure()
    reference.warm(again(desk))
    before = misses(desk.cache)
    assert_frame_equal(reference.load(again(desk), DAY).codes, whole)
    assert misses(desk.cache) == before


def test_one_that_hangs_is_left_alone_and_said_once(desk, server, caplog):
    reference.load(desk, DAY)
    server.send(signal.SIGSTOP)
    try:
        desk.cache._copies.clear()
        started = time.monotonic()
        assert reference.load(desk, DAY).codes.height
        assert time.monotonic() - started < 1.5
        assert reference.rules_in_force(desk)
    finally:
        server.send(signal.SIGCONT)
    assert [record.levelname for record in caplog.records if record.name == "dashlib.cache"] == ["WARNING"]


def test_one_that_takes_calls_and_never_answers_costs_less_than_redis_pys_patience(wb, caplog):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"redis://someone:verysecret@127.0.0.1:{silent.getsockname()[1]}/0"
        mute = replace(wb, cache=open_cache(settings_of(url, wb.settings.home)))
        started = time.monotonic()
        assert reference.load(mute, DAY).codes.height
        assert time.monotonic() - started < 1.5
        assert len(reference.rules_in_force(mute)) > 100
    assert len([record for record in caplog.records if record.name == "dashlib.cache"]) == 1
    assert "secret" not in caplog.text


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1", "unix:///nonexistent/redis.sock"])
def test_without_a_server_everything_works_and_only_a_question_about_the_cache_is_refused(wb, url):
    lonely = replace(wb, cache=open_cache(settings_of(url, wb.settings.home)))
    assert reference.load(lonely, DAY).codes.height
    reference.changed(lonely, "codes")
    for ask in (lonely.cache.status, lonely.cache.clear):
        with pytest.raises(CacheUnavailable, match="DL-CACHE-001"):
            ask(ALL)


@pytest.mark.parametrize("url", ["localhost:6379", "http://localhost", "redis://localhost:port"])
def test_what_is_no_address_is_an_impossible_setting(url):
    with pytest.raises(UsageError, match="REDIS_URL"):
        open_cache(settings_of(url)).frame(SLOT, 7, lambda: ROWS)


def test_eight_processes_that_ask_at_once_read_the_database_once(server, tmp_path):
    url, reads = server.settings.redis_url, tmp_path / "reads"
    command = [sys.executable, "-c", CALL, url.get_secret_value() if url else "", server.settings.home, reads]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "cwd": HERE}
    children = [subprocess.Popen(command, env={"PYTHONPATH": str(HERE)}, **pipes) for _ in range(8)]
    said = ask_at_once(children)
    assert said == ["['00001']\n"] * 8
    assert reads.read_text() == "read\n"


def ask_at_once(children):
    assert [child.stdout.readline() for child in children] == ["ready\n"] * len(children)
    for child in children:
        child.stdin.write("now\n")
        child.stdin.flush()
    return [child.communicate()[0] for child in children]


def test_eight_threads_that_ask_at_once_read_each_table_once(desk):
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: reference.load(desk, DAY).codes.height, range(8)))
    assert len(set(found)) == 1
    assert misses(desk.cache) | {"validation:rules:all": 0} == {
        "ramq:codes:all": 1,
        "ramq:contexts:all": 1,
        "ramq:establishments:all": 1,
        "validation:rules:all": 0,
    }


def test_who_waits_for_one_that_was_killed_reads_himself(server, monkeypatch):
    monkeypatch.setattr(caches, "WAIT_S", 0.1)
    with asked(server) as redis:
        redis.set(f"{SLOT.key}:lock", "1", px=60_000)
    assert_frame_equal(opened(server).frame(SLOT, 7, lambda: ROWS), ROWS)


def test_who_fails_to_read_holds_up_nobody(server):
    with pytest.raises(AssertionError, match="read although"):
        opened(server).frame(SLOT, 7, nobody)
    with asked(server) as redis:
        assert redis.keys() == [b"dashlib:cache:counters"]


def test_hits_and_misses_of_all_processes_are_counted_those_of_own_copies_too(desk):
    reference.load(desk, DAY)
    reference.load(desk, DAY)
    other = again(desk)
    reference.load(other, DAY)
    desk.cache.status(ALL)
    [codes] = [key for key in other.cache.status(ALL)["keys"] if key["key"] == "ramq:codes:all"]
    assert (codes["hits"], codes["misses"], round(codes["ratio"], 2)) == (2, 1, 0.67)
    assert codes["bytes"] > 1000
    assert 3500 < codes["seconds_left"] <= 3600
    assert codes["revision"] == revision(desk.database)


def test_cleared_it_holds_nothing_and_counts_from_zero(desk, server):
    reference.warm(desk)
    desk.cache.clear(ALL)
    with asked(server) as redis:
        assert redis.keys() == []
    assert set(misses(desk.cache).values()) == {0}


def test_nothing_of_a_patient_or_a_doctor_is_in_it(desk, server, tmp_path):
    file = tmp_path / "factures.csv"
    file.write_text(export(line(facture="900000001"), line(facture="900000002")))
    validation.validate_file(desk, file, run_date=DAY)
    with asked(server) as redis:
        keys = sorted(key.decode() for key in redis.scan_iter())
        held = "".join(readable(redis.get(slot.key)) for slot in ALL)
        counted = str(redis.hgetall("dashlib:cache:counters"))
    assert keys == ["dashlib:cache:counters", *sorted(slot.key for slot in ALL)]
    assert "Visite" in held
    for identity in ("TEST80010112", "EXEMPLE", "9100001", "900000001", "factures"):
        assert identity not in held + counted


def readable(value):
    return pl.read_ipc_stream(io.BytesIO(value.partition(b"\n")[2])).write_ndjson()


def test_where_there_is_no_valkey_each_process_keeps_its_own_copies(wb, database, monkeypatch):
    monkeypatch.setattr(caches, "find_program", lambda: None)
    alone = replace(wb, cache=open_cache(settings_of(home=wb.settings.home)))
    assert reference.load(alone, DAY).codes is reference.load(alone, DAY).codes
    plainly(database, WRITES["insert"])
    assert "99999" in reference.load(alone, DAY).codes["code"]
    told = alone.cache.status(ALL)
    assert (told["kind"], told["address"]) == ("process", None)
    assert misses(alone.cache)["ramq:codes:all"] == 2
    alone.cache.clear(ALL)
    assert misses(alone.cache)["ramq:codes:all"] == 0


def test_a_copy_that_is_too_old_is_made_again(desk):
    short = Slot("short", 0, {})
    assert desk.cache.copy(short, 1, lambda: 1) == 1
    assert desk.cache.copy(short, 1, lambda: 2) == 2
