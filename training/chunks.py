"""The products of a folder cut into chunks that memory holds."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from training.features.peers import SPAN_PRODUCTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from training.panel import Folder

    Counted = Sequence[tuple[str, int]]


def product_chunks(folder: Folder, chunk: int) -> list[list[str]]:
    """Cut the products with sales into chunks.

    Args:
        folder: The folder.
        chunk: Series of a chunk, more where a single product has more.

    Returns:
        The products of each chunk, ascending.
    """
    return _cut([[one] for one in folder.sales.series_per_sku()], chunk)


def span_chunks(folder: Folder, chunk: int) -> list[list[str]]:
    """Cut the products with sales into chunks of whole spans, as `PeerSums` takes them.

    Args:
        folder: The folder.
        chunk: Series of a chunk, more where a single span has more.

    Returns:
        The products of each chunk, ascending.
    """
    place = {name: index for index, name in enumerate(folder.catalogue.products)}
    counts = folder.sales.series_per_sku()
    spans = groupby(counts, key=lambda one: place[one[0]] // SPAN_PRODUCTS)
    return _cut([list(span) for _, span in spans], chunk)


def _cut(pieces: Sequence[Counted], chunk: int) -> list[list[str]]:
    """Join pieces of counted products into chunks of at most so many series, or of one piece."""
    chunks: list[list[str]] = [[]]
    taken = 0
    for piece in pieces:
        series = sum(count for _, count in piece)
        if chunks[-1] and taken + series > chunk:
            chunks.append([])
            taken = 0
        chunks[-1].extend(sku for sku, _ in piece)
        taken += series
    return chunks
