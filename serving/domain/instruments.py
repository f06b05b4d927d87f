"""Estimates by an instrument, and the set that Anderson and Rubin's test does not reject.

Source: Anderson and Rubin, Annals of Math. Statistics 20 (1949).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import optimize, stats

from serving.domain.regressions import gamma, least_squares, robust_t, solved

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_REACH, _GRID = 20.0, 401  # elasticities a set is looked for in, a tenth apart


@dataclass(frozen=True, slots=True)
class Interval:
    """A set of values the data do not contradict.

    Attributes:
        low: Lower end; None where there is none.
        high: Upper end; None where there is none.
        inside: The values lie between the ends; where not, they lie outside them.
    """

    low: float | None
    high: float | None
    inside: bool = True


@dataclass(frozen=True, slots=True)
class Periods:
    """Periods that were wholly in stock.

    Attributes:
        log_price: Log of the price, shape (n,).
        quantity: Units sold, 0 or more, shape (n,).
        others: A constant and the controls, shape (n, k).
        instrument: What moves the price and nothing else, shape (n,); None without one.
    """

    log_price: Floats
    quantity: Floats
    others: Floats
    instrument: Floats | None

    @property
    def free(self) -> int:
        """Degrees of freedom beside the price."""
        return int(self.quantity.size - self.others.shape[1] - 1)


class ByInstrument(NamedTuple):
    """What an instrument says of an elasticity.

    Attributes:
        elasticity: Where the test statistic is 0, or nearest to it.
        interval: Elasticities the test does not reject.
        p_value: Of no answer to price.
        first_stage_f: Strength of the instrument.
    """

    elasticity: float
    interval: Interval
    p_value: float
    first_stage_f: float


def by_instrument(
    data: Periods, instrument: Floats, *, zeros: bool, critical: float
) -> ByInstrument:
    """Estimate by instrument, with the set that Anderson and Rubin's test does not reject.

    Args:
        data: The periods.
        instrument: What moves the price and nothing else, shape (n,).
        zeros: Whether a period sold nothing.
        critical: The t ratio from which the test rejects, above 0.

    Returns:
        The estimate.
    """
    first = np.column_stack([instrument, data.others])
    coefficients, covariance = least_squares(first, data.log_price)
    strength = float(coefficients[0] ** 2 / covariance[0, 0]) if covariance[0, 0] > 0 else math.inf
    test = _poisson_test(data, instrument) if zeros else _linear_test(data, instrument)
    value, interval = _root_and_set(test, critical)
    p_value = float(2 * stats.t.sf(abs(test(0.0)), data.free))
    return ByInstrument(value, interval, p_value, strength)


def _linear_test(data: Periods, instrument: Floats) -> Callable[[float], float]:
    """Return the robust t of the instrument in log quantity less b log price, by b."""
    target, price, moved = (
        column - data.others @ solved(data.others, column)
        for column in (np.log(data.quantity), data.log_price, instrument)
    )

    def test(elasticity: float) -> float:
        return robust_t(moved * (target - elasticity * price), data.free)

    return test


def _poisson_test(data: Periods, instrument: Floats) -> Callable[[float], float]:
    """Return the robust t of the instrument's moment, by b, where sales may be zero.

    The moment is z (q / (p^b exp(w g)) - 1), whose mean is 0 at the true b however the price
    follows demand; g is fitted for each b, which is a gamma pseudo-likelihood.
    """
    middle = float(data.log_price.mean())
    started = np.zeros(data.others.shape[1])

    def test(elasticity: float) -> float:
        nonlocal started
        freed = data.quantity * np.exp(-elasticity * (data.log_price - middle))
        started, ratio = gamma(data.others, freed, started)
        weighted = data.others * ratio[:, None]
        follows = np.linalg.solve(weighted.T @ data.others, weighted.T @ instrument)
        return robust_t((instrument - data.others @ follows) * (ratio - 1.0), data.free)

    return test


def _root_and_set(test: Callable[[float], float], critical: float) -> tuple[float, Interval]:
    """Return where a test statistic is 0, or nearest to it, and where it does not reject."""
    grid = np.linspace(-_REACH, _REACH, _GRID)
    values = np.array([test(at) for at in grid.tolist()])
    crossings = np.flatnonzero(np.sign(values[:-1]) != np.sign(values[1:]))
    if crossings.size:
        near = int(crossings[np.argmin(np.abs(grid[crossings]))])
        value = float(optimize.brentq(test, grid[near], grid[near + 1], xtol=1e-10))
    else:
        value = float(grid[np.argmin(np.abs(values))])
    # A narrow set may lie between two points of the grid; it holds the root.
    place = int(np.searchsorted(grid, value))
    grid, values = np.insert(grid, place, value), np.insert(values, place, test(value))
    held = np.abs(values) <= critical
    edges = [
        float(optimize.brentq(lambda at: abs(test(at)) - critical, grid[at], grid[at + 1]))
        for at in np.flatnonzero(held[:-1] != held[1:]).tolist()
    ]
    if held[0] and held[-1]:
        whole = Interval(None, None)
        return value, Interval(edges[0], edges[-1], inside=False) if edges else whole
    return value, Interval(None if held[0] else edges[0], None if held[-1] else edges[-1])
