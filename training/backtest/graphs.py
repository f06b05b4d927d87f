"""Models fitted as of a past day: exported, certified, and opened with the adapter that serves."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from serving.adapters.demand import OnnxDemandModel
from serving.adapters.onnx import open_session
from serving.domain.features import FEATURES, daily_rows, feature_set_hash
from serving.domain.model import Certificate, ModelDescription
from serving.domain.periods import Frequency
from serving.errors import ReleaseRefused
from training.features.records import records_at
from training.sampled import held_out, load_training_panel, without

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from training.content import Recipe
    from training.panel import Panel

    Progress = Callable[[str], None]

CERTIFIED_SERIES, CERTIFIED_ROWS = 400, 8_000
GRAPH, FACTS = "model.onnx", "facts.json"


@dataclass(frozen=True, slots=True)
class PastFit:
    """A graph fitted on the days up to an origin.

    Attributes:
        graph: The serialised ONNX graph.
        origin: Last day it has seen.
        quantile_levels: Trained probability levels of the daily head.
        cover_quantile_levels: Trained probability levels of the cover head.
        horizon: Longest trained horizon and cover, in days.
        certificate: What its parity certificate says.
        frequency: Length of the periods that days stand for.
    """

    graph: bytes
    origin: dt.date
    quantile_levels: tuple[float, ...]
    cover_quantile_levels: tuple[float, ...]
    horizon: int
    certificate: Certificate
    frequency: Frequency = Frequency.DAY

    @property
    def digest(self) -> str:
        """SHA-256 of the graph."""
        return hashlib.sha256(self.graph).hexdigest()

    def open(self) -> OnnxDemandModel:
        """Open the graph as serving would.

        Raises:
            ReleaseRefused: If onnxruntime cannot load it.
        """
        return OnnxDemandModel(
            open_session(self.graph),
            ModelDescription(
                name="forecast",
                version=f"as of {self.origin}",
                digest=self.digest,
                feature_set_hash=feature_set_hash(),
                features=FEATURES,
                quantile_levels=self.quantile_levels,
                cover_quantile_levels=self.cover_quantile_levels,
                max_horizon=self.horizon,
                max_cover=self.horizon,
                trained_time=dt.datetime.combine(self.origin, dt.time(), dt.UTC),
                data_end=self.origin,
                certificate=self.certificate,
                metrics=(),
                frequency=self.frequency,
            ),
        )


def fit_as_of(
    data_dir: Path, origin: dt.date, recipe: Recipe, progress: Progress, *, hold_out: int = 0
) -> PastFit:
    """Train on the tables up to a day, export the graph and certify it.

    Args:
        data_dir: The data folder.
        origin: Last day the fit may see.
        recipe: How to train.
        progress: Told the name of each step as it begins.
        hold_out: Every so many-th location is not learned from; 0 where all are.

    Raises:
        MissingInput: If there are too few days of sales up to the origin.
        ReleaseRefused: If the graph differs from its boosters.
    """
    from training.certificate import certify  # LightGBM and ONNX load where something is fitted
    from training.demand import train
    from training.routed import routed

    panel = load_training_panel(data_dir, as_of=origin)
    if hold_out:
        panel = without(panel, held_out(panel, hold_out))
    training = train(panel, recipe, progress)
    progress("routes")
    graph, fit = routed(panel, training).final, training.final
    progress("export and certificate")
    certificate = certify(graph, fit, certified_rows(panel, fit.horizon))
    if not certificate["passed"]:
        failed = [check["name"] for check in certificate["checks"] if not check["passed"]]
        raise ReleaseRefused(f"as of {origin}", f"its graph differs on {', '.join(failed)}")
    names = ("row_count", "threshold_row_count", "max_relative_difference")
    return PastFit(
        graph=graph,
        origin=origin,
        quantile_levels=tuple(fit.daily.calibration.levels),
        cover_quantile_levels=tuple(fit.cover.calibration.levels),
        horizon=fit.horizon,
        certificate=Certificate(**{name: certificate[name] for name in names}, passed=True),
        frequency=panel.folder.sales.frequency,
    )


def keep_fit(folder: Path, fit: PastFit) -> None:
    """Keep a fit in a folder; the facts come last, so that they vouch for the graph."""
    facts = {
        "origin": str(fit.origin),
        "quantile_levels": fit.quantile_levels,
        "cover_quantile_levels": fit.cover_quantile_levels,
        "horizon": fit.horizon,
        "frequency": int(fit.frequency),
        "row_count": fit.certificate.row_count,
        "threshold_row_count": fit.certificate.threshold_row_count,
        "max_relative_difference": fit.certificate.max_relative_difference,
    }
    write_whole(folder / GRAPH, fit.graph)
    write_whole(folder / FACTS, json.dumps(facts, indent=1).encode())


def kept_fit(folder: Path) -> PastFit | None:
    """Return the fit a folder holds, or None where it holds none."""
    try:
        facts = json.loads((folder / FACTS).read_bytes())
        graph = (folder / GRAPH).read_bytes()
    except FileNotFoundError:
        return None
    return PastFit(
        graph=graph,
        origin=dt.date.fromisoformat(facts["origin"]),
        quantile_levels=tuple(facts["quantile_levels"]),
        cover_quantile_levels=tuple(facts["cover_quantile_levels"]),
        horizon=facts["horizon"],
        certificate=Certificate(
            facts["row_count"],
            facts["threshold_row_count"],
            facts["max_relative_difference"],
            passed=True,
        ),
        frequency=Frequency(facts.get("frequency", Frequency.DAY)),
    )


def write_whole(file: Path, content: bytes) -> None:
    """Write a file so that it is there whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    new = file.with_name(f".{file.name}.new")
    new.write_bytes(content)
    new.replace(file)


def certified_rows(panel: Panel, horizon: int) -> NDArray[np.float32]:
    """Return rows of series spread over the panel, as the model will be asked them.

    Args:
        panel: All series up to the last known day.
        horizon: Longest trained horizon, in days.

    Returns:
        Feature rows of both targets, shape (about CERTIFIED_ROWS, features).
    """
    ((_, records),) = records_at(panel, [panel.history.days - 1], future="planned")
    series = np.unique(np.linspace(0, len(panel.skus) - 1, CERTIFIED_SERIES).astype(np.int64))
    some = records.take(series)
    rows = np.concatenate(
        [
            daily_rows(some, horizon, sales_target=sales).reshape(-1, len(FEATURES))
            for sales in (False, True)
        ]
    )
    return rows[:: max(1, len(rows) // CERTIFIED_ROWS)]
