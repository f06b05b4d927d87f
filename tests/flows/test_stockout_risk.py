"""The risk of running out over a network, row by row and ranked."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np
import pytest

from serving.domain.features import PRODUCT, WIDTHS
from serving.domain.history import STATE
from serving.domain.replenishment import ReorderQuery
from serving.domain.series import RowStatus
from serving.domain.stockout_risk import RiskQuery, WatchtowerFlag
from serving.errors import InvalidField, TooLarge
from serving.flows.replenishment import ReplenishmentFlow
from serving.ports import StockInputs, StoredRecord
from tests.flows.test_replenishment import ORIGIN, FakeDemand, FakeFeatures

if TYPE_CHECKING:
    from collections.abc import Sequence

STOCK = StockInputs(
    on_hand=20.0,
    on_order=0.0,
    backorders=0.0,
    lead_time_days=4.0,
    lead_time_std_days=0.0,
    review_days=3.0,
    service_level=0.95,
)


class PricedFeatures(FakeFeatures):
    """Tables of stock, what each sku costs, and how much it sold a day of late."""

    def __init__(self, prices: dict[str, float], sold: dict[str, float]) -> None:
        super().__init__(dict.fromkeys((*sold, "unknown"), STOCK))
        self.prices, self.sold = prices, sold

    def record(self, view: str, key: tuple[str, ...]) -> StoredRecord | None:
        values = np.full(WIDTHS[view], np.nan, dtype=np.float32)
        if view == "product":
            values[PRODUCT["price"]] = self.prices.get(key[0], np.nan)
        else:
            values[STATE["mean_28"]] = self.sold.get(key[0], np.nan)
        seconds = ((ORIGIN - dt.date(1970, 1, 1)).days + 1) * 86_400
        return StoredRecord(seconds, values)

    def records(self, view: str, keys: Sequence[tuple[str, ...]]) -> list[StoredRecord | None]:
        return [self.record(view, key) for key in keys]


SKUS = ("b", "unknown", "c", "d", "silent")
RATES = {"b": 5.0, "c": 1.0, "d": 40.0}


def flow() -> ReplenishmentFlow:
    features = PricedFeatures({"b": 2.0, "c": 9.0}, RATES)
    return ReplenishmentFlow(FakeDemand(), features)


def query(**changed: object) -> RiskQuery:
    return RiskQuery(SKUS, ("x",) * len(SKUS), **changed)  # type: ignore[arg-type]


def test_each_row_is_scored_alone_and_ranked_by_money() -> None:
    found = flow().score_risk(query(horizon_days=7))
    assert found.statuses == (
        RowStatus.OK,
        RowStatus.UNKNOWN_SERIES,
        RowStatus.OK,
        RowStatus.OK,
        RowStatus.MISSING_INPUT,
    )
    figures = found.figures
    assert found.horizon_days.tolist() == [7, 7, 7]
    money = figures.expected_shortages * np.array([2.0, 9.0, 0.0])
    assert figures.money_at_risk == pytest.approx(money)
    assert figures.ranking.tolist() == sorted(
        range(3), key=lambda row: (-money[row], -figures.expected_shortages[row])
    )
    assert "no unit value is known for 1 of 3 series" in found.provenance.warnings[-1]


def test_the_watchtower_tells_surge_from_low_velocity() -> None:
    figures = flow().score_risk(query(horizon_days=7)).figures
    rates = figures.expected_demand / 7.0
    assert figures.velocity_ratios == pytest.approx(rates / np.array([5.0, 1.0, 40.0]))
    expected = [
        WatchtowerFlag.SURGE
        if ratio > 1.5
        else WatchtowerFlag.LOW_VELOCITY
        if ratio < 0.5
        else WatchtowerFlag.STEADY
        for ratio in figures.velocity_ratios
    ]
    assert figures.flags.tolist() == [int(flag) for flag in expected]
    assert set(expected) >= {WatchtowerFlag.SURGE, WatchtowerFlag.LOW_VELOCITY}


def test_without_days_each_row_is_looked_at_until_its_next_order_is_there() -> None:
    found = flow().score_risk(query())
    assert found.horizon_days.tolist() == [7, 7, 7]
    alone = flow().recommend(ReorderQuery("b", "x"))
    assert found.figures.stockout_probabilities[0] == pytest.approx(alone.stockout_probability)
    assert found.figures.days_of_supply[0] == pytest.approx(20.0 / (alone.expected_demand / 7.0))


def test_more_stock_never_raises_the_risk() -> None:
    risks = [
        flow().score_risk(query(horizon_days=7, on_hand=np.full(5, held))).figures
        for held in (0.0, 10.0, 30.0, 1e4)
    ]
    shortages = np.stack([one.expected_shortages for one in risks])
    assert (np.diff(shortages, axis=0) <= 0).all()
    assert shortages[-1].max() == pytest.approx(0.0, abs=1e-9)


def test_values_that_are_sent_come_before_the_price() -> None:
    found = flow().score_risk(query(horizon_days=7, unit_values=np.full(5, 3.0)))
    assert found.figures.money_at_risk == pytest.approx(3.0 * found.figures.expected_shortages)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"horizon_days": 0}, "horizon_days"),
        ({"horizon_days": 91}, "horizon_days"),
        ({"on_hand": np.array([1.0])}, "on_hand"),
        ({"unit_values": np.array([1.0, 1.0, -1.0, 1.0, 1.0])}, "unit_values[2]"),
    ],
)
def test_a_malformed_question_is_refused_by_name(changed: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidField) as refused:
        query(**changed)
    assert refused.value.field == field


def test_too_many_rows_are_refused() -> None:
    with pytest.raises(TooLarge):
        RiskQuery(("a",) * 10_001, ("x",) * 10_001)
