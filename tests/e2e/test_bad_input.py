"""Input as bad as it comes: a forecast with its route and a warning, or a clear refusal.

What the batch answers and what is answered online are the same bits.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import polars as pl
import pytest

from serving.adapters.clock import BusinessClock
from serving.adapters.features import PackedFeatures
from serving.domain.demand import BatchForecastQuery, ForecastQuery, ForecastRoute, PlanSource
from serving.domain.history import History
from serving.domain.series import PlanDay, ProductAttributes, RowStatus
from serving.domain.tiers import DemandPattern
from serving.errors import InvalidField, UnknownSeries
from serving.flows.demand import DemandFlow
from training import tables
from training.backtest.graphs import PastFit, fit_as_of
from training.batch.forecasts import ForecastQuestion
from training.batch.runs import BatchJob, run
from training.batch.workers import Hands
from training.content import Recipe
from training.features.materialize import Job, materialize_into
from training.tables.errors import TableRefused
from training.world import LAST_DAY, Profile, generate

if TYPE_CHECKING:
    from pathlib import Path

    from serving.adapters.demand import OnnxDemandModel
    from serving.domain.demand import Forecast

HORIZON = 7
DAYS = 420
LAST = dt.date(2024, 2, 29)  # a leap day
BEFORE_CLOCKS_CHANGE = dt.date(2024, 3, 30)  # in the night after it, in much of Europe
PROFILE = Profile(name="bad", skus=6, locations=2, days=DAYS, plan_days=20, skus_per_part=6)
PLACE = "LOC-001"


def day(back: int) -> dt.date:
    """Return a day before the last one."""
    return LAST - dt.timedelta(days=back)


# Days before the last one, and what was sold.
SPECIAL: dict[str, list[tuple[int, float]]] = {
    "one-day": [(0, 3.0)],
    "zeros": [(back, 0.0) for back in range(60, -1, -1)],
    "a-year-of-gap": [(DAYS - 5, 4.0), *((back, 5.0) for back in range(9, -1, -1))],
    "huge": [(back, 9e11) for back in range(40, -1, -1)],
    "then-huge": [(back, 1e9 if back == 0 else 2.0) for back in range(40, -1, -1)],
}


class World(NamedTuple):
    """A folder with special series, a model trained on it, and the flow over its features."""

    data: Path
    model: OnnxDemandModel
    flow: DemandFlow
    batch: pl.DataFrame

    def ask(self, sku: str, location: str = PLACE, **rest: Any) -> Forecast:  # noqa: ANN401 - any field
        """Forecast one series online."""
        return self.flow.forecast(ForecastQuery(sku, location, HORIZON, **rest))

    def in_batch(self, sku: str, location: str = PLACE) -> np.ndarray:
        """Return mean and quantiles of one series as the batch wrote them."""
        rows = self.batch.filter((pl.col("sku") == sku) & (pl.col("location") == location))
        return rows.select("mean", pl.selectors.starts_with("q0")).to_numpy()


class OneModel:
    """Gives one model."""

    def __init__(self, model: OnnxDemandModel) -> None:
        self.model = model

    def current(self) -> OnnxDemandModel:
        return self.model

    def descriptions(self) -> list[Any]:
        return [self.model.description]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Return a small world that ends on a leap day, with series as bad as they come."""
    folder = tmp_path_factory.mktemp("bad")
    data = generate(PROFILE, 7, folder / "tables").out
    sales = tables.read(data, "sales", columns=["date", "sku", "location", "quantity"])
    sales = sales.with_columns(pl.col("date") + pl.duration(days=(LAST - LAST_DAY).days))
    rows = [(day(back), sku, PLACE, sold) for sku, some in SPECIAL.items() for back, sold in some]
    special = pl.DataFrame(rows, schema=sales.schema, orient="row")
    future = special.head(1).with_columns(pl.lit(LAST + dt.timedelta(days=40)).alias("date"))
    plain = folder / "plain"
    plain.mkdir()
    pl.concat([sales, special, future]).write_parquet(plain / "sales.parquet")
    products = tables.read(data, "products", columns=["sku", "category"])
    more = [(sku, "dry") for sku in SPECIAL] + [("of-a-new-category", "never sold before")]
    pl.concat([products, pl.DataFrame(more, schema=products.schema, orient="row")]).write_parquet(
        plain / "products.parquet"
    )
    places = tables.read(data, "locations", columns=["location", "region"])
    new = pl.DataFrame([("a-new-place", None)], schema=places.schema, orient="row")
    pl.concat([places, new]).write_parquet(plain / "locations.parquet")
    pl.DataFrame(
        {"date": [LAST + dt.timedelta(days=n) for n in (1, 2, 3)], "sku": "planned-only"}
    ).with_columns(pl.lit(PLACE).alias("location"), promoted=pl.lit(value=True)).write_parquet(
        plain / "plan.parquet"
    )
    fit = fit_as_of(plain, LAST, Recipe(horizon=HORIZON, rows=4_000, trees=10), lambda _: None)
    return opened(plain, fit, folder, LAST)


def opened(plain: Path, fit: PastFit, folder: Path, last: dt.date) -> World:
    """Materialise a folder as of a day, and forecast it in batch and online."""
    online = folder / f"online-{last}"
    materialize_into(Job(plain, folder / f"features-{last}", last), online, name="one")
    model = fit.open()
    flow = DemandFlow(
        OneModel(model), PackedFeatures(online), BusinessClock(last), feature_ttl_seconds=86_400
    )
    out = folder / f"out-{last}.parquet"
    run(BatchJob(plain, out, last), ForecastQuestion(HORIZON), Hands(model), lambda *_: None)
    return World(plain, model, flow, pl.read_parquet(out))


@pytest.mark.parametrize("sku", list(SPECIAL))
def test_a_special_series_has_a_route_and_the_bits_of_the_batch(world: World, sku: str) -> None:
    found = world.ask(sku)
    assert np.isfinite(found.mean).all()
    assert np.isfinite(found.quantiles).all()
    assert (found.quantiles >= 0).all()
    assert found.answered.reason
    both = np.column_stack([found.mean, found.quantiles])
    assert np.array_equal(world.in_batch(sku), both)


def test_one_day_and_no_demand_are_told(world: World) -> None:
    one, zeros = world.ask("one-day"), world.ask("zeros")
    assert "its history is short: 1 day" in one.provenance.warnings
    assert "with 1 to 13 days of history" in one.answered.reason
    assert zeros.answered.pattern is DemandPattern.NEVER_SOLD
    assert "no demand has been seen in 61 days" in zeros.provenance.warnings


def test_a_plan_of_half_the_horizon_says_which_days_it_holds(world: World) -> None:
    plan = tuple(PlanDay(LAST + dt.timedelta(days=ahead), promoted=True) for ahead in (1, 2, 3))
    found = world.ask("a-year-of-gap", plan=plan)
    assert found.plan_sources == (PlanSource.REQUEST,) * 3 + (PlanSource.LAST_REGIME,) * 4
    assert any("nothing is planned for 4 of 7 days" in one for one in found.provenance.warnings)


def test_a_sku_that_is_only_planned_starts_cold_and_an_unknown_one_is_refused(
    world: World,
) -> None:
    found = world.ask("planned-only")
    assert found.route is ForecastRoute.COLD_START
    assert found.plan_sources[:4] == (*(PlanSource.STORED,) * 3, PlanSource.LAST_REGIME)
    with pytest.raises(UnknownSeries, match="sku 'in no table'"):
        world.ask("in no table")
    batch = world.flow.forecast_batch(
        BatchForecastQuery(("in no table", "zeros"), (PLACE, PLACE), HORIZON)
    )
    assert batch.statuses == (RowStatus.UNKNOWN_SERIES, RowStatus.OK)


def test_a_category_never_sold_is_stood_in_for_by_all_products(world: World) -> None:
    found = world.ask("of-a-new-category")
    assert found.route is ForecastRoute.COLD_START
    assert found.mean.min() > 0
    told = "its category has never sold: the mean of all products stands in"
    assert told in found.provenance.warnings
    assert "with no history" in found.answered.reason
    with pytest.raises(UnknownSeries):
        world.ask("sent", product=ProductAttributes("a category of no table"))


def test_a_new_location_starts_from_what_its_products_sell_elsewhere(world: World) -> None:
    for sku in ("SKU-00001", "SKU-00004"):
        found = world.ask(sku, "a-new-place")
        assert found.route is ForecastRoute.COLD_START
        assert np.isfinite(found.quantiles).all()
        sold = world.batch.filter(pl.col("sku") == sku)["mean"].to_numpy()
        assert 1 / 3 < found.mean.mean() / sold.mean() < 3


def test_sales_after_the_day_asked_change_nothing(world: World) -> None:
    assert world.ask("one-day").origin == LAST
    assert world.batch["date"].min() == LAST + dt.timedelta(days=1)


def test_a_leap_day_is_a_day(world: World) -> None:
    dates = world.batch["date"].unique().sort().to_list()
    assert dates == [dt.date(2024, 3, ahead) for ahead in range(1, HORIZON + 1)]
    assert world.ask("huge").origin == LAST


def test_a_night_in_which_clocks_change_is_a_day_as_any(
    world: World, tmp_path_factory: pytest.TempPathFactory
) -> None:
    fit = fit_of(world.model)
    later = opened(world.data, fit, tmp_path_factory.mktemp("later"), BEFORE_CLOCKS_CHANGE)
    dates = later.batch["date"].unique().sort().to_list()
    assert dates == [BEFORE_CLOCKS_CHANGE + dt.timedelta(days=n) for n in range(1, HORIZON + 1)]
    found = later.ask("zeros")
    assert found.origin == BEFORE_CLOCKS_CHANGE
    assert np.array_equal(later.in_batch("zeros")[:, 0], found.mean)


def fit_of(model: OnnxDemandModel) -> Any:  # noqa: ANN401 - opens as a fit does
    """Return what opens as the model that is open."""

    class Opened:
        def open(self) -> OnnxDemandModel:
            return model

    return Opened()


@pytest.mark.parametrize(
    ("column", "values", "rule"),
    [
        ("quantity", [1.0, -2.0], "at least 0"),
        ("quantity", [1.0, 2e12], "at most 1e"),
        ("quantity", [1.0, float("nan")], "finite"),
    ],
)
def test_a_table_with_impossible_values_is_refused_with_its_rows(
    tmp_path: Path, column: str, values: list[float], rule: str
) -> None:
    frame = pl.DataFrame({"date": [day(1), day(0)], "sku": "a", "location": PLACE, column: values})
    frame.write_parquet(tmp_path / "sales.parquet")
    with pytest.raises(TableRefused, match=rule) as refused:
        tables.read(tmp_path, "sales")
    assert "row 2" in str(refused.value)


def test_a_table_that_repeats_a_day_is_refused(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {"date": [day(0)] * 2, "sku": "a", "location": PLACE, "quantity": [1.0, 2]}
    )
    frame.write_parquet(tmp_path / "sales.parquet")
    with pytest.raises(TableRefused, match="must not repeat"):
        tables.read(tmp_path, "sales")


@pytest.mark.parametrize("value", [-1.0, float("inf")])
def test_a_history_sent_with_impossible_values_is_refused(value: float) -> None:
    blank = np.zeros((2, 1))
    quantity = np.array([[1.0], [value]])
    with pytest.raises(InvalidField, match=r"history\.quantity"):
        History(np.datetime64(day(1)), quantity, blank + 1.0, blank + np.nan, blank, blank)


def test_a_plan_that_names_a_day_twice_is_refused() -> None:
    twice = (PlanDay(day(-1)), PlanDay(day(-1), promoted=True))
    with pytest.raises(InvalidField, match="must stand once"):
        ForecastQuery("a", PLACE, HORIZON, plan=twice)
