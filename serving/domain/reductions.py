"""Which actions bring cost down: what each is worth by past evidence, and which to take."""

from __future__ import annotations

import enum
import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import optimize
from scipy.special import ndtri

from serving.domain.inventory_policy import check_not_negative, check_positive
from serving.domain.series import Provenance, check_key
from serving.errors import InvalidField, TooLarge

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

FORMULA_VERSION = "reductions/1"
MAX_CANDIDATES, MAX_PAST = 10_000, 100_000
# Before any action was seen: the trade's rule of thumb that four fifths of a projection come true.
REFERENCE_RATE, REFERENCE_SPREAD = 0.8, 0.3
LEAST_FOR_SPREAD = 8  # past actions from which their own spread is trusted


class ActionType(enum.IntEnum):
    """What can be done about a part's cost; numbers as in the contract."""

    RENEGOTIATE = 1
    SECOND_SOURCE = 2
    VALUE_ENGINEERING = 3
    SUBSTITUTE_MATERIAL = 4
    CONSOLIDATE_VOLUME = 5
    RELOCATE = 6
    CUT_LOGISTICS = 7
    AUTOMATE = 8


@dataclass(frozen=True, slots=True)
class PastAction:
    """An action that is done.

    Attributes:
        action_type: What was done.
        projected_saving: Saving it promised, above 0, in the asked currency.
        actual_saving: Saving it brought; negative where it cost more.
    """

    action_type: ActionType
    projected_saving: float
    actual_saving: float

    def __post_init__(self) -> None:
        """Refuse a promise of nothing and a result that is no number."""
        check_positive("projected_saving", self.projected_saving)
        if not math.isfinite(self.actual_saving):
            raise InvalidField("actual_saving", "must be a finite number")


@dataclass(frozen=True, slots=True)
class CandidateAction:
    """An action that could be taken.

    Attributes:
        action_id: Its name, unique.
        action_type: What it is.
        projected_saving: Saving it promises, above 0, in the asked currency.
        effort: What it costs to take it, 0 or more, in the same currency.
        exclusive_group: Of the actions that share a group at most one can be taken; empty stands
            alone.
    """

    action_id: str
    action_type: ActionType
    projected_saving: float
    effort: float
    exclusive_group: str = ""

    def __post_init__(self) -> None:
        """Refuse a promise of nothing and negative effort."""
        check_key("action_id", self.action_id)
        check_positive("projected_saving", self.projected_saving)
        check_not_negative("effort", self.effort)


@dataclass(frozen=True, slots=True)
class ReductionsQuery:
    """Asks which actions to take.

    Attributes:
        candidates: Actions to choose from, one or more.
        past: Actions that are done; their realisation is the evidence.
        budget: Most that all effort together may cost, 0 or more; None without a bound.
        confidence: Of the intervals, above 0 and below 1.
    """

    candidates: tuple[CandidateAction, ...]
    past: tuple[PastAction, ...] = ()
    budget: float | None = None
    confidence: float = 0.8

    def __post_init__(self) -> None:
        """Refuse an empty choice, doubled names and a negative budget."""
        if not self.candidates:
            raise InvalidField("candidates", "is required: one action at the least")
        if len(self.candidates) > MAX_CANDIDATES:
            raise TooLarge("candidates", limit=MAX_CANDIDATES)
        if len(self.past) > MAX_PAST:
            raise TooLarge("past", limit=MAX_PAST)
        seen: set[str] = set()
        for index, one in enumerate(self.candidates):
            if one.action_id in seen:
                at = f"candidates[{index}].action_id"
                raise InvalidField(at, f"must be unique, {one.action_id!r} is there twice")
            seen.add(one.action_id)
        if self.budget is not None:
            check_not_negative("budget", self.budget)
        if not 0 < self.confidence < 1:
            raise InvalidField("confidence", "must be above 0 and below 1")


@dataclass(frozen=True, slots=True)
class RealisationRate:
    """What share of projected savings one type of action brings.

    Attributes:
        action_type: The type.
        past_actions: Actions of the type behind it.
        observed: Their actual over their projected savings in all; None without any.
        rate: The observed rate, shrunk toward that of all actions where they are few.
        rate_std: Standard deviation of the rate itself.
        spread: Standard deviation of one action's share around the rate.
    """

    action_type: ActionType
    past_actions: int
    observed: float | None
    rate: float
    rate_std: float
    spread: float


@dataclass(frozen=True, slots=True)
class Reduction:
    """What one candidate is worth, and whether to take it.

    Attributes:
        action_id: Its name.
        action_type: What it is.
        expected_saving: Projected saving times the rate of its type.
        low: Lower end of the saving's interval.
        high: Upper end.
        effort: What it costs to take it.
        past_actions: Past actions of its type.
        chosen: It belongs to the portfolio.
    """

    action_id: str
    action_type: ActionType
    expected_saving: float
    low: float
    high: float
    effort: float
    past_actions: int
    chosen: bool


@dataclass(frozen=True, slots=True)
class Reductions:
    """The portfolio that pays most, and what it rests on.

    Attributes:
        actions: Every candidate, in the order asked.
        rates: What each type asked about brings, in ascending order of the type.
        expected_saving: Of the chosen ones together.
        effort: Of the chosen ones together.
        realisation: Actual over projected savings of all past actions; None without any.
        provenance: The formula that answered, with warnings.
    """

    actions: tuple[Reduction, ...]
    rates: tuple[RealisationRate, ...]
    expected_saving: float
    effort: float
    realisation: float | None
    provenance: Provenance


def recommend_reductions(query: ReductionsQuery) -> Reductions:
    """Value each action by what past ones brought, and choose the portfolio that pays most.

    The portfolio has the greatest sum of expected saving less effort that keeps to the budget and
    takes at most one action of each exclusive group.

    Args:
        query: Candidates, evidence and budget.

    Returns:
        Every candidate with its interval, and which to take.

    Source: Efron and Morris, JASA 70 (1975), for the shrinkage; the portfolio is an integer
    programme, solved exactly.

    Example:
        >>> done = tuple(PastAction(ActionType.RENEGOTIATE, 100.0, 60.0) for _ in range(50))
        >>> asked = CandidateAction("a", ActionType.RENEGOTIATE, 1000.0, 10.0)
        >>> found = recommend_reductions(ReductionsQuery((asked,), done))
        >>> round(found.actions[0].expected_saving), found.actions[0].chosen
        (600, True)
    """
    kinds = sorted({one.action_type for one in query.candidates})
    rates = {rate.action_type: rate for rate in realisation_rates(query.past, kinds)}
    projected = np.array([one.projected_saving for one in query.candidates])
    effort = np.array([one.effort for one in query.candidates])
    rate = np.array([rates[one.action_type].rate for one in query.candidates])
    expected = projected * rate
    chosen = _portfolio(query, expected - effort, effort)
    beyond = float(ndtri(0.5 + query.confidence / 2))
    actions = []
    for at, one in enumerate(query.candidates):
        known = rates[one.action_type]
        reach = beyond * math.hypot(known.rate_std, known.spread) * one.projected_saving
        actions.append(
            Reduction(
                action_id=one.action_id,
                action_type=one.action_type,
                expected_saving=float(expected[at]),
                low=float(expected[at]) - reach,
                high=float(expected[at]) + reach,
                effort=one.effort,
                past_actions=known.past_actions,
                chosen=bool(chosen[at]),
            )
        )
    promised = math.fsum(one.projected_saving for one in query.past)
    return Reductions(
        actions=tuple(actions),
        rates=tuple(rates.values()),
        expected_saving=float(expected[chosen].sum()),
        effort=float(effort[chosen].sum()),
        realisation=math.fsum(one.actual_saving for one in query.past) / promised
        if promised
        else None,
        provenance=Provenance(
            formula_version=FORMULA_VERSION, warnings=_warnings(list(rates.values()))
        ),
    )


def realisation_rates(
    past: Sequence[PastAction], kinds: Sequence[ActionType]
) -> list[RealisationRate]:
    """Estimate what share of projected savings each type of action brings.

    A type's mean share is normal around that of all actions; the spread within and between types
    is estimated from the past by moments, and a type with few actions is drawn toward the others.

    Args:
        past: Actions that are done.
        kinds: Types to estimate, unique.

    Returns:
        A rate a type, in the order asked.
    """
    shares: dict[ActionType, list[float]] = defaultdict(list)
    for one in past:
        shares[one.action_type].append(one.actual_saving / one.projected_saving)
    everything = np.array([share for group in shares.values() for share in group])
    if everything.size < LEAST_FOR_SPREAD:
        # Too few to tell the spread: each action moves the reference by what it is worth beside it.
        within, between, middle = REFERENCE_SPREAD, REFERENCE_SPREAD, REFERENCE_RATE
    else:
        within, between, middle = _moments([np.array(group) for group in shares.values()])
    about = within**2 / max(everything.size, 1)  # variance of the middle itself
    found = []
    for kind in kinds:
        group = np.array(shares.get(kind, ()))
        noise = within**2 / max(group.size, 1)
        trust = between**2 / (between**2 + noise) if group.size and between > 0 else 0.0
        mean = float(group.mean()) if group.size else middle
        found.append(
            RealisationRate(
                action_type=kind,
                past_actions=int(group.size),
                observed=mean if group.size else None,
                rate=middle + trust * (mean - middle),
                rate_std=math.sqrt(trust * noise + (1 - trust) ** 2 * about)
                if group.size
                else math.hypot(between, math.sqrt(about)),
                spread=within,
            )
        )
    return found


def _moments(groups: list[NDArray[np.float64]]) -> tuple[float, float, float]:
    """Return the spread within groups, the spread between their means, and the middle."""
    sizes = np.array([group.size for group in groups], dtype=float)
    means = np.array([group.mean() for group in groups])
    total, count = sizes.sum(), len(groups)
    within = sum(float(((group - group.mean()) ** 2).sum()) for group in groups)
    within /= max(total - count, 1.0)
    middle = float((sizes * means).sum() / total)
    if count == 1:
        return math.sqrt(within), 0.0, middle
    spread = float((sizes * (means - middle) ** 2).sum()) - (count - 1) * within
    between = spread / (total - float((sizes**2).sum()) / total)
    return math.sqrt(within), math.sqrt(max(between, 0.0)), middle


def _portfolio(
    query: ReductionsQuery, worth: NDArray[np.float64], effort: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Choose what pays most within the budget, at most one of each exclusive group."""
    count = len(worth)
    rows, limits = [], []
    if query.budget is not None:
        rows.append(effort)
        limits.append(query.budget)
    groups: dict[str, list[int]] = defaultdict(list)
    for at, one in enumerate(query.candidates):
        if one.exclusive_group:
            groups[one.exclusive_group].append(at)
    for members in groups.values():
        row = np.zeros(count)
        row[members] = 1.0
        rows.append(row)
        limits.append(1.0)
    if not rows:
        return worth > 0
    solved = optimize.milp(
        -worth,
        integrality=np.ones(count),
        bounds=optimize.Bounds(0, np.where(worth > 0, 1.0, 0.0)),
        constraints=optimize.LinearConstraint(np.array(rows), ub=np.array(limits)),
    )
    return np.asarray(solved.x) > 0.5  # noqa: PLR2004 - the solver's 0 and 1 are floats


def _warnings(rates: list[RealisationRate]) -> tuple[str, ...]:
    unseen = [rate.action_type.name.lower() for rate in rates if not rate.past_actions]
    if not unseen:
        return ()
    return (f"no past action of type {', '.join(unseen)}: the rate is that of all actions",)
