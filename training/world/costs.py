"""What products cost to make, what suppliers quote for them, and what was spent and saved.

A product's cost is rolled up from its bill as `serving.domain.cost_rollup` does it, here by plain
array arithmetic, so that the one is held to the other. Suppliers quote that cost of the day plus
their margin: at most 5 % for most products, at least 15 % for the rest, and that is the truth a gap
must tell apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from training.world.plants import COMMODITIES, Rates, lay_out_rates, rate_tables
from training.world.sites import PLANTS
from training.world.suppliers import SUPPLIERS
from training.world.tables import Tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.world.world import World

    Floats = NDArray[np.float64]
    Places = NDArray[np.int64]

ELEMENTS = ("raw_material", "labor", "overhead", "logistics", "tariff")
GREEDY_SHARE = 0.25  # of products whose supplier takes a margin of 15 % or more
HONEST_MARGINS, GREEDY_MARGINS = (0.0, 0.05), (0.15, 0.40)
QUOTE_NOISE = 0.008  # deviation of the log of a quoted price beside its margin
QUOTE_DAYS = 60  # before the last day, within which quotes were made
BRACKETS = (10.0, 50.0, 250.0, 1_000.0)
SETUP_UNITS = 0.1  # units' worth of cost a set-up adds, shared by the units of an order
ACTION_TYPES = (
    "renegotiate",
    "second_source",
    "value_engineering",
    "substitute_material",
    "consolidate_volume",
    "relocate",
    "cut_logistics",
    "automate",
)
# Share of a projected saving that comes true, by action type; 80 % over all.
REALISED = (0.92, 0.85, 0.80, 0.78, 0.88, 0.62, 0.83, 0.72)
ACTIONS_PER_TYPE = 12
MONTH = 30


@dataclass(frozen=True, slots=True)
class Costs:
    """What each product is made of; every array has shape (products,) unless said.

    Attributes:
        plant: Position in ``PLANTS``.
        mass: Kilograms of each commodity bought, shape (products, commodities).
        yield_rate: Share of them that ends in the product.
        minutes: Minutes of work.
        weight: Kilograms shipped.
        margin: Margin of the supplier.
    """

    plant: Places
    mass: Floats
    yield_rate: Floats
    minutes: Floats
    weight: Floats
    margin: Floats

    def elements(self, rates: Rates, day: Places) -> Floats:
        """Return the cost of each element on a day of its own, shape (products, 5), in USD."""
        raw = (self.mass * rates.commodities[:, day].T).sum(axis=1)
        labor = self.minutes / 60.0 * rates.labor[self.plant, day]
        overhead = labor * rates.overhead[self.plant]
        logistics = self.weight * rates.freight[self.plant]
        tariff = (raw + labor + overhead) * rates.duty[self.plant, day]
        return np.column_stack([raw, labor, overhead, logistics, tariff])


def cost_tables(world: World, rng: np.random.Generator) -> Tables:
    """Write plants, bills, rates, quotes, transactions and actions, and the truth behind them.

    Args:
        world: the world.
        rng: draws bills, margins, quotes, transactions and actions.

    Returns:
        Observed ``plants``, ``commodity_prices``, ``tariffs``, ``freight_rates``,
        ``bills_of_material``, ``quotes``, ``cost_transactions``, ``cost_actions``; truth
        ``cost_elements`` (shares sum to 1), ``supplier_margins`` and ``action_realisation``.
    """
    rates = lay_out_rates(world)
    costs = draw_costs(world, rates, rng)
    elements = costs.elements(rates, np.full(len(costs.plant), world.days.history - 1))
    total = elements.sum(axis=1)
    shares = pl.DataFrame(
        {"sku": world.products.names, "should_cost": total}
        | {f"{name}_share": elements[:, at] / total for at, name in enumerate(ELEMENTS)}
    )
    margins = pl.DataFrame({"sku": world.products.names, "margin": costs.margin})
    realisation = pl.DataFrame({"action_type": ACTION_TYPES, "realisation": REALISED})
    observed = {
        **rate_tables(world, rates),
        "bills_of_material": _bill_table(world, costs),
        "quotes": _quote_table(world, costs, rates, rng),
        "cost_transactions": _transaction_table(world, costs, rates, rng),
        "cost_actions": _action_table(world, total, rng),
    }
    truth = {
        "cost_elements": shares,
        "supplier_margins": margins,
        "action_realisation": realisation,
    }
    return Tables(observed=observed, truth=truth)


def draw_costs(world: World, rates: Rates, rng: np.random.Generator) -> Costs:
    """Draw what products are made of, so that each costs about its unit cost on the last day."""
    count, last = len(world.products.names), world.days.history - 1
    plant, weight = world.sourcing.plant, world.products.weight_kg
    freight = weight * rates.freight[plant]
    # Even a light and cheap product is more than its freight.
    goods = np.maximum(world.products.unit_cost - freight, 0.4 * world.products.unit_cost)
    goods = goods / (1.0 + rates.duty[plant, last])
    conversion = rng.uniform(0.25, 0.55, size=count) * goods
    labor = conversion / (1.0 + rates.overhead[plant])
    parts = rng.dirichlet(np.ones(len(COMMODITIES)), size=count)
    parts[parts < parts.max(axis=1, keepdims=True) / 4.0] = 0.0  # few are made of everything
    parts /= parts.sum(axis=1, keepdims=True)
    raw = (goods - conversion)[:, None] * parts
    greedy = rng.random(count) < GREEDY_SHARE
    return Costs(
        plant=plant,
        mass=np.round(raw / rates.commodities[:, last], 5),
        yield_rate=np.round(rng.uniform(0.85, 0.98, size=count), 2),
        minutes=np.round(labor / rates.labor[plant, last] * 60.0, 4),
        weight=weight,
        margin=np.where(
            greedy,
            rng.uniform(*GREEDY_MARGINS, size=count),
            rng.uniform(*HONEST_MARGINS, size=count),
        ),
    )


def _bill_table(world: World, costs: Costs) -> pl.DataFrame:
    """Return one line a commodity and one of work for each product."""
    product, commodity = np.nonzero(costs.mass)
    names, kinds = np.array(world.products.names), np.array(list(COMMODITIES))
    material = pl.DataFrame(
        {
            "sku": names[product],
            "component": kinds[commodity],
            "quantity": np.ones(product.size),
            "commodity": kinds[commodity],
            "mass_kg": costs.mass[product, commodity] * costs.yield_rate[product],
            "labor_minutes": np.zeros(product.size),
            "process": ["material"] * product.size,
            "yield_rate": costs.yield_rate[product],
        }
    )
    count = len(names)
    work = pl.DataFrame(
        {
            "sku": names,
            "component": ["assembly"] * count,
            "quantity": np.ones(count),
            "commodity": pl.Series([None] * count, dtype=pl.String),
            "mass_kg": np.zeros(count),
            "labor_minutes": costs.minutes,
            "process": ["assembly"] * count,
            "yield_rate": np.ones(count),
        }
    )
    return pl.concat([material, work]).sort("sku", "component")


def _quote_table(
    world: World, costs: Costs, rates: Rates, rng: np.random.Generator
) -> pl.DataFrame:
    """Return the quotes of each product's supplier, one a quantity, largest at the bare margin."""
    count, last = len(world.products.names), world.days.history - 1
    ago = rng.integers(0, min(QUOTE_DAYS, world.days.history - 1), size=count)
    cost = costs.elements(rates, last - ago).sum(axis=1) * (1.0 + costs.margin)
    noise = np.exp(rng.normal(0.0, QUOTE_NOISE, size=(count, len(BRACKETS))))
    setup = 1.0 + SETUP_UNITS / np.array(BRACKETS)
    price = np.round(cost[:, None] * setup * noise, 4)
    row = np.repeat(np.arange(count), len(BRACKETS))
    days = world.days.dates[last - ago]
    names = np.array(world.products.names)
    return pl.DataFrame(
        {
            "quote_id": [f"Q-{number + 1:05d}" for number in row],
            "date": days[row],
            "sku": names[row],
            "supplier_id": [SUPPLIERS[place].supplier_id for place in world.sourcing.supplier[row]],
            "quantity": np.tile(BRACKETS, count),
            "unit_price": price.ravel(),
            "lead_time_days": world.sourcing.promised_days[row].astype(np.float64),
            "valid_until": (days + np.timedelta64(90, "D"))[row],
            "currency_code": ["USD"] * row.size,
            "annual_usage": np.round(world.products.volume * 365.0)[row],
            "bracket_pricing": np.ones(row.size, dtype=np.bool_),
        }
    )


def _transaction_table(
    world: World, costs: Costs, rates: Rates, rng: np.random.Generator
) -> pl.DataFrame:
    """Return what each product cost month by month against the budget of the months before.

    Each plant keeps its books in its own currency.
    """
    count, dates = len(world.products.names), world.days.dates[: world.days.history]
    months = dates.astype("datetime64[M]")
    days = np.flatnonzero((dates + np.timedelta64(1, "D")).astype("datetime64[M]") != months)
    day = np.repeat(days, count)
    row = np.tile(np.arange(count), days.size)
    plan = np.maximum(day - 6 * MONTH, 0)  # budgets are set half a year before
    drift = np.exp(rng.normal(0.0, 0.04, size=day.size))
    volume = np.round(world.products.volume[row] * MONTH * drift, 1)
    usage = {
        "raw_material": costs.mass[row].sum(axis=1),
        "labor": costs.minutes[row] / 60.0,
        "overhead": costs.minutes[row] / 60.0,
        "logistics": costs.weight[row],
    }
    plant = costs.plant[row]
    exchange, planned = rates.exchange[plant, day], rates.exchange[plant, plan]
    actual, budget = (_monthly(costs, rates, row, at) for at in (day, plan))
    waste = np.exp(rng.normal(0.01, 0.02, size=day.size))
    actual["raw_material"] = actual["raw_material"] * waste
    columns: dict[str, object] = {}
    for name, amount in usage.items():
        rate = "price" if name == "raw_material" else "rate"
        used = amount * (waste if name == "raw_material" else 1.0)
        columns[f"{name}_{rate}"] = actual[name] / used
        columns[f"{name}_usage"] = used
        columns[f"budget_{name}_{rate}"] = budget[name] / amount
        columns[f"budget_{name}_usage"] = amount
    for prefix, part, at in (("", actual, day), ("budget_", budget, plan)):
        duty = rates.duty[plant, at]
        goods = part["raw_material"] + part["labor"] + part["overhead"]
        part["tariff"] = goods * duty
        columns |= {f"{prefix}tariff_rate": duty, f"{prefix}tariff_usage": goods}
    names, codes = np.array(world.products.names), np.array([one.plant_id for one in PLANTS])
    return pl.DataFrame(
        {
            "date": world.days.dates[day],
            "sku": names[row],
            "plant_id": codes[plant],
            "supplier_id": [SUPPLIERS[place].supplier_id for place in world.sourcing.supplier[row]],
            **columns,
            "total_unit_cost": sum(actual.values()),
            "volume": volume,
            "budget_volume": np.round(world.products.volume[row] * MONTH, 1),
            "budget_unit_cost": sum(budget.values()),
            "currency_code": np.array([one.currency for one in PLANTS])[plant],
            "fx_rate": exchange,
            "budget_fx_rate": planned,
        }
    ).filter(pl.col("volume") > 0)


def _monthly(costs: Costs, rates: Rates, row: Places, day: Places) -> dict[str, Floats]:
    """Return raw material, labor, overhead and logistics of rows on days, in plant money a unit."""
    plant = costs.plant[row]
    raw = np.einsum("nc,cn->n", costs.mass[row], rates.commodities[:, day])
    labor = costs.minutes[row] / 60.0 * rates.labor[plant, day]
    in_usd = {
        "raw_material": raw,
        "labor": labor,
        "overhead": labor * rates.overhead[plant],
        "logistics": costs.weight[row] * rates.freight[plant],
    }
    return {name: cost / rates.exchange[plant, day] for name, cost in in_usd.items()}


def _action_table(world: World, unit_cost: Floats, rng: np.random.Generator) -> pl.DataFrame:
    """Return past actions with what they were to save and what they did save, in USD a year."""
    kinds = np.repeat(np.arange(len(ACTION_TYPES)), ACTIONS_PER_TYPE)
    product = rng.integers(0, len(world.products.names), size=kinds.size)
    spend = unit_cost[product] * world.products.volume[product] * 365.0
    projected = np.round(spend * rng.uniform(0.01, 0.08, size=kinds.size), 2)
    share = np.array(REALISED)[kinds] * np.exp(rng.normal(0.0, 0.15, size=kinds.size))
    ago = rng.integers(0, world.days.history, size=kinds.size)
    return pl.DataFrame(
        {
            "action_id": [f"A-{number + 1:04d}" for number in range(kinds.size)],
            "date": world.days.dates[world.days.history - 1 - ago],
            "sku": np.array(world.products.names)[product],
            "action_type": np.array(ACTION_TYPES)[kinds],
            "projected_saving": projected,
            "actual_saving": np.round(projected * share, 2),
            "status": ["done"] * kinds.size,
            "treated": np.ones(kinds.size, dtype=np.bool_),
            "currency_code": ["USD"] * kinds.size,
        }
    )
