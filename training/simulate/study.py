"""A simulation study: policies on the same days of demand, each deciding on what it then knew."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from serving.domain.history import demand_states
from serving.domain.periods import first_day, last_day
from serving.errors import InvalidField
from training.backtest.forecasts import IN_STOCK
from training.simulate.inputs import Unmet
from training.simulate.policies import (
    check_policies,
)
from training.simulate.scenarios import Course
from training.simulate.terms import Asked, Terms, draw_lead_times, read_terms
from training.tables.reading import plain_files

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from training.panel import Panel

    Floats = NDArray[np.float64]
    Progress = Callable[[str], None]

PROMISES = (0.80, 0.90, 0.95, 0.98, 0.99)
CONTINUOUS_DECISION_DAYS = 7  # days between decisions of levels under continuous review
RECENT_DAYS = 28  # what the stock a steady policy would hold at the start is reckoned from
MAX_SERIES = 50_000  # series simulated; of more an even spread is


@dataclass(frozen=True, slots=True)
class Study:
    """What is asked of a simulation.

    Attributes:
        data_dir: The data folder.
        first: First day simulated; levels are decided on what was known the day before.
        last: Last day simulated.
        policies: Names of the policies.
        asked: Terms that go before the tables'.
        unmet: What becomes of demand that finds no stock.
        emergency_days: Days in which what was short arrives out of turn; None where nothing does.
        truth: Folder of a world's truth, whose demand is then simulated; None takes the sales,
            completed on stock-out days.
        seed: Seed of lead times and of the bootstrap.
    """

    data_dir: Path
    first: dt.date
    last: dt.date
    policies: tuple[str, ...]
    asked: Asked = field(default_factory=Asked)
    unmet: Unmet = Unmet.LOST
    emergency_days: int | None = None
    truth: Path | None = None
    seed: int = 42

    def __post_init__(self) -> None:
        """Refuse policies nobody knows and days that end before they begin."""
        check_policies(self.policies)
        if self.last < self.first:
            raise InvalidField("to", f"must not be before the first day, {self.first}")


@dataclass(frozen=True, slots=True)
class Ground:
    """What every policy of a study meets.

    Attributes:
        panel: All series, the simulated days among them.
        series: Index in the panel of each of the n simulated series, shape (n,).
        origin: Index of the day before the first simulated one.
        past: Units demanded on every day of the panel, stock-out days completed on what was
            known before them, NaN where not recorded, shape (days, n).
        known: Where the simulated demand was seen, and is no estimate, shape (days, n).
        course: What happens to demand and lead times.
        terms: Terms of the series.
        estimated: Share of the simulated demand that is an estimate, sold out as it was.
        left_out: Series that are not simulated: a day of theirs is not recorded, or there are more
            than 50,000.
    """

    panel: Panel
    series: NDArray[np.intp]
    origin: int
    past: Floats
    known: NDArray[np.bool_]
    course: Course
    terms: Terms
    estimated: float
    left_out: int

    @property
    def days(self) -> int:
        """Days simulated."""
        return len(self.course.demand)

    @property
    def location(self) -> NDArray[np.int64]:
        """Index of each series' location in the catalogue, shape (n,)."""
        return self.panel.series.location[self.series]

    def recent_mean(self) -> Floats:
        """Return mean units a day over the four weeks before the first day, shape (n,)."""
        recent = self.past[max(0, self.origin + 1 - RECENT_DAYS) : self.origin + 1]
        seen = ~np.isnan(recent)
        mean: Floats = np.where(seen, recent, 0.0).sum(axis=0) / np.maximum(seen.sum(axis=0), 1)
        return mean


def lay_ground(study: Study, panel: Panel) -> Ground:
    """Collect demand, terms and lead times of the simulated days.

    Args:
        study: What is asked.
        panel: Every series with the days to be simulated.

    Raises:
        InvalidField: If the days are not in the panel with a day before them, or no series is
            recorded on all of them.
        MissingInput: If a term is neither asked nor in a table.
    """
    origin = _place(panel, study.first) - 1
    stop = _place(panel, study.last) + 1
    if origin < 0:
        raise InvalidField("from", f"must be after the first day of sales, {panel.day(0)}")
    ((_, _, completed),) = demand_states(panel.history, [panel.history.days - 1])
    completed = panel.with_closed(completed)
    demand = completed[origin + 1 : stop]
    if study.truth is not None:
        demand = _true_demand(study, study.truth, panel)
    known = ~np.isnan(completed[: origin + 1]).all(axis=0)
    whole = known & ~np.isnan(demand).any(axis=0)
    series = np.flatnonzero(whole)
    if not series.size:
        raise InvalidField("from", "must begin days on which some series is recorded throughout")
    if series.size > MAX_SERIES:
        series = series[np.linspace(0, series.size - 1, MAX_SERIES).astype(np.int64)]
    demand = np.ascontiguousarray(demand[:, series])
    window = slice(origin + 1, stop)
    sold = panel.with_closed(panel.history.quantity)[window, series]
    known = panel.history.available[window, series] >= IN_STOCK
    estimated = 0.0 if study.truth is not None else float((demand - sold).sum() / demand.sum())
    pairs = pl.DataFrame(
        {
            "sku": [panel.skus[row] for row in series],
            "location": [panel.locations[row] for row in series],
        }
    )
    as_of = last_day(panel.day(origin)).astype(object)
    terms = read_terms(study.data_dir, pairs, as_of, study.asked)
    lead = draw_lead_times(
        terms.reorder.lead_time_days,
        terms.reorder.lead_time_std_days,
        len(demand) + 1,
        np.random.default_rng(study.seed),
    )
    return Ground(
        panel=panel,
        series=series,
        origin=origin,
        past=completed[:, series],
        known=known if study.truth is None else np.ones_like(known),
        course=Course(demand, lead),
        terms=terms,
        estimated=estimated,
        left_out=whole.size - series.size,
    )


def _true_demand(study: Study, truth: Path, panel: Panel) -> Floats:
    """Return the demand a world's truth tells, NaN where it tells none, shape (days, series)."""
    files = plain_files(truth, "demand")
    if not files:
        raise InvalidField("truth", f"must be the folder of a world's truth: {truth} has no demand")
    rows = pl.scan_parquet(list(files))
    keys = pl.LazyFrame({"sku": panel.skus, "location": panel.locations}).with_row_index("row")
    found = (
        rows.filter(pl.col("date").is_between(study.first, study.last))
        .join(keys, on=["sku", "location"])
        .select("row", "demand", day=(pl.col("date") - study.first).dt.total_days())
        .collect()
    )
    demand = np.full(((study.last - study.first).days + 1, len(panel.skus)), np.nan)
    demand[found["day"].to_numpy(), found["row"].to_numpy()] = found["demand"].to_numpy()
    return demand


def _place(panel: Panel, day: dt.date) -> int:
    """Return the place of a day on the grid of the panel."""
    first = first_day(panel.day(0)).astype(object)
    last = last_day(panel.history.last_day).astype(object)
    if not first <= day <= last:
        raise InvalidField("from, to", f"must be from {first} to {last}, got {day}")
    return panel.index(day)
