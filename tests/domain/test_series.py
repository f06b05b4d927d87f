from __future__ import annotations

import datetime as dt
import math

import pytest

from serving.domain.series import MAX_KEY_LENGTH, PlanDay, ProductAttributes, check_key
from serving.errors import InvalidField

DAY = dt.date(2026, 7, 1)


@pytest.mark.parametrize("key", ["a", "Schraube Ø8 螺丝", "x" * MAX_KEY_LENGTH, " "])
def test_any_printable_key_is_taken(key: str) -> None:
    check_key("sku", key)


@pytest.mark.parametrize("key", ["", "x" * (MAX_KEY_LENGTH + 1), "a\nb", "a\x1fb", "\x00", "\x7f"])
def test_a_key_that_is_empty_too_long_or_not_printable_is_refused(key: str) -> None:
    with pytest.raises(InvalidField, match="sku"):
        check_key("sku", key)


@pytest.mark.parametrize("price", [0.0, -1.0, math.nan, math.inf])
def test_a_price_is_a_finite_number_above_0(price: float) -> None:
    with pytest.raises(InvalidField, match=r"plan\.price"):
        PlanDay(DAY, price=price)
    with pytest.raises(InvalidField, match=r"product\.price"):
        ProductAttributes("dry", price=price)


@pytest.mark.parametrize("discount", [-0.01, 1.01, math.nan])
def test_a_discount_is_a_share(discount: float) -> None:
    with pytest.raises(InvalidField, match=r"plan\.discount must be from 0 to 1"):
        PlanDay(DAY, discount=discount)


def test_a_plan_day_may_decide_nothing() -> None:
    assert PlanDay(DAY) == PlanDay(DAY, None, None, None)
