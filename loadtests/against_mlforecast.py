"""Series forecast in a second of a core: the released graph beside mlforecast with LightGBM.

    python -m loadtests.against_mlforecast --data DIR --home HOME

Both forecast the same series of a generated world 30 days ahead at nine quantiles, from what each
holds in memory after it has read the past: packed records here, mlforecast's own state there. The
boosters have as many trees and leaves, lags and plan the same days. mlforecast is asked twice: for
conformal intervals around one booster, its quickest way to quantiles, and for a booster a quantile.
Rounds alternate; the medians are compared. mlforecast is no dependency of this project.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
import warnings
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from rich.console import Console
from rich.table import Table

from serving.domain.demand import QUANTILE_LEVELS, DemandTarget
from serving.flows.prediction import predict_daily
from training import tables
from training.batch.models import open_model
from training.content import Recipe
from training.features.records import records_at
from training.panel import load_panel

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd

    Predict = Callable[[], object]

HORIZON, ROUNDS, PART = 30, 5, 2_048
PLANNED = ("price", "discount", "promoted")
OURS = "parlevel"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="tables with sales and plan")
    parser.add_argument("--home", type=Path, required=True, help="home with a released model")
    chosen = parser.parse_args(arguments)
    check_installed()
    predict = {OURS: _ours(chosen.data, chosen.home), **_theirs(chosen.data)}
    seconds: dict[str, list[float]] = {name: [] for name in predict}
    for _ in range(ROUNDS):
        for name, answer in predict.items():
            started = time.process_time()
            answer()
            seconds[name].append(time.process_time() - started)
    series = len(load_panel(chosen.data).skus)
    Console().print(
        table(series, {name: statistics.median(all_) for name, all_ in seconds.items()})
    )


def table(series: int, seconds: dict[str, float]) -> Table:
    """Return what each took for so many series, for the terminal."""
    found = Table(title=f"{series:,} series x {HORIZON} days x nine quantiles, {ROUNDS} rounds")
    for title in ("", "CPU seconds", "series a CPU second", "times"):
        found.add_column(title, justify="right")
    for name, taken in seconds.items():
        found.add_row(
            name, f"{taken:.2f}", f"{series / taken:,.0f}", f"{taken / seconds[OURS]:.1f}x"
        )
    return found


def _ours(data: Path, home: Path) -> Predict:
    model, panel = open_model(home / "releases", "current"), load_panel(data)
    ((_, records),) = records_at(panel, [panel.history.days - 1], future="planned")
    parts = [
        records.take(np.arange(start, min(start + PART, len(panel.skus))))
        for start in range(0, len(panel.skus), PART)
    ]
    return lambda: [predict_daily(model, one, HORIZON, DemandTarget.DEMAND) for one in parts]


def _theirs(data: Path) -> dict[str, Predict]:
    import lightgbm as lgb

    intervals = import_module("mlforecast.utils").PredictionIntervals(n_windows=2, h=HORIZON)
    past, ahead = _frame(data, "sales", ("quantity",)), _frame(data, "plan", ())
    shape = booster_shape()
    one = forecaster({"mean": lgb.LGBMRegressor(**shape)})
    nine = forecaster(
        {
            "mean": lgb.LGBMRegressor(**shape),
            **{
                f"q{level:g}": lgb.LGBMRegressor(**shape, objective="quantile", alpha=level)
                for level in QUANTILE_LEVELS
            },
        }
    )
    fitted: dict[str, Any] = {
        "id_col": "unique_id",
        "time_col": "ds",
        "target_col": "y",
        "static_features": [],
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        one.fit(past, prediction_intervals=intervals, **fitted)
        nine.fit(past, **fitted)
    widths = [96, 90, 80, 50]  # .02 to .98, .05 to .95, .1 to .9 and .25 to .75
    return {
        "mlforecast, conformal": lambda: one.predict(HORIZON, X_df=ahead, level=widths),
        "mlforecast, boosters": lambda: nine.predict(HORIZON, X_df=ahead),
    }


def check_installed() -> None:
    """End the command where mlforecast, which is no dependency, is not there."""
    if find_spec("mlforecast") is None:
        sys.exit("mlforecast is not installed: pip install mlforecast==1.1.0, in an env of its own")


def booster_shape() -> dict[str, Any]:
    """Return what LightGBM is told of the size of a booster: that of the recipe here."""
    recipe = Recipe()
    return {
        "n_estimators": recipe.trees,
        "num_leaves": recipe.leaves,
        "learning_rate": recipe.learning_rate,
        "n_jobs": 1,
        "verbose": -1,
    }


def forecaster(models: dict[str, Any]) -> Any:  # noqa: ANN401 - a type of what need not be there
    """Return mlforecast with lags, rolling means and the date, for these models by name."""
    past = import_module("mlforecast.lag_transforms")
    windows = [of(days) for of in (past.RollingMean, past.RollingStd) for days in (7, 14, 28)]
    return import_module("mlforecast").MLForecast(
        models=models,
        freq="D",
        lags=[1, 7, 14, 28],
        lag_transforms={1: [*windows, past.ExpandingMean()]},
        date_features=["dayofweek", "month", "day"],
        num_threads=1,
    )


def _frame(data: Path, table: str, more: Sequence[str]) -> pd.DataFrame:
    """Read rows as mlforecast wants them: series of every day, dates as moments."""
    rows = tables.read(data, table, columns=("date", "sku", "location", *more, *PLANNED))
    named = rows.select(
        pl.concat_str("sku", "location", separator="/").alias("unique_id"),
        pl.col("date").cast(pl.Datetime("ns")).alias("ds"),
        *(pl.col(name).alias("y") for name in more),
        *(pl.col(name).cast(pl.Float32) for name in PLANNED),
    )
    return named.sort("unique_id", "ds").to_pandas()


if __name__ == "__main__":
    main()
