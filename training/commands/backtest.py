"""``parlevel backtest``: how good the exported graph would have been on past days."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

EXPERIMENT = "backtest"


def backtest(
    *,
    horizon: Annotated[int, typer.Option("--horizon", help="Days ahead, 1 to 90.")],
    origins: Annotated[
        str, typer.Option("--origins", help="Last known days, as 2026-05-01,2026-06-01.")
    ],
    data: Annotated[
        Path | None, typer.Option("--data", help="Data folder; $PARLEVEL_HOME/tables if absent.")
    ] = None,
    report: Annotated[Path | None, typer.Option("--report", help="JSON file to write.")] = None,
    rows: Annotated[
        int | None, typer.Option("--rows", help="Training rows sampled; as in train if absent.")
    ] = None,
    trees: Annotated[
        int | None, typer.Option("--trees", help="Trees a booster; as in train if absent.")
    ] = None,
    hold_out: Annotated[
        int, typer.Option("--hold-out", help="Do not train on every K-th location; 0 for all.")
    ] = 0,
    truth: Annotated[
        Path | None, typer.Option("--truth", help="Truth of a world: compare with its noise.")
    ] = None,
) -> None:
    """Train as of each origin, export, certify, and score the graph on the days after it.

    What was scored before on the same data, code and recipe comes from the cache.

    Example: parlevel backtest --horizon 14 --origins 2026-06-02,2026-06-16 --report backtest.json
    """
    from rich.console import Console

    from serving.settings import load
    from training.backtest.floor import floors
    from training.backtest.report import floor_table, report_tables
    from training.backtest.runs import BacktestJob, dates, mean_figures
    from training.backtest.runs import asked as parameters
    from training.backtest.runs import backtest as run
    from training.backtest.runs import report as as_json
    from training.content import Recipe
    from training.registry import Registry

    settings, console = load(), Console()
    asked = {"rows": rows, "trees": trees}
    given = {name: value for name, value in asked.items() if value is not None}
    job = BacktestJob(
        data_dir=data or settings.tables,
        cache=settings.home / "cache" / "backtest",
        origins=dates(origins),
        horizon=horizon,
        recipe=Recipe(horizon=horizon, **given),
        hold_out=hold_out,
    )
    with console.status("backtest") as status:
        scores = run(job, status.update)
    for table in report_tables(mean_figures(scores), scores):
        console.print(table)
    if truth is not None:
        console.print(floor_table(scores, floors(job, scores, truth)))
    if all(one.cached for one in scores):
        console.print("nothing to do: every origin came from the cache")
    else:
        Registry(settings).record(EXPERIMENT, parameters(job), [one.figures for one in scores])
        console.print(f"recorded in MLflow experiment {EXPERIMENT!r}, a step an origin")
    if report is not None:
        report.parent.mkdir(parents=True, exist_ok=True)
        report.write_text(json.dumps(as_json(job, scores), indent=1), encoding="utf-8")
        console.print(f"wrote {report}")
