"""The first half of a batch run: what each series knows of itself, and sums of its peers.

Tables are read here and nowhere else. A block that has been read leaves one file, so that an
interrupted run reads no block twice, and what categories, products and locations sell on average
is known before the first series is answered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from serving.domain.history import demand_states
from training.batch.questions import Block
from training.features.peers import PeerSums, SpanSums
from training.features.records import PeerRecords, peer_records
from training.panel import panel_of_peers, read_series

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from training.panel import Folder

_SERIES = ("state", "future", "product", "location")


def write_history(folder: Folder, skus: Sequence[str], file: Path) -> None:
    """Read the series of some products and write what is known of them at the last day.

    Args:
        folder: The data folder, opened.
        skus: Products, ascending; whole spans.
        file: File to write; it is there whole or not at all.
    """
    series = read_series(folder, skus)
    history = series.history
    ((_, state, _),) = demand_states(history, [history.days - 1])
    sums = PeerSums(folder.catalogue, history.days)
    spans = list(sums.spans(history, series.product, series.location))
    new = file.with_suffix(".new")
    with new.open("wb") as out:
        np.savez(
            out,
            state=state,
            future=series.plan.after(history.last_day, len(series.skus)),
            product=series.product,
            location=series.location,
            shared=np.stack([span.shared for span in spans]),
            own=np.concatenate([span.own for span in spans], axis=1),
            first=np.array([span.first for span in spans]),
        )
    new.replace(file)


def write_peers(folder: Folder, files: Iterable[Path], file: Path) -> None:
    """Add up the sums of all blocks and write the records of products and locations.

    Args:
        folder: The data folder, opened.
        files: Files of `write_history`, in order.
        file: File to write; it is there whole or not at all.
    """
    sums = PeerSums(folder.catalogue, folder.sales.days)
    for one in files:
        with np.load(one) as found:
            shared, own, firsts = found["shared"], found["own"], found["first"].tolist()
        ends = np.cumsum([sums.width(first) for first in firsts])
        for span, first, end in zip(shared, firsts, ends.tolist(), strict=True):
            sums.take(SpanSums(span, own[:, end - sums.width(first) : end], first))
    panel = panel_of_peers(folder, sums.mean(folder.sales.first_day))
    ((_, peers),) = peer_records(panel, [folder.sales.days - 1])
    new = file.with_suffix(".new")
    with new.open("wb") as out:
        np.savez(out, products=peers.products, locations=peers.locations)
    new.replace(file)


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
