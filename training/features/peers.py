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
_SUMMED = (*_MEASURES, "seen", "priced")
SPAN_PRODUCTS = 32  # products whose series are summed on their own


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


class SpanSums(NamedTuple):
    """Sums over the series of one span of products.

    Attributes:
        shared: Sums of every category, location and region and of everything, by measure,
            shape (measures, groups, days).
        own: Sums of each product of the span over its locations, (measures, products, days).
        first: Index of the span's first product in the catalogue.
    """

    shared: Floats
    own: Floats
    first: int


class PeerSums:
    """Sums over series by group and day, taken in one span of products after another.

    Spans are cut by the catalogue alone, and sums of spans are added in order: so any chunks of
    whole spans give the same bits, and so do spans summed apart, in another process, and brought
    together.
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
        """Take in whole spans, given the product and location index of each series in order."""
        for sums in self.spans(history, product, location):
            self.take(sums)

    def take(self, sums: SpanSums) -> None:
        """Take in the sums of the span that follows."""
        self.shared += sums.shared
        self.own[:, sums.first : sums.first + sums.own.shape[1]] = sums.own

    def width(self, first: int) -> int:
        """Return the products of the span that begins at one."""
        return min(SPAN_PRODUCTS, len(self.catalogue.products) - first)

    def spans(self, history: History, product: Indices, location: Indices) -> Iterator[SpanSums]:
        """Yield the sums of each span of a history, in order."""
        seen = ~np.isnan(history.quantity)
        priced = seen & ~np.isnan(history.price)
        measures = [
            np.where(priced if name == "price" else seen, getattr(history, name), 0.0)
            for name in _MEASURES
        ]
        measures += [seen.astype(np.float64), priced.astype(np.float64)]
        cuts = np.flatnonzero(np.diff(product // SPAN_PRODUCTS)) + 1
        for series in np.split(np.arange(product.size), cuts):
            first = int(product[series[0]]) // SPAN_PRODUCTS * SPAN_PRODUCTS
            width = self.width(first)
            shared = self._members(product[series], location[series])
            own = _matrix(product[series] - first, np.arange(series.size), (width, series.size))
            block = slice(series[0], series[-1] + 1)
            taken = [values[:, block].T for values in measures]
            yield SpanSums(
                shared=np.stack([shared @ values for values in taken]),
                own=np.stack([own @ values for values in taken]),
                first=first,
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


def _matrix(rows: Indices, columns: Indices, shape: tuple[int, int]) -> sparse.csr_array:
    return sparse.csr_array((np.ones(rows.size), (rows, columns)), shape=shape)


def _means(sums: Floats, first_day: np.datetime64) -> History:
    """Return the mean series of groups from their sums, shape (measures, groups, days)."""
    by_name = dict(zip(_SUMMED, sums, strict=True))
    seen, priced = (
        np.where(by_name[name] > 0, by_name[name], np.nan) for name in ("seen", "priced")
    )
    means = {name: by_name[name] / (priced if name == "price" else seen) for name in _MEASURES}
    # No open day gives no quantity; the other measures of such a day are not read.
    for name, value in (("available", 1.0), ("discount", 0.0), ("promoted", 0.0)):
        means[name] = np.where(np.isnan(means[name]), value, means[name])
    return History(first_day, **{name: values.T.copy() for name, values in means.items()})
