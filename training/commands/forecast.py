"""``parlevel forecast``: the daily demand of every series of a folder, to one parquet file."""

from __future__ import annotations

import datetime as dt
import enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from serving.errors import InvalidField

if TYPE_CHECKING:
    from training.batch.forecasts import ForecastQuestion


class Target(enum.StrEnum):
    """What is forecast."""

    DEMAND = "demand"
    SALES = "sales"


def forecast(
    *,
    out: Annotated[Path, typer.Option("--out", help="Parquet file, or folder, to write.")],
    horizon: Annotated[int, typer.Option("--horizon", help="Days ahead, 1 to 90.")],
    data: Annotated[
        Path | None, typer.Option("--data", help="Data folder; $PARLEVEL_HOME/tables if absent.")
    ] = None,
    as_of: Annotated[
        dt.datetime | None,
        typer.Option("--as-of", formats=["%Y-%m-%d"], help="Last known day; the last with sales."),
    ] = None,
    target: Annotated[
        Target, typer.Option("--target", help="Demand in stock, or sales with stock-outs.")
    ] = Target.DEMAND,
    model: Annotated[
        str,
        typer.Option(
            "--model", help="A version, or current (champion): what serves, else the newest."
        ),
    ] = "current",
    quantiles: Annotated[
        str, typer.Option("--quantiles", help="Levels as 0.1,0.5,0.9; the trained ones if absent.")
    ] = "",
    by_location: Annotated[
        bool, typer.Option("--by-location", help="Write a folder of parquet files by location.")
    ] = False,
    totals: Annotated[
        Path | None,
        typer.Option("--totals", help="Parquet file of totals by category, location and region."),
    ] = None,
) -> None:
    """Forecast every series that has sales: sku, location, date, mean and quantiles in units a day.

    An interrupted run goes on where it stopped; the same run again does nothing.

    Example: parlevel forecast --horizon 14 --out forecast.parquet
    """
    from serving.domain.demand import DemandTarget
    from training.batch.forecasts import ForecastQuestion
    from training.commands.batch_runs import run_with_progress

    question = ForecastQuestion(horizon, DemandTarget[target.name], _levels(quantiles))
    run_with_progress(
        question,
        data=data,
        out=out,
        as_of=as_of,
        model=model,
        by_location=by_location,
    )
    if totals is not None:
        _write_totals(question, out, totals, (data, model))


def _write_totals(
    question: ForecastQuestion, out: Path, totals: Path, chosen: tuple[Path | None, str]
) -> None:
    from rich.console import Console

    from serving.settings import load
    from training.batch.models import open_model
    from training.batch.totals import write_totals

    settings, (data, model) = load(), chosen
    opened = open_model(settings.releases, model)
    totals.parent.mkdir(parents=True, exist_ok=True)
    rows = write_totals(out, totals, question, opened, data or settings.tables)
    Console().print(f"wrote {rows:,} totals to {totals}", soft_wrap=True)


def _levels(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise InvalidField("quantiles", f"must be numbers as 0.1,0.5,0.9, got {text!r}") from error
