"""The batch form of the demand question: one row a series and day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from serving.domain.demand import DemandTarget, check_horizon, check_levels, interpolate_levels
from serving.domain.overrides import lay_over
from serving.domain.periods import day_numbers_ahead, first_days, frequency_of, last_day
from serving.errors import BeyondTrained
from serving.flows.prediction import answered_by, predict_daily
from training.features.overrides import load_overrides

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from serving.domain.overrides import Override
    from serving.ports import DemandModel
    from training.batch.questions import Answerer, Block, Part
    from training.panel import Folder

    Floats = NDArray[np.float64]
    Hands = Mapping[tuple[str, str], tuple[Override, ...]]


@dataclass(frozen=True, slots=True)
class ForecastQuestion:
    """Asks for the daily distribution of every series.

    Attributes:
        horizon: Days ahead.
        target: Demand in stock, or sales.
        levels: Probability levels, ascending; the trained ones where empty.
    """

    horizon: int
    target: DemandTarget = DemandTarget.DEMAND
    levels: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what no model could answer."""
        check_horizon(self.horizon)
        object.__setattr__(self, "levels", check_levels(self.levels))

    def options(self) -> Mapping[str, object]:
        """Return the options, fit for JSON."""
        return {
            "question": "forecast",
            "horizon": self.horizon,
            "target": self.target.name,
            "levels": self.levels,
        }

    def check(self, model: DemandModel) -> None:
        """Refuse a horizon or a level beyond the model's.

        Raises:
            BeyondTrained: If one is.
        """
        trained = model.description
        if self.horizon > trained.max_horizon:
            raise BeyondTrained("horizon_days", limit=f"from 1 to {trained.max_horizon}")
        low, high = trained.quantile_levels[0], trained.quantile_levels[-1]
        for index, level in enumerate(self.levels):
            if not low <= level <= high:
                raise BeyondTrained(f"quantile_levels[{index}]", limit=f"from {low} to {high}")

    def gather(self, folder: Folder, data_dir: Path, file: Path) -> None:
        """Read nothing: records and overrides are all a forecast needs."""

    def answerer(self, model: DemandModel, block: Block, data_dir: Path, file: Path) -> Answerer:  # noqa: ARG002  the protocol's
        """Read what planners say and return what answers the parts."""
        hands = load_overrides(data_dir, frequency_of(block.origin))
        return lambda part: self._answer(model, part, hands)

    def _answer(self, model: DemandModel, part: Part, hands: Hands) -> pa.Table:
        """Forecast the series of a part; the days of a series follow one another."""
        own, trained = predict_daily(model, part.records, self.horizon, self.target)
        mean, held = _overridden(part, own, trained, hands)
        quantiles = interpolate_levels(model.description.quantile_levels, held, self.levels)
        days = first_days(part.records.origin + np.arange(1, self.horizon + 1))
        series = np.repeat(np.arange(len(part.skus), dtype=np.int32), self.horizon)
        tiers = [one.tier.name.lower() for one in answered_by(model, part.records)]
        columns = {
            "sku": pa.array(part.skus, pa.string()).take(pa.array(series)),
            "location": pa.array(part.locations, pa.string()).take(pa.array(series)),
            "date": pa.array(np.tile(days, len(part.skus)), pa.date32()),
            "mean": mean.reshape(-1),
            "model_mean": own.reshape(-1),
            "tier": pa.array(tiers, pa.string()).take(pa.array(series)),
        }
        for column, level in enumerate(self.levels):
            columns[f"q{level:g}"] = np.ascontiguousarray(quantiles[:, :, column]).reshape(-1)
        return pa.table(columns)


def _overridden(part: Part, mean: Floats, quantiles: Floats, hands: Hands) -> tuple[Floats, Floats]:
    """Lay the overrides in force over the forecasts of a part."""
    held = [(row, hands[key]) for row, key in enumerate(_keys(part)) if key in hands]
    if not held:
        return mean, quantiles
    origin = int(last_day(part.records.origin).astype(np.int64))
    days = day_numbers_ahead(part.records.origin, mean.shape[1])
    mean, quantiles = mean.copy(), quantiles.copy()
    for row, said in held:
        known = [one for one in said if one.holds(origin)]
        mean[row], quantiles[row] = lay_over(mean[row], quantiles[row], days, known)
    return mean, quantiles


def _keys(part: Part) -> Iterator[tuple[str, str]]:
    return zip(part.skus, part.locations, strict=True)
