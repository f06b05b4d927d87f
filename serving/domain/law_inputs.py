"""Laws of demand and lead times as a request names them, valid by construction."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from serving.domain import lead_times
from serving.domain.demand_laws import GammaLaw, NegativeBinomialLaw, NormalLaw, PoissonLaw
from serving.domain.inventory_policy import check_not_negative, check_positive
from serving.domain.laws import CertainLaw
from serving.domain.observed_laws import ObservedLaw, QuantileLaw
from serving.errors import InvalidField

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serving.domain.laws import Law
    from serving.domain.lead_times import LeadTime

MAX_VALUES = 10_000
MAX_LEVELS = 99


@dataclass(frozen=True, slots=True)
class MeanStd:
    """Mean and standard deviation.

    Attributes:
        mean: Mean units, 0 or more.
        std: Standard deviation in units, 0 or more.
    """

    mean: float = 0.0
    std: float = 0.0

    def __post_init__(self) -> None:
        """Refuse negative figures."""
        check_not_negative("mean", self.mean)
        check_not_negative("std", self.std)


@dataclass(frozen=True, slots=True)
class PoissonMean:
    """Mean of a Poisson distribution.

    Attributes:
        mean: Mean units, above 0.
    """

    mean: float = 0.0

    def __post_init__(self) -> None:
        """Refuse a mean that is not above 0."""
        check_positive("mean", self.mean)


@dataclass(frozen=True, slots=True)
class ObservedDemand:
    """Demand as it was seen.

    Attributes:
        values: Units, 0 or more.
    """

    values: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Refuse too many values and values that are none."""
        _check_count("values", self.values, MAX_VALUES)
        ObservedLaw.of(self.values)


@dataclass(frozen=True, slots=True)
class ForecastQuantiles:
    """Quantiles of a forecast.

    Attributes:
        levels: Probability levels, above 0 and below 1, ascending.
        values: Units at each level, 0 or more, never falling.
    """

    levels: tuple[float, ...] = ()
    values: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Refuse levels that do not ascend and quantiles that cross."""
        if not 2 <= len(self.levels) <= MAX_LEVELS:  # noqa: PLR2004 - two make a line
            raise InvalidField("levels", f"must be from 2 to {MAX_LEVELS}")
        if len(self.values) != len(self.levels):
            raise InvalidField("values", f"must be as many as levels ({len(self.levels)})")
        low = 0.0
        for index, level in enumerate(self.levels):
            if not low < level < 1:
                raise InvalidField(f"levels[{index}]", "must be below 1 and above the one before")
            low = level
        least = 0.0
        for index, value in enumerate(self.values):
            check_not_negative(f"values[{index}]", value)
            if value < least:
                raise InvalidField(f"values[{index}]", "must not be below the one before it")
            least = value


@dataclass(frozen=True, slots=True)
class DemandInputs:
    """A distribution of demand; exactly one of the laws.

    Attributes:
        normal: Normal by mean and standard deviation.
        gamma: Gamma by mean and standard deviation.
        poisson: Poisson by mean.
        negative_binomial: Negative binomial by mean and standard deviation.
        observed: Values that were seen.
        quantiles: Quantiles of a forecast.
    """

    normal: MeanStd | None = None
    gamma: MeanStd | None = None
    poisson: PoissonMean | None = None
    negative_binomial: MeanStd | None = None
    observed: ObservedDemand | None = None
    quantiles: ForecastQuantiles | None = None

    def __post_init__(self) -> None:
        """Refuse none and several laws, and parameters that make no law."""
        _check_one("law", self)
        self.law()

    def law(self) -> Law:
        """Return the law.

        Returns:
            The law of the one form that was sent.

        Raises:
            InvalidField: If its parameters make none.
        """
        if self.normal is not None:
            return _spread("normal", self.normal)
        if self.gamma is not None:
            return _spread("gamma", self.gamma)
        if self.poisson is not None:
            return PoissonLaw(self.poisson.mean)
        if self.negative_binomial is not None:
            return _negative_binomial(self.negative_binomial)
        if self.observed is not None:
            return ObservedLaw.of(self.observed.values)
        quantiles = self.quantiles or ForecastQuantiles()
        return QuantileLaw.of(quantiles.levels, quantiles.values)


@dataclass(frozen=True, slots=True)
class GammaLeadTime:
    """A gamma lead time.

    Attributes:
        mean_days: Expected days, above 0.
        std_days: Standard deviation in days, above 0.
    """

    mean_days: float = 0.0
    std_days: float = 0.0

    def __post_init__(self) -> None:
        """Refuse figures that are not above 0, and a spread that has no end."""
        check_positive("mean_days", self.mean_days)
        check_positive("std_days", self.std_days)
        lead_times.gamma(self.mean_days, self.std_days)


@dataclass(frozen=True, slots=True)
class DiscreteLeadTime:
    """A lead time of a few possible lengths.

    Attributes:
        days: Whole days, 0 or more, ascending.
        weights: Probability of each, above 0, summing to 1.
    """

    days: tuple[float, ...] = ()
    weights: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Refuse days that are not whole or do not ascend, and weights that do not sum to 1."""
        for index, day in enumerate(self.days):
            if day != math.floor(day):
                raise InvalidField(f"days[{index}]", "must be whole days")
        lead_times.LeadTime(self.days, self.weights)


@dataclass(frozen=True, slots=True)
class ObservedLeadTimes:
    """Lead times of past deliveries.

    Attributes:
        days: Days from order to receipt, 0 or more.
    """

    days: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Refuse too many deliveries and days that are none."""
        _check_count("days", self.days, MAX_VALUES)
        lead_times.empirical(self.days)


@dataclass(frozen=True, slots=True)
class LeadTimeInputs:
    """A lead time; exactly one of the forms.

    Attributes:
        fixed_days: Days from order to receipt, 0 or more.
        gamma: Gamma by mean and standard deviation.
        discrete: Days with their probabilities.
        observed: Deliveries that were seen.
    """

    fixed_days: float | None = None
    gamma: GammaLeadTime | None = None
    discrete: DiscreteLeadTime | None = None
    observed: ObservedLeadTimes | None = None

    def __post_init__(self) -> None:
        """Refuse none and several forms, and days that are none."""
        _check_one("form", self)
        if self.fixed_days is not None:
            check_not_negative("fixed_days", self.fixed_days)

    def lead_time(self) -> LeadTime:
        """Return the distribution of the lead time."""
        if self.gamma is not None:
            return lead_times.gamma(self.gamma.mean_days, self.gamma.std_days)
        if self.discrete is not None:
            return lead_times.LeadTime(self.discrete.days, self.discrete.weights)
        if self.observed is not None:
            return lead_times.empirical(self.observed.days)
        return lead_times.fixed(self.fixed_days or 0.0)


def _spread(name: str, figures: MeanStd) -> Law:
    if figures.std == 0:
        return CertainLaw(figures.mean)
    if name == "normal":
        return NormalLaw(figures.mean, figures.std)
    if figures.mean == 0:
        raise InvalidField("gamma.mean", "must be above 0 where std is")
    return GammaLaw((figures.mean / figures.std) ** 2, figures.std**2 / figures.mean)


def _negative_binomial(figures: MeanStd) -> Law:
    mean, variance = figures.mean, figures.std**2
    if not 0 < mean < variance:
        raise InvalidField(
            "negative_binomial.std",
            "must have a square above the mean, and the mean be above 0: else send poisson",
        )
    return NegativeBinomialLaw(mean * mean / (variance - mean), mean / variance)


def _check_one(field: str, forms: DemandInputs | LeadTimeInputs) -> None:
    names = list(type(forms).__dataclass_fields__)
    given = [name for name in names if getattr(forms, name) is not None]
    if len(given) != 1:
        raise InvalidField(field, f"must be exactly one of {', '.join(names)}")


def _check_count(field: str, values: Sequence[float], most: int) -> None:
    if not 1 <= len(values) <= most:
        raise InvalidField(field, f"must be from 1 to {most:,}")
