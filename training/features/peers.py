"""Mean series of categories, locations and regions: what a series' peers sell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from serving.domain.history import History

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.features.catalogue import Catalogue

    Floats = NDArray[np.float64]
    Indices = NDArray[np.int64]

_MEASURES = ("quantity", "available", "discount", "promoted", "price")


@dataclass(frozen=True, slots=True)
class Peers:
    """Mean series on the grid of the panels they came from.

    Attributes:
        products: Mean series of each category, then of everything, (days, categories + 1).
        own: Mean series of each product over its locations, (days, products).
        locations: Mean series of each location, each region, then of everything,
            (days, locations + regions + 1).
    """

    products: History
    own: History
    locations: History


class PeerSums:
    """Sums over series by group and day, taken in one chunk of series after another.

    Each sum runs over its series in order, so any chunking gives the same bits.
    """

    def __init__(self, catalogue: Catalogue, days: int) -> None:
        """Start at nothing on a grid of so many days."""
        self.catalogue = catalogue
        self.categories = len(catalogue.category_names)
        self.places = len(catalogue.locations)
        self.regions = len(catalogue.region_names)
        self.products = len(catalogue.products)
        groups = self.categories + self.places + self.regions + 1 + self.products
        self.sums = {name: np.zeros((groups, days)) for name in (*_MEASURES, "seen", "priced")}

    def add(self, history: History, product: Indices, location: Indices) -> None:
        """Take in series of a history, given the product and location index of each."""
        members = self._members(product, location)
        seen = ~np.isnan(history.quantity)
        priced = seen & ~np.isnan(history.price)
        for name, sums in self.sums.items():
            if name in {"seen", "priced"}:
                values = (seen if name == "seen" else priced).astype(np.float64)
            else:
                taken = priced if name == "price" else seen
                values = np.where(taken, getattr(history, name), 0.0)
            # The sums so far stand as the first members, so that the order of addition is kept.
            sums[:] = members @ np.concatenate([sums, values.T])

    def mean(self, first_day: np.datetime64) -> Peers:
        """Return the mean series of every group."""
        seen = np.where(self.sums["seen"] > 0, self.sums["seen"], np.nan)
        priced = np.where(self.sums["priced"] > 0, self.sums["priced"], np.nan)
        means = {
            name: (self.sums[name] / (priced if name == "price" else seen)) for name in _MEASURES
        }
        # No open day gives no quantity; the other measures of such a day are not read.
        for name, value in (("available", 1.0), ("discount", 0.0), ("promoted", 0.0)):
            means[name] = np.where(np.isnan(means[name]), value, means[name])
        last = self.categories + self.places + self.regions
        categories = np.append(np.arange(self.categories), last)
        places = np.arange(self.categories, last + 1)
        skus = np.arange(last + 1, last + 1 + self.products)
        products, own, locations = (
            History(first_day, **{name: means[name][rows].T.copy() for name in _MEASURES})
            for rows in (categories, skus, places)
        )
        return Peers(products=products, own=own, locations=locations)

    def _members(self, product: Indices, location: Indices) -> sparse.csr_array:
        """Return the matrix that adds the groups so far and the new series, series in order."""
        groups, series = self.sums["seen"].shape[0], product.size
        own = np.arange(series)
        category, region = self.catalogue.category[product], self.catalogue.region[location]
        rows = [np.arange(groups)]
        columns = [np.arange(groups)]
        for first, index in (
            (0, category),
            (self.categories, location),
            (self.categories + self.places, region),
            (self.categories + self.places + self.regions, np.zeros(series, dtype=np.int64)),
            (groups - self.products, product),
        ):
            rows.append(first + index[index >= 0])
            columns.append(groups + own[index >= 0])
        row, column = np.concatenate(rows), np.concatenate(columns)
        ones = np.ones(row.size)
        return sparse.csr_array((ones, (row, column)), shape=(groups, groups + series))
