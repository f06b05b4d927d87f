"""Stored features in a Redis server that several services share.

    parlevel:features:current               name of the generation that serves, set in one step
    parlevel:features:generations           names of all that were begun, a set
    parlevel:features:<generation>:<table>  one hash a table of serving.adapters.packed

Every hash has a field MARK, set in the step that makes the generation current; after it the hash
never changes, and it goes as a whole. A reader asks for the mark beside the records: where it is
missing the generation is gone, and that a record is missing too says nothing.
"""

from __future__ import annotations

import functools
from copy import copy
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from serving.adapters.packed import CHUNK, LiveGeneration, PackedGeneration
from serving.domain.series import SEPARATOR
from serving.errors import InvalidField, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

SETTING = "PARLEVEL_ONLINE_STORE"
CURRENT = "parlevel:features:current"
GENERATIONS = "parlevel:features:generations"
MARK = ""  # no record has this key; of stock it holds the bytes of a record, else 0
WAIT_SECONDS = 0.5  # for a connection, and for each part of an answer


def hash_of(generation: str, table: str) -> str:
    """Return the key of the hash of a table."""
    return f"parlevel:features:{generation}:{table}"


class RedisServer:
    """The server of a setting: asked with bounded waits, and left alone while it is away.

    Attributes:
        address: Where it is, without credentials.
        client: Asks it directly; `failure` says what its errors come to.
    """

    def __init__(self, url: str, *, wait_seconds: float = WAIT_SECONDS) -> None:
        """Name the server; nothing is asked yet.

        Args:
            url: Where it is, as serving.settings checks it.
            wait_seconds: The longest wait for a connection and for each part of an answer.

        Raises:
            InvalidField: If an option of the URL is unknown or its value cannot be read.
        """
        parts = urlsplit(url)
        self.address = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
        try:
            # The second version of the protocol is spoken by every server, and with it the client
            # sees, before it asks, that a connection was closed meanwhile.
            self.client = redis.Redis.from_url(
                url,
                protocol=2,
                socket_connect_timeout=wait_seconds,
                socket_timeout=wait_seconds,
                retry=Retry(NoBackoff(), 0),
            )
            pool = self.client.connection_pool
            pool.connection_class(**pool.connection_kwargs)
        except (TypeError, ValueError):
            raise InvalidField(SETTING, "has an option that cannot be read") from None
        self._secret = str(pool.connection_kwargs.get("password") or "")
        self._lost = ""  # what the last failure said, until an answer comes

    def ask(self, *command: str | bytes) -> Any:  # noqa: ANN401 - what Redis answers, has no type
        """Return the answer to a command; while the server is away, fail without a wait.

        Raises:
            StoreUnavailable: If it does not answer, or did not before; `look` tries again.
        """
        self.check()
        return self.look(*command)

    def ask_together(
        self, commands: Iterable[tuple[str | bytes, ...]], *, in_one_step: bool = False
    ) -> list[Any]:
        """Return the answers to some commands that are sent at once.

        Args:
            commands: The commands.
            in_one_step: Lets nobody see, or come between, a part of what they do.

        Raises:
            StoreUnavailable: As `ask`.
        """
        self.check()
        sent = self.client.pipeline(transaction=in_one_step)
        for command in commands:
            sent.execute_command(*command)  # type: ignore[no-untyped-call]
        answers: list[Any] = self._answered(sent.execute)
        return answers

    def check(self) -> None:
        """Fail where the server did not answer when last it was asked.

        Raises:
            StoreUnavailable: If it did not.
        """
        if self._lost:
            raise self._away(self._lost)

    def look(self, *command: str | bytes) -> Any:  # noqa: ANN401 - as above
        """Return the answer to a command, whatever the one before came to.

        Raises:
            StoreUnavailable: If the server does not answer, or refuses.
        """
        return self._answered(functools.partial(self.client.execute_command, *command))

    def failure(self, error: redis.RedisError) -> StoreUnavailable:
        """Return what an error of the client comes to, without the password."""
        said = str(error).rstrip(".") or type(error).__name__
        self._lost = said.replace(self._secret, "***") if self._secret else said
        return self._away(self._lost)

    def gone(self, generation: str) -> StoreUnavailable:
        """Return the failure of reading a generation that was dropped."""
        return StoreUnavailable(
            self.address,
            f"does not hold features {generation} any more",
            "retry, or run `parlevel features materialize`",
        )

    def _answered(self, ask: Callable[[], Any]) -> Any:  # noqa: ANN401 - as above
        try:
            answer = ask()
        except redis.RedisError as error:
            # Without its cause: a server that knows no passwords repeats the one it was sent.
            raise self.failure(error) from None
        self._lost = ""
        return answer

    def _away(self, said: str) -> StoreUnavailable:
        return StoreUnavailable(
            self.address, f"does not answer ({said})", f"start it, or mend {SETTING}"
        )


class RedisSnapshot(PackedGeneration):
    """One generation; once it is dropped every question fails, none is answered in part."""

    def __init__(self, server: RedisServer, generation: str) -> None:
        """Open the generation.

        Args:
            server: Where it is.
            generation: Its name.

        Raises:
            ReleaseRefused: If it is damaged, or of another feature set's layout.
            StoreUnavailable: If the server does not answer, or does not hold it any more.
        """
        self._server = server
        self._at_hand: dict[str, dict[str, bytes | None]] = {}
        super().__init__(generation)

    def rows(self, table: str) -> Iterable[tuple[str, bytes]]:
        """Return every record of a table, each with its key."""
        found: dict[bytes, bytes] = self._server.ask("HGETALL", hash_of(self.generation, table))
        if found.pop(MARK.encode(), None) is None:
            raise self._server.gone(self.generation)
        return ((key.decode(), record) for key, record in found.items())

    def texts(self, table: str) -> dict[str, str]:
        """Return a table of texts."""
        return {key: text.decode() for key, text in self.rows(table)}

    def stock_bytes(self) -> int:
        """Return the bytes of a record of stock; 0 where there is none."""
        (length,) = self._marked("stock", [])
        return int(length or 0)

    def fetched(self, series: Sequence[tuple[str, str]], *tables: str) -> Self:
        """Return the same with some records at hand, all read in one journey.

        Raises:
            StoreUnavailable: If the server does not answer, or does not hold it any more.
        """
        if not series:
            return self
        names = [SEPARATOR.join(key) for key in series]
        chunks = [names[first : first + CHUNK] for first in range(0, len(names), CHUNK)]
        parts = [(table, chunk) for table in tables for chunk in chunks]
        answers = self._server.ask_together(self._command(*part) for part in parts)
        at_hand: dict[str, dict[str, bytes | None]] = {table: {} for table in tables}
        for (table, chunk), answer in zip(parts, answers, strict=True):
            at_hand[table].update(zip(chunk, self._whole(answer)[1:], strict=True))
        found = copy(self)
        found._at_hand = at_hand  # noqa: SLF001 - of its own kind
        return found

    def _one(self, table: str, name: str) -> bytes | None:
        at_hand = self._at_hand.get(table, {})
        return at_hand[name] if name in at_hand else self._marked(table, [name])[1]

    def _some(self, table: str, names: list[str]) -> Iterable[tuple[str, bytes]]:
        _, *found = self._marked(table, names)
        return (
            (name, record) for name, record in zip(names, found, strict=True) if record is not None
        )

    def _keys(self, table: str) -> Iterable[str]:
        found: list[bytes] = self._server.ask("HKEYS", hash_of(self.generation, table))
        if MARK.encode() not in found:
            raise self._server.gone(self.generation)
        return (key.decode() for key in found if key)

    def _marked(self, table: str, names: list[str]) -> list[bytes | None]:
        """Return the mark and records of a table, all read in one step."""
        return self._whole(self._server.ask(*self._command(table, names)))

    def _command(self, table: str, names: list[str]) -> tuple[str, ...]:
        return ("HMGET", hash_of(self.generation, table), MARK, *names)

    def _whole(self, found: list[bytes | None]) -> list[bytes | None]:
        """Return what was read beside a mark, if the mark was there."""
        if found[0] is None:
            raise self._server.gone(self.generation)
        return found


class RedisFeatures(LiveGeneration[RedisSnapshot]):
    """Reads the current generation of a Redis server."""

    def __init__(self, url: str) -> None:
        """Name the server; nothing is asked yet.

        Args:
            url: Where it is, as serving.settings checks it.

        Raises:
            InvalidField: If an option of the URL is unknown or its value cannot be read.
        """
        super().__init__()
        self._server = RedisServer(url)

    def snapshot(self) -> RedisSnapshot:
        """Return the generation last looked up, looking one up where there was none.

        Raises:
            NoFeatures: If nothing has been materialised yet.
            ReleaseRefused: If the generation cannot be read.
            StoreUnavailable: If the server does not answer, and none was looked up before.
        """
        if self._snapshot is None:
            self._server.check()
        return super().snapshot()

    def _current(self) -> str | None:
        name: bytes | None = self._server.look("GET", CURRENT)
        return None if name is None else name.decode()

    def _open(self, generation: str) -> RedisSnapshot:
        return RedisSnapshot(self._server, generation)
