"""Whether `parlevel anomalies` keeps its promise, on worlds whose trouble is labelled.

    python -m loadtests.anomaly_discoveries --seeds 5

Each world goes the way a user's tables go: an anomaly model is trained on tables that hold their
anomalies, then scores the same tables. What it flags is held against the labels, which training
never reads. Prices and deliveries are judged; days of sales need a forecast model in the home.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import polars as pl
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from serving import settings
from training.anomaly_batch import AnomalyJob, score_tables
from training.anomaly_runs import AnomalyRun, train_anomaly
from training.world import default_truth, find_profile, generate

if TYPE_CHECKING:
    from training.world import Profile

KINDS = ("cost", "supplier_delay")


@dataclass(frozen=True, slots=True)
class Discoveries:
    """What one run flagged of one kind, beside the labels.

    Attributes:
        flagged: Rows flagged with false discoveries under control.
        false: Flagged rows without a label.
        labelled: Rows with a label.
        usual: Rows without a label.
        below: Rows without a label whose p-value is at most 0.01.
    """

    flagged: int
    false: int
    labelled: int
    usual: int
    below: int

    @property
    def false_share(self) -> float:
        """Share of the flagged rows without a label, 0 where none is flagged."""
        return self.false / max(self.flagged, 1)

    @property
    def found(self) -> float:
        """Share of the labelled rows that are flagged."""
        return (self.flagged - self.false) / max(self.labelled, 1)

    @property
    def alarms(self) -> float:
        """Share of the rows without a label that are flagged at 1 in 100."""
        return self.below / max(self.usual, 1)


def discover(profile: Profile, seed: int, rate: float, folder: Path) -> dict[str, Discoveries]:
    """Make a world with trouble, train on its tables, score them, and hold flags against labels.

    Args:
        profile: Size of the world.
        seed: Seed of the world.
        rate: Share of the flagged rows that may be usual ones.
        folder: Where the world and the home of the model go.
    """
    data = folder / "world"
    generate(replace(profile, trouble=True), seed, data)
    home = settings.Settings(home=folder / "home")
    train_anomaly(home, AnomalyRun(data, None), _nothing)
    score_tables(home, AnomalyJob(data, folder / "out.parquet", None, rate), _nothing)
    labels = pl.read_parquet(default_truth(data) / "anomalies.parquet")
    return judge(pl.read_parquet(folder / "out.parquet"), labels)


def judge(scored: pl.DataFrame, labels: pl.DataFrame) -> dict[str, Discoveries]:
    """Hold scored rows against the orders that are labelled, kind by kind."""
    found = {}
    for kind in KINDS:
        names = labels.filter(pl.col("kind") == kind)["entity"]
        rows = scored.filter(pl.col("kind") == kind)
        label = pl.col("entity").is_in(names.implode())
        below = pl.col("p_value") <= 0.01  # noqa: PLR2004 - the rate the figure is of
        found[kind] = Discoveries(
            flagged=int(rows["flagged"].sum()),
            false=rows.filter("flagged", ~label).height,
            labelled=rows.filter(label).height,
            usual=rows.filter(~label).height,
            below=rows.filter(~label, below).height,
        )
    return found


def main(
    seeds: Annotated[int, typer.Option(min=1, help="Worlds.")] = 5,
    profile: Annotated[str, typer.Option(help="Size of a world.")] = "demo",
    rate: Annotated[float, typer.Option(help="Share of the flagged that may be usual.")] = 0.1,
    first: Annotated[int, typer.Option(help="Seed of the first world.")] = 500,
) -> None:
    """Print the share of false discoveries of each world, and their mean beside what was asked."""
    console = Console()
    table = Table("seed", "kind", "labelled", "flagged", "found", "false share", "alarms at 1 %")
    runs: dict[str, list[Discoveries]] = {kind: [] for kind in KINDS}
    for seed in track(range(first, first + seeds), "worlds", console=console):
        with tempfile.TemporaryDirectory() as folder:
            found = discover(find_profile(profile), seed, rate, Path(folder))
        for kind, one in found.items():
            runs[kind].append(one)
            table.add_row(str(seed), kind, f"{one.labelled}", f"{one.flagged}", *_shares(one))
    console.print(table)
    for kind, ones in runs.items():
        false = [one.false_share for one in ones]
        console.print(
            f"{kind}: false share {np.mean(false):.1%} of {rate:.0%} promised, "
            f"{np.mean([one.found for one in ones]):.0%} of the labelled rows found, "
            f"{np.mean([one.alarms for one in ones]):.2%} of the others flagged at 1 %"
        )


def _shares(one: Discoveries) -> tuple[str, str, str]:
    return f"{one.found:.0%}", f"{one.false_share:.1%}", f"{one.alarms:.2%}"


def _nothing(_: str) -> None: ...


if __name__ == "__main__":
    typer.run(main)
