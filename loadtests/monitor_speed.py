"""How fast watching answers: one row for anomalies with its drivers, and a check of drift.

    python -m loadtests.monitor_speed --rows 100000 --features 30

Both are timed in this process by their CPU time, without a door, on rows made up afresh.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer
from rich.console import Console

from serving.adapters.anomaly import CONTRIBUTIONS, ROWS, SCORE
from serving.adapters.onnx import open_session
from serving.domain.anomaly import FEATURES, AnomalyKind, columns_of
from serving.domain.drift import Column, DriftQuery, Sample
from serving.domain.drift_check import check, profile_of
from training.anomaly_forest import PartingForest, joined
from training.anomaly_graph import build_graph

if TYPE_CHECKING:
    from numpy.typing import NDArray

ASKED = 2_000  # single rows timed


def main(
    rows: Annotated[int, typer.Option(min=30, help="Rows of each side of the check.")] = 100_000,
    features: Annotated[int, typer.Option(min=1, help="Features of the check.")] = 30,
    rounds: Annotated[int, typer.Option(min=1, help="Checks timed.")] = 5,
) -> None:
    """Print the median CPU time of an anomaly question of one row, and of a check of drift."""
    console = Console()
    row = 1e6 * _row_seconds()
    console.print(f"one row scored with its contributions: {row:.1f} us (100 trees, three kinds)")
    first, later = _check_seconds(rows, features, rounds)
    console.print(
        f"check of {rows:,} rows x {features} features on each side: {first:.2f} s from rows, "
        f"{later:.2f} s against a stored profile"
    )


def _row_seconds() -> float:
    rng = np.random.default_rng(0)
    parts = [
        (int(kind), columns_of(kind).start, PartingForest().fit(_normal(rng, 5_000)))
        for kind in AnomalyKind
    ]
    session = open_session(build_graph(joined(parts, len(FEATURES))))
    asked = np.full((ASKED, 1, len(FEATURES)), np.nan, dtype=np.float32)
    for place, kind in enumerate(rng.choice(list(AnomalyKind), ASKED)):
        asked[place, 0, 0] = int(kind)
        asked[place, :, columns_of(kind)] = _normal(rng, 1)
    taken = []
    for one in asked:
        begun = time.thread_time()
        session.run((SCORE, CONTRIBUTIONS), {ROWS: one})
        taken.append(time.thread_time() - begun)
    return float(np.median(taken))


def _check_seconds(rows: int, features: int, rounds: int) -> tuple[float, float]:
    """Return the CPU seconds of a check of two sets of rows, and of one against a profile."""
    rng = np.random.default_rng(1)
    reference, current = (
        Sample(tuple(Column(f"f{place}", rng.normal(size=rows)) for place in range(features)))
        for _ in range(2)
    )
    whole, later = [], []
    for _ in range(rounds):
        begun = time.process_time()
        profile = profile_of(reference)
        laid = time.process_time()
        check(profile, profile_of(current, profile), DriftQuery(reference, current))
        whole.append(time.process_time() - begun)
        later.append(time.process_time() - laid)
    return float(np.median(whole)), float(np.median(later))


def _normal(rng: np.random.Generator, count: int) -> NDArray[np.float32]:
    return rng.normal(size=(count, 4)).astype(np.float32)


if __name__ == "__main__":
    typer.run(main)
