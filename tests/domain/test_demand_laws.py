"""Laws of demand against scipy and against sums that were drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy import stats

from serving.domain.demand_laws import GammaLaw, NegativeBinomialLaw, NormalLaw, PoissonLaw
from serving.domain.law_inputs import (
    DemandInputs,
    ForecastQuantiles,
    MeanStd,
    ObservedDemand,
    PoissonMean,
)
from serving.domain.laws import CertainLaw, over_lead_time
from serving.domain.lead_times import LeadTime
from serving.domain.observed_laws import ObservedLaw, QuantileLaw
from serving.errors import InvalidField

if TYPE_CHECKING:
    from serving.domain.laws import Law

UNITS = np.array([-1.5, 0.0, 0.5, 1.0, 3.0, 7.3, 12.0])
KNOWN = [
    (PoissonLaw(4.0), stats.poisson(4)),
    (NegativeBinomialLaw(2.0, 0.3), stats.nbinom(2, 0.3)),
    (GammaLaw(2.0, 3.0), stats.gamma(2, scale=3)),
    (NormalLaw(5.0, 2.0), stats.norm(5, 2)),
]


@pytest.mark.parametrize(("law", "known"), KNOWN)
def test_a_law_has_the_probabilities_and_moments_of_scipy(
    law: Law,
    known: stats.rv_continuous,
) -> None:
    assert law.at_most(UNITS) == pytest.approx(known.cdf(UNITS))
    assert law.mean == pytest.approx(known.mean())
    assert law.variance == pytest.approx(known.var())
    for level in (0.05, 0.5, 0.9, 0.999):
        assert law.quantile(level) == pytest.approx(max(0.0, known.ppf(level)))


@pytest.mark.parametrize(("law", "known"), KNOWN)
def test_the_loss_is_what_integrating_the_tail_gives(law: Law, known: stats.rv_continuous) -> None:
    edges = np.linspace(-10.0, 400.0, 410_001)
    tail = (1 - known.cdf(edges)) * (edges[1] - edges[0])
    for units in UNITS:
        assert law.loss(np.array([units]))[0] == pytest.approx(
            tail[edges >= units].sum(), rel=2e-3, abs=2e-3
        )


def test_days_that_were_seen_add_up_exactly() -> None:
    law = ObservedLaw.of([0, 0, 1, 3, 7]).over(3)
    single = np.array([0.4, 0.2, 0, 0.2, 0, 0, 0, 0.2])
    expected = np.convolve(np.convolve(single, single), single)
    assert law.at_most(np.arange(22.0)) == pytest.approx(expected.cumsum())
    assert law.loss(np.array([10.0]))[0] == pytest.approx(
        expected @ np.maximum(np.arange(22.0) - 10, 0)
    )


def test_many_days_that_were_seen_keep_their_moments() -> None:
    day = ObservedLaw.of([0, 0, 1, 3, 700])
    law = day.over(60)
    assert law.mean == pytest.approx(60 * day.mean)
    assert law.variance == pytest.approx(60 * day.variance)


def test_a_lead_time_mixes_the_sums_of_its_days() -> None:
    lead = LeadTime((2.0, 6.0), (0.25, 0.75))
    law = over_lead_time(PoissonLaw(1.5), lead, 1.0)
    expected = 0.25 * stats.poisson.cdf(8, 4.5) + 0.75 * stats.poisson.cdf(8, 10.5)
    assert law.at_most(np.array([8.0]))[0] == pytest.approx(expected)
    assert law.mean == pytest.approx(0.25 * 4.5 + 0.75 * 10.5)
    level = law.quantile(0.95)
    assert law.at_most(np.array([level]))[0] >= 0.95 > law.at_most(np.array([level - 1]))[0]


def test_quantiles_of_a_forecast_are_read_as_they_stand() -> None:
    law = QuantileLaw.of([0.1, 0.5, 0.9], [1.0, 4.0, 9.0])
    assert law.quantile(0.5) == 4.0
    assert law.at_most(np.array([6.5]))[0] == pytest.approx(0.7)
    with pytest.raises(InvalidField, match="do not add up"):
        law.over(2)


def test_a_demand_without_spread_is_certain() -> None:
    law = DemandInputs(gamma=MeanStd(3.0, 0.0)).law()
    assert law == CertainLaw(3.0)
    assert law.over(4).quantile(0.5) == 12.0


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (DemandInputs, "law"),
        (lambda: DemandInputs(normal=MeanStd(1, 1), poisson=PoissonMean(1)), "law"),
        (lambda: DemandInputs(negative_binomial=MeanStd(4.0, 2.0)), "negative_binomial.std"),
        (lambda: DemandInputs(gamma=MeanStd(0.0, 2.0)), "gamma.mean"),
        (lambda: MeanStd(-1.0, 1.0), "mean"),
        (lambda: PoissonMean(0.0), "mean"),
        (ObservedDemand, "values"),
        (lambda: ObservedDemand((1.0, -2.0)), "values[1]"),
        (lambda: ForecastQuantiles((0.5,), (1.0,)), "levels"),
        (lambda: ForecastQuantiles((0.5, 0.4), (1.0, 2.0)), "levels[1]"),
        (lambda: ForecastQuantiles((0.5, 0.9), (2.0, 1.0)), "values[1]"),
        (lambda: ObservedLaw.of([0.5]).over(2), "values"),
        (lambda: ObservedLaw.of([1.0]).over(2.5), "days"),
        (lambda: ObservedLaw.of([1e9]).over(2), "values"),
    ],
)
def test_what_is_no_law_is_refused_by_name(make: object, field: str) -> None:
    assert callable(make)
    with pytest.raises(InvalidField) as refused:
        make()
    assert refused.value.field == field
