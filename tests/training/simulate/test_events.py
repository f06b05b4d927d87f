"""The events of a day against examples worked by hand and against textbook results."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from serving.errors import InvalidField
from training.simulate.events import simulate
from training.simulate.inputs import Demand, Levels, Opening, Supply, Unmet

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

KEEPS = np.inf


def supply(series: int = 1, *, review: int = 1, lead: int = 0, **changed: Any) -> Supply:  # noqa: ANN401 - any of its fields
    plain = Supply(
        review_days=np.full(series, review),
        lead_time=np.full((1, series), lead),
        pack_size=np.zeros(series),
        minimum=np.zeros(series),
        shelf_life=np.full(series, KEEPS),
    )
    return dataclasses.replace(plain, **changed)


def order_up_to(level: float, series: int = 1) -> Levels:
    levels = np.full((1, series), level)
    return Levels(np.zeros(1, dtype=np.int64), levels, levels)


def opening(*on_hand: float, due: Floats | None = None) -> Opening:
    nothing = np.zeros((0, len(on_hand)))
    return Opening(np.array(on_hand), nothing if due is None else due)


def column(*demand: float) -> Demand:
    return Demand(np.array(demand, dtype=float)[:, None])


def test_lost_sales_by_hand() -> None:
    # Reviewed before days 0, 2 and 4; an order is there the morning after. Position up to 10.
    # day 0: on hand 6, orders 4 for day 1; sells 5, leaves 1
    # day 1: receives 4, has 5; asked 8 sells 5: short
    # day 2: position 0, orders 10 for day 3; has 0, asked 2 sells 0: short
    # day 3: receives 10, sells 3, leaves 7     day 4: orders 3 for day 5; sells 1, leaves 6
    found = simulate(
        column(5, 8, 2, 3, 1), order_up_to(10), supply(review=2, lead=1), opening(6), traced=True
    )
    assert found.stock[:, 0].tolist() == [1, 0, 0, 7, 6]
    assert found.met[0] == 14
    assert found.orders[0] == 3
    assert found.ordered[0] == 17
    # Cycles: days 1-2, short; days 3-4, served, ended by the order of day 4 that comes on day 5.
    assert (found.cycles[0], found.served[0]) == (2, 1)
    assert found.short_days[0] == 2
    assert found.ready_days[0] == 3
    assert found.stock_days[0] == (6 + 1 + 5 + 0 + 0 + 0 + 10 + 7 + 7 + 6) / 2


def test_back_orders_by_hand() -> None:
    # day 0: 6 on hand, orders 4 for day 1; sells 5       day 1: has 5, asked 8: owes 3
    # day 2: position -3, orders 13 for day 3; asked 2: owes 5
    # day 3: receives 13, 5 go to those who wait, 8 left, sells 3, leaves 5
    # day 4: position 5, orders 5; sells 1, leaves 4
    back = supply(review=2, lead=1, unmet=Unmet.BACKORDERED)
    found = simulate(column(5, 8, 2, 3, 1), order_up_to(10), back, opening(6), traced=True)
    assert found.stock[:, 0].tolist() == [1, 0, 0, 5, 4]
    assert found.met[0] == 14
    assert found.ordered[0] == 22
    assert found.ready_days[0] == 3


def test_the_oldest_lot_is_sold_first_and_what_is_left_of_it_is_waste() -> None:
    # Two days of life. day 0: 4 on hand, orders 6 that come the same morning; sells 1, 9 left
    # day 1: orders 1; sells 2 of the 9, 7 are waste, 1 left
    # day 2: orders 9; sells the 1 and 4 of the 9, 5 left
    two_days = supply(shelf_life=np.array([2.0]))
    found = simulate(column(1, 2, 5), order_up_to(10), two_days, opening(4), traced=True)
    assert found.waste[0] == 7
    assert found.stock[:, 0].tolist() == [9, 1, 5]


@pytest.mark.parametrize(("life", "waste"), [(3.0, 9.0), (4.0, 0.0), (400.0, 0.0)])
def test_a_lot_is_waste_on_the_close_of_its_last_day(life: float, waste: float) -> None:
    # Ten fresh units and one sold: nine are left at the close of the third day.
    shelf = supply(review=7, shelf_life=np.array([life]))
    found = simulate(column(1, 0, 0), order_up_to(10), shelf, opening(10))
    assert found.waste[0] == waste


def test_orders_come_in_whole_packs_and_not_below_the_minimum() -> None:
    packed = supply(pack_size=np.array([4.0]), minimum=np.array([6.0]))
    found = simulate(column(1, 1, 1), order_up_to(10), packed, opening(10), traced=True)
    # Position 9 is one short: the minimum of 6 in packs of 4 is 8, which lasts.
    assert (found.orders[0], found.ordered[0]) == (1, 8)
    assert found.stock[:, 0].tolist() == [9, 16, 15]


def test_nothing_is_ordered_at_the_reorder_point() -> None:
    levels = Levels(np.zeros(1, dtype=np.int64), np.array([[5.0]]), np.array([[10.0]]))
    found = simulate(column(5, 1, 0), levels, supply(), opening(10), traced=True)
    # The position is 5 before day 1, which is the point itself; before day 2 it is 4.
    assert found.stock[:, 0].tolist() == [5, 4, 10]


def test_levels_change_on_the_day_they_were_decided_for() -> None:
    steps = np.array([[3.0], [8.0]])
    levels = Levels(np.array([0, 2]), steps, steps)
    found = simulate(column(0, 0, 0), levels, supply(), opening(0), traced=True)
    assert found.stock[:, 0].tolist() == [3, 3, 8]


def test_what_was_short_comes_out_of_turn() -> None:
    urgent = supply(review=7, lead=3, emergency_days=1)
    found = simulate(column(5, 0, 0), order_up_to(2), urgent, opening(2), traced=True)
    assert (found.emergencies[0], found.emergency_units[0]) == (1, 3)
    assert found.stock[:, 0].tolist() == [0, 3, 3]


def test_receipts_on_the_way_arrive_and_count_in_the_position() -> None:
    due = np.array([[0.0], [0.0], [4.0]])
    found = simulate(column(1, 1, 1), order_up_to(6), supply(lead=1), opening(2, due=due))
    # Position 2 + 4: nothing is ordered before day 0; one unit a day after.
    assert found.ordered[0] == 2
    assert found.met[0] == 3


def test_continuous_review_orders_as_of_the_day_the_units_went() -> None:
    # Units that go on day 0 are ordered as of day 0 and are there two days later.
    watched = supply(review=0, lead=2)
    found = simulate(column(4, 0, 0), order_up_to(4), watched, opening(4), traced=True)
    assert found.stock[:, 0].tolist() == [0, 0, 4]


@pytest.mark.parametrize("unmet", list(Unmet))
def test_each_series_goes_its_own_way(unmet: Unmet) -> None:
    rng = np.random.default_rng(3)
    demand = rng.gamma(1.0, 5.0, size=(40, 6))
    many = Supply(
        review_days=np.array([0, 1, 2, 3, 5, 7]),
        lead_time=rng.integers(0, 5, size=(41, 6)),
        pack_size=np.array([0.0, 2, 0, 6, 0, 1]),
        minimum=np.array([0.0, 0, 10, 0, 3, 0]),
        shelf_life=np.array([KEEPS, 3, KEEPS, 9, 1, KEEPS]),
        unmet=unmet,
        emergency_days=2,
    )
    levels = order_up_to(40, 6)
    together = simulate(Demand(demand), levels, many, opening(*[20.0] * 6))
    for row in range(6):
        one = slice(row, row + 1)
        alone = simulate(
            Demand(demand[:, one]),
            order_up_to(40),
            dataclasses.replace(
                many,
                review_days=many.review_days[one],
                lead_time=many.lead_time[:, one],
                pack_size=many.pack_size[one],
                minimum=many.minimum[one],
                shelf_life=many.shelf_life[one],
            ),
            opening(20.0),
        )
        for field in dataclasses.fields(alone):
            if field.name not in {"days", "stock"}:
                assert getattr(alone, field.name)[0] == pytest.approx(
                    getattr(together, field.name)[row], abs=1e-9
                )


@given(
    seed=st.integers(0, 10_000),
    life=st.sampled_from([1.0, 4.0, KEEPS]),
    lead=st.integers(0, 4),
    review=st.integers(0, 5),
)
@settings(max_examples=40)
def test_units_are_conserved(seed: int, life: float, lead: int, review: int) -> None:
    rng = np.random.default_rng(seed)
    demand = rng.poisson(3.0, size=(30, 4)).astype(float)
    terms = supply(4, review=review, lead=lead, shelf_life=np.full(4, life))
    found = simulate(Demand(demand), order_up_to(12, 4), terms, opening(*[5.0] * 4), traced=True)
    # What came in by the end is at least what was ordered so early that it must have arrived.
    inflow = found.met + found.waste + found.stock[-1] - 5.0
    assert (inflow >= -1e-9).all()
    assert (inflow <= found.ordered + 1e-9).all()
    assert (found.served <= found.cycles).all()
    assert (found.met <= found.demand).all()


def test_base_stock_under_poisson_demand_is_ready_as_its_distribution_says() -> None:
    # Net stock at a close is the level less the demand of lead time plus one day.
    rng = np.random.default_rng(11)
    lead, rate, level, series = 3, 1.7, 11, 4_000
    demand = rng.poisson(rate, size=(60, series)).astype(float)
    terms = supply(series, lead=lead, unmet=Unmet.BACKORDERED)
    found = simulate(
        Demand(demand), order_up_to(level, series), terms, opening(*[float(level)] * series)
    )
    # The first days still live off the opening stock, all of it on the shelf.
    settled = simulate(
        Demand(demand[:lead]), order_up_to(level, series), terms, opening(*[11.0] * series)
    )
    ready = (found.ready_days - settled.ready_days).sum() / ((60 - lead) * series)
    assert ready == pytest.approx(stats.poisson.cdf(level - 1, rate * (lead + 1)), abs=0.004)


@pytest.mark.parametrize("promised", [0.80, 0.90, 0.95, 0.98, 0.99])
def test_periodic_review_serves_the_cycles_its_level_promises(promised: float) -> None:
    # Continuous demand of known parameters: the level is its quantile over lead time and review.
    rng = np.random.default_rng(round(1000 * promised))
    lead, review, series, days = 4, 7, 1_500, 4 + 7 * 20
    shape, scale = rng.uniform(0.3, 4.0, series), rng.uniform(1.0, 30.0, series)
    demand = rng.gamma(shape, scale, size=(days, series))
    level = stats.gamma.ppf(promised, shape * (lead + review)) * scale
    levels = Levels(np.zeros(1, dtype=np.int64), level[None], level[None])
    terms = supply(series, review=review, lead=lead, unmet=Unmet.BACKORDERED)
    found = simulate(Demand(demand), levels, terms, Opening(level, np.zeros((0, series))))
    assert found.cycles.sum() >= 10_600
    assert found.served.sum() / found.cycles.sum() == pytest.approx(promised, abs=0.01)


def test_a_drawn_lead_time_serves_the_mixture_over_lead_times() -> None:
    rng = np.random.default_rng(5)
    review, series, cycles = 10, 2_000, 12
    choices, chances = np.array([2, 5, 9]), np.array([0.5, 0.3, 0.2])
    days = review * cycles
    demand = rng.gamma(2.0, 3.0, size=(days, series))
    lead = rng.choice(choices, p=chances, size=(days + 1, series))
    level = 130.0
    terms = supply(series, review=review, lead_time=lead, unmet=Unmet.BACKORDERED)
    found = simulate(Demand(demand), order_up_to(level, series), terms, opening(*[level] * series))
    expected = sum(
        chance * stats.gamma.cdf(level, 2.0 * (review + days_), scale=3.0)
        for days_, chance in zip(choices, chances, strict=True)
    )
    assert found.served.sum() / found.cycles.sum() == pytest.approx(expected, abs=0.01)


def test_cycles_with_demand_that_was_only_estimated_are_counted_apart() -> None:
    seen = np.array([[True], [False], [True], [True]])
    demand = Demand(np.array([[1.0], [9], [1], [1]]), known=seen)
    found = simulate(demand, order_up_to(4), supply(review=2), opening(0))
    assert (found.cycles[0], found.served[0]) == (2, 1)
    assert (found.known_cycles[0], found.known_served[0]) == (1, 1)


@pytest.mark.parametrize("units", [-1.0, np.nan])
def test_demand_that_is_none_is_refused(units: float) -> None:
    with pytest.raises(InvalidField):
        column(units)


@pytest.mark.parametrize(
    "changed",
    [
        {"review_days": np.array([-1])},
        {"shelf_life": np.array([0.0])},
        {"emergency_days": 0},
    ],
)
def test_supply_that_cannot_be_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(InvalidField):
        supply(**changed)


def test_demand_of_other_series_is_refused() -> None:
    with pytest.raises(InvalidField):
        simulate(Demand(np.zeros((1, 2))), order_up_to(5), supply(), opening(5))


def test_levels_must_be_there_from_the_first_day() -> None:
    with pytest.raises(InvalidField):
        Levels(np.array([1]), np.ones((1, 1)), np.ones((1, 1)))
