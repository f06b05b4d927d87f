"""Demand features of a series from the history known at an origin: the one function behind all.

Training (many origins), materialisation (the latest origin) and serving (history sent with a
request) call `demand_states`. It walks day by day and does elementwise arithmetic only, so a
series' state has the same bits whatever other series, leading days or origins are computed
beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from serving.errors import InvalidField

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

MAX_HORIZON = 90
WEEK = 7
YEAR = 364  # a year in whole weeks, so that weekdays stay aligned
TAIL = 28
YEAR_AGO_MARGIN = 3  # days on either side of the day a year ago that smooth it
WINDOWS = (7, 14, 28)

# Units a day; the feature rows divide them by the series' scale.
RATED = (
    "level",
    "level_fast",
    "level_slow",
    "in_stock_level",
    "base_level",
    "base_level_slow",
    "expanding_mean",
    "expanding_std",
    *(f"{stat}_{window}" for window in WINDOWS for stat in ("mean", "std", "min", "max")),
)
# Free of units; the feature rows take them as they are.
PLAIN = (
    "interval",
    "size_cv2",
    "days_since_sale",
    "available_level",
    "available_7",
    "discount_level",
    "promoted_level",
    "observed_days",
)
PRICES = ("price_last", "price_level")
REGIME = (*PRICES, "discount_last", "promoted_last")
# All that are units a day, those of single days included.
DEMANDS = (*RATED, "tail", "year_ago_level", "year_ago")
STATE_FIELDS: tuple[tuple[str, int], ...] = (
    *((name, 1) for name in (*RATED, *PLAIN, *REGIME)),
    ("weekday", WEEK),
    # Effects on the base level of the weekdays ahead, without promotion and with it.
    ("weekday_plain", WEEK),
    ("weekday_promoted", WEEK),
    ("tail", TAIL),
    # Of demand over the effect of its weekday and promotion: the mean of the TAIL days up to the
    # day a year ago, and the days that followed.
    ("year_ago_level", 1),
    ("year_ago", MAX_HORIZON + 2 * YEAR_AGO_MARGIN),
)


def slices(fields: Sequence[tuple[str, int]]) -> dict[str, slice]:
    """Return where each named field of a packed record stands."""
    ends = np.cumsum([width for _, width in fields]).tolist()
    return {name: slice(end - width, end) for (name, width), end in zip(fields, ends, strict=True)}


STATE = slices(STATE_FIELDS)
STATE_WIDTH = sum(width for _, width in STATE_FIELDS)

# Half-lives in days of the exponential weights. A fortnight was best on held-out weeks of daily
# grocery sales; the fast and slow ones bracket it so that the model can weigh them.
_HALF_LIFE = {"level": 12.0, "level_fast": 4.0, "level_slow": 56.0}
# Of levels of a plain day of average weekday: what promotions add is not in them.
_BASE_HALF_LIFE = {"base_level": 12.0, "base_level_slow": 56.0}
_WEEKDAY_KEEP = 0.9  # per week
_WEEKDAY_PRIOR_WEEKS = 3.0  # weeks of "no weekday effect" each series starts from
PROMOTED = 0.5  # share from which a day counts as promoted
# Per week of one weekday, and per day of all of them together.
_EFFECT_KEEP = (0.95, 0.95 ** (1.0 / WEEK))
_EFFECT_PRIOR_DAYS = 1.0  # days of no effect that each starts from
_HARDLY = 1e-3  # weight of promoted days where plain ones tell the level
_MIN_AVAILABLE = 1.0 - 1e-9
_SUMS = (
    *(f"{part}_{name}" for name in (*_HALF_LIFE, *_BASE_HALF_LIFE) for part in ("sold", "offered")),
    "sold_in_stock",
    "offered_in_stock",
    "weight",
    "available",
    "price",
    "price_weight",
    "discount",
    "promoted",
    "mean",
    "squares",
    "observed",
    "sale_days",
    "size_mean",
    "size_squares",
)
_LAST = ("price", "discount", "promoted")
# Rows of `Walked.sums`: the sums, the two of each weekday, the two of each weekday and of all
# without and with promotion, days since a sale, the last values.
_WEEKDAYS = slice(len(_SUMS), len(_SUMS) + 2 * WEEK)
_EFFECTS = slice(_WEEKDAYS.stop, _WEEKDAYS.stop + 4 * (WEEK + 1))
SUMS_WIDTH = _EFFECTS.stop + 1 + len(_LAST)
KEPT_DAYS = YEAR + TAIL  # days a state looks back over


@dataclass(frozen=True, slots=True)
class History:
    """Past days of n series on one grid of consecutive days.

    Attributes:
        first_day: The first day of the grid, or its first period: its unit says which.
        quantity: Units sold, shape (days, series); NaN where the day was not recorded.
        available: Share of opening hours in stock, 0..1, shape (days, series).
        price: Selling price, shape (days, series); NaN where unknown.
        discount: Share off the price, 0..1, shape (days, series).
        promoted: 1 where a promotion ran, else 0, shape (days, series).
    """

    first_day: np.datetime64
    quantity: Floats
    available: Floats
    price: Floats
    discount: Floats
    promoted: Floats

    def __post_init__(self) -> None:
        """Refuse shapes that differ and values outside their range."""
        for name in ("available", "price", "discount", "promoted"):
            if getattr(self, name).shape != self.quantity.shape:
                raise InvalidField(f"history.{name}", "must have as many entries as quantity")
        if not (self.quantity[~np.isnan(self.quantity)] >= 0).all():
            raise InvalidField("history.quantity", "must be 0 or more")
        if np.isinf(self.quantity).any():
            raise InvalidField("history.quantity", "must be finite")
        for name in ("available", "discount", "promoted"):
            values = getattr(self, name)
            if not ((values >= 0) & (values <= 1)).all():
                raise InvalidField(f"history.{name}", "must be from 0 to 1")

    @property
    def days(self) -> int:
        """Number of days on the grid."""
        return int(self.quantity.shape[0])

    @property
    def last_day(self) -> np.datetime64:
        """The last day of the grid."""
        return self.first_day + (self.days - 1)

    def between(self, start: int, stop: int) -> History:
        """Return the days from index start up to, not including, index stop."""
        cut = slice(start, stop)
        return History(
            first_day=self.first_day + start,
            quantity=self.quantity[cut],
            available=self.available[cut],
            price=self.price[cut],
            discount=self.discount[cut],
            promoted=self.promoted[cut],
        )


@dataclass(frozen=True, slots=True)
class Walked:
    """What is known of n series after the days walked so far: all that the days to come need.

    Attributes:
        days: Days walked.
        sums: Running sums, shape (SUMS_WIDTH, n).
        completed: Completed demand of the last days, TAIL at the most, oldest first, shape
            (days, n), in units a day; NaN where not recorded.
        plain: The same over the effect of its weekday and promotion, of the last KEPT_DAYS at the
            most, float32; the level then where not recorded.
        available: Share of opening hours in stock on the last WEEK days, shape (WEEK, n); NaN where
            not recorded.
    """

    days: int
    sums: Floats
    completed: Floats
    plain: NDArray[np.float32]
    available: Floats

    @staticmethod
    def nothing(series: int, days: int = 0) -> Walked:
        """Return what is known of series that had no day recorded on so many."""
        sums = np.zeros((SUMS_WIDTH, series))
        sums[_EFFECTS.stop :] = np.nan
        plain = np.empty((0, series), dtype=np.float32)
        available = np.full((WEEK, series), np.nan)
        return Walked(days, sums, np.empty((0, series)), plain, available)


def walk_on(past: Walked, history: History) -> tuple[NDArray[np.float32], Walked]:
    """Walk through days that follow others, and return the states after the last one.

    Args:
        past: What is known of the n series after the day before the history.
        history: The days that follow; none where only the states are wanted.

    Returns:
        The states as `demand_states` yields them for all days together, to the last bit, and what
        is known after them.

    Example:
        >>> day = np.datetime64("2024-01-01", "D")
        >>> def days(first, *sold):
        ...     one = np.ones((len(sold), 1))
        ...     return History(day + first, np.array(sold)[:, None], one, one, 0 * one, 0 * one)
        >>> ((_, whole, _),) = demand_states(days(0, 3.0, 0.0, 5.0), [2])
        >>> _, past = walk_on(Walked.nothing(1), days(0, 3.0, 0.0))
        >>> walk_on(past, days(2, 5.0))[0].tobytes() == whole.tobytes()
        True
    """
    walk = _Walk(history, past)
    for day in range(history.days):
        walk.step(day)
    return walk.state(history.days - 1), walk.walked()


def demand_states(
    history: History, origins: Sequence[int]
) -> Iterator[tuple[int, NDArray[np.float32], Floats]]:
    """Yield the feature state of every series at each origin, oldest origin first.

    Stock-out days are a lower bound: where the product was available for the share a of a day, its
    sales are completed by (1 - a) times what the level and weekday of the days before expect.

    Args:
        history: Days of n series.
        origins: Indices of the last known day, ascending, each from 0 to history.days - 1.

    Yields:
        The origin, the states as float32 of shape (n, STATE_WIDTH), laid out by STATE, and the
        completed demand up to the origin as float64 of shape (origin + 1, n), in units a day.

    Raises:
        InvalidField: If the origins are not ascending days of the history.
    """
    wanted = list(origins)
    if wanted != sorted(set(wanted)) or (
        wanted and not 0 <= wanted[0] <= wanted[-1] < history.days
    ):
        raise InvalidField("origins", f"must be ascending days from 0 to {history.days - 1}")
    walk = _Walk(history, Walked.nothing(history.quantity.shape[1]))
    for day in range(wanted[-1] + 1 if wanted else 0):
        walk.step(day)
        if day == wanted[0]:
            wanted.pop(0)
            yield day, walk.state(day), walk.completed[: day + 1]


class _Walk:
    """The running sums behind the states; one `step` a day."""

    def __init__(self, history: History, past: Walked) -> None:
        days, series = history.quantity.shape
        self.history = history
        # Counted from the first day walked: what weeks and months have for it goes on from there.
        first = (history.first_day - past.days).astype("datetime64[D]")
        self.first_weekday = (int(first.astype(np.int64)) + 3 + past.days) % WEEK
        self.walked_before = past.days
        # Days that are known before the first of the history.
        self.before, self.plain_before = past.completed.shape[0], past.plain.shape[0]
        unknown = np.full((days, series), np.nan)
        self.completed = np.concatenate([past.completed, unknown])
        self.plain = np.concatenate([past.plain, unknown.astype(np.float32)])
        self.available = list(past.available)  # of the last week
        self.sums = dict(zip(_SUMS, past.sums, strict=False))
        by_weekday = past.sums[_WEEKDAYS].copy()
        self.weekday_sold, self.weekday_expected = by_weekday[:WEEK], by_weekday[WEEK:]
        # Sold and expected, without and with promotion, of each weekday and of all.
        self.effects = past.sums[_EFFECTS].reshape(2, 2, WEEK + 1, series).copy()
        self.promotes = bool(self.effects[:, 1].any())  # whether any series has been promoted yet
        self.since_sale = past.sums[_EFFECTS.stop]
        self.last = dict(zip(_LAST, past.sums[_EFFECTS.stop + 1 :], strict=True))

    def walked(self) -> Walked:
        """Return what is known after the days of the history."""
        return Walked(
            days=self.walked_before + self.history.days,
            sums=np.stack(
                [
                    *self.sums.values(),
                    *self.weekday_sold,
                    *self.weekday_expected,
                    *self.effects.reshape(4 * (WEEK + 1), -1),
                    self.since_sale,
                    *self.last.values(),
                ]
            ),
            completed=self.completed[-TAIL:],
            plain=self.plain[-KEPT_DAYS:],
            available=np.stack(self.available),
        )

    def level(self, name: str) -> Floats:
        """Return units sold on a day of average weekday, exponentially weighted, shape (n,)."""
        offered = self.sums[f"offered_{name}"]
        level: Floats = np.divide(
            self.sums[f"sold_{name}"], offered, out=np.zeros_like(offered), where=offered > 0
        )
        return level

    def weekday_factor(self, weekday: int) -> Floats:
        """Return demand on a weekday over that on an average day, shrunk to 1, shape (n,)."""
        prior = _WEEKDAY_PRIOR_WEEKS * np.maximum(self.level("level_slow"), 1e-9)
        sold, expected = self.weekday_sold[weekday], self.weekday_expected[weekday]
        factor: Floats = (sold + prior) / (expected + prior)
        return factor

    def day_factors(self, weekday: int, *, promoted: bool = True) -> tuple[Floats, Floats]:
        """Return demand on a weekday over the base level: on a plain day, and on a promoted one.

        Plain days are 1 on average: else effects would take over what a level lags behind a trend.
        A plain weekday is shrunk to that, a promoted one to what promotion does to any weekday.

        Args:
            weekday: The weekday.
            promoted: Whether promoted days are asked about; else the plain ones stand in for them.

        Returns:
            The two, each of shape (n,).
        """
        sold, expected = self.effects
        prior = _EFFECT_PRIOR_DAYS * np.maximum(self.level("base_level_slow"), 1e-9)
        over, under = sold[0, WEEK] + prior, expected[0, WEEK] + prior
        if promoted or self.promotes:
            over, under = over + _HARDLY * sold[1, WEEK], under + _HARDLY * expected[1, WEEK]
        usual = over / under
        plain = (sold[0, weekday] + prior) / (expected[0, weekday] * usual + prior)
        if not promoted:
            return plain, plain
        many = WEEK * prior
        lift = (sold[1, WEEK] + many) / (expected[1, WEEK] * usual + many)
        over, under = sold[1, weekday] + prior * (lift * plain), expected[1, weekday] * usual
        return plain, over / (under + prior)

    def step(self, day: int) -> None:
        """Take one day into the sums."""
        past = self.history
        seen = ~np.isnan(past.quantity[day])
        sold = np.where(seen, past.quantity[day], 0.0)
        available = np.where(seen, past.available[day], 0.0)
        weekday = (self.first_weekday + day) % WEEK
        factor = self.weekday_factor(weekday)
        expected = self.level("level") * factor
        completed = np.where(available >= _MIN_AVAILABLE, sold, sold + (1.0 - available) * expected)
        self.completed[self.before + day] = np.where(seen, completed, np.nan)
        self.available = [*self.available[1:], np.where(seen, past.available[day], np.nan)]
        weight = seen.astype(np.float64)
        for name, half_life in _HALF_LIFE.items():
            keep = 0.5 ** (1.0 / half_life)
            self._decay(f"sold_{name}", keep, sold)
            self._decay(f"offered_{name}", keep, weight * factor)
        self._take_effect(day, weekday, seen, completed)
        keep = 0.5 ** (1.0 / _HALF_LIFE["level"])
        in_stock = seen & (available >= _MIN_AVAILABLE)
        self._decay("sold_in_stock", keep, np.where(in_stock, sold, 0.0))
        self._decay("offered_in_stock", keep, np.where(in_stock, factor, 0.0))
        self._decay("weight", keep, weight)
        self._decay("available", keep, available)
        self._decay("discount", keep, weight * past.discount[day])
        self._decay("promoted", keep, weight * past.promoted[day])
        priced = seen & ~np.isnan(past.price[day])
        self._decay("price", keep, np.where(priced, past.price[day], 0.0))
        self._decay("price_weight", keep, priced.astype(np.float64))
        self._take_weekday(weekday, seen, completed)
        self._take_moments(seen, completed)
        for name in self.last:
            value = getattr(past, name)[day]
            self.last[name] = np.where(seen & ~np.isnan(value), value, self.last[name])
        self.since_sale = np.where(seen & (sold > 0), 0.0, self.since_sale + 1.0)

    def _decay(self, name: str, keep: float, value: Floats) -> None:
        self.sums[name] = self.sums[name] * keep + value

    def _take_weekday(self, weekday: int, seen: NDArray[np.bool_], completed: Floats) -> None:
        base = self.level("level")
        for sums, value in ((self.weekday_sold, completed), (self.weekday_expected, base)):
            sums[weekday] = np.where(seen, sums[weekday] * _WEEKDAY_KEEP + value, sums[weekday])

    def _take_effect(
        self, day: int, weekday: int, seen: NDArray[np.bool_], completed: Floats
    ) -> None:
        promoted = self.history.promoted[day] >= PROMOTED
        some = bool(np.count_nonzero(promoted))
        factor, lifted = self.day_factors(weekday, promoted=some)
        if some:
            self.promotes = True
            factor = np.where(promoted, lifted, factor)
        sold, offered = np.where(seen, completed, 0.0), np.where(seen, factor, 0.0)
        for name, half_life in _BASE_HALF_LIFE.items():
            keep = 0.5 ** (1.0 / half_life)
            self._decay(f"sold_{name}", keep, sold)
            self._decay(f"offered_{name}", keep, offered)
        base = self.level("base_level")
        # A day that was not recorded is, a year on, taken for a usual one if the series had begun.
        usual = np.where(self.sums["offered_base_level"] > 0, base, np.nan)
        self.plain[self.plain_before + day] = np.where(seen, completed / factor, usual)
        base = np.where(seen, base, 0.0)
        for of, keep in zip((weekday, WEEK), _EFFECT_KEEP, strict=True):
            self.effects[:, : 1 + self.promotes, of] *= keep
            for sums, value in zip(self.effects, (sold, base), strict=True):
                sums[0, of] += np.where(promoted, 0.0, value) if some else value
                if some:
                    sums[1, of] += np.where(promoted, value, 0.0)

    def _take_moments(self, seen: NDArray[np.bool_], completed: Floats) -> None:
        # Welford's recursions: exact to rounding without keeping the history.
        for count, mean, squares, taken in (
            ("observed", "mean", "squares", seen),
            ("sale_days", "size_mean", "size_squares", seen & (completed > 0)),
        ):
            self.sums[count] = self.sums[count] + taken
            gap = np.where(taken, completed - self.sums[mean], 0.0)
            self.sums[mean] = self.sums[mean] + gap / np.maximum(self.sums[count], 1.0)
            self.sums[squares] = self.sums[squares] + gap * np.where(
                taken, completed - self.sums[mean], 0.0
            )

    def state(self, day: int) -> NDArray[np.float32]:
        """Return the states after `day`, shape (n, STATE_WIDTH)."""
        series = self.completed.shape[1]
        out = np.full((series, STATE_WIDTH), np.nan, dtype=np.float32)

        def put(name: str, values: Floats) -> None:
            out[:, STATE[name].start] = values

        for name in (*_HALF_LIFE, *_BASE_HALF_LIFE):
            put(name, self.level(name))
        weight = np.where(self.sums["weight"] > 0, self.sums["weight"], np.nan)
        offered = self.sums["offered_in_stock"]
        put("in_stock_level", self.sums["sold_in_stock"] / np.where(offered > 0, offered, np.nan))
        put("available_level", self.sums["available"] / weight)
        put("discount_level", self.sums["discount"] / weight)
        put("promoted_level", self.sums["promoted"] / weight)
        priced = np.where(self.sums["price_weight"] > 0, self.sums["price_weight"], np.nan)
        put("price_level", self.sums["price"] / priced)
        for name, values in self.last.items():
            put(f"{name}_last", values)
        for window in WINDOWS:
            for stat, values in _window(self._recent(day, window)).items():
                put(f"{stat}_{window}", values)
        put("available_7", _window(np.stack(self.available))["mean"])
        observed, sales = self.sums["observed"], self.sums["sale_days"]
        put("expanding_mean", np.where(observed > 0, self.sums["mean"], np.nan))
        put("expanding_std", _deviation(self.sums["squares"], observed))
        put("interval", observed / np.where(sales > 0, sales, np.nan))
        size = np.where(sales > 0, self.sums["size_mean"], np.nan)
        put("size_cv2", (_deviation(self.sums["size_squares"], sales) / size) ** 2)
        put("days_since_sale", self.since_sale)
        put("observed_days", observed)
        for ahead in range(WEEK):
            # Column k is the weekday k + 1 days after the origin.
            weekday = (self.first_weekday + day + 1 + ahead) % WEEK
            out[:, STATE["weekday"].start + ahead] = self.weekday_factor(weekday)
            plain, promoted = self.day_factors(weekday)
            out[:, STATE["weekday_plain"].start + ahead] = plain
            out[:, STATE["weekday_promoted"].start + ahead] = promoted
        self._put_past(out, day)
        return out

    def _recent(self, day: int, days: int) -> Floats:
        """Return the completed demand of the last days up to one, as far as there are."""
        end = self.before + day + 1
        return self.completed[max(0, end - days) : end]

    def _put_past(self, out: NDArray[np.float32], day: int) -> None:
        recent = self._recent(day, TAIL)
        out[:, STATE["tail"].stop - recent.shape[0] : STATE["tail"].stop] = recent.T
        after = self.plain_before + day + 1 - YEAR  # of the day a year before the origin
        if after > 0:
            before = self.plain[max(0, after - TAIL) : after].astype(np.float64)
            level = _window(before)["mean"]
            out[:, STATE["year_ago_level"].start] = np.where(level > 0, level, np.nan)
        for column in range(STATE["year_ago"].start, STATE["year_ago"].stop):
            past = after - YEAR_AGO_MARGIN + column - STATE["year_ago"].start
            if past >= 0:
                out[:, column] = self.plain[past]


def _deviation(squares: Floats, count: Floats) -> Floats:
    """Return the sample standard deviation (ddof 1), NaN below two values."""
    deviation: Floats = np.sqrt(squares / np.where(count > 1, count - 1.0, np.nan))
    return deviation


def _window(rows: Floats) -> dict[str, Floats]:
    """Return mean, standard deviation (ddof 1), min and max over rows of shape (days, n)."""
    count, total = np.zeros(rows.shape[1]), np.zeros(rows.shape[1])
    low, high = np.full(rows.shape[1], np.nan), np.full(rows.shape[1], np.nan)
    for row in rows:  # day by day: the same bits for one series as for a million
        seen = ~np.isnan(row)
        count, total = count + seen, total + np.where(seen, row, 0.0)
        low, high = np.fmin(low, row), np.fmax(high, row)
    mean = total / np.where(count > 0, count, np.nan)
    squares = np.zeros(rows.shape[1])
    for row in rows:
        squares = squares + np.where(np.isnan(row), 0.0, (row - mean) ** 2)
    return {"mean": mean, "std": _deviation(squares, count), "min": low, "max": high}
