"""Panels: series of a folder on one grid of days, with what is planned and what their peers sell.

Training and materialisation both start here, so both see the same past.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from serving.domain.history import History
from serving.domain.periods import period_of
from training.chunks import product_chunks
from training.features.calendars import Calendar, load_calendar
from training.features.catalogue import Catalogue, load_catalogue
from training.features.peers import Peers, PeerSums
from training.features.plans import REGIME, Plan, PlanTables, load_plans, realised
from training.features.sales import Before, Sales, dense, open_sales, series_keys

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import polars as pl
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Indices = NDArray[np.int64]

CHUNK_SERIES = 50_000


@dataclass(frozen=True, slots=True)
class Folder:
    """What panels of one data folder share.

    Attributes:
        sales: Its sales up to the last day of the grid.
        catalogue: Every known product and location with its attributes.
        calendar: Holidays and paydays of every location of the catalogue.
        plans: What is decided for days to come.
    """

    sales: Sales
    catalogue: Catalogue
    calendar: Calendar
    plans: PlanTables


@dataclass(frozen=True, slots=True)
class Series:
    """Series on a common grid of days, sorted by sku and location.

    Attributes:
        skus: Product of each series, shape (n,).
        locations: Location of each series, shape (n,).
        product: Index of each series' product in the catalogue, shape (n,).
        location: Index of each series' location in the catalogue, shape (n,).
        history: Their past, shape (days, n).
        plan: What is decided for days to come.
        closed: Where nothing was sold because the location was planned closed, shape (days, n);
            such days are not recorded in the history. None where no calendar tells of any.
    """

    skus: tuple[str, ...]
    locations: tuple[str, ...]
    product: Indices
    location: Indices
    history: History
    plan: Plan
    closed: NDArray[np.bool_] | None = None


class Unsold(NamedTuple):
    """Planned days of series without sales.

    Attributes:
        skus: Product of each series.
        locations: Location of each series.
        future: Their plan records, shape (n, WIDTHS["known_future"]).
    """

    skus: list[str]
    locations: list[str]
    future: Floats


@dataclass(frozen=True, slots=True)
class Panel:
    """Series of a folder together with what surrounds them.

    Attributes:
        folder: What all panels of the folder share.
        series: The series themselves.
        peers: Mean series of categories, locations and regions, over all series of the folder.
    """

    folder: Folder
    series: Series
    peers: Peers

    @property
    def skus(self) -> tuple[str, ...]:
        """Product of each series, shape (n,)."""
        return self.series.skus

    @property
    def locations(self) -> tuple[str, ...]:
        """Location of each series, shape (n,)."""
        return self.series.locations

    @property
    def history(self) -> History:
        """Past of the series, shape (days, n)."""
        return self.series.history

    @property
    def catalogue(self) -> Catalogue:
        """Every known product and location with its attributes."""
        return self.folder.catalogue

    @property
    def closed(self) -> NDArray[np.bool_]:
        """Where nothing was sold because the location was planned closed, shape (days, n)."""
        closed = self.series.closed
        return np.zeros(self.history.quantity.shape, dtype=bool) if closed is None else closed

    def with_closed(self, units: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return units of the first days of the grid, 0 where the location was planned closed.

        A day on which nobody could buy says nothing of a level, and so is not recorded; to a sum
        over days it adds as certain a 0 as any.

        Args:
            units: NaN where not recorded, shape (days or fewer, n).
        """
        closed = self.series.closed
        return units if closed is None else np.where(closed[: len(units)], 0.0, units)

    def day(self, origin: int) -> np.datetime64:
        """Return a day, or period, of the grid."""
        return self.history.first_day + origin

    def index(self, day: dt.date) -> int:
        """Return the place on the grid of the period a day lies in."""
        at = period_of(np.datetime64(day, "D"), self.folder.sales.frequency)
        return int((at - self.history.first_day).astype(np.int64))

    def future(self, origin_day: np.datetime64) -> Floats:
        """Return what is planned after an origin, shape (n, WIDTHS["known_future"])."""
        return self.series.plan.after(origin_day, len(self.skus))

    def realised(self, origin: int) -> Floats:
        """Return the regime that came true after a day of the grid, laid out as `future` is.

        What the tables never record stays NaN, as it will when serving.
        """
        past = self.history.between(origin + 1, self.history.days)
        recorded = set(self.folder.sales.recorded)
        if self.series.plan.campaigns:
            recorded |= {"discount", "promoted"}
        rows = [getattr(past, name) if name in recorded else None for name in REGIME]
        return realised(rows, len(self.skus))

    def calendar(self, origin_day: np.datetime64) -> Floats:
        """Return the day fields after an origin of each location of the catalogue."""
        return self.folder.calendar.after(origin_day)


def load_panel(
    data_dir: Path, *, as_of: dt.date | None = None, skus: Sequence[str] | None = None
) -> Panel:
    """Load series of a folder at once.

    Args:
        data_dir: The data folder.
        as_of: Last day of the grid; the last day with a row of sales where None.
        skus: Products to load; all where None. Peers always come from all products.

    Returns:
        The panel.

    Raises:
        MissingInput: If the folder has no sales.
        InvalidField: If no row of sales is as old as `as_of`.
    """
    folder = open_folder(data_dir, as_of)
    if skus is not None:
        return Panel(folder, read_series(folder, sorted(set(skus))), load_peers(folder))
    return _whole(folder)


def iter_panels(
    data_dir: Path, *, as_of: dt.date | None = None, chunk: int = CHUNK_SERIES
) -> Iterator[Panel]:
    """Load a folder in chunks of whole products, so that memory stays bounded.

    Sales are read twice: once for the peers, once for the series.

    Args:
        data_dir: The data folder.
        as_of: Last day of the grid; the last day with a row of sales where None.
        chunk: Series of a chunk, more where a single product has more.

    Yields:
        Panels of the same grid; all their series together are those of `load_panel`.

    Raises:
        MissingInput: If the folder has no sales.
        InvalidField: If no row of sales is as old as `as_of`.
    """
    folder = open_folder(data_dir, as_of)
    chunks = product_chunks(folder, chunk)
    if len(chunks) == 1:
        yield _whole(folder)
        return
    peers = load_peers(folder, chunk=chunk)
    for skus in chunks:
        yield Panel(folder, read_series(folder, skus), peers)


def load_peers(folder: Folder, *, chunk: int = CHUNK_SERIES) -> Peers:
    """Compute the mean series of a folder chunk by chunk.

    Args:
        folder: The folder.
        chunk: Series of a chunk.

    Returns:
        The peers; the same bits whatever the chunk.
    """
    sums = PeerSums(folder.catalogue, folder.sales.days)
    for skus in product_chunks(folder, chunk):
        series = read_series(folder, skus)
        sums.add(series.history, series.product, series.location)
    return sums.mean(folder.sales.first_day)


def planned_unsold(folder: Folder, sold: pl.DataFrame, last_day: np.datetime64) -> Unsold:
    """Return the planned days of series that are planned and have never sold.

    Args:
        folder: The folder.
        sold: Columns sku and location of the series that have sold.
        last_day: The last known day.

    Returns:
        The series and their records.
    """
    keys = folder.plans.pairs().join(sold, on=["sku", "location"], how="anti")
    skus, locations = keys["sku"].to_list(), keys["location"].to_list()
    places = dict(zip(folder.catalogue.locations, folder.catalogue.regions, strict=True))
    campaigns = folder.plans.campaigns_of(skus, [places[location] for location in locations])
    plan = folder.plans.plan_of(keys, campaigns)
    return Unsold(skus, locations, plan.after(last_day, keys.height))


def open_folder(data_dir: Path, as_of: dt.date | None) -> Folder:
    """Read what panels of a folder share; see `load_panel`."""
    return folder_around(open_sales(data_dir, as_of), data_dir)


def folder_around(sales: Sales, data_dir: Path) -> Folder:
    """Read what panels of a folder share beside its sales."""
    catalogue = load_catalogue(
        data_dir, sold=sales.series["sku"].unique(), selling=sales.series["location"].unique()
    )
    calendar = load_calendar(data_dir, catalogue, sales.frequency)
    return Folder(sales, catalogue, calendar, load_plans(data_dir, sales.frequency))


def _whole(folder: Folder) -> Panel:
    series = read_series(folder, None)
    sums = PeerSums(folder.catalogue, folder.sales.days)
    sums.add(series.history, series.product, series.location)
    return Panel(folder, series, sums.mean(series.history.first_day))


def panel_of_peers(folder: Folder, peers: Peers) -> Panel:
    """Return a panel of no series, on the grid of their peers: what surrounds them."""
    nothing = np.empty((peers.own.days, 0))
    none = np.empty(0, dtype=np.int64)
    history = History(peers.own.first_day, nothing, nothing, nothing, nothing, nothing)
    plan = Plan(none, none, np.empty((0, len(REGIME))), ())
    return Panel(folder, Series((), (), none, none, history, plan), peers)


def read_series(folder: Folder, skus: Sequence[str] | None, before: Before | None = None) -> Series:
    """Read the series of some products, or of all.

    Args:
        folder: The folder.
        skus: Products with sales, ascending; all where None.
        before: What is known of their earlier days, which are then left out; the whole grid is read
            where None.

    Returns:
        The series, sorted by sku and location.
    """
    sales = folder.sales
    if before is not None:
        sales = replace(sales, first_day=before.last_day + 1)
    rows = sales.of(skus)
    keys = series_keys(rows) if before is None else before.rows_of(rows)
    names, places = tuple(keys["sku"].to_list()), tuple(keys["location"].to_list())
    product = _places(folder.catalogue.products, names)
    location = _places(folder.catalogue.locations, places)
    regions = folder.catalogue.regions
    campaigns = folder.plans.campaigns_of(names, [regions[index] for index in location])
    history = dense(rows, sales, keys, campaigns, before)
    closed = _closed(folder.calendar, location, history)
    if closed is not None:
        quantity = np.where(closed, np.nan, history.quantity)
        available = np.where(closed, 1.0, history.available)
        history = replace(history, quantity=quantity, available=available)
    return Series(
        skus=names,
        locations=places,
        product=product,
        location=location,
        history=history,
        plan=folder.plans.plan_of(keys.select("sku", "location"), campaigns),
        closed=closed,
    )


def _closed(calendar: Calendar, location: Indices, history: History) -> NDArray[np.bool_] | None:
    """Return where nothing was sold because the location was closed, shape (days, n)."""
    days = int(history.first_day.astype(np.int64)) + np.arange(history.days)
    closed = calendar.closed_on(days)
    # A sale on a day marked closed says that the mark is wrong.
    return None if closed is None else closed.T[:, location] & ~(history.quantity > 0)


def _places(names: Sequence[str], wanted: Sequence[str]) -> Indices:
    at = {name: index for index, name in enumerate(names)}
    return np.asarray([at[name] for name in wanted], dtype=np.int64)
