"""Should-cost answers from what was rolled up and what the model says, one by one and packed."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from serving.domain.cost import CostOverrides, CostRowStatus, ShouldCostMethod
from serving.domain.cost_answers import (
    FORMULA_VERSION,
    PLAIN_GAP,
    QuoteGap,
    ShouldCost,
    ShouldCostBatch,
    gap_of,
)
from serving.domain.cost_rollup import Z90, RolledUp
from serving.domain.series import Provenance
from serving.errors import MissingRate, NoModel, NotReady, ParlevelError, UnknownSeries
from serving.flows.cost_quantities import FEWEST, quantities_for

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from serving.domain.cost import BatchShouldCostQuery, Quote, ShouldCostQuery
    from serving.domain.cost_answers import CostElement
    from serving.domain.cost_rates import CostRates
    from serving.domain.part_features import PartEncoding
    from serving.ports import CostModel

    Floats = NDArray[np.float64]

ELEMENTS = 5
NO_MODEL = "no cost model serves: the calibrated flag is not answered"


@dataclass(frozen=True, slots=True)
class Priced:
    """What the model says of one question, in the currency of the answer."""

    estimate: float
    quantiles: Floats
    range: tuple[float, ...]  # the quantiles of LEVELS


@dataclass(frozen=True, slots=True)
class Answering:
    """Puts answers together.

    Attributes:
        model: The cost model; None where none serves.
        rates: The rates of the tables.
        today: The business day.
        drivers: Whether elements come with their drivers.
    """

    model: CostModel | None
    rates: CostRates
    today: dt.date
    drivers: bool

    def answer(
        self, query: ShouldCostQuery, rolled: RolledUp | str, priced: Priced | None
    ) -> ShouldCost | ParlevelError:
        """Return the answer to one question, from its bill first."""
        if isinstance(rolled, RolledUp):
            low, middle, high = (rolled.quantile(z) for z in (-Z90, 0.0, Z90))
            cost, method = rolled.total, ShouldCostMethod.BILL
        elif priced is not None and self.model is not None:
            low, middle, high = priced.range
            cost, method = priced.estimate, ShouldCostMethod.QUOTES
        else:
            return NoModel("cost", "parlevel train cost")
        currency = query.currency_code or self.rates.currency_code
        return ShouldCost(
            provenance=self._provenance(query, rolled, priced),
            sku=query.sku,
            method=method,
            currency_code=currency or (self.model.currency_code if self.model else ""),
            as_of_date=(query.as_of_date or self.today).isoformat(),
            should_cost=cost,
            should_cost_p10=low,
            should_cost_p50=middle,
            should_cost_p90=high,
            elements=self._elements(rolled) if isinstance(rolled, RolledUp) else (),
            gap=self._gap(query, cost, priced),
        )

    def _elements(self, rolled: RolledUp) -> tuple[CostElement, ...]:
        return rolled.elements if self.drivers else rolled.bare_elements

    def _gap(self, query: ShouldCostQuery, cost: float, priced: Priced | None) -> QuoteGap | None:
        price = query.quote.unit_price
        if price is None or not cost:
            return None
        gap = gap_of(price, cost, query.allowed_margin)
        if priced is None or self.model is None:
            return QuoteGap(gap, gap > PLAIN_GAP)
        p_value = tail_probability(price, priced.quantiles, self.model.levels)
        return QuoteGap(
            gap, gap > PLAIN_GAP, priced.estimate, p_value, p_value <= query.false_alarm_rate
        )

    def _provenance(
        self, query: ShouldCostQuery, rolled: RolledUp | str, priced: Priced | None
    ) -> Provenance:
        warnings = [*_of_the_bill(query, rolled)]
        if priced is not None and self.model is not None:
            warnings += _of_the_quote(query.quote, self.model.encoding)
        elif query.quote.unit_price is not None:
            warnings.append(NO_MODEL)
        formula = FORMULA_VERSION if isinstance(rolled, RolledUp) else ""
        if priced is None or self.model is None:
            return Provenance(formula_version=formula, warnings=tuple(warnings))
        said = self.model.description
        return Provenance(
            model_name=said.name,
            model_version=said.version,
            model_digest=said.digest,
            formula_version=formula,
            feature_set_hash=said.feature_set_hash,
            warnings=tuple(warnings),
        )


def tail_probability(price: float, quantiles: Floats, levels: Sequence[float]) -> float:
    """Return the probability of a price as high or higher, within the outermost levels.

    Between levels it is interpolated in the log of the price.

    Args:
        price: The price, 0 or more.
        quantiles: Price quantiles, ascending, above 0, shape (levels,).
        levels: Their probability levels, ascending.

    Example:
        >>> round(tail_probability(2.0, np.array([1.0, 4.0]), (0.1, 0.9)), 6)
        0.5
    """
    if price <= 0.0:
        return 1.0 - levels[0]
    return 1.0 - float(np.interp(math.log(price), np.log(quantiles), levels))


def _of_the_bill(query: ShouldCostQuery, rolled: RolledUp | str) -> Iterator[str]:
    """Yield what should be known of the bill an estimate rests on, or of there being none."""
    if isinstance(rolled, str):
        if rolled:
            yield rolled
        if query.overrides != CostOverrides():
            yield "an estimate from quotes knows no drivers: the overrides change nothing"
        return
    used = {use.name for use in rolled.uses[0]}
    for name in query.overrides.commodity_prices:
        if name not in used:
            yield f"no line of the bill is of {name!r}: its price changes nothing"
    if rolled.certain:
        names = ", ".join(dict.fromkeys(rolled.certain))
        yield f"taken as certain, as no table says how far they move: {names}"


def _of_the_quote(quote: Quote, encoding: PartEncoding) -> Iterator[str]:
    """Yield what of a quote is unlike those the model was trained on."""
    if quote.supplier_id and quote.supplier_id not in encoding.suppliers:
        yield f"no past quote is of supplier {quote.supplier_id!r}: it counts as any"
    quoted = encoding.quoted_quantities
    if quote.quantity not in quantities_for(quote.quantity, quoted):
        few = len(quoted) >= FEWEST
        units = (
            ", ".join(f"{one:g}" for one in quoted) if few else f"{quoted[0]:g} to {quoted[-1]:g}"
        )
        yield (
            f"past quotes are for {units} units: those next to this quantity tell its price, which "
            "is a guess, and so is the flag"
        )


def status_of(answer: ShouldCost | ParlevelError) -> CostRowStatus:
    """Return the outcome of one row of a batch; a failure that is not of its row is raised."""
    if isinstance(answer, ShouldCost):
        return CostRowStatus.OK
    if isinstance(answer, UnknownSeries):
        return CostRowStatus.UNKNOWN_PART
    if isinstance(answer, MissingRate):
        return CostRowStatus.MISSING_RATE
    if isinstance(answer, NotReady):
        return CostRowStatus.NO_ESTIMATE
    raise answer


def packed(
    batch: BatchShouldCostQuery,
    statuses: tuple[CostRowStatus, ...],
    found: Sequence[ShouldCost],
) -> ShouldCostBatch:
    """Pack the answers of a batch into flat arrays."""
    gaps = [answer.gap for answer in found if answer.gap is not None]
    judged = [gap for gap in gaps if gap.p_value is not None]
    elements = [[one.cost for one in answer.elements] for answer in found if answer.elements]
    warnings = dict.fromkeys(text for answer in found for text in answer.provenance.warnings)
    provenance = next((a.provenance for a in found if a.provenance.model_name), None) or (
        found[0].provenance if found else Provenance()
    )
    formula = FORMULA_VERSION if elements else ""
    return ShouldCostBatch(
        provenance=replace(provenance, formula_version=formula, warnings=tuple(warnings)),
        row_count=len(found),
        row_statuses=statuses,
        methods=tuple(answer.method for answer in found),
        currency_code=found[0].currency_code if found else batch.currency_code,
        should_costs=np.array([answer.should_cost for answer in found]),
        should_cost_p10=np.array([answer.should_cost_p10 for answer in found]),
        should_cost_p50=np.array([answer.should_cost_p50 for answer in found]),
        should_cost_p90=np.array([answer.should_cost_p90 for answer in found]),
        element_costs=np.array(elements, dtype=np.float64).reshape(-1, ELEMENTS),
        gaps=np.array([gap.gap for gap in gaps]),
        gap_flags=np.array([gap.gap_flag for gap in gaps], dtype=np.bool_),
        p_values=np.array([gap.p_value for gap in judged], dtype=np.float64),
        flags=np.array([gap.flag for gap in judged], dtype=np.bool_),
    )
