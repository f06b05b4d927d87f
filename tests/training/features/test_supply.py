"""What tables let orders draw on, and what they promise and lose, as serving reads it."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from serving.adapters.packed import STOCK_FIELDS
from serving.domain.series import SEPARATOR
from serving.errors import InvalidField
from serving.flows.reorder_tables import ANY, SUPPLY
from training.features.stock import stock_inputs
from training.features.supply import reorder_documents

if TYPE_CHECKING:
    from pathlib import Path

DAY = dt.date(2024, 3, 1)
SOON = dt.date(2024, 3, 5)


def write(folder: Path, table: str, columns: dict[str, Any]) -> None:
    pl.DataFrame(columns, strict=False).write_parquet(folder / f"{table}.parquet")


def write_stock(folder: Path, **more: object) -> None:
    columns = {
        "date": [DAY, DAY, DAY, DAY - dt.timedelta(days=1)],
        "sku": ["s", "s", "s", "s"],
        "location": ["here", "here", "there", "there"],
        "on_hand": [4.0, 6.0, 9.0, 99.0],
        "lot_id": ["a", "b", "c", "d"],
    }
    write(folder, "inventory", columns | more)


def documents(folder: Path, as_of: dt.date | None = None) -> dict[str, Any]:
    found = list(reorder_documents(folder, as_of))
    assert {kind for kind, _, _ in found} <= {SUPPLY}
    return {key: body for _, key, body in found}


def of(folder: Path, location: str) -> dict[str, Any]:
    found: dict[str, Any] = documents(folder)[SEPARATOR.join(("s", location))]
    return found


def test_stock_alone_says_nothing_of_what_orders_draw_on(tmp_path: Path) -> None:
    assert documents(tmp_path) == {}
    write_stock(tmp_path)
    assert documents(tmp_path) == {}


def test_lots_are_those_of_the_latest_day_known_the_soonest_first(tmp_path: Path) -> None:
    write_stock(tmp_path, expiry_date=[None, SOON, None, SOON])
    assert of(tmp_path, "here")["lots"] == [(6.0, SOON.isoformat()), (4.0, None)]
    found = documents(tmp_path)
    assert ANY in found
    assert SEPARATOR.join(("s", "there")) not in found, "its expiry is of a day gone by"
    before = documents(tmp_path, DAY - dt.timedelta(days=1))
    assert list(before) == [SEPARATOR.join(("s", "there")), ANY]


def test_neighbours_are_locations_with_stock_that_a_lane_leads_from(tmp_path: Path) -> None:
    write_stock(tmp_path)
    network = {
        "upstream": ["there", "factory", "there", "there"],
        "downstream": ["here", "here", "shop", "depot"],
        "lead_time_days": [2.0, 9.0, 1.0, None],
        "processing_days": [1.0, None, None, None],
    }
    write(tmp_path, "network", network)
    lane = {"location": "there", "days": 3.0, "capacity": None}
    assert of(tmp_path, "here")["neighbours"] == [lane]
    assert SEPARATOR.join(("s", "there")) not in documents(tmp_path)
    lanes = {"lane": ["1"], "origin": ["there"], "destination": ["here"], "capacity": [40.0]}
    write(tmp_path, "lanes", lanes)
    assert of(tmp_path, "here")["neighbours"] == [{**lane, "capacity": 40.0}]


@pytest.mark.parametrize(
    ("prices", "currencies", "extra"),
    [
        ([2.0, 3.5], [None, None], 1.5),
        ([2.0, 1.0], ["EUR", "EUR"], 0.0),
        ([2.0, 3.5], ["EUR", "USD"], None),
        ([2.0, None], ["EUR", "EUR"], None),
    ],
)
def test_the_fastest_other_source_is_an_expedite(
    tmp_path: Path, prices: list[float], currencies: list[str], extra: float | None
) -> None:
    write_stock(tmp_path)
    sourcing = {
        "sku": ["s", "s"],
        "supplier_id": ["usual", "fast"],
        "location": [None, None],
        "preferred": [True, False],
        "lead_time_days": [9.0, 2.0],
        "unit_price": prices,
        "currency_code": currencies,
    }
    write(tmp_path, "sourcing", sourcing)
    wanted = {"lead_time_days": 2.0, "extra_unit_cost": extra}
    assert of(tmp_path, "here")["expedite"] == wanted
    write(tmp_path, "sourcing", sourcing | {"preferred": [False, True]})
    assert documents(tmp_path) == {}, "none is faster than the one that is ordered from"


def stored(folder: Path) -> dict[str, float]:
    pairs = pl.DataFrame({"sku": ["s"], "location": ["here"]})
    _, values = stock_inputs(folder, pairs, DAY)
    return dict(zip(STOCK_FIELDS, values[0].tolist(), strict=True))


def test_what_a_unit_short_or_left_over_costs_comes_from_policy_and_product(
    tmp_path: Path,
) -> None:
    policy: dict[str, Any] = {
        "sku": [None],
        "location": [None],
        "target_kind": ["cost"],
        "review_days": [7.0],
        "shortage_cost": [3.0],
        "holding_cost_rate": [0.73],
        "salvage_value": [1.0],
    }
    write(tmp_path, "policy", policy)
    write(tmp_path, "products", {"sku": ["s"], "price": [12.0], "unit_cost": [10.0]})
    found = stored(tmp_path)
    assert found["target_kind"] == 3.0
    assert found["underage_cost"] == 3.0 + 2.0
    assert found["overage_cost"] == pytest.approx(10.0 * 0.73 * 7 / 365)
    spoiling = {"sku": ["s"], "price": [12.0], "unit_cost": [10.0], "shelf_life_days": [5.0]}
    write(tmp_path, "products", spoiling)
    assert stored(tmp_path)["overage_cost"] == pytest.approx(10.0 * 0.73 * 7 / 365 + 9.0)
    write(tmp_path, "products", {"sku": ["s"]})
    found = stored(tmp_path)
    assert found["underage_cost"] == 3.0
    assert found["overage_cost"] != found["overage_cost"], "without its cost nothing is known"


def test_a_promise_nobody_knows_is_refused(tmp_path: Path) -> None:
    policy = {"sku": [None], "location": [None], "target_kind": ["always"], "review_days": [7.0]}
    write(tmp_path, "policy", policy)
    with pytest.raises(InvalidField, match="target_kind"):
        stored(tmp_path)
