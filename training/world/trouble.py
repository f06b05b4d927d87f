"""Trouble: anomalies, drift and gaps put into the observed tables, with their truth apart.

Only worlds that ask for it have trouble (`parlevel world --trouble`): the figures of a forecast on
a plain world say nothing of monitoring, and need no trouble to say it in.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from training.world.profiles import LAST_DAY
from training.world.tables import Tables
from training.world.trade import trade_tables
from training.world.world import stream

if TYPE_CHECKING:
    from training.world.trade import Trade
    from training.world.world import World

WATCHED_DAYS = 120  # last days that trouble lies in, at most half the history
COST_SHARE, COST_FACTORS = 0.01, (1.5, 3.0)
DELAY_SHARE, DELAY_DAYS = 0.02, (15, 41)
SPIKE_SHARE, SPIKE_FACTORS = 0.001, (5.0, 12.0)
SPIKE_LEAST = 8.0  # units a spike adds at the least: on a slow mover twice nothing is nothing
GAP_DAYS = 21
STEP_FACTOR, FADE_FACTOR, NOISE_SIGMA, PRICE_FACTOR = 1.6, 0.6, 0.7, 1.25
FADE_DAYS = 45


@dataclass(frozen=True, slots=True)
class Onset:
    """One drift: what it does, to which location, and since when.

    Attributes:
        kind: ``sudden`` (demand steps up), ``gradual`` (it fades), ``spread`` (it scatters more) or
            ``price`` (prices step up and demand does not know).
        location: The location it is at.
        date: Its first day.
    """

    kind: str
    location: str
    date: dt.date


def trade_tables_with_trouble(world: World, trade: Trade) -> Tables:
    """Write the tables of one part of the products, with trouble where the world has it.

    Args:
        world: the world.
        trade: what happened to the products.

    Returns:
        The tables of `trade_tables`; with trouble, truth ``anomalies``, ``drift`` and
        ``reporting_gaps`` beside.
    """
    plain = trade_tables(world, trade)
    if not world.profile.trouble:
        return plain
    rng = stream(world.seed, "trouble", trade.part)
    onsets, (silent, gap_first) = _plan(world)
    orders, dear = _dear_orders(plain.observed["purchase_orders"], rng)
    orders, late = _late_orders(orders, rng)
    sales = _drifted(plain.observed["sales"], onsets, rng)
    sales, spikes = _spiked(sales, _first_day(world), rng)
    gap = pl.col("date").is_between(gap_first, gap_first + dt.timedelta(days=GAP_DAYS - 1))
    sales = sales.filter(~(gap & (pl.col("location") == silent)))
    spikes = spikes.filter(~(gap & (pl.col("entity") == silent)))  # what is not told has no label
    truth = {
        "anomalies": pl.concat([dear, late, spikes]),
        "drift": pl.DataFrame(
            {
                "kind": [one.kind for one in onsets],
                "location": [one.location for one in onsets],
                "onset_date": [one.date for one in onsets],
            }
        ),
        "reporting_gaps": pl.DataFrame(
            {"location": [silent], "first_day": [gap_first], "days": [GAP_DAYS]}
        ),
    }
    observed = plain.observed | {"sales": sales, "purchase_orders": orders}
    return Tables(observed=observed, truth=plain.truth | truth)


def _first_day(world: World) -> dt.date:
    days = min(WATCHED_DAYS, world.profile.days // 2)
    return LAST_DAY - dt.timedelta(days=days - 1)


def _plan(world: World) -> tuple[list[Onset], tuple[str, dt.date]]:
    """Return the drifts of the world and which location falls silent from which day on."""
    rng = stream(world.seed, "trouble plan")
    names = list(world.locations.names)
    places = rng.permutation(len(names))
    watched = min(WATCHED_DAYS, world.profile.days // 2)
    first = _first_day(world)
    kinds = ("sudden", "gradual", "spread", "price")
    onsets = [
        Onset(
            kind,
            names[places[index % len(names)]],
            first + dt.timedelta(days=int(rng.integers(watched // 4, watched // 2))),
        )
        for index, kind in enumerate(kinds)
    ]
    silent = names[places[len(kinds) % len(names)]]
    gap_first = first + dt.timedelta(days=int(rng.integers(0, max(1, watched - 2 * GAP_DAYS))))
    return onsets, (silent, gap_first)


def _chosen(frame: pl.DataFrame, share: float, rng: np.random.Generator) -> pl.Series:
    return pl.Series("chosen", rng.random(frame.height) < share)


def _factors(
    frame: pl.DataFrame, limits: tuple[float, float], rng: np.random.Generator
) -> pl.Series:
    return pl.Series("factor", rng.uniform(*limits, size=frame.height))


def _labels(frame: pl.DataFrame, kind: str, date: str, entity: str) -> pl.DataFrame:
    return frame.filter("chosen").select(
        kind=pl.lit(kind), date=pl.col(date), sku="sku", entity=entity, factor="factor"
    )


def _dear_orders(
    orders: pl.DataFrame, rng: np.random.Generator
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return orders of which some cost far more than they should, and which those are."""
    marked = orders.with_columns(
        _chosen(orders, COST_SHARE, rng), _factors(orders, COST_FACTORS, rng)
    )
    paid = pl.when("chosen").then((pl.col("unit_price") * pl.col("factor")).round(2))
    changed = marked.with_columns(unit_price=paid.otherwise(pl.col("unit_price")))
    return changed.drop("chosen", "factor"), _labels(marked, "cost", "order_date", "po_id")


def _late_orders(
    orders: pl.DataFrame, rng: np.random.Generator
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return orders of which some came weeks late, and which those are; the factor is in days."""
    days = pl.Series("factor", rng.integers(*DELAY_DAYS, size=orders.height).astype(np.float64))
    marked = orders.with_columns(_chosen(orders, DELAY_SHARE, rng), days)
    marked = marked.with_columns(chosen=pl.col("chosen") & pl.col("delivered_date").is_not_null())
    later = pl.col("delivered_date") + pl.duration(days=pl.col("factor").cast(pl.Int64))
    known = pl.when(later <= LAST_DAY).then(later)  # what comes after the last day is not known
    changed = marked.with_columns(
        delivered_date=pl.when("chosen").then(known).otherwise(pl.col("delivered_date"))
    )
    labels = _labels(marked, "supplier_delay", "order_date", "po_id")
    return changed.drop("chosen", "factor"), labels


def _drifted(sales: pl.DataFrame, onsets: list[Onset], rng: np.random.Generator) -> pl.DataFrame:
    """Return sales with every drift from its onset on, in whole units."""
    factor, price = pl.lit(1.0), pl.lit(1.0)
    noise = np.exp(NOISE_SIGMA * rng.normal(size=sales.height) - NOISE_SIGMA**2 / 2)
    for one in onsets:
        since = (pl.col("date") >= one.date) & (pl.col("location") == one.location)
        grown = ((pl.col("date") - pl.lit(one.date)).dt.total_days() / FADE_DAYS).clip(0.0, 1.0)
        effect = {
            "sudden": pl.lit(STEP_FACTOR),
            "gradual": 1.0 + (FADE_FACTOR - 1.0) * grown,
            "spread": pl.lit(pl.Series(noise)),
        }.get(one.kind)
        if effect is None:
            price = price * pl.when(since).then(PRICE_FACTOR).otherwise(1.0)
        else:
            factor = factor * pl.when(since).then(effect).otherwise(1.0)
    return sales.with_columns(
        quantity=(pl.col("quantity") * factor).round(0), price=(pl.col("price") * price).round(2)
    )


def _spiked(
    sales: pl.DataFrame, first: dt.date, rng: np.random.Generator
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return sales of which some days hold far too much, and which those are."""
    marked = sales.with_columns(
        _chosen(sales, SPIKE_SHARE, rng), _factors(sales, SPIKE_FACTORS, rng)
    ).with_columns(
        # What was not in stock cannot be sold, whatever went wrong.
        chosen=pl.col("chosen") & (pl.col("date") >= first) & (pl.col("available_fraction") == 1.0)
    )
    spike = pl.max_horizontal(
        pl.col("quantity") * pl.col("factor"), pl.col("quantity") + SPIKE_LEAST
    )
    changed = marked.with_columns(
        quantity=pl.when("chosen").then(spike.round(0)).otherwise(pl.col("quantity"))
    )
    return changed.drop("chosen", "factor"), _labels(marked, "demand", "date", "location")
