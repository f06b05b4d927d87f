"""Questions about experiments and uplift, asked of a real door over fakes."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest

from parlevel.client import AsyncClient, Client
from parlevel.client.errors import FailedPrecondition, InvalidArgument, NotFound
from parlevel.v1 import experiment_pb2, uplift_pb2
from tests.fakes.doors import Rig

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

AGES: Mapping[str, Sequence[float | str | None]] = {
    "age": [35.0, 61.0],
    "spend": [1.0, None],
    "channel": ["Web", "Phone"],
}


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A gRPC door of threads over the fakes."""
    rig = Rig()
    loop = asyncio.new_event_loop()
    runner = threading.Thread(target=loop.run_forever)
    runner.start()
    door = rig.grpc("threads")
    port = asyncio.run_coroutine_threadsafe(door.open(), loop).result()
    yield f"127.0.0.1:{port}"
    asyncio.run_coroutine_threadsafe(door.close(0.1), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    runner.join()
    loop.close()


def test_every_experiment_question_has_an_answer(address: str) -> None:
    pb = experiment_pb2
    with Client(address) as client:
        ask = client.experiment
        plan = ask.plan_sample(
            pb.PlanSampleRequest(baseline_mean=100, baseline_std=20, relative_effect=0.03)
        )
        assert plan.units.control_units == 698
        buckets = ask.assign_bucket(pb.AssignBucketRequest(unit_ids=["a"], salt="s", arms=["on"]))
        assert list(buckets.arms) == ["on"]
        assert ask.check_sample_ratio(pb.CheckSampleRatioRequest(observed=[6000, 4000])).mismatch
        treated = [row % 2 == 0 for row in range(40)]
        outcomes = [row % 7 + 0.5 * on for row, on in enumerate(treated)]
        analysed = pb.AnalyzeCupedRequest(treated=treated, outcomes=outcomes)
        assert ask.analyze_cuped(analysed).units.treated_units == 20
        looks = pb.TestSequentiallyRequest(
            control_counts=[100],
            control_means=[0],
            control_variances=[1],
            treated_counts=[100],
            treated_means=[1],
            treated_variances=[1],
            effect_std=1,
        )
        assert ask.test_sequentially(looks).decided_look == 0
        ranked = pb.InterleaveRankingsRequest(
            ranking_a=["x"], ranking_b=["y"], salt="s", unit_id="u", length=2
        )
        assert set(ask.interleave_rankings(ranked).items) == {"x", "y"}


def test_a_mismatch_is_a_failed_precondition(address: str) -> None:
    request = experiment_pb2.AnalyzeCupedRequest(
        treated=[row in {0, 1} for row in range(100)],
        outcomes=[float(row) for row in range(100)],
        expected_treated_share=0.5,
    )
    with Client(address) as client, pytest.raises(FailedPrecondition, match="2 of 100"):
        client.experiment.analyze_cuped(request)


def test_units_are_asked_by_column_with_unknown_values_none(address: str) -> None:
    with Client(address) as client:
        answer = client.uplift.predict(["a", "b"], AGES)
        assert answer.row_count == 2
        assert list(answer.overlap_flags) == [uplift_pb2.OVERLAP_FLAG_OK] * 2
        plan = client.uplift.plan_targeting(["a", "b"], AGES, budget=1.0, action_costs=1.0)
        assert list(plan.unit_ids) == ["b"]
        with pytest.raises(InvalidArgument, match="all texts or all numbers"):
            client.uplift.predict(["a", "b"], {**AGES, "channel": ["Web", 1.0]})


def test_units_the_tables_know_are_asked_by_name(address: str) -> None:
    with Client(address) as client:
        answer = client.uplift.predict(["k1", "nobody", "k2"])
        assert list(answer.row_statuses) == [
            uplift_pb2.UPLIFT_ROW_STATUS_OK,
            uplift_pb2.UPLIFT_ROW_STATUS_UNKNOWN_UNIT,
            uplift_pb2.UPLIFT_ROW_STATUS_OK,
        ]
        sent: dict[str, list[float | str | None]] = {
            "age": [35.0, 61.0],
            "spend": [1 / 3, None],
            "channel": ["Web", "Phone"],
        }
        assert client.uplift.predict(["k1", "k2"], sent).effects == answer.effects
        plan = client.uplift.plan_targeting(["k1", "k2"], budget=1.0, action_costs=1.0)
        assert list(plan.unit_ids) == ["k2"]
        with pytest.raises(NotFound, match="nobody"):
            client.uplift.plan_targeting(["nobody"], budget=1.0, action_costs=1.0)


def test_the_awaitable_client_says_the_same(address: str) -> None:
    async def ask() -> tuple[list[float], int]:
        async with AsyncClient(address) as client:
            effects = await client.uplift.predict(["a", "b"], AGES)
            plan = await client.uplift.plan_targeting(
                ["a", "b"], AGES, budget=2.0, action_costs=[1.0, 1.0]
            )
            size = await client.experiment.plan_sample(
                experiment_pb2.PlanSampleRequest(baseline_mean=0.5, absolute_effect=0.1)
            )
            assert size.units.control_units > 0
            return list(effects.effects), len(plan.unit_ids)

    effects, chosen = asyncio.run(ask())
    with Client(address) as client:
        assert list(client.uplift.predict(["a", "b"], AGES).effects) == effects
    assert chosen == 2
