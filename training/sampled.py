"""The series a demand model is trained on: all, or whole products drawn evenly from very many."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from training.panel import load_panel, open_folder

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from training.panel import Panel

MAX_SERIES = 50_000  # series held in memory to train on


def load_training_panel(
    data_dir: Path, *, as_of: dt.date | None = None, most: int = MAX_SERIES
) -> Panel:
    """Load the series a model is trained on, in memory that does not grow with the folder.

    Training samples rows from series, and far fewer of them than there are; more series than
    `most` would cost memory without adding to the sample. Of those, whole products are taken, every
    k-th in the order of their names, so that each is still seen at all its locations. What
    categories, products and locations sell on average comes from all series of the folder.

    Args:
        data_dir: The data folder.
        as_of: Last day of the grid; the last day with a row of sales where None.
        most: Series from which on products are drawn.

    Returns:
        The panel.

    Raises:
        MissingInput: If the folder has no sales.
        InvalidField: If no row of sales is as old as `as_of`.
    """
    chosen = drawn_products(open_folder(data_dir, as_of).sales.series_per_sku(), most)
    return load_panel(data_dir, as_of=as_of, skus=chosen)


def held_out(panel: Panel, every: int) -> NDArray[np.bool_]:
    """Return which series are of a location held out, every so many-th one, shape (series,)."""
    return np.asarray(panel.series.location % every == every - 1)


def without(panel: Panel, hidden: NDArray[np.bool_]) -> Panel:
    """Return a panel in which some series have no day on record: nothing is learned from them."""
    history = panel.series.history
    quantity = np.where(hidden, np.nan, history.quantity)
    return replace(panel, series=replace(panel.series, history=replace(history, quantity=quantity)))


def drawn_products(counts: Sequence[tuple[str, int]], most: int) -> list[str] | None:
    """Return every k-th product, k the least that leaves about `most` series; None for all.

    Args:
        counts: Products in order, each with its number of series.
        most: Series wanted at the most; a little more where products differ in size.

    Example:
        >>> drawn_products([("a", 2), ("b", 2), ("c", 2), ("d", 2)], 4)
        ['a', 'c']
        >>> drawn_products([("a", 2), ("b", 2)], 4) is None
        True
    """
    series = sum(count for _, count in counts)
    if series <= most:
        return None
    return [sku for sku, _ in counts[:: -(-series // most)]]
