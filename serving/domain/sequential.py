"""Tests that stay valid however often one looks: the mixture sequential probability ratio test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from serving.domain.experiment import LARGEST, check_amounts, check_significance
from serving.errors import InvalidField

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from serving.domain.series import Provenance

    Floats = NDArray[np.float64]
    Counts = NDArray[np.int64]

# Before it, variances are too uncertain for the normal form of the test.
LEAST_UNITS_PER_ARM = 100
MAX_LOOKS = 10_000
_GREATEST_LOG = float(np.log(np.finfo(np.float64).max))


@dataclass(frozen=True, slots=True)
class SequentialQuery:
    """Asks for the tests at the looks so far; arrays are cumulative, one entry a look.

    Attributes:
        control_counts: Units of the control arm, 100 or more, not descending, shape (k,).
        control_means: Mean of the control arm, shape (k,).
        control_variances: Variance of the control arm's units, above 0, shape (k,).
        treated_counts: Units of the treated arm, shape (k,).
        treated_means: Mean of the treated arm, shape (k,).
        treated_variances: Variance of the treated arm's units, shape (k,).
        effect_std: Standard deviation of the effects thought possible, set in advance, above 0.
        significance: Probability of ever rejecting where there is no effect.
    """

    control_counts: Counts
    control_means: Floats
    control_variances: Floats
    treated_counts: Counts
    treated_means: Floats
    treated_variances: Floats
    effect_std: float
    significance: float = 0.05

    def __post_init__(self) -> None:
        """Refuse looks that do not fit together or come too early."""
        looks = len(self.control_counts)
        if not 1 <= looks <= MAX_LOOKS:
            raise InvalidField("control_counts", f"must have 1 to {MAX_LOOKS:,} looks")
        for arm in ("control", "treated"):
            self._check_arm(arm, looks)
        if not 0 < self.effect_std <= LARGEST:
            raise InvalidField("effect_std", "must be a finite number above 0")
        check_significance(self.significance)

    @property
    def variances(self) -> Floats:
        """Variance of the difference of the means at each look, shape (k,)."""
        treated = self.treated_variances / self.treated_counts
        return np.asarray(treated + self.control_variances / self.control_counts)

    def _check_arm(self, arm: str, looks: int) -> None:
        for part in ("counts", "means", "variances"):
            values = getattr(self, f"{arm}_{part}")
            if len(values) != looks:
                requirement = "must have as many entries as control_counts"
                raise InvalidField(f"{arm}_{part}", requirement)
            check_amounts(f"{arm}_{part}", np.asarray(values, dtype=np.float64))
        counts, variances = getattr(self, f"{arm}_counts"), getattr(self, f"{arm}_variances")
        early = np.flatnonzero(counts < LEAST_UNITS_PER_ARM)
        if early.size:
            requirement = f"must be {LEAST_UNITS_PER_ARM} or more at every look"
            raise InvalidField(f"{arm}_counts[{early[0]}]", requirement)
        if (np.diff(counts) < 0).any():
            raise InvalidField(f"{arm}_counts", "must not descend: looks are cumulative")
        flat = np.flatnonzero(variances <= 0)
        if flat.size:
            raise InvalidField(f"{arm}_variances[{flat[0]}]", "must be above 0")


@dataclass(frozen=True, slots=True)
class SequentialAnswer:
    """The tests at the looks so far; fields as in the contract.

    Attributes:
        provenance: Where the answer came from.
        effects: Treated less control mean, shape (k,).
        likelihood_ratios: Of an effect over none, shape (k,).
        p_values: Always-valid p-values, shape (k,).
        lower: Lower end of the confidence sequence, shape (k,).
        upper: Upper end of the confidence sequence, shape (k,).
        decided_look: First look at which the test rejects; None where it does not yet.
    """

    provenance: Provenance
    effects: Floats
    likelihood_ratios: Floats
    p_values: Floats
    lower: Floats
    upper: Floats
    decided_look: int | None


def log_likelihood_ratio(effect: Floats, variance: Floats, *, effect_std: float) -> Floats:
    """Return the log of the likelihood ratio of the mixture over no effect.

    Lambda = sqrt(V / (V + tau^2)) exp(tau^2 delta^2 / (2 V (V + tau^2))).

    Args:
        effect: Difference delta of the means, any shape.
        variance: Variance V of the difference, above 0, same shape.
        effect_std: Mixing deviation tau, above 0.

    Returns:
        Logs, same shape.

    Source: Johari, Koomen, Pekelis and Walsh, "Always valid inference: continuous monitoring of
    A/B tests", Operations Research 70 (2022), equation 9.

    Example:
        >>> log = log_likelihood_ratio(np.array([0.5]), np.array([2 * 4 / 100]), effect_std=1.0)
        >>> np.exp(log).round(6)
        array([1.156519])
    """
    mixed = variance + effect_std**2
    return np.asarray(
        0.5 * np.log(variance / mixed) + effect_std**2 * effect**2 / (2.0 * variance * mixed)
    )


def boundary(variance: Floats, *, effect_std: float, significance: float) -> Floats:
    """Return the distance from the estimate at which the likelihood ratio reaches 1 / alpha.

    sqrt(2 V (V + tau^2) / tau^2 log(sqrt((V + tau^2) / V) / alpha)): half the width of the
    confidence sequence before it is intersected with what came before.

    Args:
        variance: Variance V of the difference, above 0, any shape.
        effect_std: Mixing deviation tau, above 0.
        significance: Probability alpha of ever missing the effect.

    Returns:
        Distances, same shape.

    Source: as `log_likelihood_ratio`, section 4.2.

    Example:
        >>> half = boundary(np.array([0.08]), effect_std=1.0, significance=0.05)
        >>> at = log_likelihood_ratio(half, np.array([0.08]), effect_std=1.0)
        >>> float(np.exp(-at[0]).round(9))
        0.05
    """
    mixed = variance + effect_std**2
    logs = 0.5 * np.log(mixed / variance) - np.log(significance)
    return np.asarray(np.sqrt(2.0 * variance * mixed / effect_std**2 * logs))


def always_valid_p_values(log_ratios: Floats) -> Floats:
    """Return p-values that hold at whatever look one stops: the least 1 / Lambda so far, at most 1.

    Args:
        log_ratios: Logs of the likelihood ratios, looks along the last axis.

    Returns:
        p-values, same shape, not ascending along the last axis.

    Example:
        >>> always_valid_p_values(np.log(np.array([0.5, 10.0, 4.0, 40.0]))).round(3)
        array([1.   , 0.1  , 0.1  , 0.025])
    """
    lowest = np.minimum.accumulate(np.exp(-np.maximum(log_ratios, 0.0)), axis=-1)
    return np.asarray(lowest)


def examine_looks(query: SequentialQuery, provenance: Provenance) -> SequentialAnswer:
    """Test an effect at every look.

    Args:
        query: Counts, means and variances at each look.
        provenance: Where the answer comes from.

    Returns:
        Likelihood ratios, always-valid p-values and the confidence sequence, each intersected with
        those before it, so that it only shrinks.
    """
    effects, half = _intervals(query)
    logs = log_likelihood_ratio(effects, query.variances, effect_std=query.effect_std)
    p_values = always_valid_p_values(logs)
    lower, upper = _shrinking(effects - half, effects + half)
    decided = np.flatnonzero(p_values <= query.significance)
    return SequentialAnswer(
        provenance=provenance,
        effects=effects,
        likelihood_ratios=np.exp(np.minimum(logs, _GREATEST_LOG)),
        p_values=p_values,
        lower=lower,
        upper=upper,
        decided_look=int(decided[0]) if decided.size else None,
    )


def _shrinking(lower: Floats, upper: Floats) -> tuple[Floats, Floats]:
    """Intersect each interval with those before it; one that would be empty stays as it was.

    An empty intersection says that the effect moved, and no interval of one effect is right then.
    """
    low, high = np.maximum.accumulate(lower), np.minimum.accumulate(upper)
    empty = np.flatnonzero(low > high)
    if empty.size:
        low[empty[0] :], high[empty[0] :] = low[empty[0] - 1], high[empty[0] - 1]
    return low, high


def has_moved(query: SequentialQuery) -> bool:
    """Say whether intervals of different looks exclude each other: the effect was not one effect.

    Args:
        query: Counts, means and variances at each look.

    Returns:
        Whether no effect lies in the intervals of all looks.
    """
    effects, half = _intervals(query)
    return bool((effects - half).max() > (effects + half).min())


def _intervals(query: SequentialQuery) -> tuple[Floats, Floats]:
    """Return the estimate at each look and half the width of its own interval."""
    effects = query.treated_means - query.control_means
    half = boundary(query.variances, effect_std=query.effect_std, significance=query.significance)
    return effects, half
