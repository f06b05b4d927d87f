"""Make or buy: options scored by weighted criteria, and how far the answer holds."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr

from serving.domain.inventory_policy import check_not_negative, check_positive
from serving.domain.series import Provenance, check_key
from serving.domain.weights import check_weights
from serving.errors import InvalidField, TooLarge

if TYPE_CHECKING:
    from numpy.typing import NDArray

FORMULA_VERSION = "make_or_buy/1"
MAX_OPTIONS = 50
CONFIDENCE = 0.9
NOISE_SHARE = 0.05
CRITERIA = ("cost", "quality", "lead_time", "strategic")
SCORES = tuple(f"{name}_score" for name in CRITERIA)
_REACH, _STEPS = 1e4, 400  # volumes looked at either way of the asked one, and how finely


class MakeOrBuyVerdict(enum.IntEnum):
    """What the comparison says; numbers as in the contract."""

    MAKE = 1
    BUY = 2
    REVIEW = 3


@dataclass(frozen=True, slots=True)
class Weights:
    """What each criterion counts, 0 to 1, together 1.

    Attributes:
        cost: Cost of a unit.
        quality: Quality score.
        lead_time: Days to delivery.
        strategic: Strategic score.
    """

    cost: float = 0.35
    quality: float = 0.30
    lead_time: float = 0.20
    strategic: float = 0.15

    def __post_init__(self) -> None:
        """Refuse weights that are no shares of 1."""
        check_weights(CRITERIA, self.all)

    @property
    def all(self) -> tuple[float, float, float, float]:
        """The weights in the order of CRITERIA."""
        return (self.cost, self.quality, self.lead_time, self.strategic)


@dataclass(frozen=True, slots=True)
class SourcingOption:
    """One way to get the part: the own plant or a supplier's quote.

    Attributes:
        name: Plant or supplier.
        unit_cost: Variable cost or price of a unit, all landed, above 0.
        fixed_cost: Cost a period that does not depend on the volume: set-up, tooling.
        lead_time_days: Days to delivery, above 0.
        quality: Quality score, 0 to 1.
        strategic: Strategic score, 0 to 1.
    """

    name: str
    unit_cost: float
    fixed_cost: float
    lead_time_days: float
    quality: float
    strategic: float

    def __post_init__(self) -> None:
        """Refuse negative costs and scores that are none."""
        check_key("name", self.name)
        check_positive("unit_cost", self.unit_cost)
        check_not_negative("fixed_cost", self.fixed_cost)
        check_positive("lead_time_days", self.lead_time_days)
        for part in ("quality", "strategic"):
            if not 0 <= getattr(self, part) <= 1:
                raise InvalidField(part, "must be from 0 to 1")


@dataclass(frozen=True, slots=True)
class MakeOrBuyQuery:
    """Asks whether to make a part or to buy it, and of whom.

    Attributes:
        make: The own plant.
        quotes: Offers of suppliers, one or more.
        volume: Units a period, above 0.
        weights: What each criterion counts.
        noise_share: Standard deviation of a criterion's score as a share of it, 0 to 1.
        confidence: Probability of being the best below which the verdict is to review.
    """

    make: SourcingOption
    quotes: tuple[SourcingOption, ...]
    volume: float
    weights: Weights = field(default_factory=Weights)
    noise_share: float = NOISE_SHARE
    confidence: float = CONFIDENCE

    def __post_init__(self) -> None:
        """Refuse a comparison with nobody, and names that are there twice."""
        if not self.quotes:
            raise InvalidField("quotes", "is required: one offer at the least")
        if len(self.quotes) >= MAX_OPTIONS:
            raise TooLarge("quotes", limit=MAX_OPTIONS - 1)
        seen = {self.make.name}
        for index, one in enumerate(self.quotes):
            if one.name in seen:
                at = f"quotes[{index}].name"
                raise InvalidField(at, f"must be unique, {one.name!r} is there twice")
            seen.add(one.name)
        check_positive("volume", self.volume)
        if not 0 <= self.noise_share <= 1:
            raise InvalidField("noise_share", "must be from 0 to 1")
        if not 0.5 <= self.confidence < 1:  # noqa: PLR2004 - below a half the other one is likelier
            raise InvalidField("confidence", "must be from 0.5 to below 1")

    @property
    def options(self) -> tuple[SourcingOption, ...]:
        """The own plant, then the quotes."""
        return (self.make, *self.quotes)


@dataclass(frozen=True, slots=True)
class OptionScore:
    """How an option does.

    Attributes:
        name: Plant or supplier.
        unit_cost_at_volume: Variable plus fixed cost of a unit at the asked volume.
        cost_score: Least unit cost over the own, 0 to 1.
        quality_score: Quality score, 0 to 1.
        lead_time_score: Least lead time over the own, 0 to 1.
        strategic_score: Strategic score, 0 to 1.
        total: Weighted sum, 0 to 1.
        breakeven_volume: Units a period beyond or below which the other side of the make or buy
            costs less than it; None where one costs less at every volume, or for the plant itself.
    """

    name: str
    unit_cost_at_volume: float
    cost_score: float
    quality_score: float
    lead_time_score: float
    strategic_score: float
    total: float
    breakeven_volume: float | None


@dataclass(frozen=True, slots=True)
class Range:
    """An interval, ends included.

    Attributes:
        low: Lower end.
        high: Upper end; None where there is none.
    """

    low: float
    high: float | None


@dataclass(frozen=True, slots=True)
class WeightRange:
    """The weights of one criterion over which the best option stays the best.

    Attributes:
        criterion: The criterion; the others keep their proportions.
        low: Lower end.
        high: Upper end.
    """

    criterion: str
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class MakeOrBuy:
    """What to do, and how far that holds.

    Attributes:
        verdict: Make, buy, or review where the margin is inside the noise.
        best: Name of the option with the highest total.
        margin: Its total less the next one's.
        best_probability: Probability that it stays ahead of the next under the noise.
        options: Every option, best first.
        weight_ranges: For each criterion the weights over which the best one stays the best.
        volume_range: Volumes over which the best one stays the best.
        reason: The answer in one sentence.
        provenance: The formula that answered.
    """

    verdict: MakeOrBuyVerdict
    best: str
    margin: float
    best_probability: float
    options: tuple[OptionScore, ...]
    weight_ranges: tuple[WeightRange, ...]
    volume_range: Range
    reason: str
    provenance: Provenance


def compare_make_or_buy(query: MakeOrBuyQuery) -> MakeOrBuy:
    """Score the own plant beside the quotes and say how far the answer holds.

    Cost and lead time score least / own, so that the best has 1; quality and strategic count as
    they are. The noise is independent over criteria and options, so the difference of two totals
    is normal with variance sum of w^2 noise^2 (a^2 + b^2).

    Args:
        query: The options, the volume and the weights.

    Returns:
        The verdict, all options, and the ranges of weights and volumes in which it holds.

    Source: Keeney and Raiffa, Decisions with Multiple Objectives (1976), additive value function.

    Example:
        >>> plant = SourcingOption("plant", 8.0, 20_000.0, 10.0, 0.95, 0.9)
        >>> offer = SourcingOption("offer", 10.0, 0.0, 30.0, 0.9, 0.5)
        >>> found = compare_make_or_buy(MakeOrBuyQuery(plant, (offer,), volume=20_000.0))
        >>> found.verdict.name, found.options[1].breakeven_volume
        ('MAKE', 10000.0)
    """
    weights = np.array(query.weights.all)
    scores = _scores(query.options, query.volume)
    totals = scores @ weights
    order = np.argsort(-totals, kind="stable")
    first, second = int(order[0]), int(order[1])
    margin = float(totals[first] - totals[second])
    spread = query.noise_share * math.sqrt(
        float((weights**2 * (scores[first] ** 2 + scores[second] ** 2)).sum())
    )
    probability = float(ndtr(margin / spread)) if spread > 0 else float(margin > 0) / 2 + 0.5
    verdict = MakeOrBuyVerdict.MAKE if first == 0 else MakeOrBuyVerdict.BUY
    if probability < query.confidence:
        verdict = MakeOrBuyVerdict.REVIEW
    best = query.options[first].name
    return MakeOrBuy(
        verdict=verdict,
        best=best,
        margin=margin,
        best_probability=probability,
        options=tuple(
            OptionScore(
                name=query.options[at].name,
                unit_cost_at_volume=_unit_cost(query.options[at], query.volume),
                **dict(zip(SCORES, scores[at].tolist(), strict=True)),
                total=float(totals[at]),
                breakeven_volume=None
                if at == 0
                else breakeven_volume(query.make, query.options[at]),
            )
            for at in order
        ),
        weight_ranges=tuple(_weight_range(scores, weights, at, first) for at in range(4)),
        volume_range=_volume_range(query, first),
        reason=_reason(verdict, best, query.options[second].name, probability),
        provenance=Provenance(formula_version=FORMULA_VERSION),
    )


def breakeven_volume(make: SourcingOption, buy: SourcingOption) -> float | None:
    """Return the volume at which making and buying cost the same.

    Args:
        make: The own plant.
        buy: A quote.

    Returns:
        (F_make - F_buy) / (v_buy - v_make) units; None where one costs less at every volume.

    Source: Horngren, Datar and Rajan, Cost Accounting, 15th ed. (2015), chapter 3.
    """
    fixed, variable = make.fixed_cost - buy.fixed_cost, buy.unit_cost - make.unit_cost
    if variable == 0 or fixed / variable <= 0:
        return None
    return fixed / variable


def _unit_cost(option: SourcingOption, volume: float) -> float:
    return option.unit_cost + option.fixed_cost / volume


def _scores(options: tuple[SourcingOption, ...], volume: float) -> NDArray[np.float64]:
    cost = np.array([_unit_cost(option, volume) for option in options])
    days = np.array([option.lead_time_days for option in options])
    return np.column_stack(
        [
            cost.min() / cost,
            [option.quality for option in options],
            days.min() / days,
            [option.strategic for option in options],
        ]
    )


def _weight_range(
    scores: NDArray[np.float64], weights: NDArray[np.float64], at: int, best: int
) -> WeightRange:
    """Return the weights of one criterion over which the best stays the best.

    The others share what is left in their present proportions (evenly where they have none), so
    every option's total is a straight line in the weight.
    """
    others = np.delete(weights, at)
    shares = others / others.sum() if others.sum() > 0 else np.full(3, 1 / 3)
    rest = np.delete(scores, at, axis=1) @ shares
    # ahead(w) = (rest_b - rest_o) + w ((score_b - rest_b) - (score_o - rest_o)) must not be < 0.
    start = rest[best] - rest
    slope = (scores[best, at] - rest[best]) - (scores[:, at] - rest)
    low, high = 0.0, 1.0
    for there, along in zip(start.tolist(), slope.tolist(), strict=True):
        if along > 0:
            low = max(low, -there / along)
        elif along < 0:
            high = min(high, -there / along)
    here = float(weights[at])
    return WeightRange(CRITERIA[at], min(low, here), max(high, here))


def _volume_range(query: MakeOrBuyQuery, best: int) -> Range:
    """Return the volumes around the asked one over which the best stays the best."""
    options, weights = query.options, np.array(query.weights.all)
    fixed = np.array([option.fixed_cost for option in options])
    variable = np.array([option.unit_cost for option in options])
    rest = _scores(options, query.volume)[:, 1:] @ weights[1:]  # does not depend on the volume

    def lead(volume: NDArray[np.float64]) -> NDArray[np.float64]:
        cost = variable[:, None] + fixed[:, None] / volume
        totals = weights[0] * cost.min(axis=0) / cost + rest[:, None]
        return np.asarray(totals[best] - np.delete(totals, best, axis=0).max(axis=0))

    def edge(reach: float) -> float | None:
        volumes = query.volume * np.geomspace(1.0, reach, _STEPS)
        behind = np.flatnonzero(lead(volumes[1:]) < 0)
        if not behind.size:
            return None
        inside, outside = volumes[behind[0]], volumes[behind[0] + 1]
        while not math.isclose(inside, outside, rel_tol=1e-9):
            middle = (inside + outside) / 2
            ahead = lead(np.array([middle]))[0] >= 0
            inside, outside = (middle, outside) if ahead else (inside, middle)
        return float(inside)

    low, high = edge(1.0 / _REACH), edge(_REACH)
    return Range(0.0 if low is None else low, high)


def _reason(verdict: MakeOrBuyVerdict, best: str, second: str, probability: float) -> str:
    if verdict is MakeOrBuyVerdict.REVIEW:
        return (
            f"{best} is ahead of {second} with probability {probability:.0%} only: "
            "the margin is inside the noise"
        )
    what = "Make" if verdict is MakeOrBuyVerdict.MAKE else f"Buy from {best}"
    return f"{what}: ahead of {second} with probability {probability:.0%}"
