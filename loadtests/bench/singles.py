"""Single questions beside the forecast: requests made beforehand, each unlike the one before."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from loadtests.questions import REORDER, Crowd, Question
from loadtests.stored_keys import Series
from serving.adapters.clock import BusinessClock
from serving.adapters.cost_model import COST, open_cost
from serving.adapters.reference import DATABASE, Reference
from serving.adapters.releases import CURRENT, Releases, open_release
from serving.adapters.uplift import NAME, open_uplift
from serving.domain.cost import ShouldCostQuery
from serving.errors import ParlevelError
from serving.flows.cost import CostFlow
from serving.flows.cost_desk import PART

if TYPE_CHECKING:
    from pathlib import Path

    from loadtests.bench.series import BenchHome
    from serving.domain.covariates import Encoding

UPLIFT, SHOULD_COST = "/v1/uplift:predict", "/v1/should-cost:estimate"
# Least calls a second over those of a no-op gRPC server, with 16 calls in flight.
BOUNDS = {UPLIFT: 0.6, SHOULD_COST: 0.5, REORDER: 0.5}
COUNT = 4_096  # requests of a question: more than any caller has in flight, each of other values


def single_questions(home: BenchHome) -> dict[str, list[Question]]:
    """Return requests of each question a home can answer, by path.

    A home without an uplift model, or without parts that have an estimate, is not asked of them.
    """
    draw = random.Random(1)  # noqa: S311 - no secret
    series = [Series(sku, place, home.as_of) for sku, place in home.keys[:COUNT]]
    crowd = Crowd(series, draw)
    asked = {
        REORDER: [crowd.reorder() for _ in range(COUNT)],
        SHOULD_COST: _part_questions(home, draw),
        UPLIFT: _uplift_questions(home.folder / "releases" / NAME, draw),
    }
    return {path: questions for path, questions in asked.items() if questions}


def _part_questions(home: BenchHome, draw: random.Random) -> list[Question]:
    """Ask what the parts cost that have an estimate; each call costs the same again."""
    reference = Reference(home.folder / "features" / "reference")
    if not reference.refresh():
        return []
    models = Releases(home.folder / "releases", COST, open_cost)
    models.refresh()
    flow = CostFlow(reference, models, BusinessClock(home.as_of))
    skus = [sku for sku in _parts(home.folder / "features") if _has_estimate(flow, sku)]
    return [
        Question("should_cost", SHOULD_COST, {"sku": sku})
        for sku in (draw.choices(skus, k=COUNT) if skus else ())
    ]


def _parts(features: Path) -> list[str]:
    database = features / "reference" / CURRENT / DATABASE
    with closing(sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True)) as read:
        rows = read.execute("SELECT key FROM documents WHERE kind = ? ORDER BY key", (PART,))
        return [key for (key,) in rows]


def _has_estimate(flow: CostFlow, sku: str) -> bool:
    try:
        flow.estimate(ShouldCostQuery(sku))
    except ParlevelError:
        return False
    return True


def _uplift_questions(shelf: Path, draw: random.Random) -> list[Question]:
    """Ask for the effect on one unit whose covariates lie within what was seen."""
    if not (shelf / CURRENT).exists():
        return []
    encoding = open_release(shelf / (shelf / CURRENT).readlink(), open_uplift).encoding
    return [_uplift_question(encoding, f"unit-{number:06d}", draw) for number in range(COUNT)]


def _uplift_question(encoding: Encoding, unit: str, draw: random.Random) -> Question:
    body = {
        "unit_ids": [unit],
        "numeric": [
            {"name": one.name, "values": [draw.uniform(one.low, one.high)]}
            for one in encoding.numeric
        ],
        "categorical": [
            {"name": one.name, "values": [draw.choice(one.levels)]} for one in encoding.categorical
        ],
    }
    return Question("uplift", UPLIFT, body)
