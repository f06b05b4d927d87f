"""The logged demand flow and the watched model: the same answers, each of them left behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from serving.adapters.traffic import WatchedModels
from serving.domain.demand import BatchForecastQuery, Forecast, ForecastQuery
from serving.errors import UnknownSeries
from serving.flows.logged_demand import LoggedDemandFlow
from tests.fakes.demand import FakeClock, FakeModel, FakeModels, stored_world

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from serving.domain.demand import ForecastBatch
    from serving.domain.model import ModelDescription
    from serving.errors import ParlevelError


class Kept:
    """A log and a sample of traffic that keep what they are told."""

    def __init__(self) -> None:
        self.answers: list[Forecast | ParlevelError] = []
        self.batches: list[ForecastBatch] = []
        self.rows: list[NDArray[np.float32]] = []

    def start(self) -> None: ...

    def note(
        self, what: Sequence[Forecast | ParlevelError] | ModelDescription, rows: object = None
    ) -> None:
        if rows is None:
            self.answers += what  # type: ignore[arg-type]
        else:
            self.rows.append(rows)  # type: ignore[arg-type]

    def note_batch(self, batch: ForecastBatch) -> None:
        self.batches.append(batch)


def logged(kept: Kept) -> LoggedDemandFlow:
    watched = WatchedModels(FakeModels(FakeModel()), kept)  # type: ignore[arg-type, var-annotated]
    return LoggedDemandFlow(
        watched, stored_world(3), FakeClock(), feature_ttl_seconds=86_400, log=kept
    )


def test_every_answer_and_every_failure_is_left_with_the_log() -> None:
    kept = Kept()
    queries = [ForecastQuery("s1", "east", 3), ForecastQuery("nobody", "east", 3)]
    answers = logged(kept).forecast_many(queries)
    assert kept.answers == answers
    assert isinstance(kept.answers[1], UnknownSeries)


def test_a_batch_is_left_whole() -> None:
    kept = Kept()
    batch = logged(kept).forecast_batch(BatchForecastQuery(("s1", "s2"), ("east", "east"), 2))
    assert kept.batches == [batch]


def test_the_rows_a_model_answers_are_left_and_its_answers_are_the_same() -> None:
    kept, model = Kept(), FakeModel()
    watched = WatchedModels(FakeModels(model), kept).current()  # type: ignore[arg-type]
    rows = np.ones((4, len(model.description.features) or 3), dtype=np.float32)
    assert watched.description == model.description
    assert kept.rows == []
    for one, other in zip(watched.daily(rows), model.daily(rows), strict=True):
        assert np.array_equal(one, other)
    assert len(kept.rows) == 1


def test_a_model_is_wrapped_once_and_anew_after_a_swap() -> None:
    source = FakeModels(FakeModel())
    watched = WatchedModels(source, Kept())  # type: ignore[arg-type, var-annotated]
    first = watched.current()
    assert watched.current() is first
    source.model = FakeModel()
    assert watched.current() is not first
