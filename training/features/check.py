"""Check that features have the same bits wherever they are read.

Four sources are compared for the same entities and origins: Feast's offline store joined point in
time, Feast's online store, the packed records as the service reads them, and a computation from the
tables as for a request that sends its own history.
"""

from __future__ import annotations

import datetime as dt
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from serving.adapters.features import CURRENT, PackedFeatures, PackedSnapshot
from serving.domain.features import VIEWS, WIDTHS
from serving.domain.history import slices
from serving.errors import InvalidField
from training.features.materialize import Job, materialize_into
from training.features.offline import offline_days
from training.features.records import location_keys, product_keys
from training.features.sources import (
    OfflineSource,
    OnlineSource,
    PackedSource,
    request_time,
)
from training.features.store import ONLINE, offline_folder, open_store
from training.panel import load_panel, open_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from training.features.sources import Key, Source
    from training.panel import Panel

    Floats = NDArray[np.float32]

ORIGINS = 3
# Series of whole products are loaded, so that a sample of them spreads over many products.
_LOADED_PER_SAMPLED = 4


@dataclass(frozen=True, slots=True)
class Reading:
    """The sources at one origin, and what to read from them.

    Attributes:
        origin: The last known day.
        sources: The sources by name.
        keys: Entities to read, per view.
    """

    origin: dt.date
    sources: dict[str, Source]
    keys: dict[str, list[Key]]


@dataclass(frozen=True, slots=True)
class Difference:
    """The first value that is not the same everywhere.

    Attributes:
        origin: The last known day.
        view: Name of the view.
        entity: Its key.
        field: Name of the field, with the place in brackets where it has several.
        values: The value in each source.
    """

    origin: dt.date
    view: str
    entity: tuple[str, ...]
    field: str
    values: dict[str, float]


@dataclass(frozen=True, slots=True)
class Agreement:
    """What was compared.

    Attributes:
        origins: The last known days.
        entities: Entities compared at each origin, per view.
        values: Values compared over all origins, per view.
        difference: The first difference, None where there is none.
    """

    origins: tuple[dt.date, ...]
    entities: dict[str, int]
    values: dict[str, int]
    difference: Difference | None


def check(job: Job, *, sample: int) -> Agreement:
    """Compare the four sources at the latest origins that are kept offline.

    Args:
        job: What was materialised.
        sample: Series to compare.

    Returns:
        What was compared, up to the first difference.

    Raises:
        InvalidField: If fewer than three origins are kept offline.
    """
    agreement = Agreement((), {}, {}, None)
    for reading in readings(job, sample=sample):
        agreement = compare(reading, before=agreement)
        if agreement.difference is not None:
            break
    return agreement


def readings(job: Job, *, sample: int) -> Iterator[Reading]:
    """Open the four sources at each of the latest origins that are kept offline, oldest first.

    Online and packed records of an older origin come from a generation that is materialised for
    the sample as of that day, in a folder of its own, which goes when the next one is asked for.

    Args:
        job: What was materialised.
        sample: Series to read.

    Yields:
        The sources and the entities to read from them.

    Raises:
        NotReady: If nothing has been materialised.
        InvalidField: If fewer than three origins are kept offline.
    """
    newest = PackedFeatures(job.features / ONLINE).snapshot()
    kept = [day - np.timedelta64(1, "D") for day in offline_days(offline_folder(job.features))]
    days = [day for day in kept if day <= np.datetime64(newest.meta["last_day"])][-ORIGINS:]
    if len(days) < ORIGINS:
        requirement = f"are kept offline for {len(days)} days, the check needs {ORIGINS}: run"
        raise InvalidField("origins", f"{requirement} `parlevel features materialize --origins 3`")
    skus = _sampled_skus(job, sample * _LOADED_PER_SAMPLED)
    panel = load_panel(job.data_dir, as_of=days[-1].astype(dt.date), skus=skus)
    series = _spread(panel, sample)
    store = open_store(job.features)
    request = request_time(panel, days, series)
    for day in days:
        with _generation_of(job, day, newest=day == days[-1], skus=skus) as generation:
            sources: dict[str, Source] = {
                "offline": OfflineSource(store, day),
                "online": OnlineSource(open_store(job.features, generation=generation)),
                "packed": PackedSource(PackedSnapshot(generation)),
                "request": request[day],
            }
            yield Reading(day.astype(dt.date), sources, _keys(panel, day, series))


def compare(reading: Reading, *, before: Agreement) -> Agreement:
    """Compare sources bit for bit at one origin; any NaN equals any other.

    Args:
        reading: The sources and the entities.
        before: What was compared at earlier origins.

    Returns:
        All that was compared, up to the first difference.
    """
    origins = (*before.origins, reading.origin)
    entities, values = dict(before.entities), dict(before.values)
    for view, keys in reading.keys.items():
        found = {name: source(view, keys) for name, source in reading.sources.items()}
        bits = np.stack([_bits(records) for records in found.values()])
        entities[view] = len(keys)
        values[view] = values.get(view, 0) + bits[0].size
        unequal = np.argwhere((bits != bits[0]).any(axis=0))
        if unequal.size:
            row, column = unequal[0].tolist()
            here = {name: float(records[row, column]) for name, records in found.items()}
            difference = Difference(reading.origin, view, keys[row], _field(view, column), here)
            return Agreement(origins, entities, values, difference)
    return Agreement(origins, entities, values, None)


@contextmanager
def _generation_of(
    job: Job, day: np.datetime64, *, newest: bool, skus: Sequence[str]
) -> Iterator[Path]:
    """Give the folder of the generation whose last day is an origin."""
    current = (job.features / ONLINE / CURRENT).resolve()
    if newest:
        yield current
        return
    with tempfile.TemporaryDirectory(dir=job.features, prefix=".check-") as scratch:
        past = Job(job.data_dir, Path(scratch), as_of=day.astype(dt.date), skus=tuple(skus))
        materialize_into(past, Path(scratch) / ONLINE, name="past")
        yield Path(scratch) / ONLINE / "past"


def _sampled_skus(job: Job, series: int) -> list[str]:
    """Return products spread over the alphabet with so many series between them."""
    counts = open_folder(job.data_dir, job.as_of).sales.series_per_sku()
    total = sum(count for _, count in counts)
    step = max(1, total // series)
    return [sku for sku, _ in counts[::step]]


def _spread(panel: Panel, sample: int) -> list[Key]:
    """Choose series at even steps through the panel."""
    places = np.unique(np.linspace(0, len(panel.skus) - 1, sample).astype(np.int64))
    return [(panel.skus[place], panel.locations[place]) for place in places]


def _keys(panel: Panel, day: np.datetime64, series: list[Key]) -> dict[str, list[Key]]:
    """Name the entities to compare: series, and the products and locations they belong to."""
    products = dict.fromkeys(sku for sku, _ in series)
    locations = dict.fromkeys(location for _, location in series)
    unlisted = product_keys(panel)[len(panel.catalogue.products) :]
    elsewhere = location_keys(panel)[len(panel.catalogue.locations) :]
    until = panel.index(day.astype(object)) + 1
    begun = np.flatnonzero(~np.isnan(panel.history.quantity[:until]).all(axis=0)).tolist()
    selling = {(panel.skus[place], panel.locations[place]) for place in begun}
    return {
        "demand_state": series,
        "product": [(name,) for name in (*products, *unlisted)],
        "location": [(name,) for name in (*locations, *elsewhere)],
        # A plan of a series that has yet to begin is stored at the newest origin only.
        "known_future": [key for key in series if key in selling],
    }


def _bits(values: Floats) -> NDArray[np.uint32]:
    return np.where(np.isnan(values), np.float32(np.nan), values).view(np.uint32)


def _field(view: str, column: int) -> str:
    for name, place in slices(VIEWS[view]).items():
        if place.start <= column < place.stop:
            inside = f"[{column - place.start}]" if place.stop - place.start > 1 else ""
            return f"{name}{inside}"
    raise InvalidField(f"{view} column", f"must be below {WIDTHS[view]}")
