"""Campaigns: when a price is cut, where, and how much a campaign sells beyond its discount."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from training.world.locations import REGIONS
from training.world.tables import Tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.world.days import Days
    from training.world.profiles import Profile
    from training.world.world import World

CAMPAIGN_TYPES = ("price_cut", "display", "seasonal_sale")
# Factor on demand beyond what the lower price does; position as in CAMPAIGN_TYPES.
CAMPAIGN_LIFTS = np.array([1.05, 1.20, 1.10])
SEASONAL_SALE = 2
# Weeks without a holiday in any country, or a sale would pass for the holiday's lift.
SEASONAL_SALE_MONTHS = (3, 6, 8, 10)
SEASONAL_SALE_DAY = 22
SEASONAL_SALE_PERCENT = 10
SEASONAL_SALE_DAYS = 7
CYCLE_DAYS = 63
EVERYWHERE = -1
EVERYWHERE_SHARE = 0.7


@dataclass(frozen=True, slots=True)
class Campaigns:
    """Every campaign that touches history or the planned days; arrays of shape (campaigns,).

    Attributes:
        sku: position of the product; -1 means every product.
        region: position in ``REGIONS``; -1 means everywhere.
        kind: position in ``CAMPAIGN_TYPES``.
        percent: share off the price, in whole percent.
        start: index of the first day; negative where it began before history.
        end: index of the last day, included; may lie beyond the planned days.
    """

    sku: NDArray[np.int64]
    region: NDArray[np.int64]
    kind: NDArray[np.int64]
    percent: NDArray[np.int64]
    start: NDArray[np.int64]
    end: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Promotions:
    """What campaigns mean per product, region and day; shape (products, regions, days).

    Attributes:
        discount: share off the price, 0..1.
        promoted: whether any campaign runs.
        lift: factor on demand beyond the lower price, >= 1.
    """

    discount: NDArray[np.float64]
    promoted: NDArray[np.bool_]
    lift: NDArray[np.float64]


def draw_campaigns(profile: Profile, days: Days, rng: np.random.Generator) -> Campaigns:
    """Draw one campaign per product and cycle of about nine weeks, and four sales a year for all.

    Args:
        profile: gives the number of products.
        days: the days; campaigns are drawn for history and the planned days.
        rng: the source of randomness.

    Returns:
        The campaigns by start day. Those of one product never overlap.
    """
    cycles = days.drawn // CYCLE_DAYS + 2
    shape = (profile.skus, cycles)
    offset = rng.integers(-CYCLE_DAYS, 14, size=(profile.skus, 1))
    # Five weeks of jitter: with the longest campaign it still ends before the next cycle begins.
    start = offset + CYCLE_DAYS * np.arange(cycles) + rng.integers(0, 36, size=shape)
    length = rng.choice([7, 10, 14], size=shape, p=[0.6, 0.3, 0.1])
    regional = rng.random(shape) >= EVERYWHERE_SHARE
    region = np.where(regional, rng.integers(0, len(REGIONS), shape), EVERYWHERE)
    sku = np.broadcast_to(np.arange(profile.skus)[:, np.newaxis], shape)
    kind = rng.choice([0, 1], size=shape, p=[0.6, 0.4])
    percent = rng.choice([5, 10, 15, 20], size=shape, p=[0.3, 0.4, 0.2, 0.1])
    own = np.stack([sku, region, kind, percent, start, start + length - 1]).reshape(6, -1)
    rows = np.concatenate([own, _seasonal_sales(days)], axis=1)
    rows = rows[:, (rows[5] >= 0) & (rows[4] < days.drawn)]
    return Campaigns(*rows[:, np.lexsort((rows[0], rows[4]))])


def _seasonal_sales(days: Days) -> NDArray[np.int64]:
    months = days.dates.astype("datetime64[M]")
    day = (days.dates - months.astype("datetime64[D]")).astype(np.int64) + 1
    start = np.flatnonzero((day == SEASONAL_SALE_DAY) & np.isin(days.month, SEASONAL_SALE_MONTHS))
    constant = np.ones_like(start)
    return np.stack(
        [
            constant * EVERYWHERE,
            constant * EVERYWHERE,
            constant * SEASONAL_SALE,
            constant * SEASONAL_SALE_PERCENT,
            start,
            start + SEASONAL_SALE_DAYS - 1,
        ]
    )


def lay_out_promotions(campaigns: Campaigns, days: Days, skus: range) -> Promotions:
    """Lay campaigns out over the days of some products; where two meet, the larger effect counts.

    Args:
        campaigns: every campaign.
        days: the days.
        skus: positions of the products.

    Returns:
        Promotions of those products over history and the planned days.
    """
    shape = (len(skus), len(REGIONS), days.drawn)
    percent = np.zeros(shape)
    lift = np.ones(shape)
    promoted = np.zeros(shape, dtype=np.bool_)
    chosen = (campaigns.sku == EVERYWHERE) | np.isin(
        campaigns.sku, np.arange(skus.start, skus.stop)
    )
    for row in np.flatnonzero(chosen).tolist():
        sku, region = int(campaigns.sku[row]), int(campaigns.region[row])
        window = (
            slice(None) if sku == EVERYWHERE else sku - skus.start,
            slice(None) if region == EVERYWHERE else region,
            slice(max(0, int(campaigns.start[row])), int(campaigns.end[row]) + 1),
        )
        promoted[window] = True
        np.maximum(percent[window], campaigns.percent[row], out=percent[window])
        np.maximum(lift[window], CAMPAIGN_LIFTS[campaigns.kind[row]], out=lift[window])
    return Promotions(discount=percent / 100.0, promoted=promoted, lift=lift)


def campaign_tables(world: World, rng: np.random.Generator) -> Tables:
    """Write the campaigns and the lift of each kind.

    Args:
        world: the world.
        rng: not drawn from; every maker has the same signature.

    Returns:
        Observed ``campaigns``; truth ``campaign_effects`` (campaign_type, factor).
    """
    del rng
    campaigns, dates = world.campaigns, world.days.dates
    count = len(campaigns.sku)
    names, regions = (*world.products.names, None), (*REGIONS, None)
    observed = pl.DataFrame(
        {
            "campaign_id": [f"CMP-{number:06d}" for number in range(1, count + 1)],
            "start_date": dates[0] + campaigns.start,
            "end_date": dates[0] + campaigns.end,
            "sku": pl.Series([names[row] for row in campaigns.sku], dtype=pl.String),
            "discount_percent": campaigns.percent.astype(np.float64),
            "campaign_type": [CAMPAIGN_TYPES[row] for row in campaigns.kind],
            "region": pl.Series([regions[row] for row in campaigns.region], dtype=pl.String),
        }
    )
    truth = pl.DataFrame({"campaign_type": CAMPAIGN_TYPES, "factor": CAMPAIGN_LIFTS})
    return Tables(observed={"campaigns": observed}, truth={"campaign_effects": truth})
