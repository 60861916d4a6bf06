import threading

import pytest
import sqlalchemy as sa

from dashlib.errors import AccessDenied
from dashlib.keys import pseudonyms
from dashlib.schema import Installation
from dashlib.settings import Settings

pytestmark = pytest.mark.database


def settings(**given):
    return Settings(**{"DATABASE_URL": None} | given)


def test_the_key_made_at_first_start_is_its_owners_and_stays(database):
    first = pseudonyms(database.settings, database)
    path = database.settings.home / "phi.key"
    assert (path.stat().st_mode & 0o777, len(path.read_bytes())) == (0o600, 64)
    assert pseudonyms(database.settings, database).check_value == first.check_value


def test_another_key_than_the_databases_is_refused(database):
    pseudonyms(settings(phi_key="a key of sixteen bytes"), database)
    with pytest.raises(AccessDenied, match="DL-KEY-002"):
        pseudonyms(settings(phi_key="another, as long as that"), database)


def test_a_database_of_ones_own_needs_a_key(database):
    with pytest.raises(AccessDenied, match="DL-KEY-001"):
        pseudonyms(settings(DATABASE_URL="postgresql://localhost/x"), database)


@pytest.mark.parametrize("content", [b"", b"short"])
def test_a_key_that_can_be_guessed_is_refused(database, tmp_path, content):
    (tmp_path / "key").write_bytes(content)
    with pytest.raises(AccessDenied, match="DL-KEY-003"):
        pseudonyms(settings(phi_key_file=tmp_path / "key"), database)


def test_a_key_file_that_cannot_be_read_is_refused(database, tmp_path):
    for path in (tmp_path / "nothing", tmp_path):
        with pytest.raises(AccessDenied, match="DL-KEY-003"):
            pseudonyms(settings(phi_key_file=path), database)


def test_several_first_starts_agree_on_the_key(database):
    with database.connect() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(Installation)) == 0
    failed = []

    def start():
        try:
            pseudonyms(database.settings, database)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=start) for _ in range(6)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert failed == []
