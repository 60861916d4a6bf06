"""The key of the pseudonyms: given by settings, or made once beside the embedded database; never changed silently."""

import os
import secrets
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from dashlib.database import Database
from dashlib.errors import AccessDenied
from dashlib.phi import Pseudonyms
from dashlib.schema import Installation
from dashlib.settings import Settings

CHECK = "phi_key_check"
SHORTEST = 16  # bytes: who can guess the key can try all health insurance numbers


def pseudonyms(settings: Settings, database: Database) -> Pseudonyms:
    """Pseudonyms under this installation's key.

    Raises:
        AccessDenied: DL-KEY-001, a database of one's own and no key; DL-KEY-002, another key than the one whose
            pseudonyms the database holds; DL-KEY-003, it cannot be read, or is shorter than 16 bytes.
    """
    key = _key(settings)
    if len(key) < SHORTEST:
        raise AccessDenied("DL-KEY-003")
    made = Pseudonyms(key)
    with database.connect() as connection:
        first = insert(Installation).values(key=CHECK, value=made.check_value).on_conflict_do_nothing()
        connection.execute(first)
        kept = connection.scalar(sa.select(Installation.value).where(Installation.key == CHECK))
    if kept != made.check_value:
        raise AccessDenied("DL-KEY-002")
    return made


def _key(settings: Settings) -> bytes:
    if settings.phi_key is not None:
        return settings.phi_key.get_secret_value().encode()
    if settings.phi_key_file is not None:
        try:
            return settings.phi_key_file.read_bytes().strip()
        except OSError:
            raise AccessDenied("DL-KEY-003") from None
    if settings.database_url is not None:
        raise AccessDenied("DL-KEY-001")
    return _own_key(settings.home / "phi.key")


def _own_key(path: Path) -> bytes:
    """The key beside the embedded database, made at first start; two processes that start at once get the same."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    if not path.exists():
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(32))
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_bytes()
