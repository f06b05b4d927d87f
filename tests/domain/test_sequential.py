"""Tests that stay valid however often one looks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from serving.domain.sequential import (
    SequentialQuery,
    always_valid_p_values,
    examine_looks,
    has_moved,
    log_likelihood_ratio,
)
from serving.domain.series import Provenance
from serving.errors import InvalidField

if TYPE_CHECKING:
    from collections.abc import Callable

    Moments = tuple[np.ndarray, np.ndarray, np.ndarray]

EXPERIMENTS, LOOKS = 2_000, 100


def looks(**changes: Any) -> SequentialQuery:  # noqa: ANN401 - any field
    sent: dict[str, Any] = {
        "control_counts": np.array([100, 200, 300]),
        "control_means": np.zeros(3),
        "control_variances": np.full(3, 4.0),
        "treated_counts": np.array([100, 200, 300]),
        "treated_means": np.array([0.1, 0.4, 0.8]),
        "treated_variances": np.full(3, 4.0),
        "effect_std": 1.0,
    }
    return SequentialQuery(**(sent | changes))


def normal_arm(rng: np.random.Generator, a_look: int) -> Moments:
    """Draw the cumulative moments of an arm of normal outcomes, look by look."""
    counts = a_look * np.arange(1, LOOKS + 1)
    means = rng.standard_normal((EXPERIMENTS, LOOKS)) / np.sqrt(a_look)
    inside = rng.chisquare(a_look - 1, (EXPERIMENTS, LOOKS))
    squares = (inside + a_look * means**2).cumsum(axis=1)
    overall = means.cumsum(axis=1) / np.arange(1, LOOKS + 1)
    return counts, overall, (squares - counts * overall**2) / (counts - 1)


def rate_arm(rng: np.random.Generator, a_look: int) -> Moments:
    """Draw the cumulative moments of an arm of which a tenth converts, look by look."""
    counts = a_look * np.arange(1, LOOKS + 1)
    rates = rng.binomial(a_look, 0.1, (EXPERIMENTS, LOOKS)).cumsum(axis=1) / counts
    return counts, rates, np.maximum(rates * (1 - rates) * counts / (counts - 1), 1e-9)


@pytest.mark.parametrize("draw", [normal_arm, rate_arm], ids=["mean", "rate"])
@pytest.mark.parametrize(("control", "treated"), [(100, 100), (400, 100)], ids=["50/50", "20/80"])
def test_a_hundred_peeks_cry_wolf_in_at_most_one_of_twenty(
    control: int, treated: int, draw: Callable[[np.random.Generator, int], Moments]
) -> None:
    rng = np.random.default_rng(20_26)
    n0, mean0, var0 = draw(rng, control)
    n1, mean1, var1 = draw(rng, treated)
    for effect_std in (0.02, 0.1, 0.5):
        logs = log_likelihood_ratio(mean1 - mean0, var1 / n1 + var0 / n0, effect_std=effect_std)
        alarms = (always_valid_p_values(logs)[:, -1] <= 0.05).mean()
        told = f"tau {effect_std}: {alarms:.2%} of {EXPERIMENTS:,} cry wolf in {LOOKS} looks"
        print(told)  # noqa: T201 - the figure itself, for whoever runs it with -s
        assert 0.001 < alarms <= 0.061


def test_p_values_never_ascend_and_the_sequence_only_shrinks() -> None:
    answer = examine_looks(looks(), Provenance())
    assert (np.diff(answer.p_values) <= 0).all()
    assert (np.diff(answer.lower) >= 0).all()
    assert (np.diff(answer.upper) <= 0).all()


def test_it_rejects_where_the_sequence_leaves_zero() -> None:
    answer = examine_looks(looks(), Provenance())
    outside = np.flatnonzero((answer.lower > 0) | (answer.upper < 0))
    assert answer.decided_look == outside[0]


def test_an_effect_that_moved_is_told() -> None:
    moved = looks(treated_means=np.array([0.0, 0.0, 5.0]), treated_variances=np.full(3, 0.1))
    assert has_moved(moved)
    answer = examine_looks(moved, Provenance())
    assert (answer.lower <= answer.upper).all()
    assert not has_moved(looks())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("control_counts", np.array([99, 200, 300])),
        ("control_counts", np.array([300, 200, 300])),
        ("treated_variances", np.array([4.0, 0.0, 4.0])),
        ("treated_means", np.array([0.1, np.nan, 0.8])),
        ("treated_means", np.array([0.1])),
        ("effect_std", 0.0),
        ("significance", 0.5),
    ],
)
def test_looks_that_break_a_rule_are_refused(field: str, value: object) -> None:
    with pytest.raises(InvalidField, match=field):
        looks(**{field: value})
