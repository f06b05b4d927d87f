"""``parlevel actuals``: hold sales that came true against the forecasts that were served."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from serving import settings

if TYPE_CHECKING:
    import polars as pl

    from serving.domain.retrain import RetrainAnswer


def actuals(
    file: Annotated[Path, typer.Argument(help="CSV or parquet: date, sku, location, quantity.")],
    *,
    as_of: Annotated[
        dt.datetime | None,
        typer.Option("--as-of", formats=["%Y-%m-%d"], help="Today; later sales are left out."),
    ] = None,
    webhook: Annotated[str, typer.Option(help="Address alerts are posted to.")] = "",
    slack: Annotated[bool, typer.Option(help="Post alerts in the form Slack takes.")] = False,
) -> None:
    """Join sales with the logged forecasts: accuracy, what every rule saw, and the verdict.

    Example: parlevel actuals sales-of-july.csv
    """
    from serving.adapters.readings import StoredReadings
    from serving.domain.retrain import decide
    from training.alerts import Webhook, alerts_of
    from training.judgement import judge, overview

    configured = settings.load()
    console = Console()
    today = as_of.date() if as_of else configured.as_of or dt.datetime.now(dt.UTC).date()
    with Console(stderr=True).status("joining sales with forecasts"):
        judgement = judge(configured, file, today)
    console.print(_overview_table(overview(judgement)))
    for count, text in (
        (judgement.unknown, "sales are of series and days nobody forecast"),
        (judgement.ahead, "sales lie ahead of today and were left out"),
        (judgement.replaced, "sales differ from what an earlier file said and replace it"),
    ):
        if count:
            console.print(f"[yellow]{count:,} {text}[/]")
    if judgement.unfair:
        console.print(f"[yellow]served worse than elsewhere: {', '.join(judgement.unfair)}[/]")
    answer = decide(StoredReadings(configured.monitoring).readings("forecast"))
    print_verdict(console, answer)
    if webhook:
        memory = configured.monitoring / "alerts.json"
        hook = Webhook(webhook, "slack" if slack else "json", memory)
        sent = hook.send(alerts_of("forecast", answer))
        console.print(f"{len(sent)} alerts sent")


def _overview_table(overview: pl.DataFrame) -> Table:
    table = Table("by", "of", "rows", "WMAPE", "bias", "coverage 90", "service 95")
    for row in overview.iter_rows(named=True):
        shares = (row[name] for name in ("wmape", "bias", "coverage_90", "service_level"))
        said = ("" if share is None else f"{share:.1%}" for share in shares)
        table.add_row(row["by"], row["of"], f"{row['rows']:,}", *said)
    return table


def print_verdict(console: Console, answer: RetrainAnswer) -> None:
    """Print a verdict with what every rule saw."""
    table = Table("rule", "value", "limit", "days broken", "fires", "what was seen")
    for one in answer.evidence:
        figures = ("" if value is None else f"{value:.3f}" for value in (one.value, one.limit))
        table.add_row(
            one.rule, *figures, str(one.days_broken), "yes" if one.fired else "", one.detail
        )
    console.print(table)
    verdict = answer.verdict.name.lower().replace("_", " ")
    console.print(f"[bold]{verdict}[/] since {answer.since_date}: {answer.reason}", soft_wrap=True)
