"""The path of a should-cost request: query -> bill or quotes -> rates -> estimate -> gap."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from serving.domain.cost import Incoterm, Quote, ShouldCostMethod, ShouldCostQuery
from serving.domain.cost_answers import ShouldCost, ShouldCostBatch
from serving.domain.cost_rates import CostRates
from serving.domain.cost_rollup import SPAN_DAYS, Job, RolledUp, roll_up
from serving.domain.cost_usage import PartRecord
from serving.errors import (
    InvalidField,
    MissingInput,
    NoModel,
    ParlevelError,
    UnknownSeries,
)
from serving.flows.answers import only
from serving.flows.cost_answers import Answering, Priced, packed, status_of
from serving.flows.cost_desk import RATES, CostDesk
from serving.flows.cost_quantities import at_quantity, quantities_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from serving.domain.cost import BatchShouldCostQuery
    from serving.ports import Clock, CostModel, ModelSource, ReferenceReader

    Floats = NDArray[np.float64]

LEVELS = (0.1, 0.5, 0.9)
NO_BILL = "no bill of materials is stored: this is an estimate from quotes for parts like it"
UNPRICED = "{} is needed to price the bill: this is an estimate from quotes for parts like it"


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
        priced: dict[int, Priced] = {}
        if model is not None and wanted:
            asked = [queries[place] for place in wanted]
            priced = dict(zip(wanted, _priced(asked, desk, model, rates, today), strict=True))
        answering = Answering(model, rates, today, drivers)
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
        statuses = tuple(status_of(answer) for answer in answers)
        found = [answer for answer in answers if isinstance(answer, ShouldCost)]
        return packed(batch, statuses, found)

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


def _priced(
    queries: Sequence[ShouldCostQuery],
    desk: CostDesk,
    model: CostModel,
    rates: CostRates,
    today: dt.date,
) -> list[Priced]:
    """Return what the model says of some questions, asked together."""
    estimates, quantiles = _prices(queries, desk, model, today)
    ranged = quantiles[:, [model.levels.index(level) for level in LEVELS]].tolist()
    found = []
    for place, query in enumerate(queries):
        wanted = query.currency_code or rates.currency_code or model.currency_code
        source = model.currency_code or wanted
        rate = rates.exchange_rate(source, wanted, query.as_of_date or today, SPAN_DAYS).value
        money = quantiles[place] * rate
        held = tuple(value * rate for value in ranged[place])
        found.append(Priced(float(estimates[place]) * rate, money, held))
    return found


def _prices(
    queries: Sequence[ShouldCostQuery], desk: CostDesk, model: CostModel, today: dt.date
) -> tuple[Floats, Floats]:
    """Return estimate, shape (n,), and quantiles, shape (n, levels), of each question."""
    quoted = model.encoding.quoted_quantities
    told = [quantities_for(query.quote.quantity, quoted) for query in queries]
    asked = [
        at_quantity(query, quantity)
        for query, weights in zip(queries, told, strict=True)
        for quantity in weights
    ]
    prices = np.column_stack(model.prices(desk.rows(model.encoding, asked, today)))
    if len(asked) > len(queries):
        counts = np.array([len(weights) for weights in told])
        first = np.cumsum(counts) - counts
        low = first[counts > 1]
        share = np.array([[tuple(weights.values())[1]] for weights in told if len(weights) > 1])
        prices[low] = np.exp((1.0 - share) * np.log(prices[low]) + share * np.log(prices[low + 1]))
        prices = prices[first]
    return prices[:, 0], prices[:, 1:]


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
