"""The least WMAPE any forecast could have on a generated world, whose truth is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from scipy import stats

from training import metrics
from training.backtest.runs import index_of
from training.backtest.scene import set_scene
from training.panel import load_panel

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from training.backtest.runs import BacktestJob, OriginScore
    from training.backtest.scene import Scene
    from training.panel import Panel

    Floats = NDArray[np.float64]


def floors(job: BacktestJob, scores: Sequence[OriginScore], truth: Path) -> list[float]:
    """Return the noise floor of each origin of a backtest; see `noise_floor`."""
    panel = load_panel(job.data_dir)
    return [noise_floor(panel, index_of(panel, one.origin), one.horizon, truth) for one in scores]


def noise_floor(panel: Panel, origin: int, horizon: int, truth: Path) -> float:
    """Return the WMAPE of the true median on the days in stock after an origin.

    Args:
        panel: All series of the world with the days after the origin.
        origin: Index of the last known day.
        horizon: Days ahead, at most those the panel holds.
        truth: Folder with what the world was drawn from.

    Returns:
        What a forecaster would err who knows everything but the draw itself.
    """
    scene = set_scene(panel, origin, horizon)
    products = pl.read_parquet(truth / "product_effects.parquet")
    parts = dict(
        zip(products["sku"], products.select("occurrence", "dispersion").rows(), strict=True)
    )
    known = np.array([parts[panel.skus[series]] for series in scene.truth.series])
    median = true_median(_latent_mean(scene, truth), known[:, :1], known[:, 1:])
    rows = scene.truth.in_stock
    return metrics.wmape(scene.truth.sold[rows], median[rows])


def true_median(mean: Floats, occurrence: Floats, dispersion: Floats) -> Floats:
    """Return the median of demand that is nothing on some days and else negative binomial.

    Args:
        mean: Mean units a day, days of nothing among them.
        occurrence: Share of days on which anybody asks, above 0.
        dispersion: Size k of the negative binomial; its variance is m + m^2 / k.

    Returns:
        The median, in the shape the arguments broadcast to.

    Example:
        >>> true_median(np.array([0.0, 10.0, 10.0]), np.array([1.0, 1.0, 0.4]), np.array(20.0))
        array([ 0., 10.,  0.])
    """
    asked = mean / occurrence
    level = np.maximum(0.5 - (1.0 - occurrence), 0.0) / occurrence
    found = stats.nbinom.ppf(level, dispersion, dispersion / (dispersion + asked))
    median: Floats = np.maximum(found, 0.0)
    return median


def _latent_mean(scene: Scene, truth: Path) -> Floats:
    """Return the mean the demand of each scored cell was drawn around, shape (n, horizon)."""
    panel, series = scene.panel, scene.truth.series
    first = panel.day(scene.origin + 1).astype("datetime64[D]").astype(object)
    last = panel.day(scene.origin + scene.horizon).astype("datetime64[D]").astype(object)
    rows = (
        pl.scan_parquet(truth / "demand.parquet")
        .filter(pl.col("date").is_between(first, last))
        .select("date", "sku", "location", "latent_mean")
        .collect()
    )
    keys = pl.DataFrame(
        {
            "sku": [panel.skus[one] for one in series],
            "location": [panel.locations[one] for one in series],
        }
    )
    wide = rows.pivot("date", index=["sku", "location"], values="latent_mean", sort_columns=True)
    found = keys.join(wide, on=["sku", "location"], how="left", maintain_order="left")
    mean: Floats = found.drop("sku", "location").to_numpy().astype(np.float64)
    return mean
