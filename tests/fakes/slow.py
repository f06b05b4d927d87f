"""A question whose answers take a moment, in whatever process gives them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from training.batch.forecasts import ForecastQuestion

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from serving.ports import DemandModel
    from training.batch.questions import Answerer, Block, Part

SECONDS = 0.5  # a part


class SlowQuestion(ForecastQuestion):
    """Asks for forecasts; each part is answered late."""

    def answerer(self, model: DemandModel, block: Block, data_dir: Path, file: Path) -> Answerer:
        """Return what answers, late."""
        inner = super().answerer(model, block, data_dir, file)

        def answer(part: Part) -> pa.Table:
            time.sleep(SECONDS)
            return inner(part)

        return answer
