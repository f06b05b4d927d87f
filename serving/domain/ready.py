"""Forecasts made ahead of their question: how one is laid out, and what it carries.

There is one of the days ahead, of each target, and one of the sums over the first days ahead.

A forecast follows from the release and from the stored records of its series. One made from the
very records of a generation of features therefore answers every question that brings no plan, no
history and no attributes of its own, to the bit, for as long as both are current.
"""

from __future__ import annotations

import enum
import hashlib
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from serving.domain.demand import ForecastRoute
from serving.domain.series import SEPARATOR

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from serving.domain.demand import DemandTarget

    Floats = NDArray[np.float64]

KEY_BYTES = 16
CHECK_BYTES = 4
_HEAD = struct.Struct("<qi3fBB??")  # the fields of `layout` between the key and the days


class ReadyKind(enum.StrEnum):
    """What is answered ahead."""

    DEMAND = "demand"
    SALES = "sales"
    COVERS = "covers"

    @classmethod
    def of(cls, target: DemandTarget) -> ReadyKind:
        """Return the kind that answers for the days of a target."""
        return cls(target.name.lower())


@dataclass(frozen=True, slots=True, eq=False)
class ReadyForecast:
    """The forecast of one series, and what a warning about it is made of.

    Attributes:
        origin: Last known day, days since 1970-01-01.
        oldest: Event time of the oldest record it rests on, seconds since 1970-01-01 UTC.
        route: Which evidence it rests on.
        cell: What `serving.domain.routes.cells_of` says of the series.
        lone: Its category has never sold.
        unpriced: No price of it is known.
        telling: Days of own history, days from sale to sale, most units of a recent day.
        unplanned: A byte a day ahead, 1 where nothing is planned.
        mean: Expected units of each day, or of all days up to it, shape (horizon,).
        quantiles: Trained quantiles of the same, shape (horizon, levels).
    """

    origin: int
    oldest: int
    route: ForecastRoute
    cell: int
    lone: bool
    unpriced: bool
    telling: tuple[float, float, float]
    unplanned: bytes
    mean: Floats
    quantiles: Floats


def key_of(sku: str, location: str) -> bytes:
    """Return the key of a series, KEY_BYTES long."""
    return hashlib.blake2b(f"{sku}{SEPARATOR}{location}".encode(), digest_size=KEY_BYTES).digest()


def keys_of(series: Iterable[tuple[str, str]]) -> NDArray[np.uint8]:
    """Return the keys of n series, shape (n, KEY_BYTES)."""
    joined = b"".join([key_of(*one) for one in series])
    return np.frombuffer(joined, dtype=np.uint8).reshape(-1, KEY_BYTES)


def layout(horizon: int, levels: int) -> np.dtype[np.void]:
    """Return how one forecast of so many days and quantiles is laid out.

    The last field is the CRC-32 of all before it; `sealed` puts it there.
    """
    return np.dtype(
        [
            ("key", "u1", (KEY_BYTES,)),
            ("oldest", "<i8"),
            ("origin", "<i4"),
            ("telling", "<f4", (3,)),
            ("route", "u1"),
            ("cell", "u1"),
            ("lone", "?"),
            ("unpriced", "?"),
            ("unplanned", "u1", (horizon,)),
            ("values", "<f8", (horizon, 1 + levels)),
            ("check", "<u4"),
        ]
    )


def sealed(records: NDArray[np.void]) -> list[bytes]:
    """Return laid out forecasts as bytes, each with its check."""
    width = records.dtype.itemsize - CHECK_BYTES
    raw = records.tobytes()
    bodies = [raw[first : first + width] for first in range(0, len(raw), records.dtype.itemsize)]
    return [body + zlib.crc32(body).to_bytes(CHECK_BYTES, "little") for body in bodies]


def intact(content: bytearray, records: NDArray[np.void]) -> NDArray[np.bool_]:
    """Say which of n records are as `sealed` left them.

    Args:
        content: Their bytes, one after another.
        records: The same bytes, laid out.

    Returns:
        Flags, shape (n,).
    """
    width, view = records.dtype.itemsize, memoryview(content)
    ends = range(width, len(content) + 1, width)
    checks = [zlib.crc32(view[end - width : end - CHECK_BYTES]) for end in ends]
    whole: NDArray[np.bool_] = records["check"] == np.array(checks, dtype=np.uint32)
    return whole


def opened(record: bytes, shape: tuple[int, int], key: bytes) -> ReadyForecast | None:
    """Read one forecast back.

    Args:
        record: What `sealed` gave.
        shape: Days, and quantiles of each.
        key: Key of the series that is asked about.

    Returns:
        The forecast; None where it is of another series or damaged.
    """
    body, check = record[:-CHECK_BYTES], record[-CHECK_BYTES:]
    if body[:KEY_BYTES] != key or zlib.crc32(body) != int.from_bytes(check, "little"):
        return None
    horizon, levels = shape
    # One unpacking and one array: a structured array's fields cost ten times as much.
    oldest, origin, observed, sold, most, route, cell, lone, unpriced = _HEAD.unpack_from(
        body, KEY_BYTES
    )
    days = KEY_BYTES + _HEAD.size
    values = np.frombuffer(body, "<f8", offset=days + horizon).reshape(horizon, 1 + levels)
    return ReadyForecast(
        origin=origin,
        oldest=oldest,
        route=ForecastRoute(route),
        cell=cell,
        lone=lone,
        unpriced=unpriced,
        telling=(observed, sold, most),
        unplanned=body[days : days + horizon],
        mean=values[:, 0],
        quantiles=values[:, 1:],
    )
