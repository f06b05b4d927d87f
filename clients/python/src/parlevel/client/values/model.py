"""Which models answer: the values of the model questions."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping


class Health(StrEnum):
    """Whether a server takes calls."""

    SERVING = "serving"
    """It does."""
    NOT_SERVING = "not_serving"
    """It is starting or closing."""
    UNKNOWN = "unknown"
    """It does not know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """What the parity certificate of a model says."""

    row_count: int
    """Rows on which the graph and its source model were compared."""
    threshold_row_count: int
    """Rows that sit on a split threshold or beside one."""
    max_relative_difference: float
    """Greatest difference relative to max(1, abs(value))."""
    passed: bool
    """All checks passed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model as it is served."""

    name: str
    """Registered name."""
    version: str
    """Registered version."""
    digest: str
    """SHA-256 of the served graph, lower-case hex."""
    feature_set_hash: str
    """Hash of the feature set it reads, lower-case hex."""
    features: tuple[str, ...]
    """Names of the features it reads, in column order."""
    quantile_levels: tuple[float, ...]
    """Trained probability levels of the daily forecast, ascending."""
    cover_quantile_levels: tuple[float, ...]
    """Trained probability levels of the sum over a cover, ascending."""
    max_horizon_days: int
    """Longest horizon it was trained for, in days."""
    max_cover_days: int
    """Longest cover (lead time plus review period) it was trained for, in days."""
    trained_time: dt.datetime | None
    """When training ended, UTC; None where it was not recorded."""
    data_end_date: dt.date | None
    """Last day of data it was trained on; None where it was not recorded."""
    certificate: Certificate | None
    """Parity certificate stored with the version; None where there is none."""
    metrics: Mapping[str, float]
    """Hold-out metrics recorded at training, by name."""
    live_time: dt.datetime | None
    """Since when this server answers with it, UTC; None where it does not yet."""
    refused_reason: str
    """Why a newer release was refused; empty when none was."""
