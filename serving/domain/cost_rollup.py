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
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from serving.domain.cost import (
    BillLine,
    CostDriver,
    CostElement,
    CostElementKind,
    CostOverrides,
    Incoterm,
)
from serving.domain.cost_rates import Dated, Plant, deviation_of
from serving.errors import InvalidField, MissingInput, MissingRate

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from serving.domain.cost_rates import CostRates

SPAN_DAYS = 90.0  # days an estimate is to hold: rates may move as far as they do in these
Z90 = 1.2815515655446004  # 90 % quantile of the standard normal distribution
MAX_DEPTH = 50
MAX_STEPS = 100_000  # lines a bill may have once every sub-bill is laid open
REQUEST = "request"
MINUTES = 60.0


@dataclass(frozen=True, slots=True)
class PartRecord:
    """What the tables say of a part; empty and None where they are silent.

    Attributes:
        bill: Lines of its bill.
        category: Category of the product.
        weight_kg: Weight of one unit.
        price: Money one unit is bought for.
        price_currency: Currency of that price.
        supplier_id: Preferred supplier.
        plant_id: Plant that makes it.
        destination: Country it is delivered to.
        incoterm: What its price covers.
    """

    bill: tuple[BillLine, ...] = ()
    category: str = ""
    weight_kg: float | None = None
    price: float | None = None
    price_currency: str = ""
    supplier_id: str = ""
    plant_id: str = ""
    destination: str = ""
    incoterm: Incoterm | None = None


class PartReader(Protocol):
    """Gives what the tables say of parts."""

    def record(self, sku: str) -> PartRecord | None:
        """Return the record of a part, or None where no table has it."""


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


@dataclass(frozen=True, slots=True)
class RolledUp:
    """A cost, element by element.

    Attributes:
        elements: The elements; their costs sum to the total.
        total: Cost of one unit.
        deviation: Standard deviation of the log of the total.
        certain: Drivers that were taken as certain, because no table says how far they move.
    """

    elements: tuple[CostElement, ...]
    total: float
    deviation: float
    certain: tuple[str, ...]

    def quantile(self, z: float) -> float:
        """Return the cost at a standard normal quantile."""
        return self.total * math.exp(z * self.deviation)


@dataclass(slots=True)
class Usage:
    """What one unit of a part uses, its sub-bills laid open.

    Attributes:
        commodities: Kilograms bought by commodity.
        bought: Units by component.
        minutes: Minutes of work.
        net_kg: Kilograms of commodities that end in the part.
    """

    commodities: dict[str, float] = field(default_factory=dict)
    bought: dict[str, float] = field(default_factory=dict)
    minutes: float = 0.0
    net_kg: float = 0.0


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


def usage_of(sku: str, bill: tuple[BillLine, ...], parts: PartReader) -> Usage:
    """Lay a bill open down to commodities, bought components and work.

    Args:
        sku: The part.
        bill: Its bill.
        parts: Reads the records of components.

    Returns:
        What one unit of the part uses.

    Raises:
        InvalidField: If it holds a component cycle, or is too deep or too long.
    """
    usage, steps = Usage(), 0
    open_lines: list[tuple[BillLine, float, tuple[str, ...]]] = [
        (line, 1.0, (sku,)) for line in reversed(bill)
    ]
    while open_lines:
        line, units, path = open_lines.pop()
        steps += 1
        if line.component in path:
            cycle = " > ".join((*path[path.index(line.component) :], line.component))
            raise InvalidField("bill", f"holds a component cycle: {cycle}")
        if len(path) > MAX_DEPTH or steps > MAX_STEPS:
            raise InvalidField(
                "bill", f"must open to {MAX_DEPTH} levels, {MAX_STEPS:,} lines at most"
            )
        units *= line.quantity
        usage.minutes += units * line.labor_minutes
        below = parts.record(line.component)
        if below is not None and below.bill:
            inner = (*path, line.component)
            open_lines += [(one, units, inner) for one in reversed(below.bill)]
        elif line.commodity:
            bought = units * line.mass_kg / line.yield_rate
            usage.commodities[line.commodity] = usage.commodities.get(line.commodity, 0.0) + bought
            usage.net_kg += units * line.mass_kg
        elif not line.labor_minutes or (below is not None and below.price is not None):
            usage.bought[line.component] = usage.bought.get(line.component, 0.0) + units
    return usage


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
        duty, tariff = None, job.incoterm is Incoterm.DDP
        if tariff:
            duty = self._duty(lane, self._chief(usage))
            self.duty = duty.value
        raw = self._raw_material(usage)
        labor, overhead = self._work(usage, plant)
        drivers = {
            CostElementKind.RAW_MATERIAL: raw,
            CostElementKind.LABOR: labor,
            CostElementKind.OVERHEAD: overhead,
        }
        if job.incoterm is not Incoterm.EXW:
            drivers[CostElementKind.LOGISTICS] = self._logistics(usage, lane)
        if duty is not None:
            goods = sum(driver.cost for part in (raw, labor, overhead) for driver in part)
            name = f"duty {lane[0]} to {lane[1]}"
            drivers[CostElementKind.TARIFF] = [self._share(name, goods, duty)]
        return self._rolled(drivers)

    def _rolled(self, drivers: Mapping[CostElementKind, list[CostDriver]]) -> RolledUp:
        costs = {
            kind: sum(driver.cost for driver in drivers.get(kind, ())) for kind in CostElementKind
        }
        total = sum(costs.values())
        elements = tuple(
            CostElement(kind, cost, cost / total if total else 0.0, tuple(drivers.get(kind, ())))
            for kind, cost in costs.items()
        )
        variance = sum(move * move for move in self.moves.values())
        deviation = math.sqrt(math.log1p(variance / (total * total))) if total else 0.0
        return RolledUp(elements, total, deviation, tuple(self.certain))

    def _raw_material(self, usage: Usage) -> list[CostDriver]:
        factor = self.job.overrides.mass_factor
        drivers = []
        for name, mass in usage.commodities.items():
            said = self.job.overrides.commodity_prices.get(name)
            rate = (
                self._said(said)
                if said is not None
                else self.rates.commodity(name, self.job.day, SPAN_DAYS)
            )
            kilograms = mass if factor is None else mass * factor
            drivers.append(self._driver(name, kilograms, "kg", rate, goods=True))
        for name, units in usage.bought.items():
            record = self.parts.record(name)
            if record is None or record.price is None:
                raise MissingInput(f"price or bill of component {name!r}", "products")
            rate = Dated(record.price, record.price_currency, None, "products")
            drivers.append(self._driver(name, units, "unit", rate, goods=True))
        return drivers

    def _work(self, usage: Usage, plant: Plant) -> tuple[list[CostDriver], list[CostDriver]]:
        if not usage.minutes:
            return [], []
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
        work = self._driver(
            f"{name} labor", minutes / MINUTES, "h", labor, goods=True, knock_on=overhead.value
        )
        over = self._share(f"{name} overhead", work.cost, overhead)
        self._move(f"{name} overhead", over.cost * (1.0 + self.duty), overhead)
        return [work], [over]

    def _plant_rate(
        self, what: str, said: float | None, stored: float | None, rate_range: float
    ) -> Dated:
        if said is not None:
            return Dated(said, "", None, REQUEST)
        if stored is None:
            where = f"{what} of plant {self.job.plant_id!r}" if self.job.plant_id else what
            raise MissingRate(where, self.job.day, "plants")
        return Dated(stored, "", None, "plants", deviation_of(rate_range))

    def _logistics(self, usage: Usage, lane: tuple[str, str]) -> list[CostDriver]:
        said = self.job.overrides.freight_per_kg
        rate = self._said(said) if said is not None else self.rates.freight_rate(lane, self.job.day)
        weight = self.job.record.weight_kg
        kilograms = usage.net_kg if weight is None else weight
        if not kilograms:
            raise MissingInput(f"weight_kg of {self.job.sku!r}", "products")
        return [self._driver(f"freight {lane[0]} to {lane[1]}", kilograms, "kg", rate, goods=False)]

    def _duty(self, lane: tuple[str, str], commodity: str) -> Dated:
        said = self.job.overrides.tariff_rate
        if said is not None:
            return Dated(said, "", None, REQUEST)
        if lane[0] == lane[1]:  # goods that cross no border pay no duty
            return Dated(0.0, "", None, "domestic")
        return self.rates.tariff(lane, (self.job.record.category, commodity), self.job.day)

    def _driver(  # noqa: PLR0913  the parts of a product of usage and rate
        self,
        name: str,
        usage: float,
        unit: str,
        rate: Dated,
        *,
        goods: bool,
        knock_on: float = 0.0,
    ) -> CostDriver:
        """Make a driver in the currency of the answer, and note what its rate moves."""
        source = rate.currency or (self.currency if rate.source == REQUEST else "")
        exchange = self.rates.exchange_rate(source, self.currency, self.job.day, SPAN_DAYS)
        cost = usage * rate.value * exchange.value
        moved = cost * (1.0 + knock_on) * (1.0 + (self.duty if goods else 0.0))
        self._move(name, moved, rate)
        if exchange.source:
            self._move(f"exchange {source}", moved, exchange)
        return CostDriver(
            name=name,
            usage=usage,
            usage_unit=unit,
            rate=rate.value,
            rate_currency_code=source or self.rates.currency_code,
            exchange_rate=exchange.value,
            cost=cost,
            rate_date=rate.day.isoformat() if rate.day else "",
            source=rate.source,
            exchange_rate_date=exchange.day.isoformat() if exchange.day else "",
        )

    def _share(self, name: str, money: float, rate: Dated) -> CostDriver:
        """Make a driver whose usage is money and whose rate is a share of it."""
        return CostDriver(
            name=name,
            usage=money,
            usage_unit=self.currency,
            rate=rate.value,
            rate_currency_code="",
            exchange_rate=1.0,
            cost=money * rate.value,
            rate_date=rate.day.isoformat() if rate.day else "",
            source=rate.source,
        )

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
