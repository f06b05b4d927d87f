"""The batch form of the reorder question: one row a series."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa

from serving.adapters.packed import STOCK_FIELDS
from serving.domain.history import MAX_HORIZON
from serving.domain.periods import frequency_of, last_day
from serving.domain.reorder_levels import ReorderLevels, decide
from serving.domain.reorder_words import decisions, explain
from serving.domain.replenishment import ReorderMethod, check_service_level
from serving.domain.supply import TargetKind
from serving.errors import BeyondTrained, InvalidField, MissingInput
from serving.flows.reorder_covers import predicted
from serving.flows.reorder_inputs import TABLES, resolve
from serving.ports import StockInputs
from training.features.overrides import load_overrides
from training.features.stock import stock_inputs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from serving.domain.features import SeriesRecords
    from serving.domain.overrides import Override
    from serving.domain.reorder_levels import ReorderTerms
    from serving.flows.cover_hands import Hands
    from serving.flows.reorder_inputs import Resolved
    from serving.ports import DemandModel
    from training.batch.questions import Answerer, Block, Part
    from training.panel import Folder

    Floats = NDArray[np.float64]
    Rows = NDArray[np.intp]
    Said = Mapping[tuple[str, str], tuple[Override, ...]]

_STOCK = "on_hand"
_PAIR = ("sku", "location")
_STOCK_ROWS = 20_000  # of a row group: about a block


class _Decided(NamedTuple):
    """What was decided on some rows of a part: their places, the inputs of all, the levels.

    Levels are None where there are no rows.
    """

    rows: Rows
    found: Resolved
    levels: ReorderLevels | None


@dataclass(frozen=True, slots=True)
class ReorderQuestion:
    """Asks what to order for every series; what is None comes from the tables.

    Attributes:
        cover_days: Days an order must last; lead time plus review days where None.
        service_level: Probability of no stock-out in a cycle, 0.5 to 0.99.
        method: How the order-up-to level is computed.
    """

    cover_days: int | None = None
    service_level: float | None = None
    method: ReorderMethod = ReorderMethod.DISTRIBUTION

    def __post_init__(self) -> None:
        """Refuse what no model could answer."""
        if self.cover_days is not None and not 1 <= self.cover_days <= MAX_HORIZON:
            raise InvalidField("cover_days", f"must be from 1 to {MAX_HORIZON}")
        if self.service_level is not None:
            check_service_level("service_level", self.service_level)

    def options(self) -> Mapping[str, object]:
        """Return the options, fit for JSON."""
        return {
            "question": "reorder",
            "cover_days": self.cover_days,
            "service_level": self.service_level,
            "method": self.method.name,
        }

    def check(self, model: DemandModel) -> None:
        """Refuse a cover beyond the model's.

        Raises:
            BeyondTrained: If it is.
        """
        longest = model.description.max_cover
        if self.cover_days is not None and self.cover_days > longest:
            raise BeyondTrained("cover_days", limit=f"from 1 to {longest}")

    def gather(self, folder: Folder, data_dir: Path, file: Path) -> None:
        """Read stock and terms of every series."""
        if not file.exists():
            _write_stock(folder, data_dir, file)

    def answerer(self, model: DemandModel, block: Block, data_dir: Path, file: Path) -> Answerer:
        """Read overrides and a block's stock and terms and return what answers its parts."""
        stocks = _stocks(block, file)
        hands = load_overrides(data_dir, frequency_of(block.origin))
        return lambda part: self._answer(
            model, part, [stocks[index] for index in part.series], hands
        )

    def _answer(
        self, model: DemandModel, part: Part, stocks: Sequence[StockInputs], said: Said
    ) -> pa.Table:
        found = resolve(self._sent(len(stocks)), stocks, self.method)
        reasons = _reasons(found, model.description.max_cover)
        usable = np.array([reason is None or reason[0] == _STOCK for reason in reasons])
        rows = np.flatnonzero(usable)
        some = part.records.take(rows)
        hands = _in_force(part, rows, said)
        decided = _Decided(rows, found, self._decide(model, some, found.terms.take(rows), hands))
        return _table(part, decided, [None if reason is None else reason[1] for reason in reasons])

    def _sent(self, count: int) -> dict[str, Floats]:
        """Return what the options settle for every series."""
        sent = {}
        if self.cover_days is not None:  # what is ordered lasts until the next order
            sent["review_days"] = np.full(count, float(self.cover_days))
            sent["lead_time_days"] = sent["lead_time_std_days"] = np.zeros(count)
        if self.service_level is not None:
            sent["service_level"] = np.full(count, self.service_level)
            sent["target_kind"] = np.full(count, float(TargetKind.CYCLE_SERVICE))
        return sent

    def _decide(
        self, model: DemandModel, records: SeriesRecords, terms: ReorderTerms, hands: Hands
    ) -> ReorderLevels | None:
        """Decide on some series; None where there is none."""
        if not terms.on_hand.size:
            return None
        return decide(terms, predicted(model, records, terms, hands), self.method)


def _in_force(part: Part, rows: Rows, said: Said) -> Hands:
    """Return the overrides in force of some rows of a part, by their place among them."""
    origin = int(last_day(part.records.origin).astype(np.int64))
    found = {}
    for place, row in enumerate(rows.tolist() if said else ()):
        overrides = said.get((part.skus[row], part.locations[row]), ())
        held = [one for one in overrides if one.holds(origin)]
        if held:
            found[place] = held
    return found


def _write_stock(folder: Folder, data_dir: Path, file: Path) -> None:
    """Write what the tables say of each series, as serving reads it, in the order of the series."""
    pairs = folder.sales.series
    keys, values = stock_inputs(data_dir, pairs, last_day(folder.sales.last_day).astype(object))
    stock = keys.hstack(pl.DataFrame(values, schema=list(STOCK_FIELDS), orient="row"))
    new = file.with_suffix(".new")
    pairs.join(stock, on=_PAIR, how="left", maintain_order="left").write_parquet(
        new, compression="zstd", row_group_size=_STOCK_ROWS
    )
    new.replace(file)


def _stocks(block: Block, file: Path) -> list[StockInputs]:
    """Return what the tables say of each series of a block."""
    near = pl.col("sku").is_between(pl.lit(block.skus[0]), pl.lit(block.skus[-1]))
    stock = pl.scan_parquet(file, glob=False).filter(near).collect()
    return [
        StockInputs(
            **{
                field: value
                for field, value in zip(STOCK_FIELDS, row, strict=True)
                if not math.isnan(value)
            }
        )
        for row in stock.select(STOCK_FIELDS).iter_rows()
    ]


def _reasons(found: Resolved, longest: int) -> list[tuple[str, str] | None]:
    """Return why a series gets no full answer: the input to blame and a sentence; None if it does.

    What keeps back more goes before stock, without which levels can still be told.
    """
    terms = found.terms
    reasons: list[tuple[str, str] | None] = [None] * terms.on_hand.size
    for name in sorted(found.missing, key=lambda one: one != _STOCK):
        sentence = str(MissingInput(name, TABLES[name]))
        for row in np.flatnonzero(found.missing[name]):
            reasons[row] = (name, sentence)
    known = ~np.isnan(terms.service_level) & ~np.isnan(terms.days)
    beyond = (
        ("service_level", ~terms.promisable, "from 0.5 to 0.99"),
        ("lead_time_days + review_days", terms.days > longest, f"from 1 to {longest} days"),
    )
    for name, flags, limit in beyond:
        for row in np.flatnonzero(flags & known):
            reasons[row] = (name, str(BeyondTrained(name, limit=limit)))
    return reasons


def _table(part: Part, decided: _Decided, reasons: Sequence[str | None]) -> pa.Table:
    """Lay out what was decided; null where it was not."""
    rows, levels = decided.rows, decided.levels
    terms = decided.found.terms.take(rows)
    stocked = ~np.isnan(terms.on_hand)

    def column(values: NDArray[np.generic], kept: NDArray[np.bool_] | None = None) -> pa.Array:
        return _spread(values, rows, len(part.skus), kept)

    def figure(name: str) -> Floats:
        return np.empty(0) if levels is None else getattr(levels, name)

    columns = {
        "sku": pa.array(part.skus, pa.string()),
        "location": pa.array(part.locations, pa.string()),
        "order_up_to": column(figure("order_up_to")),
        # An order costs nothing by itself here: any position below the level is raised to it.
        "reorder_point": column(figure("order_up_to")),
        "safety_stock": column(figure("safety_stock")),
        "order_quantity": column(figure("order_quantity"), stocked),
        "expected_fill_rate": column(figure("fill_rate")),
        "expected_demand": column(figure("expected_demand")),
        "stockout_probability": column(figure("stockout_probability"), stocked),
        "cover_days": column(terms.cover_days),
        "service_level": column(terms.service_level),
        "reason": pa.array(_sentences(decided, stocked, reasons), pa.string()),
    }
    return pa.table(columns)


def _spread(
    values: NDArray[np.generic], rows: Rows, count: int, kept: NDArray[np.bool_] | None = None
) -> pa.Array:
    """Put values of some rows into a column, null elsewhere and where they are not kept."""
    out = np.zeros(count, dtype=values.dtype)
    null = np.ones(count, dtype=np.bool_)
    out[rows] = values
    null[rows] = False if kept is None else ~kept
    return pa.array(out, mask=null)


def _sentences(
    decided: _Decided, stocked: NDArray[np.bool_], reasons: Sequence[str | None]
) -> list[str | None]:
    """Return each decision in a sentence, or why there is none."""
    sentences = list(reasons)
    if decided.levels is None:
        return sentences
    terms = decided.found.terms.take(decided.rows)
    each = zip(
        decided.rows.tolist(), stocked.tolist(), decisions(terms, decided.levels), strict=True
    )
    for row, known, decision in each:
        if known:
            sentences[row] = explain(decision)
    return sentences
