"""Past origins on which tiers are weighed: what was known, what the global model said, what came.

Histories are also cut short, so that series with few days or none are judged by what became of
series whose later days are known.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from serving.domain.demand import DemandTarget
from serving.domain.features import PRODUCT
from serving.domain.history import STATE, History, demand_states
from serving.flows.prediction import plan_effect, predict_covers, predict_daily
from training.demand_rows import IN_STOCK, MAX_COMPLETED_SHARE
from training.features.records import records_at

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from serving.domain.features import SeriesRecords
    from serving.ports import DemandModel
    from training.panel import Panel

    Floats = NDArray[np.float64]

SERIES, CUT_SERIES = 800, 200  # series drawn an origin, whole and cut short
CUTS = (0, 7, 30, 120)  # days of history left to series cut short
SCORED_DAYS = 28  # days ahead scored; of a longer horizon an even spread
_CATEGORY_FIELDS, _PRODUCT_FIELDS = (
    slice(PRODUCT[f"{peer}_level"].start, PRODUCT[f"{peer}_weekday"].stop)
    for peer in ("category", "product")
)
COVERS = (1, 3, 7, 14, 21, 28, 42, 56, 90)


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """Some series at a past origin.

    Attributes:
        origin: Index of the last known day.
        whole: Whether their histories are as they were, not cut short.
        records: What was known.
        days: Days ahead that are scored, shape (d,).
        demand: Sales of days in stock, NaN elsewhere, shape (n, d).
        sales: Sales of recorded days, NaN elsewhere, shape (n, d).
        covers: Days of the sums, shape (c,).
        demand_sums: Demand over each cover, NaN where unknown, shape (n, c).
        sales_sums: Sales over each cover, NaN where unknown, shape (n, c).
        model: Quantiles of the global model, of demand, shape (n, d, levels).
        model_sums: Its quantiles of the sum over each cover, shape (n, c, levels).
        effect: What the plan does to every day up to the last scored, shape (n, reach).
    """

    origin: int
    whole: bool
    records: SeriesRecords
    days: NDArray[np.int64]
    demand: Floats
    sales: Floats
    covers: NDArray[np.int64]
    demand_sums: Floats
    sales_sums: Floats
    model: Floats
    model_sums: Floats
    effect: Floats


def scenes(
    panel: Panel, model: DemandModel, origins: Sequence[int], completed: Floats
) -> Iterator[Scene]:
    """Yield the scenes of some origins, oldest first.

    Args:
        panel: All series, the days after the origins among them.
        model: A model that has seen no day after the first origin.
        origins: Indices of the last known day, ascending.
        completed: Demand with stock-out days completed, shape (days, series).
    """
    for origin, records in records_at(panel, origins, future="realised"):
        known = np.flatnonzero(records.state[:, STATE["observed_days"].start] > 0)
        some = _spread(known, SERIES)
        view = _View(panel, completed, origin, model)
        yield view.scene(records.take(some), some, whole=True)
        few = _spread(known, CUT_SERIES)
        for days in CUTS:
            if days <= origin:
                yield view.scene(_cut(panel, records.take(few), few, (origin, days)), few)


@dataclass(frozen=True, slots=True)
class _View:
    """What the scenes of one origin are drawn from."""

    panel: Panel
    completed: Floats
    origin: int
    model: DemandModel

    def scene(
        self, records: SeriesRecords, series: NDArray[np.intp], *, whole: bool = False
    ) -> Scene:
        """Return the scene of some series with the records given."""
        longest = self.model.description.max_horizon
        reach = min(longest, self.panel.history.days - 1 - self.origin)
        days = np.unique(np.linspace(1, reach, min(reach, SCORED_DAYS)).astype(np.int64))
        sold = self._ahead(self.panel.history.quantity, series, reach)
        available = self._ahead(self.panel.history.available, series, reach)
        passed = self._ahead(self.panel.with_closed(self.panel.history.quantity), series, reach)
        sums = np.cumsum(passed, axis=1)
        demanded = np.cumsum(self._ahead(self.completed, series, reach), axis=1)
        whole_sum = demanded - sums <= MAX_COMPLETED_SHARE * demanded
        covers = np.array([cover for cover in COVERS if cover <= reach])
        asked = np.broadcast_to(covers, (series.size, covers.size))
        mean, quantiles = predict_daily(self.model, records, reach, DemandTarget.DEMAND)
        _, of_sums = predict_covers(self.model, records, asked, DemandTarget.DEMAND)
        return Scene(
            origin=self.origin,
            whole=whole,
            records=records,
            days=days,
            demand=np.where(available >= IN_STOCK, sold, np.nan)[:, days - 1],
            sales=sold[:, days - 1],
            covers=covers,
            demand_sums=np.where(whole_sum, demanded, np.nan)[:, covers - 1],
            sales_sums=sums[:, covers - 1],
            model=quantiles[:, days - 1],
            model_sums=of_sums,
            effect=plan_effect(self.model, records, reach, DemandTarget.DEMAND, planned=mean),
        )

    def _ahead(self, values: Floats, series: NDArray[np.intp], reach: int) -> Floats:
        return values[self.origin + 1 : self.origin + 1 + reach][:, series].T


def _spread(series: NDArray[np.intp], most: int) -> NDArray[np.intp]:
    if series.size <= most:
        return series
    return series[np.linspace(0, series.size - 1, most).astype(np.int64)]


def _cut(
    panel: Panel, records: SeriesRecords, series: NDArray[np.intp], at: tuple[int, int]
) -> SeriesRecords:
    """Return the records as if the series had begun so many days before the origin."""
    origin, days = at
    # A series that is new is mostly a product that is: nothing is known of it elsewhere either.
    product = records.product.copy()
    product[:, _PRODUCT_FIELDS] = product[:, _CATEGORY_FIELDS]
    records = replace(records, product=product)
    if days == 0:
        return replace(records, state=without_history(product))
    past = panel.history.between(origin + 1 - days, origin + 1)
    names = ("quantity", "available", "price", "discount", "promoted")
    some = History(past.first_day, *(getattr(past, name)[:, series] for name in names))
    ((_, state, _),) = demand_states(some, [days - 1])
    return replace(records, state=state)


def without_history(product: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the states that stand in for series without history, as serving makes them."""
    state = product[:, PRODUCT["category_state"]].copy()
    state[:, STATE["observed_days"].start] = 0.0
    return state
