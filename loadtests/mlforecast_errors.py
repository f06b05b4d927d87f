"""Errors of mlforecast with LightGBM beside those of a backtest, on the same rows.

    parlevel backtest --data DIR --horizon 7 --origins 2024-05-28 --report backtest.json
    python -m loadtests.mlforecast_errors --data DIR --backtest backtest.json

At each origin of the report mlforecast is fitted on the sales up to it, with lags, rolling means,
the date, and discount, promotion, price and holidays of the days ahead as they came true: what the
backtest gives its model too. One booster learns the mean and one the absolute error. That both
were scored on the same rows is checked by the error of the level x weekday, computed here and read
from the report. mlforecast is no dependency of this project.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from rich.console import Console
from rich.table import Table

from loadtests.against_mlforecast import PLANNED, booster_shape, check_installed, forecaster
from serving.errors import InvalidField
from training import metrics, tables
from training.backtest.baselines import baselines, sales_states
from training.backtest.runs import index_of
from training.backtest.scene import set_scene
from training.panel import load_panel

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from training.backtest.scene import Scene
    from training.panel import Panel

    Floats = NDArray[np.float64]

LEVEL = "level x weekday"
SAME = 1e-9  # difference of two computations of one error


def main(arguments: Sequence[str] | None = None) -> None:
    """Fit, score and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="tables with sales")
    parser.add_argument("--backtest", type=Path, required=True, help="report of parlevel backtest")
    chosen = parser.parse_args(arguments)
    check_installed()
    found = Table(title="WMAPE (and how much less than the level x weekday)")
    for title in ("origin", "days", "", "every day, sales", "in stock, demand"):
        found.add_column(title)
    panel = load_panel(chosen.data)
    for scored in json.loads(chosen.backtest.read_bytes())["origins"]:
        origin = dt.date.fromisoformat(scored["origin"])
        scene = set_scene(panel, index_of(panel, origin), scored["horizon"])
        rivals = rival_forecasts(chosen.data, panel, scene)
        for name, errors in compare(scene, scored["figures"], rivals).items():
            found.add_row(str(origin), str(scene.horizon), name, *errors)
        found.add_section()
    Console().print(found)


def compare(
    scene: Scene, figures: Mapping[str, float], rivals: Mapping[str, Floats]
) -> dict[str, tuple[str, str]]:
    """Return the errors of each forecaster as text: on every day, and on days in stock.

    Args:
        scene: The origin and what came true.
        figures: What the backtest found at the origin.
        rivals: Other forecasts by name, shape (n, horizon) each.

    Raises:
        InvalidField: If the backtest was scored on other rows.
    """
    past = scene.panel.history.between(0, scene.origin + 1)
    states = sales_states(past)[scene.truth.series], scene.records.state
    slices = ("sales", scene.truth.recorded, states[0]), ("all", scene.truth.in_stock, states[1])
    texts: dict[str, list[str]] = {}
    for name, rows, state in slices:
        actual = scene.truth.sold[rows]
        level = baselines(state, scene.horizon)["weighted_level_weekday"]
        errors = {
            LEVEL: metrics.wmape(actual, level[rows]),
            "parlevel": figures[f"wmape/sku_location/{name}"],
            **{rival: metrics.wmape(actual, made[rows]) for rival, made in rivals.items()},
        }
        key = f"wmape/sku_location/{name}/weighted_level_weekday"
        if abs(errors[LEVEL] - figures[key]) > SAME:
            raise InvalidField("backtest", f"must be of the same data: {key} differs")
        for rival, error in errors.items():
            text = f"{100 * error:.2f} % ({100 * (1 - error / errors[LEVEL]):.1f})"
            texts.setdefault(rival, []).append(text)
    return {name: (both[0], both[1]) for name, both in texts.items()}


def rival_forecasts(data: Path, panel: Panel, scene: Scene) -> dict[str, Floats]:
    """Return mlforecast's forecasts of the scored series, units a day, shape (n, horizon) each."""
    import lightgbm as lgb

    shape: dict[str, Any] = {**booster_shape(), "n_estimators": 300, "learning_rate": 0.05}
    names = {"mean": "regression", "absolute error": "regression_l1"}
    rival = forecaster({k: lgb.LGBMRegressor(**shape, objective=v) for k, v in names.items()})
    past, ahead = _frames(data, panel, scene)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rival.fit(past, id_col="unique_id", time_col="ds", target_col="y", static_features=[])
        said = pl.from_pandas(rival.predict(scene.horizon, X_df=ahead))
    made = said.with_columns(pl.col("unique_id").cast(pl.Int64)).sort("unique_id", "ds")
    place = np.unique(made["unique_id"].to_numpy(), return_index=True)[1]
    found = {}
    for name in names:
        values = made[name].to_numpy().reshape(place.size, scene.horizon)
        found[f"mlforecast, {name}"] = np.maximum(values, 0.0)
    return found


def _frames(data: Path, panel: Panel, scene: Scene) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the past and the days ahead of the scored series, every day of each, no gap."""
    series = pl.DataFrame(
        {
            "sku": [panel.skus[one] for one in scene.truth.series],
            "location": [panel.locations[one] for one in scene.truth.series],
            "unique_id": np.arange(scene.truth.series.size),
        }
    )
    rows = tables.read(data, "sales")
    known = [name for name in PLANNED if name in rows.columns]
    first, origin, last = (
        panel.day(place).astype(object) for place in (0, scene.origin, scene.origin + scene.horizon)
    )
    days = pl.DataFrame({"date": pl.date_range(first, last, "1d", eager=True)})
    holidays = _holidays(data)
    grid = (
        series.join(days, how="cross")
        .join(rows, on=["sku", "location", "date"], how="left")
        .sort("unique_id", "date")
        .with_columns(
            pl.col("quantity").fill_null(0.0).alias("y"),
            pl.col("date").is_in(holidays).cast(pl.Float32).alias("holiday"),
            *(
                pl.col(name).cast(pl.Float32).forward_fill().over("unique_id").fill_null(0.0)
                for name in known
            ),
        )
    )
    told = grid.select(
        "unique_id", pl.col("date").cast(pl.Datetime("ns")).alias("ds"), "y", "holiday", *known
    )
    moment = pl.lit(origin).cast(pl.Datetime("ns"))
    return (
        told.filter(pl.col("ds") <= moment).to_pandas(),
        told.filter(pl.col("ds") > moment).drop("y").to_pandas(),
    )


def _holidays(data: Path) -> list[dt.date]:
    """Return the days off of the calendar, of whatever country; none where there is no calendar."""
    if not tables.exists(data, "calendar"):
        return []
    calendar = tables.read(data, "calendar")
    return calendar.filter(pl.col("day_off") > 0)["date"].unique().to_list()


if __name__ == "__main__":
    main()
