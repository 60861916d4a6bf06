import json
from dataclasses import replace

import pytest
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
