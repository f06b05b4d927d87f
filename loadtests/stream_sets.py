"""Anomaly detection on labelled streams: windows found, and alarms outside them.

    python -m loadtests.stream_sets FOLDER/dev.parquet

The file holds the Numenta benchmark: `file`, `timestamp`, `value` and `in_window`. The forest is
grown and calibrated on the first 15 % of each stream, which the benchmark sets apart for it, as
`parlevel train anomaly` does with a table, and scores the rest with what lay before each point.
Streams drift, so that the past does not speak for all of the rest: what is flagged outside windows
says by how much.
"""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - Typer reads the annotations when it runs
from typing import TYPE_CHECKING, Annotated, NamedTuple

import numpy as np
import polars as pl
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from serving.domain.anomaly import p_values
from training.anomaly_forest import PartingForest
from training.anomaly_usual import set_aside

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Rows = NDArray[np.float32]

PAST, RECENT = 288, 12  # points that make a usual value and a recent one: a day and an hour
APART = 0.15  # share of a stream that is known to hold no window


class Told(NamedTuple):
    """What one stream's points were told to be.

    Attributes:
        windows: Labelled windows.
        found: Windows with a flagged point.
        outside: Points outside windows.
        alarms: Points outside windows that were flagged.
    """

    windows: int
    found: int
    outside: int
    alarms: int


def watch(values: NDArray[np.float64], in_window: NDArray[np.bool_], rate: float) -> Told:
    """Flag the points of a stream and count windows found and alarms outside.

    Args:
        values: Values in the order of time, shape (n,).
        in_window: Whether a point lies in a labelled window, shape (n,).
        rate: Share of usual points that may be flagged, above 0 and below 1.
    """
    rows = _rows(values)
    cut = int(APART * values.size)
    known = rows[:cut][~set_aside(rows[:cut])]
    order = np.random.default_rng(7).permutation(len(known))
    grown, calibrated = np.array_split(known[order], 2)
    forest = PartingForest(50).fit(grown)
    usual = np.sort(-forest.score_samples(calibrated))
    flagged = p_values(-forest.score_samples(rows[cut:]), usual) <= rate
    inside = in_window[cut:]
    edges = np.flatnonzero(np.diff(np.r_[False, inside, False].astype(np.int8)))
    windows = [flagged[first:end] for first, end in edges.reshape(-1, 2)]
    return Told(
        windows=len(windows),
        found=sum(bool(window.any()) for window in windows),
        outside=int((~inside).sum()),
        alarms=int((flagged & ~inside).sum()),
    )


def main(
    file: Annotated[Path, typer.Argument(help="Parquet file of labelled streams.")],
    rate: Annotated[float, typer.Option(help="Share of usual points that may be flagged.")] = 0.005,
) -> None:
    """Print, for each kind of stream, the windows found and how often usual points were flagged."""
    console = Console()
    streams = pl.read_parquet(file).with_columns(kind=pl.col("file").str.split("/").list.first())
    told: dict[str, list[Told]] = {}
    parts = streams.partition_by("kind", "file", as_dict=True, maintain_order=True)
    for (kind, _), stream in track(sorted(parts.items()), "streams", console=console):
        values = stream["value"].to_numpy().astype(np.float64)
        inside = stream["in_window"].to_numpy() == 1
        told.setdefault(str(kind), []).append(watch(values, inside, rate))
    table = Table("streams", "number", "windows", "found", f"flagged outside, asked {rate:.1%}")
    for kind, ones in (*told.items(), ("all", [one for some in told.values() for one in some])):
        windows, found, outside, alarms = np.sum(ones, axis=0)
        share = f"{found / windows:.0%}" if windows else "-"
        table.add_row(kind, str(len(ones)), str(windows), share, f"{alarms / outside:.2%}")
    console.print(table)


def _rows(values: NDArray[np.float64]) -> Rows:
    """Return how far each value, its change and its recent mean are from those of its past."""
    series = pl.DataFrame({"value": values}).with_columns(
        change=pl.col("value").diff(),
        recent=pl.col("value").rolling_mean(RECENT, min_samples=1),
    )
    columns = []
    for name in series.columns:
        past = pl.col(name).shift(1)
        middle = past.rolling_median(PAST, min_samples=RECENT)
        wide = past.rolling_quantile(0.95, window_size=PAST, min_samples=RECENT)
        low = past.rolling_quantile(0.05, window_size=PAST, min_samples=RECENT)
        gap = series.select((pl.col(name) - middle) / (wide - low + 1e-9)).to_series()
        columns.append(gap.fill_null(float("nan")).to_numpy())
    return np.column_stack(columns).astype(np.float32)


if __name__ == "__main__":
    typer.run(main)
