"""``parlevel simulate``: what stock policies would have achieved on days that are past."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated, Literal

import typer

from serving.errors import InvalidField


def simulate(
    *,
    first: Annotated[str, typer.Option("--from", help="First day simulated, as 2026-05-01.")],
    last: Annotated[str, typer.Option("--to", help="Last day simulated.")],
    report: Annotated[Path, typer.Option("--report", help="HTML file to write.")],
    data: Annotated[
        Path | None, typer.Option("--data", help="Data folder; $PARLEVEL_HOME/tables if absent.")
    ] = None,
    policy: Annotated[
        str, typer.Option("--policy", help="Policies to compare, comma between; all if absent.")
    ] = "",
    service_level: Annotated[
        float | None, typer.Option("--service-level", help="0.5 to 0.99; table policy if absent.")
    ] = None,
    lead_time_days: Annotated[
        float | None, typer.Option("--lead-time-days", help="Table sourcing if absent.")
    ] = None,
    lead_time_std_days: Annotated[
        float | None, typer.Option("--lead-time-std-days", help="Of a gamma lead time.")
    ] = None,
    review_days: Annotated[
        float | None, typer.Option("--review-days", help="0 is continuous; table policy if absent.")
    ] = None,
    minimum_order: Annotated[
        float | None, typer.Option("--minimum-order", help="0 lifts it; table products if absent.")
    ] = None,
    pack_size: Annotated[
        float | None, typer.Option("--pack-size", help="0 is none; table products if absent.")
    ] = None,
    holding_cost_rate: Annotated[
        float, typer.Option("--holding-cost-rate", help="A year, where table policy is silent.")
    ] = 0.25,
    unmet: Annotated[
        Literal["lost", "backordered"], typer.Option("--unmet", help="What unmet demand becomes.")
    ] = "lost",
    emergency_days: Annotated[
        int | None, typer.Option("--emergency-days", help="What was short comes in so many days.")
    ] = None,
    what_if: Annotated[
        list[str] | None,
        typer.Option("--what-if", help="A change, as lead_time=1.5,demand=1.2; may be repeated."),
    ] = None,
    truth: Annotated[
        Path | None, typer.Option("--truth", help="Truth of a world: simulate its demand.")
    ] = None,
    model: Annotated[
        str, typer.Option("--model", help="Version that forecasts; fitted before --from if absent.")
    ] = "",
    seed: Annotated[int, typer.Option("--seed", help="Of lead times and intervals.")] = 42,
) -> None:
    """Simulate policies on past days, each deciding on what was known before, and write a page.

    Example: parlevel simulate --from 2026-05-01 --to 2026-05-28 --report policies.html
    """
    from rich.console import Console

    from serving.settings import load
    from training.simulate.inputs import Unmet
    from training.simulate.job import Models, investigate
    from training.simulate.report import study_page, terminal_table
    from training.simulate.scenarios import parse_what_if
    from training.simulate.study import Study
    from training.simulate.terms import Asked

    settings, console = load(), Console()
    folder = data or settings.tables
    study = Study(
        data_dir=folder,
        first=_date("from", first),
        last=_date("to", last),
        policies=_policies(policy, folder),
        asked=Asked(
            lead_time_days=lead_time_days,
            lead_time_std_days=lead_time_std_days,
            review_days=review_days,
            service_level=service_level,
            minimum_order_quantity=minimum_order,
            pack_size=pack_size,
            holding_cost_rate=holding_cost_rate,
        ),
        unmet=Unmet(unmet),
        emergency_days=emergency_days,
        truth=truth,
        seed=seed,
    )
    changes = [parse_what_if(one) for one in what_if or ()]
    models = Models(settings.releases, settings.home / "cache" / "backtest", model)
    with console.status("simulate") as status:
        findings = investigate(study, changes, models, status.update)
    ground = findings.ground
    console.print(terminal_table(study, findings))
    console.print(
        f"{findings.found.runs} simulations of {ground.series.size:,} series over {ground.days} "
        f"days took {findings.seconds:.1f} s"
    )
    study_page(study, findings).write(report)
    console.print(f"wrote {report}")


def _policies(text: str, data_dir: Path) -> tuple[str, ...]:
    """Return the policies named, all of them where none is: that in force where a table has it."""
    from training import tables
    from training.simulate.policies import POLICIES
    from training.simulate.terms import CURRENT

    if text:
        return tuple(part.strip() for part in text.split(","))
    return tuple(name for name in POLICIES if name != CURRENT or tables.exists(data_dir, "policy"))


def _date(name: str, text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError as error:
        raise InvalidField(name, f"must be a date as 2026-05-01, got {text!r}") from error
