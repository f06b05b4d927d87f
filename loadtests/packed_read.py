"""How fast the service reads packed records, beside Feast reading the same online.

    python -m loadtests.packed_read --entities 100 --rounds 7

They read every view of the same series from the same generation, in turns; the values are
compared to the last bit. Feast reads through the project's own online store, which is faster than
one of its own would be. Where PARLEVEL_ONLINE_STORE is set, Redis reads the same beside them; then
share the features first: `parlevel features materialize`.
"""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from serving.adapters.features import CURRENT, PackedFeatures, features_of
from serving.adapters.packed import ENTITIES
from serving.errors import InvalidField
from serving.settings import load
from training.features.sources import OnlineSource, PackedSource
from training.features.store import open_store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from training.features.sources import Source

    Key = tuple[str, str]

SEED = 1


def main(
    entities: Annotated[int, typer.Option(min=1, help="Series read at once.")] = 100,
    rounds: Annotated[int, typer.Option(min=1, help="Turns of each.")] = 7,
) -> None:
    """Print the milliseconds of both readings and their ratio; 1 where a value differs."""
    settings = load()
    folder = settings.features
    online = folder / "online"
    snapshot = PackedFeatures(online).snapshot()
    series = snapshot.series()
    if len(series) < entities:
        raise InvalidField("--entities", f"must be at most {len(series)}, the series stored")
    store = open_store(folder, generation=(online / CURRENT).resolve())
    sources: dict[str, Source] = {"packed": PackedSource(snapshot), "Feast": OnlineSource(store)}
    if settings.online_store is not None:
        sources["Redis"] = PackedSource(features_of(settings).snapshot())
    seconds: dict[str, list[float]] = {name: [] for name in sources}
    draw = random.Random(SEED)  # noqa: S311 - no secret
    for _ in range(1 + rounds):
        keys = draw.sample(series, entities)
        found = {}
        for name, source in sources.items():
            begun = time.perf_counter()
            found[name] = _read(source, keys)
            seconds[name].append(time.perf_counter() - begun)
        for one, *others in zip(*found.values(), strict=True):
            if not all(np.array_equal(one, other, equal_nan=True) for other in others):
                raise SystemExit(1)
    table = Table("reads", "median, ms", "times the packed")
    medians = {name: float(np.median(taken[1:])) for name, taken in seconds.items()}
    for name, median in medians.items():
        table.add_row(name, f"{1000 * median:.2f}", f"{median / medians['packed']:.1f}")
    console = Console(highlight=False)
    console.print(
        f"{entities} series, every view of each, {rounds} rounds after a first; all equal"
    )
    console.print(table)


def _read(source: Source, keys: Sequence[Key]) -> list[NDArray[np.float32]]:
    """Read every view of some series."""
    places = {"sku": 0, "location": 1}
    return [
        source(view, [tuple(key[places[name]] for name in names) for key in keys])
        for view, names in ENTITIES.items()
    ]


if __name__ == "__main__":
    typer.run(main)
