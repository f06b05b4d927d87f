"""What the flows need of the world outside: the few Protocols adapters fulfil."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

M_co = TypeVar("M_co", covariant=True)

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from serving.domain.anomaly import AnomalyKind
    from serving.domain.attribution import Boxes
    from serving.domain.covariates import Encoding
    from serving.domain.demand import Forecast, ForecastBatch
    from serving.domain.drift import Profile
    from serving.domain.model import ModelDescription, RefusedModel
    from serving.domain.overrides import Override
    from serving.domain.part_features import PartEncoding
    from serving.domain.ready import ReadyForecast, ReadyKind
    from serving.domain.retrain import Reading
    from serving.domain.routes import Routes
    from serving.domain.totals import TotalShapes
    from serving.domain.uplift import UpliftInterval
    from serving.errors import ParlevelError

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
        target_kind: What the service level promises, a serving.domain.supply.TargetKind.
        underage_cost: Money lost per unit not met.
        overage_cost: Money lost per unit left over at the end of a review period.
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
    target_kind: float | None = None
    underage_cost: float | None = None
    overage_cost: float | None = None


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

    def overrides(self, sku: str, location: str) -> tuple[Override, ...]:
        """Return what planners say of days of one series."""

    def stock(self, sku: str, location: str) -> StockInputs:
        """Return what the tables say of stock and supply of one series."""

    def fetched(self, series: Sequence[tuple[str, str]], *tables: str) -> FeatureSnapshot:
        """Return the same with some records at hand, where to read each alone is a long way.

        Args:
            series: Sku and location of each.
            tables: What is read of them: views of series, or ``stock``.
        """


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

    @property
    def boxes(self) -> Boxes | None:
        """The leaves behind its mean, for attribution; None where the release carries none."""

    @property
    def totals(self) -> TotalShapes | None:
        """How totals over series spread; None where the release does not say."""

    def daily(self, rows: Floats) -> tuple[Floats, Floats]:
        """Return mean (n,) and trained quantiles (n, levels) of daily rows (n, features)."""

    def cover(self, rows: Floats) -> tuple[Floats, Floats]:
        """Return mean (n,) and trained quantiles (n, levels) of cover rows (n, features)."""


@dataclass(frozen=True, slots=True)
class UsualRows:
    """What is usual of one kind of rows an anomaly model scores.

    Attributes:
        scores: Scores of usual rows it was not trained on, ascending, shape (m,).
        lows: The 5th percentile of each feature of the kind, shape (features,).
        highs: The 95th percentile likewise.
    """

    scores: NDArray[np.float64]
    lows: NDArray[np.float64]
    highs: NDArray[np.float64]


class AnomalyModel(Described, Protocol):
    """An anomaly model as released."""

    def score(self, rows: Floats) -> tuple[Floats, Floats]:
        """Return scores (n,) and what each feature adds (n, features) of rows (n, features)."""

    def usual(self, kind: AnomalyKind) -> UsualRows:
        """Return what is usual of a kind.

        Raises:
            BeyondTrained: If the model was trained without rows of it.
        """


class UpliftModel(Described, Protocol):
    """An uplift model as released."""

    @property
    def encoding(self) -> Encoding:
        """How covariates become its rows."""

    @property
    def lower_is_better(self) -> bool:
        """Whether the action is to lower the outcome."""

    @property
    def interval(self) -> UpliftInterval:
        """What its intervals cover."""

    def effects(self, rows: Floats) -> NDArray[np.float64]:
        """Return effect in the good direction, lower, upper and propensity of rows, (n, 4)."""


class ServedForecasts(Protocol):
    """Takes note of the forecasts that are served."""

    def note(self, answers: Sequence[Forecast | ParlevelError]) -> None:
        """Take note of the forecasts among answers."""

    def note_batch(self, batch: ForecastBatch) -> None:
        """Take note of the forecasts of a batch."""


class TrainingProfiles(Protocol):
    """Keeps what the rows a model was trained on look like."""

    def training(self, name: str, version: str) -> Profile:
        """Return the training profile of a model's version.

        Raises:
            NothingMeasured: If the version has none.
        """


class Traffic(Protocol):
    """Keeps what the rows models answer look like, day by day."""

    def window(self, name: str, version: str, first_day: dt.date) -> Profile:
        """Return the profile of the rows answered from a day on, one block a day.

        Raises:
            NothingMeasured: If none was answered.
        """


class ReadingLog(Protocol):
    """Keeps what the rules of the verdict saw each day."""

    def readings(self, name: str) -> list[Reading]:
        """Return every reading of a model, in the order they were taken.

        Raises:
            NothingMeasured: If none was taken.
        """


class CostModel(Described, Protocol):
    """A model of quotes as released: an estimate and price quantiles."""

    @property
    def encoding(self) -> PartEncoding:
        """Which attributes it reads, and in which column."""

    @property
    def levels(self) -> tuple[float, ...]:
        """Probability levels of the price quantiles, ascending."""

    @property
    def currency_code(self) -> str:
        """Currency of its prices; empty where the data named none."""

    def prices(self, rows: Floats) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return estimate (n,) and price quantiles (n, levels) of rows (n, features)."""


class Describing(Protocol):
    """Tells of the models it serves."""

    def descriptions(self) -> Sequence[ModelDescription | RefusedModel]:
        """Return what is served now, and why a release was refused."""


class ModelSource(Describing, Protocol[M_co]):
    """Gives the model that is current; a request reads it once and holds it to its end."""

    def current(self) -> M_co:
        """Return the current model; it stays open as long as the caller holds it.

        Raises:
            NoModel: If nothing has been promoted yet.
        """


class ReferenceReader(Protocol):
    """Gives what the tables say of suppliers and parts."""

    @property
    def generation(self) -> str:
        """Name of the generation that is read; empty before the first."""

    def document(self, kind: str, key: str) -> dict[str, Any] | None:
        """Return one document, or None where there is none."""


class ReadyAnswers(Protocol):
    """The forecasts of one run, made ahead of their questions."""

    @property
    def digest(self) -> str:
        """Digest of the release that answered."""

    @property
    def features(self) -> str:
        """Generation of the features the answers were made from."""

    @property
    def horizon(self) -> int:
        """Days of each answer."""

    def answer(self, sku: str, location: str) -> ReadyForecast | None:
        """Return the forecast of a series, or None where there is none."""

    def answers(
        self, series: Sequence[tuple[str, str]]
    ) -> tuple[NDArray[np.intp], NDArray[np.void]]:
        """Return the rows of the series that have a forecast, and theirs as `layout` says."""


class ReadySource(Protocol):
    """Gives the forecasts that are ready."""

    def run(self, kind: ReadyKind) -> ReadyAnswers | None:
        """Return those of a kind, or None where there are none."""


class Clock(Protocol):
    """The business clock."""

    def now(self) -> dt.datetime:
        """Return the moment business has reached, in UTC."""
