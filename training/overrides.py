"""What overrides were worth: the planner's value and the model's, held against what came true."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from serving.errors import MissingInput
from training.features.overrides import load_overrides
from training.metrics import bias, wmape
from training.panel import load_panel

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from training.panel import Panel

EVERYONE = "everyone"


@dataclass(frozen=True, slots=True)
class ValueAdded:
    """What the overrides of one author were worth.

    Attributes:
        author: Who; EVERYONE for all together.
        days: Overridden series-days that have come true.
        model_wmape: WMAPE of the model on them.
        override_wmape: WMAPE of the overridden forecast on them.
        model_bias: Bias of the model on them, positive is over-forecast.
        override_bias: Bias of the overridden forecast on them.
    """

    author: str
    days: int
    model_wmape: float
    override_wmape: float
    model_bias: float
    override_bias: float

    @property
    def value_added(self) -> float:
        """WMAPE the hand took off the model's; negative where it made things worse."""
        return self.model_wmape - self.override_wmape


def score_overrides(data_dir: Path, forecasts: Sequence[Path]) -> list[ValueAdded]:
    """Measure overrides on the days that have come true.

    Args:
        data_dir: The data folder, with table `overrides` and the sales since.
        forecasts: Files `parlevel forecast` wrote; of a series-day in several the last one counts.

    Returns:
        One entry an author, then one for all; days out of stock are left out, as their sales say
        little of demand.

    Raises:
        MissingInput: If no overridden day has come true yet.
    """
    columns = ["sku", "location", "date", "mean", "model_mean"]
    rows = pl.concat([pl.read_parquet(file, columns=columns) for file in forecasts])
    rows = rows.unique(["sku", "location", "date"], keep="last", maintain_order=True)
    rows = rows.filter(pl.col("mean") != pl.col("model_mean"))
    if rows.is_empty():
        raise MissingInput("forecasts with overridden days", "overrides")
    panel = load_panel(data_dir, skus=rows["sku"].unique().to_list())
    rows = rows.with_columns(
        pl.Series("actual", _actual(panel, rows)),
        pl.Series("author", _authors(data_dir, panel, rows), dtype=pl.String),
    ).filter(pl.col("actual").is_not_nan() & pl.col("author").is_not_null())
    if rows.is_empty():
        raise MissingInput("sales of overridden days", "sales")
    parts = [
        (name, part)
        for (name,), part in rows.sort("author").group_by("author", maintain_order=True)
    ]
    return [_value(str(name), part) for name, part in (*parts, (EVERYONE, rows))]


def _value(author: str, rows: pl.DataFrame) -> ValueAdded:
    actual, model, hand = (rows[name].to_numpy() for name in ("actual", "model_mean", "mean"))
    return ValueAdded(
        author=author,
        days=rows.height,
        model_wmape=wmape(actual, model),
        override_wmape=wmape(actual, hand),
        model_bias=bias(actual, model),
        override_bias=bias(actual, hand),
    )


def _actual(panel: Panel, rows: pl.DataFrame) -> NDArray[np.float64]:
    """Return what was sold in stock on each series-day, NaN where that is not known yet."""
    place = {key: at for at, key in enumerate(zip(panel.skus, panel.locations, strict=True))}
    history = panel.history
    found = np.full(rows.height, np.nan)
    for row, (sku, location, date) in enumerate(rows.select("sku", "location", "date").iter_rows()):
        series, day = place.get((sku, location)), panel.index(date)
        if series is not None and 0 <= day < history.days and history.available[day, series] >= 1:
            found[row] = history.quantity[day, series]
    return found


def _authors(data_dir: Path, panel: Panel, rows: pl.DataFrame) -> list[str | None]:
    """Return who overrode each series-day; None where the table no longer says."""
    said = {
        (sku, location, one.day): one.author
        for (sku, location), some in load_overrides(data_dir, panel.folder.sales.frequency).items()
        for one in some
    }
    days = rows["date"].cast(pl.Int32)
    keys = zip(rows["sku"], rows["location"], days, strict=True)
    return [said.get(key) for key in keys]
