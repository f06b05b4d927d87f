"""Anomaly detection on labelled sets: our forest beside scikit-learn's, paired on the same splits.

    python -m loadtests.anomaly_sets FOLDER

The folder holds ADBench's `.npz` files with `X` and `y`. Each set is split 70 to 30, the forests
are grown on the larger part without labels, and the area under the ROC curve is taken on the other.
"""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - Typer reads the annotations when it runs
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scipy.special import stdtr
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score

from training.anomaly_forest import PartingForest

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_ROWS = 10_000  # as ADBench has it
TRAINED = 0.7


def main(
    folder: Annotated[Path, typer.Argument(help="Folder of .npz files with X and y.")],
    seeds: Annotated[int, typer.Option(min=1, help="Splits and forests a set.")] = 3,
) -> None:
    """Print the area under the curve of both forests on each set, and the paired difference."""
    console = Console()
    table = Table("set", "rows", "anomalies", "isolation forest", "parting forest", "difference")
    gaps, means = [], []
    for file in track(sorted(folder.glob("*.npz")), "sets", console=console):
        with np.load(file) as stored:
            rows, labels = stored["X"].astype(np.float32), stored["y"].ravel().astype(bool)
        areas = np.mean([_areas(rows, labels, seed) for seed in range(seeds)], axis=0)
        gaps.append(areas[1] - areas[0])
        means.append(areas)
        figures = (f"{value:.3f}" for value in (*areas, gaps[-1]))
        table.add_row(file.stem, f"{len(rows):,}", f"{labels.mean():.1%}", *figures)
    mean = np.mean(means, axis=0)
    table.add_section()
    table.add_row("mean", "", "", f"{mean[0]:.4f}", f"{mean[1]:.4f}", f"{np.mean(gaps):+.4f}")
    console.print(table)
    error = np.std(gaps, ddof=1) / np.sqrt(len(gaps))
    p_value = float(stdtr(len(gaps) - 1, -np.mean(gaps) / error))
    console.print(f"paired t test over {len(gaps)} sets, one-sided: p = {p_value:.4f}")


def _areas(rows: NDArray[np.float32], labels: NDArray[np.bool_], seed: int) -> tuple[float, float]:
    order = np.random.default_rng(seed).permutation(len(rows))[:MOST_ROWS]
    cut = int(TRAINED * order.size)
    train, test = order[:cut], order[cut:]
    if labels[test].all() or not labels[test].any():
        return _areas(rows, labels, seed + 1_000)  # a rare anomaly may miss a part
    forests = (
        IsolationForest(random_state=seed).fit(rows[train]),
        PartingForest(seed=seed).fit(rows[train]),
    )
    first, second = (
        float(roc_auc_score(labels[test], -forest.score_samples(rows[test]))) for forest in forests
    )
    return first, second


if __name__ == "__main__":
    typer.run(main)
