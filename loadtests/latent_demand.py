"""Which way of treating stock-out days gives the best forecast of demand in stock.

    python -m loadtests.latent_demand --data DIR --origins 2024-05-21,2024-05-28

The boosters of days are fitted four times on the same days up to each origin: to days in stock
only, to all days with stock-outs completed by level and weekday as they stood the day before, to
the same weighed by the share of the day in stock, and to sales as they are. Each is held against
the sales of days in stock after the origin.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console
from rich.table import Table

from serving.domain.features import COLUMN, FEATURES, daily_rows
from serving.domain.history import demand_states
from training import metrics
from training.backtest.baselines import baselines
from training.backtest.runs import dates, index_of
from training.backtest.scene import set_scene
from training.boosters import FitRows, fit_days, outline
from training.content import Recipe
from training.demand import parameters, training_origins
from training.demand_rows import IN_STOCK, Rows, Sampling, fit_rows, sample_rows
from training.panel import load_panel

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from training.panel import Panel

    Floats = NDArray[np.float64]

WEEK = 7


def ways(panel: Panel, rows: Rows) -> Iterator[tuple[str, FitRows]]:
    """Yield each way's name and what it is fitted to.

    Args:
        panel: All series up to the origin.
        rows: Days drawn whether in stock or not, asked as demand.
    """
    ((_, _, completed),) = demand_states(panel.history, [panel.history.days - 1])
    day = rows.origin + rows.features[:, COLUMN["horizon"]].astype(np.int64)
    available = panel.history.available[day, rows.series]
    whole = replace(rows, target=completed[day, rows.series] / rows.scale)
    in_stock = available >= IN_STOCK
    yield "days in stock only", _fitted(panel, rows, in_stock)
    yield "completed", _fitted(panel, whole, np.ones(in_stock.size, dtype=bool))
    weighed = _fitted(panel, whole, available > 0)
    weight = weighed.weight * available[available > 0]
    yield "completed, by share in stock", replace(weighed, weight=weight)
    yield "sales as they are", _fitted(panel, rows, np.ones(in_stock.size, dtype=bool))


def score(whole: Panel, data: Path, origin: dt.date, recipe: Recipe) -> Iterator[tuple[str, ...]]:
    """Yield a line a way: its name, WMAPE, gain over the level x weekday, bias of the mean."""
    panel = load_panel(data, as_of=origin)
    last = panel.history.days - 1
    ((_, _, completed),) = demand_states(panel.history, [last])
    ask = Sampling(WEEK, last, 2 * recipe.rows, recipe.seed)
    drawn, _ = sample_rows(panel, completed, training_origins(panel.history.days), ask)
    sales = drawn.features[:, COLUMN["sales_target"]] > 0
    rows = Rows(*(getattr(drawn, name)[sales] for name in Rows.__slots__))
    rows.features[:, COLUMN["sales_target"]] = 0.0
    scene = set_scene(whole, index_of(whole, origin), WEEK)
    asked = daily_rows(scene.records, scene.horizon, sales_target=False)
    cells = scene.truth.in_stock
    sold, features = scene.truth.sold[cells], asked[cells].reshape(-1, len(FEATURES))
    scale = features[:, COLUMN["scale"]].astype(np.float64)
    level = baselines(scene.records.state, scene.horizon)["weighted_level_weekday"][cells]
    rival = metrics.wmape(sold, level)
    for name, fitted in ways(panel, rows):
        said = outline(fit_days(fitted, parameters(recipe), recipe.trees), features)
        wmape = metrics.wmape(sold, said.middle * scale)
        bias = metrics.bias(sold, np.maximum(said.mean, 0.0) * scale)
        yield str(origin), name, f"{wmape:.2%}", f"{1.0 - wmape / rival:.2%}", f"{bias:+.2%}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="data folder")
    parser.add_argument("--origins", required=True, help="last known days, commas between")
    parser.add_argument("--rows", type=int, default=Recipe().rows, help="training rows sampled")
    given = parser.parse_args(arguments)
    table = Table(title="Demand in stock, 7 days, by what stock-out days are trained on")
    for column in ("origin", "stock-out days", "WMAPE", "gain", "bias of the mean"):
        table.add_column(column)
    whole = load_panel(given.data)
    for origin in dates(given.origins):
        for line in score(whole, given.data, origin, Recipe(horizon=WEEK, rows=given.rows)):
            table.add_row(*line)
    Console().print(table)


def _fitted(panel: Panel, rows: Rows, kept: NDArray[np.bool_]) -> FitRows:
    some = Rows(*(getattr(rows, name)[kept] for name in Rows.__slots__))
    return fit_rows(some, panel.history.days, near_holidays_only=True)


if __name__ == "__main__":
    main()
