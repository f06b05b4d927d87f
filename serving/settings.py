"""Settings: one frozen dataclass, and the only reader of the environment."""

from __future__ import annotations

import dataclasses
import datetime as dt
import importlib.util
import os
import re
import types
import typing
from dataclasses import dataclass
from pathlib import Path

from serving.errors import InvalidField

PREFIX = "PARLEVEL_"
LAST_PORT = 65_535
_STORE = re.compile(
    r"(rediss?://([^/?#]*@)?(\[[\da-fA-F:]+\]|[^:/?#@]+)(:\d+)?(/\d*)?|unix://([^/?#]*@)?/[^?#]+)"
    r"(\?[^#]*)?"
)


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that may be set, with its default.

    Each field is read from the environment variable PARLEVEL_<FIELD IN CAPITALS>.

    Attributes:
        home: Folder of tables, features, registry, releases, logs and run files.
        host: Address both doors listen on; loopback unless told otherwise.
        http_port: Port of the HTTP door.
        grpc_port: Port of the gRPC door.
        grpc_server: Kind of gRPC server, ``asyncio`` or ``threads``.
        as_of: Last day of the business clock; now where absent.
        feature_ttl_hours: Age beyond which stored features are refused, in hours.
        max_message_mib: Largest request either door reads, in MiB.
        max_concurrency: Requests in flight per door beyond which more are refused.
        drain_seconds: Time requests in flight are given to finish when the service stops.
        poll_seconds: Pause between looks at the current release and features.
        online_store: Redis server the features are read from; files below home where absent.
        registry_uri: MLflow tracking store; SQLite below home where absent.
        real_data: Folder of public data sets for tests; they skip where absent.
        log_level: Least level that is logged.
        forecast_log_mib: Space the log of served forecasts may take, in MiB; 0 keeps none.
    """

    home: Path = Path(".parlevel")
    host: str = "127.0.0.1"
    http_port: int = 3000
    grpc_port: int = 50051
    grpc_server: str = "threads"
    as_of: dt.date | None = None
    feature_ttl_hours: float = 24.0
    max_message_mib: int = 64
    max_concurrency: int = 512
    drain_seconds: float = 10.0
    poll_seconds: float = 1.0
    online_store: str | None = dataclasses.field(default=None, repr=False)  # holds a password
    registry_uri: str | None = None
    real_data: Path | None = None
    log_level: str = "INFO"
    forecast_log_mib: int = 1024

    def __post_init__(self) -> None:
        """Refuse values that no service could run with."""
        for name in ("http_port", "grpc_port"):
            if not 0 <= getattr(self, name) <= LAST_PORT:
                raise InvalidField(_variable(name), "must be a port from 0 to 65535")
        for name in ("feature_ttl_hours", "max_message_mib", "max_concurrency", "poll_seconds"):
            if not getattr(self, name) > 0:
                raise InvalidField(_variable(name), "must be above 0")
        if self.grpc_server not in {"asyncio", "threads"}:
            raise InvalidField(_variable("grpc_server"), "must be asyncio or threads")
        if self.online_store is not None:
            _check_store(self.online_store)

    @property
    def tables(self) -> Path:
        """Folder of the imported tables."""
        return self.home / "tables"

    @property
    def features(self) -> Path:
        """Folder of the offline, online and registry files of the features."""
        return self.home / "features"

    @property
    def releases(self) -> Path:
        """Folder of the releases; serving obeys ``<model>/current`` in it."""
        return self.home / "releases"

    @property
    def monitoring(self) -> Path:
        """Folder of traffic windows, readings and alerts."""
        return self.home / "monitoring"

    @property
    def kept(self) -> Path:
        """Where batch runs keep what they read, for the next one; it may be deleted at any time."""
        return self.home / "kept"

    @property
    def tracking_uri(self) -> str:
        """MLflow's tracking and registry store."""
        return self.registry_uri or f"sqlite:///{(self.home / 'mlflow' / 'mlflow.db').resolve()}"


def _variable(field: str) -> str:
    return PREFIX + field.upper()


def _check_store(url: str) -> None:
    """Refuse an address no Redis server has, without repeating it: it may hold a password."""
    if not _STORE.fullmatch(url):
        form = "must be a redis://, rediss:// or unix:// URL, such as redis://127.0.0.1:6379/0"
        raise InvalidField(_variable("online_store"), form)
    if importlib.util.find_spec("redis") is None:
        extra = "needs the client of Redis: pip install 'parlevel-platform[redis]'"
        raise InvalidField(_variable("online_store"), extra)


def load(environment: typing.Mapping[str, str] | None = None) -> Settings:
    """Read the settings from the environment.

    Raises:
        InvalidField: If a variable does not read as its type, or no setting has its name.
    """
    source = os.environ if environment is None else environment
    kinds = typing.get_type_hints(Settings)
    known = {_variable(field.name): field.name for field in dataclasses.fields(Settings)}
    values: dict[str, object] = {}
    for variable, text in source.items():
        if not variable.startswith(PREFIX):
            continue
        if variable not in known:
            raise InvalidField(variable, f"is no setting; known are {', '.join(sorted(known))}")
        if text:
            values[known[variable]] = _parse(variable, text, kinds[known[variable]])
    return Settings(**values)  # type: ignore[arg-type]  # each value was parsed by its field's type


def _parse(variable: str, text: str, kind: object) -> object:
    if isinstance(kind, types.UnionType):
        kind = next(one for one in typing.get_args(kind) if one is not type(None))
    parse = dt.date.fromisoformat if kind is dt.date else typing.cast("type", kind)
    try:
        return parse(text)
    except ValueError as error:
        raise InvalidField(variable, f"must read as {parse.__name__}, got {text!r}") from error
