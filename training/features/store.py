"""The Feast feature store, driven from Python so that no stray file is executed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from serving.adapters.features import CURRENT
from serving.domain.features import feature_set_hash

if TYPE_CHECKING:
    import datetime as dt
    from pathlib import Path

    from feast import FeatureStore

PROJECT = "parlevel"
OFFLINE, ONLINE, REGISTRY = "offline", "online", "registry.db"
_METRICS = "PROMETHEUS_MULTIPROC_DIR"


def offline_folder(features: Path) -> Path:
    """Return the absolute folder of the offline files of the current feature set."""
    return features.resolve() / OFFLINE / feature_set_hash()


def open_store(features: Path, *, generation: Path | None = None) -> FeatureStore:
    """Open the feature store.

    Args:
        features: Folder of the offline, online and registry files.
        generation: Folder of the online generation; the current one where None.

    Returns:
        The store; its registry may still be empty.
    """
    kept = os.environ.get(_METRICS)
    from feast import FeatureStore, RepoConfig

    # Importing Feast sets a folder for metrics of several processes, which ours would then use.
    if kept is None:
        os.environ.pop(_METRICS, None)
    home = features.resolve()
    home.mkdir(parents=True, exist_ok=True)
    return FeatureStore(
        config=RepoConfig(
            project=PROJECT,
            provider="local",
            registry=str(home / REGISTRY),
            offline_store={"type": "duckdb"},
            online_store={
                "type": "training.features.packed_store.PackedOnlineStore",
                "generation": generation or home / ONLINE / CURRENT,
            },
            entity_key_serialization_version=3,
        )
    )


def apply(features: Path) -> FeatureStore:
    """Record entities, views and the service of the current feature set; again is no change.

    Args:
        features: Folder of the offline, online and registry files.

    Returns:
        The store.
    """
    from google.protobuf.message import DecodeError

    store = open_store(features)
    try:
        _define(store, features)
    except DecodeError:
        # Feast writes its registry in place, so a run killed meanwhile leaves half of it. All it
        # holds follows from the definitions: start anew.
        (features / REGISTRY).unlink()
        store = open_store(features)
        _define(store, features)
    return store


def _define(store: FeatureStore, features: Path) -> None:
    from feature_repo.definitions import entities, service, views

    defined = views(offline_folder(features))
    store.apply([*entities().values(), *defined, service(defined)])


def record_interval(store: FeatureStore, start: dt.datetime, end: dt.datetime) -> None:
    """Note in the registry that all views are materialised over an interval; again is no change."""
    for view in store.list_feature_views():
        if (start, end) not in view.materialization_intervals:
            store.registry.apply_materialization(view, store.project, start, end)
