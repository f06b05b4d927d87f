"""Totals of a batch forecast by category, location and region, beside the file of the series."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from serving.domain.demand import DemandTarget, interpolate_levels
from serving.domain.totals import TotalLevel
from serving.errors import NothingMeasured
from training.panel import open_folder

if TYPE_CHECKING:
    from pathlib import Path

    from serving.domain.totals import TotalShapes
    from serving.ports import DemandModel
    from training.batch.forecasts import ForecastQuestion

# The columns each level is told apart by; what a level is summed over is null.
KEYS = {
    TotalLevel.CATEGORY_LOCATION: ("category", "location"),
    TotalLevel.CATEGORY: ("category",),
    TotalLevel.LOCATION: ("location",),
    TotalLevel.REGION: ("region",),
    TotalLevel.TOTAL: (),
}
_NAMES = ("category", "location", "region")


def write_totals(
    forecast: Path, out: Path, question: ForecastQuestion, model: DemandModel, data_dir: Path
) -> int:
    """Sum a finished forecast and write its totals.

    Args:
        forecast: The file of the series, or its folder by location.
        out: Parquet file to write: level, category, location, region, date, mean and quantiles in
            units; null where a level is summed over.
        question: What was forecast.
        model: The model that answered.
        data_dir: The data folder, which says category and region.

    Returns:
        Rows written.

    Raises:
        NothingMeasured: If the release does not say how totals spread.
    """
    shapes = model.totals
    if shapes is None:
        version = model.description.version
        raise NothingMeasured(
            f"version {version} does not say how totals spread", "train and promote another"
        )
    # In a folder by location the name of a location is read from its path: as text, "07" too.
    series = pl.read_parquet(
        forecast,
        columns=["sku", "location", "date", "mean"],
        hive_schema={"location": pl.String},
    )
    finest = _finest(series, data_dir)
    parts = [_level(finest, level, (question, model, shapes)) for level in TotalLevel]
    table = pl.concat(parts)
    new = out.with_name(f".{out.name}.new")
    table.write_parquet(new, compression="zstd")
    new.replace(out)
    return table.height


def _finest(series: pl.DataFrame, data_dir: Path) -> pl.DataFrame:
    """Sum series to category, location and day; every other level is summed from these."""
    catalogue = open_folder(data_dir, None).catalogue
    categories = pl.DataFrame(
        {
            "sku": catalogue.products,
            "category": [
                "" if code < 0 else catalogue.category_names[code] for code in catalogue.category
            ],
        }
    )
    regions = pl.DataFrame({"location": catalogue.locations, "region": catalogue.regions})
    named = series.join(categories, on="sku").join(regions, on="location")
    return (
        named.group_by(*_NAMES, "date", maintain_order=True)
        .agg(pl.col("mean").sum())
        .sort(*_NAMES, "date")
    )


def _level(
    finest: pl.DataFrame,
    level: TotalLevel,
    by: tuple[ForecastQuestion, DemandModel, TotalShapes],
) -> pl.DataFrame:
    """Return the totals of one level with their quantiles."""
    question, model, shapes = by
    keys = KEYS[level]
    rows = (
        finest.group_by(*keys, "date", maintain_order=True)
        .agg(pl.col("mean").sum())
        .sort(*keys, "date")
    )
    dates = rows["date"].unique().sort()
    ahead = dates.search_sorted(rows["date"]).to_numpy().astype(np.int64) + 1
    mean = rows["mean"].to_numpy()
    sales = question.target is DemandTarget.SALES
    trained = shapes.quantiles(level, ahead, mean, sales=sales)
    found = interpolate_levels(model.description.quantile_levels, trained, question.levels)
    return rows.select(
        pl.lit(level.name.lower()).alias("level"),
        *(
            pl.col(name) if name in keys else pl.lit(None, dtype=pl.String).alias(name)
            for name in _NAMES
        ),
        "date",
        "mean",
        *(pl.Series(f"q{one:g}", found[:, place]) for place, one in enumerate(question.levels)),
    )
