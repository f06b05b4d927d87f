"""How each model is made of its release: one line a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serving.adapters.anomaly import open_anomaly
from serving.adapters.cost_model import COST, open_cost
from serving.adapters.demand import open_demand
from serving.adapters.releases import open_release
from serving.adapters.uplift import open_uplift
from serving.errors import ReleaseRefused

if TYPE_CHECKING:
    from pathlib import Path

    from serving.adapters.releases import Opener
    from serving.ports import Described

OPENERS: dict[str, Opener[Described]] = {
    "anomaly": open_anomaly,
    COST: open_cost,
    "uplift": open_uplift,
    "forecast": open_demand,
}


def open_any(folder: Path) -> Described:
    """Check a release folder of whichever model, and open it.

    Raises:
        ReleaseRefused: If a file is missing, a check fails, or nobody serves a model of its name.
    """
    name = folder.parent.name
    if name not in OPENERS:
        raise ReleaseRefused(f"{name}/{folder.name}", f"nothing here serves a model named {name}")
    return open_release(folder, OPENERS[name])
