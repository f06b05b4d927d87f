"""The first half of a batch run: what each series knows of itself, and sums of its peers.

Tables are read here and nowhere else. A block that has been read leaves one file, so that an
interrupted run reads no block twice, and what categories, products and locations sell on average
is known before the first series is answered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from serving.domain.history import Walked, walk_on
from training.batch.kept import Known, keep_block, keep_peers
from training.batch.questions import Block
from training.batch.readings import last_regime
from training.features.peers import PeerSums, SomeSums
from training.features.records import PeerRecords, mean_series, walk_peers
from training.panel import panel_of_peers, read_series

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from training.batch.readings import Reading
    from training.panel import Folder, Panel

_SERIES = ("state", "future", "product", "location")


def write_history(reading: Reading, block: int, skus: Sequence[str], file: Path) -> None:
    """Read the series of some products and write what is known of them at the last day.

    Args:
        reading: What is to be read.
        block: Number of the block they make.
        skus: Products, ascending.
        file: File to write; it is there whole or not at all.
    """
    folder = reading.folder
    known, before = reading.known(skus)
    series = read_series(folder, skus, before)
    history = series.history
    state, walked = walk_on(known.walked, history)
    if reading.place is not None:
        regime = last_regime(history) if history.days else known.regime
        begun = np.ones(len(series.skus), dtype=np.bool_)
        keep_block(reading.place, block, Known(walked, begun, regime))
    sums = PeerSums(folder.catalogue, history.days)
    around = sums.of(history, series.product, series.location)
    new = file.with_suffix(".new")
    with new.open("wb") as out:
        np.savez(
            out,
            state=state,
            future=series.plan.after(folder.sales.last_day, len(series.skus)),
            product=series.product,
            location=series.location,
            **around._asdict(),
        )
    new.replace(file)


def write_peers(reading: Reading, files: Iterable[Path], file: Path) -> None:
    """Add up the sums of all blocks and write the records of products and locations.

    Args:
        reading: What was read.
        files: Files of `write_history`, in order.
        file: File to write; it is there whole or not at all.
    """
    folder = reading.folder
    sums = PeerSums(folder.catalogue, reading.days)
    for one in files:
        with np.load(one) as found:
            sums.take(SomeSums(*(found[name] for name in SomeSums._fields)))
    panel = panel_of_peers(folder, sums.mean(reading.first_day))
    peers, walks = walk_peers(panel, _known_of_peers(reading, panel))
    if reading.place is not None:
        keep_peers(reading.place, walks)
    new = file.with_suffix(".new")
    with new.open("wb") as out:
        np.savez(out, products=peers.products, locations=peers.locations)
    new.replace(file)


def _known_of_peers(reading: Reading, panel: Panel) -> Sequence[Walked]:
    """Return what is known of the mean series before the first day read."""
    if reading.kept is not None:
        return reading.kept.peers(panel.catalogue)
    return [Walked.nothing(days.quantity.shape[1]) for days in mean_series(panel)]


def read_block(folder: Folder, history: Path, peers: Path) -> Block:
    """Read a block back, with the records of its peers."""
    with np.load(history) as found, np.load(peers) as records:
        state, future, product, location = (found[name] for name in _SERIES)
        around = PeerRecords(records["products"], records["locations"])
    catalogue = folder.catalogue
    return Block(
        skus=tuple(catalogue.products[one] for one in product.tolist()),
        locations=tuple(catalogue.locations[one] for one in location.tolist()),
        origin=folder.sales.last_day,
        state=state,
        future=future,
        product=product,
        location=location,
        peers=around,
    )
