"""What a training run is asked, and the content hashes that say whether it was done before.

Kept apart from training itself, so that asking costs no import of a training library.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from serving.domain.features import feature_set_hash
from serving.domain.history import MAX_HORIZON, WEEK
from serving.errors import InvalidField
from training import tables

if TYPE_CHECKING:
    import datetime as dt

# The modules that decide what a forecast version is.
ROUTE_CODE = (
    *("attribution.py", "route_scenes.py", "routed.py", "routing.py"),
    *("seasons.py", "shapes.py", "tails.py", "tier_options.py", "totals.py"),
)
_CODE = ("boosters.py", "conformal.py", "demand.py", "demand_rows.py", "graph.py", *ROUTE_CODE)


@dataclass(frozen=True, slots=True)
class Recipe:
    """How the demand model is trained.

    Attributes:
        horizon: Longest horizon and cover in days; a quarter of the history where None.
        rows: Daily training rows sampled.
        trees: Trees a booster.
        leaves: Leaves a tree.
        learning_rate: Shrinkage of each tree.
        seed: Seed of sampling and boosting.
    """

    horizon: int | None = None
    rows: int = 400_000
    trees: int = 80
    leaves: int = 31
    learning_rate: float = 0.12
    seed: int = 42

    def __post_init__(self) -> None:
        """Refuse what cannot be trained."""
        if self.horizon is not None and not 1 <= self.horizon <= MAX_HORIZON:
            raise InvalidField("horizon", f"must be from 1 to {MAX_HORIZON}")
        for name in ("rows", "trees", "leaves"):
            if getattr(self, name) < 1:
                raise InvalidField(name, "must be 1 or more")

    def horizon_for(self, days: int) -> int:
        """Return the horizon trained on so many days of history."""
        return self.horizon or min(MAX_HORIZON, max(WEEK, days // 4))


@dataclass(frozen=True, slots=True)
class ForecastRun:
    """What a forecast training run is asked.

    Attributes:
        data: Data folder.
        as_of: Last day training may see; the last day of sales where None.
        recipe: How to train.
        force: Train even if a version of the same content is registered.
    """

    data: Path
    as_of: dt.date | None
    recipe: Recipe
    force: bool = False

    def tags(self) -> dict[str, str]:
        """Return the content hashes that identify what this run would register."""
        code = hashlib.sha256()
        for file in _CODE:
            code.update((Path(__file__).parent / file).read_bytes())
        return {
            "data_sha256": tables.digest(self.data),
            "as_of": str(self.as_of or "last"),
            "recipe": json.dumps(asdict(self.recipe), sort_keys=True),
            "feature_set_hash": feature_set_hash(),
            "code_sha256": code.hexdigest(),
        }
