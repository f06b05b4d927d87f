"""What the flows need of the world outside: the few Protocols adapters fulfil."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

M_co = TypeVar("M_co", covariant=True)

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from serving.domain.model import ModelDescription
    from serving.domain.routes import Routes

    Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """One packed record of a feature view.

    Attributes:
        event_time: End of the last day it knows, seconds since 1970-01-01 UTC.
        values: The view's fields as laid out in serving.domain.features.VIEWS, shape (width,).
    """

    event_time: int
    values: Floats


@dataclass(frozen=True, slots=True)
class StockInputs:
    """What the tables say of stock and supply of one series; None where they are silent.

    Attributes:
        on_hand: Units in stock.
        on_order: Units ordered and not yet received.
        backorders: Units owed to customers.
        lead_time_days: Days from order to receipt.
        lead_time_std_days: Standard deviation of the lead time in days.
        review_days: Days between reviews.
        service_level: Promised probability of no stock-out in a cycle.
        minimum_order_quantity: Least units a supplier accepts.
        pack_size: Units in a pack.
    """

    on_hand: float | None = None
    on_order: float | None = None
    backorders: float | None = None
    lead_time_days: float | None = None
    lead_time_std_days: float | None = None
    review_days: float | None = None
    service_level: float | None = None
    minimum_order_quantity: float | None = None
    pack_size: float | None = None


class FeatureSnapshot(Protocol):
    """One published generation of stored features; what it says never changes."""

    @property
    def generation(self) -> str:
        """Name of the generation."""

    @property
    def feature_set_hash(self) -> str:
        """Hash of the feature set it was materialised for."""

    def record(self, view: str, key: tuple[str, ...]) -> StoredRecord | None:
        """Return the record of one entity of a view, or None where there is none."""

    def records(self, view: str, keys: Sequence[tuple[str, ...]]) -> list[StoredRecord | None]:
        """Return the records of many entities of a view, in order."""

    def stock(self, sku: str, location: str) -> StockInputs:
        """Return what the tables say of stock and supply of one series."""


class FeatureReader(Protocol):
    """Gives the generation of features that is current."""

    def snapshot(self) -> FeatureSnapshot:
        """Return the current generation.

        Raises:
            NotReady: If nothing has been materialised yet.
        """


class Described(Protocol):
    """Any model as released."""

    @property
    def description(self) -> ModelDescription:
        """What the registry and the certificate say of it."""


class DemandModel(Described, Protocol):
    """A forecast model as released: one graph with a daily and a cover head."""

    @property
    def routes(self) -> Routes | None:
        """Who answers for which series; None where the graph answers for all."""

    def daily(self, rows: Floats) -> tuple[Floats, Floats]:
        """Return mean (n,) and trained quantiles (n, levels) of daily rows (n, features)."""

    def cover(self, rows: Floats) -> tuple[Floats, Floats]:
        """Return mean (n,) and trained quantiles (n, levels) of cover rows (n, features)."""


class Describing(Protocol):
    """Tells of the models it serves."""

    def descriptions(self) -> list[ModelDescription]:
        """Return what is served now, with why a newer release was refused."""


class ModelSource(Describing, Protocol[M_co]):
    """Gives the model that is current; a request reads it once and holds it to its end."""

    def current(self) -> M_co:
        """Return the current model; it stays open as long as the caller holds it.

        Raises:
            NoModel: If nothing has been promoted yet.
        """


class Clock(Protocol):
    """The business clock."""

    def now(self) -> dt.datetime:
        """Return the moment business has reached, in UTC."""
