"""The batch form of the demand question: one row a series and day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from serving.domain.demand import DemandTarget, check_horizon, check_levels, interpolate_levels
from serving.errors import BeyondTrained
from serving.flows.demand import predict_daily

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from serving.ports import DemandModel
    from training.batch.questions import Answerer, Part
    from training.panel import Panel


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

    def answerer(self, model: DemandModel, panel: Panel, data_dir: Path) -> Answerer:
        """Return what answers the parts; a forecast needs nothing beside the records."""
        del panel, data_dir
        return lambda part: self._answer(model, part)

    def _answer(self, model: DemandModel, part: Part) -> pa.Table:
        """Forecast the series of a part; the days of a series follow one another."""
        mean, trained = predict_daily(model, part.records, self.horizon, self.target)
        quantiles = interpolate_levels(model.description.quantile_levels, trained, self.levels)
        days = part.records.origin.astype("datetime64[D]") + np.arange(1, self.horizon + 1)
        series = np.repeat(np.arange(len(part.skus), dtype=np.int32), self.horizon)
        columns = {
            "sku": pa.array(part.skus, pa.string()).take(pa.array(series)),
            "location": pa.array(part.locations, pa.string()).take(pa.array(series)),
            "date": pa.array(np.tile(days, len(part.skus)), pa.date32()),
            "mean": mean.reshape(-1),
        }
        for column, level in enumerate(self.levels):
            columns[f"q{level:g}"] = np.ascontiguousarray(quantiles[:, :, column]).reshape(-1)
        return pa.table(columns)
