"""What a demand model may be asked: no more than it was trained for, on features made for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serving.domain.periods import Frequency
from serving.errors import BeyondTrained, FeatureSetMismatch, InvalidField

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serving.domain.demand import ForecastQuery
    from serving.ports import DemandModel, FeatureSnapshot


def check_daily(model: DemandModel, query: ForecastQuery) -> None:
    """Refuse days sent to a model that counts in weeks or months."""
    frequency = model.description.frequency
    if frequency is not Frequency.DAY:
        for field, sent in (("history", query.history), ("plan", query.plan or None)):
            if sent is not None:
                name = frequency.name.lower()
                raise InvalidField(field, f"holds days, and this model counts in {name}s")


def _check_features(model: DemandModel, snapshot: FeatureSnapshot) -> None:
    asked = model.description.feature_set_hash
    if snapshot.feature_set_hash != asked:
        raise FeatureSetMismatch(asked=asked, stored=snapshot.feature_set_hash)


def check_trained(
    model: DemandModel, snapshot: FeatureSnapshot, horizon: int, levels: Sequence[float]
) -> None:
    """Refuse a horizon or a level beyond the model's, and features of another set.

    Raises:
        BeyondTrained: If the horizon or a level is beyond the model's.
        FeatureSetMismatch: If the features were made for another model.
    """
    _check_features(model, snapshot)
    trained = model.description
    if horizon > trained.max_horizon:
        raise BeyondTrained("horizon_days", limit=f"from 1 to {trained.max_horizon}")
    low, high = trained.quantile_levels[0], trained.quantile_levels[-1]
    for index, level in enumerate(levels):
        if not low <= level <= high:
            raise BeyondTrained(f"quantile_levels[{index}]", limit=f"from {low} to {high}")


def check_cover(model: DemandModel, snapshot: FeatureSnapshot, days: int) -> None:
    """Refuse a cover beyond the model's, and features of another set.

    Raises:
        BeyondTrained: If the cover is beyond the model's.
        FeatureSetMismatch: If the features were made for another model.
    """
    _check_features(model, snapshot)
    longest = model.description.max_cover
    if not 1 <= days <= longest:
        raise BeyondTrained("lead_time_days + review_days", limit=f"from 1 to {longest} days")
