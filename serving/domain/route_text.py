"""Routes as text, as they travel in the metadata of the graph they belong to."""

from __future__ import annotations

import base64
import io
import json
import zlib
from typing import Any, NamedTuple

import numpy as np

from serving.domain.periods import Frequency
from serving.domain.routes import Cells, Routes, Shapes
from serving.domain.tiers import (
    DemandTier,
    LevelKind,
    Multiplicative,
    Similar,
    Sparse,
    SparseMethod,
)

KEY = "routes"  # name of the entry in the graph's metadata
_LAYOUT = 2


def encode(routes: Routes) -> str:
    """Write a table as text for the graph's metadata.

    Args:
        routes: The table.

    Returns:
        Text that `decode` reads.
    """
    named: dict[str, NamedTuple] = {"cells": routes.cells, "cover_cells": routes.cover_cells}
    named |= {tier.name: shapes for tier, shapes in routes.shapes.items()}
    arrays: dict[str, Any] = {
        f"{place}.{name}": part
        for place, parts in named.items()
        for name, part in parts._asdict().items()
    }
    if routes.multiplicative is not None:
        arrays["season"] = routes.multiplicative.season
        arrays["weekday"] = routes.multiplicative.weekday
    arrays["price_factors"] = routes.similar.price_factors
    packed = io.BytesIO()
    np.savez(packed, **arrays)
    by = routes.multiplicative
    return json.dumps(
        {
            "layout": _LAYOUT,
            "origins": routes.origins,
            "frequency": int(routes.frequency),
            "tiers": [int(tier) for tier in routes.shapes],
            "multiplicative": None if by is None else [int(by.level), by.weekday_share],
            "sparse": [int(routes.sparse.method), routes.sparse.alpha, routes.sparse.weekday_share],
            "similar": [
                routes.similar.strength_days,
                routes.similar.location_share,
                routes.similar.location_level,
            ],
            "arrays": base64.b64encode(zlib.compress(packed.getvalue(), 9)).decode(),
        }
    )


def decode(text: str) -> Routes:
    """Read a table as `encode` writes it.

    Args:
        text: The entry of the graph's metadata.

    Returns:
        The table.

    Raises:
        ValueError: If it is of another layout or damaged.
        KeyError: If a part is missing.
    """
    said = json.loads(text)
    if said["layout"] != _LAYOUT:
        raise ValueError(f"routes of layout {said['layout']}, this server reads {_LAYOUT}")
    packed = io.BytesIO(zlib.decompress(base64.b64decode(said["arrays"])))
    with np.load(packed, allow_pickle=False) as arrays:
        found = {name: arrays[name] for name in arrays.files}
    by = said["multiplicative"]
    method, alpha, share = said["sparse"]
    strength, near, level = said["similar"]
    return Routes(
        origins=said["origins"],
        frequency=Frequency(said["frequency"]),
        cells=Cells(*(found[f"cells.{name}"] for name in Cells._fields)),
        cover_cells=Cells(*(found[f"cover_cells.{name}"] for name in Cells._fields)),
        shapes={
            tier: Shapes(*(found[f"{tier.name}.{name}"] for name in Shapes._fields))
            for tier in map(DemandTier, said["tiers"])
        },
        multiplicative=None
        if by is None
        else Multiplicative(LevelKind(by[0]), by[1], found["weekday"], found["season"]),
        sparse=Sparse(SparseMethod(method), alpha, share),
        similar=Similar(strength, near, level, found["price_factors"]),
    )
