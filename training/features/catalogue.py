"""Products and locations that any table knows, with the attributes features read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from training import tables

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Indices = NDArray[np.int64]

ATTRIBUTES = ("price", "seasonal", "minimum_order_quantity", "pack_size")
# Tables beside sales in which a product or location may be known before it sells.
_NAMING = {
    "products": ("sku",),
    "locations": ("location",),
    "plan": ("sku", "location"),
    "inventory": ("sku", "location"),
    "sourcing": ("sku", "location"),
}


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Every known product and location, each in alphabetical order.

    Attributes:
        products: Names of the products.
        category_names: Names of the categories.
        category: Index of each product's category, -1 where it has none, shape (products,).
        attributes: Price, seasonal flag, least order and pack size of each product, NaN where
            absent, shape (products, 4).
        locations: Names of the locations.
        region_names: Names of the regions.
        region: Index of each location's region, -1 where it has none, shape (locations,).
        countries: Country of each location, empty where unknown.
    """

    products: tuple[str, ...]
    category_names: tuple[str, ...]
    category: Indices
    attributes: Floats
    locations: tuple[str, ...]
    region_names: tuple[str, ...]
    region: Indices
    countries: tuple[str, ...]

    @property
    def regions(self) -> tuple[str, ...]:
        """Region of each location, empty where unknown."""
        return tuple("" if index < 0 else self.region_names[index] for index in self.region)


def load_catalogue(data_dir: Path, *, sold: Iterable[str], selling: Iterable[str]) -> Catalogue:
    """Collect products and locations from the tables of a folder.

    Args:
        data_dir: The data folder.
        sold: Products named in `sales`.
        selling: Locations named in `sales`.

    Returns:
        The catalogue; a table that is absent leaves its attributes unknown.
    """
    named = {"sku": set(sold), "location": set(selling)}
    for table, keys in _NAMING.items():
        if tables.exists(data_dir, table):
            rows = tables.scan(data_dir, table, keys)
            for key in keys:
                distinct = rows.select(pl.col(key).unique()).collect()[key]
                named[key].update(distinct.drop_nulls().to_list())
    products = _attributes(data_dir, "products", "sku", sorted(named["sku"]))
    places = _attributes(data_dir, "locations", "location", sorted(named["location"]))
    category_names, category = _coded(products, "category")
    region_names, region = _coded(places, "region")
    return Catalogue(
        products=tuple(products["sku"].to_list()),
        category_names=category_names,
        category=category,
        attributes=np.stack([_numbers(products, name) for name in ATTRIBUTES], axis=1),
        locations=tuple(places["location"].to_list()),
        region_names=region_names,
        region=region,
        countries=tuple(_texts(places, "country").to_list()),
    )


def _attributes(data_dir: Path, table: str, key: str, names: list[str]) -> pl.DataFrame:
    """Return the rows of a table for the names in order, empty where it says nothing."""
    wanted = pl.DataFrame({key: names}, schema={key: pl.String})
    if not tables.exists(data_dir, table):
        return wanted
    frame = tables.read(data_dir, table).unique(key, keep="first", maintain_order=True)
    return wanted.join(frame, on=key, how="left", maintain_order="left")


def _texts(frame: pl.DataFrame, column: str) -> pl.Series:
    if column not in frame.columns:
        return pl.Series(column, [""] * frame.height, dtype=pl.String)
    return frame[column].fill_null("")


def _coded(frame: pl.DataFrame, column: str) -> tuple[tuple[str, ...], Indices]:
    """Return the distinct texts of a column and the index of each row's, -1 where it is empty."""
    texts = _texts(frame, column).to_list()
    names = tuple(sorted({text for text in texts if text}))
    place = {name: index for index, name in enumerate(names)}
    return names, np.asarray([place.get(text, -1) for text in texts], dtype=np.int64)


def _numbers(frame: pl.DataFrame, column: str) -> Floats:
    if column not in frame.columns:
        return np.full(frame.height, np.nan)
    return frame[column].cast(pl.Float64).fill_null(np.nan).to_numpy().copy()
