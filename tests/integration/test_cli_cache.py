import json
from dataclasses import replace

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from dashlib import cli, reference
from dashlib.cache import open_cache
from tests.integration.caches import settings_of

pytestmark = pytest.mark.database


@pytest.fixture
def run(wb, monkeypatch):
    """Runs a command against the test's own database; `with_cache` says whose cache, the tests' Valkey by default."""

    def ran(*arguments, cache=None):
        monkeypatch.setattr(cli.desk, "open_workbench", lambda _: replace(wb, cache=cache or wb.cache))
        return CliRunner().invoke(cli.main, arguments, catch_exceptions=False)

    return ran


def test_it_is_warmed_shown_and_cleared(run):
    assert run("cache", "clear").stdout == "Le cache est vide.\n"
    assert "0,0\u00a0%" in run("cache", "warm").stdout
    told = json.loads(run("cache", "status", "--json").stdout)
    assert told["kind"] == "valkey"
    assert {key["key"]: (key["hits"], key["misses"], key["bytes"] > 500) for key in told["keys"]} == {
        slot.key: (0, 1, True) for slot in reference.SLOTS.values()
    }
    run("cache", "clear")
    cleared = json.loads(run("cache", "status", "--json").stdout)
    assert {(key["bytes"], key["hits"], key["misses"]) for key in cleared["keys"]} == {(None, 0, 0)}


def of_contexts(run):
    [key] = [key for key in json.loads(run("cache", "status", "--json").stdout)["keys"] if "contexts" in key["key"]]
    return key["bytes"], key["current"]


def test_after_an_import_or_an_edit_nothing_of_the_old_table_is_shown(run, wb, tmp_path):
    path = tmp_path / "list.csv"
    path.write_text("context,description\nX1,Un\n", "utf-8")
    for change in (
        ("import", "contexts", str(path)),
        ("set", "contexts", "X2", "description=Deux"),
        ("remove", "contexts", "X2"),
    ):
        run("cache", "warm")
        assert of_contexts(run)[1] is True
        assert run("reference", *change).exit_code == 0
        assert of_contexts(run) == (None, None)


def test_what_another_program_has_changed_since_is_told_to_be_out_of_date(run, wb):
    run("cache", "warm")
    with wb.database.connect() as connection:
        connection.execute(sa.text("UPDATE contexts SET description = 'x' WHERE context = 'AR'"))
    size, current = of_contexts(run)
    assert (size > 500, current) == (True, False)
    assert "À jour" in run("cache", "status").stdout


def test_status_speaks_both_languages(run):
    assert "Le cache est le Valkey intégré." in run("cache", "status").stdout
    assert "The cache is the embedded Valkey." in run("--lang", "en", "cache", "status").stdout


@pytest.mark.parametrize("command", ["status", "clear", "warm"])
def test_a_server_that_is_not_there_ends_with_5_and_no_password(run, wb, command):
    nowhere = open_cache(settings_of("redis://someone:verysecret@127.0.0.1:1/0", wb.settings.home))
    done = run("cache", command, cache=nowhere)
    assert done.exit_code == 5
    assert "DL-CACHE-001" in done.stderr
    assert "secret" not in done.output
