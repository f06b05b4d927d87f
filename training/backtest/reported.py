"""What the report page of a backtest is made of."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

from training.backtest.runs import backtest, index_of, past_fit
from training.backtest.scene import set_scene
from training.panel import load_panel

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from serving.ports import DemandModel
    from training.backtest.runs import BacktestJob, OriginScore
    from training.backtest.scene import Scene

    Progress = Callable[[str], None]

LEVELS = {
    "sku_location": "SKU x location x day",
    "category_location": "category x location x day",
    "location": "location x day",
    "total": "all series x day",
}


@dataclass(frozen=True, slots=True)
class Reported:
    """What a page is made of.

    Attributes:
        job: What was asked of the backtest.
        scores: The figures of each origin.
        scene: The last origin and what came true after it.
        model: The model of that origin.
    """

    job: BacktestJob
    scores: Sequence[OriginScore]
    scene: Scene
    model: DemandModel


def reported(job: BacktestJob, progress: Progress) -> Reported:
    """Run a backtest, or read it from the cache, and set the scene of its last origin.

    Args:
        job: What is asked.
        progress: Told the name of each step as it begins.

    Raises:
        MissingInput: If there are no sales, or too few days before an origin.
        InvalidField: If an origin has no day with sales after it.
        ReleaseRefused: If an exported graph differs from its boosters.
    """
    scores = backtest(job, progress)
    last = dataclasses.replace(job, origins=(max(job.origins),))
    model = past_fit(last, progress).open()
    progress("what was forecast, and what came")
    panel = load_panel(job.data_dir)
    scene = set_scene(panel, index_of(panel, last.origins[0]), job.horizon)
    return Reported(job, scores, scene, model)
