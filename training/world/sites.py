"""Plants: where they stand and what they cost."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Site:
    """A plant: where it stands, its labor rate in its own currency, its overhead rate."""

    plant_id: str
    country: str
    region: str
    currency: str
    labor_rate: float
    overhead_rate: float


PLANTS = (
    Site("PLANT-CN-1", "CN", "asia", "CNY", 42.0, 1.1),
    Site("PLANT-CN-2", "CN", "asia", "CNY", 38.0, 1.3),
    Site("PLANT-TW-1", "TW", "asia", "TWD", 290.0, 1.2),
    Site("PLANT-TW-2", "TW", "asia", "TWD", 310.0, 1.0),
    Site("PLANT-DE-1", "DE", "europe", "EUR", 34.0, 0.9),
    Site("PLANT-DE-2", "DE", "europe", "EUR", 31.0, 1.0),
    Site("PLANT-US-1", "US", "us-east", "USD", 29.0, 0.9),
    Site("PLANT-US-2", "US", "us-west", "USD", 33.0, 0.8),
    Site("PLANT-MX-1", "MX", "mexico", "MXN", 88.0, 1.2),
    Site("PLANT-IN-1", "IN", "asia", "INR", 230.0, 1.4),
    Site("PLANT-IN-2", "IN", "asia", "INR", 210.0, 1.3),
    Site("PLANT-JP-1", "JP", "asia", "JPY", 3_100.0, 1.0),
)
