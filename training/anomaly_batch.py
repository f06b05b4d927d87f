"""Batch scoring of anomalies: every row the tables hold, with false discoveries under control."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from serving.adapters.anomaly import open_anomaly
from serving.adapters.releases import CURRENT, open_release
from serving.domain.anomaly import MAX_ROWS, AnomalyKind, AnomalyQuery
from serving.domain.two_sample import adjusted
from serving.errors import BeyondTrained, InvalidField, MissingInput, NoModel
from serving.flows.anomaly import AnomalyFlow
from training.anomaly_rows import inputs_of
from training.anomaly_runs import rows_of

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable
    from pathlib import Path

    from serving.adapters.anomaly import OnnxAnomalyModel
    from serving.domain.anomaly import AnomalyAnswer
    from serving.domain.model import ModelDescription
    from serving.settings import Settings

ANOMALY = "anomaly"
DRIVERS = 3


@dataclass(frozen=True, slots=True)
class AnomalyJob:
    """What a batch run is asked.

    Attributes:
        data: Data folder.
        out: Parquet file to write.
        as_of: Last day that counts; the last one of the tables where None.
        discovery_rate: Share of the flagged rows of a kind that may be usual ones, above 0 and
            at most 0.5.
    """

    data: Path
    out: Path
    as_of: dt.date | None = None
    discovery_rate: float = 0.1

    def __post_init__(self) -> None:
        """Refuse an output that is no parquet file, and a rate that is none."""
        if self.out.suffix != ".parquet":
            raise InvalidField("out", f"must end in .parquet, got {self.out.name!r}")
        if not 0 < self.discovery_rate <= 0.5:  # noqa: PLR2004 - as documented
            raise InvalidField("false-discovery-rate", "must be above 0 and at most 0.5")


@dataclass(frozen=True, slots=True)
class Scored:
    """What a run scored of one kind.

    Attributes:
        kind: The kind.
        rows: Rows scored.
        flagged: Rows flagged.
        absent: Why nothing was scored; empty where it was.
    """

    kind: AnomalyKind
    rows: int
    flagged: int
    absent: str = ""


def score_tables(settings: Settings, job: AnomalyJob, tell: Callable[[str], None]) -> list[Scored]:
    """Score every row the tables hold and write them to one file.

    Args:
        settings: Where the releases are.
        job: What is asked.
        tell: Told the name of each step as it begins.

    Returns:
        What was scored of each kind.

    Raises:
        NoModel: If no anomaly model is registered.
        MissingInput: If the tables hold rows of no kind.
    """
    flow = AnomalyFlow(_Fixed(_open(settings.releases)))
    frames, scored = [], []
    for kind in AnomalyKind:
        tell(kind.name.lower().replace("_", " "))
        try:
            rows = rows_of(settings, job.data, kind, job.as_of)
            frame = _scored(flow, kind, rows, job.discovery_rate)
        except (MissingInput, NoModel, BeyondTrained) as error:
            scored.append(Scored(kind, 0, 0, str(error)))
            continue
        frames.append(frame)
        scored.append(Scored(kind, frame.height, int(frame["flagged"].sum())))
    if not frames:
        raise MissingInput("rows to score", "purchase_orders")
    tell("writing")
    new = job.out.with_name(f".{job.out.name}")
    job.out.parent.mkdir(parents=True, exist_ok=True)
    pl.concat(frames).sort("p_value", "date", "entity", "sku").write_parquet(new)
    new.replace(job.out)
    return scored


class _Fixed:
    """A source of one model that never changes."""

    def __init__(self, model: OnnxAnomalyModel) -> None:
        self._model = model

    def current(self) -> OnnxAnomalyModel:
        return self._model

    def descriptions(self) -> list[ModelDescription]:
        return [self._model.description]


def _open(releases: Path) -> OnnxAnomalyModel:
    folder = releases / ANOMALY
    versions = [path.name for path in folder.glob("[0-9]*") if path.is_dir()]
    if not versions:
        raise NoModel(ANOMALY, "parlevel train anomaly")
    serving = folder / CURRENT
    chosen = serving.readlink().name if serving.is_symlink() else max(versions, key=int)
    return open_release(folder / chosen, open_anomaly)


def _scored(flow: AnomalyFlow, kind: AnomalyKind, rows: pl.DataFrame, rate: float) -> pl.DataFrame:
    inputs = inputs_of(kind, rows)
    answers = [
        flow.score(AnomalyQuery(kind, inputs[start : start + MAX_ROWS], driver_count=DRIVERS))
        for start in range(0, len(inputs), MAX_ROWS)
    ]
    p_values = np.concatenate([one.p_values for one in answers])
    corrected = adjusted(p_values, np.ones(p_values.size))
    return pl.DataFrame(
        {
            "kind": [kind.name.lower()] * rows.height,
            "date": rows["date"],
            "sku": rows["sku"],
            "entity": rows["entity"],
            "source": rows["source"],
            "score": np.concatenate([one.scores for one in answers]),
            "p_value": p_values,
            "adjusted_p_value": corrected,
            "flagged": corrected <= rate,
            "drivers": [text for one in answers for text in _drivers(one)],
        }
    )


def _drivers(answer: AnomalyAnswer) -> list[str]:
    """Return the drivers of each row in words: the feature, its value and its usual range."""
    return [
        "; ".join(
            f"{answer.features[feature]} {value:.3g} (usually {low:.3g} to {high:.3g})"
            for feature, credit, value, low, high in zip(*row, strict=True)
            if credit > 0
        )
        for row in zip(
            answer.driver_features,
            answer.driver_contributions,
            answer.driver_values,
            answer.driver_usual_lows,
            answer.driver_usual_highs,
            strict=True,
        )
    ]
