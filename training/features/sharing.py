"""Share published features with every service that reads from one Redis server.

serving.adapters.redis_features says how they are laid out.
"""

from __future__ import annotations

import itertools
from contextlib import closing
from typing import TYPE_CHECKING

import redis

from serving.adapters.features import PackedFeatures
from serving.adapters.packed import ENTITIES
from serving.adapters.redis_features import CURRENT, GENERATIONS, MARK, RedisServer, hash_of
from serving.errors import Busy
from training.features.packing import KEPT
from training.features.store import ONLINE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from serving.adapters.features import PackedSnapshot

TABLES = (*ENTITIES, "stock", "overrides", "meta")
WAIT_SECONDS = 30.0  # nobody waits for an answer meanwhile
_BLOCK = 500  # records of one command, about a megabyte


def share(features: Path, url: str, tell: Callable[[int], None]) -> int | None:
    """Bring the current generation to a Redis server and make it current there in one step.

    A run that is killed changes nothing for who reads; the next one removes what it left.

    Args:
        features: Folder of the features, materialised.
        url: The server, as serving.settings checks it.
        tell: Called with the records brought so far.

    Returns:
        The records brought; None where the generation was current there already.

    Raises:
        NoFeatures: If nothing has been materialised yet.
        StoreUnavailable: If the server does not answer, or refuses.
        Busy: If another run shares at the same time.
    """
    snapshot = PackedFeatures(features / ONLINE).snapshot()
    server = RedisServer(url, wait_seconds=WAIT_SECONDS)
    with closing(server.client):
        name = snapshot.generation
        whole = _is_whole(server, name)
        if whole and server.ask("GET", CURRENT) == name.encode():
            return None
        _remove_unfinished(server)
        counts = {} if whole else _bring(server, snapshot, tell)
        try:
            _make_current(server, snapshot, counts)
        except redis.RedisError as error:
            raise server.failure(error) from None
        return sum(counts.values())


def _is_whole(server: RedisServer, generation: str) -> bool:
    return bool(server.ask("HEXISTS", hash_of(generation, "meta"), MARK))


def _names(server: RedisServer) -> list[str]:
    return sorted(name.decode() for name in server.ask("SMEMBERS", GENERATIONS))


def _remove_unfinished(server: RedisServer) -> None:
    """Remove what runs that were killed have left."""
    for name in _names(server):
        if not _is_whole(server, name):
            gone = ("SREM", GENERATIONS, name)
            server.ask_together([("UNLINK", *_hashes(name)), gone], in_one_step=True)


def _hashes(generation: str) -> list[str]:
    return [hash_of(generation, table) for table in TABLES]


def _bring(
    server: RedisServer, snapshot: PackedSnapshot, tell: Callable[[int], None]
) -> dict[str, int]:
    """Write every table but for the marks; return how many entries each hash has."""
    counts = dict.fromkeys(_hashes(snapshot.generation), 0)
    for table in TABLES:
        hash_ = hash_of(snapshot.generation, table)
        for block in _blocks(_entries(snapshot, table)):
            # Named each time: another run may have taken it for one that was killed meanwhile.
            named = ("SADD", GENERATIONS, snapshot.generation)
            write = ("HSET", hash_, *itertools.chain.from_iterable(block))
            server.ask_together([named, write], in_one_step=True)
            counts[hash_] += len(block)
            tell(sum(counts.values()))
    return counts


def _entries(snapshot: PackedSnapshot, table: str) -> Iterable[tuple[str, str | bytes]]:
    return snapshot.texts(table).items() if table in {"overrides", "meta"} else snapshot.rows(table)


def _blocks(
    entries: Iterable[tuple[str, str | bytes]],
) -> Iterator[list[tuple[str, str | bytes]]]:
    left = iter(entries)
    while block := list(itertools.islice(left, _BLOCK)):
        yield block


def _make_current(server: RedisServer, snapshot: PackedSnapshot, counts: dict[str, int]) -> None:
    """Mark a generation, make it current and drop old ones, in one step.

    Args:
        server: Where.
        snapshot: The generation.
        counts: Entries its hashes must have; empty where it was there whole.

    Raises:
        Busy: If another run has touched it meanwhile.
    """
    name = snapshot.generation
    busy = Busy(f"another run shares features in {server.address} too", retry_after_seconds=1.0)
    with server.client.pipeline() as step:
        step.watch(GENERATIONS, *_hashes(name))  # type: ignore[no-untyped-call]
        there = all(step.hlen(hash_) == count for hash_, count in counts.items())
        if not there or not (counts or _is_whole(server, name)):
            raise busy
        others = [each for each in _names(server) if each != name]
        step.multi()
        for hash_ in _hashes(name):
            length = snapshot.stock_bytes() if hash_ == hash_of(name, "stock") else 0
            step.hset(hash_, MARK, str(length))
        step.set(CURRENT, name)
        step.sadd(GENERATIONS, name)
        for old in others[: -(KEPT - 1)]:
            step.unlink(*_hashes(old))
            step.srem(GENERATIONS, old)
        try:
            step.execute()
        except redis.WatchError:
            raise busy from None
