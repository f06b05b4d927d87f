"""Which arm a unit belongs to: decided by a hash, so the same unit is always in the same arm."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from serving.domain.series import check_key
from serving.errors import InvalidField, TooLarge

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from serving.domain.series import Provenance

    Floats = NDArray[np.float64]

BUCKETS = 10_000
MAX_UNITS = 10_000
_SEPARATOR = "\x1f"  # no printable key holds it, so salt and unit cannot run into each other


@dataclass(frozen=True, slots=True)
class BucketQuery:
    """Asks which arm units belong to.

    Attributes:
        unit_ids: Units, 1 to 200 characters each.
        salt: Names the experiment.
        arms: Names of the arms.
        shares: Share of the units of each arm, shape (arms,); empty: equal shares.
        layer: Layer shared by experiments that must not have a unit in common, or None.
        layer_start: Position in the layer from which units take part.
        layer_end: Position in the layer up to which units take part.
    """

    unit_ids: tuple[str, ...]
    salt: str
    arms: tuple[str, ...]
    shares: Floats = field(default_factory=lambda: np.empty(0))
    layer: str | None = None
    layer_start: float = 0.0
    layer_end: float = 1.0

    def __post_init__(self) -> None:
        """Refuse units, arms and shares that break their rules."""
        check_key("salt", self.salt)
        if not self.unit_ids:
            raise InvalidField("unit_ids", "is required")
        if len(self.unit_ids) > MAX_UNITS:
            raise TooLarge("unit_ids", limit=MAX_UNITS)
        for index, unit in enumerate(self.unit_ids):
            check_key(f"unit_ids[{index}]", unit)
        self._check_arms()
        if self.layer is not None:
            check_key("layer", self.layer)
        if not 0 <= self.layer_start < self.layer_end <= 1:
            raise InvalidField("layer_end", "must be above layer_start, both from 0 to 1")

    def _check_arms(self) -> None:
        if not 1 <= len(self.arms) <= 100:  # noqa: PLR2004 - a hundredth of the buckets each
            raise InvalidField("arms", "must be 1 to 100 names")
        for index, arm in enumerate(self.arms):
            check_key(f"arms[{index}]", arm)
        if len(set(self.arms)) < len(self.arms):
            raise InvalidField("arms", "must name each arm once")
        if self.shares.size not in (0, len(self.arms)):
            raise InvalidField("shares", "must be empty or have as many entries as arms")
        if self.shares.size and not ((self.shares > 0).all() and self.shares.sum() <= 1 + 1e-9):
            raise InvalidField("shares", "must each be above 0, and at most 1 together")


@dataclass(frozen=True, slots=True)
class Buckets:
    """Which arm units belong to; fields as in the contract.

    Attributes:
        provenance: Where the answer came from.
        arms: Arm of each unit; empty where the unit is in no arm.
        buckets: Bucket of each unit under the salt, 0 to 9,999, shape (n,).
        in_layer: Whether each unit lies in the experiment's range of the layer, shape (n,).
    """

    provenance: Provenance
    arms: tuple[str, ...]
    buckets: NDArray[np.int64]
    in_layer: NDArray[np.bool_]


def assign_buckets(query: BucketQuery, provenance: Provenance) -> Buckets:
    """Assign units to arms, leaving out those another experiment of the layer may have.

    Args:
        query: Units, arms and the range of the layer.
        provenance: Where the answer comes from.

    Returns:
        Arm, bucket and membership of each unit.

    Source: Tang et al., "Overlapping experiment infrastructure", KDD (2010), for layers.
    """
    places = positions(query.salt, query.unit_ids)
    inside = np.ones(len(places), dtype=np.bool_)
    if query.layer is not None:
        layer = positions(query.layer, query.unit_ids)
        inside = (layer >= query.layer_start) & (layer < query.layer_end)
    count = len(query.arms)
    shares = query.shares if query.shares.size else np.full(count, 1.0 / count)
    names = (*query.arms, "")
    arms = np.where(inside, assign(places, shares), -1)
    return Buckets(
        provenance=provenance,
        arms=tuple(names[arm] for arm in arms.tolist()),
        buckets=(places * BUCKETS).astype(np.int64),
        in_layer=inside,
    )


def positions(salt: str, unit_ids: Sequence[str]) -> Floats:
    """Place units evenly on [0, 1) by SHA-256, the same unit always at the same place.

    The first 53 bits of SHA-256 over salt, unit separator and unit, read as a binary fraction.

    Args:
        salt: Names what the places are for; another salt shuffles them anew.
        unit_ids: Units.

    Returns:
        Places, shape (n,).

    Source: Kohavi, Tang and Xu, Trustworthy Online Controlled Experiments (2020), chapter 12.

    Example:
        >>> positions("price test", ["SKU-1", "SKU-2"]).round(6)
        array([0.79281 , 0.306547])
    """
    digests = (
        hashlib.sha256(f"{salt}{_SEPARATOR}{unit}".encode()).digest()[:8] for unit in unit_ids
    )
    return np.array([(int.from_bytes(digest, "big") >> 11) / 2**53 for digest in digests])


def assign(places: Floats, shares: Floats) -> NDArray[np.int64]:
    """Return which arm each place falls to, -1 beyond the last arm.

    Args:
        places: Places on [0, 1), shape (n,).
        shares: Share of each arm, above 0, at most 1 together, shape (arms,).

    Returns:
        Index of the arm, shape (n,).

    Example:
        >>> assign(np.array([0.0, 0.79, 0.8, 0.95]), np.array([0.8, 0.1])).tolist()
        [0, 0, 1, -1]
    """
    edges = np.cumsum(shares)
    if edges[-1] >= 1.0 - 1e-9:  # shares that sum to 1 but for rounding leave nobody out
        edges[-1] = 1.0
    arms = np.searchsorted(edges, places, side="right")
    return np.where(arms == len(shares), -1, arms).astype(np.int64)
