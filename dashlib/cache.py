"""What every process asks for is read from the database once, and kept for all of them in Redis.

A value carries the revision of the table that it was read from, and counts only while the database still has that
revision: nobody is served what another process, or psql, has changed since. A Redis that is slow, away or full makes
this slower, never wrong and never an error: it is given little time, and after a failure it is left alone for a while.
"""

import hashlib
import io
import logging
import time
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any

import polars as pl

from dashlib.errors import CacheUnavailable, DatabaseUnavailable, UsageError
from dashlib.settings import Settings
from dashlib.valkey import Valkey, find_program

if TYPE_CHECKING:
    from redis import Redis

log = logging.getLogger(__name__)

CONNECT_S, ANSWER_S = 0.1, 0.2
REST_S = 10.0
"""After a failure nobody asks again for so long: a Redis that hangs costs ANSWER_S once."""
LOCK_S, WAIT_S, POLL_S = 2.0, 1.0, 0.02
"""Who reads the database for all is waited for at most WAIT_S; where he was killed, his lock ends by itself."""
COUNTERS = "dashlib:cache:counters"
NOTHING: tuple[Hashable, float, Any] = (None, 0.0, None)


@dataclass(frozen=True)
class Slot:
    """A value that processes share: its key, the seconds that it lasts, and the columns of its frame."""

    key: str
    ttl_s: int
    schema: Mapping[str, Any]  # polars has no one name for what may stand for a type


class Cache:
    """Values by slot and revision: this process's own copies, and before them those of a Redis that all share.

    `connect` gives that Redis; without it there are only this process's copies.
    """

    def __init__(self, kind: str, connect: "Callable[[], Redis] | None" = None) -> None:
        self.kind = kind
        self._connect = connect
        self._redis: Redis | None = None
        self._rests_until = 0.0
        self._was_told = False
        self._copies: dict[str, tuple[Hashable, float, Any]] = {}
        self._turns: dict[str, Lock] = {}
        self._tally: Counter[str] = Counter()
        self._counting = Lock()

    def copy[T](self, slot: Slot, revision: Hashable, make: Callable[[], T]) -> T:
        """This process's own copy at this revision; where there is none, one thread makes it and the others wait."""
        with self._turns.setdefault(slot.key, Lock()):
            at, until, kept = self._copies.get(slot.key, NOTHING)
            if at == revision and time.monotonic() < until:
                self._count(slot, "asked")
                found: T = kept
                return found
            made = make()
            self._copies[slot.key] = (revision, time.monotonic() + slot.ttl_s, made)
            return made

    def frame(self, slot: Slot, revision: int, load: Callable[[], pl.DataFrame]) -> pl.DataFrame:
        """The shared frame at this revision, else what `load` reads, which is then shared.

        The revision is asked before the rows are read. Who changes a table in between makes a value with a revision
        that is already past, and nobody will take it.
        """
        self._count(slot, "asked")
        found = self._read(slot, revision)
        if found is not None:
            return found
        mine = self._ask(lambda redis: bool(redis.set(_lock(slot), "1", nx=True, px=round(LOCK_S * 1000))), True)
        try:
            if not mine:
                self._wait(slot)
            found = self._read(slot, revision)
            if found is None:
                found = load()
                self._count(slot, "missed")
                self._write(slot, revision, found)
            return found
        finally:
            # After LOCK_S the lock can be another's; then a third one may read the database too, no more.
            if mine:
                self._ask(lambda redis: redis.delete(_lock(slot)), None)

    def forget(self, slots: Sequence[Slot]) -> None:
        """Whoever has changed a table calls this after the commit. Without it nobody is served the old rows either."""
        if slots:  # Redis refuses to delete nothing
            self._ask(lambda redis: redis.delete(*(slot.key for slot in slots)), None)

    def clear(self, slots: Sequence[Slot]) -> None:
        """Forgets these values, this process's copies and all counts.

        Raises:
            CacheUnavailable: DL-CACHE-001, it does not answer.
        """
        self._copies.clear()
        self._tally.clear()
        self._require(lambda redis: redis.delete(COUNTERS, *(slot.key for slot in slots)), None)

    def status(self, slots: Sequence[Slot]) -> dict[str, Any]:
        """What the cache is, and for each slot bytes, seconds left, revision, hits, misses and ratio of hits.

        Raises:
            CacheUnavailable: DL-CACHE-001, it does not answer.
        """
        about = self._require(_about, {"address": None, "server": None, "used_memory": None})
        kept = self._require(lambda redis: _kept(redis, slots), [NOT_KEPT] * len(slots))
        counted = self._require(
            lambda redis: self._with_counts(redis, lambda pipe: pipe.hgetall(COUNTERS)), self._tally
        )
        counts = {name.decode() if isinstance(name, bytes) else name: int(number) for name, number in counted.items()}
        keys = [
            {"key": slot.key, "bytes": size, "seconds_left": left, "revision": at} | _hits(slot, counts)
            for slot, (size, left, at) in zip(slots, kept, strict=True)
        ]
        return {"kind": self.kind, **about, "keys": keys}

    def _read(self, slot: Slot, revision: int) -> pl.DataFrame | None:
        value = self._ask(lambda redis: self._with_counts(redis, lambda pipe: pipe.get(slot.key)), None)
        return _unpack(value, slot, revision) if value is not None else None

    def _write(self, slot: Slot, revision: int, rows: pl.DataFrame) -> None:
        value = _pack(rows, revision)
        self._ask(lambda redis: self._with_counts(redis, lambda pipe: pipe.set(slot.key, value, ex=slot.ttl_s)), None)

    def _wait(self, slot: Slot) -> None:
        until = time.monotonic() + WAIT_S
        while time.monotonic() < until and self._ask(lambda redis: redis.exists(_lock(slot)), 0):
            time.sleep(POLL_S)

    def _count(self, slot: Slot, what: str) -> None:
        with self._counting:
            self._tally[f"{slot.key} {what}"] += 1

    def _with_counts(self, redis: "Redis", ask: Callable[[Any], Any]) -> Any:
        """One question; what was counted since the last goes with it."""
        with self._counting:
            counted, self._tally = self._tally, Counter()
        pipe = redis.pipeline(transaction=False)
        for field, number in counted.items():
            pipe.hincrby(COUNTERS, field, number)
        ask(pipe)
        return pipe.execute()[-1]

    def _require[T](self, ask: "Callable[[Redis], T]", without: T) -> T:
        """The answer of a Redis that somebody looks at; `without`, where there is none by choice."""
        if self._connect is None:
            return without
        self._rests_until = 0.0
        answer: Any = self._ask(lambda redis: (ask(redis),), None)
        if answer is None:
            raise CacheUnavailable("DL-CACHE-001")
        found: T = answer[0]
        return found

    def _ask[T](self, ask: "Callable[[Redis], T]", otherwise: T) -> T:
        """The answer of Redis; `otherwise`, where there is none, it fails, or it failed a while ago."""
        if self._connect is None or time.monotonic() < self._rests_until:
            return otherwise
        from redis.exceptions import RedisError  # takes a tenth of a second, which not every command needs

        try:
            redis = self._redis = self._redis or self._connect()
            answer = ask(redis)
        except (RedisError, OSError, DatabaseUnavailable) as error:
            self._rest(error)
            return otherwise
        self._was_told = False
        return answer

    def _rest(self, error: Exception) -> None:
        self._rests_until = time.monotonic() + REST_S
        redis, self._redis = self._redis, None
        if redis is not None:
            redis.close()
        if not self._was_told:
            # Redis' own words can hold an address with its password.
            log.warning("cache: %s; working without it, asking again every %d s", type(error).__name__, REST_S)
        self._was_told = True


def open_cache(settings: Settings) -> Cache:
    """The cache that the settings name; without REDIS_URL the embedded Valkey, started at its first use.

    Raises:
        UsageError: DL-SET-001, REDIS_URL is not an address; what is wrong behind its scheme is said at its first use.
    """
    if settings.redis_url:
        url = settings.redis_url.get_secret_value()
        if not url.startswith(("redis://", "rediss://", "unix://")):
            raise _no_address()
        return Cache("redis", lambda: _client(url))
    if find_program() is None:
        return Cache("process")
    valkey = Valkey(settings.home)

    def started() -> "Redis":
        valkey.ensure()
        return _client(f"unix://{valkey.socket}")

    return Cache("valkey", started)


def _client(url: str) -> "Redis":
    from redis import Redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    # By default redis-py tries a dead server for four seconds.
    patience = {"socket_connect_timeout": CONNECT_S, "socket_timeout": ANSWER_S, "retry": Retry(NoBackoff(), 0)}
    try:
        return Redis.from_url(url, **patience, protocol=2, driver_info=None)
    except (TypeError, ValueError):
        raise _no_address() from None


def _no_address() -> UsageError:
    return UsageError("DL-SET-001", names="REDIS_URL")


def _lock(slot: Slot) -> str:
    return f"{slot.key}:lock"


def _pack(rows: pl.DataFrame, revision: int) -> bytes:
    """Revision and digest on a line, then the frame as a compressed Arrow stream."""
    stream = io.BytesIO()
    rows.write_ipc_stream(stream, compression="zstd")
    return b"%d %s\n" % (revision, _digest(stream.getvalue())) + stream.getvalue()


def _unpack(value: bytes, slot: Slot, revision: int) -> pl.DataFrame | None:
    """The frame, if it is whole, of this revision, and as this version of dashlib has it."""
    head, _, stream = value.partition(b"\n")
    # A damaged stream can break off the whole process, or read as another tariff: hence the digest.
    if head != b"%d %s" % (revision, _digest(stream)):
        return None
    with suppress(pl.exceptions.PolarsError):
        rows = pl.read_ipc_stream(io.BytesIO(stream))
        return rows if rows.schema == pl.Schema(slot.schema) else None
    return None


def _digest(stream: bytes) -> bytes:
    return hashlib.sha256(stream).hexdigest().encode()


def _about(redis: "Redis") -> dict[str, Any]:
    info: Any = redis.info()
    where = redis.connection_pool.connection_kwargs
    address = where.get("path") or f"{where.get('host', 'localhost')}:{where.get('port', 6379)}/{where.get('db') or 0}"
    server = info.get("valkey_version") or info["redis_version"]
    return {"address": str(address), "server": str(server), "used_memory": int(info["used_memory"])}


type Kept = tuple[int | None, int | None, int | None]
"""Bytes, seconds left and revision."""
NOT_KEPT: Kept = (None, None, None)


def _kept(redis: "Redis", slots: Sequence[Slot]) -> list[Kept]:
    pipe = redis.pipeline(transaction=False)
    for slot in slots:
        pipe.strlen(slot.key)
        pipe.ttl(slot.key)
        pipe.getrange(slot.key, 0, 30)
    told = pipe.execute()
    return [
        (size, left, _revision(head)) if size else NOT_KEPT
        for size, left, head in zip(told[::3], told[1::3], told[2::3], strict=True)
    ]


def _revision(head: bytes) -> int | None:
    number = head.split(b" ", 1)[0]
    return int(number) if number.isdigit() else None


def _hits(slot: Slot, counts: Mapping[str, int]) -> dict[str, Any]:
    asked, missed = counts.get(f"{slot.key} asked", 0), counts.get(f"{slot.key} missed", 0)
    return {"hits": asked - missed, "misses": missed, "ratio": (asked - missed) / asked if asked else None}
