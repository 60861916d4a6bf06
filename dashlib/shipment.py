"""Whether a database has what this dashlib brings: told by a digest of the files, none of which is read as rules."""

import functools
import hashlib
from pathlib import Path

import sqlalchemy as sa

from dashlib.schema import Installation

FOLDERS = tuple(Path(__file__).parent.joinpath(*folder) for folder in (("rules", "ramq"), ("starter",)))


def is_there(connection: sa.Connection) -> bool:
    """Whether the shipped rulebook and starter tables are in the database already."""
    return bool(connection.scalar(sa.select(Installation.key).where(Installation.key == key())))


@functools.cache
def key() -> str:
    """How a database remembers this shipment."""
    files = (file for folder in FOLDERS for file in folder.iterdir() if file.suffix in (".json", ".csv"))
    shipped = sorted(files, key=lambda file: file.name)
    digest = hashlib.sha256(b"\0".join(file.name.encode() + b"\0" + file.read_bytes() for file in shipped))
    return f"shipped {digest.hexdigest()[:16]}"
