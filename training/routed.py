"""The graph of a training with the table of routes it learned."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import onnx

from serving.domain import attribution, route_text, totals
from serving.domain.demand import QUANTILE_LEVELS
from serving.domain.history import demand_states
from serving.domain.model import Certificate
from serving.domain.periods import last_day
from training.attribution import boxes
from training.backtest.graphs import PastFit
from training.demand import COVER_LEVELS, calibration_origins
from training.features.records import records_at
from training.route_scenes import scenes
from training.routing import Levels, learn
from training.tier_options import known_at
from training.totals import learn_totals

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from training.demand import DemandFit, Training
    from training.panel import Panel

ORIGINS = 6  # on which tiers are weighed, spread over the ones the boosters were calibrated at


class Routed(NamedTuple):
    """Graphs that carry their routes.

    Attributes:
        final: The model fitted on all days.
        holdout: The hold-out model; its routes were learned before the origin it is scored at.
    """

    final: bytes
    holdout: bytes


def routed(panel: Panel, training: Training) -> Routed:
    """Learn routes on the origins the boosters were calibrated at, and put them into the graphs.

    Args:
        panel: All series up to the last known day.
        training: What was trained on them.

    Returns:
        The graphs.
    """
    last = panel.history.days - 1
    origins, _ = calibration_origins(panel.history.days, training.final.horizon)
    ((_, _, completed),) = demand_states(panel.history, [last])
    completed = panel.with_closed(completed)
    known = {
        origin: known_at(panel, completed, origin, records)
        for origin, records in records_at(panel, [*origins, last], future="realised")
    }
    plain = training.holdout.graph()
    model = as_of_fit(panel, training.holdout, plain, training.holdout_origin).open()
    judged_at = spread(origins, ORIGINS)
    found = list(scenes(panel, model, judged_at, completed))
    levels = Levels(QUANTILE_LEVELS, COVER_LEVELS)
    before = [scene for scene in found if scene.origin < training.holdout_origin]
    held = learn(before, known, known[training.holdout_origin], levels) if before else None
    table = learn(found, known, known[last], levels)
    judged = as_of_fit(
        panel,
        training.holdout,
        carrying(plain, {route_text.KEY: route_text.encode(table)}),
        training.holdout_origin,
    ).open()
    carried = {
        attribution.KEY: boxes(training.final.daily.boosters.mean).encode(),
        totals.KEY: learn_totals(panel, judged, origins, completed).encode(),
        route_text.KEY: route_text.encode(table),
    }
    return Routed(
        final=carrying(training.final.graph(), carried),
        holdout=plain
        if held is None
        else carrying(plain, {route_text.KEY: route_text.encode(held)}),
    )


def spread(origins: Sequence[int], most: int) -> list[int]:
    """Return so many of the origins at most, evenly spread, the last one among them."""
    places = np.linspace(0, len(origins) - 1, min(most, len(origins)))
    return [origins[place] for place in np.round(places).astype(int).tolist()]


def carrying(graph: bytes, entries: Mapping[str, str]) -> bytes:
    """Return a graph with entries in its metadata, so that one digest covers all of it."""
    model = onnx.load_model_from_string(graph)
    for key, value in entries.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    return bytes(model.SerializeToString())


def as_of_fit(panel: Panel, fit: DemandFit, graph: bytes, origin: int) -> PastFit:
    """Return a graph as a fit of a past day, to be opened as serving would; not certified."""
    return PastFit(
        graph=graph,
        origin=last_day(panel.day(origin)).astype(object),
        quantile_levels=QUANTILE_LEVELS,
        cover_quantile_levels=COVER_LEVELS,
        horizon=fit.horizon,
        certificate=Certificate(0, 0, 0.0, passed=False),
    )
