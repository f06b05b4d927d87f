"""Lead times by group, from orders received and orders still open."""

from __future__ import annotations

import numpy as np
import pytest

from serving.domain.supplier import LEVELS
from training.lead_times import Orders, best_strength, calibrated_levels, fit, groups_of

WEAK = 1e-9


def drawn(seed: int, count: int = 1_200, *, shift: int = 0) -> Orders:
    """Draw orders of six suppliers, one as slow again as another."""
    rng = np.random.default_rng(seed)
    supplier = rng.integers(0, 6, count)
    days = rng.poisson(10 + 8 * supplier) + shift
    keys = [(f"S{one}", f"P{rng.integers(2)}", "") for one in supplier.tolist()]
    return Orders(days.astype(np.int64), np.zeros(count, dtype=bool), keys)


def test_without_open_orders_the_days_are_those_observed() -> None:
    orders = Orders(np.array([1, 2, 2, 5]), np.zeros(4, dtype=bool), [("S", "", "")] * 4)
    fitted = fit(orders, WEAK)
    hazards = fitted.hazards[()]
    assert fitted.quantiles(hazards, [0.125, 0.5, 0.875]) == pytest.approx([1, 2, 5])
    assert fitted.quantiles(hazards, (np.arange(1_000) + 0.5) / 1_000).mean() == pytest.approx(2.5)


def test_an_open_order_is_known_to_take_longer_and_no_more() -> None:
    days, still_open = np.array([2, 4, 4, 6]), np.array([False, False, True, False])
    fitted = fit(Orders(days, still_open, [("S", "", "")] * 4), WEAK)
    # Kaplan and Meier by hand: 3 of 4 are left after day 2, 2 of 3 of them after day 4.
    assert fitted.hazards[()] == pytest.approx([1 / 4, 1 / 3, 1.0])


def test_to_leave_open_orders_out_would_call_suppliers_faster_than_they_are() -> None:
    rng = np.random.default_rng(1)
    whole = rng.geometric(0.05, 4_000)
    seen = rng.integers(1, 40, 4_000)
    orders = Orders(np.minimum(whole, seen), whole > seen, [("S", "", "")] * 4_000)
    fitted = fit(orders, WEAK)
    (median,) = fitted.quantiles(fitted.hazards[()], [0.5])
    assert median == pytest.approx(np.median(whole), abs=1)
    assert np.median(whole[whole <= seen]) < median - 3


def test_a_group_of_few_orders_is_drawn_toward_the_wider_one() -> None:
    orders = Orders(
        np.array([10] * 50 + [40]), np.zeros(51, dtype=bool), [("A", "", "")] * 50 + [("B", "", "")]
    )
    strong, weak = fit(orders, 50.0), fit(orders, 0.1)
    assert strong.quantiles(strong.hazards["B",], [0.5])[0] == pytest.approx(10, abs=0.5)
    assert weak.quantiles(weak.hazards["B",], [0.5])[0] == pytest.approx(40, abs=0.5)


def test_an_order_belongs_to_every_group_from_item_to_all() -> None:
    every = [("S", "P", "K"), ("S", "", "K"), ("S", "P"), ("S",), ()]
    assert list(groups_of(("S", "P", "K"))) == every
    assert list(groups_of(("S", "", "K"))) == [("S", "", "K"), ("S",), ()]


@pytest.mark.parametrize("shift", [0, -20])
def test_the_levels_cover_as_often_as_they_say(shift: int) -> None:
    known, fresh = drawn(2, shift=shift), drawn(3, 4_000, shift=shift)
    strength = best_strength(known)
    fitted, levels = fit(known, strength), calibrated_levels(known, strength)
    for level in (0.5, 0.9):
        at = levels[LEVELS.index(level)]
        days = [fitted.quantiles(fitted.find(key), [at])[0] for key in fresh.keys]
        assert np.mean(fresh.days <= np.array(days)) == pytest.approx(level, abs=0.04)


def test_a_punctual_supplier_does_not_move_the_median_of_another() -> None:
    rng = np.random.default_rng(5)
    loose = np.rint(rng.gamma(12.0, 2.0, 2_000)).astype(np.int64)
    days = np.concatenate([np.full(2_000, 7), loose])
    keys = [("punctual", "", "")] * 2_000 + [("loose", "", "")] * 2_000
    known = Orders(days, np.zeros(4_000, dtype=bool), keys)
    fitted, levels = fit(known, 20.0), calibrated_levels(known, 20.0)
    middle = [levels[LEVELS.index(0.5)]]
    assert fitted.quantiles(fitted.hazards["loose",], middle)[0] == pytest.approx(
        np.median(loose), abs=1.0
    )
    assert fitted.quantiles(fitted.hazards["punctual",], middle)[0] == pytest.approx(7.0, abs=0.5)


def test_too_few_orders_leave_the_levels_as_they_are() -> None:
    assert calibrated_levels(drawn(4, 100), 5.0) == LEVELS
