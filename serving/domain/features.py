"""Feature rows: one row per series and day ahead, built from what is known at the origin.

Everything a row reads comes from four records: the series' demand state, its product, its
location and the known future (plan). A row divides demands by the series' scale, so one model
serves series of every size; the graph multiplies the scale back in.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from serving.domain.history import (
    MAX_HORIZON,
    PLAIN,
    RATED,
    STATE,
    STATE_FIELDS,
    STATE_WIDTH,
    TAIL,
    WEEK,
    YEAR_AGO_MARGIN,
    slices,
)
from serving.domain.periods import Frequency, frequency_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

# Days of plan and calendar packed after the event day: a week more than the longest horizon, for a
# request whose own history is newer than the stored features.
KNOWN_DAYS = MAX_HORIZON + WEEK
LAGS = (1, 7, 14, 28)
NEVER = 999.0  # cap of the distance to a holiday, in days

_PEER_FIELDS = (("level", 1), ("fast", 1), ("slow", 1), ("available", 1), ("weekday", WEEK))
# The newest days of a product's mean series over what level and weekday expect of them: the last,
# and the last three. A move of one product everywhere shows there first.
_NEWEST = ("product_last", "product_last_three")
PRODUCT_FIELDS: tuple[tuple[str, int], ...] = (
    ("price", 1),
    ("seasonal", 1),
    ("minimum_order_quantity", 1),
    ("pack_size", 1),
    *((f"category_{name}", width) for name, width in _PEER_FIELDS),
    # The product's own mean series over all locations.
    *((f"product_{name}", width) for name, width in _PEER_FIELDS),
    *((name, 1) for name in _NEWEST),
    # The state of the category's mean series: it stands in for a product without history.
    ("category_state", STATE_WIDTH),
)
_DAY_FIELDS = ("holiday", "days_to_holiday", "days_since_holiday", "payday", "school_holiday")
# A day the location is planned to be closed: nothing can be sold on it, so no column is learned
# from it, and its forecast is 0.
CLOSED = "closed"
LOCATION_FIELDS: tuple[tuple[str, int], ...] = (
    *((f"location_{name}", width) for name, width in _PEER_FIELDS),
    *((name, KNOWN_DAYS) for name in (*_DAY_FIELDS, CLOSED)),
)
FUTURE_FIELDS: tuple[tuple[str, int], ...] = tuple(
    (name, KNOWN_DAYS) for name in ("price", "discount", "promoted")
)
PRODUCT, LOCATION, FUTURE = slices(PRODUCT_FIELDS), slices(LOCATION_FIELDS), slices(FUTURE_FIELDS)
VIEWS: dict[str, tuple[tuple[str, int], ...]] = {
    "demand_state": STATE_FIELDS,
    "product": PRODUCT_FIELDS,
    "location": LOCATION_FIELDS,
    "known_future": FUTURE_FIELDS,
}
WIDTHS = {view: sum(width for _, width in fields) for view, fields in VIEWS.items()}

_DATE_COLUMNS = (
    "weekday",
    "weekend",
    "weekday_sin",
    "weekday_cos",
    "year_sin",
    "year_cos",
    "month",
    "day_of_month",
)
_PEERS = tuple(
    f"{peer}_{name}"
    for peer in ("category", "product", "location")
    for name in ("level", "fast", "slow", "available")
)
FEATURES: tuple[str, ...] = (
    "scale",
    "horizon",
    "sales_target",
    "planned",
    *RATED,
    *PLAIN,
    *_PEERS,
    *_NEWEST,
    "product_price",
    *_DATE_COLUMNS,
    *_DAY_FIELDS,
    *(f"lag_{lag}" for lag in LAGS),
    "last",
    "last_three",
    "year_ago",
    "expected",
    "expected_slow",
    "day_factor",
    "year_ago_mean",
    "year_ago_rise",
    "same_weekday_mean",
    "weekday_factor",
    "category_weekday_factor",
    "product_weekday_factor",
    "location_weekday_factor",
    "season_month",
    "price_ratio",
    "discount",
    "price_x_discount",
    "discount_change",
    "promoted",
    "promoted_change",
)
COLUMN = {name: index for index, name in enumerate(FEATURES)}
# What year-long data is needed to learn; training hides these columns from shorter histories. The
# effects of weekday with promotion are among them: of few weeks they say what those weeks were.
YEARLY = (
    *("year_sin", "year_cos", "month", "day_of_month", "season_month", "observed_days"),
    *("base_level", "base_level_slow", "expected", "expected_slow", "day_factor", "year_ago_rise"),
)


def feature_set_hash() -> str:
    """Return the SHA-256 of everything that gives a feature row its meaning, 16 hex digits."""
    layout = json.dumps([FEATURES, {name: list(fields) for name, fields in VIEWS.items()}, 1])
    return hashlib.sha256(layout.encode()).hexdigest()[:16]


def _lag_columns() -> NDArray[np.intp]:
    """Return, for each day ahead and lag, the tail column that holds it, shape (90, lags).

    A lag not known at the origin is replaced by the last same weekday at or before the origin.
    """
    ahead = np.arange(1, MAX_HORIZON + 1)[:, None]
    back = np.asarray(LAGS)[None, :] - ahead  # days before the origin; negative is not known
    return TAIL - 1 - np.where(back >= 0, back, back % WEEK)


# A row is mostly copied: one gather from the series' records laid end to end, each demand divided
# by the scale. Where each record begins in that line:
_SCALED = 0
_STATE = STATE_WIDTH
_PRODUCT = _STATE + STATE_WIDTH
_PRODUCT_WIDTH = PRODUCT["category_state"].start
_LOCATION = _PRODUCT + _PRODUCT_WIDTH
_SERIES_WIDTH = _LOCATION + WIDTHS["location"]
_LEVELS = (
    _PRODUCT + PRODUCT["category_level"].start,
    _PRODUCT + PRODUCT["product_level"].start,
    _LOCATION + LOCATION["location_level"].start,
)
_C_DATES = slice(COLUMN[_DATE_COLUMNS[0]], COLUMN[_DATE_COLUMNS[-1]] + 1)
_C_MARKS = slice(COLUMN[_DAY_FIELDS[0]], COLUMN[_DAY_FIELDS[-1]] + 1)
# The day fields of a day the calendar does not reach: no mark on it, holidays as far as they
# usually are. Never seen together, NEVER before it and NEVER behind it would mean anything.
_UNMARKED = np.array([0.0, 30.0, 30.0, 0.0, 0.0], dtype=np.float32)


def _sources() -> NDArray[np.intp]:
    """Return where each copied column stands in the line of records, shape (90, features).

    Columns that are computed point anywhere; they are overwritten.
    """
    ahead = np.arange(MAX_HORIZON)
    sources = np.zeros((MAX_HORIZON, len(FEATURES)), dtype=np.intp)
    for name in RATED:
        sources[:, COLUMN[name]] = _SCALED + STATE[name].start
    for name in PLAIN:
        sources[:, COLUMN[name]] = _STATE + STATE[name].start
    for peer, begin, layout in (
        ("category", _PRODUCT, PRODUCT),
        ("product", _PRODUCT, PRODUCT),
        ("location", _LOCATION, LOCATION),
    ):
        for name in ("level", "fast", "slow", "available"):
            column = COLUMN[f"{peer}_{name}"]
            sources[:, column] = begin + layout[f"{peer}_{name}"].start
        factor = begin + layout[f"{peer}_weekday"].start
        sources[:, COLUMN[f"{peer}_weekday_factor"]] = factor + ahead % WEEK
    sources[:, COLUMN["weekday_factor"]] = _STATE + STATE["weekday"].start + ahead % WEEK
    for name in _NEWEST:
        sources[:, COLUMN[name]] = _PRODUCT + PRODUCT[name].start
    sources[:, COLUMN["product_price"]] = _PRODUCT + PRODUCT["price"].start
    for name in _DAY_FIELDS:
        sources[:, COLUMN[name]] = _LOCATION + LOCATION[name].start + ahead
    first_lag = COLUMN[f"lag_{LAGS[0]}"]
    lags = _SCALED + STATE["tail"].start + _lag_columns()
    sources[:, first_lag : first_lag + len(LAGS)] = lags
    sources[:, COLUMN["last"]] = _SCALED + STATE["tail"].stop - 1
    sources[:, COLUMN["year_ago"]] = _SCALED + STATE["year_ago"].start + YEAR_AGO_MARGIN + ahead
    sources[:, COLUMN["expected"]] = _SCALED + STATE["base_level"].start
    sources[:, COLUMN["expected_slow"]] = _SCALED + STATE["base_level_slow"].start
    sources[:, COLUMN["day_factor"]] = _STATE + STATE["weekday_plain"].start + ahead % WEEK
    return sources


_SOURCES = _sources()
# The four tail columns of each weekday ahead, oldest first, shape (7, 4).
_SAME_WEEKDAYS = (
    _SCALED
    + STATE["tail"].start
    + TAIL
    - 1
    - ((-np.arange(1, WEEK + 1)[:, None]) % WEEK + WEEK * np.arange(3, -1, -1)[None, :])
)
_LAST_THREE = slice(_SCALED + STATE["tail"].stop - 3, _SCALED + STATE["tail"].stop)
# The days around the day a year before each day ahead, shape (90, 7).
_AROUND_YEAR_AGO = (
    _SCALED
    + STATE["year_ago"].start
    + np.arange(MAX_HORIZON)[:, None]
    + np.arange(2 * YEAR_AGO_MARGIN + 1)[None, :]
)
_AHEAD = np.arange(1, MAX_HORIZON + 1, dtype=np.float32)
_PROMOTED = FUTURE["promoted"].start
_PROMOTED_WEEKDAYS = STATE["weekday_promoted"].start + np.arange(MAX_HORIZON) % WEEK
_CLOSED = LOCATION[CLOSED].start
_SUNDAY = 6
_YEAR_AGO_LEVEL = _SCALED + STATE["year_ago_level"].start
# Columns to lay the effect of weekday and promotion over.
_PLAIN_UNITS = slice(COLUMN["year_ago"], COLUMN["expected_slow"] + 1)
_REGIME = [STATE[f"{name}_last"].start for name in ("price", "discount", "promoted")]


@dataclass(frozen=True, slots=True)
class SeriesRecords:
    """The four packed records of n series that share one origin.

    Attributes:
        origin: The last known day or period; its unit says which.
        state: Demand states, shape (n, WIDTHS["demand_state"]).
        product: Product records, shape (n, WIDTHS["product"]).
        location: Location records, shape (n, WIDTHS["location"]).
        future: Plan records, shape (n, WIDTHS["known_future"]); NaN where nothing is planned.
    """

    origin: np.datetime64
    state: Floats
    product: Floats
    location: Floats
    future: Floats

    def take(self, rows: NDArray[np.integer]) -> SeriesRecords:
        """Return the records of some series, in the order of their rows."""
        return SeriesRecords(
            origin=self.origin,
            state=self.state[rows],
            product=self.product[rows],
            location=self.location[rows],
            future=self.future[rows],
        )


def date_columns(origin: np.datetime64, horizon: int) -> Floats:
    """Return the columns that follow from the date alone, shape (horizon, 8)."""
    days = (origin + np.arange(1, horizon + 1)).astype("datetime64[D]")
    weekday = (days.astype(np.int64) + 3) % WEEK  # Monday is 0
    month = days.astype("datetime64[M]")
    in_year = (days - days.astype("datetime64[Y]").astype("datetime64[D]")).astype(np.int64)
    week_angle, year_angle = 2 * np.pi * weekday / WEEK, 2 * np.pi * in_year / 365.25
    return np.stack(
        [
            weekday,
            weekday >= WEEK - 2,
            np.sin(week_angle),
            np.cos(week_angle),
            np.sin(year_angle),
            np.cos(year_angle),
            month.astype(np.int64) % 12 + 1,
            (days - month.astype("datetime64[D]")).astype(np.int64) + 1,
        ],
        axis=1,
    ).astype(np.float32)


def series_scale(state: Floats) -> Floats:
    """Return the units a day by which a series' demands are divided, shape (n,), above 0.

    The recent level, held up by the long-run mean where a series has paused, so that ratios stay
    of order one.
    """
    level, mean = state[:, STATE["level"].start], state[:, STATE["expanding_mean"].start]
    scale: Floats = np.fmax(np.fmax(level, np.float32(0.2) * mean), np.float32(1e-3))
    return scale


def daily_rows(
    records: SeriesRecords, horizon: int, *, sales_target: bool, dates: Floats | None = None
) -> Floats:
    """Build the feature rows of each series for days 1 to horizon after the origin.

    Args:
        records: Packed records of n series of one origin.
        horizon: Days ahead, 1 to 90.
        sales_target: Ask for sales (stock-outs included) rather than demand in stock.
        dates: The result of `date_columns` for this origin and horizon, where it is at hand.

    Returns:
        Rows of shape (n, horizon, len(FEATURES)), float32; NaN where something is not known. The
        scale of a day that is planned closed is 0, and so whatever a graph multiplies it with.
        What trees learn without a gap, and would read as 0 in one, has none: a day the calendar
        does not reach is a day without a mark, a price nobody knows is the usual one.
    """
    scale = series_scale(records.state)
    line = _line(records, scale)
    rows = line[:, _SOURCES[:horizon]]
    beyond = np.isnan(rows[:, :, _C_MARKS.start])
    if np.count_nonzero(beyond):
        rows[beyond, _C_MARKS] = _UNMARKED
    rows[:, :, COLUMN["scale"]] = scale[:, None]
    shut = records.location[:, _CLOSED : _CLOSED + horizon] > 0
    if np.count_nonzero(shut):
        rows[shut, COLUMN["scale"]] = 0.0
    rows[:, :, COLUMN["horizon"]] = _AHEAD[:horizon]
    rows[:, :, COLUMN["sales_target"]] = sales_target
    rows[:, :, _C_DATES] = date_columns(records.origin, horizon) if dates is None else dates
    rows[:, :, COLUMN["season_month"]] = (
        records.product[:, PRODUCT["seasonal"]] * rows[:, :, COLUMN["month"]]
    )
    _put_means(rows, line)
    _put_plan(rows, records)
    _put_expected(rows, records)
    return rows


def open_days(records: SeriesRecords, horizon: int) -> Floats:
    """Return 0 on the days ahead that are planned closed, else 1, shape (n, horizon)."""
    return np.float32(1.0) - (records.location[:, _CLOSED : _CLOSED + horizon] > 0)


def _line(records: SeriesRecords, scale: Floats) -> Floats:
    """Lay each series' records end to end, shape (n, _SERIES_WIDTH)."""
    per_unit = (np.float32(1.0) / scale)[:, None]
    line = np.empty((len(scale), _SERIES_WIDTH), dtype=np.float32)
    np.multiply(records.state, per_unit, out=line[:, _SCALED:_STATE])
    line[:, _STATE:_PRODUCT] = records.state
    line[:, _PRODUCT:_LOCATION] = records.product[:, :_PRODUCT_WIDTH]
    line[:, _LOCATION:] = records.location
    for column in _LEVELS:
        line[:, column : column + 1] *= per_unit
    return line


def _put_means(rows: Floats, line: Floats) -> None:
    """Put the means of the last days, of the last same weekdays and of the days a year ago."""
    horizon = rows.shape[1]
    weekdays = line[:, _SAME_WEEKDAYS]
    known = ~np.isnan(weekdays)
    count = np.add.reduce(known, axis=2, dtype=np.float32)
    count[count == 0] = np.nan
    mean = np.add.reduce(np.where(known, weekdays, np.float32(0.0)), axis=2) / count
    rows[:, :, COLUMN["same_weekday_mean"]] = mean[:, np.arange(horizon) % WEEK]
    last = np.add.reduce(line[:, _LAST_THREE], axis=1, keepdims=True)
    rows[:, :, COLUMN["last_three"]] = last / np.float32(3.0)
    around = np.add.reduce(line[:, _AROUND_YEAR_AGO[:horizon]], axis=2) / np.float32(WEEK)
    rows[:, :, COLUMN["year_ago_mean"]] = around
    rows[:, :, COLUMN["year_ago_rise"]] = around / line[:, _YEAR_AGO_LEVEL, None]


def _put_plan(rows: Floats, records: SeriesRecords) -> None:
    """Put price, discount and promotion; where nothing is planned the last regime goes on."""
    state = records.state
    asked = records.future.reshape(-1, len(_REGIME), KNOWN_DAYS)[:, :, : rows.shape[1]]
    known = ~np.isnan(asked)
    plan = np.where(known, asked, state[:, _REGIME, None])
    rows[:, :, COLUMN["planned"]] = known.any(axis=1)
    ratio = plan[:, 0] / state[:, STATE["price_level"]]
    ratio[np.isnan(ratio)] = 1.0
    rows[:, :, COLUMN["price_ratio"]] = ratio
    rows[:, :, COLUMN["price_x_discount"]] = ratio * plan[:, 1]
    for index, name in ((1, "discount"), (2, "promoted")):
        rows[:, :, COLUMN[name]] = plan[:, index]
        rows[:, :, COLUMN[f"{name}_change"]] = plan[:, index] - state[:, STATE[f"{name}_level"]]


def _put_expected(rows: Floats, records: SeriesRecords) -> None:
    """Lay the effect of weekday and promotion over what is known of plain days.

    Where no promotion is planned or ruled out, it is as likely as it has been of late. A public
    holiday trades as a Sunday does, rather than as the weekday it falls on.
    """
    state, factor = records.state, rows[:, :, COLUMN["day_factor"]]
    asked = records.future[:, _PROMOTED : _PROMOTED + rows.shape[1]]
    usual = state[:, STATE["promoted_level"].start, None]
    share = np.where(np.isnan(asked), usual, rows[:, :, COLUMN["promoted"]])
    if np.count_nonzero(share):
        lifted = state[:, _PROMOTED_WEEKDAYS[: rows.shape[1]]]
        factor += share * (lifted - factor)
    holiday = rows[:, :, COLUMN["holiday"]] > 0
    if np.count_nonzero(holiday) and frequency_of(records.origin) is Frequency.DAY:
        first = int((records.origin + 1).astype(np.int64) + 3) % WEEK
        sunday = STATE["weekday_plain"].start + (_SUNDAY - first) % WEEK
        np.copyto(factor, state[:, sunday, None], where=holiday)
    rows[:, :, _PLAIN_UNITS] *= factor[:, :, None]


def cover_rows(
    daily: Floats, covers: NDArray[np.int64], series: NDArray[np.intp] | None = None
) -> Floats:
    """Build the feature rows of the sum over each cover: the mean of its open days' rows.

    A day planned closed adds nothing to the sum: a cover is as long as it has open days.

    Args:
        daily: Rows of `daily_rows`, shape (n, horizon, features), horizon at least max(covers).
        covers: Days from the origin each sum runs over, shape (m,), each 1 to horizon.
        series: Which of the n series each cover is of, shape (m,); one a series where None.

    Returns:
        Rows of shape (m, features), float32, with the open days in column ``horizon``; 0 where
        there is none.
    """
    of = np.arange(daily.shape[0]) if series is None else series
    out = np.empty((covers.size, daily.shape[2]), dtype=np.float32)
    scale = daily[:, :, COLUMN["scale"]]
    days, usual = covers.astype(np.float32), scale[:, 0]
    if np.count_nonzero(scale) < scale.size:
        opened, usual = scale > 0, scale.max(axis=1)
        daily = np.where(opened[:, :, None], daily, np.float32(0.0))
        days = opened.cumsum(axis=1, dtype=np.float32)[of, covers - 1]
    total = np.zeros((daily.shape[0], daily.shape[2]), dtype=np.float32)
    for day in range(int(covers.max(initial=0))):  # day by day: the same bits in any batch
        total = total + daily[:, day]
        ends = np.flatnonzero(covers == day + 1)
        if ends.size:
            out[ends] = total[of[ends]] / np.maximum(days[ends, None], np.float32(1.0))
    out[:, COLUMN["horizon"]] = days
    out[:, COLUMN["scale"]] = usual[of]
    return out
