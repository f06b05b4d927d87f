"""The path of a should-cost request: query -> bill or quotes -> rates -> estimate -> gap."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from serving.domain.cost import (
    FORMULA_VERSION,
    PLAIN_GAP,
    CostRowStatus,
    Incoterm,
    Quote,
    QuoteGap,
    ShouldCost,
    ShouldCostBatch,
    ShouldCostMethod,
    ShouldCostQuery,
    gap_of,
)
from serving.domain.cost_rates import CostRates
from serving.domain.cost_rollup import SPAN_DAYS, Z90, Job, RolledUp, roll_up
from serving.domain.cost_usage import PartRecord
from serving.domain.series import Provenance
from serving.errors import (
    InvalidField,
    MissingInput,
    MissingRate,
    NoModel,
    NotReady,
    ParlevelError,
    UnknownSeries,
)
from serving.flows.answers import only
from serving.flows.cost_desk import RATES, CostDesk

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from serving.domain.cost import BatchShouldCostQuery, CostElement
    from serving.ports import Clock, CostModel, ModelSource, ReferenceReader

    Floats = NDArray[np.float64]

LEVELS = (0.1, 0.5, 0.9)
ELEMENTS = 5
NO_BILL = "no bill of materials is stored: this is an estimate from quotes for parts like it"
UNPRICED = "{} is needed to price the bill: this is an estimate from quotes for parts like it"
NO_MODEL = "no cost model serves: the calibrated flag is not answered"


@dataclass(frozen=True, slots=True)
class _Priced:
    """What the model says of one question, in the currency of the answer."""

    estimate: float
    quantiles: Floats
    range: tuple[float, ...]  # the quantiles of LEVELS


class CostFlow:
    """Answers should-cost questions from the stored cost tables and the cost model."""

    def __init__(
        self, reference: ReferenceReader, models: ModelSource[CostModel], clock: Clock
    ) -> None:
        """Take the readers of what the tables say and of the model, and the business clock."""
        self._reference = reference
        self._models = models
        self._clock = clock
        self._held: tuple[str, CostDesk, CostRates] | None = None

    def estimate(self, query: ShouldCostQuery) -> ShouldCost:
        """Estimate what one part should cost.

        Raises:
            InvalidField: If the quote has expired, or a bill holds a cycle.
            UnknownSeries: If no table has the part or plant.
            MissingInput: If neither the request nor a table has an input.
            MissingRate: If a rate has no row for the day.
            NoModel: If the part has no bill and no model is promoted.
        """
        return only(self.estimate_many([query]))

    def estimate_many(
        self, queries: Sequence[ShouldCostQuery], *, drivers: bool = True
    ) -> list[ShouldCost | ParlevelError]:
        """Return each estimate, or why there is none.

        Args:
            queries: The questions.
            drivers: Whether the elements come with their drivers, which take longest to tell.
        """
        (desk, rates), model, today = self._stored(), self._model(), self._today()
        rolled: list[RolledUp | str | ParlevelError] = []
        for query in queries:
            try:
                rolled.append(self._rolled(query, desk, rates, today))
            except MissingInput as error:
                # A bill nobody priced is no bill: quotes answer, and the answer says so.
                unpriced = query.method is ShouldCostMethod.AUTO and model is not None
                rolled.append(UNPRICED.format(error.field) if unpriced else error)
            except ParlevelError as error:
                rolled.append(error)
        wanted = [
            place
            for place, query in enumerate(queries)
            if isinstance(rolled[place], str)
            or (isinstance(rolled[place], RolledUp) and query.quote.unit_price is not None)
        ]
        priced: dict[int, _Priced] = {}
        if model is not None and wanted:
            asked = [queries[place] for place in wanted]
            priced = dict(zip(wanted, _priced(asked, desk, model, rates, today), strict=True))
        answering = _Answering(model, rates, today, drivers)
        return [
            found
            if isinstance(found, ParlevelError)
            else answering.answer(query, found, priced.get(place))
            for place, (query, found) in enumerate(zip(queries, rolled, strict=True))
        ]

    def estimate_batch(self, batch: BatchShouldCostQuery) -> ShouldCostBatch:
        """Estimate what many parts should cost.

        Raises:
            InvalidField: If a bill holds a cycle.
        """
        answers = self.estimate_many(_queries(batch), drivers=False)
        for answer in answers:
            if isinstance(answer, InvalidField):
                raise answer
        statuses = tuple(_status(answer) for answer in answers)
        found = [answer for answer in answers if isinstance(answer, ShouldCost)]
        return _packed(batch, statuses, found)

    def _rolled(
        self, query: ShouldCostQuery, desk: CostDesk, rates: CostRates, today: dt.date
    ) -> RolledUp | str:
        """Roll a part up from its bill, or say why quotes are to answer; empty where asked to."""
        day = query.as_of_date or today
        until = query.quote.valid_until_date
        if until is not None and until < day:
            raise InvalidField(
                "quote.valid_until_date", f"must not be before {day}: the quote has expired"
            )
        record = desk.record(query.sku)
        if record is None and not query.bill:
            raise UnknownSeries("sku", query.sku)
        record = record or PartRecord()
        bill = query.bill or record.bill
        if query.method is ShouldCostMethod.QUOTES or not bill:
            if query.method is ShouldCostMethod.BILL:
                raise MissingInput("bill", "bills_of_material")
            return "" if query.method is ShouldCostMethod.QUOTES else NO_BILL
        job = Job(
            sku=query.sku,
            record=replace(record, bill=bill) if query.bill else record,
            day=day,
            currency=query.currency_code,
            plant_id=query.plant_id or record.plant_id,
            destination=query.destination_country or record.destination,
            incoterm=query.incoterm or record.incoterm or Incoterm.DDP,
            overrides=query.overrides,
        )
        return roll_up(job, rates, desk)

    def _today(self) -> dt.date:
        """Return the day business has reached; the midnight that ends a day still belongs to it."""
        return (self._clock.now() - dt.timedelta(microseconds=1)).date()

    def _model(self) -> CostModel | None:
        try:
            return self._models.current()
        except NoModel:
            return None

    def _stored(self) -> tuple[CostDesk, CostRates]:
        """Return the reader and the rates of the current generation, parsed once."""
        generation, held = self._reference.generation, self._held
        if held is None or held[0] != generation:
            said = self._reference.document(RATES, "")
            rates = CostRates.from_document(said) if said else CostRates()
            held = (generation, CostDesk(self._reference), rates)
            self._held = held
        return held[1], held[2]


@dataclass(frozen=True, slots=True)
class _Answering:
    """Puts answers together."""

    model: CostModel | None
    rates: CostRates
    today: dt.date
    drivers: bool

    def answer(
        self, query: ShouldCostQuery, rolled: RolledUp | str, priced: _Priced | None
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

    def _gap(self, query: ShouldCostQuery, cost: float, priced: _Priced | None) -> QuoteGap | None:
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
        self, query: ShouldCostQuery, rolled: RolledUp | str, priced: _Priced | None
    ) -> Provenance:
        warnings = [rolled] if isinstance(rolled, str) and rolled else []
        if isinstance(rolled, RolledUp) and rolled.certain:
            names = ", ".join(dict.fromkeys(rolled.certain))
            warnings.append(f"taken as certain, as no table says how far they move: {names}")
        if priced is None and query.quote.unit_price is not None:
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


def _priced(
    queries: Sequence[ShouldCostQuery],
    desk: CostDesk,
    model: CostModel,
    rates: CostRates,
    today: dt.date,
) -> list[_Priced]:
    """Return what the model says of some questions, asked together."""
    estimates, quantiles = model.prices(desk.rows(model.encoding, queries, today))
    ranged = quantiles[:, [model.levels.index(level) for level in LEVELS]].tolist()
    found = []
    for place, query in enumerate(queries):
        wanted = query.currency_code or rates.currency_code or model.currency_code
        source = model.currency_code or wanted
        rate = rates.exchange_rate(source, wanted, query.as_of_date or today, SPAN_DAYS).value
        money = quantiles[place] * rate
        held = tuple(value * rate for value in ranged[place])
        found.append(_Priced(float(estimates[place]) * rate, money, held))
    return found


def _queries(batch: BatchShouldCostQuery) -> list[ShouldCostQuery]:
    """Return the question of each row."""
    columns = {
        "unit_price": batch.unit_prices.tolist(),
        "quantity": batch.quantities.tolist(),
        "supplier_id": batch.supplier_ids,
        "minimum_order_quantity": batch.minimum_order_quantities.tolist(),
        "annual_usage": batch.annual_usages.tolist(),
    }
    sent = {name: values for name, values in columns.items() if len(values)}
    return [
        ShouldCostQuery(
            sku=sku,
            method=batch.method,
            currency_code=batch.currency_code,
            as_of_date=batch.as_of_date,
            quote=Quote(**{name: values[row] for name, values in sent.items()}),
            allowed_margin=batch.allowed_margin,
            false_alarm_rate=batch.false_alarm_rate,
        )
        for row, sku in enumerate(batch.skus)
    ]


def _status(answer: ShouldCost | ParlevelError) -> CostRowStatus:
    if isinstance(answer, ShouldCost):
        return CostRowStatus.OK
    if isinstance(answer, UnknownSeries):
        return CostRowStatus.UNKNOWN_PART
    if isinstance(answer, MissingRate):
        return CostRowStatus.MISSING_RATE
    if isinstance(answer, NotReady):
        return CostRowStatus.NO_ESTIMATE
    raise answer


def _packed(
    batch: BatchShouldCostQuery,
    statuses: tuple[CostRowStatus, ...],
    found: Sequence[ShouldCost],
) -> ShouldCostBatch:
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
