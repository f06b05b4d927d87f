"""Every formula that needs no model: its inputs, its result and what computes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from serving.domain.inventory_formulas import (
    economic_order_quantity,
    newsvendor,
    reorder_point,
    safety_stock,
)
from serving.domain.inventory_policy import (
    EconomicOrderQuantityInputs,
    EconomicOrderQuantityResult,
    NewsvendorInputs,
    NewsvendorResult,
    ReorderPointInputs,
    ReorderPointResult,
    SafetyStockInputs,
    SafetyStockResult,
)
from serving.domain.joint_items import JointOrderInputs, JointOrderResult
from serving.domain.joint_order import joint_order
from serving.domain.quantity_discount import (
    QuantityDiscountInputs,
    QuantityDiscountResult,
    quantity_discount,
)
from serving.domain.season import (
    PerishableInputs,
    PerishableResult,
    SeasonInputs,
    SeasonResult,
    perishable,
    season,
)
from serving.domain.stock_policy import StockPolicyInputs, StockPolicyResult, stock_policy

if TYPE_CHECKING:
    from collections.abc import Callable

    from serving.domain.series import Provenance

PolicyInputs = (
    EconomicOrderQuantityInputs
    | SafetyStockInputs
    | ReorderPointInputs
    | NewsvendorInputs
    | QuantityDiscountInputs
    | StockPolicyInputs
    | SeasonInputs
    | PerishableInputs
    | JointOrderInputs
)
PolicyResult = (
    EconomicOrderQuantityResult
    | SafetyStockResult
    | ReorderPointResult
    | NewsvendorResult
    | QuantityDiscountResult
    | StockPolicyResult
    | SeasonResult
    | PerishableResult
    | JointOrderResult
)


@dataclass(frozen=True, slots=True)
class Formula:
    """One formula.

    Attributes:
        inputs: Type of its inputs.
        result: Type of its result.
        compute: Computes the one from the other.
    """

    inputs: type[Any]
    result: type[Any]
    compute: Callable[[Any], PolicyResult]


# By the name of their field in request and response.
FORMULAS: dict[str, Formula] = {
    "economic_order_quantity": Formula(
        EconomicOrderQuantityInputs, EconomicOrderQuantityResult, economic_order_quantity
    ),
    "safety_stock": Formula(SafetyStockInputs, SafetyStockResult, safety_stock),
    "reorder_point": Formula(ReorderPointInputs, ReorderPointResult, reorder_point),
    "newsvendor": Formula(NewsvendorInputs, NewsvendorResult, newsvendor),
    "quantity_discount": Formula(QuantityDiscountInputs, QuantityDiscountResult, quantity_discount),
    "stock_policy": Formula(StockPolicyInputs, StockPolicyResult, stock_policy),
    "season": Formula(SeasonInputs, SeasonResult, season),
    "perishable": Formula(PerishableInputs, PerishableResult, perishable),
    "joint_order": Formula(JointOrderInputs, JointOrderResult, joint_order),
}


@dataclass(frozen=True, slots=True)
class PolicyAnswer:
    """The result of one formula.

    Attributes:
        result: Result of the formula whose inputs were sent.
        provenance: Where the answer came from: the version of the formula.
    """

    result: PolicyResult
    provenance: Provenance


def compute(inputs: PolicyInputs) -> PolicyResult:
    """Compute the formula that inputs are of.

    Args:
        inputs: Inputs of any formula.

    Returns:
        Its result.

    Raises:
        InvalidField: If the numbers, each in its range, give no finite result together.
    """
    return next(one for one in FORMULAS.values() if one.inputs is type(inputs)).compute(inputs)
