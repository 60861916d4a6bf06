import os
import pwd
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import psycopg
import pytest

from dashlib import embedded
from dashlib.embedded import APP, OWNER, Cluster, find_programs
from dashlib.errors import DatabaseUnavailable

pytestmark = pytest.mark.database

NAM = "TEST00000000"
SAFE = {"fsync": "off"}  # what is committed still outlives the server, though not the machine
START = """
import os, sys, tarfile, psycopg
from pathlib import Path
from dashlib.embedded import APP, Cluster
home, uid = Path(sys.argv[1]), int(sys.argv[2])
if uid != os.geteuid():
    os.setgroups([])
    os.setgid(uid)
    os.setuid(uid)
cluster = Cluster(home, settings={"fsync": "off"})
cluster.ensure()
with psycopg.connect(cluster.conninfo(APP)) as connection:
    print(connection.execute("SELECT pg_postmaster_start_time()").fetchone())
"""


@contextmanager
def new_cluster(home):
    cluster = Cluster(home, settings=SAFE)
    cluster.ensure()
    try:
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture(scope="module")
def cluster(short_folder):
    with new_cluster(short_folder / "c") as made:
        yield made


@pytest.fixture(autouse=True)
def running(cluster):
    cluster.ensure()


def postmaster(data):
    return int((data / "postmaster.pid").read_text().splitlines()[0])


def ask(cluster, question, role=APP):
    with psycopg.connect(cluster.conninfo(role)) as connection:
        return connection.execute(question).fetchone()


def in_another_process(home, uid=None):
    command, here = [sys.executable, "-c", START, home, str(uid or os.geteuid())], Path(__file__).parents[2]
    return subprocess.Popen(command, cwd=here, env={"PYTHONPATH": str(here)}, text=True, stdout=subprocess.PIPE)


def test_four_processes_that_start_at_once_share_one_server(short_folder):
    home = short_folder / "four"
    children = [in_another_process(home) for _ in range(4)]
    said = [child.communicate()[0] for child in children]
    Cluster(home).stop()
    assert [child.returncode for child in children] == [0, 0, 0, 0]
    assert len(set(said)) == 1


def test_what_was_committed_is_there_after_kill_9(cluster):
    with psycopg.connect(cluster.conninfo(OWNER)) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    os.kill(postmaster(cluster.data), signal.SIGKILL)
    cluster.ensure()
    assert ask(cluster, "TABLE kept", OWNER) == (42,)


def test_a_lock_file_and_a_half_made_cluster_left_by_a_dead_process_mean_nothing(short_folder):
    home = short_folder / "half"
    (home / "postgres" / "data.new" / "base").mkdir(parents=True)
    (home / "postgres" / "lock").write_text("4711")
    home.chmod(0o711)
    with new_cluster(home) as made:
        assert made.is_running()


def test_a_process_number_that_now_belongs_to_another_program_is_no_server(cluster):
    told = (cluster.data / "postmaster.pid").read_text().splitlines()
    cluster.stop()
    user = embedded.service_user()
    with subprocess.Popen(["sleep", "60"], user=user.pw_uid if user else None) as stranger:
        (cluster.data / "postmaster.pid").write_text("\n".join([str(stranger.pid), *told[1:], ""]))
        (cluster.sockets / ".s.PGSQL.5432.lock").write_text(f"{stranger.pid}\n")
        cluster.ensure()
        stranger.kill()
    assert ask(cluster, "SELECT current_user") == (APP,)


def test_it_stops_once(cluster):
    assert cluster.stop()
    assert not cluster.is_running()
    assert not cluster.stop()


def test_a_folder_without_a_cluster_has_nothing_to_stop(tmp_path):
    assert not Cluster(tmp_path / "nothing").stop()


def test_all_of_it_is_closed_to_others(cluster):
    secret = [*cluster.folder.glob("*.password")]
    assert {file.stat().st_mode & 0o077 for file in [*secret, cluster.folder, cluster.data, cluster.sockets]} == {0}
    assert sorted(file.name for file in secret) == ["dashlib_app.password", "dashlib_owner.password"]


def test_a_folder_that_is_gone_is_a_database_that_does_not_answer(tmp_path):
    with pytest.raises(DatabaseUnavailable, match="DL-DB-001"):
        Cluster(tmp_path / "gone").conninfo(APP)


@pytest.mark.parametrize("login", ["user=dashlib_app password=wrong", "user=postgres password=postgres"])
def test_without_a_password_of_ours_nobody_comes_in(cluster, login):
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(f"host={cluster.sockets} dbname=dashlib {login}")


def test_neither_role_is_a_superuser_and_only_the_owner_makes_tables(cluster):
    may = "SELECT rolsuper, rolbypassrls, rolcreaterole, has_schema_privilege('public', 'CREATE') FROM pg_roles "
    assert ask(cluster, may + "WHERE rolname = current_user", APP) == (False, False, False, False)
    assert ask(cluster, may + "WHERE rolname = current_user", OWNER) == (False, False, False, True)


def test_statistics_of_statements_are_kept(cluster):
    assert ask(cluster, "SELECT count(*) > 0 FROM pg_stat_statements", OWNER) == (True,)


@pytest.mark.parametrize("statement", [f"SELECT '{NAM}'::date", f"SELECT 1 FROM {NAM}", f"CREATE ROLE {NAM}"])
def test_the_servers_log_quotes_nothing(cluster, statement):
    with pytest.raises(psycopg.Error):
        ask(cluster, statement)
    assert NAM not in cluster.log.read_text()


def test_a_long_path_has_its_socket_elsewhere(short_folder):
    home = short_folder / ("long" * 25)
    with new_cluster(home) as made:
        assert made.folder == home / "postgres"
        assert made.sockets.parent == Path(tempfile.gettempdir())
        assert made.sockets.stat().st_mode & 0o077 == 0
        assert ask(made, "SELECT current_user") == (APP,)
        elsewhere = made.sockets
    shutil.rmtree(elsewhere)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to somebody else")
def test_a_socket_folder_that_somebody_else_made_is_refused(short_folder, monkeypatch):
    home = short_folder / ("else" * 25)
    monkeypatch.setattr(tempfile, "tempdir", str(short_folder))
    theirs = short_folder / f"dashlib-{embedded._hash(home)}"
    theirs.mkdir()
    os.chown(theirs, pwd.getpwnam("nobody").pw_uid, -1)
    with pytest.raises(DatabaseUnavailable, match="DL-DB-011"):
        Cluster(home, settings=SAFE).ensure()


@pytest.mark.skipif(os.geteuid() != 0, reason="only for root is there a service user who may not reach a folder")
def test_where_the_service_user_cannot_reach_the_home_the_data_lies_in_a_system_folder(short_folder, monkeypatch):
    monkeypatch.setattr(embedded, "SYSTEM_FOLDER", short_folder / "system")
    home = short_folder / "closed"
    home.mkdir(mode=0o700)
    with new_cluster(home) as made:
        assert made.folder.parent == short_folder / "system"
        assert ask(made, "SELECT current_user") == (APP,)
    assert Cluster(short_folder / "closed").folder != Cluster(short_folder / "closed2").folder


def test_an_ordinary_user_runs_it_himself(short_folder, ordinary_user):
    home = short_folder / "nobody"
    home.mkdir(mode=0o700)
    os.chown(home, ordinary_user, -1)
    said, _ = in_another_process(home, ordinary_user).communicate()
    assert "datetime" in said
    data = home / "postgres" / "data"
    os.kill(postmaster(data), signal.SIGINT)
    assert data.stat().st_uid == ordinary_user


def test_a_server_that_cannot_start_says_where_its_log_is(short_folder):
    cluster = Cluster(short_folder / "odd", settings={"shared_buffers": "nonsense"})
    with pytest.raises(DatabaseUnavailable, match="DL-DB-010") as refused:
        cluster.ensure()
    assert refused.value.facts == {"log": str(cluster.log)}


@pytest.mark.parametrize("home", ["/dev/null/x", "/proc/x", "/etc/passwd"])
def test_a_home_that_cannot_be_made_is_said(home):
    with pytest.raises(DatabaseUnavailable, match=r"DL-DB-014.*DASHLIB_HOME"):
        Cluster(Path(home)).ensure()


def test_a_folder_without_the_programs_is_named(short_folder):
    with pytest.raises(DatabaseUnavailable, match=r"DL-DB-015.*/nonexistent.*DASHLIB_PG_BIN"):
        Cluster(short_folder / "no programs", Path("/nonexistent")).ensure()


def test_without_the_wheel_and_without_programs_it_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(embedded, "find_spec", {}.get)
    with pytest.raises(DatabaseUnavailable, match="DL-DB-012"):
        find_programs(None, spare=tmp_path)


def test_programs_are_unpacked_into_the_data_folder_where_the_wheels_own_is_closed(monkeypatch, tmp_path):
    wheel, spare = tmp_path / "wheel", tmp_path / "spare"
    (wheel / "postgresql-1" / "bin").mkdir(parents=True)
    with tarfile.open(wheel / "postgresql-1.tar.gz", "w:gz") as tar:
        tar.add(wheel / "postgresql-1", "postgresql-1")
    (wheel / "postgresql-1" / "bin").rmdir()
    (wheel / "postgresql-1").rmdir()
    spare.mkdir()
    wheel.chmod(0o500)
    monkeypatch.setattr(embedded, "find_spec", lambda name: SimpleNamespace(origin=str(wheel / "__init__.py")))
    found = [find_programs(None, spare=spare) for _ in range(2)]
    assert found == [spare / "postgresql-1" / "bin"] * 2
    assert found[0].is_dir()
    assert found[0].stat().st_mode & 0o777 == 0o755
    assert [path.name for path in spare.iterdir()] == ["postgresql-1"]
