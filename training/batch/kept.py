"""What the reading of a data folder leaves for the next one, so that only later days are read.

A reading is kept in a folder of its own below a folder of the data folder it was read from:

    KEPT/<data folder>/<reading>/<block>.npz     what is known of the series of a block
    KEPT/<data folder>/<reading>/peers.npz       the same of the mean series of their peers
    KEPT/<data folder>/<reading>/series.parquet  sku, location, block and place of each series
    KEPT/<data folder>/<reading>/said.json       what was read; written last

It holds as long as the files it was made of lie there unchanged and nothing else that was said of
its days is said otherwise. Whatever does not hold is read again from the first day.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from serving.domain.features import feature_set_hash
from serving.domain.history import Walked
from serving.domain.periods import Frequency, period_of
from training.features.plans import REGIME
from training.features.sales import Sales
from training.tables.layers import write_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from training.features.catalogue import Catalogue

    Floats = NDArray[np.float64]
    Indices = NDArray[np.int64]

LAYOUT = 1  # raised when what is kept would mean otherwise
_SAID, _SERIES, _PEERS = "said.json", "series.parquet", "peers.npz"
_PAIR = ("sku", "location")
_WALKED = ("sums", "completed", "plain", "available")  # arrays of `Walked` in order, series last


@dataclass(frozen=True, slots=True)
class Said:
    """What was read, as far as a later reading depends on it.

    Attributes:
        files: Files of sales by a hash of what each holds, sorted.
        whole: Whether every row of the files was read; else those after the last day were not.
        first_day: First day of the first period, as ISO says it.
        last_day: First day of the last period.
        frequency: Name of the length of a period.
        absent_is_zero: Whether a day without a row is a day without sales.
        recorded: Which of price, discount and promoted the rows record, sorted.
        past: Hash of campaigns and outliers up to the last day.
        categories: Category of each product, empty where it has none.
        regions: Region of each location, empty where it has none.
        features: Hash of the features the states are of.
        layout: Layout of the files.
    """

    files: tuple[str, ...]
    whole: bool
    first_day: str
    last_day: str
    frequency: str
    absent_is_zero: bool
    recorded: tuple[str, ...]
    past: str
    categories: dict[str, str]
    regions: dict[str, str]
    features: str
    layout: int = LAYOUT


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of some series after the last day read.

    Attributes:
        walked: Their sums and last days.
        begun: Whether each has sold by then, shape (n,).
        regime: Price, discount and promoted at its end, NaN where unknown, shape (3, n).
    """

    walked: Walked
    begun: NDArray[np.bool_]
    regime: Floats

    @staticmethod
    def nothing(series: int) -> Known:
        """Return what is known of series before the first day."""
        regime = np.full((len(REGIME), series), np.nan)
        return Known(Walked.nothing(series), np.zeros(series, dtype=np.bool_), regime)


@dataclass(frozen=True, slots=True)
class Kept:
    """A reading that is kept.

    Attributes:
        place: Its folder.
        said: What was read.
    """

    place: Path
    said: Said

    @property
    def last_day(self) -> np.datetime64:
        """Last period read."""
        return self._period(self.said.last_day)

    @property
    def size(self) -> int:
        """Bytes it takes on disk."""
        return sum(path.stat().st_size for path in self.place.iterdir())

    def sales(self) -> Sales:
        """Return the extent of the sales read, without their rows."""
        return Sales(
            rows=pl.LazyFrame(),
            series=pl.read_parquet(self.place / _SERIES, columns=list(_PAIR)),
            first_day=self._period(self.said.first_day),
            last_day=self.last_day,
            absent_is_zero=self.said.absent_is_zero,
            recorded=frozenset(self.said.recorded),
            frequency=Frequency[self.said.frequency.upper()],
        )

    @property
    def _days(self) -> int:
        return int((self.last_day - self._period(self.said.first_day)).astype(np.int64)) + 1

    def _period(self, day: str) -> np.datetime64:
        return period_of(np.datetime64(day, "D"), Frequency[self.said.frequency.upper()])

    def of(self, keys: pl.DataFrame) -> Known:
        """Return what is known of some series; nothing of those that are new.

        Args:
            keys: Columns sku and location of the series, in the order wanted.
        """
        near = pl.col("sku").is_between(pl.lit(keys["sku"].min()), pl.lit(keys["sku"].max()))
        series = pl.scan_parquet(self.place / _SERIES).filter(near).collect()
        at = keys.join(series, on=_PAIR, how="left", maintain_order="left")
        begun = at["block"].is_not_null().to_numpy()
        regime = np.full((len(REGIME), keys.height), np.nan)
        walks = []
        for block in at["block"].drop_nulls().unique().sort().to_list():
            here = np.flatnonzero((at["block"] == block).fill_null(value=False).to_numpy())
            there = at["place"].to_numpy()[here].astype(np.int64)
            with np.load(block_file(self.place, block)) as found:
                regime[:, here] = found["regime"][:, there]
                walks.append((_walked(found, self._days), there, here))
        return Known(_gathered(walks, keys.height, self._days), begun, regime)

    def peers(self, catalogue: Catalogue) -> tuple[Walked, ...]:
        """Return what is known of the mean series of a catalogue, as `walk_peers` takes it."""
        before = _groups(self.said.categories, self.said.regions)
        found = []
        with np.load(self.place / _PEERS) as stored:
            for kind, names in enumerate(_groups(*labels(catalogue))):
                place = {name: index for index, name in enumerate(before[kind])}
                here = np.array([at for at, name in enumerate(names) if name in place], dtype=int)
                there = np.array([place[names[at]] for at in here], dtype=int)
                walked = _walked(stored, self._days, f"{kind}_")
                found.append(_gathered([(walked, there, here)], len(names), self._days))
        return tuple(found)


def folder_of(kept: Path, data_dir: Path) -> Path:
    """Return where the readings of a data folder are kept."""
    return kept / hashlib.sha256(str(data_dir.resolve()).encode()).hexdigest()[:16]


def newest(folder: Path) -> Kept | None:
    """Return the reading a folder keeps; None where this version cannot go on from one."""
    said = sorted(folder.glob(f"*/{_SAID}"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in said:
        entries = json.loads(path.read_text(encoding="utf-8"))
        if (entries["layout"], entries["features"]) == (LAYOUT, feature_set_hash()):
            lists = {name: tuple(entries[name]) for name in ("files", "recorded")}
            return Kept(path.parent, Said(**{**entries, **lists}))
    return None


def keep_block(place: Path, block: int, known: Known) -> None:
    """Keep what is known of the series of a block; it is there whole or not at all."""
    _save(block_file(place, block), {**_arrays(known.walked), "regime": known.regime})


def keep_peers(place: Path, walks: Sequence[Walked]) -> None:
    """Keep what is known of the mean series of peers."""
    arrays = [_arrays(walked, f"{kind}_") for kind, walked in enumerate(walks)]
    _save(place / _PEERS, {name: values for one in arrays for name, values in one.items()})


def finish(place: Path, blocks: Sequence[pl.DataFrame], said: Said) -> Kept:
    """Make a reading the one that is kept, and drop those before it.

    Args:
        place: Its folder, with what is known of all blocks and peers.
        blocks: Columns sku and location of the series of each block, in order.
        said: What was read.
    """
    numbered = [
        keys.select(
            *_PAIR,
            pl.lit(block, dtype=pl.Int32).alias("block"),
            pl.int_range(pl.len(), dtype=pl.Int32).alias("place"),
        )
        for block, keys in enumerate(blocks)
    ]
    pl.concat(numbered).write_parquet(place / _SERIES, compression="zstd")
    write_text(place / _SAID, json.dumps(asdict(said)))
    for other in place.parent.iterdir():
        if other.is_dir() and other != place:
            shutil.rmtree(other)
    return Kept(place, said)


def block_file(place: Path, block: int) -> Path:
    """Return the file of what is known of a block."""
    return place / f"{block:05d}.npz"


def labels(catalogue: Catalogue) -> tuple[dict[str, str], dict[str, str]]:
    """Return the category of each product and the region of each location, empty for none."""
    names = (*catalogue.category_names, "")
    categories = [names[code] for code in catalogue.category.tolist()]
    return (
        dict(zip(catalogue.products, categories, strict=True)),
        dict(zip(catalogue.locations, catalogue.regions, strict=True)),
    )


def _groups(categories: Mapping[str, str], regions: Mapping[str, str]) -> tuple[list[str], ...]:
    """Return what tells the mean series apart, in the order `PeerSums` has them."""
    return (
        [*sorted(set(categories.values()) - {""}), ""],
        list(categories),
        [
            *(f"location {name}" for name in regions),
            *(f"region {name}" for name in sorted(set(regions.values()) - {""})),
            "",
        ],
    )


def _gathered(walks: Sequence[tuple[Walked, Indices, Indices]], series: int, days: int) -> Walked:
    """Bring series together: of each walk some, by their place there and their place here."""
    whole = Walked.nothing(series, days)
    arrays: dict[str, Any] = {name: getattr(whole, name) for name in _WALKED}
    for walked, there, here in walks:
        for name in _WALKED:
            found = getattr(walked, name)
            if arrays[name].shape[0] < found.shape[0]:  # of days; new series were on none of them
                shape = (found.shape[0], series)
                arrays[name] = np.full(shape, np.nan, dtype=found.dtype)
            arrays[name][:, here] = found[:, there]
    return Walked(days, *(arrays[name] for name in _WALKED))


def _arrays(walked: Walked, before: str = "") -> dict[str, NDArray[np.generic]]:
    return {f"{before}{name}": getattr(walked, name) for name in _WALKED}


def _walked(found: Mapping[str, Any], days: int, before: str = "") -> Walked:
    return Walked(days, *(found[f"{before}{name}"] for name in _WALKED))


def _save(file: Path, arrays: Mapping[str, NDArray[np.generic]]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    new = file.with_suffix(".new")
    with new.open("wb") as out:
        np.savez(out, allow_pickle=False, **arrays)
    new.replace(file)
