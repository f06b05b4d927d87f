"""Questions that both doors must answer, or refuse, with the same words and the same bits."""

from __future__ import annotations

from typing import Any

ONE = {"sku": "P1", "location": "S1", "horizon_days": 3}
HISTORY = [
    {"date": "2026-03-30", "quantity": 4.0, "available_fraction": 0.5, "price": 2.5},
    {"date": "2026-03-31", "discount": 0.1, "promoted": True},
]
PLAN = [{"date": "2026-04-01", "price": 1 / 3}, {"date": "2026-04-02", "promoted": False}]
ROWS = {"skus": ["P1", "nobody"], "locations": ["S1", "S1"], "horizon_days": 2}
ORDER = {"sku": "P1", "location": "S1", "on_hand": 0.1}

ANSWERED: dict[str, tuple[str, dict[str, Any]]] = {
    "one series": ("/v1/demand:forecast", ONE),
    "chosen levels": ("/v1/demand:forecast", {**ONE, "quantile_levels": [0.1, 1 / 3, 0.9]}),
    "sales": ("/v1/demand:forecast", {**ONE, "target": "DEMAND_TARGET_SALES"}),
    "a plan": ("/v1/demand:forecast", {**ONE, "plan": PLAN}),
    "a history": ("/v1/demand:forecast", {**ONE, "history": HISTORY}),
    "a cold start": (
        "/v1/demand:forecast",
        {**ONE, "product": {"category": "c", "price": 2.0}, "location_attributes": {}},
    ),
    "letters of many scripts": ("/v1/demand:forecast", {**ONE, "sku": "Schraube Ø8 螺丝"}),
    "a batch": ("/v1/demand:batchForecast", ROWS),
    "one order": ("/v1/reorder:recommend", ORDER),
    "an order with all inputs": (
        "/v1/reorder:recommend",
        {
            **ORDER,
            "lead_time_days": 3.5,
            "review_days": 0.0,
            "service_level": 0.95,
            "lead_time_std_days": 1 / 3,
            "on_order": 1.0,
            "backorders": 0.0,
            "minimum_order_quantity": 5.0,
            "pack_size": 6.0,
            "method": "REORDER_METHOD_TEXTBOOK",
            "plan": PLAN,
        },
    ),
    "a batch of orders": (
        "/v1/reorder:batchRecommend",
        {"skus": ["P1", "P2"], "locations": ["S1", "S1"], "on_hand": [0.1, 1 / 3]},
    ),
    "an order quantity": (
        "/v1/policy:compute",
        {
            "economic_order_quantity": {
                "annual_demand": 1000.0,
                "ordering_cost": 50.0,
                "holding_cost": 1 / 3,
            }
        },
    ),
    "a safety stock": (
        "/v1/policy:compute",
        {
            "safety_stock": {
                "mean_demand": 10.0,
                "demand_std": 3.0,
                "lead_time_days": 7.0,
                "lead_time_std_days": 0.5,
                "service_level": 0.95,
                "method": "SAFETY_STOCK_METHOD_DEMAND_ONLY",
            }
        },
    ),
    "a reorder point": (
        "/v1/policy:compute",
        {"reorder_point": {"annual_demand": 1000.0, "lead_time_days": 7.0}},
    ),
    "a reorder point with a quantity": (
        "/v1/policy:compute",
        {
            "reorder_point": {
                "annual_demand": 1000.0,
                "lead_time_days": 7.0,
                "order_quantity": 100.0,
            }
        },
    ),
    "a newsvendor": (
        "/v1/policy:compute",
        {
            "newsvendor": {
                "underage_cost": 3.0,
                "overage_cost": 1.0,
                "mean_demand": 100.0,
                "demand_std": 20.0,
            }
        },
    ),
    "all models": ("/v1/models:list", {}),
    "one model": ("/v1/models:get", {"name": "forecast"}),
}

_MANY = [f"P{row}" for row in range(10_001)]
_DAY = {"date": "2026-03-31"}
REFUSED: dict[str, tuple[str, dict[str, Any]]] = {
    "an unknown sku": ("/v1/demand:forecast", {**ONE, "sku": "nobody"}),
    "no sku": ("/v1/demand:forecast", {"location": "S1", "horizon_days": 3}),
    "no location": ("/v1/demand:forecast", {"sku": "P1", "horizon_days": 3}),
    "no horizon": ("/v1/demand:forecast", {"sku": "P1", "location": "S1"}),
    "a horizon too long": ("/v1/demand:forecast", {**ONE, "horizon_days": 91}),
    "a negative horizon": ("/v1/demand:forecast", {**ONE, "horizon_days": -1}),
    "a level of 1": ("/v1/demand:forecast", {**ONE, "quantile_levels": [1.0]}),
    "levels that fall": ("/v1/demand:forecast", {**ONE, "quantile_levels": [0.9, 0.1]}),
    "a target of no meaning": ("/v1/demand:forecast", {**ONE, "target": 7}),
    "a sku of control characters": ("/v1/demand:forecast", {**ONE, "sku": "a\nb"}),
    "a sku too long": ("/v1/demand:forecast", {**ONE, "sku": "x" * 201}),
    "a plan day without a date": ("/v1/demand:forecast", {**ONE, "plan": [{"price": 1.0}]}),
    "a plan day no calendar has": (
        "/v1/demand:forecast",
        {**ONE, "plan": [{"date": "2026-02-30"}]},
    ),
    "a plan price of nothing": (
        "/v1/demand:forecast",
        {**ONE, "plan": [{"date": "2026-04-01"}, {"date": "2026-04-02", "price": 0.0}]},
    ),
    "a plan day twice": (
        "/v1/demand:forecast",
        {**ONE, "plan": [{"date": "2026-04-01"}, {"date": "2026-04-01"}]},
    ),
    "a negative quantity": (
        "/v1/demand:forecast",
        {**ONE, "history": [{**_DAY, "quantity": -1.0}]},
    ),
    "a share above 1": (
        "/v1/demand:forecast",
        {**ONE, "history": [{**_DAY, "available_fraction": 1.5}]},
    ),
    "a history with a gap": (
        "/v1/demand:forecast",
        {**ONE, "history": [{"date": "2026-03-28"}, {"date": "2026-03-31"}]},
    ),
    "a history too long": ("/v1/demand:forecast", {**ONE, "history": [_DAY] * 1_501}),
    "a product without a category": ("/v1/demand:forecast", {**ONE, "product": {"price": 1.0}}),
    "no rows": ("/v1/demand:batchForecast", {"horizon_days": 2}),
    "a duplicate row": (
        "/v1/demand:batchForecast",
        {"skus": ["P1", "P1"], "locations": ["S1", "S1"], "horizon_days": 2},
    ),
    "rows of two lengths": (
        "/v1/demand:batchForecast",
        {"skus": ["P1", "P2"], "locations": ["S1"], "horizon_days": 2},
    ),
    "too many rows": (
        "/v1/demand:batchForecast",
        {"skus": _MANY, "locations": _MANY, "horizon_days": 1},
    ),
    "too many values": (
        "/v1/demand:batchForecast",
        {"skus": _MANY[:5_000], "locations": _MANY[:5_000], "horizon_days": 90},
    ),
    "a missing input": ("/v1/reorder:recommend", {"sku": "P1", "location": "S1"}),
    "a negative stock": ("/v1/reorder:recommend", {**ORDER, "on_hand": -1.0}),
    "a service level beyond the trained": (
        "/v1/reorder:recommend",
        {**ORDER, "service_level": 0.999},
    ),
    "a pack of nothing": ("/v1/reorder:recommend", {**ORDER, "pack_size": 0.0}),
    "a column of another length": (
        "/v1/reorder:batchRecommend",
        {"skus": ["P1", "P2"], "locations": ["S1", "S1"], "on_hand": [1.0]},
    ),
    "a negative stock in a row": (
        "/v1/reorder:batchRecommend",
        {"skus": ["P1", "P2"], "locations": ["S1", "S1"], "on_hand": [1.0, -1.0]},
    ),
    "no formula": ("/v1/policy:compute", {}),
    "a formula without its inputs": ("/v1/policy:compute", {"safety_stock": {}}),
    "an unknown model": ("/v1/models:get", {"name": "uplift"}),
    "no name": ("/v1/models:get", {}),
}
