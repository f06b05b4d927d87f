"""What the work costs without any door: the model on feature rows, and the packed reads."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np

from serving.adapters.demand import open_demand
from serving.adapters.features import PackedFeatures
from serving.adapters.releases import CURRENT, open_release
from serving.domain.features import FEATURES, SeriesRecords, daily_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from loadtests.bench.series import BenchHome
    from serving.adapters.demand import OnnxDemandModel
    from serving.adapters.features import PackedSnapshot

    Keys = Sequence[tuple[str, str]]

T = TypeVar("T")
HORIZON = 7
READ = ("demand_state", "known_future")  # the views that are not held in memory
PREPARED_ROWS = 16_384  # series whose rows are made beforehand; more would leave no cache cold


class Bare(NamedTuple):
    """Processor time the work takes alone.

    Attributes:
        model_seconds: One run of the model on the rows of so many series, median.
        read_seconds: The packed reads of as many series, median.
    """

    model_seconds: float
    read_seconds: float


class BareWork:
    """Model and packed features of a home, without a door."""

    def __init__(self, home: BenchHome) -> None:
        """Open them."""
        self._home = home
        releases = home.folder / "releases" / "forecast"
        self._model: OnnxDemandModel = open_release(
            releases / (releases / CURRENT).readlink(), open_demand
        )
        self._snapshot: PackedSnapshot = PackedFeatures(home.folder / "features/online").snapshot()

    def measure(self, keys: Keys, series: int, seconds: float) -> Bare:
        """Measure both on fresh series, so many at a time."""
        groups = [keys[at : at + series] for at in range(0, len(keys) - series + 1, series)]
        prepared = [self._rows(group) for group in groups[: max(2, PREPARED_ROWS // series // 8)]]
        return Bare(
            _median_seconds(self._model.daily, prepared, seconds),
            _median_seconds(self._read, groups, seconds),
        )

    def _read(self, keys: Keys) -> object:
        if len(keys) == 1:
            return [self._snapshot.record(view, keys[0]) for view in READ]
        return [self._snapshot.records(view, keys) for view in READ]

    def _rows(self, keys: Keys) -> NDArray[np.float32]:
        def values(view: str, names: Sequence[tuple[str, ...]]) -> NDArray[np.float32]:
            found = self._snapshot.records(view, names)
            return np.stack([record.values for record in found if record is not None])

        records = SeriesRecords(
            origin=np.datetime64(self._home.as_of, "D"),
            state=values("demand_state", keys),
            product=values("product", [(sku,) for sku, _ in keys]),
            location=values("location", [(place,) for _, place in keys]),
            future=values("known_future", keys),
        )
        return daily_rows(records, HORIZON, sales_target=False).reshape(-1, len(FEATURES))


def _median_seconds(work: Callable[[T], object], inputs: Sequence[T], seconds: float) -> float:
    taken = []
    until = time.perf_counter() + seconds
    for one in itertools.cycle(inputs):
        begun = time.thread_time()
        work(one)
        taken.append(time.thread_time() - begun)
        if time.perf_counter() > until:
            break
    return float(np.median(taken))
