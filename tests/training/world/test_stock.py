"""The order process, on cases worked out by hand."""

from __future__ import annotations

import numpy as np

from training.world.stock import Rules, draw_available_fraction, simulate_stock


def rules(*, target: float, days: int, lead_time: int, pack: int = 1, minimum: int = 1) -> Rules:
    return Rules(
        target=np.full((days, 1, 1), target),
        reviewed=np.ones((days, 1), dtype=np.bool_),
        lead_time=np.full((days, 1), lead_time),
        pack_size=np.array([pack]),
        minimum_order=np.array([minimum]),
        launch_day=np.array([0]),
    )


def test_an_order_arrives_after_its_lead_time() -> None:
    demand = np.array([[[3.0, 0.0, 0.0, 4.0]]])
    stock = simulate_stock(demand, rules(target=5.0, days=4, lead_time=2))
    assert stock.on_hand[0, 0].tolist() == [2.0, 2.0, 5.0, 1.0]
    assert stock.on_order[0, 0].tolist() == [3.0, 3.0, 0.0, 4.0]
    assert stock.orders.quantity.ravel().tolist() == [3.0, 4.0]
    assert stock.orders.delivered.tolist() == [2, 5]


def test_unmet_demand_is_lost() -> None:
    demand = np.array([[[9.0, 2.0, 2.0]]])
    stock = simulate_stock(demand, rules(target=5.0, days=3, lead_time=2))
    assert stock.sold[0, 0].tolist() == [5.0, 0.0, 2.0]


def test_orders_wait_for_the_minimum_and_come_in_packs() -> None:
    demand = np.array([[[2.0, 2.0, 2.0, 0.0]]])
    stock = simulate_stock(demand, rules(target=12.0, days=4, lead_time=9, pack=4, minimum=8))
    assert stock.orders.placed.tolist() == [2]
    assert stock.orders.quantity.ravel().tolist() == [8.0]


def test_no_order_is_placed_when_nothing_is_missing() -> None:
    stock = simulate_stock(np.zeros((1, 1, 5)), rules(target=5.0, days=5, lead_time=1))
    assert stock.orders.quantity.shape == (0, 1)
    assert stock.on_hand.ravel().tolist() == [5.0] * 5


def test_an_empty_shelf_is_never_a_full_day() -> None:
    demand = np.array([[[5.0, 3.0, 0.0, 900.0, 0.0]]])
    stock = simulate_stock(demand, rules(target=5.0, days=5, lead_time=3))
    fraction = draw_available_fraction(demand, stock, np.random.default_rng(0)).ravel()
    assert stock.on_hand.ravel().tolist() == [0.0, 0.0, 0.0, 0.0, 0.0]
    assert 0.0 < fraction[0] < 1.0
    assert fraction[1] == fraction[2] == fraction[4] == 0.0
    assert fraction[3] < 0.05


def test_the_last_unit_goes_where_order_statistics_put_it() -> None:
    demand = np.full((1, 1, 5_000), 9.0)
    stock = simulate_stock(demand, rules(target=6.0, days=5_000, lead_time=1))
    fraction = draw_available_fraction(demand, stock, np.random.default_rng(0))
    # The sixth of nine uniform moments has mean 6 / 10.
    assert abs(fraction.mean() - 0.6) < 0.02
