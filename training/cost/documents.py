"""What the tables say of costs, as the documents serving reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from serving.domain.cost import Incoterm
from serving.flows.cost_desk import COMPONENT, PART, RATES
from training import tables
from training.cost.quotes import cells, read_catalogue, table_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    Document = tuple[str, str, Mapping[str, object]]  # kind, key, body

# Incoterms 2020 and the two of 2010 that are still written, by what the price covers.
_COVERS = {
    Incoterm.DDP: ("DDP",),
    Incoterm.DAP: ("DAP", "DPU", "DAT", "CPT", "CIP", "CIF", "CFR"),
    Incoterm.EXW: ("EXW", "FCA", "FAS", "FOB"),
}
_INCOTERMS = {name: term for term, names in _COVERS.items() for name in names}
_LINE = ("component", "quantity", "commodity", "mass_kg", "yield_rate", "labor_minutes")
_LINE_DEFAULTS = {"commodity": "", "mass_kg": 0.0, "yield_rate": 1.0, "labor_minutes": 0.0}


def cost_documents(data: Path) -> Iterator[Document]:
    """Yield every document of a data folder; none where it has neither parts nor bills.

    Args:
        data: The data folder.
    """
    if not any(tables.exists(data, name) for name in ("bills_of_material", "part_attributes")):
        return
    catalogue, sources = read_catalogue(data), _sources(data)
    bills, products = _bills(data), _products(data)
    used = {line[0] for bill in bills.values() for line in bill}
    for sku, part in catalogue.parts.items():
        product, source = products.get(sku, {}), sources.get(sku, {})
        body = {
            "bill": bills.get(sku, []),
            "category": product.get("category") or "",
            "weight_kg": product.get("weight_kg"),
            **_price(product, source),
            "supplier_id": source.get("supplier_id") or "",
            "plant_id": source.get("plant_id") or "",
            "destination": source.get("country") or "",
            "incoterm": int(_INCOTERMS.get((source.get("incoterm") or "").upper(), 0)),
            "attributes": part.attributes,
        }
        yield PART, sku, body
    for component in used:
        yield COMPONENT, component, catalogue.components.get(component, {})
    yield RATES, "", _rates(data)


def _price(product: Mapping[str, Any], source: Mapping[str, Any]) -> dict[str, Any]:
    """Return what one unit is bought for, by the source before the product."""
    if source.get("unit_price") is not None:
        return {"price": source["unit_price"], "price_currency": source["currency_code"] or ""}
    return {
        "price": product.get("unit_cost"),
        "price_currency": product.get("currency_code") or "",
    }


def _bills(data: Path) -> dict[str, list[list[Any]]]:
    lines = table_of(data, "bills_of_material", ("sku", *_LINE))
    filled = [pl.col(name).fill_null(value) for name, value in _LINE_DEFAULTS.items()]
    bills: dict[str, list[list[Any]]] = {}
    for sku, *line in cells(lines.with_columns(filled)):
        bills.setdefault(sku, []).append(line)
    return bills


def _products(data: Path) -> dict[str, dict[str, Any]]:
    names = ("sku", "category", "weight_kg", "unit_cost", "currency_code")
    return {row["sku"]: row for row in table_of(data, "products", names).iter_rows(named=True)}


def _sources(data: Path) -> dict[str, dict[str, Any]]:
    """Return the preferred source of each part, with the country of its location."""
    names = (
        "sku",
        "supplier_id",
        "location",
        "plant_id",
        "share",
        "unit_price",
        "currency_code",
        "incoterm",
        "preferred",
    )
    rows = table_of(data, "sourcing", names).sort(
        pl.col("preferred").cast(pl.Boolean).fill_null(value=False),
        pl.col("share").cast(pl.Float64).fill_null(0.0),
        "supplier_id",
        descending=[True, True, False],
    )
    countries = table_of(data, "locations", ("location", "country"))
    rows = rows.unique("sku", keep="first", maintain_order=True)
    joined = rows.join(countries, on="location", how="left", maintain_order="left")
    return {row["sku"]: row for row in joined.iter_rows(named=True)}


def _rates(data: Path) -> dict[str, Any]:
    settings = tables.dataset(data)
    plants = table_of(
        data,
        "plants",
        (
            "plant_id",
            "country",
            "labor_rate_hourly",
            "overhead_rate",
            "labor_rate_range",
            "overhead_rate_range",
            "currency_code",
        ),
    )
    suppliers = table_of(data, "suppliers", ("supplier_id", "country"))
    return {
        "currency_code": settings.currency_code,
        "country": settings.country,
        "commodities": _series(
            table_of(data, "commodity_prices", ("date", "commodity", "price", "currency"))
        ),
        "exchange": _exchange(
            table_of(data, "exchange_rates", ("date", "from_currency", "to_currency", "rate"))
        ),
        "tariffs": _lanes(
            table_of(data, "tariffs", (*_LANE, "rate", *_VALID, "category", "commodity")), "rate"
        ),
        "freight": _lanes(
            table_of(
                data,
                "freight_rates",
                (*_LANE, "rate_per_kg", *_VALID, "rate_range", "currency_code"),
            ),
            "rate_per_kg",
        ),
        "plants": {name: _plant(*row) for name, *row in plants.iter_rows()},
        "suppliers": {name: country or "" for name, country in suppliers.iter_rows()},
    }


_LANE = ("origin_country", "destination_country")
_VALID = ("valid_from", "valid_to")


def _plant(*row: Any) -> dict[str, Any]:  # noqa: ANN401 - cells of several kinds
    country, labor, overhead, labor_range, overhead_range, currency = row
    return {
        "country": country or "",
        "labor_rate": labor,
        "overhead_rate": overhead,
        "labor_range": labor_range or 0.0,
        "overhead_range": overhead_range or 0.0,
        "currency": currency or "",
    }


def _series(prices: pl.DataFrame) -> dict[str, dict[str, Any]]:
    """Return the series of each commodity; where it is priced in several currencies, the last."""
    series: dict[str, dict[str, Any]] = {}
    for (commodity, currency), rows in prices.group_by(
        "commodity", "currency", maintain_order=True
    ):
        series[str(commodity)] = {**_days(rows, "price"), "currency": currency or ""}
    return series


def _exchange(rates: pl.DataFrame) -> list[tuple[str, str, dict[str, Any]]]:
    pairs = rates.group_by("from_currency", "to_currency", maintain_order=True)
    return [(str(a), str(b), _days(rows, "rate")) for (a, b), rows in pairs]


def _days(rows: pl.DataFrame, value: str) -> dict[str, Any]:
    ordered = rows.sort("date")
    return {
        "days": ordered["date"].cast(pl.Int32).to_list(),
        "values": ordered[value].to_list(),
    }


def _lanes(rows: pl.DataFrame, value: str) -> list[tuple[str, str, list[dict[str, Any]]]]:
    """Return the rates of each pair of countries."""
    found = []
    for (origin, destination), rates in rows.group_by(_LANE, maintain_order=True):
        said = [_lane_rate(row, value) for row in rates.iter_rows(named=True)]
        found.append((str(origin), str(destination), said))
    return found


def _lane_rate(row: Mapping[str, Any], value: str) -> dict[str, Any]:
    return {
        "value": row[value],
        "valid_from": row["valid_from"].isoformat(),
        "valid_to": row["valid_to"].isoformat() if row["valid_to"] else "",
        "category": row.get("category") or "",
        "commodity": row.get("commodity") or "",
        "currency": row.get("currency_code") or "",
        "rate_range": row.get("rate_range") or 0.0,
    }
