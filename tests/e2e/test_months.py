"""A monthly data set from its recipe to forecast and reorder, in batch and online."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import polars as pl
import pytest

from serving.adapters.clock import BusinessClock
from serving.adapters.features import PackedFeatures
from serving.domain.demand import ForecastQuery
from serving.domain.periods import Frequency
from serving.domain.series import PlanDay
from serving.errors import InvalidField
from serving.flows.demand import DemandFlow
from tests.fakes.demand import FakeModels
from training.backtest.graphs import fit_as_of
from training.batch.forecasts import ForecastQuestion
from training.batch.orders import ReorderQuestion
from training.batch.runs import BatchJob, run
from training.batch.workers import Hands
from training.content import Recipe
from training.features.materialize import Job, materialize_into
from training.tables.importing import Order, Sender, import_file
from training.tables.recipes import load_recipe

if TYPE_CHECKING:
    from serving.ports import DemandModel

ROOT = Path(__file__).parents[2]
PARTS, MONTHS = 60, 39
LAST, LAST_DAY = dt.date(2001, 3, 1), dt.date(2001, 3, 31)
AHEAD = [dt.date(2001, 4, 1), dt.date(2001, 5, 1), dt.date(2001, 6, 1)]


class Months(NamedTuple):
    """A folder of monthly sales, a model trained on it and the flow over its features."""

    data: Path
    model: DemandModel
    flow: DemandFlow


@pytest.fixture(scope="module")
def months(tmp_path_factory: pytest.TempPathFactory) -> Months:
    """Import spare parts, most of whose months are empty, and train on them."""
    folder = tmp_path_factory.mktemp("months")
    rng = np.random.default_rng(4)
    first = np.datetime64("1998-01", "M")
    columns = {"Part": [f"part-{number}" for number in range(PARTS)]}
    for month in (first + np.arange(MONTHS)).astype("datetime64[D]").astype(object):
        sold = rng.poisson(2.0, PARTS) * (rng.random(PARTS) < 0.3)
        columns[f"{month:%b-%y}"] = sold.tolist()
    source = folder / "parts.csv"
    pl.DataFrame(columns).write_csv(source)
    recipe = load_recipe(ROOT / "training/recipes/carparts.toml")
    order = Order(source=source, table=None, recipe=recipe, renames={}, append=False)
    data = folder / "tables"
    import_file(data, order, Sender(who="a test", now=dt.datetime.now(dt.UTC)), tell=lambda _: None)
    fit = fit_as_of(data, LAST, Recipe(horizon=6, rows=4_000, trees=10), lambda _: None)
    materialize_into(Job(data, folder / "features"), folder / "online", name="one")
    model = fit.open()
    flow = DemandFlow(
        FakeModels(model),  # type: ignore[arg-type]  # a model that is not fake
        PackedFeatures(folder / "online"),
        BusinessClock(LAST_DAY),
        feature_ttl_seconds=86_400,
    )
    return Months(data, model, flow)


def test_a_batch_is_dated_by_months_and_has_the_bits_of_the_answers_online(
    months: Months, tmp_path: Path
) -> None:
    out = tmp_path / "out.parquet"
    run(BatchJob(months.data, out), ForecastQuestion(3), Hands(months.model), lambda *_: None)
    rows = pl.read_parquet(out)
    assert rows["date"].unique().sort().to_list() == AHEAD
    assert rows.height == PARTS * len(AHEAD)
    for sku in rows["sku"].unique().sort()[:5]:
        found = months.flow.forecast(ForecastQuery(sku, "all", 3))
        assert found.frequency is Frequency.MONTH
        assert found.origin == LAST_DAY
        both = np.column_stack([found.mean, found.quantiles])
        own = rows.filter(pl.col("sku") == sku).select("mean", pl.selectors.starts_with("q0"))
        assert np.array_equal(own.to_numpy(), both)
        assert "months of history" in found.answered.reason
        assert any("of 3 months" in warning for warning in found.provenance.warnings)


def test_an_order_covers_three_months(months: Months, tmp_path: Path) -> None:
    out = tmp_path / "orders.parquet"
    question = ReorderQuestion(cover_days=3, service_level=0.95)
    run(BatchJob(months.data, out), question, Hands(months.model), lambda *_: None)
    orders = pl.read_parquet(out)
    levels = orders["order_up_to"].to_numpy()
    assert np.isfinite(levels).all()
    assert set(orders["cover_days"]) == {3}
    # Three months of a part that sells every third month or so: a few units, not a few hundred.
    assert 1.0 < levels.mean() < 12.0


def test_days_sent_to_a_model_of_months_are_refused(months: Months) -> None:
    plan = (PlanDay(AHEAD[0], promoted=True),)
    with pytest.raises(InvalidField, match="counts in months"):
        months.flow.forecast(ForecastQuery("part-1", "all", 3, plan=plan))


def test_features_of_a_month_are_as_old_as_a_month_allows(months: Months) -> None:
    flow = months.flow
    assert flow.forecast(ForecastQuery("part-1", "all", 1)).provenance.features_age_seconds == 0
