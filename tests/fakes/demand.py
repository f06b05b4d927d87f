"""A demand model that answers at once, and stored features held in dictionaries."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import TYPE_CHECKING

import numpy as np

from serving.domain.demand import QUANTILE_LEVELS
from serving.domain.features import (
    COLUMN,
    FEATURES,
    KNOWN_DAYS,
    LOCATION,
    PRODUCT,
    WIDTHS,
    feature_set_hash,
)
from serving.domain.history import WEEK, History, demand_states
from serving.ports import StockInputs, StoredRecord
from tests.fakes.doors import DESCRIPTION

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from serving.domain.attribution import Boxes
    from serving.domain.model import ModelDescription
    from serving.domain.overrides import Override
    from serving.domain.routes import Routes
    from serving.domain.totals import TotalShapes

    Floats = NDArray[np.float32]

ORIGIN = dt.date(2026, 6, 30)
EVENT_TIME = ((ORIGIN - dt.date(1970, 1, 1)).days + 1) * 86_400
COVER_LEVELS = (0.02, 0.5, 0.99)
MAX_HORIZON = 60
KINDS = 12  # of series whose pasts are drawn; the rest repeat them


class FakeModel:
    """Answers with numbers that every column of a row has a part in; keeps the rows."""

    def __init__(self, version: str = "7", routes: Routes | None = None) -> None:
        self.rows: list[Floats] = []
        self.routes = routes
        self.boxes: Boxes | None = None
        self.totals: TotalShapes | None = None
        self.description: ModelDescription = dataclasses.replace(
            DESCRIPTION,
            version=version,
            feature_set_hash=feature_set_hash(),
            features=FEATURES,
            quantile_levels=QUANTILE_LEVELS,
            cover_quantile_levels=COVER_LEVELS,
            max_horizon=MAX_HORIZON,
            max_cover=MAX_HORIZON,
        )

    def daily(self, rows: Floats) -> tuple[Floats, Floats]:
        return self._answer(rows, QUANTILE_LEVELS)

    def cover(self, rows: Floats) -> tuple[Floats, Floats]:
        return self._answer(rows, COVER_LEVELS)

    def _answer(self, rows: Floats, levels: Sequence[float]) -> tuple[Floats, Floats]:
        self.rows.append(rows)
        weights = np.linspace(0.1, 1.0, rows.shape[1], dtype=np.float32)
        mean = np.abs(np.nansum(rows * weights, axis=1)) + np.float32(1.0)
        return mean, mean[:, None] * np.asarray(levels, dtype=np.float32)[None, :] * 2

    def column(self, name: str) -> Floats:
        """Return a column of the rows last asked."""
        return self.rows[-1][:, COLUMN[name]]


class FakeModels:
    """Gives one model, or the next one set."""

    def __init__(self, model: FakeModel) -> None:
        self.model = model

    def current(self) -> FakeModel:
        return self.model

    def descriptions(self) -> list[ModelDescription]:
        return [self.model.description]


class FakeFeatures:
    """One generation of records by view and key; its own reader."""

    generation = "1"

    def __init__(self) -> None:
        self.feature_set_hash = feature_set_hash()
        self.said: dict[tuple[str, str], tuple[Override, ...]] = {}
        self.stored: dict[str, dict[tuple[str, ...], StoredRecord]] = {view: {} for view in WIDTHS}

    def snapshot(self) -> FakeFeatures:
        return self

    def record(self, view: str, key: tuple[str, ...]) -> StoredRecord | None:
        return self.stored[view].get(key)

    def records(self, view: str, keys: Sequence[tuple[str, ...]]) -> list[StoredRecord | None]:
        return [self.stored[view].get(key) for key in keys]

    def overrides(self, sku: str, location: str) -> tuple[Override, ...]:
        return self.said.get((sku, location), ())

    def stock(self, sku: str, location: str) -> StockInputs:
        del sku, location
        return StockInputs()

    def fetched(self, series: Sequence[tuple[str, str]], *tables: str) -> FakeFeatures:
        del series, tables
        return self

    def put(
        self, view: str, key: tuple[str, ...], values: Floats, event_time: int = EVENT_TIME
    ) -> None:
        """Store a record."""
        self.stored[view][key] = StoredRecord(event_time, values)


class FakeClock:
    """Stands at a moment, by default the end of the origin."""

    def __init__(self, hours: float = 0.0) -> None:
        self.hours = hours

    def now(self) -> dt.datetime:
        return dt.datetime.fromtimestamp(EVENT_TIME, dt.UTC) + dt.timedelta(hours=self.hours)


def past(seed: int, days: int = 120, *, last: dt.date = ORIGIN, gaps: bool = False) -> History:
    """Draw the past of one series; with gaps, some days were not recorded."""
    rng = np.random.default_rng(seed)
    shape = (days, 1)
    quantity = rng.poisson(4.0, shape).astype(float)
    if gaps:
        quantity[rng.random(shape) < 0.1] = np.nan
    return History(
        first_day=np.datetime64(last) - np.timedelta64(days - 1, "D"),
        quantity=quantity,
        available=rng.choice([1.0, 1.0, 1.0, 0.4], shape),
        price=rng.choice([9.0, 10.0], shape),
        discount=rng.choice([0.0, 0.1], shape),
        promoted=rng.choice([0.0, 0.0, 1.0], shape),
    )


def state_of(history: History) -> Floats:
    """Return the state at the end of one series' past."""
    (_, states, _), *_ = demand_states(history, [history.days - 1])
    state: Floats = states[0]
    return state


def product_values(seed: int) -> Floats:
    """Return a product record; its category sells as another series does."""
    values = np.full(WIDTHS["product"], np.nan, dtype=np.float32)
    values[PRODUCT["price"]] = 10.0
    values[PRODUCT["seasonal"]] = seed % 2
    values[PRODUCT["category_level"]] = 3.0 + seed
    values[PRODUCT["category_weekday"]] = np.linspace(0.5, 1.5, WEEK)
    values[PRODUCT["product_level"]] = 2.0 + seed
    values[PRODUCT["product_weekday"]] = np.linspace(0.7, 1.3, WEEK)
    values[PRODUCT["category_state"]] = state_of(past(1_000 + seed))
    return values


def location_values(seed: int) -> Floats:
    """Return a location record whose days to come each have a number of their own."""
    values = np.full(WIDTHS["location"], np.nan, dtype=np.float32)
    values[LOCATION["location_level"]] = 2.0 + seed
    for number, field in enumerate(("holiday", "days_to_holiday", "payday")):
        values[LOCATION[field]] = 1_000 * number + np.arange(1, KNOWN_DAYS + 1)
    return values


def stored_world(series: int = 5) -> FakeFeatures:
    """Store the series (s0, east), (s1, east) ... of products and locations that are known."""
    features = FakeFeatures()
    kinds = [(state_of(past(kind)), product_values(kind)) for kind in range(min(series, KINDS))]
    for number in range(series):
        state, product = kinds[number % KINDS]
        features.put("demand_state", (f"s{number}", "east"), state)
        features.put("product", (f"s{number}",), product)
    unsold = product_values(50)  # nowhere: it has its category's level
    unsold[PRODUCT["product_level"]] = unsold[PRODUCT["category_level"]]
    features.put("product", ("new",), unsold)
    features.put("product", ("category:dry",), product_values(60))
    for number, place in enumerate(("east", "west", "region:north", "region:")):
        features.put("location", (place,), location_values(number))
    return features
