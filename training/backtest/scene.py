"""What every figure of one origin is drawn from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from serving.errors import InvalidField
from training.backtest.forecasts import truth_after
from training.features.records import records_at

if TYPE_CHECKING:
    from serving.domain.features import SeriesRecords
    from training.backtest.forecasts import Truth
    from training.panel import Panel


@dataclass(frozen=True, slots=True)
class Scene:
    """What every figure of one origin is drawn from.

    Attributes:
        panel: All series, the days after the origin among them.
        origin: Index of the last known day.
        records: Records of the scored series, the plan as it came true.
        truth: What came true.
    """

    panel: Panel
    origin: int
    records: SeriesRecords
    truth: Truth

    @property
    def horizon(self) -> int:
        """Days ahead that are scored."""
        return int(self.truth.sold.shape[1])


def set_scene(panel: Panel, origin: int, horizon: int) -> Scene:
    """Collect what is known at an origin and what came true after it.

    Args:
        panel: All series with the days after the origin.
        origin: Index of the last known day.
        horizon: Days ahead, at most those the panel holds.

    Raises:
        InvalidField: If no day after the origin is in the panel, or no series is known at it.
    """
    reach = min(horizon, panel.history.days - 1 - origin)
    if origin < 0 or reach < 1:
        last = panel.day(panel.history.days - 2)
        raise InvalidField("origin", f"must have a day with sales after it: {last} is the last")
    ((_, records),) = records_at(panel, [origin], future="realised")
    truth = truth_after(panel, records, origin, reach)
    if not truth.recorded.any():
        raise InvalidField("origin", f"must have sales after it: {panel.day(origin)} has none")
    return Scene(panel, origin, records.take(truth.series), truth)
