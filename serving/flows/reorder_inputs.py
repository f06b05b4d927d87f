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
)


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

    def first_missing(self) -> MissingInput:
        """Return the failure that names the first missing input and its table."""
        name = next(iter(self.missing))
        return MissingInput(name, next(one.table for one in INPUTS if one.name == name))


def inputs_sent(query: ReorderQuery) -> dict[str, Floats]:
    """Return the inputs a request carries, shape (1,) each."""
    values = ((one.name, getattr(query, one.name)) for one in INPUTS)
    sent = {name: np.array([value]) for name, value in values if value is not None}
    if query.target is not TargetKind.CYCLE_SERVICE:  # it takes the place of the service level
        promised = query.fill_rate if query.target is TargetKind.FILL_RATE else query.ratio
        sent["service_level"] = np.array([promised])
    if query.lead_time is not None:
        lead_time = query.lead_time.lead_time()
        sent["lead_time_days"] = np.array([lead_time.mean])
        sent["lead_time_std_days"] = np.array([lead_time.std])
    return sent


def inputs_sent_batch(query: BatchReorderQuery) -> dict[str, Floats]:
    """Return the inputs a batch carries, shape (rows,) each."""
    names = ("lead_time_days", "review_days", "on_hand", "on_order", "backorders")
    arrays = {name: getattr(query, name) for name in names}
    arrays["service_level"] = query.service_levels
    return {name: values for name, values in arrays.items() if values.size}


def resolve(
    sent: Mapping[str, Floats], stocks: Sequence[StockInputs], method: ReorderMethod
) -> Resolved:
    """Take each input from the request, else from the tables, else by default."""
    values: dict[str, Floats] = {}
    missing: dict[str, Flags] = {}
    assumed: dict[str, Flags] = {}
    for one in INPUTS:
        if not _is_read(one, method):
            values[one.name] = np.zeros(len(stocks))
            continue
        if one.name in sent:
            values[one.name] = np.asarray(sent[one.name], dtype=np.float64)
            continue
        # None, where the tables are silent, becomes NaN.
        read = np.array([getattr(stock, one.name) for stock in stocks], dtype=np.float64)
        values[one.name] = read
        silent = np.isnan(read)
        if not silent.any():
            continue
        if one.default is None:
            missing[one.name] = silent
            continue
        read[silent] = one.default
        if one.warned:
            assumed[one.name] = silent
    return Resolved(ReorderTerms(**values), missing, assumed)


def table_inputs(
    sent: Mapping[str, Floats], stock: StockInputs, method: ReorderMethod
) -> tuple[str, ...]:
    """Return the names of one series' inputs that came from tables, ascending."""
    return tuple(
        sorted(
            one.name
            for one in INPUTS
            if one.name not in sent
            and getattr(stock, one.name) is not None
            and _is_read(one, method)
        )
    )


def _is_read(one: Input, method: ReorderMethod) -> bool:
    return one.name != "lead_time_std_days" or method is not ReorderMethod.TEXTBOOK_DEMAND_ONLY
