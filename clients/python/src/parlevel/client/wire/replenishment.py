"""Wire form of the replenishment questions and answers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sized
from functools import partial
from typing import TYPE_CHECKING, SupportsFloat

from parlevel.client.errors import invalid
from parlevel.client.frames import asked_rows
from parlevel.client.options import (
    CallOptions,
    ReorderBatchOptions,
    ReorderOptions,
    check_options,
)
from parlevel.client.values.demand import RowStatus
from parlevel.client.values.replenishment import (
    ReorderBatch,
    ReorderFigures,
    ReorderMethod,
    ReorderRecommendation,
    ReorderRow,
)
from parlevel.client.values.supply import DecisionChange, SupplyChoice, SupplyKind, TargetKind
from parlevel.client.wire.demand import plan_days, row_statuses
from parlevel.client.wire.policy import COMPUTE_POLICY
from parlevel.client.wire.provenance import provenance
from parlevel.client.wire.question import (
    Question,
    SplitQuestion,
    as_it_is,
    date_of,
    expect_length,
    name_of,
    named,
    question,
)
from parlevel.v1 import replenishment_pb2 as pb
from parlevel.v1 import supply_pb2

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from parlevel.client.frames import AskedRows, Series
    from parlevel.client.limits import Limits

RECOMMEND_REORDER = "/parlevel.v1.ReplenishmentService/RecommendReorder"
BATCH_RECOMMEND_REORDER = "/parlevel.v1.ReplenishmentService/BatchRecommendReorder"
SCORE_STOCKOUT_RISK = "/parlevel.v1.ReplenishmentService/ScoreStockoutRisk"
ALLOCATE_ECHELONS = "/parlevel.v1.ReplenishmentService/AllocateEchelons"
ASSESS_LANE = "/parlevel.v1.ReplenishmentService/AssessLane"

# Inputs that may differ by row: option and frame column -> field of the request.
_PER_ROW = {
    "lead_time_days": "lead_time_days",
    "review_days": "review_days",
    "service_level": "service_levels",
    "on_hand": "on_hand",
    "on_order": "on_order",
    "backorders": "backorders",
}


def recommend_reorder(
    sku: str, location: str, options: ReorderOptions
) -> Question[ReorderRecommendation]:
    """Ask what to order now for one series.

    Args:
        sku: Stock-keeping unit.
        location: Location that stocks it.
        options: Keyword options of the question.

    Returns:
        The question.

    Raises:
        TypeError: An option is unknown.
        InvalidArgument: The method or timeout breaks its rule.
    """
    check_options(options, ReorderOptions)
    request = pb.RecommendReorderRequest(
        sku=sku,
        location=location,
        lead_time_days=options.get("lead_time_days"),
        review_days=options.get("review_days"),
        service_level=options.get("service_level"),
        lead_time_std_days=options.get("lead_time_std_days"),
        on_hand=options.get("on_hand"),
        on_order=options.get("on_order"),
        backorders=options.get("backorders"),
        minimum_order_quantity=options.get("minimum_order_quantity"),
        pack_size=options.get("pack_size"),
        method=_method(options),
        plan=plan_days(options.get("plan", ())),
        lead_time=options.get("lead_time"),
        target_kind=_target_kind(options),
        fill_rate=options.get("fill_rate"),
        underage_cost=options.get("underage_cost"),
        overage_cost=options.get("overage_cost"),
        receipts=options.get("receipts", ()),
        lots=options.get("lots", ()),
        capacity_units=options.get("capacity_units"),
        shelf_life_days=options.get("shelf_life_days"),
        suppliers=options.get("suppliers", ()),
        transfers=options.get("transfers", ()),
        expedite=options.get("expedite"),
        budget=options.get("budget"),
        unit_price=options.get("unit_price"),
        currency_code=options.get("currency_code", ""),
    )
    return question(RECOMMEND_REORDER, request, pb.RecommendReorderResponse, _reorder, options)


def recommend_reorder_batch(
    series: Series, limits: Limits, options: ReorderBatchOptions
) -> SplitQuestion[ReorderBatch]:
    """Ask what to order now for many series, in as many calls as the limits need.

    Args:
        series: Pairs (sku, location), or a frame with inputs by row.
        limits: What the server takes in one call.
        options: Keyword options of the question.

    Returns:
        The question in one part or more.

    Raises:
        TypeError: An option is unknown.
        InvalidArgument: The series, an input by row, the method or timeout breaks its rule.
    """
    check_options(options, ReorderBatchOptions)
    rows = asked_rows(series, tuple(_PER_ROW))
    inputs = _inputs(rows, options)
    step = limits.rows_per_call(1)
    parts = []
    for first in range(0, len(rows.skus), step):
        last = first + step
        skus, locations = rows.skus[first:last], rows.locations[first:last]
        request = pb.BatchRecommendReorderRequest(
            skus=skus, locations=locations, method=_method(options)
        )
        for name, values in inputs.items():
            getattr(request, name).extend(values[first:last])
        read = partial(_reorder_batch, skus, locations)
        parts.append(
            question(
                BATCH_RECOMMEND_REORDER, request, pb.BatchRecommendReorderResponse, read, options
            )
        )
    return SplitQuestion(tuple(parts), _join)


def compute_policy(
    request: pb.ComputePolicyRequest, options: CallOptions
) -> Question[pb.ComputePolicyResponse]:
    """Ask for a formula.

    Args:
        request: The formula and its inputs.
        options: Timeout and request id.

    Returns:
        The question.
    """
    check_options(options, CallOptions)
    return question(COMPUTE_POLICY, request, pb.ComputePolicyResponse, as_it_is, options)


def score_stockout_risk(
    request: pb.ScoreStockoutRiskRequest, options: CallOptions
) -> Question[pb.ScoreStockoutRiskResponse]:
    """Ask for the risk of running out.

    Args:
        request: The series.
        options: Timeout and request id.

    Returns:
        The question.
    """
    check_options(options, CallOptions)
    return question(SCORE_STOCKOUT_RISK, request, pb.ScoreStockoutRiskResponse, as_it_is, options)


def allocate_echelons(
    request: pb.AllocateEchelonsRequest, options: CallOptions
) -> Question[pb.AllocateEchelonsResponse]:
    """Ask where a network should hold safety stock.

    Args:
        request: The network.
        options: Timeout and request id.

    Returns:
        The question.
    """
    check_options(options, CallOptions)
    return question(ALLOCATE_ECHELONS, request, pb.AllocateEchelonsResponse, as_it_is, options)


def assess_lane(
    request: pb.AssessLaneRequest, options: CallOptions
) -> Question[pb.AssessLaneResponse]:
    """Ask how a lane stands.

    Args:
        request: The lane.
        options: Timeout and request id.

    Returns:
        The question.
    """
    check_options(options, CallOptions)
    return question(ASSESS_LANE, request, pb.AssessLaneResponse, as_it_is, options)


def _target_kind(options: ReorderOptions) -> supply_pb2.TargetKind.ValueType:
    """Write what is promised; unspecified is the contract's default."""
    if "target_kind" not in options:
        return supply_pb2.TARGET_KIND_UNSPECIFIED
    return named(options["target_kind"], TargetKind, supply_pb2.TargetKind, "target_kind")


def _method(options: ReorderOptions | ReorderBatchOptions) -> pb.ReorderMethod.ValueType:
    """Write the method, distribution where none is asked for."""
    method = options.get("method", ReorderMethod.DISTRIBUTION)
    return named(method, ReorderMethod, pb.ReorderMethod, "method")


def _inputs(rows: AskedRows, options: ReorderBatchOptions) -> dict[str, Sequence[float]]:
    """Collect the inputs by row from the options, else from the frame, by request field."""
    given: Mapping[str, object] = {**rows.columns, **options}
    return {
        field: _numbers(name, given[name], len(rows.skus))
        for name, field in _PER_ROW.items()
        if name in given
    }


def _numbers(name: str, given: object, count: int) -> list[float]:
    """Read one number for all rows, or one a row."""
    if isinstance(given, SupportsFloat) and not isinstance(given, Sized):
        return [_number(name, given)] * count
    values = list(given) if isinstance(given, Iterable) else []
    if len(values) != count:
        raise invalid(name, f"must be one number, or one for each of the {count} rows")
    return [_number(f"{name}[{row}]", value) for row, value in enumerate(values)]


def _number(field: str, value: object) -> float:
    """Refuse a gap: the contract takes an input for every row, or from the table for all."""
    if not isinstance(value, SupportsFloat) or math.isnan(float(value)):
        raise invalid(field, f"must be a number, got {value!r}")
    return float(value)


def _reorder(answer: pb.RecommendReorderResponse) -> ReorderRecommendation:
    """Read what to order now for one series."""
    return ReorderRecommendation(
        provenance=provenance(answer.provenance),
        sku=answer.sku,
        location=answer.location,
        origin_date=date_of(answer.origin_date),
        order_quantity=answer.order_quantity,
        order_up_to=answer.order_up_to,
        reorder_point=answer.reorder_point,
        safety_stock=answer.safety_stock,
        expected_demand=answer.expected_demand,
        inventory_position=answer.inventory_position,
        stockout_probability=answer.stockout_probability,
        cover_days=answer.cover_days,
        service_level=answer.service_level,
        method=name_of(
            answer.method or pb.REORDER_METHOD_DISTRIBUTION, ReorderMethod, pb.ReorderMethod
        ),
        table_inputs=tuple(answer.table_inputs),
        reason=answer.reason,
        expected_fill_rate=answer.expected_fill_rate,
        stockout_probability_after_order=answer.stockout_probability_after_order,
        expected_shortage=answer.expected_shortage,
        expected_holding=answer.expected_holding,
        expected_waste=answer.expected_waste,
        order_date=date_of(answer.order_date) if answer.order_date else None,
        target_kind=name_of(
            answer.target_kind or supply_pb2.TARGET_KIND_CYCLE_SERVICE,
            TargetKind,
            supply_pb2.TargetKind,
        ),
        supplier_id=answer.supplier_id,
        choices=tuple(_choice(one) for one in answer.choices),
        cheapest_change=_change(answer.cheapest_change)
        if answer.HasField("cheapest_change")
        else None,
    )


def _choice(choice: supply_pb2.SupplyChoice) -> SupplyChoice:
    """Read one option as it was weighed."""
    return SupplyChoice(
        kind=name_of(choice.kind, SupplyKind, supply_pb2.SupplyKind),
        source=choice.source,
        quantity=choice.quantity,
        days=choice.days,
        shortage_avoided=choice.shortage_avoided,
        money=choice.money,
        chosen=choice.chosen,
    )


def _change(change: supply_pb2.DecisionChange) -> DecisionChange:
    """Read the change that would turn a decision."""
    return DecisionChange(
        field=change.field,
        value=change.value,
        turning_value=change.turning_value,
        sentence=change.sentence,
    )


def _reorder_batch(
    skus: tuple[str, ...], locations: tuple[str, ...], answer: pb.BatchRecommendReorderResponse
) -> ReorderBatch:
    """Read what to order now for the rows of one call."""
    figures = iter(_figures(answer))
    statuses = row_statuses(answer.row_statuses, len(skus), answer.row_count)
    rows = tuple(
        ReorderRow(
            sku=sku,
            location=location,
            status=status,
            figures=next(figures) if status is RowStatus.OK else None,
        )
        for sku, location, status in zip(skus, locations, statuses, strict=True)
    )
    return ReorderBatch(
        provenances=(provenance(answer.provenance),),
        rows=rows,
        method=name_of(
            answer.method or pb.REORDER_METHOD_DISTRIBUTION, ReorderMethod, pb.ReorderMethod
        ),
    )


def _figures(answer: pb.BatchRecommendReorderResponse) -> list[ReorderFigures]:
    """Read the figures of the rows with values."""
    columns = (
        answer.order_quantities,
        answer.order_up_to,
        answer.reorder_points,
        answer.safety_stocks,
        answer.expected_demand,
        answer.stockout_probabilities,
        answer.expected_fill_rates,
        answer.expected_shortages,
        answer.expected_holdings,
    )
    for values in (*columns, answer.cover_days):
        expect_length("an array of figures", len(values), answer.row_count)
    return [
        ReorderFigures(
            order_quantity=quantity,
            order_up_to=level,
            reorder_point=point,
            safety_stock=safety,
            expected_demand=expected,
            stockout_probability=probability,
            expected_fill_rate=fill,
            expected_shortage=shortage,
            expected_holding=holding,
            cover_days=cover,
        )
        for (
            quantity,
            level,
            point,
            safety,
            expected,
            probability,
            fill,
            shortage,
            holding,
            cover,
        ) in zip(*columns, answer.cover_days, strict=True)
    ]


def _join(parts: Sequence[ReorderBatch]) -> ReorderBatch:
    """Join the answers of the calls a batch was split into."""
    return ReorderBatch(
        provenances=tuple(origin for part in parts for origin in part.provenances),
        rows=tuple(row for part in parts for row in part.rows),
        method=parts[0].method,
    )
