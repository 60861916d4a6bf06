import itertools
import os
import pwd
import shutil
import tempfile
from contextlib import closing, suppress
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, settings

from dashlib.cache import open_cache
from dashlib.database import Database, migrate, stop
from dashlib.embedded import APP, OWNER, Cluster
from dashlib.installing import install
from dashlib.keys import pseudonyms
from dashlib.settings import Settings
from dashlib.valkey import Valkey
from dashlib.workbench import Workbench, enter
from tests.serving import PATIENCE_MS, browser

# Files take a while to draw on a busy machine, which is no fault of the test. `make test` draws more of them.
settings.register_profile("quick", max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("thorough", settings.get_profile("quick"), max_examples=40)
settings.load_profile("quick")

OURS = ("http://127.0.0.1:", "ws://127.0.0.1:", "data:", "blob:", "file:")
HASTY = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def short_folder():
    """A folder that PostgreSQL's user can reach, with a path short enough for a socket; pytest's own are neither."""
    folder = Path(tempfile.mkdtemp(prefix="dl-", dir="/var/tmp"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def ordinary_user():
    """The number of a user who is not root: whoever runs the tests, or where root does, nobody."""
    return os.geteuid() or pwd.getpwnam("nobody").pw_uid


@pytest.fixture(scope="session")
def postgres(short_folder):
    """The tests' own embedded server. `database` and `wb` copy its databases `dashlib` (migrated) and `installed`."""
    cluster = Cluster(short_folder / "s", settings=HASTY)
    cluster.ensure()
    nowhere = Settings(DATABASE_URL=None, REDIS_URL=None, home=cluster.home)
    with closing(Database(nowhere, cluster)) as migrated:
        migrate(migrated)
    with closing(psycopg.connect(cluster.conninfo(OWNER, "postgres"), autocommit=True)) as server:
        server.execute("CREATE DATABASE installed TEMPLATE dashlib")
    with closing(Database(nowhere, cluster, "installed")) as installed:
        install(installed)
    yield cluster
    stop(nowhere)


@pytest.fixture
def blank(postgres, tmp_path):
    """A database of this test alone, without tables."""
    yield from own_database(postgres, tmp_path, template="template1")


@pytest.fixture
def database(postgres, tmp_path, request):
    """A database of this test alone, freshly migrated. Its settings' home is the test's folder.

    What `wb` adds is in it at once where a test has both: to install it costs a second, and to copy it nothing.
    """
    yield from own_database(postgres, tmp_path, "installed" if "wb" in request.fixturenames else "dashlib")


def own_database(cluster, home, template):
    name = f"t{next(NUMBERS)}"
    with closing(psycopg.connect(cluster.conninfo(OWNER, "postgres"), autocommit=True)) as server:
        server.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        server.execute(f"REVOKE ALL ON DATABASE {name} FROM PUBLIC")
        server.execute(f"GRANT CONNECT ON DATABASE {name} TO {APP}")
        made = Database(Settings(DATABASE_URL=None, REDIS_URL=None, home=home), cluster, name)
        yield made
        made.close()
        with suppress(psycopg.errors.ObjectInUse):
            server.execute(f"DROP DATABASE {name}")


@pytest.fixture
def cache(postgres):
    """The tests' own embedded Valkey: one for all their databases."""
    return open_cache(Settings(DATABASE_URL=None, REDIS_URL=None, home=postgres.home))


@pytest.fixture
def redis_url(postgres):
    """Its address, for a process that has a data folder of its own."""
    valkey = Valkey(postgres.home)
    valkey.ensure()
    return f"unix://{valkey.socket}"


@pytest.fixture
def wb(database, cache):
    """A workbench on a database of this test alone, with the shipped rules and the starter reference."""
    settings = database.settings
    return Workbench(enter(database), database, pseudonyms(settings, database), settings, cache)


@pytest.fixture(scope="session")
def chromium():
    """One browser for all tests of a process."""
    with browser() as started:
        yield started


@pytest.fixture
def visit(chromium):
    """Opens an address at a width; the page has `outside`, requests that leave this machine, and `faults`."""
    contexts = []

    def opened(url, *, width=1440, **options):
        context = chromium.new_context(
            viewport={"width": width, "height": 900}, timezone_id="America/Toronto", **options
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.outside, page.faults = [], []
        page.on("request", lambda request: None if request.url.startswith(OURS) else page.outside.append(request.url))
        page.on("pageerror", lambda fault: page.faults.append(str(fault)))
        page.goto(url, wait_until="commit")
        return page

    yield opened
    for context in contexts:
        context.close()
