"""Should-cost from a bill of materials: what is used, times its rate, element by element.

    raw material = sum of mass / yield x commodity price, and of bought components x their price
    labor        = sum of minutes / 60 x labor rate of the plant
    overhead     = overhead rate x labor
    logistics    = weight x freight per kilogram of the lane
    tariff       = duty x (raw material + labor + overhead)

A line of a bill is priced once: by the bill of its component where it has one, else by its
commodity, else by the component's own price; a line of work alone has no material. The spread
follows from independent rates, to first order, as a lognormal around the estimate.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from serving.domain.cost import CostElementKind, CostOverrides, Incoterm
from serving.domain.cost_answers import CostDriver, CostElement
from serving.domain.cost_rates import AT_PAR, Dated, Plant, deviation_of
from serving.domain.cost_usage import usage_of
from serving.errors import MissingInput, MissingRate

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from serving.domain.cost_rates import CostRates
    from serving.domain.cost_usage import PartReader, PartRecord, Usage

SPAN_DAYS = 90.0  # days an estimate is to hold: rates may move as far as they do in these
Z90 = 1.2815515655446004  # 90 % quantile of the standard normal distribution
REQUEST = "request"
MINUTES = 60.0
KINDS = tuple(CostElementKind)


@dataclass(frozen=True, slots=True)
class Job:
    """One part to roll up.

    Attributes:
        sku: The part.
        record: What the tables say of it, its bill perhaps another than the stored one.
        day: Day of the rates.
        currency: Currency of the answer; empty for that of the data.
        plant_id: Plant that makes it; empty where none is known.
        destination: Country it goes to; empty where none is known.
        incoterm: What the price covers.
        overrides: Drivers that take the place of the tables'.
    """

    sku: str
    record: PartRecord
    day: dt.date
    currency: str
    plant_id: str
    destination: str
    incoterm: Incoterm
    overrides: CostOverrides


class Use(NamedTuple):
    """One product of usage and rate, put into words only where somebody reads them."""

    name: str
    usage: float
    unit: str
    rate: Dated
    currency: str
    exchange: Dated
    cost: float

    def driver(self) -> CostDriver:
        """Return the words."""
        rate, exchange = self.rate, self.exchange
        return CostDriver(
            name=self.name,
            usage=self.usage,
            usage_unit=self.unit,
            rate=rate.value,
            rate_currency_code=self.currency,
            exchange_rate=exchange.value,
            cost=self.cost,
            rate_date=rate.day.isoformat() if rate.day else "",
            source=rate.source,
            exchange_rate_date=exchange.day.isoformat() if exchange.day else "",
        )


@dataclass(frozen=True, slots=True)
class RolledUp:
    """A cost, element by element.

    Attributes:
        costs: Cost of each of KINDS; they sum to the total.
        total: Cost of one unit.
        deviation: Standard deviation of the log of the total.
        certain: Drivers that were taken as certain, because no table says how far they move.
        uses: What each of KINDS is made of.
    """

    costs: tuple[float, ...]
    total: float
    deviation: float
    certain: tuple[str, ...]
    uses: tuple[Sequence[Use], ...]

    @property
    def elements(self) -> tuple[CostElement, ...]:
        """The elements with their drivers."""
        drivers = tuple(tuple(use.driver() for use in uses) for uses in self.uses)
        return self._elements(drivers)

    @property
    def bare_elements(self) -> tuple[CostElement, ...]:
        """The elements alone: of many parts nobody reads the drivers, and they take longest."""
        return self._elements(((),) * len(KINDS))

    def quantile(self, z: float) -> float:
        """Return the cost at a standard normal quantile."""
        return self.total * math.exp(z * self.deviation)

    def _elements(self, drivers: Sequence[tuple[CostDriver, ...]]) -> tuple[CostElement, ...]:
        total = self.total
        return tuple(
            CostElement(kind, cost, cost / total if total else 0.0, made_of)
            for kind, cost, made_of in zip(KINDS, self.costs, drivers, strict=True)
        )


def roll_up(job: Job, rates: CostRates, parts: PartReader) -> RolledUp:
    """Roll a part up.

    Args:
        job: The part, its day, plant and terms.
        rates: All rates.
        parts: Reads the records of components.

    Returns:
        The cost, element by element.

    Raises:
        InvalidField: If a bill holds a component cycle or is too deep.
        MissingInput: If no plant, destination or price of a component is known.
        MissingRate: If a rate has no row for the day.
        UnknownSeries: If no table has the plant.
    """
    return _RollUp(job, rates, parts).run()


class _RollUp:
    """One roll-up under way: the drivers so far, and what each rate moves."""

    def __init__(self, job: Job, rates: CostRates, parts: PartReader) -> None:
        self.job = job
        self.rates = rates
        self.parts = parts
        self.currency = job.currency or rates.currency_code
        self.moves: dict[str, float] = {}  # by rate: its relative deviation times what it moves
        self.certain: list[str] = []
        self.duty = 0.0

    def run(self) -> RolledUp:
        job = self.job
        usage = usage_of(job.sku, job.record.bill, self.parts)
        plant, lane = self._plant(usage), self._lane()
        duty: Dated | None = None
        tariff: tuple[Use, ...] = ()
        if job.incoterm is Incoterm.DDP:
            duty = self._duty(lane, self._chief(usage))
            self.duty = duty.value
        goods = self._raw_material(usage)
        labor, overhead = self._work(usage, plant)
        logistics = () if job.incoterm is Incoterm.EXW else self._logistics(usage, lane)
        if duty is not None:
            money = sum(use.cost for part in (goods, labor, overhead) for use in part)
            tariff = (self._share(f"duty {lane[0]} to {lane[1]}", money, duty),)
        return self._rolled((goods, labor, overhead, logistics, tariff))

    def _rolled(self, uses: tuple[Sequence[Use], ...]) -> RolledUp:
        costs = tuple(sum(use.cost for use in part) for part in uses)
        total = sum(costs)
        variance = sum(move * move for move in self.moves.values())
        deviation = math.sqrt(math.log1p(variance / (total * total))) if total else 0.0
        return RolledUp(costs, total, deviation, tuple(self.certain), uses)

    def _raw_material(self, usage: Usage) -> list[Use]:
        factor = self.job.overrides.mass_factor
        uses = []
        for name, mass in usage.commodities.items():
            said = self.job.overrides.commodity_prices.get(name)
            rate = (
                self._said(said)
                if said is not None
                else self.rates.commodity(name, self.job.day, SPAN_DAYS)
            )
            kilograms = mass if factor is None else mass * factor
            uses.append(self._use(name, kilograms, "kg", rate, goods=True))
        for name, units in usage.bought.items():
            record = self.parts.record(name)
            if record is None or record.price is None:
                raise MissingInput(f"price or bill of component {name!r}", "products")
            rate = Dated(record.price, record.price_currency, None, "products")
            uses.append(self._use(name, units, "unit", rate, goods=True))
        return uses

    def _work(self, usage: Usage, plant: Plant) -> tuple[Sequence[Use], Sequence[Use]]:
        if not usage.minutes:
            return (), ()
        overrides = self.job.overrides
        minutes = usage.minutes * (
            1.0 if overrides.labor_minutes_factor is None else overrides.labor_minutes_factor
        )
        name = f"plant {self.job.plant_id}" if self.job.plant_id else "plant"
        labor = self._plant_rate(
            "labor rate", overrides.labor_rate_hourly, plant.labor_rate, plant.labor_range
        )
        overhead = self._plant_rate(
            "overhead rate", overrides.overhead_rate, plant.overhead_rate, plant.overhead_range
        )
        if overrides.labor_rate_hourly is None:
            labor = Dated(labor.value, plant.currency, None, labor.source, labor.deviation)
        work = self._use(
            f"{name} labor", minutes / MINUTES, "h", labor, goods=True, knock_on=overhead.value
        )
        over = self._share(f"{name} overhead", work.cost, overhead)
        self._move(f"{name} overhead", over.cost * (1.0 + self.duty), overhead)
        return (work,), (over,)

    def _plant_rate(
        self, what: str, said: float | None, stored: float | None, rate_range: float
    ) -> Dated:
        if said is not None:
            return Dated(said, "", None, REQUEST)
        if stored is None:
            where = f"{what} of plant {self.job.plant_id!r}" if self.job.plant_id else what
            raise MissingRate(where, self.job.day, "plants")
        return Dated(stored, "", None, "plants", deviation_of(rate_range))

    def _logistics(self, usage: Usage, lane: tuple[str, str]) -> tuple[Use]:
        said = self.job.overrides.freight_per_kg
        rate = self._said(said) if said is not None else self.rates.freight_rate(lane, self.job.day)
        weight = self.job.record.weight_kg
        kilograms = usage.net_kg if weight is None else weight
        if not kilograms:
            raise MissingInput(f"weight_kg of {self.job.sku!r}", "products")
        name = f"freight {lane[0]} to {lane[1]}"
        return (self._use(name, kilograms, "kg", rate, goods=False),)

    def _duty(self, lane: tuple[str, str], commodity: str) -> Dated:
        said = self.job.overrides.tariff_rate
        if said is not None:
            return Dated(said, "", None, REQUEST)
        if lane[0] == lane[1]:  # goods that cross no border pay no duty
            return Dated(0.0, "", None, "domestic")
        return self.rates.tariff(lane, (self.job.record.category, commodity), self.job.day)

    def _use(  # noqa: PLR0913  the parts of a product of usage and rate
        self,
        name: str,
        usage: float,
        unit: str,
        rate: Dated,
        *,
        goods: bool,
        knock_on: float = 0.0,
    ) -> Use:
        """Take a product in the currency of the answer, and note what its rate moves."""
        source = rate.currency or (self.currency if rate.source == REQUEST else "")
        exchange = self.rates.exchange_rate(source, self.currency, self.job.day, SPAN_DAYS)
        cost = usage * rate.value * exchange.value
        moved = cost * (1.0 + knock_on) * (1.0 + (self.duty if goods else 0.0))
        self._move(name, moved, rate)
        if exchange.source:
            self._move(f"exchange {source}", moved, exchange)
        said = source or self.rates.currency_code
        return Use(name, usage, unit, rate, said, exchange, cost)

    def _share(self, name: str, money: float, rate: Dated) -> Use:
        """Take a share of money."""
        return Use(name, money, self.currency, rate, "", AT_PAR, money * rate.value)

    def _move(self, name: str, moved: float, rate: Dated) -> None:
        if rate.deviation:
            self.moves[name] = self.moves.get(name, 0.0) + rate.deviation * moved
        elif moved and rate.source != REQUEST:
            self.certain.append(name)

    def _said(self, value: float) -> Dated:
        return Dated(value, self.currency, None, REQUEST)

    def _plant(self, usage: Usage) -> Plant:
        """Return the plant; where only its country matters, that of the supplier will do."""
        if self.job.plant_id:
            return self.rates.plant(self.job.plant_id)
        said = self.job.overrides
        if usage.minutes and (said.labor_rate_hourly is None or said.overhead_rate is None):
            raise MissingInput("plant_id", "sourcing")
        return Plant(country=self.rates.suppliers.get(self.job.record.supplier_id, ""))

    def _lane(self) -> tuple[str, str]:
        """Return origin and destination country, empty where the price does not depend on them."""
        job = self.job
        if job.incoterm is Incoterm.EXW:
            return "", ""
        origin = (
            self.rates.plant(job.plant_id).country
            if job.plant_id
            else self.rates.suppliers.get(job.record.supplier_id, "")
        )
        if not origin:
            raise MissingInput("plant_id", "sourcing")
        destination = job.destination or self.rates.country
        if not destination:
            raise MissingInput("destination_country", "sourcing")
        return origin, destination

    def _chief(self, usage: Usage) -> str:
        """Return the commodity there is most of; empty where there is none."""
        return max(usage.commodities, key=lambda name: usage.commodities[name], default="")
