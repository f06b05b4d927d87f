"""Contracts of the demand tables: what sells, where, and what is known of days to come."""

from __future__ import annotations

from training.tables.columns import (
    CURRENCY,
    DAY,
    SERIES,
    Column,
    Contract,
    Relation,
    amounts,
    dates,
    flags,
    ids,
    shares,
    signed,
    texts,
)

_PRICING = (*amounts("price"), *shares("discount"), *flags("promoted"))
_QUANTITY = Column(
    "quantity",
    "number",
    required=True,
    low=0.0,
    hint="returns go to returned_quantity, or are netted by a recipe's `returns` step",
)

DEMAND_TABLES = (
    Contract(
        "sales",
        (
            *SERIES,
            _QUANTITY,
            *amounts("returned_quantity"),
            *_PRICING,
            *shares("available_fraction"),
            *texts("transaction_id", "order_id", "customer_id"),
            *signed("revenue"),
            *CURRENCY,
        ),
        ("date", "sku", "location"),
        recorded="date",
    ),
    Contract("plan", (*SERIES, *_PRICING, *CURRENCY), ("date", "sku", "location")),
    Contract(
        "overrides",
        (
            *SERIES,
            *amounts("quantity", "factor"),
            *ids("author"),
            *dates("created_date", required=True),
            *dates("expires_date"),
            *texts("reason"),
        ),
        ("date", "sku", "location"),
        (Relation("expires_date", ">=", "created_date"),),
    ),
    Contract(
        "demand_tags",
        (*SERIES, *ids("tag"), *texts("author", "note")),
        ("date", "sku", "location", "tag"),
    ),
    Contract(
        "products",
        (
            *ids("sku"),
            *texts("category", "sub_category", "brand"),
            *amounts("price", "unit_cost", "weight_kg"),
            *flags("seasonal"),
            *dates("launch_date"),
            *amounts("shelf_life_days", "pack_size"),
            *amounts("minimum_order_quantity"),
            *texts("unit_of_measure"),
            *CURRENCY,
        ),
        ("sku",),
    ),
    Contract(
        "locations",
        (
            *ids("location"),
            *texts("city", "state", "region", "country", "time_zone"),
            Column("latitude", "number", low=-90.0, high=90.0),
            Column("longitude", "number", low=-180.0, high=180.0),
            *amounts("capacity_units"),
            *dates("opened_date"),
        ),
        ("location",),
    ),
    Contract(
        "campaigns",
        (
            *ids("campaign_id"),
            *dates("start_date", "end_date", required=True),
            *texts("sku"),
            Column("discount_percent", "number", low=0.0, high=100.0),
            *texts("campaign_type", "region"),
        ),
        ("campaign_id", "sku", "region"),
        (Relation("end_date", ">=", "start_date"),),
    ),
    Contract(
        "calendar",
        (
            *DAY,
            *texts("country", "region", "holiday_name"),
            *flags("payday", "school_holiday", "open"),
        ),
        ("date", "country", "region", "holiday_name"),
        extra="number",
    ),
    Contract(
        "weather",
        (
            *DAY,
            *ids("city"),
            *dates("issued_date"),
            Column("temperature_avg", "number", low=-100.0, high=100.0),
            *amounts("precipitation_mm"),
            *flags("extreme"),
        ),
        ("date", "city", "issued_date"),
        (Relation("issued_date", "<=", "date"),),
    ),
    Contract(
        "experiment",
        (
            *ids("unit_id"),
            *flags("treated", required=True),
            *signed("outcome", required=True),
            *signed("pre_outcome"),
            *shares("propensity"),
        ),
        ("unit_id",),
        extra="any",
    ),
)
