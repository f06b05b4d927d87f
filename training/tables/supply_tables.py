"""Contracts of the supply tables: stock, policies, networks and suppliers."""

from __future__ import annotations

from training.tables.columns import (
    CURRENCY,
    DAY,
    SERIES,
    Contract,
    Relation,
    amounts,
    counts,
    dates,
    flags,
    ids,
    shares,
    signed,
    texts,
)

SUPPLY_TABLES = (
    Contract(
        "inventory",
        (
            *SERIES,
            *amounts("on_hand", required=True),
            *amounts("on_order", "backorders"),
            *texts("lot_id"),
            *dates("expiry_date"),
        ),
        ("date", "sku", "location", "lot_id"),
        recorded="date",
    ),
    Contract(
        "policy",
        (
            *texts("sku", "location"),
            *amounts("ordering_cost", "holding_cost_rate", "shortage_cost", "salvage_value"),
            *signed("margin"),
            *shares("service_target"),
            *texts("target_kind"),
            *amounts("review_days"),
            *CURRENCY,
        ),
        ("sku", "location"),
    ),
    Contract(
        "sourcing",
        (
            *ids("sku", "supplier_id"),
            *texts("location", "plant_id"),
            *shares("share"),
            *amounts("lead_time_days", "unit_price"),
            *CURRENCY,
            *texts("incoterm"),
            *amounts("payment_days"),
            *flags("preferred"),
        ),
        ("sku", "supplier_id", "location", "plant_id"),
    ),
    Contract(
        "network",
        (
            *ids("upstream", "downstream"),
            *amounts("lead_time_days", "processing_days", "holding_cost"),
        ),
        ("upstream", "downstream"),
        (Relation("upstream", "!=", "downstream"),),
    ),
    Contract(
        "lanes",
        (
            *ids("lane"),
            *texts("origin", "destination"),
            *amounts("capacity", "partner_capacity", "surcharge"),
            *shares("returns_share"),
        ),
        ("lane",),
    ),
    Contract(
        "suppliers",
        (
            *ids("supplier_id"),
            *texts("name", "country"),
            *amounts("quality_score"),
            *shares("on_time_rate"),
            *amounts("lead_time_days"),
            *signed("price_premium"),
        ),
        ("supplier_id",),
    ),
    Contract(
        "purchase_orders",
        (
            *ids("po_id", "sku", "supplier_id"),
            *dates("order_date", required=True),
            *dates("promised_date", "delivered_date"),
            *amounts("quantity", "unit_price", "freight_cost"),
            *texts("plant_id"),
            *CURRENCY,
        ),
        ("po_id", "sku", "supplier_id", "delivered_date"),
        (
            Relation("promised_date", ">=", "order_date"),
            Relation("delivered_date", ">=", "order_date"),
        ),
        recorded="order_date",
    ),
    Contract(
        "quality_events",
        (
            *DAY,
            *ids("sku", "supplier_id"),
            *texts("plant_id"),
            *counts("batch_size"),
            *counts("defects"),
        ),
        (),
        (Relation("defects", "<=", "batch_size"),),
        recorded="date",
    ),
)
