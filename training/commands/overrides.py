"""``parlevel overrides``: what planners' overrides were worth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Measure what planners' overrides were worth."
)


@app.callback()
def _group() -> None:
    """Keep `overrides` a group."""


@app.command()
def score(
    forecasts: Annotated[
        list[Path], typer.Argument(help="Files `parlevel forecast` wrote, oldest first.")
    ],
    data: Annotated[
        Path | None, typer.Option("--data", help="Data folder; $PARLEVEL_HOME/tables if absent.")
    ] = None,
) -> None:
    """Hold overridden days that have come true against the model's own value, by author.

    Value added is the WMAPE the hand took off the model's; below zero it made things worse.

    Example: parlevel overrides score monday.parquet tuesday.parquet
    """
    from rich.console import Console
    from rich.table import Table

    from serving.settings import load
    from training.overrides import score_overrides

    table = Table("author", title="Overrides on days that have come true, in stock")
    for name in ("days", "WMAPE model", "WMAPE hand", "value added", "bias model", "bias hand"):
        table.add_column(name, justify="right")
    for one in score_overrides(data or load().tables, forecasts):
        table.add_row(
            one.author,
            f"{one.days:,}",
            f"{one.model_wmape:.1%}",
            f"{one.override_wmape:.1%}",
            f"{one.value_added:+.1%}",
            f"{one.model_bias:+.1%}",
            f"{one.override_bias:+.1%}",
        )
    Console().print(table)
