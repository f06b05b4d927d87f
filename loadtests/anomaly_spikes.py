"""How many labelled spikes in sales the anomaly model of a home finds, and how many anything could.

    parlevel world --trouble --out DATA
    parlevel train forecast --data DATA
    parlevel train anomaly --data DATA
    python -m loadtests.anomaly_spikes DATA

A spike that stays below the 98 % quantile of the day's forecast is a day as any other: of the rest,
which could be found, the share that is found is printed too. Locations whose demand drifts count as
neither from the drift's first day on: their days are labelled trouble, but of another sort.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import polars as pl
import typer
from rich.console import Console
from rich.table import Table

from serving import settings
from serving.domain.anomaly import AnomalyKind
from training.anomaly_batch import AnomalyJob, score_tables
from training.anomaly_runs import rows_of
from training.world import default_truth

DAY = ("date", "sku", "entity")


def judged(scored: pl.DataFrame, rows: pl.DataFrame, truth: Path) -> pl.DataFrame:
    """Lay the labels of a world beside the scores of its days of sales.

    Args:
        scored: What `parlevel anomalies` writes.
        rows: The rows of days of sales it scored, with their inputs.
        truth: Folder of the world's labels.

    Returns:
        A row a day and series: p_value, flagged, and whether it is a spike, could be found, or lies
        in a drift.
    """
    spikes = pl.read_parquet(truth / "anomalies.parquet").filter(pl.col("kind") == "demand")
    days = scored.filter(pl.col("kind") == "demand").join(
        rows.select(*DAY, above=pl.col("quantity") > pl.col("forecast_high")), on=DAY
    )
    days = days.join(spikes.select(*DAY, spike=pl.lit(value=True)), on=DAY, how="left")
    drifts = (
        pl.read_parquet(truth / "drift.parquet")
        .group_by("location")
        .agg(pl.col("onset_date").min())
    )
    days = days.join(drifts, left_on="entity", right_on="location", how="left")
    drifted = (pl.col("date") >= pl.col("onset_date")).fill_null(value=False)
    return days.select(
        "p_value",
        "flagged",
        spike=pl.col("spike").fill_null(value=False),
        findable=pl.col("spike").fill_null(value=False) & pl.col("above"),
        drifted=drifted,
    )


def main(
    data: Annotated[Path, typer.Argument(help="Folder of a world with trouble.")],
    rate: Annotated[float, typer.Option(help="Share of the flagged that may be usual.")] = 0.1,
) -> None:
    """Print how many spikes are flagged, of those that could be found, and of other days."""
    home = settings.load()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "scored.parquet"
        score_tables(home, AnomalyJob(data, out, None, rate), _nothing)
        scored = pl.read_parquet(out)
    rows = rows_of(home, data, AnomalyKind.DEMAND, None)
    days = judged(scored, rows, default_truth(data))
    table = Table("days", "number", "flagged at 1 %", f"flagged at a false share of {rate:.0%}")
    usual = ~pl.col("spike") & ~pl.col("drifted")
    for name, which in (
        ("labelled spikes", pl.col("spike")),
        ("above the 98 % quantile of these", pl.col("findable")),
        ("without a label", usual),
        ("in a drift", pl.col("drifted") & ~pl.col("spike")),
    ):
        some = days.filter(which)
        at_one = some.filter(pl.col("p_value") <= 0.01).height / max(some.height, 1)  # noqa: PLR2004
        table.add_row(name, f"{some.height:,}", f"{at_one:.2%}", f"{int(some['flagged'].sum())}")
    Console().print(table)


def _nothing(_: str) -> None: ...


if __name__ == "__main__":
    typer.run(main)
