"""What is decided for days to come: rows of table `plan`, and campaigns folded into them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from serving.domain.features import FUTURE, KNOWN_DAYS, WIDTHS
from serving.domain.periods import Frequency
from training import tables
from training.features.periods import period_numbers

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Indices = NDArray[np.int64]

REGIME = ("price", "discount", "promoted")
_CAMPAIGN = ("start_date", "end_date", "discount_percent", "sku", "region")


@dataclass(frozen=True, slots=True)
class Campaign:
    """A campaign of some series; days, or periods, count from 1970-01-01.

    Attributes:
        first: First day.
        last: Last day.
        discount: Share off the price, NaN where the campaign gives none.
        series: Indices of the series it holds for.
    """

    first: int
    last: int
    discount: float
    series: Indices


@dataclass(frozen=True, slots=True)
class Plan:
    """Plan rows and campaigns of n series; days, or periods, count from 1970-01-01.

    Attributes:
        day: Day of each plan row, shape (rows,).
        series: Index of each row's series, shape (rows,).
        values: Price, discount and promoted of each row, NaN where open, shape (rows, 3).
        campaigns: The campaigns of these series.
    """

    day: Indices
    series: Indices
    values: NDArray[np.float64]
    campaigns: tuple[Campaign, ...]

    def after(self, origin: np.datetime64, count: int) -> Floats:
        """Return the plan records of the known days after an origin.

        A row of the plan goes before a campaign; of several campaigns the largest discount holds.

        Args:
            origin: The last known day.
            count: Number of series.

        Returns:
            Records of shape (count, WIDTHS["known_future"]); NaN where nothing is planned.
        """
        first = int(origin.astype(np.int64)) + 1
        out = np.full((count, len(REGIME), KNOWN_DAYS), np.nan, dtype=np.float32)
        for campaign in self.campaigns:
            start = max(campaign.first - first, 0)
            stop = min(campaign.last + 1 - first, KNOWN_DAYS)
            if start < stop:
                block = out[campaign.series, :, start:stop]
                block[:, 1] = np.fmax(block[:, 1], np.float32(campaign.discount))
                block[:, 2] = 1.0
                out[campaign.series, :, start:stop] = block
        ahead = self.day - first
        near = (ahead >= 0) & (ahead < KNOWN_DAYS)
        at = (self.series[near], slice(None), ahead[near])
        planned = self.values[near].astype(np.float32)
        out[at] = np.where(np.isnan(planned), out[at], planned)
        return _packed(out)


def realised(rows: Sequence[NDArray[np.float64] | None], series: int) -> Floats:
    """Pack the regime that came true on the days after an origin as if it had been planned.

    Args:
        rows: Price, discount and promoted, each of shape (days, series), or None where unrecorded.
        series: Number of series.

    Returns:
        Records of shape (series, WIDTHS["known_future"]); NaN beyond the days given.
    """
    out = np.full((series, len(REGIME), KNOWN_DAYS), np.nan, dtype=np.float32)
    for place, values in enumerate(rows):
        if values is not None:
            days = values[:KNOWN_DAYS]
            out[:, place, : days.shape[0]] = days.T
    return _packed(out)


@dataclass(frozen=True, slots=True)
class PlanTables:
    """Tables `campaigns` and `plan` of a folder, the latter unread; empty where it has none."""

    campaigns: pl.DataFrame
    plan: pl.LazyFrame

    def campaigns_of(self, skus: Sequence[str], regions: Sequence[str]) -> tuple[Campaign, ...]:
        """Return the campaigns that hold for at least one of n series, oldest first.

        Args:
            skus: Product of each series, shape (n,).
            regions: Region of each series' location, empty where unknown, shape (n,).
        """
        of_sku, of_region = _places(skus), _places(regions)
        every = np.arange(len(skus), dtype=np.int64)
        found = []
        for start, end, percent, sku, region in self.campaigns.iter_rows():
            series = of_sku.get(sku, every[:0]) if sku else every
            if region:
                here = of_region.get(region, every[:0])
                series = np.intersect1d(series, here, assume_unique=True)
            if series.size:
                discount = np.nan if percent is None else percent / 100.0
                found.append(Campaign(start, end, discount, series))
        return tuple(found)

    def pairs(self) -> pl.DataFrame:
        """Return sku and location of every series with a row in the plan, sorted."""
        pairs = self.plan.select("sku", "location").unique().collect(engine="streaming")
        return pairs.sort("sku", "location")

    def plan_of(self, keys: pl.DataFrame, campaigns: tuple[Campaign, ...]) -> Plan:
        """Return the plan of n series.

        Args:
            keys: Columns sku and location of the series in order.
            campaigns: The campaigns of these series.
        """
        # The range lets whole files and row groups of other products stay unread.
        near = pl.col("sku").is_between(pl.lit(keys["sku"].min()), pl.lit(keys["sku"].max()))
        rows = (
            self.plan.filter(near)
            .join(keys.lazy().with_row_index("series"), on=["sku", "location"], how="inner")
            .collect()
        )
        return Plan(
            day=rows["date"].to_numpy().astype(np.int64),
            series=rows["series"].to_numpy().astype(np.int64),
            values=rows.select(pl.col(REGIME).cast(pl.Float64).fill_null(np.nan)).to_numpy(),
            campaigns=campaigns,
        )


def load_plans(data_dir: Path, frequency: Frequency = Frequency.DAY) -> PlanTables:
    """Read what is decided for periods to come from the tables of a folder."""
    campaigns, plan = (
        _scan(data_dir, table, columns).with_columns(
            period_numbers(pl.col(name).cast(pl.Int32), frequency)
            for name in columns
            if name.endswith("date")
        )
        for table, columns in (
            ("campaigns", _CAMPAIGN),
            ("plan", ("date", "sku", "location", *REGIME)),
        )
    )
    return PlanTables(campaigns.collect().sort(_CAMPAIGN, nulls_last=True), plan)


def _scan(data_dir: Path, table: str, columns: Sequence[str]) -> pl.LazyFrame:
    """Open columns of a table; no rows where it is absent."""
    if not tables.exists(data_dir, table):
        texts = {"sku", "location", "region"}
        return pl.LazyFrame(
            schema={name: pl.String if name in texts else pl.Int32 for name in columns}
        )
    return tables.scan(data_dir, table, columns)


def _places(names: Sequence[str]) -> dict[str, Indices]:
    """Return where each name stands, ascending."""
    if not names:
        return {}
    distinct, inverse = np.unique(np.asarray(names, dtype=object), return_inverse=True)
    order = np.argsort(inverse, kind="stable")
    cuts = np.flatnonzero(np.diff(inverse[order])) + 1
    return dict(zip(distinct.tolist(), np.split(order, cuts), strict=True))


def _packed(values: Floats) -> Floats:
    """Lay (series, regime, days) out as the view does; its fields stand in this very order."""
    if [FUTURE[name].start for name in REGIME] != [k * KNOWN_DAYS for k in range(len(REGIME))]:
        raise AssertionError("the known future no longer holds price, discount, promoted in order")
    return values.reshape(values.shape[0], WIDTHS["known_future"])
