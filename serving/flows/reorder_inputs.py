"""Where the inputs of a reorder come from: the request, else the tables, else a default."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from serving.domain.reorder_levels import ReorderTerms
from serving.domain.replenishment import ReorderMethod
from serving.domain.supply import TargetKind
from serving.errors import MissingInput

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from serving.domain.reorder_batch import BatchReorderQuery
    from serving.domain.replenishment import ReorderQuery
    from serving.ports import StockInputs

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Input:
    """One input of a reorder.

    Attributes:
        name: Name of its field.
        table: Table it may come from.
        default: What stands in where request and table are silent; None where it is needed.
        warned: Whether the answer says that the default stands in.
    """

    name: str
    table: str
    default: float | None = None
    warned: bool = False


INPUTS = (
    Input("on_hand", "inventory"),
    Input("on_order", "inventory", default=0.0, warned=True),
    Input("backorders", "inventory", default=0.0, warned=True),
    Input("lead_time_days", "sourcing"),
    Input("lead_time_std_days", "sourcing", default=0.0),
    Input("review_days", "policy"),
    Input("service_level", "policy"),
    Input("minimum_order_quantity", "products", default=0.0),
    Input("pack_size", "products", default=0.0),
    Input("target_kind", "policy", default=float(TargetKind.CYCLE_SERVICE)),
)
COSTS = ("underage_cost", "overage_cost")
_SENT = (*(one.name for one in INPUTS if one.name != "target_kind"), *COSTS)
TABLES = {one.name: one.table for one in INPUTS} | dict.fromkeys(COSTS, "policy")


@dataclass(frozen=True, slots=True)
class Resolved:
    """Terms of n series: as sent, else as stored, else their defaults, else NaN.

    Attributes:
        terms: The terms, each of shape (n,).
        missing: Where a needed input is nowhere, by name, shape (n,) each.
        assumed: Where a default worth a warning stands in, by name, shape (n,) each.
    """

    terms: ReorderTerms
    missing: Mapping[str, Flags]
    assumed: Mapping[str, Flags]

    @property
    def complete(self) -> Flags:
        """Where no needed input is missing, shape (n,)."""
        complete = np.ones(self.terms.on_hand.shape, dtype=np.bool_)
        for rows in self.missing.values():
            complete &= ~rows
        return complete

    def first_missing(self, row: int) -> MissingInput | None:
        """Return the failure that names a series' first missing input and its table, or None."""
        for name, rows in self.missing.items():
            if rows[row]:
                return MissingInput(name, TABLES[name])
        return None

    def assumed_of(self, row: int) -> dict[str, Flags]:
        """Return the defaults worth a warning of one series, shape (1,) each."""
        return {name: rows[row : row + 1] for name, rows in self.assumed.items() if rows[row]}


def inputs_sent(query: ReorderQuery) -> dict[str, float]:
    """Return the inputs a request carries."""
    sent = {name: value for name in _SENT if (value := getattr(query, name)) is not None}
    kind = query.target
    if kind is None and query.service_level is not None:
        kind = TargetKind.CYCLE_SERVICE
    if kind is not None:
        sent["target_kind"] = float(kind)
    if query.promised is not TargetKind.CYCLE_SERVICE:  # it takes the place of the service level
        promised = query.fill_rate if kind is TargetKind.FILL_RATE else query.ratio
        if promised is not None:
            sent["service_level"] = promised
    if query.lead_time is not None:
        lead_time = query.lead_time.lead_time()
        sent["lead_time_days"], sent["lead_time_std_days"] = lead_time.mean, lead_time.std
    return sent


def columns_sent(sent: Sequence[Mapping[str, float]]) -> dict[str, Floats]:
    """Lay out the inputs of n requests, shape (n,) each, NaN where one carries none."""
    names = set().union(*sent)
    return {name: np.array([one.get(name, np.nan) for one in sent]) for name in names}


def inputs_sent_batch(query: BatchReorderQuery) -> dict[str, Floats]:
    """Return the inputs a batch carries, shape (rows,) each."""
    names = ("lead_time_days", "review_days", "on_hand", "on_order", "backorders")
    arrays = {name: getattr(query, name) for name in names}
    arrays["service_level"] = query.service_levels
    if query.service_levels.size:  # they are probabilities of no stock-out in a cycle
        arrays["target_kind"] = np.full(len(query.skus), float(TargetKind.CYCLE_SERVICE))
    return {name: values for name, values in arrays.items() if values.size}


def resolve(
    sent: Mapping[str, Floats], stocks: Sequence[StockInputs], method: ReorderMethod
) -> Resolved:
    """Take each input from the request, else from the tables, else by default.

    Args:
        sent: Inputs of n requests by name, NaN where one carries none, shape (n,) each.
        stocks: What the tables say of each series.
        method: How orders are decided, which says what is read.
    """
    values: dict[str, Floats] = {}
    missing: dict[str, Flags] = {}
    assumed: dict[str, Flags] = {}
    for one in INPUTS:
        if not _is_read(one, method):
            values[one.name] = np.full(len(stocks), one.default or 0.0)
            continue
        read = values[one.name] = _read(sent, stocks, one.name)
        silent = np.isnan(read)
        if not silent.any():
            continue
        if one.default is None:
            missing[one.name] = silent
            continue
        read[silent] = one.default
        if one.warned:
            assumed[one.name] = silent
    _settle_costs(values, missing, sent, stocks)
    return Resolved(ReorderTerms(**values), missing, assumed)


def _settle_costs(
    values: dict[str, Floats],
    missing: dict[str, Flags],
    sent: Mapping[str, Floats],
    stocks: Sequence[StockInputs],
) -> None:
    """Put the critical ratio where the tables promise the least cost, in place of a service."""
    by_cost = values["target_kind"] == TargetKind.COST
    if "service_level" in sent:
        by_cost &= np.isnan(sent["service_level"])
    if not by_cost.any():
        return
    costs = {name: _read(sent, stocks, name) for name in COSTS}
    under, over = costs.values()
    ratio = np.full(by_cost.shape, np.nan)
    np.divide(under, under + over, out=ratio, where=under + over > 0)
    values["service_level"] = np.where(by_cost, ratio, values["service_level"])
    silent = {"service_level": missing.pop("service_level", np.zeros_like(by_cost)) & ~by_cost}
    silent |= {name: by_cost & np.isnan(given) for name, given in costs.items()}
    missing.update({name: rows for name, rows in silent.items() if rows.any()})


def _read(sent: Mapping[str, Floats], stocks: Sequence[StockInputs], name: str) -> Floats:
    """Return an input as sent, else as the tables say, else NaN, shape (n,)."""
    given = sent.get(name)
    if given is not None:
        unsent = np.isnan(given)
        if not unsent.any():
            return np.asarray(given, dtype=np.float64)
    stored = np.array([getattr(stock, name) for stock in stocks], dtype=np.float64)
    return stored if given is None else np.where(unsent, stored, given)


def table_inputs(
    sent: Mapping[str, float], stock: StockInputs, method: ReorderMethod
) -> tuple[str, ...]:
    """Return the names of one series' inputs that came from tables, ascending."""
    read = {
        one.name
        for one in INPUTS
        if one.name not in sent and getattr(stock, one.name) is not None and _is_read(one, method)
    }
    if "target_kind" in read and stock.target_kind == TargetKind.COST:
        read -= {"service_level"}
        read |= {name for name in COSTS if name not in sent and getattr(stock, name) is not None}
    return tuple(sorted(read))


def _is_read(one: Input, method: ReorderMethod) -> bool:
    if one.name == "target_kind":  # the other methods know of no other promise
        return method is ReorderMethod.DISTRIBUTION
    return one.name != "lead_time_std_days" or method is not ReorderMethod.TEXTBOOK_DEMAND_ONLY
