"""What planners say, laid over what the model says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.domain.overrides import Override, lay_over, told
from serving.errors import InvalidField

DAYS = [10, 11, 12]
MEAN = np.array([4.0, 0.0, 6.0])
QUANTILES = np.array([[1.0, 3.0, 9.0], [0.0, 0.0, 0.0], [2.0, 5.0, 14.0]])


def hand(day: int, **said: float | None) -> Override:
    return Override(day=day, author="ana", created=1, **said)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "said",
    [{}, {"quantity": 1.0, "factor": 1.0}, {"quantity": -1.0}, {"factor": float("nan")}],
)
def test_an_override_says_one_thing(said: dict[str, float]) -> None:
    with pytest.raises(InvalidField, match="one of quantity and factor"):
        hand(10, **said)


def test_days_without_an_override_keep_their_bits() -> None:
    mean, quantiles = lay_over(MEAN, QUANTILES, DAYS, [hand(12, factor=1.5), hand(99, factor=9.0)])
    assert mean.tolist() == [4.0, 0.0, 9.0]
    assert np.array_equal(quantiles[:2], QUANTILES[:2])
    assert quantiles[2].tolist() == [3.0, 7.5, 21.0]


def test_a_quantity_where_nothing_was_expected_is_all_that_is_known() -> None:
    mean, quantiles = lay_over(MEAN, QUANTILES, DAYS, [hand(11, quantity=7.0)])
    assert mean[1] == 7.0
    assert quantiles[1].tolist() == [7.0, 7.0, 7.0]
    assert MEAN[1] == 0.0  # the model's own value is left as it was


@given(quantity=st.floats(0.0, 1e6))
def test_quantiles_stay_in_order_and_never_turn_negative(quantity: float) -> None:
    _, quantiles = lay_over(MEAN, QUANTILES, DAYS, [hand(day, quantity=quantity) for day in DAYS])
    assert (np.diff(quantiles, axis=1) >= 0).all()
    assert (quantiles >= 0).all()


@pytest.mark.parametrize(
    ("created", "expires", "origin", "holds"),
    [(5, None, 4, True), (5, None, 3, False), (5, 9, 8, True), (5, 9, 9, False)],
)
def test_an_override_holds_from_its_creation_until_it_expires(
    created: int, expires: int | None, origin: int, *, holds: bool
) -> None:
    said = Override(day=10, author="ana", created=created, factor=1.0, expires=expires)
    assert said.holds(origin) is holds


def test_authors_are_told_once() -> None:
    said = [hand(10, factor=1.0), hand(11, factor=1.0), hand(99, factor=1.0)]
    assert told(DAYS, said) == "overrides by ana hold on 2 of 3 days"
    assert told([50], said) == ""
