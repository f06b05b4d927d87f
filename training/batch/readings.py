"""How a batch run reads a data folder: from its first day, or on from a reading that is kept."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from serving.domain.features import feature_set_hash
from serving.domain.periods import Frequency, first_day, period_of
from training import tables
from training.batch.kept import Kept, Known, Said, finish, labels, newest
from training.features.later_sales import later_sales
from training.features.periods import period_numbers
from training.features.plans import REGIME
from training.features.sales import Before, dense, outliers
from training.panel import folder_around, open_folder
from training.tables.scanning import sources

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from serving.domain.history import History
    from training.panel import Folder

    Floats = NDArray[np.float64]


class _Afresh(Exception):
    """What is kept does not hold any more."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What is to be read of a data folder; it is sent to other processes.

    Attributes:
        folder: The folder; its sales are those of all days, their rows those to be read.
        kept: The reading that goes before; None where all days are read.
        place: Folder to keep this reading in; None where it is not kept, or says nothing new.
        said: What is read, to be kept with it.
        afresh: Why all days are read though a reading was kept; empty where it holds, or none was.
    """

    folder: Folder
    kept: Kept | None
    place: Path | None
    said: Said
    afresh: str = ""

    @property
    def name(self) -> str:
        """What tells the days to be read from others of the same folder."""
        return "all" if self.kept is None else self.kept.place.name

    @property
    def first_day(self) -> np.datetime64:
        """First period to be read."""
        return self.folder.sales.first_day if self.kept is None else self.kept.last_day + 1

    @property
    def days(self) -> int:
        """Days, or periods, to be read."""
        return int((self.folder.sales.last_day - self.first_day).astype(np.int64)) + 1

    def keys(self, skus: Sequence[str]) -> pl.DataFrame:
        """Return sku and location of the series of some products, sorted."""
        near = pl.col("sku").is_between(pl.lit(min(skus)), pl.lit(max(skus)))
        return self.folder.sales.series.filter(near & pl.col("sku").is_in(list(skus)))

    def known(self, skus: Sequence[str]) -> tuple[Known, Before | None]:
        """Return what is known of the series of some products before the first day to be read."""
        keys = self.keys(skus)
        if self.kept is None:
            return Known.nothing(keys.height), None
        known = self.kept.of(keys)
        new = np.flatnonzero(~known.begun)
        if new.size:
            known.regime[:, new] = _announced(self.folder, keys[new], self.kept.last_day)
        return known, Before(self.kept.last_day, keys, known.begun, known.regime)

    def finish(self, blocks: Sequence[Sequence[str]]) -> Kept | None:
        """Keep this reading and drop those before it; return what is kept now."""
        if self.place is None:
            return self.kept
        return finish(self.place, [self.keys(skus) for skus in blocks], self.said)


def open_reading(data_dir: Path, as_of: dt.date | None, place: Path | None) -> Reading:
    """Open a data folder, and find what of it was read before.

    Args:
        data_dir: The data folder.
        as_of: Last known day; the last one with sales where None.
        place: Folder to keep the reading in, beside those kept before; None keeps nothing.

    Returns:
        What is to be read.

    Raises:
        MissingInput: If the folder has no sales.
        InvalidField: If no row of sales is as old as `as_of`.
    """
    kept = None if place is None else newest(place.parent)
    afresh = ""
    if kept is not None and place is not None:
        try:
            return _on(data_dir, as_of, kept, place)
        except _Afresh as changed:
            afresh = str(changed)
    folder = open_folder(data_dir, as_of)
    last = None if as_of is None else _extent(data_dir, None)[1]
    whole = as_of is None or last is None or last <= as_of
    return Reading(folder, None, place, _said(data_dir, folder, whole=whole), afresh)


def _on(data_dir: Path, as_of: dt.date | None, kept: Kept, place: Path) -> Reading:
    """Return the reading that goes on from one that is kept.

    Raises:
        _Afresh: If it cannot.
    """
    files, whole = _later_files(data_dir, as_of, kept)
    sales = later_sales(data_dir, as_of, kept.sales(), files)
    if sales.last_day < kept.last_day:
        raise _Afresh("a day before the last one read is asked for")
    if sales.recorded != kept.sales().recorded:
        raise _Afresh("sales record a column they did not record before")
    folder = folder_around(sales, data_dir)
    said = _said(data_dir, folder, whole=whole)
    for before, now, what in (
        (kept.said.categories, said.categories, "categories of products"),
        (kept.said.regions, said.regions, "regions of locations"),
    ):
        if any(now[name] != label for name, label in before.items()):
            raise _Afresh(f"{what} have changed")
    if _past(data_dir, folder, kept.last_day, kept.said.regions) != kept.said.past:
        raise _Afresh("campaigns, outliers or closed days of those that were read have changed")
    news = sales.last_day > kept.last_day or said.files != kept.said.files
    return Reading(folder, kept, place if news else None, said)


def _later_files(data_dir: Path, as_of: dt.date | None, kept: Kept) -> tuple[list[Path], bool]:
    """Return the files with days after those kept, and whether all their rows will have been read.

    Raises:
        _Afresh: If days that were read may have changed.
    """
    found, said = sources(data_dir, "sales"), kept.said
    if not set(said.files) <= set(found):
        raise _Afresh("files of sales that were read have changed or are gone")
    meant = tables.dataset(data_dir)
    if (meant.frequency, meant.absent_days == "zero") != (said.frequency, said.absent_is_zero):
        raise _Afresh("the days of the tables are meant otherwise")
    files = [path for name, path in found.items() if name not in said.files]
    if not said.whole:
        # Rows after the last day read lie in any of the files; of a week or month read in part
        # they would lie in it too.
        if files or said.frequency != "day":
            raise _Afresh("files of sales that were read in part are no longer the only ones")
        files = list(found.values())
    if not files:
        return files, said.whole
    first, last = _extent(data_dir, files)
    if first is None or last is None:
        return [], said.whole
    period = period_of(np.datetime64(first, "D"), Frequency[said.frequency.upper()])
    if said.whole and period <= kept.last_day:
        raise _Afresh("sales have come in of days that were read")
    return files, as_of is None or last <= as_of


def _said(data_dir: Path, folder: Folder, *, whole: bool) -> Said:
    """Return what a later reading will have to find as it is now."""
    sales = folder.sales
    categories, regions = labels(folder.catalogue)
    return Said(
        files=tuple(sorted(sources(data_dir, "sales"))),
        whole=whole,
        first_day=str(first_day(sales.first_day)),
        last_day=str(first_day(sales.last_day)),
        frequency=sales.frequency.name.lower(),
        absent_is_zero=sales.absent_is_zero,
        recorded=tuple(sorted(sales.recorded)),
        past=_past(data_dir, folder, sales.last_day, regions),
        categories=categories,
        regions=regions,
        features=feature_set_hash(),
    )


def _past(
    data_dir: Path, folder: Folder, last_day: np.datetime64, locations: Collection[str]
) -> str:
    """Hash what is said of the days up to one beside their sales, at some locations."""
    last = int(last_day.astype(np.int64))
    begun = folder.plans.campaigns.filter(pl.col("start_date") <= last)
    begun = begun.with_columns(pl.col("end_date").clip(upper_bound=last))
    day = period_numbers(pl.col("date").cast(pl.Int32), folder.sales.frequency)
    marked = outliers(data_dir).filter(day <= last).sort("sku", "location", "date")
    digest = hashlib.sha256(repr((begun.rows(), marked.rows())).encode())
    days = np.arange(int(folder.sales.first_day.astype(np.int64)), last + 1)
    closed = folder.calendar.closed_on(days)
    if closed is not None:
        here = closed[[name in locations for name in folder.catalogue.locations]]
        digest.update(np.packbits(here).tobytes() if here.any() else b"")
    return digest.hexdigest()


def _extent(data_dir: Path, files: Sequence[Path] | None) -> tuple[dt.date | None, dt.date | None]:
    """Return the first and last date with a row of sales in some files, or in all."""
    rows = tables.scan(data_dir, "sales", ("date",), files=files)
    date = pl.col("date")
    return rows.select(date.min().alias("first"), date.max().alias("last")).collect().row(0)


def _announced(folder: Folder, keys: pl.DataFrame, last_day: np.datetime64) -> Floats:
    """Return the regime of series before their first row: what campaigns said of them."""
    regions = dict(zip(folder.catalogue.locations, folder.catalogue.regions, strict=True))
    names, places = keys["sku"].to_list(), keys["location"].to_list()
    campaigns = folder.plans.campaigns_of(names, [regions[place] for place in places])
    past = replace(folder.sales, last_day=last_day)
    rows = folder.sales.rows.limit(0).collect()
    history = dense(rows, past, keys.with_columns(rows=pl.lit(0)), campaigns)
    return last_regime(history)


def last_regime(history: History) -> Floats:
    """Return price, discount and promoted on the last day of a history, shape (3, n)."""
    return np.stack([getattr(history, name)[-1] for name in REGIME])
