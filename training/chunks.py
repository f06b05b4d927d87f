"""The products of a folder cut into chunks that memory holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from training.panel import Folder


def product_chunks(folder: Folder, chunk: int) -> list[list[str]]:
    """Cut the products with sales into chunks.

    Args:
        folder: The folder.
        chunk: Series of a chunk, more where a single product has more.

    Returns:
        The products of each chunk, ascending.
    """
    chunks: list[list[str]] = [[]]
    taken = 0
    for sku, series in folder.sales.series_per_sku():
        if chunks[-1] and taken + series > chunk:
            chunks.append([])
            taken = 0
        chunks[-1].append(sku)
        taken += series
    return chunks
