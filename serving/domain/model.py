"""A model as it is served, and what its certificate says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from serving.domain.periods import Frequency

if TYPE_CHECKING:
    import datetime as dt


@dataclass(frozen=True, slots=True)
class Certificate:
    """What the parity certificate says.

    Attributes:
        row_count: Rows on which graph and source model were compared.
        threshold_row_count: Rows of these on a split threshold or beside one.
        max_relative_difference: Greatest |a - b| / max(1, |b|).
        passed: Whether every check passed.
    """

    row_count: int
    threshold_row_count: int
    max_relative_difference: float
    passed: bool


@dataclass(frozen=True, slots=True)
class RefusedModel:
    """A model of which nothing serves, because its first release was refused.

    Attributes:
        name: Registered name.
        refused_reason: Why the release was refused.
    """

    name: str
    refused_reason: str


@dataclass(frozen=True, slots=True)
class ModelDescription:
    """A model as it is served.

    Attributes:
        name: Registered name.
        version: Registered version.
        digest: SHA-256 of the served graph.
        feature_set_hash: Hash of the feature set it reads.
        features: Names of the features it reads, in column order.
        trained_time: When training ended, UTC.
        data_end: Last day of data it was trained on.
        certificate: Parity certificate stored with the version.
        metrics: Hold-out metrics by name.
        quantile_levels: Trained probability levels of the daily forecast; a demand model's.
        cover_quantile_levels: Trained probability levels of the sum over a cover; likewise.
        max_horizon: Longest trained horizon, in days; likewise.
        max_cover: Longest trained cover, in days; likewise.
        frequency: Length of the periods that days stand for; likewise.
        live_time: Since when this server answers with it, UTC.
        refused_reason: Why a newer release was refused; empty when none was.
    """

    name: str
    version: str
    digest: str
    feature_set_hash: str
    features: tuple[str, ...]
    trained_time: dt.datetime
    data_end: dt.date
    certificate: Certificate
    metrics: tuple[tuple[str, float], ...]
    quantile_levels: tuple[float, ...] = ()
    cover_quantile_levels: tuple[float, ...] = ()
    max_horizon: int = 0
    max_cover: int = 0
    frequency: Frequency = Frequency.DAY
    live_time: dt.datetime | None = None
    refused_reason: str = ""
