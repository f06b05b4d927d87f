"""Guaranteed-service placement against published networks, an open library and brute force."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr

from serving.domain.echelon_search import cost_of
from serving.domain.echelons import EchelonPlan, EchelonQuery, allocate
from serving.domain.network import EchelonLink, EchelonStage, Network
from serving.domain.series import Provenance
from serving.errors import InvalidField


def plan(
    stages: list[tuple[object, ...]], links: list[tuple[str, str]], factor: float
) -> EchelonPlan:
    query = EchelonQuery(
        tuple(EchelonStage(*stage) for stage in stages),  # type: ignore[arg-type]
        tuple(EchelonLink(*link) for link in links),
        float(ndtr(factor)),
    )
    return allocate(query, Provenance())


# Name, days, holding cost, demand deviation, longest promise, days of outside supply. Networks of
# Snyder and Shen, Fundamentals of Supply Chain Theory, 2nd ed. (2019), with the cost and promises
# the library stockpyl 1.0.2 gives (optimize_committed_service_times); figure 6.14 is the digital
# camera network after Graves and Willems.
EXAMPLE_6_5 = (
    [
        ("1", 2, 1.0, 0.0, None, 1),
        ("2", 1, 3.0, 1.0, 0, 0),
        ("3", 1, 2.0),
        ("4", 1, 3.0, 1.0, 1, 0),
    ],
    [("1", "3"), ("3", "2"), ("3", "4")],
    1.0,
    8.277916867529369,
    {"1": 0, "2": 0, "3": 0, "4": 1},
)
FIGURE_6_14 = (
    [
        ("1", 2, 0.01),
        ("2", 3, 0.03),
        ("3", 2, 0.04),
        ("4", 4, 0.06),
        ("5", 2, 0.12),
        ("6", 3, 0.13),
        ("7", 6, 0.20),
        ("8", 4, 0.08),
        ("9", 3, 0.04),
        ("10", 2, 0.50, 10.0, 2, 0),
    ],
    [
        ("1", "2"),
        ("2", "3"),
        ("3", "5"),
        ("4", "5"),
        ("5", "6"),
        ("6", "10"),
        ("7", "10"),
        ("8", "10"),
        ("9", "10"),
    ],
    1.6448536269514722,
    18.824004472592172,
    {"1": 0, "2": 3, "3": 5, "4": 4, "5": 7, "6": 0, "7": 0, "8": 0, "9": 0, "10": 2},
)
PROBLEM_6_7 = (
    [("3", 1, 2.0, 0.0, None, 1), ("2", 1, 3.0), ("1", 2, 4.0, 10.0, 0, 0)],
    [("3", "2"), ("2", "1")],
    4.0,
    357.77087639996637,
    {"1": 0, "2": 3, "3": 2},
)
PROBLEM_6_9 = (
    [
        ("1", 7, 220 * 0.2 / 365, 4.1, 3, 0),
        ("2", 7, 140 * 0.2 / 365, 6.2, 3, 0),
        ("3", 21, 90 * 0.2 / 365),
        ("4", 3, 5 * 0.2 / 365),
        ("5", 8, 20 * 0.2 / 365),
        ("6", 2, 7.5 * 0.2 / 365),
    ],
    [("3", "1"), ("3", "2"), ("4", "3"), ("5", "3"), ("6", "5")],
    4.0,
    15.649530249501026,
    {"1": 3, "2": 3, "3": 0, "4": 0, "5": 0, "6": 2},
)


@pytest.mark.parametrize(
    "example",
    [EXAMPLE_6_5, FIGURE_6_14, PROBLEM_6_7, PROBLEM_6_9],
    ids=["example 6.5", "figure 6.14", "problem 6.7", "problem 6.9"],
)
def test_a_published_network_has_its_published_placement(
    example: tuple[list[tuple[object, ...]], list[tuple[str, str]], float, float, dict[str, int]],
) -> None:
    stages, links, factor, cost, promises = example
    found = plan(stages, links, factor)
    assert found.total_cost == pytest.approx(cost, rel=1e-9)
    assert {one.stage: one.outbound_service_days for one in found.placements} == promises
    assert found.exact
    assert found.gap == 0.0
    assert found.proportional_cost > found.total_cost


@st.composite
def networks(draw: st.DrawFn) -> tuple[list[tuple[object, ...]], list[tuple[str, str]]]:
    count = draw(st.integers(2, 5))
    stages: list[tuple[object, ...]] = [
        (
            str(place),
            draw(st.integers(0, 3)),
            draw(st.floats(0.1, 3.0)) * (place + 1),
            draw(st.floats(0.5, 5.0)) if place == count - 1 or draw(st.booleans()) else 0.0,
        )
        for place in range(count)
    ]
    pairs = itertools.combinations(range(count), 2)
    links = [(str(one), str(other)) for one, other in pairs if draw(st.booleans())]
    return stages, links


@settings(max_examples=60)
@given(network=networks())
def test_a_placement_is_the_best_on_a_tree_and_within_its_gap_elsewhere(
    network: tuple[list[tuple[object, ...]], list[tuple[str, str]]],
) -> None:
    stages, links = network
    found = plan(stages, links, 1.5)
    joined = Network.of(
        [EchelonStage(*stage) for stage in stages],  # type: ignore[arg-type]
        [EchelonLink(*link) for link in links],
    )
    every = itertools.product(*(range(int(most) + 1) for most in joined.most_service))
    best = min(
        cost_of(joined, found.safety_factor, np.array(promises), joined.links) for promises in every
    )
    assert found.lower_bound <= best + 1e-9
    assert found.total_cost >= best - 1e-9
    if joined.forest:
        assert found.exact
        assert found.total_cost == pytest.approx(best, abs=1e-9)
    assert found.total_cost <= found.lower_bound * (1 + found.gap) + 1e-9


@settings(max_examples=30)
@given(network=networks())
def test_every_promise_can_be_kept(
    network: tuple[list[tuple[object, ...]], list[tuple[str, str]]],
) -> None:
    stages, links = network
    placements = {one.stage: one for one in plan(stages, links, 1.5).placements}
    for stage in stages:
        one = placements[str(stage[0])]
        assert one.net_replenishment_days >= 0
        assert one.net_replenishment_days == (
            one.inbound_service_days + stage[1] - one.outbound_service_days  # type: ignore[operator]
        )
    for up, down in links:
        assert placements[down].inbound_service_days >= placements[up].outbound_service_days


def test_shared_customers_are_counted_once_over_all_ways() -> None:
    found = plan(
        [("raw", 1, 1.0), ("left", 1, 1.0), ("right", 1, 1.0), ("shop", 1, 1.0, 2.0)],
        [("raw", "left"), ("raw", "right"), ("left", "shop"), ("right", "shop")],
        1.0,
    )
    # Two units of the raw stage in each sold, not the root of two.
    assert found.placements[0].demand_std == 4.0


def test_units_in_a_product_scale_what_a_stage_sees() -> None:
    query = EchelonQuery(
        (EchelonStage("part", 4, 1.0), EchelonStage("shop", 1, 9.0, 2.0)),
        (EchelonLink("part", "shop", 3.0),),
        0.9,
        proportional_units=70.0,
    )
    found = allocate(query, Provenance())
    assert found.placements[0].demand_std == 6.0
    shares = [one.proportional_safety_stock for one in found.placements]
    assert shares == pytest.approx([60.0, 10.0])  # 6 sqrt(4) to 2 sqrt(1)


def test_a_network_without_days_needs_no_stock() -> None:
    found = plan([("a", 0, 1.0), ("b", 0, 1.0, 5.0)], [("a", "b")], 2.0)
    assert found.total_cost == 0.0
    assert found.exact


@pytest.mark.parametrize(
    ("stages", "links", "field"),
    [
        ([("a", 1), ("b", 1)], [("a", "b"), ("b", "a")], "links"),
        ([("a", 1), ("a", 1)], [], "stages[1].stage"),
        ([("a", 1)], [("a", "z")], "links[0].downstream"),
        ([("a", 1), ("b", 1)], [("a", "b"), ("a", "b")], "links[1]"),
        ([], [], "stages"),
        ([(str(n), 3_000, 1.0, 1.0) for n in range(30)], [], "stages"),
    ],
)
def test_a_network_that_is_none_is_refused_by_name(
    stages: list[tuple[object, ...]], links: list[tuple[str, str]], field: str
) -> None:
    with pytest.raises(InvalidField) as refused:
        plan(stages, links, 1.0)
    assert refused.value.field == field


def test_a_stage_that_supplies_itself_and_a_level_of_one_are_refused() -> None:
    with pytest.raises(InvalidField, match="another stage"):
        EchelonLink("a", "a")
    for level in (0.4, 1.0):
        with pytest.raises(InvalidField, match="service_level"):
            EchelonQuery((EchelonStage("a"),), (), level)
