"""Mean series of categories, locations and regions: what a series' peers sell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import sparse

from serving.domain.history import History

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from training.features.catalogue import Catalogue

    Floats = NDArray[np.float64]
    Indices = NDArray[np.int64]

_MEASURES = ("quantity", "available", "discount", "promoted", "price")
# What is summed. Quantity and price are cut into whole units and the rest, so that every sum is
# exact: up to eight million series of which none sells, or costs, a billion a day.
_WHOLE = ("quantity", "price")
_SUMMED = (*_MEASURES, *(f"whole_{name}" for name in _WHOLE), "seen", "priced")
_UNIT = 2.0**30
_MOST = 2.0**30


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


class SomeSums(NamedTuple):
    """Sums over some series.

    Attributes:
        shared: Sums of every category, location and region and of everything, by measure,
            shape (measures, groups, days).
        own: Sums of each product of the series over its locations, (measures, products, days).
        products: Index of each of these products in the catalogue, ascending.
    """

    shared: Floats
    own: Floats
    products: Indices


class PeerSums:
    """Sums over series by group and day.

    They are exact, of values taken to 2**-30. So the same bits come of series summed in any order
    and in any parts, in this process or another, and series that come later change no sum of the
    days before.
    """

    def __init__(self, catalogue: Catalogue, days: int) -> None:
        """Start at nothing on a grid of so many days."""
        self.catalogue = catalogue
        self.categories = len(catalogue.category_names)
        self.places = len(catalogue.locations)
        self.groups = self.categories + self.places + len(catalogue.region_names) + 1
        self.shared = np.zeros((len(_SUMMED), self.groups, days))
        self.own = np.zeros((len(_SUMMED), len(catalogue.products), days))

    def add(self, history: History, product: Indices, location: Indices) -> None:
        """Take in series, given the product and location index of each."""
        self.take(self.of(history, product, location))

    def take(self, sums: SomeSums) -> None:
        """Take in the sums of series that are not in yet."""
        self.shared += sums.shared
        self.own[:, sums.products] += sums.own

    def of(self, history: History, product: Indices, location: Indices) -> SomeSums:
        """Return the sums of series, given the product and location index of each."""
        products, place = np.unique(product, return_inverse=True)
        shared = self._members(product, location)
        own = _matrix(place, np.arange(product.size), (products.size, product.size))
        sums = [(shared @ values.T, own @ values.T) for values in _values(history)]
        return SomeSums(
            shared=np.stack([one for one, _ in sums]),
            own=np.stack([one for _, one in sums]),
            products=products,
        )

    def mean(self, first_day: np.datetime64) -> Peers:
        """Return the mean series of every group."""
        last = self.groups - 1
        categories = np.append(np.arange(self.categories), last)
        return Peers(
            products=_means(self.shared[:, categories], first_day),
            own=_means(self.own, first_day),
            locations=_means(self.shared[:, self.categories :], first_day),
        )

    def _members(self, product: Indices, location: Indices) -> sparse.csr_array:
        """Return the matrix that adds series to the shared groups, series in order."""
        own = np.arange(product.size)
        category, region = self.catalogue.category[product], self.catalogue.region[location]
        rows, columns = [], []
        for first, index in (
            (0, category),
            (self.categories, location),
            (self.categories + self.places, region),
            (self.groups - 1, np.zeros(product.size, dtype=np.int64)),
        ):
            rows.append(first + index[index >= 0])
            columns.append(own[index >= 0])
        return _matrix(np.concatenate(rows), np.concatenate(columns), (self.groups, product.size))


def _values(history: History) -> Iterator[Floats]:
    """Yield what is summed, in the order of `_SUMMED`, each of shape (days, series)."""
    seen = ~np.isnan(history.quantity)
    recorded = dict.fromkeys(_MEASURES, seen) | {"price": seen & ~np.isnan(history.price)}
    taken = {
        name: np.minimum(np.where(recorded[name], getattr(history, name), 0.0), _MOST)
        for name in _WHOLE
    }
    for name in _MEASURES:
        values = (
            taken[name] - np.floor(taken[name])
            if name in _WHOLE
            else np.where(recorded[name], getattr(history, name), 0.0)
        )
        yield np.rint(values * _UNIT) / _UNIT
    for name in _WHOLE:
        yield np.floor(taken[name])
    yield seen.astype(np.float64)
    yield recorded["price"].astype(np.float64)


def _matrix(rows: Indices, columns: Indices, shape: tuple[int, int]) -> sparse.csr_array:
    return sparse.csr_array((np.ones(rows.size), (rows, columns)), shape=shape)


def _means(sums: Floats, first_day: np.datetime64) -> History:
    """Return the mean series of groups from their sums, shape (measures, groups, days)."""
    by_name = dict(zip(_SUMMED, sums, strict=True))
    for name in _WHOLE:
        by_name[name] = by_name[f"whole_{name}"] + by_name[name]
    seen, priced = (
        np.where(by_name[name] > 0, by_name[name], np.nan) for name in ("seen", "priced")
    )
    means = {name: by_name[name] / (priced if name == "price" else seen) for name in _MEASURES}
    # No open day gives no quantity; the other measures of such a day are not read.
    for name, value in (("available", 1.0), ("discount", 0.0), ("promoted", 0.0)):
        means[name] = np.where(np.isnan(means[name]), value, means[name])
    return History(first_day, **{name: values.T.copy() for name, values in means.items()})
