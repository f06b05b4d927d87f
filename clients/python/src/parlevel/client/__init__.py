"""Typed client for Parlevel: supply-chain decisions over gRPC.

>>> from parlevel.client import Client
>>> with Client("127.0.0.1:50051") as client:  # doctest: +SKIP
...     forecast = client.forecast("SKU-1", "STORE-1", 7)
"""

from parlevel.client.awaitable import AsyncClient
from parlevel.client.blocking import Client
from parlevel.client.errors import ParlevelError
from parlevel.client.limits import Limits
from parlevel.client.retry import RetryPolicy
from parlevel.client.values.demand import (
    DemandFrequency,
    DemandObservation,
    DemandPattern,
    DemandTarget,
    DemandTier,
    Forecast,
    ForecastRoute,
    LocationAttributes,
    PlanDay,
    PlanSource,
    ProductAttributes,
    RowStatus,
)
from parlevel.client.values.demand_batch import ForecastBatch, ForecastFigures, ForecastRow
from parlevel.client.values.demand_question import ForecastQuestion
from parlevel.client.values.explanation import DemandDriver, Explanation
from parlevel.client.values.model import Certificate, Health, Model
from parlevel.client.values.provenance import Provenance
from parlevel.client.values.replenishment import (
    EconomicOrderQuantity,
    Newsvendor,
    ReorderBatch,
    ReorderFigures,
    ReorderMethod,
    ReorderPoint,
    ReorderRecommendation,
    ReorderRow,
    SafetyStock,
    SafetyStockMethod,
)
from parlevel.client.values.supply import DecisionChange, SupplyChoice, SupplyKind, TargetKind

__all__ = [
    "AsyncClient",
    "Certificate",
    "Client",
    "DecisionChange",
    "DemandDriver",
    "DemandFrequency",
    "DemandObservation",
    "DemandPattern",
    "DemandTarget",
    "DemandTier",
    "EconomicOrderQuantity",
    "Explanation",
    "Forecast",
    "ForecastBatch",
    "ForecastFigures",
    "ForecastQuestion",
    "ForecastRoute",
    "ForecastRow",
    "Health",
    "Limits",
    "LocationAttributes",
    "Model",
    "Newsvendor",
    "ParlevelError",
    "PlanDay",
    "PlanSource",
    "ProductAttributes",
    "Provenance",
    "ReorderBatch",
    "ReorderFigures",
    "ReorderMethod",
    "ReorderPoint",
    "ReorderRecommendation",
    "ReorderRow",
    "RetryPolicy",
    "RowStatus",
    "SafetyStock",
    "SafetyStockMethod",
    "SupplyChoice",
    "SupplyKind",
    "TargetKind",
]
