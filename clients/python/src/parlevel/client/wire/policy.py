"""Wire form of the formulas of the trade."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from parlevel.client.options import (
    EconomicOrderQuantityOptions,
    NewsvendorOptions,
    ReorderPointOptions,
    SafetyStockOptions,
    check_options,
)
from parlevel.client.values.replenishment import (
    EconomicOrderQuantity,
    Newsvendor,
    ReorderPoint,
    SafetyStock,
    SafetyStockMethod,
)
from parlevel.client.wire.provenance import provenance
from parlevel.client.wire.question import Question, named, question
from parlevel.v1 import replenishment_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Callable

    from parlevel.client.options import CallOptions
    from parlevel.client.wire.question import ValueT

COMPUTE_POLICY = "/parlevel.v1.ReplenishmentService/ComputePolicy"


def economic_order_quantity(
    options: EconomicOrderQuantityOptions,
) -> Question[EconomicOrderQuantity]:
    """Ask for the order quantity of least ordering plus holding cost.

    Args:
        options: Inputs of the formula, and how it is asked.

    Returns:
        The question.

    Raises:
        TypeError: An input is unknown or absent.
    """
    check_options(options, EconomicOrderQuantityOptions)
    inputs = pb.EconomicOrderQuantityInputs(
        annual_demand=options["annual_demand"],
        ordering_cost=options["ordering_cost"],
        holding_cost=options["holding_cost"],
    )
    request = pb.ComputePolicyRequest(economic_order_quantity=inputs)
    return _policy(request, _economic_order_quantity, options)


def safety_stock(options: SafetyStockOptions) -> Question[SafetyStock]:
    """Ask for the stock held against uncertain demand and lead time.

    Args:
        options: Inputs of the formula, and how it is asked.

    Returns:
        The question.

    Raises:
        TypeError: An input is unknown or absent.
        InvalidArgument: The method breaks its rule.
    """
    check_options(options, SafetyStockOptions)
    method = options.get("method", SafetyStockMethod.STANDARD)
    inputs = pb.SafetyStockInputs(
        mean_demand=options.get("mean_demand", 0.0),
        demand_std=options["demand_std"],
        lead_time_days=options["lead_time_days"],
        review_days=options.get("review_days", 0.0),
        lead_time_std_days=options.get("lead_time_std_days", 0.0),
        service_level=options["service_level"],
        method=named(method, SafetyStockMethod, pb.SafetyStockMethod, "method"),
    )
    return _policy(pb.ComputePolicyRequest(safety_stock=inputs), _safety_stock, options)


def reorder_point(options: ReorderPointOptions) -> Question[ReorderPoint]:
    """Ask for the inventory position at which to order.

    Args:
        options: Inputs of the formula, and how it is asked.

    Returns:
        The question.

    Raises:
        TypeError: An input is unknown or absent.
    """
    check_options(options, ReorderPointOptions)
    inputs = pb.ReorderPointInputs(
        annual_demand=options["annual_demand"],
        lead_time_days=options["lead_time_days"],
        review_days=options.get("review_days", 0.0),
        safety_stock=options.get("safety_stock", 0.0),
        order_quantity=options.get("order_quantity"),
    )
    return _policy(pb.ComputePolicyRequest(reorder_point=inputs), _reorder_point, options)


def newsvendor(options: NewsvendorOptions) -> Question[Newsvendor]:
    """Ask for the order quantity for one selling season.

    Args:
        options: Inputs of the formula, and how it is asked.

    Returns:
        The question.

    Raises:
        TypeError: An input is unknown or absent.
    """
    check_options(options, NewsvendorOptions)
    inputs = pb.NewsvendorInputs(
        underage_cost=options["underage_cost"],
        overage_cost=options["overage_cost"],
        mean_demand=options["mean_demand"],
        demand_std=options["demand_std"],
    )
    return _policy(pb.ComputePolicyRequest(newsvendor=inputs), _newsvendor, options)


def _policy(
    request: pb.ComputePolicyRequest,
    interpret: Callable[[pb.ComputePolicyResponse], ValueT],
    options: CallOptions,
) -> Question[ValueT]:
    """Ask for the formula set in the request."""
    formula = request.WhichOneof("formula") or ""
    read = partial(_read, formula, interpret)
    return question(COMPUTE_POLICY, request, pb.ComputePolicyResponse, read, options)


def _read(
    formula: str,
    interpret: Callable[[pb.ComputePolicyResponse], ValueT],
    answer: pb.ComputePolicyResponse,
) -> ValueT:
    """Read the result of a formula; ValueError where another was answered."""
    result = answer.WhichOneof("result")
    if result != formula:
        message = f"{result} was answered, {formula} was asked"
        raise ValueError(message)
    return interpret(answer)


def _economic_order_quantity(answer: pb.ComputePolicyResponse) -> EconomicOrderQuantity:
    """Read the economic order quantity."""
    result = answer.economic_order_quantity
    return EconomicOrderQuantity(
        provenance=provenance(answer.provenance),
        order_quantity=result.order_quantity,
        orders_per_year=result.orders_per_year,
        days_between_orders=result.days_between_orders,
        ordering_cost_per_year=result.ordering_cost_per_year,
        holding_cost_per_year=result.holding_cost_per_year,
        total_cost_per_year=result.total_cost_per_year,
    )


def _safety_stock(answer: pb.ComputePolicyResponse) -> SafetyStock:
    """Read the safety stock."""
    return SafetyStock(
        provenance=provenance(answer.provenance),
        safety_stock=answer.safety_stock.safety_stock,
        safety_factor=answer.safety_stock.safety_factor,
    )


def _reorder_point(answer: pb.ComputePolicyResponse) -> ReorderPoint:
    """Read the reorder point."""
    result = answer.reorder_point
    return ReorderPoint(
        provenance=provenance(answer.provenance),
        reorder_point=result.reorder_point,
        average_inventory=(
            result.average_inventory if result.HasField("average_inventory") else None
        ),
        turns_per_year=result.turns_per_year if result.HasField("turns_per_year") else None,
        days_of_supply=result.days_of_supply if result.HasField("days_of_supply") else None,
        max_inventory_position=(
            result.max_inventory_position if result.HasField("max_inventory_position") else None
        ),
    )


def _newsvendor(answer: pb.ComputePolicyResponse) -> Newsvendor:
    """Read the newsvendor quantity."""
    result = answer.newsvendor
    return Newsvendor(
        provenance=provenance(answer.provenance),
        critical_ratio=result.critical_ratio,
        order_quantity=result.order_quantity,
        expected_shortage=result.expected_shortage,
        expected_leftover=result.expected_leftover,
        expected_cost=result.expected_cost,
    )
