"""What a forecast is made of."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import pytest

from serving.domain.attribution import Boxes, Driver
from serving.domain.demand import DemandTarget, ForecastQuery
from serving.domain.features import COLUMN
from serving.domain.tiers import DemandTier
from serving.errors import NothingMeasured
from serving.flows.demand import DemandFlow
from tests.fakes.demand import FakeClock, FakeModel, FakeModels, stored_world
from tests.fakes.routes import routes

if TYPE_CHECKING:
    from serving.domain.routes import Routes

FEATURES = stored_world()
STEPS = ("weekday", "promoted", "price_ratio")
TREE = Boxes(  # one leaf, reached on Mondays to Thursdays without promotion
    value=np.array([0.5]),
    feature=np.array([[COLUMN[name] for name in STEPS]]),
    low=np.array([[-np.inf, -np.inf, -np.inf]]),
    high=np.array([[3.5, 0.5, np.inf]]),
    missing=np.array([[False, False, True]]),
    share=np.array([[4 / 7, 0.9, 1.0]]),
    constant=1.0,
)


def flow(table: Routes | None, boxes: Boxes | None = TREE) -> DemandFlow:
    """Return a flow over a model with these routes and leaves."""
    model = FakeModel(routes=table)
    model.boxes = boxes
    return DemandFlow(FakeModels(model), FEATURES, FakeClock(), feature_ttl_seconds=86_400)


def table_of(tier: DemandTier, weight: float) -> Routes:
    """Return a table that says the same of every cell."""
    found = routes()
    cells = found.cells._replace(
        tier=np.full_like(found.cells.tier, tier), weight=np.full_like(found.cells.weight, weight)
    )
    return dataclasses.replace(found, cells=cells)


@pytest.mark.parametrize("weight", [0.0, 0.25, 1.0])
@pytest.mark.parametrize("tier", list(DemandTier)[1:])
@pytest.mark.parametrize("sku", ["s1", "new"])
def test_base_and_contributions_add_up_to_the_forecast(
    sku: str, tier: DemandTier, weight: float
) -> None:
    asked = flow(table_of(tier, weight))
    query = ForecastQuery(sku, "east", 9, target=DemandTarget.SALES)
    found = asked.explain(query)
    assert np.array_equal(found.forecast.mean, asked.forecast(query).mean)
    total = found.base + found.contributions.sum(axis=1)
    assert np.allclose(total, found.forecast.mean, rtol=1e-12)
    if weight == 1.0:
        assert np.abs(found.contributions[:, Driver.CALIBRATION - 1]).max() < 1e-9


def test_a_day_moves_the_calendar_and_nothing_else() -> None:
    found = flow(None).explain(ForecastQuery("s1", "east", 7))
    calendar = found.contributions[:, Driver.CALENDAR - 1]
    assert (calendar[:2] > 0).all()  # Wednesday and Thursday, after a Tuesday
    assert (calendar[2:5] < 0).all()
    assert not found.contributions[:, [Driver.PRICE - 1, Driver.SEASON - 1]].any()


def test_a_release_without_trees_says_so_only_where_the_model_has_a_part() -> None:
    query = ForecastQuery("s1", "east", 3)
    with pytest.raises(NothingMeasured, match="carries no trees"):
        flow(None, boxes=None).explain(query)
    assert flow(table_of(DemandTier.SPARSE, 1.0), boxes=None).explain(query).base.size == 3


def test_a_sentence_names_what_moves_most() -> None:
    found = flow(table_of(DemandTier.SPARSE, 1.0)).explain(ForecastQuery("s1", "east", 3))
    assert found.sentence.startswith("Over the next 3 days ")
    assert "its own level" in found.sentence
    assert f"{found.forecast.mean.sum():,.1f} units are expected" in found.sentence
