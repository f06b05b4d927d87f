"""The places features are read from: Feast offline and online, packed records, and the tables."""

from __future__ import annotations

import datetime as dt
import warnings
from typing import TYPE_CHECKING, Protocol

import numpy as np

from serving.adapters.packed import ENTITIES
from serving.domain.features import VIEWS, WIDTHS
from serving.domain.history import STATE_WIDTH, History, demand_states, slices
from training.features.packing import event_time
from training.features.records import location_keys, peer_records, product_keys

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from feast import FeatureStore
    from numpy.typing import ArrayLike, NDArray

    from serving.adapters.packed import PackedGeneration
    from training.panel import Panel

    Floats = NDArray[np.float32]
    Key = tuple[str, ...]


class Source(Protocol):
    """One place features are read from, at one origin."""

    def __call__(self, view: str, keys: Sequence[Key]) -> Floats:
        """Return the records of entities, NaN where there is none, shape (n, WIDTHS[view])."""


class OfflineSource:
    """Feast's point-in-time join over the offline files."""

    def __init__(self, store: FeatureStore, origin: np.datetime64) -> None:
        """Read from there."""
        self._store = store
        self._moment = dt.datetime.fromtimestamp(event_time(origin), tz=dt.UTC)

    def __call__(self, view: str, keys: Sequence[Key]) -> Floats:
        """Return the records of entities; see `Source`."""
        import pandas as pd

        entities = pd.DataFrame(list(keys), columns=list(ENTITIES[view]))
        entities["event_timestamp"] = self._moment
        with warnings.catch_warnings():
            # Feast calls its own libraries by names they have since given up.
            warnings.simplefilter("ignore", DeprecationWarning)
            rows = self._store.get_historical_features(
                entity_df=entities, features=_references(view), full_feature_names=True
            ).to_arrow()
        names = [rows[name].to_pylist() for name in ENTITIES[view]]
        place = {key: index for index, key in enumerate(zip(*names, strict=True))}
        order = [place[key] for key in keys]
        return _matrix(view, {name: rows[name].to_pylist() for name in rows.column_names}, order)


class OnlineSource:
    """Feast's online read."""

    def __init__(self, store: FeatureStore) -> None:
        """Read from there."""
        self._store = store

    def __call__(self, view: str, keys: Sequence[Key]) -> Floats:
        """Return the records of entities; see `Source`."""
        rows = [dict(zip(ENTITIES[view], key, strict=True)) for key in keys]
        found = self._store.get_online_features(
            features=_references(view), entity_rows=rows, full_feature_names=True
        )
        return _matrix(view, found.to_dict(), range(len(keys)))


class PackedSource:
    """The record the service reads."""

    def __init__(self, snapshot: PackedGeneration) -> None:
        """Read from there."""
        self._snapshot = snapshot

    def __call__(self, view: str, keys: Sequence[Key]) -> Floats:
        """Return the records of entities; see `Source`."""
        out = np.full((len(keys), WIDTHS[view]), np.nan, dtype=np.float32)
        for row, record in enumerate(self._snapshot.records(view, keys)):
            if record is not None:
                out[row] = record.values  # noqa: PD011  a record, no data frame
        return out


class ComputedSource:
    """Records computed from the tables."""

    def __init__(self, records: Mapping[str, Mapping[Key, Floats]]) -> None:
        """Read from there."""
        self._records = records

    def __call__(self, view: str, keys: Sequence[Key]) -> Floats:
        """Return the records of entities; see `Source`."""
        return np.stack([self._records[view][key] for key in keys])


def request_time(
    panel: Panel, days: Sequence[np.datetime64], series: Sequence[Key]
) -> dict[np.datetime64, Source]:
    """Compute records from the tables at each origin, the states of each series on its own."""
    origins = [panel.index(day.astype(object)) for day in days]
    pairs = zip(panel.skus, panel.locations, strict=True)
    place: dict[Key, int] = {key: index for index, key in enumerate(pairs)}
    states = {key: _states_alone(panel.history, place[key], origins) for key in series}
    found: dict[np.datetime64, Source] = {}
    for turn, (origin, peers) in enumerate(peer_records(panel, origins)):
        day = days[turn]
        futures = panel.future(panel.day(origin))
        found[day] = ComputedSource(
            {
                "demand_state": {key: states[key][turn] for key in series},
                "known_future": {key: futures[place[key]] for key in series},
                "product": _by_key(product_keys(panel), peers.products),
                "location": _by_key(location_keys(panel), peers.locations),
            }
        )
    return found


def _states_alone(history: History, series: int, origins: Sequence[int]) -> list[Floats]:
    """Return one series' states as a request would, which sends its days and no others."""
    recorded = np.flatnonzero(~np.isnan(history.quantity[:, series]))
    first = int(recorded[0])
    own = History(
        history.first_day + first,
        *(
            getattr(history, name)[first:, series : series + 1]
            for name in ("quantity", "available", "price", "discount", "promoted")
        ),
    )
    unknown = [
        np.full(STATE_WIDTH, np.nan, dtype=np.float32) for origin in origins if origin < first
    ]
    begun = [origin - first for origin in origins if origin >= first]
    return [*unknown, *(states[0] for _, states, _ in demand_states(own, begun))]


def _by_key(names: Sequence[str], records: Floats) -> dict[Key, Floats]:
    return {(name,): record for name, record in zip(names, records, strict=True)}


def _references(view: str) -> list[str]:
    return [f"{view}:{name}" for name, _ in VIEWS[view]]


def _matrix(
    view: str, columns: Mapping[str, list[ArrayLike | None]], order: Sequence[int]
) -> Floats:
    """Lay Feast's columns out as a packed record; null is NaN."""
    out = np.full((len(order), WIDTHS[view]), np.nan, dtype=np.float32)
    layout = slices(VIEWS[view])
    for name, _ in VIEWS[view]:
        column = columns[f"{view}__{name}"]
        for row, place in enumerate(order):
            value = column[place]
            if value is not None:
                out[row, layout[name]] = np.asarray(value, dtype=np.float32)
    return out
