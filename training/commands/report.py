"""``parlevel report``: self-contained HTML pages, one subcommand a subject."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Write report pages of one HTML file each."
)


@app.callback()
def report() -> None:
    """Write report pages of one HTML file each."""


@app.command()
def forecast(
    *,
    out: Annotated[Path, typer.Option("--out", help="HTML file to write.")],
    data: Annotated[
        Path | None, typer.Option("--data", help="Data folder; $PARLEVEL_HOME/tables if absent.")
    ] = None,
    horizon: Annotated[int, typer.Option("--horizon", help="Days ahead, 1 to 90.")] = 14,
    origins: Annotated[
        str,
        typer.Option(
            "--origins", help="Last known days, as 2026-05-01,2026-06-01; the last two if absent."
        ),
    ] = "",
    rows: Annotated[
        int | None, typer.Option("--rows", help="Training rows sampled; as in train if absent.")
    ] = None,
    trees: Annotated[
        int | None, typer.Option("--trees", help="Trees a booster; as in train if absent.")
    ] = None,
) -> None:
    """Backtest the forecast, or read the backtest from the cache, and write a page on it.

    Example: parlevel report forecast --horizon 14 --out forecast.html
    """
    from rich.console import Console

    from serving.settings import load
    from training.backtest.page import forecast_page
    from training.backtest.reported import reported
    from training.backtest.runs import BacktestJob, dates, last_origins
    from training.content import Recipe

    settings, console = load(), Console()
    folder = data or settings.tables
    asked = {"rows": rows, "trees": trees}
    given = {name: value for name, value in asked.items() if value is not None}
    job = BacktestJob(
        data_dir=folder,
        cache=settings.home / "cache" / "backtest",
        origins=dates(origins) if origins else last_origins(folder, horizon),
        horizon=horizon,
        recipe=Recipe(horizon=horizon, **given),
    )
    with console.status("backtest") as status:
        forecast_page(reported(job, status.update)).write(out)
    console.print(f"wrote {out}")


@app.command()
def uplift(
    *,
    out: Annotated[Path, typer.Option("--out", help="HTML file to write.")],
    data: Annotated[
        Path | None, typer.Option("--data", help="Data folder; $PARLEVEL_HOME/tables if absent.")
    ] = None,
    lower_is_better: Annotated[
        bool, typer.Option(help="The action is to lower the outcome.")
    ] = False,
    acknowledge_sample_ratio: Annotated[
        bool, typer.Option(help="Go on where the treated share is not the one promised.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Seed of folds, learners and draws.")] = 7,
) -> None:
    """Judge every uplift learner on units it did not see, and write a page on it.

    Example: parlevel report uplift --data tables --out uplift.html
    """
    from rich.console import Console

    from serving.settings import load
    from training.commands.progress import steps_bar
    from training.uplift.learners import LEARNERS, assignment_of
    from training.uplift.report import uplift_page
    from training.uplift.selection import assess
    from training.uplift.study import STEPS, study_effect
    from training.uplift.units import read_experiment

    folder, console = data or load().tables, Console()
    units = read_experiment(
        folder, lower_is_better=lower_is_better, acknowledge=acknowledge_sample_ratio
    )
    with steps_bar(console) as bar:
        task = bar.add_task("assignment", total=len(LEARNERS) + 2 + STEPS)

        def tell(step: str) -> None:
            bar.update(task, description=step, advance=1)

        assignment = assignment_of(units, seed)
        assessment = assess(units, assignment, seed, tell)
        effect = study_effect(folder, units, assignment, seed, tell)
        bar.update(task, completed=len(LEARNERS) + 2 + STEPS, description="done")
    uplift_page(units, assessment, effect).write(out)
    console.print(f"verdict: {assessment.verdict}; wrote {out}", soft_wrap=True)


@app.command()
def monitoring(
    *,
    out: Annotated[Path, typer.Option("--out", help="HTML file to write.")],
    data: Annotated[
        Path | None, typer.Option("--data", help="Data folder; $PARLEVEL_HOME/tables if absent.")
    ] = None,
    anomalies: Annotated[
        Path | None, typer.Option(help="What `parlevel anomalies` wrote, to show it on its series.")
    ] = None,
) -> None:
    """Write a page on the verdict, accuracy, drift and anomalies.

    Example: parlevel report monitoring --anomalies anomalies.parquet --out monitoring.html
    """
    from rich.console import Console

    from serving.settings import load
    from training.monitoring_report import monitoring_page

    settings, console = load(), Console()
    with console.status("reading what was measured"):
        monitoring_page(settings, data or settings.tables, anomalies).write(out)
    console.print(f"wrote {out}", soft_wrap=True)


@app.command()
def cost(
    *,
    out: Annotated[Path, typer.Option("--out", help="HTML file to write.")],
    data: Annotated[
        Path | None, typer.Option("--data", help="Data folder; $PARLEVEL_HOME/tables if absent.")
    ] = None,
    sku: Annotated[
        str,
        typer.Option("--sku", help="Part to draw; that of the most overpriced quote if absent."),
    ] = "",
    by: Annotated[
        str, typer.Option("--by", help="plant_id, category, supplier_id or sku.")
    ] = "plant_id",
) -> None:
    """Write a page on should-cost, quotes, variance and suppliers.

    Example: parlevel report cost --out cost.html
    """
    from rich.console import Console

    from serving.settings import load
    from training.cost.page import CostReport, cost_page

    settings, console = load(), Console()
    with console.status("reading quotes, bills and transactions"):
        asked = CostReport(data or settings.tables, settings.releases, sku, by)
        cost_page(asked).write(out)
    console.print(f"wrote {out}")
