"""How long one row takes inside onnxruntime, for every uplift learner.

    python -m loadtests.uplift_speed --units 1500 --rounds 6

Each learner is fitted twice to a generated experiment, with a propensity that is the same for all
and with one that is estimated, and its graph is asked row by row, all graphs in turns. Beside them
stands a graph of a single node: what a call costs by itself.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import polars as pl
import typer
from onnx import TensorProto, helper
from rich.console import Console
from rich.table import Table

from serving.adapters.onnx import open_session
from serving.adapters.uplift import EFFECTS, ROWS
from training.trees import model_bytes
from training.uplift.coverage import units_of
from training.uplift.evaluation import Line
from training.uplift.graph import build_graph
from training.uplift.learners import LEARNERS, Assignment, fit_learner
from training.world.actions import draw_experiment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from training.uplift.units import Units

    Rows = NDArray[np.float32]

BARE = "one node"
COLUMNS = 18  # of a row
CALLS = 1_000  # of each graph in a round
SEED = 3
LINE = Line(center=1.0, level=1.2, slope=0.8, level_variance=1e-4, slope_variance=1e-2)


def main(
    units: Annotated[int, typer.Option(min=300, help="Units learned from.")] = 1_500,
    rounds: Annotated[int, typer.Option(min=1, help="Turns of all graphs.")] = 6,
    learners: Annotated[str, typer.Option(help="Which, with commas between.")] = ",".join(LEARNERS),
) -> None:
    """Print the least and the median microseconds of a row, by learner."""
    console = Console()
    graphs: dict[tuple[str, str], tuple[bytes, Rows]] = {}
    for kind, random in (("the same for all", True), ("estimated", False)):
        drawn = wide_units(units, random=random)
        graphs[(BARE, "")] = one_node(drawn.rows.shape[1]), drawn.rows
        for name in learners.split(","):
            console.print(f"fitting {name}, propensity {kind}", highlight=False)
            fitted = fit_learner(name, drawn, Assignment(random=random, known=False), SEED)
            graphs[(name, kind)] = build_graph(fitted, LINE, drawn.rows.shape[1]), drawn.rows
    taken = row_seconds(list(graphs.values()), rounds)
    table = Table("learner", "propensity", "best, us", "median, us", "best over one node's")
    bare = taken[list(graphs).index((BARE, ""))].min()
    for (name, kind), one in zip(graphs, taken, strict=True):
        figures = 1e6 * one.min(), 1e6 * float(np.median(one)), one.min() / bare
        table.add_row(name.replace("_", " "), kind, *(f"{figure:.1f}" for figure in figures))
    console.print(f"one row of {COLUMNS} columns, {rounds} rounds of {CALLS:,} calls")
    console.print(table)


def wide_units(count: int, *, random: bool) -> Units:
    """Return units of a generated experiment with covariates of no use, COLUMNS in all."""
    draw = np.random.default_rng(SEED)
    frame, _ = draw_experiment(draw, count, random=random)
    idle = COLUMNS - units_of(frame).rows.shape[1]
    noise = [pl.Series(f"idle_{place}", draw.standard_normal(count)) for place in range(idle)]
    return units_of(frame.with_columns(noise))


def one_node(features: int) -> bytes:
    """Return a graph that casts its rows and does nothing else."""
    graph = helper.make_graph(
        [helper.make_node("Cast", [ROWS], [EFFECTS], to=TensorProto.DOUBLE)],
        "bare",
        [helper.make_tensor_value_info(ROWS, TensorProto.FLOAT, ["n", features])],
        [helper.make_tensor_value_info(EFFECTS, TensorProto.DOUBLE, ["n", features])],
    )
    return model_bytes(graph)


def row_seconds(graphs: Sequence[tuple[bytes, Rows]], rounds: int) -> list[NDArray[np.float64]]:
    """Return the seconds of every call of each graph, in turns: shape (rounds x CALLS,) each."""
    sessions = [(open_session(graph), rows) for graph, rows in graphs]
    taken: list[list[NDArray[np.float64]]] = [[] for _ in sessions]
    for _ in range(rounds):
        for (session, rows), found in zip(sessions, taken, strict=True):
            found.append(_timed(session, rows))
    return [np.concatenate(found) for found in taken]


def _timed(session: Any, rows: Rows) -> NDArray[np.float64]:  # noqa: ANN401 - onnxruntime's own
    asked = [np.ascontiguousarray(rows[at % len(rows)][None]) for at in range(CALLS)]
    taken = np.empty(CALLS)
    for at, row in enumerate(asked):
        begun = time.perf_counter()
        session.run((EFFECTS,), {ROWS: row})
        taken[at] = time.perf_counter() - begun
    return taken


if __name__ == "__main__":
    typer.run(main)
