"""``parlevel forecast``: the daily demand of every series of a folder, to one parquet file."""

from __future__ import annotations

import datetime as dt
import enum
from pathlib import Path
from typing import Annotated

import typer

from serving.errors import InvalidField


class Target(enum.StrEnum):
    """What is forecast."""

    DEMAND = "demand"
    SALES = "sales"


def forecast(
    *,
    out: Annotated[Path, typer.Option("--out", help="Parquet file to write.")],
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
) -> None:
    """Forecast every series that has sales: sku, location, date, mean and quantiles in units a day.

    An interrupted run goes on where it stopped; the same run again does nothing.

    Example: parlevel forecast --horizon 14 --out forecast.parquet
    """
    from serving.domain.demand import DemandTarget
    from training.batch.forecasts import ForecastQuestion
    from training.commands.batch_runs import run_with_progress

    question = ForecastQuestion(horizon, DemandTarget[target.name], _levels(quantiles))
    run_with_progress(question, data=data, out=out, as_of=as_of, model=model)


def _levels(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise InvalidField("quantiles", f"must be numbers as 0.1,0.5,0.9, got {text!r}") from error
