"""Whether the arms of an experiment hold the shares of units they were meant to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import chdtrc

from serving.domain.experiment import LARGEST
from serving.errors import InvalidField

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from serving.domain.series import Provenance

    Floats = NDArray[np.float64]

MISMATCH_P = 0.001


@dataclass(frozen=True, slots=True)
class SampleRatioQuery:
    """Asks whether arms hold their shares.

    Attributes:
        observed: Units observed in each arm, 0 or more, shape (arms,).
        expected_shares: Share meant for each arm, above 0, shape (arms,); empty: equal shares.
    """

    observed: NDArray[np.int64]
    expected_shares: Floats

    def __post_init__(self) -> None:
        """Refuse counts and shares that break their rules."""
        arms = len(self.observed)
        if arms < 2:  # noqa: PLR2004 - one arm has no ratio
            raise InvalidField("observed", "must have 2 arms or more")
        if (self.observed < 0).any() or not 0 < self.observed.sum() <= LARGEST:
            raise InvalidField("observed", "must be 0 or more, at least one unit together")
        if self.expected_shares.size not in (0, arms):
            raise InvalidField(
                "expected_shares", "must be empty or have as many entries as observed"
            )
        if self.expected_shares.size and not (
            (self.expected_shares > 0).all() and abs(self.expected_shares.sum() - 1) <= 1e-6  # noqa: PLR2004 - shares as typed
        ):
            raise InvalidField("expected_shares", "must each be above 0, and 1 together")


@dataclass(frozen=True, slots=True)
class SampleRatio:
    """Whether arms hold their shares; fields as in the contract.

    Attributes:
        provenance: Where the answer came from.
        chi_square: Pearson's statistic.
        degrees_of_freedom: Arms less one.
        p_value: Probability of a statistic at least as great where assignment is as meant.
        mismatch: Whether p_value is below 0.001.
        expected: Units expected in each arm, shape (arms,).
    """

    provenance: Provenance
    chi_square: float
    degrees_of_freedom: int
    p_value: float
    mismatch: bool
    expected: Floats


def check_sample_ratio(query: SampleRatioQuery, provenance: Provenance) -> SampleRatio:
    """Test by chi-square whether arms hold the shares of units they were meant to.

    Args:
        query: Counts and meant shares.
        provenance: Where the answer comes from.

    Returns:
        The statistic, its p-value and the alarm at p < 0.001.

    Source: Fabijan et al., "Diagnosing sample ratio mismatch in online controlled experiments",
    KDD (2019).

    Example:
        >>> from serving.domain.series import Provenance
        >>> equal = np.array([0.5, 0.5])
        >>> query = SampleRatioQuery(np.array([5000, 5050]), equal)
        >>> ratio = check_sample_ratio(query, Provenance())
        >>> round(ratio.chi_square, 6), round(ratio.p_value, 6), ratio.mismatch
        (0.248756, 0.617952, False)
    """
    arms = len(query.observed)
    shares = query.expected_shares if query.expected_shares.size else np.full(arms, 1.0 / arms)
    expected = query.observed.sum() * shares
    statistic = float(np.square(query.observed - expected).astype(np.float64) @ (1.0 / expected))
    p_value = float(chdtrc(arms - 1, statistic))
    return SampleRatio(provenance, statistic, arms - 1, p_value, p_value < MISMATCH_P, expected)
