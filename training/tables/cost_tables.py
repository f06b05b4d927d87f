"""Contracts of the cost tables: what parts cost and why."""

from __future__ import annotations

from training.tables.columns import (
    CURRENCY,
    DAY,
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

_RATE = Column("rate", "number", required=True, positive=True)
# Materials have a price, every other element a rate; each with usage, actual and budget.
_ELEMENTS = (
    "raw_material_price",
    "raw_material_usage",
    *(
        f"{name}_{part}"
        for name in ("labor", "overhead", "logistics", "tariff")
        for part in ("rate", "usage")
    ),
)


COST_TABLES = (
    Contract(
        "exchange_rates",
        (*DAY, *ids("from_currency", "to_currency"), _RATE),
        ("date", "from_currency", "to_currency"),
        recorded="date",
    ),
    Contract(
        "plants",
        (
            *ids("plant_id"),
            *texts("country", "region"),
            *amounts("labor_rate_hourly", "overhead_rate", "capacity_utilization"),
            *CURRENCY,
            # Relative half width within which a rate is negotiated or may be revised.
            *shares("labor_rate_range", "overhead_rate_range"),
        ),
        ("plant_id",),
    ),
    Contract(
        "bills_of_material",
        (
            *ids("sku", "component"),
            Column("quantity", "number", required=True, positive=True),
            *texts("commodity"),
            *amounts("mass_kg", "labor_minutes"),
            *texts("process"),
            Column("yield_rate", "number", positive=True, high=1.0),
        ),
        ("sku", "component", "process"),
        (Relation("component", "!=", "sku"),),
    ),
    # What is known of a part or component beside its product row, one value a row: a name may
    # have several values, and a value is a number or a word.
    Contract(
        "part_attributes",
        (*ids("sku", "attribute", "value"),),
        ("sku", "attribute", "value"),
    ),
    Contract(
        "commodity_prices",
        (*DAY, *ids("commodity"), *amounts("price", required=True), *texts("currency")),
        ("date", "commodity", "currency"),
        recorded="date",
    ),
    Contract(
        "tariffs",
        (
            *ids("origin_country", "destination_country"),
            *texts("category", "commodity"),
            *amounts("rate", required=True),
            *dates("valid_from", required=True),
            *dates("valid_to"),
        ),
        ("origin_country", "destination_country", "category", "commodity", "valid_from"),
        (Relation("valid_to", ">=", "valid_from"),),
    ),
    Contract(
        "freight_rates",
        (
            *ids("origin_country", "destination_country"),
            *amounts("rate_per_kg", required=True),
            *dates("valid_from", required=True),
            *dates("valid_to"),
            *shares("rate_range"),
            *CURRENCY,
        ),
        ("origin_country", "destination_country", "valid_from"),
        (Relation("valid_to", ">=", "valid_from"),),
    ),
    Contract(
        "quotes",
        (
            *ids("quote_id"),
            *DAY,
            *ids("sku", "supplier_id"),
            Column("quantity", "number", required=True, positive=True),
            *amounts("unit_price", required=True),
            *amounts("lead_time_days"),
            *amounts("minimum_order_quantity"),
            *dates("valid_until"),
            *CURRENCY,
            *amounts("annual_usage"),
            *flags("bracket_pricing"),
        ),
        ("quote_id", "sku", "quantity"),
        (Relation("valid_until", ">=", "date"),),
        recorded="date",
    ),
    Contract(
        "cost_transactions",
        (
            *DAY,
            *ids("sku", "plant_id"),
            *texts("supplier_id"),
            *amounts(*_ELEMENTS),
            *amounts(*(f"budget_{name}" for name in _ELEMENTS)),
            *amounts("total_unit_cost", "volume", required=True),
            *amounts("budget_volume", "budget_unit_cost"),
            *CURRENCY,
            Column("fx_rate", "number", positive=True),
            Column("budget_fx_rate", "number", positive=True),
        ),
        ("date", "sku", "plant_id", "supplier_id"),
        recorded="date",
    ),
    Contract(
        "cost_actions",
        (
            *ids("action_id"),
            *DAY,
            *ids("sku", "action_type"),
            *signed("projected_saving", "actual_saving"),
            *texts("status"),
            *flags("treated"),
            *CURRENCY,
        ),
        ("action_id",),
    ),
)
