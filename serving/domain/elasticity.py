"""How demand answers to price: estimates with intervals that cover what they say."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import special, stats

from serving.domain.instruments import Interval, Periods, by_instrument
from serving.domain.regressions import least_squares, poisson, solved
from serving.domain.series import Provenance
from serving.errors import InvalidField, TooFewObservations, TooLarge

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

FORMULA_VERSION = "elasticity/1"
LEAST_PERIODS = 12
MAX_PERIODS, MAX_CONTROLS = 10_000, 50
IN_STOCK = 1.0  # share of a period in stock from which its sales are its demand
WEAK_F = 10.0  # first-stage F below which an instrument counts as weak
SPARE = 3  # periods needed beyond one a coefficient
LARGEST = 1e15
_KINKS = np.linspace(0.2, 0.8, 13)  # quantiles of log price a kink is looked for at
EXACT = 1e-12  # share of the squares below which nothing is left to explain
STRONG = 6.0  # difference of the criterion from which the evidence is strong (Kass, Raftery 1995)


class ElasticityMethod(enum.IntEnum):
    """How an elasticity was estimated; numbers as in the contract."""

    LOG_LOG = 1
    POISSON = 2
    TWO_STAGE = 3
    POISSON_INSTRUMENT = 4


class DemandShape(enum.IntEnum):
    """The form of log demand over log price; numbers as in the contract."""

    LINEAR = 1
    KINKED = 2
    QUADRATIC = 3


@dataclass(frozen=True, slots=True)
class ElasticityQuery:
    """Asks how demand answers to price.

    Attributes:
        price: Price of each period, above 0, shape (n,).
        quantity: Units sold, 0 or more, shape (n,).
        available_fraction: Share of each period in stock, 0 to 1, shape (n,); periods below 1
            are left out, because their sales are not their demand.
        controls: What else moves demand, such as season, shape (n, k).
        instrument: What moves the price and nothing else, such as a cost shock, shape (n,);
            None without one.
        confidence: Of the intervals, above 0.5 and below 1.
    """

    price: Floats
    quantity: Floats
    available_fraction: Floats
    controls: Floats
    instrument: Floats | None = None
    confidence: float = 0.95

    def __post_init__(self) -> None:
        """Refuse columns that do not match or break their range."""
        count = len(self.price)
        if count > MAX_PERIODS:
            raise TooLarge("price", limit=MAX_PERIODS)
        for name in ("quantity", "available_fraction", "controls", "instrument"):
            values = getattr(self, name)
            if values is not None and len(values) != count:
                raise InvalidField(name, f"must have {count} values, one a price")
        if self.controls.shape[1] > MAX_CONTROLS:
            raise TooLarge("controls", limit=MAX_CONTROLS)
        _check("price", (self.price > 0) & (self.price <= LARGEST), "must be above 0")
        sold = (self.quantity >= 0) & (self.quantity <= LARGEST)
        _check("quantity", sold, "must be a finite number, 0 or more")
        share = (self.available_fraction >= 0) & (self.available_fraction <= 1)
        _check("available_fraction", share, "must be from 0 to 1")
        known = np.isfinite(self.controls).all(axis=1)
        _check("controls", np.asarray(known), "must hold finite numbers")
        if self.instrument is not None:
            _check("instrument", np.isfinite(self.instrument), "must be a finite number")
        if not 0.5 < self.confidence < 1:  # noqa: PLR2004 - less than a coin's is no confidence
            raise InvalidField("confidence", "must be above 0.5 and below 1")


@dataclass(frozen=True, slots=True)
class Elasticity:
    """How demand answers to price.

    Attributes:
        elasticity: Percent of demand a percent of price; the straight line's where the shape is
            another.
        interval: Its confidence set; Anderson and Rubin's where there is an instrument.
        p_value: Of no answer to price.
        method: How it was estimated.
        periods: Periods it was estimated on.
        left_out: Periods left out because they were not wholly in stock.
        zero_periods: Periods of these without a sale.
        shape: The form an information criterion chose.
        slopes: Elasticity below and above the kink, or at the lowest and the highest price;
            one value where the shape is linear.
        kink_price: Price of the kink; None where there is none.
        first_stage_f: Strength of the instrument; None without one.
        weak_instrument: The strength is below 10.
        optimal_markup: Markup on cost that pays best, -1 / (1 + e); None unless the shape is
            linear and the interval lies wholly below -1.
        provenance: The formula that answered, with warnings.
    """

    elasticity: float
    interval: Interval
    p_value: float
    method: ElasticityMethod
    periods: int
    left_out: int
    zero_periods: int
    shape: DemandShape
    slopes: tuple[float, ...]
    kink_price: float | None
    first_stage_f: float | None
    weak_instrument: bool
    optimal_markup: float | None
    provenance: Provenance


def estimate_elasticity(query: ElasticityQuery) -> Elasticity:
    """Estimate the elasticity of demand by price from the periods wholly in stock.

    Least squares of log quantity on log price with HC3 errors where every period sells; Poisson
    pseudo-likelihood with robust errors as soon as one does not, because the log of nothing is not
    there. With an instrument, two-stage least squares, or Poisson with the instrument as its
    moment, and the set Anderson and Rubin's test does not reject, which holds for weak ones too.

    Args:
        query: Prices, quantities and what else moved them.

    Returns:
        The elasticity, its interval and what it rests on.

    Raises:
        TooFewObservations: If fewer periods are in stock than the estimate needs.
        InvalidField: If the price never moves, or a control is a mixture of others.

    Source: MacKinnon and White, J. Econometrics 29 (1985); Santos Silva and Tenreyro, Review of
    Economics and Statistics 88 (2006); Anderson and Rubin, Annals of Math. Statistics 20 (1949).
    """
    kept = query.available_fraction >= IN_STOCK
    controls = query.controls[kept]
    least = max(LEAST_PERIODS, controls.shape[1] + 2 + SPARE)
    if int(kept.sum()) < least:
        raise TooFewObservations("periods wholly in stock", found=int(kept.sum()), least=least)
    data = Periods(
        log_price=np.log(query.price[kept]),
        quantity=query.quantity[kept],
        others=np.column_stack([np.ones(int(kept.sum())), controls]),
        instrument=None if query.instrument is None else query.instrument[kept],
    )
    _check_moves(data)
    zero = int((data.quantity == 0).sum())
    estimate = _estimate(data, zeros=zero > 0, confidence=query.confidence)
    form = _Form(DemandShape.LINEAR, (estimate.elasticity,))
    if data.instrument is None:
        form = _form(data, zeros=zero > 0, linear=form)
    markup = None
    if form.shape is DemandShape.LINEAR:
        markup = optimal_markup(estimate.elasticity, estimate.interval)
    return Elasticity(
        elasticity=estimate.elasticity,
        interval=estimate.interval,
        p_value=estimate.p_value,
        method=estimate.method,
        periods=len(data.quantity),
        left_out=int((~kept).sum()),
        zero_periods=zero,
        shape=form.shape,
        slopes=form.slopes,
        kink_price=form.kink_price,
        first_stage_f=estimate.first_stage_f,
        weak_instrument=estimate.first_stage_f is not None and estimate.first_stage_f < WEAK_F,
        optimal_markup=markup,
        provenance=Provenance(
            formula_version=FORMULA_VERSION, warnings=_warnings(estimate, form.shape)
        ),
    )


def optimal_markup(elasticity: float, interval: Interval) -> float | None:
    """Return the markup on cost that pays best at a constant elasticity.

    Args:
        elasticity: Percent of demand a percent of price.
        interval: Its confidence set.

    Returns:
        -1 / (1 + e); None unless the whole set lies below -1: demand that answers less has no
        price that pays best.

    Source: Lerner, Review of Economic Studies 1 (1934).

    Example:
        >>> optimal_markup(-3.0, Interval(-3.5, -2.5))
        0.5
    """
    if not interval.inside or interval.high is None or interval.high >= -1:
        return None
    return -1.0 / (1.0 + elasticity)


@dataclass(frozen=True, slots=True)
class _Estimate:
    elasticity: float
    interval: Interval
    p_value: float
    method: ElasticityMethod
    first_stage_f: float | None = None


@dataclass(frozen=True, slots=True)
class _Form:
    shape: DemandShape
    slopes: tuple[float, ...]
    kink_price: float | None = None


def _estimate(data: Periods, *, zeros: bool, confidence: float) -> _Estimate:
    critical = float(stats.t.ppf(0.5 + confidence / 2, data.free))
    if data.instrument is not None:
        found = by_instrument(data, data.instrument, zeros=zeros, critical=critical)
        method = ElasticityMethod.POISSON_INSTRUMENT if zeros else ElasticityMethod.TWO_STAGE
        return _Estimate(
            found.elasticity, found.interval, found.p_value, method, found.first_stage_f
        )
    columns = np.column_stack([data.log_price, data.others])
    if zeros:
        coefficients, covariance = poisson(columns, data.quantity)
        method = ElasticityMethod.POISSON
    else:
        coefficients, covariance = least_squares(columns, np.log(data.quantity))
        method = ElasticityMethod.LOG_LOG
    value, error = float(coefficients[0]), math.sqrt(float(covariance[0, 0]))
    p_value = float(2 * stats.t.sf(abs(value) / error, data.free)) if error > 0 else 0.0
    interval = Interval(value - critical * error, value + critical * error)
    return _Estimate(value, interval, p_value, method)


def _form(data: Periods, *, zeros: bool, linear: _Form) -> _Form:
    """Choose the form of log demand over log price by the Bayesian information criterion."""
    price, middle = data.log_price, float(data.log_price.mean())
    forms: list[tuple[float | None, Floats, int]] = [(None, price[:, None], 1)]
    for kink in np.unique(np.quantile(price, _KINKS)).tolist():
        if price.min() < kink < price.max():
            above = np.maximum(price - kink, 0.0)
            forms.append((kink, np.column_stack([price, above]), 3))
    forms.append((None, np.column_stack([price, (price - middle) ** 2]), 2))
    fits = [
        _misfit(np.column_stack([form, data.others]), data, zeros=zeros) for _, form, _ in forms
    ]
    count = len(price)
    scale = fits[0][1] / (count - data.others.shape[1] - 1)
    costs = [
        (left / scale if zeros else count * math.log(left / count)) + size * math.log(count)
        for (_, left), (_, _, size) in zip(fits, forms, strict=True)
    ]
    best = int(np.argmin(costs))
    if best == 0 or costs[0] - costs[best] < STRONG:
        return linear
    kink_at = forms[best][0]
    first, second = fits[best][0][:2].tolist()
    if kink_at is not None:
        return _Form(DemandShape.KINKED, (first, first + second), math.exp(kink_at))
    ends = (float(price.min()) - middle, float(price.max()) - middle)
    return _Form(DemandShape.QUADRATIC, tuple(first + 2 * second * end for end in ends))


def _misfit(columns: Floats, data: Periods, *, zeros: bool) -> tuple[Floats, float]:
    """Return coefficients and what they leave: squares of logs, or Poisson deviance."""
    coefficients: Floats
    if not zeros:
        target = np.log(data.quantity)
        coefficients = solved(columns, target)
        left = float(((target - columns @ coefficients) ** 2).sum())
        # What is left of an exact fit is rounding, and says nothing of the form.
        return coefficients, left + EXACT * float((target**2).sum()) + 1e-300
    coefficients, _ = poisson(columns, data.quantity)
    mean = np.exp(np.clip(columns @ coefficients, -50.0, 50.0))
    left = 2 * float(
        (special.xlogy(data.quantity, data.quantity / mean) - data.quantity + mean).sum()
    )
    return coefficients, max(left, 1e-300)


def _check_moves(data: Periods) -> None:
    """Refuse columns that no estimate can tell apart."""
    if not data.quantity.any():
        raise InvalidField("quantity", "must be above 0 in some period wholly in stock")
    columns = {"price": data.log_price, "instrument": data.instrument}
    if np.linalg.matrix_rank(data.others) < data.others.shape[1]:
        raise InvalidField("controls", "must not be constant or mixtures of each other")
    for name, column in columns.items():
        if column is not None:
            both = np.column_stack([data.others, column])
            if np.linalg.matrix_rank(both) < both.shape[1]:
                raise InvalidField(name, "must vary beside the controls")


def _warnings(estimate: _Estimate, shape: DemandShape) -> tuple[str, ...]:
    warnings = []
    if estimate.first_stage_f is not None and estimate.first_stage_f < WEAK_F:
        warnings.append(
            f"the instrument is weak (F {estimate.first_stage_f:.1f}, below {WEAK_F:g}): rely on "
            "the interval, not on the point"
        )
    if shape is not DemandShape.LINEAR:
        warnings.append("one elasticity does not hold at every price: see the slopes")
    if estimate.interval.low is None or estimate.interval.high is None:
        warnings.append("the data do not bound the elasticity on every side")
    return tuple(warnings)


def _check(field: str, held: NDArray[np.bool_], requirement: str) -> None:
    wrong = np.flatnonzero(~held)
    if wrong.size:
        raise InvalidField(f"{field}[{wrong[0]}]", requirement)
