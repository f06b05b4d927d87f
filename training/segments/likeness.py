"""Segments of series that are alike: k-means, DBSCAN, and the picture of both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from sklearn.cluster import DBSCAN, KMeans
from sklearn.decomposition import PCA
from sklearn.metrics import silhouette_score
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler

from serving.errors import InvalidField

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Labels = NDArray[np.int64]

# Measures a segment is made of; those of wide range by their logarithm.
LOGGED = ("daily_mean", "value", "interval", "price")
PLAIN = ("weekly_cv", "size_cv2", "trend", "weekend_share", "promoted_share")
MOST_SEGMENTS = 8
NOISE = -1
_SAMPLE = 3_000
_NEIGHBOURS = 10
_REACH = 0.70  # quantile of distances to the tenth neighbour that DBSCAN reaches


@dataclass(frozen=True, slots=True)
class Segments:
    """Series by likeness.

    Attributes:
        kmeans: Segment of each series, from 0, largest first, shape (n,).
        dbscan: Segment of each series, from 0, largest first, NOISE apart, shape (n,).
        silhouette: Mean silhouette of the k-means segments, -1 to 1.
        picture: The two principal components of each series, shape (n, 2).
        explained: Share of variance each component explains, shape (2,).
    """

    kmeans: Labels
    dbscan: Labels
    silhouette: float
    picture: Floats
    explained: Floats


def segment(measured: pl.DataFrame, *, seed: int = 0) -> Segments:
    """Find segments of series that are alike.

    The number of k-means segments, 2 to 8, is that of the best silhouette. DBSCAN runs on a sample
    where there are many series, and the others join the segment of their nearest core.

    Args:
        measured: Rows of `measure`.
        seed: Of the sample and the starts.

    Returns:
        The segments.

    Raises:
        InvalidField: If there are fewer than 10 series.
    """
    if measured.height < _NEIGHBOURS:
        raise InvalidField("sales", f"must have at least {_NEIGHBOURS} series to be segmented")
    rows = StandardScaler().fit_transform(_rows(measured))
    random = np.random.default_rng(seed)
    sample = np.sort(random.permutation(len(rows))[:_SAMPLE])
    kmeans, silhouette = _kmeans(rows, sample, seed)
    components = PCA(n_components=2, random_state=seed).fit(rows)
    return Segments(
        kmeans=kmeans,
        dbscan=_dbscan(rows, sample),
        silhouette=silhouette,
        picture=components.transform(rows),
        explained=components.explained_variance_ratio_,
    )


def _rows(measured: pl.DataFrame) -> Floats:
    columns = [np.log1p(measured[name].fill_null(0.0).to_numpy()) for name in LOGGED]
    for name in PLAIN:
        known = measured[name].median()
        columns.append(measured[name].fill_null(known or 0.0).to_numpy())
    return np.stack(columns, axis=1)


def _kmeans(rows: Floats, sample: Labels, seed: int) -> tuple[Labels, float]:
    best, found = -1.0, np.zeros(len(rows), dtype=np.int64)
    for count in range(2, min(MOST_SEGMENTS, len(rows) - 1) + 1):
        labels = KMeans(count, n_init=4, random_state=seed).fit(rows[sample]).predict(rows)
        if len(np.unique(labels[sample])) < 2:  # noqa: PLR2004 - two are needed to tell apart
            continue
        score = float(silhouette_score(rows[sample], labels[sample]))
        if score > best:
            best, found = score, labels
    return _by_size(found), best


def _dbscan(rows: Floats, sample: Labels) -> Labels:
    drawn = rows[sample]
    near = NearestNeighbors(n_neighbors=min(_NEIGHBOURS, len(drawn))).fit(drawn)
    distances, _ = near.kneighbors(drawn)
    reach = float(np.quantile(distances[:, -1], _REACH))
    fitted = DBSCAN(eps=max(reach, 1e-9), min_samples=_NEIGHBOURS).fit(drawn)
    cores = fitted.core_sample_indices_
    labels = np.full(len(rows), NOISE, dtype=np.int64)
    if len(cores):
        nearest = NearestNeighbors(n_neighbors=1).fit(drawn[cores])
        distance, place = nearest.kneighbors(rows)
        within = distance[:, 0] <= reach
        labels[within] = fitted.labels_[cores][place[within, 0]]
    return _by_size(labels)


def _by_size(labels: Labels) -> Labels:
    """Number segments from the largest on, noise apart."""
    found, counts = np.unique(labels[labels != NOISE], return_counts=True)
    order = {int(old): new for new, old in enumerate(found[np.argsort(-counts, kind="stable")])}
    return np.array([order.get(int(label), NOISE) for label in labels], dtype=np.int64)
