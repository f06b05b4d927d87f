"""Lead times that are not certain, as probabilities of whole days."""

from __future__ import annotations

import functools
import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import gammainc

from serving.errors import InvalidField

if TYPE_CHECKING:
    from collections.abc import Sequence

# Each day a lead time may take costs a forecast of its own: bounds of the shares that share a day.
# The few reach further into late deliveries, which is what safety stock is held against.
FINE = tuple((np.arange(1, 200) / 200).tolist())
FEW = (0.2, 0.6, 0.85, 0.96)
MAX_POINTS = 400
MAX_DAYS = 40_000
_SUM_ERROR = 1e-6


@dataclass(frozen=True, slots=True)
class LeadTime:
    """The distribution of a lead time over days.

    Attributes:
        days: Days from order to receipt, 0 or more, ascending; whole ones unless there is one.
        weights: Probability of each, above 0, summing to 1.
    """

    days: tuple[float, ...]
    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        """Refuse days that do not ascend and weights that are no probabilities."""
        if not 1 <= len(self.days) <= MAX_POINTS or len(self.days) != len(self.weights):
            raise InvalidField("weights", f"must be as many as days, 1 to {MAX_POINTS}")
        for index, day in enumerate(self.days):
            if not (math.isfinite(day) and day >= 0):
                raise InvalidField(f"days[{index}]", "must be a finite number, 0 or more")
            if index and day <= self.days[index - 1]:
                raise InvalidField(f"days[{index}]", "must be above the one before it")
        for index, weight in enumerate(self.weights):
            if not 0 < weight <= 1:
                raise InvalidField(f"weights[{index}]", "must be above 0 and at most 1")
        if abs(math.fsum(self.weights) - 1.0) > _SUM_ERROR:
            raise InvalidField("weights", "must sum to 1")

    @property
    def mean(self) -> float:
        """Expected days."""
        return math.fsum(day * weight for day, weight in zip(self.days, self.weights, strict=True))

    @property
    def std(self) -> float:
        """Standard deviation in days."""
        mean = self.mean
        return math.sqrt(
            math.fsum(
                (day - mean) ** 2 * weight
                for day, weight in zip(self.days, self.weights, strict=True)
            )
        )


def fixed(days: float) -> LeadTime:
    """Return a lead time that is certain.

    Args:
        days: Days from order to receipt, 0 or more.

    Returns:
        The lead time.
    """
    return LeadTime((float(days),), (1.0,))


def empirical(observed: Sequence[float]) -> LeadTime:
    """Return the lead time that was observed, each delivery as likely as another.

    Args:
        observed: Days from order to receipt, 0 or more, in any order.

    Returns:
        Probabilities of the days, each delivery rounded up to whole days.

    Raises:
        InvalidField: If nothing was observed, or what was is no number of days.

    Example:
        >>> empirical([3.0, 5.0, 5.0, 4.2])
        LeadTime(days=(3.0, 5.0), weights=(0.25, 0.75))
    """
    if not observed:
        raise InvalidField("observed_days", "is required: one delivery at the least")
    for index, day in enumerate(observed):
        if not (math.isfinite(day) and day >= 0):
            raise InvalidField(f"observed_days[{index}]", "must be a finite number, 0 or more")
    counts = Counter(math.ceil(day) for day in observed)
    total = len(observed)
    days = sorted(counts)
    return LeadTime(tuple(float(day) for day in days), tuple(counts[day] / total for day in days))


@functools.lru_cache(maxsize=4096)
def gamma(mean_days: float, std_days: float, bounds: tuple[float, ...] = FINE) -> LeadTime:
    """Return a gamma lead time in whole days.

    Day k stands for the lead times from k - 1/2 to k + 1/2. Days between two bounds are laid
    together on the whole day nearest to their mean.

    Args:
        mean_days: Expected days, 0 or more.
        std_days: Standard deviation in days, 0 or more; 0 is a lead time that is certain.
        bounds: Cumulative probabilities, ascending, above 0 and below 1.

    Returns:
        Probabilities of whole days, at most one more than there are bounds.

    Raises:
        InvalidField: If a figure is not finite or negative.

    Source: Burgin, "The gamma distribution and inventory control", Operational Research
    Quarterly 26 (1975).

    Example:
        >>> late = gamma(9.0, 2.0)
        >>> round(late.mean, 1), round(late.std, 1)
        (9.0, 2.0)
    """
    for name, value in (("mean_days", mean_days), ("std_days", std_days)):
        if not (math.isfinite(value) and value >= 0):
            raise InvalidField(name, "must be a finite number, 0 or more")
    if std_days == 0 or mean_days == 0:
        return fixed(mean_days)
    last = math.ceil(mean_days + 12.0 * std_days) + 1
    if last > MAX_DAYS:
        raise InvalidField("std_days", f"must leave the lead time within {MAX_DAYS:,} days")
    shape, scale = (mean_days / std_days) ** 2, std_days**2 / mean_days
    edges = np.concatenate(([0.0], np.arange(last) + 0.5, [np.inf]))
    shares = np.diff(gammainc(shape, edges / scale))
    bins = np.searchsorted(bounds, shares.cumsum() - 0.5 * shares)
    weights = np.bincount(bins, shares)
    sums = np.bincount(bins, shares * np.arange(shares.size))
    filled = weights > 0
    days, place = np.unique(np.rint(sums[filled] / weights[filled]), return_inverse=True)
    merged = np.bincount(place, weights[filled])
    return LeadTime(tuple(days.tolist()), tuple((merged / merged.sum()).tolist()))
