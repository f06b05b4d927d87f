"""What an answer rests on: the packed records of a series, from the store and from the request."""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from serving.domain.demand import ForecastRoute
from serving.domain.features import FUTURE, KNOWN_DAYS, LOCATION, PRODUCT, WIDTHS, SeriesRecords
from serving.domain.history import DEMANDS, PRICES, STATE, demand_states
from serving.domain.periods import Frequency, period_of
from serving.errors import InvalidField, UnknownSeries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from serving.domain.demand import ForecastQuery
    from serving.domain.history import History
    from serving.domain.overrides import Override
    from serving.domain.series import PlanDay
    from serving.ports import FeatureSnapshot, StoredRecord

    StandIns = tuple[StoredRecord | None, StoredRecord | None]  # of product and location

DAY_SECONDS = 86_400
EPOCH = dt.date(1970, 1, 1)
SERIES_VIEWS = ("demand_state", "known_future")
CHUNK = 256  # series whose feature rows are held at once
_CATEGORY_LEVEL = PRODUCT["category_level"].start
_CATEGORY_STATE = PRODUCT["category_state"]
_UNITS = np.concatenate([np.arange(STATE[name].start, STATE[name].stop) for name in DEMANDS])
_PRICES = [STATE[name].start for name in PRICES]
_CATEGORY_DAYS = _CATEGORY_STATE.start + STATE["observed_days"].start
_NO_PLAN = np.full(WIDTHS["known_future"], np.nan, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one series' answer rests on.

    Attributes:
        origin: Last known day, days since 1970-01-01.
        state, product, location, future: The series' packed records, each of shape (width,).
        oldest: Event time of the oldest record, seconds since 1970-01-01 UTC.
        route: Which evidence it is.
        overrides: What planners say of the days after the origin.
        lone: Its category has never sold: all products stand in for it.
    """

    origin: int
    state: NDArray[np.float32]
    product: NDArray[np.float32]
    location: NDArray[np.float32]
    future: NDArray[np.float32]
    oldest: int
    route: ForecastRoute
    overrides: tuple[Override, ...] = ()
    lone: bool = False


def civil(day: int) -> dt.date:
    """Return the date of a day counted from 1970-01-01."""
    return EPOCH + dt.timedelta(days=day)


def stand_ins(snapshot: FeatureSnapshot, query: ForecastQuery) -> StandIns:
    """Return the records of the category and region sent for what is in no table."""
    product = location = None
    if query.product is not None:
        product = snapshot.record("product", (f"category:{query.product.category}",))
    if query.location_attributes is not None:
        region = query.location_attributes.region or ""
        location = snapshot.record("location", (f"region:{region}",))
    return product, location


def stored(
    snapshot: FeatureSnapshot, sku: str, location: str, stand_ins: StandIns = (None, None)
) -> Evidence:
    """Read a series' records and bring them together, as `assemble` does."""
    key = (sku, location)
    state, future = (snapshot.record(view, key) for view in SERIES_VIEWS)
    return assemble(snapshot, key, (state, future), stand_ins)


def assemble(
    snapshot: FeatureSnapshot,
    key: tuple[str, str],
    series: tuple[StoredRecord | None, StoredRecord | None],
    stand_ins: StandIns = (None, None),
) -> Evidence:
    """Bring a series' records together; attributes sent in the request stand in for tables."""
    (sku, place), (state, future) = key, series
    product = snapshot.record("product", (sku,)) or stand_ins[0]
    if product is None:
        raise UnknownSeries("sku", sku)
    location = snapshot.record("location", (place,)) or stand_ins[1]
    if location is None:
        raise UnknownSeries("location", place)
    route = ForecastRoute.GLOBAL_MODEL
    event_time, attributes, lone = product.event_time, product.values, False
    if not attributes[_CATEGORY_DAYS] > 0:
        attributes, lone = _with_everything(snapshot, attributes), True
    if state is None:
        attributes = _as_sold_elsewhere(attributes)
        values = attributes[_CATEGORY_STATE].copy()
        values[STATE["observed_days"].start] = 0.0  # none of them are its own
        route = ForecastRoute.COLD_START
    else:
        values, event_time = state.values, state.event_time
    origin = event_time // DAY_SECONDS - 1
    said = snapshot.overrides(sku, place)
    return Evidence(
        origin=origin,
        state=values,
        product=attributes,
        location=location.values,
        future=_NO_PLAN if future is None else future.values,
        oldest=min(event_time, product.event_time, location.event_time),
        route=route,
        overrides=tuple(one for one in said if one.holds(origin)) if said else (),
        lone=lone,
    )


def _as_sold_elsewhere(product: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bring the mean series of the category to the level and price of a product sold elsewhere."""
    own, category = (product[PRODUCT[name].start] for name in ("product_level", "category_level"))
    if own == category or not (own > 0 and category > 0):  # sold nowhere, it has the category's
        return product
    found = product.copy()
    state = found[_CATEGORY_STATE]
    state[_UNITS] *= own / category
    price = product[PRODUCT["price"].start]
    if price > 0:
        state[_PRICES] = price
    return found


def _with_everything(
    snapshot: FeatureSnapshot, product: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Let the mean of all products stand in for a category that has never sold."""
    every = snapshot.record("product", ("category:",))
    if every is None:
        return product
    found = product.copy()
    found[_CATEGORY_LEVEL:] = every.values[_CATEGORY_LEVEL:]
    return found


def from_history(found: Evidence, history: History) -> Evidence:
    """Replace the stored state by that of the history sent; known days move to its origin."""
    (_, state, _), *_ = demand_states(history, [history.days - 1])
    origin = int(history.last_day.astype(np.int64))
    moved = origin - found.origin
    location = found.location.copy()
    first = LOCATION["holiday"].start
    location[first:] = _move(found.location[first:], moved)
    return Evidence(
        origin=origin,
        state=state[0],
        product=found.product,
        location=location,
        future=_move(found.future, moved),
        oldest=found.oldest,
        route=ForecastRoute.REQUEST_HISTORY,
        overrides=tuple(one for one in found.overrides if one.holds(origin)),
        lone=found.lone,
    )


def _move(known: NDArray[np.float32], days: int) -> NDArray[np.float32]:
    """Shift fields of KNOWN_DAYS each so that they begin `days` later; NaN where unknown."""
    if days == 0:
        return known
    out = np.full_like(known, np.nan).reshape(-1, KNOWN_DAYS)
    fields = known.reshape(-1, KNOWN_DAYS)
    if 0 < days < KNOWN_DAYS:
        out[:, : KNOWN_DAYS - days] = fields[:, days:]
    elif -KNOWN_DAYS < days < 0:
        out[:, -days:] = fields[:, : KNOWN_DAYS + days]
    return out.reshape(-1)


def with_plan(found: Evidence, plan: Sequence[PlanDay], horizon: int) -> Evidence:
    """Lay the request's plan over the stored one, day by day and field by field."""
    if not plan:
        return found
    future = found.future.copy()
    for index, day in enumerate(plan):
        ahead = (day.date - EPOCH).days - found.origin
        if not 1 <= ahead <= horizon:
            first, last = civil(found.origin + 1), civil(found.origin + horizon)
            raise InvalidField(f"plan[{index}].date", f"must be from {first} to {last}")
        for name in ("price", "discount", "promoted"):
            value = getattr(day, name)
            if value is not None:
                future[FUTURE[name].start + ahead - 1] = value
    return dataclasses.replace(found, future=future)


def stack(found: Sequence[Evidence], frequency: Frequency) -> SeriesRecords:
    """Return the records of series that share one origin, in periods of a length."""
    origin = _period(found[0].origin, frequency)
    if len(found) == 1:  # without copying
        (one,) = found
        return SeriesRecords(
            origin, one.state[None], one.product[None], one.location[None], one.future[None]
        )
    return SeriesRecords(
        origin=origin,
        state=_rows([one.state for one in found]),
        product=_rows([one.product for one in found]),
        location=_rows([one.location for one in found]),
        future=_rows([one.future for one in found]),
    )


def _rows(records: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Return records of one width as rows; `np.stack` takes twice as long."""
    return np.concatenate(records).reshape(len(records), -1)


@functools.lru_cache(maxsize=256)
def _period(origin: int, frequency: Frequency) -> np.datetime64:
    return period_of(np.datetime64(origin, "D"), frequency)


def chunks(
    found: Sequence[Evidence], frequency: Frequency
) -> list[tuple[NDArray[np.intp], SeriesRecords]]:
    """Group series by origin, at most CHUNK at a time: their indices and their records."""
    by_origin: dict[int, list[int]] = {}
    for index, one in enumerate(found):
        by_origin.setdefault(one.origin, []).append(index)
    chunks = []
    for rows in by_origin.values():
        for start in range(0, len(rows), CHUNK):
            part = rows[start : start + CHUNK]
            chunks.append((np.array(part), stack([found[index] for index in part], frequency)))
    return chunks
