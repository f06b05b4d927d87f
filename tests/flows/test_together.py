"""Questions answered together get what each would get alone, to the last bit."""

from __future__ import annotations

import dataclasses
import datetime as dt
import itertools
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pytest

from serving.domain.demand import CoverQuery, DemandTarget, Forecast, ForecastQuery
from serving.domain.features import WIDTHS
from serving.domain.replenishment import ReorderMethod, ReorderQuery
from serving.domain.series import PlanDay, ProductAttributes
from serving.errors import InvalidField, NoModel, ParlevelError, UnknownSeries
from serving.flows.answers import only
from serving.flows.demand import DemandFlow
from serving.flows.replenishment import ReplenishmentFlow
from serving.ports import StockInputs
from tests.fakes.demand import (
    MAX_HORIZON,
    ORIGIN,
    FakeClock,
    FakeFeatures,
    FakeModel,
    FakeModels,
    past,
    stored_world,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Q = TypeVar("Q")
A = TypeVar("A")

TERMS: dict[str, Any] = {"lead_time_days": 4.0, "review_days": 3.0, "service_level": 0.9}


class Rig:
    """Both flows over fakes."""

    def __init__(self) -> None:
        self.models = FakeModels(FakeModel())
        self.features = stored_world(6)
        values = np.full(WIDTHS["known_future"], np.nan, dtype=np.float32)
        values[:5] = 8.0
        self.features.put("known_future", ("s2", "east"), values)
        self.demand = DemandFlow(
            self.models, self.features, FakeClock(), feature_ttl_seconds=24 * 3600
        )
        self.replenishment = ReplenishmentFlow(self.demand, self.features)


def day(ahead: int) -> dt.date:
    return ORIGIN + dt.timedelta(days=ahead)


FORECASTS = (
    ForecastQuery("s1", "east", 7),
    ForecastQuery("s2", "east", 7, plan=(PlanDay(day(2), price=3.0), PlanDay(day(7)))),
    ForecastQuery("nobody", "east", 7),
    ForecastQuery("s1", "east", 7, levels=(0.1, 0.33)),
    ForecastQuery("s3", "east", 28, target=DemandTarget.SALES),
    ForecastQuery("s3", "east", 7, target=DemandTarget.SALES),
    ForecastQuery("s4", "east", MAX_HORIZON + 1),
    ForecastQuery("s4", "east", 7, history=past(3)),
    ForecastQuery("s4", "east", 7, history=past(4, last=day(-2))),
    ForecastQuery("new", "east", 7, product=ProductAttributes("tools")),
    ForecastQuery("s5", "east", 7, levels=(0.001,)),
    ForecastQuery("s5", "east", 7, plan=(PlanDay(day(8)),)),
    ForecastQuery("s5", "east", 7),
    ForecastQuery("s5", "nowhere", 7),
)
COVERS = (
    CoverQuery("s1", "east", 7),
    CoverQuery("s2", "east", 30, (PlanDay(day(20), promoted=True),)),
    CoverQuery("s3", "east", MAX_HORIZON + 1),
    CoverQuery("nobody", "east", 7),
    CoverQuery("s4", "east", 1),
)
REORDERS = (
    ReorderQuery("s1", "east", **TERMS, on_hand=3.0),
    ReorderQuery("s2", "east", **TERMS, on_hand=900.0, method=ReorderMethod.TEXTBOOK),
    ReorderQuery("s3", "east", **TERMS),
    ReorderQuery("nobody", "east", **TERMS),
    ReorderQuery("nobody", "east", **TERMS, on_hand=3.0),
    ReorderQuery("s4", "east", 20.0, 3.0, 0.9, on_hand=3.0, plan=(PlanDay(day(9), price=2.0),)),
    ReorderQuery("s5", "east", 80.0, 3.0, 0.9, on_hand=3.0),
)


def plain(answer: object) -> Any:  # noqa: ANN401 - what compares by every bit
    """Return an answer, or a failure, as what can be compared."""
    if isinstance(answer, ParlevelError):
        return type(answer), str(answer)
    fields: dict[str, Any] = {
        field.name: getattr(answer, field.name)
        for field in dataclasses.fields(answer)  # type: ignore[arg-type]
    }
    return {
        name: (value.shape, value.tobytes()) if isinstance(value, np.ndarray) else value
        for name, value in fields.items()
        if name != "query"
    }


def alone(answer: Callable[[Q], A], query: Q) -> A | ParlevelError:
    try:
        return answer(query)
    except ParlevelError as error:
        return error


def asked_of(rig: Rig) -> list[tuple[Callable[..., Any], Callable[..., Any], Sequence[Any]]]:
    def cover(query: CoverQuery) -> object:
        return rig.demand.cover(query.sku, query.location, query.cover_days, query.plan)

    return [
        (rig.demand.forecast, rig.demand.forecast_many, FORECASTS),
        (cover, rig.demand.cover_many, COVERS),
        (rig.replenishment.recommend, rig.replenishment.recommend_many, REORDERS),
    ]


@pytest.mark.parametrize("kind", [0, 1, 2])
@pytest.mark.parametrize("size", [2, 3, 5, 14])
def test_together_each_gets_the_bits_and_the_failure_it_gets_alone(kind: int, size: int) -> None:
    one, many, queries = asked_of(Rig())[kind]
    expected = [plain(alone(one, query)) for query in queries]
    for order in (queries, queries[::-1]):
        parts = (order[first : first + size] for first in range(0, len(order), size))
        answers = list(itertools.chain.from_iterable(many(part) for part in parts))
        assert [plain(answer) for answer in answers] == expected
        expected.reverse()


def test_a_forecast_answers_its_own_question() -> None:
    answers = Rig().demand.forecast_many(FORECASTS)
    for query, answer in zip(FORECASTS, answers, strict=True):
        assert not isinstance(answer, Forecast) or answer.query is query


def test_series_of_one_origin_horizon_and_target_run_through_the_model_once() -> None:
    rig = Rig()
    rig.demand.forecast_many([ForecastQuery(f"s{number}", "east", 7) for number in range(5)])
    assert [len(rows) for rows in rig.models.model.rows] == [35]


def test_all_that_are_answered_together_are_answered_by_one_version() -> None:
    rig = Rig()
    queries = FORECASTS[:2]
    before = rig.demand.forecast_many(queries)
    rig.models.model = FakeModel("8")
    after = rig.demand.forecast_many(queries)
    for answers, version in ((before, "7"), (after, "8")):
        assert {only([answer]).provenance.model_version for answer in answers} == {version}


def test_what_fails_before_the_model_is_asked_keeps_its_failure_where_there_is_none() -> None:
    class NoModels(FakeModels):
        def current(self) -> FakeModel:
            raise NoModel("forecast", "parlevel train forecast")

    class Promising(FakeFeatures):
        def stock(self, sku: str, location: str) -> StockInputs:
            assert location
            return StockInputs(service_level=0.3 if sku == "s1" else 0.9)

    features = Promising()
    demand = DemandFlow(NoModels(FakeModel()), features, FakeClock(), feature_ttl_seconds=60)
    queries = [ReorderQuery(sku, "east", 4.0, 3.0, on_hand=3.0) for sku in ("s1", "s2")]
    answers = ReplenishmentFlow(demand, features).recommend_many(queries)
    assert [type(answer) for answer in answers] == [InvalidField, NoModel]


def test_nothing_asked_is_nothing_answered() -> None:
    rig = Rig()
    assert rig.demand.forecast_many(()) == []
    assert rig.replenishment.recommend_many(()) == []


def test_the_only_answer_is_given_or_its_failure_raised() -> None:
    assert only([3]) == 3
    with pytest.raises(UnknownSeries):
        only([UnknownSeries("sku", "nobody")])


def test_a_series_without_history_is_ordered_for_as_its_category_sells_and_says_so() -> None:
    rig = Rig()
    del rig.features.stored["demand_state"]["s1", "east"]
    found = rig.replenishment.recommend(ReorderQuery("s1", "east", on_hand=0.0, **TERMS))
    assert found.order_quantity > 0
    assert any("no history" in warning for warning in found.provenance.warnings)
