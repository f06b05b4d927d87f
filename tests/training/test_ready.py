"""Forecasts made ahead of their question: the same bits, and nothing else taken for them."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from serving.adapters.clock import BusinessClock
from serving.adapters.features import PackedFeatures
from serving.adapters.openers import open_any
from serving.adapters.ready import ANSWERS, KEYS, META, ReadyForecasts, ReadyRun
from serving.domain.demand import BatchForecastQuery, CoverQuery, DemandTarget, ForecastQuery
from serving.domain.overrides import Override
from serving.domain.ready import ReadyKind
from serving.domain.series import PlanDay, RowStatus
from serving.errors import BeyondTrained, ReleaseRefused, StaleFeatures, UnknownSeries
from serving.flows.ahead import ASKED_ANYWAY
from serving.flows.demand import DemandFlow
from tests.fakes.demand import FakeModels
from training.ready import ReadyJob, jobs, publish

if TYPE_CHECKING:
    from pathlib import Path

    from serving.adapters.demand import OnnxDemandModel
    from serving.adapters.features import PackedSnapshot
    from serving.settings import Settings

HORIZON = 10
LEVELS = (0.1, 0.5, 0.6)


class Rig:
    """A flow over a trained home, with and without forecasts made ahead."""

    def __init__(self, home: Settings, folder: Path) -> None:
        opened = open_any((home.releases / "forecast" / "current").resolve())
        self.model: OnnxDemandModel = opened  # type: ignore[assignment]  # the forecast's opener
        self.features = PackedFeatures(home.features / "online")
        self.snapshot: PackedSnapshot = self.features.snapshot()
        self.keys = self.snapshot.series()
        self.folder = folder
        self.ready = ReadyForecasts(folder)
        assert home.as_of is not None
        self.as_of = home.as_of
        self.computing = self.flow(None)

    def publish(self, kind: ReadyKind = ReadyKind.DEMAND) -> int | None:
        job = ReadyJob(self.model, self.snapshot, HORIZON, kind)
        count = publish(job, self.folder, lambda *_: None)
        self.ready.refresh()
        return count

    def flow(self, ready: ReadyForecasts | None, days_later: int = 0) -> DemandFlow:
        clock = BusinessClock(self.as_of + dt.timedelta(days=days_later))
        models = FakeModels(self.model)  # type: ignore[arg-type]  # it holds any model
        return DemandFlow(models, self.features, clock, feature_ttl_seconds=36 * 3600, ready=ready)


@pytest.fixture(scope="module")
def rig(home: Settings, tmp_path_factory: pytest.TempPathFactory) -> Rig:
    made = Rig(home, tmp_path_factory.mktemp("ready"))
    for kind in (ReadyKind.DEMAND, ReadyKind.COVERS):
        assert made.publish(kind) == len(made.keys)
    return made


def assert_equal(one: object, other: object) -> None:
    for field in dataclasses.fields(one):  # type: ignore[arg-type]  # answers are dataclasses
        mine, theirs = getattr(one, field.name), getattr(other, field.name)
        if isinstance(mine, np.ndarray):
            assert np.array_equal(mine, theirs), field.name
        else:
            assert mine == theirs, field.name


@pytest.mark.parametrize("query", [{}, {"levels": LEVELS}, {"horizon": HORIZON}])
def test_every_series_has_the_answer_the_model_gives_to_the_bit(rig: Rig, query: dict) -> None:  # type: ignore[type-arg]
    flow, found = rig.flow(rig.ready), 0
    for sku, location in rig.keys:
        asked = ForecastQuery(sku, location, **{"horizon": 7, **query})
        answer = flow.ready(asked)
        if answer is not None:
            found += 1
            assert_equal(answer, rig.computing.forecast(asked))
    assert found >= len(rig.keys) * (1 - 2 / ASKED_ANYWAY) - 1


def test_a_batch_has_the_answers_the_model_gives_to_the_bit(rig: Rig) -> None:
    skus, locations = zip(*rig.keys, strict=True)
    batch = BatchForecastQuery(("nothing", *skus), ("nowhere", *locations), 5, LEVELS)
    answer = rig.flow(rig.ready).forecast_batch(batch)
    assert answer.statuses[0] is RowStatus.UNKNOWN_SERIES
    assert_equal(answer, rig.computing.forecast_batch(batch))


def test_every_cover_is_the_one_the_model_gives_to_the_bit(rig: Rig) -> None:
    flow = rig.flow(rig.ready)
    asked = [
        CoverQuery(*key, 1 + place % HORIZON, others=(HORIZON, 3)[: place % 3])
        for place, key in enumerate(rig.keys)
    ]
    for one, other in zip(flow.cover_many(asked), rig.computing.cover_many(asked), strict=True):
        assert_equal(one, other)
    assert flow.looked_up >= len(asked) - 1 - len(asked) // ASKED_ANYWAY


def test_a_batch_of_covers_has_the_sums_the_model_gives_to_the_bit(rig: Rig) -> None:
    skus, locations = zip(("nothing", "nowhere"), *rig.keys, strict=True)
    covers = 1 + np.arange(len(skus)) % HORIZON
    others = np.column_stack((covers[::-1], np.full(len(skus), 3)))
    flow = rig.flow(rig.ready)
    asked = (
        (skus, locations, covers, others),
        (skus[1:], locations[1:], covers[1:], None),
        (skus, locations, covers + 1, None),  # longer than was published
    )
    for one in asked:
        assert_equal(flow.cover_batch(*one), rig.computing.cover_batch(*one))
    assert flow.looked_up == 2 * len(rig.keys)


def test_a_cover_that_was_not_made_ahead_is_computed_or_refused_as_ever(rig: Rig) -> None:
    (sku, location), *_ = rig.keys
    plan = (PlanDay(rig.as_of + dt.timedelta(days=1), discount=0.5),)
    asked = [
        CoverQuery(sku, location, 4, plan),
        CoverQuery(sku, location, HORIZON + 1),
        CoverQuery(sku, location, 0),
        CoverQuery(sku, location, 10_000),
        CoverQuery("nothing", "nowhere", 4),
    ]
    flow = rig.flow(rig.ready)
    found = flow.cover_many(asked)
    assert flow.looked_up == 0
    assert [type(one) for one in found[2:]] == [BeyondTrained, BeyondTrained, UnknownSeries]
    for one, other in zip(found[:2], rig.computing.cover_many(asked)[:2], strict=True):
        assert_equal(one, other)


def test_with_the_days_of_demand_its_covers_are_published_with_those_of_sales_none(
    rig: Rig,
) -> None:
    def kinds(target: DemandTarget) -> list[ReadyKind]:
        return [one.kind for one in jobs(rig.model, rig.snapshot, target, HORIZON)]

    assert kinds(DemandTarget.DEMAND) == [ReadyKind.DEMAND, ReadyKind.COVERS]
    assert kinds(DemandTarget.SALES) == [ReadyKind.SALES]


def test_one_question_in_so_many_is_put_to_the_model_all_the_same(rig: Rig) -> None:
    flow = rig.flow(rig.ready)
    sku, location = rig.keys[0]
    answers = [flow.ready(ForecastQuery(sku, location, 7)) for _ in range(3 * ASKED_ANYWAY)]
    assert answers.count(None) == 3


@pytest.mark.parametrize(
    "own",
    [
        {"horizon": HORIZON + 1},
        {"levels": (0.001, 0.5)},
        {"target": DemandTarget.SALES},
        {"sku": "nothing"},
    ],
    ids=str,
)
def test_a_question_that_was_not_answered_ahead_is_computed(rig: Rig, own: dict) -> None:  # type: ignore[type-arg]
    sku, location = rig.keys[0]
    asked = ForecastQuery(**{"sku": sku, "location": location, "horizon": 7, **own})
    assert rig.flow(rig.ready).ready(asked) is None


def test_a_plan_in_the_question_is_computed(rig: Rig) -> None:
    (sku, location), *_ = rig.keys
    plan = (PlanDay(rig.as_of + dt.timedelta(days=1), discount=0.5),)
    asked = ForecastQuery(sku, location, 7, plan=plan)
    flow = rig.flow(rig.ready)
    assert flow.ready(asked) is None
    assert_equal(flow.forecast(asked), rig.computing.forecast(asked))


def test_an_answer_grown_old_is_refused_as_features_are(rig: Rig) -> None:
    (sku, location), *_ = rig.keys
    flow = rig.flow(rig.ready, days_later=9)
    assert flow.ready(ForecastQuery(sku, location, 7)) is None
    with pytest.raises(StaleFeatures):
        flow.forecast(ForecastQuery(sku, location, 7))


def test_what_a_planner_says_is_laid_over_the_models_answer(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    sku, location = rig.keys[0]
    (other_sku, other_location) = rig.keys[1]
    today = (rig.as_of - dt.date(1970, 1, 1)).days
    said = Override(today + 2, author="a planner", created=today, quantity=7.0)
    monkeypatch.setitem(rig.snapshot._overrides, f"{sku}\x1f{location}", (said,))
    flow = rig.flow(rig.ready)
    assert flow.ready(ForecastQuery(sku, location, 7)) is None
    assert flow.ready(ForecastQuery(other_sku, other_location, 7)) is not None
    batch = BatchForecastQuery((sku, other_sku), (location, other_location), 5)
    assert_equal(flow.forecast_batch(batch), rig.computing.forecast_batch(batch))
    covers = [CoverQuery(sku, location, 4), CoverQuery(other_sku, other_location, 4)]
    before = flow.looked_up
    for one, other in zip(flow.cover_many(covers), rig.computing.cover_many(covers), strict=True):
        assert_equal(one, other)
    assert flow.looked_up == before + 1
    days = np.array([4, 5])
    asked = ((sku, other_sku), (location, other_location), days)
    assert_equal(flow.cover_batch(*asked), rig.computing.cover_batch(*asked))


def test_answers_of_another_release_or_other_features_are_not_taken(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    sku, location = rig.keys[0]
    flow, run = rig.flow(rig.ready), rig.ready.run(ReadyKind.DEMAND)
    assert run is not None
    for name in ("digest", "features"):
        with monkeypatch.context() as patch:
            patch.setattr(run, name, "another")
            assert flow.ready(ForecastQuery(sku, location, 7)) is None
    assert flow.ready(ForecastQuery(sku, location, 7)) is not None


def test_what_is_published_already_is_not_made_again(home: Settings, tmp_path: Path) -> None:
    rig = Rig(home, tmp_path)
    assert rig.publish(ReadyKind.SALES) == len(rig.keys)
    assert rig.publish(ReadyKind.SALES) is None
    (tmp_path / "sales" / "current" / META).write_text("{")
    assert rig.publish(ReadyKind.SALES) == len(rig.keys)


def test_a_damaged_answer_is_computed(home: Settings, tmp_path: Path) -> None:
    rig = Rig(home, tmp_path)
    rig.publish()
    answers = (tmp_path / "demand" / "current" / ANSWERS).resolve()
    content = bytearray(answers.read_bytes())
    content[len(content) // len(rig.keys) // 2 :: 97] = bytes(
        len(content[len(content) // len(rig.keys) // 2 :: 97])
    )
    answers.write_bytes(content)
    rig.ready = ReadyForecasts(tmp_path)
    rig.ready.refresh()
    flow = rig.flow(rig.ready)
    for sku, location in rig.keys:
        asked = ForecastQuery(sku, location, 7)
        assert flow.ready(asked) is None
        assert_equal(flow.forecast(asked), rig.computing.forecast(asked))
    skus, locations = zip(*rig.keys, strict=True)
    batch = BatchForecastQuery(skus, locations, 5)
    assert_equal(flow.forecast_batch(batch), rig.computing.forecast_batch(batch))
    assert flow.looked_up == 0


@pytest.mark.parametrize("damage", [ANSWERS, KEYS, META])
def test_a_damaged_generation_is_refused_with_what_to_do(
    home: Settings, tmp_path: Path, damage: str
) -> None:
    rig = Rig(home, tmp_path)
    rig.publish()
    folder = (tmp_path / "demand" / "current").resolve()
    whole = (folder / damage).read_bytes()
    (folder / damage).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ReleaseRefused, match="parlevel publish"):
        ReadyRun(folder)
    (folder / damage).unlink()
    with pytest.raises(ReleaseRefused, match="parlevel publish"):
        ReadyRun(folder)


def test_a_generation_that_is_replaced_can_still_be_read(home: Settings, tmp_path: Path) -> None:
    rig = Rig(home, tmp_path)
    rig.publish()
    held = rig.ready.run(ReadyKind.DEMAND)
    assert held is not None
    place = tmp_path / "demand"
    meta = json.loads((place / "current" / META).read_text())
    (place / "current").resolve().rename(tmp_path / "gone")
    for file in (tmp_path / "gone").iterdir():
        file.unlink()
    assert meta["horizon"] == held.horizon
    assert held.answer(*rig.keys[0]) is not None
