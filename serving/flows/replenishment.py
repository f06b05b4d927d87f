"""The path of a reorder request: query -> stock and terms -> demand over the cover -> order."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Protocol

import numpy as np

from serving.domain.history import MAX_HORIZON
from serving.domain.inventory_formulas import (
    economic_order_quantity,
    newsvendor,
    reorder_point,
    safety_stock,
)
from serving.domain.inventory_policy import (
    EconomicOrderQuantityInputs,
    PolicyInputs,
    PolicyResult,
    ReorderPointInputs,
    SafetyStockInputs,
)
from serving.domain.reorder_levels import CoverDemand, ReorderLevels, decide, explain
from serving.domain.replenishment import (
    FORMULA_VERSION,
    BatchReorderQuery,
    PolicyAnswer,
    Reorder,
    ReorderBatch,
    ReorderQuery,
    check_cover,
    check_service_level,
    served,
)
from serving.domain.series import PlanDay, Provenance, RowStatus
from serving.flows.reorder_inputs import inputs_sent, inputs_sent_batch, resolve, table_inputs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from serving.domain.demand import Cover, CoverBatch
    from serving.ports import FeatureReader

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]


class CoverForecaster(Protocol):
    """What this flow asks of the demand flow."""

    def cover(self, sku: str, location: str, cover_days: int, plan: Sequence[PlanDay]) -> Cover:
        """Return the distribution of one series' demand over its cover."""

    def cover_batch(
        self, skus: Sequence[str], locations: Sequence[str], cover_days: NDArray[np.int64]
    ) -> CoverBatch:
        """Return the distributions of many series' demand over their covers."""


class ReplenishmentFlow:
    """Answers reorder questions from the demand flow and the stored stock and terms."""

    def __init__(self, demand: CoverForecaster, features: FeatureReader) -> None:
        """Take the demand flow and the source of stock and terms."""
        self._demand = demand
        self._features = features

    def recommend(self, query: ReorderQuery) -> Reorder:
        """Recommend what to order for one series.

        Raises:
            UnknownSeries: If the sku or location is in no table.
            MissingInput: If an input is neither sent nor in its table.
            BeyondTrained: If the cover or the service level is beyond the model's.
            StaleFeatures: If the stored features are too old.
            InvalidField: If a stored service level cannot be promised.
            NotReady: If there is no model or no features yet.
        """
        stock = self._features.snapshot().stock(query.sku, query.location)
        sent = inputs_sent(query)
        found = resolve(sent, [stock], query.method)
        terms = found.terms
        if found.missing:
            # A series that nobody knows, or that is stale, is the truer failure: it comes first.
            self._demand.cover(query.sku, query.location, 1, ())
            raise found.first_missing()
        check_service_level("service_level", float(terms.service_level[0]))
        check_cover("lead_time_days", float(terms.days[0]))
        days = int(terms.cover_days[0])
        cover = self._demand.cover(query.sku, query.location, days, query.plan)
        levels = decide(terms, _one_row(cover), query.method)
        return Reorder(
            query=query,
            origin=cover.origin,
            order_quantity=float(levels.order_quantity[0]),
            order_up_to=float(levels.order_up_to[0]),
            reorder_point=float(levels.order_up_to[0]),
            safety_stock=float(levels.safety_stock[0]),
            expected_demand=float(levels.expected_demand[0]),
            inventory_position=float(terms.position[0]),
            stockout_probability=float(levels.stockout_probability[0]),
            cover_days=days,
            service_level=float(terms.service_level[0]),
            table_inputs=table_inputs(sent, stock, query.method),
            reason=explain(terms, levels),
            provenance=_provenance(cover.provenance, _warnings(found.assumed, levels)),
        )

    def recommend_batch(self, query: BatchReorderQuery) -> ReorderBatch:
        """Recommend what to order for many series.

        An unknown or stale series, or a missing input, fails its row alone; so does a stored
        service level or cover beyond the trained ones, as MISSING_INPUT and with a warning.

        Raises:
            BeyondTrained: If a cover is beyond the model's.
            NotReady: If there is no model or no features yet.
        """
        snapshot = self._features.snapshot()
        keys = zip(query.skus, query.locations, strict=True)
        stocks = [snapshot.stock(sku, location) for sku, location in keys]
        found = resolve(inputs_sent_batch(query), stocks, query.method)
        complete, terms = found.complete, found.terms
        trained = served(terms.service_level) & (terms.days <= MAX_HORIZON)
        usable = complete & trained
        # A row without a cover of its own asks for one day: its series may be unknown or stale.
        covers = np.ones(len(stocks), dtype=np.int64)
        covers[usable] = terms.take(np.flatnonzero(usable)).cover_days
        cover = self._demand.cover_batch(query.skus, query.locations, covers)
        statuses, rows, valued = _merge(cover.statuses, usable)
        terms = terms.take(rows)
        levels = decide(terms, _rows_of(cover, valued), query.method)
        assumed = {name: flags[rows] for name, flags in found.assumed.items()}
        return ReorderBatch(
            query=query,
            statuses=statuses,
            order_quantities=levels.order_quantity,
            order_up_to=levels.order_up_to,
            reorder_points=levels.order_up_to,
            safety_stocks=levels.safety_stock,
            expected_demand=levels.expected_demand,
            stockout_probabilities=levels.stockout_probability,
            cover_days=terms.cover_days,
            provenance=_provenance(
                cover.provenance, _beyond_warning(complete & ~trained) + _warnings(assumed, levels)
            ),
        )

    def compute_policy(self, inputs: PolicyInputs) -> PolicyAnswer:
        """Compute one formula from the numbers sent; no model and no features are needed.

        Raises:
            InvalidField: If the numbers, each in its range, give no finite result together.
        """
        return PolicyAnswer(_compute(inputs), Provenance(formula_version=FORMULA_VERSION))


def _compute(inputs: PolicyInputs) -> PolicyResult:
    if isinstance(inputs, EconomicOrderQuantityInputs):
        return economic_order_quantity(inputs)
    if isinstance(inputs, SafetyStockInputs):
        return safety_stock(inputs)
    if isinstance(inputs, ReorderPointInputs):
        return reorder_point(inputs)
    return newsvendor(inputs)


def _one_row(cover: Cover) -> CoverDemand:
    return CoverDemand(
        levels=cover.levels,
        quantiles=cover.quantiles[None, :],
        mean=np.array([cover.mean]),
        daily_mean=np.array([cover.daily_mean]),
        daily_std=np.array([cover.daily_std]),
    )


def _rows_of(cover: CoverBatch, rows: NDArray[np.intp]) -> CoverDemand:
    return CoverDemand(
        levels=cover.levels,
        quantiles=cover.quantiles[rows],
        mean=cover.mean[rows],
        daily_mean=cover.daily_mean[rows],
        daily_std=cover.daily_std[rows],
    )


def _merge(
    statuses: Sequence[RowStatus], usable: Flags
) -> tuple[tuple[RowStatus, ...], NDArray[np.intp], NDArray[np.intp]]:
    """Lay missing inputs over the statuses of the forecast.

    Returns:
        The statuses, the asked rows that hold values, and their places among the forecast's.
    """
    forecast = np.array([status is RowStatus.OK for status in statuses])
    merged = tuple(
        RowStatus.MISSING_INPUT if known and not complete else status
        for status, known, complete in zip(statuses, forecast, usable, strict=True)
    )
    return merged, np.flatnonzero(forecast & usable), np.flatnonzero(usable[forecast])


def _provenance(forecast: Provenance, warnings: tuple[str, ...]) -> Provenance:
    return dataclasses.replace(
        forecast, formula_version=FORMULA_VERSION, warnings=forecast.warnings + warnings
    )


def _warnings(assumed: Mapping[str, Flags], levels: ReorderLevels) -> tuple[str, ...]:
    rows = levels.bounded.size
    warnings = [
        f"{name} is neither sent nor in table 'inventory' for {count} of {rows} series: "
        "0 is assumed"
        for name, flags in assumed.items()
        if (count := int(flags.sum()))
    ]
    if count := int(levels.bounded.sum()):
        warnings.append(
            f"stockout_probability is a bound for {count} of {rows} series: "
            "the inventory position lies beyond the trained quantiles"
        )
    return tuple(warnings)


def _beyond_warning(beyond: Flags) -> tuple[str, ...]:
    rows = np.flatnonzero(beyond)
    if not rows.size:
        return ()
    warning = (
        f"the tables' service level or cover of {rows.size} series, the first in row {rows[0]}, "
        "is beyond the trained ones: send them in the request"
    )
    return (warning,)
