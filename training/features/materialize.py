"""Materialise features: from tables to offline files and a published online generation."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import shutil
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from serving.adapters.features import PackedFeatures
from serving.adapters.packed import STOCK_FIELDS
from serving.domain.features import VIEWS, feature_set_hash
from serving.domain.history import STATE, demand_states
from serving.domain.periods import first_day, last_day
from serving.errors import Busy, InvalidField, ReleaseRefused
from training import tables
from training.features.offline import OfflineWriter, offline_file
from training.features.overrides import load_overrides
from training.features.packing import (
    STAGING,
    event_time,
    features_writer,
    joined,
    new_generation,
)
from training.features.records import location_keys, peer_records, product_keys
from training.features.stock import stock_inputs
from training.features.store import ONLINE, apply, offline_folder, record_interval
from training.panel import iter_panels, load_panel, planned_unsold
from training.tables.layers import locked, write_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from training.features.packing import GenerationWriter
    from training.panel import Panel

_FORMAT = 2  # raised when equal tables would give other records


@dataclass(frozen=True, slots=True)
class Job:
    """What to materialise.

    Attributes:
        data_dir: The data folder.
        features: Folder of the offline, online and registry files.
        as_of: Last known day; the last day with sales where None.
        days_back: Days before the last one to keep offline beside it, each from 1.
        skus: Products to materialise; all where None.
    """

    data_dir: Path
    features: Path
    as_of: dt.date | None = None
    days_back: tuple[int, ...] = ()
    skus: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Materialized:
    """What was materialised.

    Attributes:
        generation: Name of the published generation.
        feature_set_hash: Hash of the feature set.
        last_day: The last day it knows.
        records: Records online per view.
        cached: Whether it had been materialised before from the same tables.
    """

    generation: str
    feature_set_hash: str
    last_day: dt.date
    records: dict[str, int]
    cached: bool


def materialize(
    job: Job, *, now: dt.datetime, progress: Callable[[int], None] | None = None
) -> Materialized:
    """Compute the features of every entity and publish them; unchanged tables cost nothing.

    Args:
        job: What to materialise.
        now: The moment of the run, which names the generation.
        progress: Called with the series done so far.

    Returns:
        What the current generation holds.

    Raises:
        Busy: If another run holds the folder.
        InvalidField: If the sales begin after a day to keep.
    """
    with locked(job.features, "another run materialises to"):
        content = _content(job)
        online = job.features / ONLINE
        there = _published(online, content)
        cached = there is not None and _kept(job, there.last_day)
        if not cached:
            name = f"{now:%Y%m%dT%H%M%S%f}Z"
            materialize_into(job, online, name=name, content=content, progress=progress)
            there = _published(online, content)
        if there is None:
            raise Busy(f"another run published to {online} meanwhile", retry_after_seconds=1.0)
        _register(job, there.last_day, content)
        return replace(there, cached=cached)


def materialize_into(
    job: Job,
    online: Path,
    *,
    name: str,
    content: str = "",
    progress: Callable[[int], None] | None = None,
) -> None:
    """Write offline files and publish an online generation, without a word to the registry.

    Args:
        job: What to materialise.
        online: Folder of the generations.
        name: Name of the new one.
        content: Digest of everything the records follow from.
        progress: Called with the series done so far.

    Raises:
        InvalidField: If the sales begin after a day to keep.
    """
    run = _Run(job, progress)
    try:
        with new_generation(online, name, features_writer) as writer:
            run.fill(writer)
            writer.describe(run.meta(content))
    except BaseException:
        # What was staged takes room, and a full disk may be why we are here.
        shutil.rmtree(online / f"{STAGING}{name}", ignore_errors=True)
        raise


class _Run:
    """One pass over the panels of a folder."""

    def __init__(self, job: Job, progress: Callable[[int], None] | None) -> None:
        self.job = job
        self.progress = progress
        self.last_day = dt.date.min
        self.records = dict.fromkeys(VIEWS, 0)
        self.pairs: list[pl.DataFrame] = []

    def fill(self, writer: GenerationWriter) -> None:
        """Write every record, online those of the last day."""
        with ExitStack() as stack:
            offline: dict[int, OfflineWriter] = {}
            done = 0
            for panel in self._panels():
                if not offline:
                    offline = self._open(panel, stack)
                    self._write_peers(panel, offline, writer)
                self._write_series(panel, offline, writer)
                self.pairs.append(pl.DataFrame({"sku": panel.skus, "location": panel.locations}))
                done += len(panel.skus)
                if self.progress is not None:
                    self.progress(done)
            sold = pl.concat(self.pairs)
            self._write_unsold(panel, sold, offline, writer)
        keys, stock = stock_inputs(self.job.data_dir, sold, self.last_day)
        frequency = panel.folder.sales.frequency
        writer.write_overrides(load_overrides(self.job.data_dir, frequency))
        writer.write_stock(joined(keys["sku"].to_list(), keys["location"].to_list()), stock)

    def meta(self, content: str) -> dict[str, object]:
        """Describe the generation."""
        time = event_time(np.datetime64(self.last_day))
        return {
            "feature_set_hash": feature_set_hash(),
            "event_times": dict.fromkeys(VIEWS, time),
            "last_day": str(self.last_day),
            "records": self.records,
            "content": content,
        }

    def _panels(self) -> Iterable[Panel]:
        job = self.job
        if job.skus is None:
            return iter_panels(job.data_dir, as_of=job.as_of)
        return (load_panel(job.data_dir, as_of=job.as_of, skus=job.skus),)

    def _open(self, panel: Panel, stack: ExitStack) -> dict[int, OfflineWriter]:
        self.last_day = last_day(panel.history.last_day).astype(dt.date)
        last = panel.history.days - 1
        if max(self.job.days_back, default=0) > last:
            raise InvalidField("origins", f"must lie within the {last + 1} days of sales")
        folder = offline_folder(self.job.features)
        return {
            origin: stack.enter_context(OfflineWriter(folder, first_day(panel.day(origin + 1))))
            for origin in sorted({last, *(last - back for back in self.job.days_back)})
        }

    def _write_peers(
        self, panel: Panel, offline: dict[int, OfflineWriter], writer: GenerationWriter
    ) -> None:
        for origin, peers in peer_records(panel, list(offline)):
            for view, keys, values in (
                ("product", product_keys(panel), peers.products),
                ("location", location_keys(panel), peers.locations),
            ):
                offline[origin].write(view, [keys], values)
                if origin == max(offline):
                    self._write_online(writer, view, keys, values)

    def _write_series(
        self, panel: Panel, offline: dict[int, OfflineWriter], writer: GenerationWriter
    ) -> None:
        for origin, states, _ in demand_states(panel.history, list(offline)):
            begun = states[:, STATE["observed_days"].start] > 0
            skus, locations = (
                [name for name, there in zip(names, begun, strict=True) if there]
                for names in (panel.skus, panel.locations)
            )
            futures = panel.future(panel.day(origin))
            for view, values in (("demand_state", states[begun]), ("known_future", futures[begun])):
                offline[origin].write(view, [skus, locations], values)
                if origin == max(offline):
                    self._write_online(writer, view, joined(skus, locations), values)

    def _write_unsold(
        self,
        panel: Panel,
        sold: pl.DataFrame,
        offline: dict[int, OfflineWriter],
        writer: GenerationWriter,
    ) -> None:
        skus, locations, future = planned_unsold(panel.folder, sold, panel.history.last_day)
        if skus:
            offline[max(offline)].write("known_future", [skus, locations], future)
            self._write_online(writer, "known_future", joined(skus, locations), future)

    def _write_online(
        self, writer: GenerationWriter, view: str, keys: Sequence[str], values: np.ndarray
    ) -> None:
        times = np.full(len(keys), event_time(np.datetime64(self.last_day)))
        self.records[view] += writer.write(view, keys, times, values)


def _kept(job: Job, last_day: dt.date) -> bool:
    """Say whether the offline files of every day of a job are there."""
    folder = offline_folder(job.features)
    days = [np.datetime64(last_day, "D") + 1 - back for back in (0, *job.days_back)]
    return all(offline_file(folder, view, day).exists() for view in VIEWS for day in days)


def _register(job: Job, last_day: dt.date, content: str) -> None:
    """Tell Feast's registry what was materialised, once."""
    marker = job.features / "registered"
    if marker.exists() and marker.read_text(encoding="utf-8") == content:
        return
    end = dt.datetime.combine(last_day, dt.time(), dt.UTC) + dt.timedelta(days=1)
    start = end - dt.timedelta(days=1 + max(job.days_back, default=0))
    record_interval(apply(job.features), start, end)
    write_text(marker, content)


def _content(job: Job) -> str:
    """Return the digest of everything the records follow from."""
    asked = [str(job.as_of), sorted(set(job.days_back)), job.skus]
    parts = [tables.digest(job.data_dir), feature_set_hash(), asked, _FORMAT, STOCK_FIELDS]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _published(online: Path, content: str) -> Materialized | None:
    """Return what the current generation holds, or None where it came from other content."""
    reader = PackedFeatures(online)
    try:
        if not reader.refresh():
            return None
    except ReleaseRefused:  # damaged, or of another version: this run replaces it
        return None
    snapshot = reader.snapshot()
    if snapshot.meta.get("content") != content:
        return None
    return Materialized(
        generation=snapshot.generation,
        feature_set_hash=snapshot.feature_set_hash,
        last_day=dt.date.fromisoformat(snapshot.meta["last_day"]),
        records=json.loads(snapshot.meta["records"]),
        cached=True,
    )
