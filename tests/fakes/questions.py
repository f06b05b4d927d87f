"""Questions that both doors must answer, or refuse, with the same words and the same bits."""

from __future__ import annotations

from typing import Any

from tests.fakes.action_questions import ACTION_ANSWERED, ACTION_REFUSED
from tests.fakes.cost import COST_ANSWERED, COST_REFUSED

ONE = {"sku": "P1", "location": "S1", "horizon_days": 3}
HISTORY = [
    {"date": "2026-03-30", "quantity": 4.0, "available_fraction": 0.5, "price": 2.5},
    {"date": "2026-03-31", "discount": 0.1, "promoted": True},
]
PLAN = [{"date": "2026-04-01", "price": 1 / 3}, {"date": "2026-04-02", "promoted": False}]
ROWS = {"skus": ["P1", "nobody"], "locations": ["S1", "S1"], "horizon_days": 2}
ORDER = {"sku": "P1", "location": "S1", "on_hand": 0.1}

SPREAD = [place / 7 for place in range(40)]
CHECK = {
    "reference": {
        "columns": [
            {"name": "price", "values": SPREAD},
            {"name": "colour", "labels": ["red", "blue"] * 20, "missing_rows": [3]},
        ]
    },
    "current": {
        "columns": [
            {"name": "price", "values": [1 + one for one in SPREAD], "missing_rows": [0, 39]},
            {"name": "colour", "labels": ["red", "green"] * 20},
        ]
    },
}
SCORE = {"kind": "ANOMALY_KIND_COST", "values": [float(place) for place in range(1, 15)]}

EVERYTHING: dict[str, Any] = {
    "sku": "P1",
    "location": "S1",
    "underage_cost": 5.0,
    "overage_cost": 1.0,
    "target_kind": "TARGET_KIND_COST",
    "receipts": [{"quantity": 5.0, "due_date": "2026-04-03", "expiry_date": "2026-04-09"}],
    "lots": [{"quantity": 0.1, "expiry_date": "2026-04-05"}, {"quantity": 1 / 3}],
    "capacity_units": 100.0,
    "shelf_life_days": 6.0,
    "suppliers": [
        {"supplier_id": "near", "lead_time_days": 2.0, "unit_price": 3.0, "currency_code": "EUR"},
        {"supplier_id": "far", "lead_time_days": 9.0, "unit_price": 2.0, "pack_size": 6.0},
    ],
    "transfers": [{"from_location": "S2", "available_units": 9.0, "days": 1.0, "unit_cost": 0.5}],
    "expedite": {"lead_time_days": 1.0, "extra_unit_cost": 0.7},
    "budget": 60.0,
    "currency_code": "EUR",
}
POLICY: dict[str, Any] = {
    "kind": "STOCK_POLICY_KIND_ORDER_UP_TO",
    "demand": {"poisson": {"mean": 3.0}},
    "lead_time": {"gamma": {"mean_days": 4.0, "std_days": 1.0}},
    "review_days": 7.0,
    "target": {"cycle_service_level": 0.95},
}

OFFER = {"name": "offer", "unit_cost": 10.0, "lead_time_days": 30.0, "quality": 0.9}
MAKE_OR_BUY: dict[str, Any] = {
    "make": {
        "name": "plant",
        "unit_cost": 8.0,
        "fixed_cost": 20_000.0,
        "lead_time_days": 10.0,
        "quality": 1 / 3,
        "strategic": 0.9,
    },
    "quotes": [OFFER, {**OFFER, "name": "dear", "unit_cost": 30.0}],
    "volume": 20_000.0,
}
LINES: dict[str, Any] = {
    "groups": ["a", "b"],
    "budget_volume": [100.0, 100.0],
    "volume": [120.0, 60.1],
    "elements": [{"name": "raw_material", "budget_price": [10.0, 20.0], "price": [11.0, 1 / 3]}],
}
ACTIONS = [
    {"action_id": "a", "action_type": "ACTION_TYPE_AUTOMATE", "projected_saving": 100.0},
    {"action_id": "b", "action_type": 1, "projected_saving": 1 / 3, "effort": 0.1},
]
PERIODS: dict[str, Any] = {
    "price": [8.0 + place % 7 / 3 for place in range(30)],
    "quantity": [40.0 - place % 7 - place % 3 for place in range(30)],
}

ANSWERED: dict[str, tuple[str, dict[str, Any]]] = {
    "how a supplier performed": ("/v1/supplier:getPerformance", {"supplier_id": "S1"}),
    "a supplier of whom little is known": ("/v1/supplier:getPerformance", {"supplier_id": "S2"}),
    "a lead time": ("/v1/supplier:predictLeadTime", {"supplier_id": "S1"}),
    "a lead time by promise": (
        "/v1/supplier:predictLeadTime",
        {"supplier_id": "S1", "plant_id": "P", "promised_days": 31.5, "levels": [0.25, 0.99]},
    ),
    "a ranking": ("/v1/supplier:rank", {"supplier_ids": ["S2", "S1"]}),
    "a ranking by own weights": (
        "/v1/supplier:rank",
        {"supplier_ids": ["S2", "S1"], "weights": {"on_time": 0.5, "price": 0.5}},
    ),
    "a variance": ("/v1/variance:explain", LINES),
    "a variance in two currencies": (
        "/v1/variance:explain",
        {**LINES, "exchange_rate": [1.1, 1 / 3], "alert_share": 0.5},
    ),
    "make or buy": ("/v1/make-or-buy:compare", MAKE_OR_BUY),
    "make or buy by own weights": (
        "/v1/make-or-buy:compare",
        {**MAKE_OR_BUY, "weights": {"cost": 0.9, "quality": 0.1}, "noise_share": 0.0},
    ),
    "reductions by the tables": ("/v1/reductions:recommend", {"candidates": ACTIONS}),
    "reductions by own past": (
        "/v1/reductions:recommend",
        {
            "candidates": ACTIONS,
            "past": [{"action_type": 8, "projected_saving": 9.0, "actual_saving": -0.1}],
            "budget": 0.05,
            "confidence": 0.5,
        },
    ),
    "an elasticity": ("/v1/elasticity:estimate", PERIODS),
    "an elasticity by instrument": (
        "/v1/elasticity:estimate",
        {
            **PERIODS,
            "quantity": [0.0, *PERIODS["quantity"][1:]],
            "instrument": [place % 7 + place % 2 / 9 for place in range(30)],
            "controls": [{"values": [place % 4 / 3 for place in range(30)]}],
        },
    ),
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
    "an explanation": ("/v1/demand:explain", ONE),
    "an explanation of a plan": ("/v1/demand:explain", {**ONE, "plan": PLAN}),
    "a check of drift": ("/v1/drift:check", CHECK),
    "a check of few rows by importance": (
        "/v1/drift:check",
        {
            "reference": {"columns": [{"name": "a", "values": [1.0, 2.0]}], "blocks": [0, 1]},
            "current": {"columns": [{"name": "b", "values": [1.0]}], "blocks": [7]},
            "importances": [{"name": "a", "value": 1 / 3}],
            "false_alarm_rate": 0.1,
        },
    ),
    "a verdict": ("/v1/drift:verdict", {"model_name": "forecast"}),
    "anomalies of costs": ("/v1/anomalies:score", SCORE),
    "anomalies of some inputs": (
        "/v1/anomalies:score",
        {
            "kind": "ANOMALY_KIND_SUPPLIER_DELAY",
            "inputs": ["promised_days", "days_taken"],
            "values": [3.0, 1 / 3, 5.0, 0.0],
            "missing_places": [3],
            "false_alarm_rate": 0.2,
            "driver_count": 1,
        },
    ),
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
    "an order that draws on everything": ("/v1/reorder:recommend", EVERYTHING),
    "an order over an uncertain lead time": (
        "/v1/reorder:recommend",
        {
            **ORDER,
            "lead_time": {"discrete": {"days": [2.0, 5.0], "weights": [0.75, 0.25]}},
            "target_kind": "TARGET_KIND_FILL_RATE",
            "fill_rate": 0.95,
        },
    ),
    "a quantity at falling prices": (
        "/v1/policy:compute",
        {
            "quantity_discount": {
                "annual_demand": 600.0,
                "ordering_cost": 8.0,
                "holding_cost_rate": 0.2,
                "brackets": [{"unit_price": 0.3}, {"minimum_quantity": 500.0, "unit_price": 0.29}],
                "kind": "DISCOUNT_KIND_INCREMENTAL",
            }
        },
    ),
    "a stock policy": ("/v1/policy:compute", {"stock_policy": POLICY}),
    "a stock policy by cost": (
        "/v1/policy:compute",
        {
            "stock_policy": {
                **POLICY,
                "kind": "STOCK_POLICY_KIND_MIN_MAX",
                "target": {"cost": {"underage_cost": 9.0, "overage_cost": 1 / 3}},
                "ordering_cost": 7.0,
            }
        },
    ),
    "a season of demand that was seen": (
        "/v1/policy:compute",
        {
            "season": {
                "underage_cost": 3.0,
                "overage_cost": 1.0,
                "demand": {"observed": {"values": [1 / 3, 2.0, 7.5]}},
            }
        },
    ),
    "goods that spoil": (
        "/v1/policy:compute",
        {
            "perishable": {
                "demand": {"normal": {"mean": 10.0, "std": 3.0}},
                "lead_time": {"fixed_days": 1.0},
                "review_days": 2.0,
                "shelf_life_days": 7.0,
                "underage_cost": 3.0,
                "overage_cost": 1.0,
            }
        },
    ),
    "a joint order": (
        "/v1/policy:compute",
        {
            "joint_order": {
                "items": [
                    {
                        "sku": "a",
                        "demand": {"quantiles": {"levels": [0.5, 0.9], "values": [2.0, 5.0]}},
                        "position": -1.5,
                        "unit_price": 3.0,
                        "underage_cost": 5.0,
                        "overage_cost": 1.0,
                    },
                    {
                        "sku": "b",
                        "demand": {"negative_binomial": {"mean": 4.0, "std": 3.0}},
                        "unit_price": 1.0,
                        "underage_cost": 2.0,
                        "overage_cost": 1.0,
                        "pack_size": 3.0,
                    },
                ],
                "budget": 20.0,
            }
        },
    ),
    "the risk of running out": (
        "/v1/stockout-risk:score",
        {"skus": ["P1", "P2"], "locations": ["S1", "S1"], "horizon_days": 7, "on_hand": [0.1, 3.0]},
    ),
    "a network": (
        "/v1/echelons:allocate",
        {
            "stages": [
                {"stage": "plant", "processing_days": 3, "holding_cost": 1.0},
                {"stage": "shop", "processing_days": 1, "holding_cost": 2.0, "demand_std": 1 / 3},
            ],
            "links": [{"upstream": "plant", "downstream": "shop", "units": 2.0}],
            "service_level": 0.95,
        },
    ),
    "a lane": (
        "/v1/lane:assess",
        {
            "required_units": 120.0,
            "capacity_units": 100.0,
            "handling_cost": 10.0,
            "surcharge": 5.0,
            "demand_std": 1 / 3,
            "lead_time_days": 9.0,
            "holding_cost": 1.0,
            "service_levels": [0.9, 0.95],
            "lead_time_stds_days": [0.0, 1.0, 2.0],
        },
    ),
    "all models": ("/v1/models:list", {}),
    "one model": ("/v1/models:get", {"name": "forecast"}),
    **ACTION_ANSWERED,
    **COST_ANSWERED,
}

_MANY = [f"P{row}" for row in range(10_001)]
_DAY = {"date": "2026-03-31"}
REFUSED: dict[str, tuple[str, dict[str, Any]]] = {
    "a supplier nobody ordered from": ("/v1/supplier:getPerformance", {"supplier_id": "S9"}),
    "no supplier": ("/v1/supplier:predictLeadTime", {}),
    "supplier weights that are none": (
        "/v1/supplier:rank",
        {"supplier_ids": ["S2", "S1"], "weights": {"on_time": 0.5}},
    ),
    "a variance without a budget": ("/v1/variance:explain", {**LINES, "budget_volume": [0.0, 0.0]}),
    "a variance of lines that do not match": ("/v1/variance:explain", {**LINES, "volume": [1.0]}),
    "a negative cost": (
        "/v1/make-or-buy:compare",
        {**MAKE_OR_BUY, "quotes": [{**OFFER, "unit_cost": -1.0}]},
    ),
    "criteria weights that do not sum to 1": (
        "/v1/make-or-buy:compare",
        {**MAKE_OR_BUY, "weights": {"cost": 0.9}},
    ),
    "an action of no type": (
        "/v1/reductions:recommend",
        {"candidates": [{"action_id": "a", "projected_saving": 1.0}]},
    ),
    "too few periods": ("/v1/elasticity:estimate", {"price": [1.0, 2.0], "quantity": [1.0, 2.0]}),
    "controls that do not match": (
        "/v1/elasticity:estimate",
        {**PERIODS, "controls": [{"values": [1.0]}]},
    ),
    "a check of nothing": ("/v1/drift:check", {}),
    "a check of empty rows": ("/v1/drift:check", {"reference": {}, "current": {}}),
    "a check of ragged columns": (
        "/v1/drift:check",
        {
            **CHECK,
            "current": {
                "columns": [{"name": "a", "values": [1.0]}, {"name": "b", "values": [1.0, 2.0]}]
            },
        },
    ),
    "a column that stands twice": (
        "/v1/drift:check",
        {**CHECK, "current": {"columns": [{"name": "a", "values": [1.0]}] * 2}},
    ),
    "a column of numbers and labels": (
        "/v1/drift:check",
        {**CHECK, "current": {"columns": [{"name": "a", "values": [1.0], "labels": ["b"]}]}},
    ),
    "a missing row that is none": (
        "/v1/drift:check",
        {
            **CHECK,
            "current": {"columns": [{"name": "a", "values": [1.0], "missing_rows": [1]}]},
        },
    ),
    "blocks of other rows": (
        "/v1/drift:check",
        {**CHECK, "current": {"columns": [{"name": "a", "values": [1.0]}], "blocks": [1, 2]}},
    ),
    "a rate of false alarms of 0": ("/v1/drift:check", {**CHECK, "false_alarm_rate": 0.0}),
    "importances that are negative": (
        "/v1/drift:check",
        {**CHECK, "importances": [{"name": "price", "value": -1.0}]},
    ),
    "a verdict on no model": ("/v1/drift:verdict", {"model_name": "nobody"}),
    "anomalies of no kind": ("/v1/anomalies:score", {"values": [1.0]}),
    "anomalies of an unknown kind": ("/v1/anomalies:score", {**SCORE, "kind": 9}),
    "anomalies of half a row": ("/v1/anomalies:score", {**SCORE, "values": [1.0, 2.0]}),
    "anomalies of no row": ("/v1/anomalies:score", {**SCORE, "values": []}),
    "an input of another kind": ("/v1/anomalies:score", {**SCORE, "inputs": ["late"]}),
    "a missing place that is none": ("/v1/anomalies:score", {**SCORE, "missing_places": [14]}),
    "too many drivers": ("/v1/anomalies:score", {**SCORE, "driver_count": 6}),
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
    "more in a history than a table may hold": (
        "/v1/demand:forecast",
        {**ONE, "history": [{**_DAY, "quantity": 1e13}]},
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
    "a lot of another currency": (
        "/v1/reorder:recommend",
        {**EVERYTHING, "currency_code": "USD"},
    ),
    "goods that arrive bad": (
        "/v1/reorder:recommend",
        {
            **EVERYTHING,
            "receipts": [{"quantity": 5.0, "due_date": "2026-04-03", "expiry_date": "2026-04-02"}],
        },
    ),
    "a pack larger than the place": (
        "/v1/reorder:recommend",
        {**ORDER, "pack_size": 12.0, "capacity_units": 10.0},
    ),
    "stock sent twice": ("/v1/reorder:recommend", {**EVERYTHING, "on_hand": 1.0}),
    "costs without a ratio": (
        "/v1/reorder:recommend",
        {**ORDER, "target_kind": "TARGET_KIND_COST", "underage_cost": 0.0, "overage_cost": 0.0},
    ),
    "a fill rate of 1": (
        "/v1/reorder:recommend",
        {**ORDER, "target_kind": "TARGET_KIND_FILL_RATE", "fill_rate": 1.0},
    ),
    "a lead time of two forms": (
        "/v1/policy:compute",
        {"stock_policy": {**POLICY, "lead_time": {"observed": {"days": []}}}},
    ),
    "weights that do not sum to 1": (
        "/v1/reorder:recommend",
        {**ORDER, "lead_time": {"discrete": {"days": [2.0, 5.0], "weights": [0.75, 0.2]}}},
    ),
    "a policy without a kind": (
        "/v1/policy:compute",
        {"stock_policy": {**POLICY, "kind": "STOCK_POLICY_KIND_UNSPECIFIED"}},
    ),
    "a policy without demand": (
        "/v1/policy:compute",
        {"stock_policy": {key: value for key, value in POLICY.items() if key != "demand"}},
    ),
    "a price that rises": (
        "/v1/policy:compute",
        {
            "quantity_discount": {
                "annual_demand": 600.0,
                "ordering_cost": 8.0,
                "holding_cost_rate": 0.2,
                "brackets": [{"unit_price": 0.3}, {"minimum_quantity": 500.0, "unit_price": 0.4}],
            }
        },
    ),
    "a network that supplies itself": (
        "/v1/echelons:allocate",
        {
            "stages": [{"stage": "a"}, {"stage": "b"}],
            "links": [
                {"upstream": "a", "downstream": "b"},
                {"upstream": "b", "downstream": "a"},
            ],
            "service_level": 0.95,
        },
    ),
    "a share of returns above 1": ("/v1/lane:assess", {"returns_share": 1.5}),
    "a risk of days beyond reason": (
        "/v1/stockout-risk:score",
        {"skus": ["P1"], "locations": ["S1"], "horizon_days": 91},
    ),
    "no formula": ("/v1/policy:compute", {}),
    "a formula without its inputs": ("/v1/policy:compute", {"safety_stock": {}}),
    "an unknown model": ("/v1/models:get", {"name": "uplift"}),
    "no name": ("/v1/models:get", {}),
    **ACTION_REFUSED,
    **COST_REFUSED,
}
