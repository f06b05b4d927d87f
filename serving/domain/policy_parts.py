"""Which value each field of a formula or network is made of, where it is more than a number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from serving.domain.echelons import EchelonQuery
from serving.domain.inventory_policy import SafetyStockInputs, SafetyStockMethod
from serving.domain.joint_items import JointItem, JointOrderInputs
from serving.domain.law_inputs import (
    DemandInputs,
    DiscreteLeadTime,
    ForecastQuantiles,
    GammaLeadTime,
    LeadTimeInputs,
    MeanStd,
    ObservedDemand,
    ObservedLeadTimes,
    PoissonMean,
)
from serving.domain.network import EchelonLink, EchelonStage
from serving.domain.quantity_discount import DiscountKind, PriceBracket, QuantityDiscountInputs
from serving.domain.season import PerishableInputs, SeasonInputs
from serving.domain.stock_policy import CycleCosts, PolicyTarget, StockPolicyInputs, StockPolicyKind
from serving.domain.supply import (
    ExpectedReceipt,
    ExpediteOption,
    StockLot,
    SupplierOption,
    Supply,
    TransferOption,
)

if TYPE_CHECKING:
    import enum

Parts = dict[str, type[Any]]

PARTS: dict[type[Any], Parts] = {
    SafetyStockInputs: {"method": SafetyStockMethod},
    QuantityDiscountInputs: {"brackets": PriceBracket, "kind": DiscountKind},
    StockPolicyInputs: {
        "kind": StockPolicyKind,
        "demand": DemandInputs,
        "lead_time": LeadTimeInputs,
        "target": PolicyTarget,
    },
    PolicyTarget: {"cost": CycleCosts},
    SeasonInputs: {"demand": DemandInputs},
    PerishableInputs: {"demand": DemandInputs, "lead_time": LeadTimeInputs},
    JointOrderInputs: {"items": JointItem},
    JointItem: {"demand": DemandInputs},
    DemandInputs: {
        "normal": MeanStd,
        "gamma": MeanStd,
        "poisson": PoissonMean,
        "negative_binomial": MeanStd,
        "observed": ObservedDemand,
        "quantiles": ForecastQuantiles,
    },
    LeadTimeInputs: {
        "gamma": GammaLeadTime,
        "discrete": DiscreteLeadTime,
        "observed": ObservedLeadTimes,
    },
    Supply: {
        "receipts": ExpectedReceipt,
        "lots": StockLot,
        "suppliers": SupplierOption,
        "transfers": TransferOption,
        "expedite": ExpediteOption,
    },
    EchelonQuery: {"stages": EchelonStage, "links": EchelonLink},
}
# A policy is never guessed; the other enums have the contract's default.
CHOSEN: frozenset[type[enum.IntEnum]] = frozenset({StockPolicyKind})
