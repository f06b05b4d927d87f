"""Quotes and the parts they are for, read from the tables of a data folder."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from serving.domain.part_features import Part, Terms, bill_measures
from serving.errors import MissingInput
from training import tables

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from serving.domain.part_features import Attributes, PartEncoding

# Columns of a product that say something of the part itself.
PRODUCT_WORDS = ("category", "sub_category", "brand")
PRODUCT_NUMBERS = ("weight_kg",)
# Columns of a line of a bill that say something of the component on it, and of the line alone.
LINE_WORDS = ("commodity", "process")
_LINE = ("sku", "component", "quantity", "commodity", "mass_kg", "labor_minutes")
# What the bills themselves say of a component: a part few bills hold costs more than it weighs.
USED_IN = "used in bills"
_OFFER = ("sku", "supplier_id", "date")  # what one supplier quoted together


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Parts and components of a data folder.

    Attributes:
        parts: Parts by code.
        components: Attributes of each component.
    """

    parts: Mapping[str, Part]
    components: Mapping[str, Attributes]

    def rows(self, encoding: PartEncoding, skus: Sequence[str]) -> NDArray[np.float64]:
        """Return the columns of some parts, each computed once, shape (n, width)."""
        place: dict[str, int] = {}
        for sku in skus:
            place.setdefault(sku, len(place))
        unknown = Part("", {})
        distinct = [self.parts.get(sku, unknown) for sku in place]
        return encoding.part_rows(distinct, self.components)[[place[sku] for sku in skus]]


@dataclass(frozen=True, slots=True)
class Quotes:
    """Quotes of a data folder, one row a quote and quantity.

    Attributes:
        frame: Columns of table quotes, absent ones empty; ``brackets`` holds the quantities the
            supplier quoted together.
        terms: What the model reads of them.
    """

    frame: pl.DataFrame
    terms: Terms

    @property
    def skus(self) -> list[str]:
        """Part of each quote."""
        return self.frame["sku"].to_list()


def read_quotes(data: Path) -> Quotes:
    """Read the quotes of a data folder.

    Raises:
        MissingInput: If there are none.
        TableRefused: If the table breaks its contract.
    """
    names = (
        "quote_id",
        "date",
        "sku",
        "supplier_id",
        "quantity",
        "unit_price",
        "minimum_order_quantity",
        "valid_until",
        "currency_code",
        "annual_usage",
        "bracket_pricing",
    )
    frame = tables.read(data, "quotes", columns=names).with_columns(
        bracket_count=pl.len().over(_OFFER).cast(pl.Float64),
        least_bracket=pl.col("quantity").min().over(_OFFER),
        greatest_bracket=pl.col("quantity").max().over(_OFFER),
        bracket_rank=pl.col("quantity").rank("max").over(_OFFER).cast(pl.Float64),
        brackets=pl.col("quantity").implode().over(_OFFER),
        day=pl.col("date").cast(pl.Int32).cast(pl.Float64),
    )
    if frame.is_empty():
        raise MissingInput("quotes", "quotes")
    columns = {
        name: frame[name].cast(pl.Float64).fill_null(np.nan).to_numpy()
        for name in Terms.__dataclass_fields__
        if name != "suppliers"
    }
    return Quotes(frame, Terms(**columns, suppliers=tuple(frame["supplier_id"].to_list())))


def read_catalogue(data: Path) -> Catalogue:
    """Read what the tables say of parts and components."""
    attributes: dict[str, dict[str, list[str]]] = {}

    def note(frame: pl.DataFrame, key: str, name: str) -> None:
        filled = frame.select(key, pl.col(name).cast(pl.String)).drop_nulls()
        for sku, value in cells(filled):
            attributes.setdefault(sku, {}).setdefault(name, []).append(value)

    products = table_of(data, "products", ("sku", *PRODUCT_WORDS, *PRODUCT_NUMBERS))
    for name in (*PRODUCT_WORDS, *PRODUCT_NUMBERS):
        note(products, "sku", name)
    said = table_of(data, "part_attributes", ("sku", "attribute", "value"))
    for sku, name, value in cells(said):
        attributes.setdefault(sku, {}).setdefault(name, []).append(value)
    # A name that stands in a bill and nowhere else is a component, no part to be asked about.
    described_parts = list(attributes)
    lines = table_of(data, "bills_of_material", (*_LINE, *LINE_WORDS[1:]))
    for name in LINE_WORDS:
        note(lines.unique(["component", name], maintain_order=True), "component", name)
    bills: dict[str, list[tuple[Any, ...]]] = {}
    zeros = pl.col("mass_kg", "labor_minutes").cast(pl.Float64).fill_null(0.0)
    filled = lines.select(_LINE).with_columns(zeros, pl.col("commodity").fill_null(""))
    for sku, *line in cells(filled):
        bills.setdefault(sku, []).append(tuple(line))
    used_in = Counter(name for bill in bills.values() for name in {line[0] for line in bill})
    for component, count in used_in.items():
        attributes.setdefault(component, {})[USED_IN] = [str(count)]
    known = dict.fromkeys([*products["sku"].to_list(), *described_parts, *bills])
    parts = {sku: _part(sku, attributes.get(sku, {}), bills.get(sku, ())) for sku in known}
    return Catalogue(parts, attributes)


def _part(sku: str, attributes: Attributes, bill: Sequence[tuple[Any, ...]]) -> Part:
    lines = tuple((component, quantity) for component, quantity, *_ in bill)
    return Part(sku, attributes, lines, bill_measures(line[1:] for line in bill))


def cells(frame: pl.DataFrame) -> Iterator[tuple[Any, ...]]:
    """Return the rows of a table; by columns, as polars makes tuples of rows at half the speed."""
    return zip(*(column.to_list() for column in frame.get_columns()), strict=True)


def table_of(data: Path, table: str, columns: Sequence[str]) -> pl.DataFrame:
    """Read columns of a table; no rows where the folder has none."""
    if tables.exists(data, table):
        return tables.read(data, table, columns=columns)
    return pl.DataFrame(schema=dict.fromkeys(columns, pl.String))
