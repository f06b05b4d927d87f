"""Cost tables and a cost model of a few parts, and the questions both doors answer about them."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import numpy as np

from serving.domain.model import Certificate, ModelDescription
from serving.domain.part_features import PartEncoding
from serving.errors import NoModel
from serving.flows.cost import CostFlow
from serving.flows.cost_desk import COMPONENT, PART, RATES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from serving.domain.model import RefusedModel

DAY = dt.date(2026, 6, 30)
TODAY = (DAY - dt.date(1970, 1, 1)).days
ENCODING = PartEncoding(
    numbers=("length",),
    words=(("material", "steel"),),
    component_numbers=("weight",),
    component_words=(("kind", "nut"),),
    suppliers=("S1", "S2"),
)
SILENT: dict[str, Any] = {
    "bill": [],
    "category": "",
    "weight_kg": None,
    "price": None,
    "price_currency": "",
    "supplier_id": "",
    "plant_id": "",
    "destination": "",
    "incoterm": 0,
    "attributes": {},
}
DOCUMENTS: dict[tuple[str, str], dict[str, Any]] = {
    (PART, "bracket"): {
        **SILENT,
        "bill": [
            ["sheet", 2.0, "steel", 1 / 3, 0.9, 0.0],
            ["weld", 1.0, "", 0.0, 1.0, 12.5],
            ["nut", 4.0, "", 0.0, 1.0, 0.0],
        ],
        "category": "brackets",
        "weight_kg": 0.7,
        "supplier_id": "S1",
        "plant_id": "P1",
        "attributes": {"length": ["12.5"], "material": ["steel"]},
    },
    (PART, "nut"): {**SILENT, "price": 0.05},
    (PART, "tube"): {**SILENT, "attributes": {"length": ["3"]}},
    (PART, "loop"): {**SILENT, "bill": [["ring", 1.0, "", 0.0, 1.0, 0.0]], "plant_id": "P1"},
    (PART, "ring"): {**SILENT, "bill": [["loop", 1.0, "", 0.0, 1.0, 0.0]], "plant_id": "P1"},
    (PART, "gilded"): {
        **SILENT,
        "bill": [["leaf", 1.0, "gold", 0.1, 1.0, 0.0]],
        "weight_kg": 0.1,
        "plant_id": "P1",
    },
    (PART, "unpriced"): {**SILENT, "bill": [["mystery", 1.0, "", 0.0, 1.0, 0.0]], "plant_id": "P1"},
    (COMPONENT, "nut"): {"weight": ["0.01"], "kind": ["nut"]},
    (RATES, ""): {
        "currency_code": "USD",
        "country": "US",
        "commodities": {
            "steel": {
                "days": list(range(TODAY - 40, TODAY + 1)),
                "values": [0.8 + 0.01 * (day % 5) for day in range(41)],
                "currency": "EUR",
            }
        },
        "exchange": [("EUR", "USD", {"days": [TODAY - 3], "values": [1.1]})],
        "tariffs": [("DE", "US", [{"value": 0.03, "valid_from": "2025-01-01"}])],
        "freight": [("DE", "US", [{"value": 0.2, "valid_from": "2025-01-01", "rate_range": 0.15}])],
        "plants": {
            "P1": {
                "country": "DE",
                "labor_rate": 33.0,
                "overhead_rate": 1.1,
                "labor_range": 0.05,
                "overhead_range": 0.1,
                "currency": "EUR",
            }
        },
        "suppliers": {"S1": "DE"},
    },
}


class FakeCostReference:
    """The documents above."""

    generation = "1"

    def document(self, kind: str, key: str) -> dict[str, Any] | None:
        return DOCUMENTS.get((kind, key))


class FakeCostModel:
    """Estimates from the first columns of a row, so that every row has another answer."""

    levels = (0.005, 0.1, 0.5, 0.9, 0.995)
    currency_code = "USD"
    encoding = ENCODING
    description = ModelDescription(
        name="cost",
        version="3",
        digest="ef" * 32,
        feature_set_hash=ENCODING.digest,
        features=ENCODING.features,
        trained_time=dt.datetime(2026, 6, 1, tzinfo=dt.UTC),
        data_end=DAY,
        certificate=Certificate(10, 5, 0.0, passed=True),
        metrics=(("rmsle", 0.2),),
        quantile_levels=levels,
    )

    def prices(self, rows: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        estimate = 1.0 + 30.0 / rows[:, 0].astype(np.float64) + np.nan_to_num(rows[:, 12:]).sum(1)
        return estimate, estimate[:, None] * np.array([0.5, 0.8, 1.0, 1.2, 2.0])


class FakeCostModels:
    """A source of that model, or of none."""

    def __init__(self, model: FakeCostModel | None = None) -> None:
        self.model = model

    def current(self) -> FakeCostModel:
        if self.model is None:
            raise NoModel("cost", "parlevel train cost")
        return self.model

    def descriptions(self) -> Sequence[ModelDescription | RefusedModel]:
        return [] if self.model is None else [self.model.description]


class FakeClock:
    """The end of the day above, as a pinned clock tells it."""

    def now(self) -> dt.datetime:
        return dt.datetime.combine(DAY + dt.timedelta(1), dt.time(), dt.UTC)


def cost_flow(*, model: bool = True) -> CostFlow:
    """Return the flow over the documents above."""
    source = FakeCostModels(FakeCostModel() if model else None)
    return CostFlow(FakeCostReference(), source, FakeClock())


ONE, MANY = "/v1/should-cost:estimate", "/v1/should-cost:batchEstimate"
COST_ANSWERED: dict[str, tuple[str, dict[str, Any]]] = {
    "a should-cost": (ONE, {"sku": "bracket"}),
    "a should-cost in euro": (ONE, {"sku": "bracket", "currency_code": "EUR"}),
    "a should-cost ex works": (ONE, {"sku": "bracket", "incoterm": "INCOTERM_EXW"}),
    "a should-cost of another bill": (
        ONE,
        {
            "sku": "new",
            "plant_id": "P1",
            "bill": [
                {"component": "x", "quantity": 1.5, "commodity": "steel", "mass_kg": 0.1},
                {"component": "y", "quantity": 1.0, "labor_minutes": 3.0, "yield_rate": 1.0},
            ],
        },
    ),
    "a what-if of cost": (
        ONE,
        {
            "sku": "bracket",
            "as_of_date": "2026-06-29",
            "overrides": {
                "commodity_prices": [{"commodity": "steel", "price": 2.0}],
                "labor_rate_hourly": 1 / 3,
                "tariff_rate": 0.0,
                "mass_factor": 1.1,
            },
        },
    ),
    "a quote judged": (
        ONE,
        {
            "sku": "bracket",
            "quote": {
                "unit_price": 31.7,
                "quantity": 5.0,
                "supplier_id": "S2",
                "bracket_quantities": [1.0, 5.0],
                "valid_until_date": "2026-07-01",
            },
            "allowed_margin": 0.05,
            "false_alarm_rate": 0.1,
        },
    ),
    "a part without a bill": (ONE, {"sku": "tube", "quote": {"quantity": 10.0}}),
    "a part whose bill nobody priced": (ONE, {"sku": "unpriced"}),
    "many should-costs": (
        MANY,
        {
            "skus": ["bracket", "nobody", "tube", "gilded", "bracket"],
            "unit_prices": [9.0, 1.0, 40.0, 1.0, 30.0],
            "quantities": [1.0, 1.0, 1.0, 1.0, 3.0],
            "supplier_ids": ["S1", "", "S2", "", ""],
        },
    ),
    "many should-costs without prices": (
        MANY,
        {"skus": ["bracket", "tube"], "method": "SHOULD_COST_METHOD_QUOTES"},
    ),
}
COST_REFUSED: dict[str, tuple[str, dict[str, Any]]] = {
    "an unknown part": (ONE, {"sku": "nobody"}),
    "no part": (ONE, {}),
    "an unknown commodity": (ONE, {"sku": "gilded"}),
    "a bill that holds itself": (ONE, {"sku": "loop"}),
    "rates before the first": (ONE, {"sku": "bracket", "as_of_date": "2020-01-01"}),
    "an expired quote": (
        ONE,
        {"sku": "bracket", "quote": {"unit_price": 1.0, "valid_until_date": "2026-06-29"}},
    ),
    "a currency without a rate": (ONE, {"sku": "bracket", "currency_code": "JPY"}),
    "a negative mass": (
        ONE,
        {"sku": "a", "bill": [{"component": "x", "quantity": 1.0, "mass_kg": -1.0}]},
    ),
    "a negative price": (ONE, {"sku": "bracket", "quote": {"unit_price": -1.0}}),
    "a bill of a part that has none": (
        ONE,
        {"sku": "tube", "method": "SHOULD_COST_METHOD_BILL"},
    ),
    "an unknown plant": (ONE, {"sku": "bracket", "plant_id": "P9"}),
    "prices that do not match": (MANY, {"skus": ["bracket"], "unit_prices": [1.0, 2.0]}),
    "too many parts": (MANY, {"skus": ["bracket"] * 1_001}),
}
