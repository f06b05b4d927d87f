"""False alarms and power of the check of drift, measured on made-up features of every kind."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import betaincinv

from serving.domain.drift import Column, DriftQuery, DriftVerdict, Sample
from serving.domain.drift_check import check, profile_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Draw = Callable[[np.random.Generator, int, float], NDArray[np.float64]]

SHARES = np.array([0.35, 0.25, 0.2, 0.1, 0.05, 0.03, 0.02])
SMALL, LARGE = 0.1, 0.3
POWER_PAIRS = 10  # one pair in so many is drawn with a shift as well
PSI_LIMIT = 0.1


def _zero_inflated(rng: np.random.Generator, size: int, shift: float) -> NDArray[np.float64]:
    values = rng.exponential(size=size) + shift * 0.92  # the deviation of the mixture is 0.92
    return np.where(rng.random(size) < 0.6, 0.0, values)  # noqa: PLR2004 - share of zeros


def _categories(rng: np.random.Generator, size: int, shift: float) -> NDArray[np.float64]:
    moved = SHARES.copy()
    moved[0] -= shift * 0.3
    moved[3] += shift * 0.3
    return rng.choice(SHARES.size, size, p=moved).astype(np.float64)


# How values of each kind are drawn; the shift is in standard deviations, of categories in tenths
# of three points of share. A heavy tail's deviation is that of the middle half, times 1.349.
CELLS: dict[str, Draw] = {
    "continuous": lambda rng, size, shift: rng.normal(size=size) + shift,
    "heavy-tailed": lambda rng, size, shift: rng.standard_t(2.0, size) + shift * 1.2,
    "zero-inflated": _zero_inflated,
    "integer": lambda rng, size, shift: rng.poisson(4.0 + 2.0 * shift, size).astype(np.float64),
    "categorical": _categories,
}


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured of one kind of feature at one sample size.

    Attributes:
        false_alarms: Share of pairs of one distribution that were called drifted.
        upper_bound: Upper end of its 95 % interval.
        small_found: Share of pairs with a small shift that were.
        large_found: Share of pairs with a large one.
        psi_alarms: Share of pairs of one distribution whose stability index exceeds PSI_LIMIT.
    """

    false_alarms: float
    upper_bound: float
    small_found: float
    large_found: float
    psi_alarms: float


def measure(name: str, size: int, pairs: int, rate: float, done: Callable[[], None]) -> Measured:
    """Draw pairs of samples and check each.

    Args:
        name: A key of CELLS.
        size: Rows of each sample, 1 or more.
        pairs: Pairs of one distribution, 1 or more.
        rate: Rate of false alarms asked for.
        done: Called after each of them.

    Source: Clopper and Pearson (1934), Biometrika 26, for the bound.
    """
    rng = np.random.default_rng((zlib.crc32(name.encode()), size))
    draw = CELLS[name]
    alarms = unstable = 0
    found = {SMALL: 0, LARGE: 0}
    shifted = 0
    for pair in range(pairs):
        drifted, index = _checked(name, draw(rng, size, 0.0), draw(rng, size, 0.0), rate)
        alarms += drifted
        unstable += index > PSI_LIMIT
        if pair % POWER_PAIRS == 0:
            shifted += 1
            for shift in found:
                current = draw(rng, size, shift)
                found[shift] += _checked(name, draw(rng, size, 0.0), current, rate)[0]
        done()
    bound = betaincinv(alarms + 1, pairs - alarms, 0.975) if alarms < pairs else 1.0
    return Measured(
        false_alarms=alarms / pairs,
        upper_bound=float(bound),
        small_found=found[SMALL] / shifted,
        large_found=found[LARGE] / shifted,
        psi_alarms=unstable / pairs,
    )


def _checked(
    name: str, reference: NDArray[np.float64], current: NDArray[np.float64], rate: float
) -> tuple[bool, float]:
    samples = []
    for values in (reference, current):
        column = Column("x", values=values)
        if name == "categorical":
            column = Column("x", labels=tuple(values.astype(np.int64).astype(str).tolist()))
        samples.append(Sample((column,)))
    profile = profile_of(samples[0])
    query = DriftQuery(samples[0], samples[1], false_alarm_rate=rate)
    report = check(profile, profile_of(samples[1], profile), query)
    return report.verdict is DriftVerdict.DRIFTED, report.features[0].psi or 0.0
