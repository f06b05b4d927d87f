"""Exact attribution of a tree ensemble's answer to what it read, and of features to drivers.

A leaf is held as the box of values that lead to it, with the share of training rows that stayed on
its path at each feature. Shapley values of the game "features not known follow the training rows"
(path-dependent TreeSHAP) are then sums over leaves, and each is the integral of a polynomial,
which Gauss-Legendre quadrature of enough points gives exactly.

Source: Lundberg et al. (2020), From local explanations to global understanding with explainable AI
for trees, Nat. Mach. Intell. 2; the weights |S|! (m - |S| - 1)! / m! are the Beta integrals of
t^|S| (1 - t)^(m - |S| - 1) over 0..1.
"""

from __future__ import annotations

import base64
import enum
import io
import zlib
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from serving.domain.features import FEATURES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

KEY = "attribution"  # name of the entry in the graph's metadata
_CELLS = 2_000_000  # row x leaf x step cells held at once


class Driver(enum.IntEnum):
    """What moves a forecast; numbers as in the contract."""

    LEVEL = 1
    TREND = 2
    SEASON = 3
    CALENDAR = 4
    PROMOTION = 5
    PRICE = 6
    CALIBRATION = 7


# The first driver one of whose words stands in a feature's name has it; all others are level.
_WORDS = (
    (Driver.PROMOTION, ("promot", "discount", "planned", "campaign")),
    (Driver.PRICE, ("price",)),
    (Driver.SEASON, ("year_", "season", "month")),
    (Driver.CALENDAR, ("weekday", "weekend", "day_factor", "holiday", "payday")),
    (Driver.TREND, ("fast", "slow", "trend", "horizon", "growth")),
)


def driver_of(feature: str) -> Driver:
    """Return what a feature stands for.

    Args:
        feature: Name of a feature.

    Returns:
        The driver.

    Example:
        >>> [driver_of(name).name for name in ("price_ratio", "price_x_discount", "lag_7")]
        ['PRICE', 'PROMOTION', 'LEVEL']
    """
    for driver, words in _WORDS:
        if any(word in feature for word in words):
            return driver
    return Driver.LEVEL


@dataclass(frozen=True, slots=True, eq=False)
class Boxes:
    """The leaves of an ensemble; a path of fewer features is filled up with steps that say nothing.

    Attributes:
        value: What each leaf adds, shape (leaves,).
        feature: Column each step reads, shape (leaves, steps); a column stands once a leaf.
        low: Values at or below do not lead to the leaf, shape (leaves, steps).
        high: Values above do not lead to the leaf, shape (leaves, steps).
        missing: Whether NaN leads to the leaf, shape (leaves, steps).
        share: Share of training rows that stayed on the path at this feature, shape
            (leaves, steps), above 0 and at most 1.
        constant: What trees without a split add.
    """

    value: Floats
    feature: NDArray[np.int64]
    low: Floats
    high: Floats
    missing: NDArray[np.bool_]
    share: Floats
    constant: float

    @property
    def base(self) -> float:
        """What the ensemble answers when nothing is known."""
        return float(self.constant + (self.value * self.share.prod(axis=1)).sum())

    def contributions(self, rows: NDArray[np.float32]) -> Floats:
        """Return what each feature adds to the base, shape (n, features).

        Args:
            rows: Feature rows, shape (n, features).

        Returns:
            Shapley values; with the base they add up to the ensemble's answer.
        """
        out = np.zeros((len(rows), len(FEATURES)))
        step = max(1, _CELLS // max(self.feature.size, 1))
        for first in range(0, len(rows), step):
            out[first : first + step] = self._some(rows[first : first + step])
        return out

    def _some(self, rows: NDArray[np.float32]) -> Floats:
        read = rows.astype(np.float64)[:, self.feature]
        inside = (read > self.low) & (read <= self.high)
        known = np.where(np.isnan(read), self.missing, inside).astype(np.float64)
        steps = self.feature.shape[1]
        # The integrand is a polynomial of degree steps - 1, for which this many points are exact.
        points, weights = np.polynomial.legendre.leggauss(steps // 2 + 1)
        total = np.zeros_like(known)
        for point, weight in zip((points + 1.0) / 2.0, weights / 2.0, strict=True):
            factor = self.share * (1.0 - point) + known * point
            total += weight * factor.prod(axis=2, keepdims=True) / factor
        parts = (known - self.share) * total * self.value[:, None]
        out = np.zeros((len(rows), len(FEATURES)))
        at = self.feature.reshape(-1)
        for row, values in enumerate(parts.reshape(len(rows), -1)):
            out[row] = np.bincount(at, values, minlength=len(FEATURES))
        return out

    def encode(self) -> str:
        """Write the leaves as text for the graph's metadata."""
        packed = io.BytesIO()
        np.savez(packed, **{field.name: getattr(self, field.name) for field in fields(self)})
        return base64.b64encode(zlib.compress(packed.getvalue(), 9)).decode()


def decode(text: str) -> Boxes:
    """Read leaves as `Boxes.encode` writes them.

    Args:
        text: The entry of the graph's metadata.

    Returns:
        The leaves.

    Raises:
        ValueError: If the text is damaged.
        KeyError: If a part is missing.
    """
    packed = io.BytesIO(zlib.decompress(base64.b64decode(text)))
    with np.load(packed, allow_pickle=False) as arrays:
        parts = {field.name: arrays[field.name] for field in fields(Boxes)}
    return Boxes(**{**parts, "constant": float(parts["constant"])})


def by_driver(contributions: Floats) -> Floats:
    """Sum features to drivers, shape (n, drivers) in the order of Driver."""
    out = np.zeros((len(contributions), len(Driver)))
    for column, name in enumerate(FEATURES):
        out[:, driver_of(name) - 1] += contributions[:, column]
    return out
