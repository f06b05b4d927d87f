"""What Feast knows of the features: entities, views and the service of the current feature set.

All of it follows from `serving.domain.features`; nothing is named twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from feast import Entity, FeatureService, FeatureView, Field, FileSource, ValueType
from feast.data_format import ParquetFormat
from feast.types import Array, Float32

from serving.adapters.packed import ENTITIES
from serving.domain.features import VIEWS, feature_set_hash

if TYPE_CHECKING:
    from pathlib import Path

EVENT_TIME = "event_timestamp"
_DESCRIPTIONS = {
    "demand_state": "Levels, moments, weekday factors and tail of a series' demand.",
    "product": "Attributes of a product and the state of its category's mean series.",
    "location": "Peers of a location and the calendar of the days to come.",
    "known_future": "Price, discount and promotion planned for the days to come.",
}


def entities() -> dict[str, Entity]:
    """Return the entities by name."""
    return {
        "sku": Entity(name="sku", value_type=ValueType.STRING, description="Stock-keeping unit."),
        "location": Entity(
            name="location", value_type=ValueType.STRING, description="Place that sells or stocks."
        ),
    }


def views(offline: Path) -> list[FeatureView]:
    """Return one feature view per packed record.

    Args:
        offline: Absolute folder with a folder of parquet files per view, one file per event day.
    """
    known = entities()
    return [
        FeatureView(
            name=view,
            # A null is a NaN here, and no age turns a value into one: the service checks ages.
            entities=[known[name] for name in ENTITIES[view]],
            schema=[
                Field(name=name, dtype=Float32 if width == 1 else Array(Float32))
                for name, width in fields
            ],
            source=FileSource(
                name=f"{view}_offline",
                path=str(offline / view / "*.parquet"),
                file_format=ParquetFormat(),
                timestamp_field=EVENT_TIME,
            ),
            description=_DESCRIPTIONS[view],
        )
        for view, fields in VIEWS.items()
    ]


def service(of: list[FeatureView]) -> FeatureService:
    """Return the feature service of the current feature set; models name it by its hash."""
    return FeatureService(name=service_name(), features=list(of))


def service_name() -> str:
    """Return the name of the feature service of the current feature set."""
    return f"features_{feature_set_hash()}"
