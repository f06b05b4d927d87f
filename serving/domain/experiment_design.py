"""Before an experiment: how many units it needs."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr, ndtri

from serving.domain.experiment import (
    LARGEST,
    ArmUnits,
    check_finite,
    check_share,
    check_significance,
)
from serving.domain.sequential import boundary
from serving.errors import InvalidField

if TYPE_CHECKING:
    from serving.domain.series import Provenance

MOST_UNITS = 1_000_000_000_000
LEAST_UNITS = 4


@dataclass(frozen=True, slots=True)
class SampleQuery:
    """Asks for a sample size or for a detectable effect.

    Attributes:
        baseline_mean: Mean of the metric without the action.
        baseline_std: Standard deviation between units, above 0; None: that of a rate.
        relative_effect: Least effect worth finding as a share of the mean, or None.
        absolute_effect: Least effect worth finding in units of the metric, or None.
        total_units: Units of both arms together, or None.
        significance: Two-sided probability of a false positive, above 0 and below 0.5.
        power: Probability of finding the effect, 0.5 to below 1.
        treated_share: Share of the units that is treated, above 0 and below 1.
        covariate_correlation: Correlation of a pre-period covariate with the metric.
        cluster_size: Mean units in a cluster, 1 or more.
        intraclass_correlation: Correlation within clusters, 0 to 1.
    """

    baseline_mean: float
    baseline_std: float | None = None
    relative_effect: float | None = None
    absolute_effect: float | None = None
    total_units: int | None = None
    significance: float = 0.05
    power: float = 0.8
    treated_share: float = 0.5
    covariate_correlation: float = 0.0
    cluster_size: float = 1.0
    intraclass_correlation: float = 0.0

    def __post_init__(self) -> None:
        """Refuse figures out of range, and anything but one of effect and units."""
        self._check_metric()
        check_significance(self.significance)
        if not 0.5 <= self.power < 1:  # noqa: PLR2004 - a coin finds half of all effects
            raise InvalidField("power", "must be 0.5 or more and below 1")
        check_share("treated_share", self.treated_share)
        if not -1 < self.covariate_correlation < 1:
            raise InvalidField("covariate_correlation", "must be above -1 and below 1")
        if not 1 <= self.cluster_size <= LARGEST:
            raise InvalidField("cluster_size", "must be 1 or more")
        if not 0 <= self.intraclass_correlation <= 1:
            raise InvalidField("intraclass_correlation", "must be from 0 to 1")

    def _check_metric(self) -> None:
        if not abs(self.baseline_mean) <= LARGEST:
            raise InvalidField("baseline_mean", f"must be at most {LARGEST:g} either way")
        if self.baseline_std is None and not 0 < self.baseline_mean < 1:
            requirement = "must be a rate above 0 and below 1 where baseline_std is absent"
            raise InvalidField("baseline_mean", requirement)
        if self.baseline_std is not None and not 0 < self.baseline_std <= LARGEST:
            raise InvalidField("baseline_std", "must be a finite number above 0")
        given = ("relative_effect", "absolute_effect", "total_units")
        if sum(getattr(self, name) is not None for name in given) != 1:
            raise InvalidField("given", f"must be exactly one of {', '.join(given)}")
        for name in ("relative_effect", "absolute_effect"):
            value = getattr(self, name)
            if value is not None and not 0 < abs(value) <= LARGEST:
                raise InvalidField(name, "must be a finite number other than 0")
        if self.relative_effect is not None and self.baseline_mean == 0:
            raise InvalidField("relative_effect", "needs a baseline_mean other than 0")
        if self.total_units is not None and not LEAST_UNITS <= self.total_units <= MOST_UNITS:
            raise InvalidField("total_units", f"must be {LEAST_UNITS} to {MOST_UNITS:,}")

    @property
    def std(self) -> float:
        """Standard deviation of the metric between units."""
        if self.baseline_std is not None:
            return self.baseline_std
        return math.sqrt(self.baseline_mean * (1.0 - self.baseline_mean))

    @property
    def residual_variance_share(self) -> float:
        """Share of the variance the covariate leaves, 1 - correlation^2."""
        return 1.0 - self.covariate_correlation**2

    @property
    def design_effect(self) -> float:
        """Variance of the mean relative to units assigned one by one, 1 + (m - 1) ICC."""
        return 1.0 + (self.cluster_size - 1.0) * self.intraclass_correlation

    @property
    def unit_variance(self) -> float:
        """Variance of the effect times the total of units, covariate and clusters as asked."""
        share = self.treated_share
        per_unit = self.std**2 * (1.0 / share + 1.0 / (1.0 - share))
        return per_unit * self.residual_variance_share * self.design_effect


@dataclass(frozen=True, slots=True)
class SamplePlan:
    """A sample size; fields as in the contract.

    Attributes:
        provenance: Where the answer came from.
        absolute_effect: Effect in units of the metric.
        relative_effect: Effect as a share of the mean; None where the mean is 0.
        units: Units of an analysis once at the end.
        units_without_covariate: The same without the covariate.
        units_sequential: Units of an always-valid test of the same power at its last look.
        residual_variance_share: Share of the variance the covariate leaves.
        design_effect: Variance of the mean relative to units assigned one by one.
    """

    provenance: Provenance
    absolute_effect: float
    relative_effect: float | None
    units: ArmUnits
    units_without_covariate: ArmUnits
    units_sequential: ArmUnits
    residual_variance_share: float
    design_effect: float


def plan_sample(query: SampleQuery, provenance: Provenance) -> SamplePlan:
    """Compute the units an experiment needs, or the effect that given units can show.

    n_total = (z_{1-alpha/2} + z_power)^2 sigma^2 (1/p + 1/(1-p)) (1 - rho^2) D / delta^2, each arm
    rounded up; p the treated share, rho the covariate's correlation, D the design effect.

    Args:
        query: The metric, what is given, and the design.
        provenance: Where the answer comes from.

    Returns:
        Units of each arm, with and without the covariate, and under sequential testing.

    Source: Deng et al., "Improving the sensitivity of online controlled experiments by utilizing
    pre-experiment data" (2013), for the covariate; Donner and Klar, Design and Analysis of Cluster
    Randomization Trials (2000), for the design effect.

    Example:
        >>> from serving.domain.series import Provenance
        >>> query = SampleQuery(100.0, 20.0, relative_effect=0.03, covariate_correlation=0.74)
        >>> plan = plan_sample(query, Provenance())
        >>> plan.units_without_covariate.control_units, plan.units.control_units
        (698, 316)
    """
    effect = _effect(query)
    plain = replace(query, covariate_correlation=0.0)
    return SamplePlan(
        provenance=provenance,
        absolute_effect=effect,
        relative_effect=effect / query.baseline_mean if query.baseline_mean else None,
        units=_arms(query, _total(query, effect)),
        units_without_covariate=_arms(plain, _total(plain, effect)),
        units_sequential=_arms(query, _sequential_total(query, effect)),
        residual_variance_share=query.residual_variance_share,
        design_effect=query.design_effect,
    )


def _effect(query: SampleQuery) -> float:
    if query.absolute_effect is not None:
        return query.absolute_effect
    if query.relative_effect is not None:
        return query.relative_effect * query.baseline_mean
    units = float(query.total_units or LEAST_UNITS)
    return check_finite("total_units", _distance(query) * math.sqrt(query.unit_variance / units))


def _distance(query: SampleQuery) -> float:
    """Return the standard errors an effect must lie from 0."""
    return float(ndtri(1.0 - query.significance / 2.0) + ndtri(query.power))


def _total(query: SampleQuery, effect: float) -> float:
    return _distance(query) ** 2 * query.unit_variance / effect**2


def _sequential_total(query: SampleQuery, effect: float) -> float:
    """Return the units at which the sequential boundary is passed with the power asked for.

    The mixing deviation is the effect itself. The boundary falls with the units and the estimate's
    spread too, so the least total is found by halving.
    """
    low = high = _total(query, effect)
    while _power_at(query, effect, high) < query.power:
        low, high = high, high * 2.0
        check_finite("given", high)
    for _ in range(60):
        middle = (low + high) / 2.0
        if _power_at(query, effect, middle) >= query.power:
            high = middle
        else:
            low = middle
    return high


def _power_at(query: SampleQuery, effect: float, total: float) -> float:
    variance = np.array([query.unit_variance / total])
    limit = boundary(variance, effect_std=abs(effect), significance=query.significance)
    return float(ndtr((abs(effect) - limit[0]) / math.sqrt(variance[0])))


def _arms(query: SampleQuery, total: float) -> ArmUnits:
    if not total <= MOST_UNITS:
        requirement = f"must be reachable with {MOST_UNITS:,} units: the effect is too small"
        raise InvalidField("given", requirement)
    # A tenth of a millionth of a unit is rounding, not a reason for another unit.
    treated = math.ceil(total * query.treated_share - 1e-7)
    control = math.ceil(total * (1.0 - query.treated_share) - 1e-7)
    return ArmUnits(max(2, control), max(2, treated))
