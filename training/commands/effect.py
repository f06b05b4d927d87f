"""``parlevel effect``: the average effect of an action, estimated and refuted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from serving import settings
from training.commands.progress import steps_bar

if TYPE_CHECKING:
    from training.uplift.report import Effect


def effect(
    data: Annotated[
        Path | None, typer.Option("--data", help="Data folder; $PARLEVEL_HOME/tables if absent.")
    ] = None,
    report: Annotated[Path | None, typer.Option("--report", help="HTML page to write.")] = None,
    *,
    lower_is_better: Annotated[
        bool, typer.Option(help="The action is to lower the outcome.")
    ] = False,
    acknowledge_sample_ratio: Annotated[
        bool, typer.Option(help="Go on where the treated share is not the one promised.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Seed of folds and draws.")] = 7,
    coverage: Annotated[
        int,
        typer.Option(
            help="Instead, count how many intervals of so many generated "
            "experiments hold the truth."
        ),
    ] = 0,
) -> None:
    """Estimate the average effect of the action and try to refute it.

    Model, identify, estimate (doubly robust; by the instrument where the table has that column),
    refute (placebo treatment, random common cause, subset, unobserved cause).

    Example: parlevel effect --data tables --report effect.html
    """
    console = Console()
    if coverage:
        _count(console, range(seed, seed + coverage))
        return
    from training.uplift.learners import assignment_of
    from training.uplift.report import effect_page
    from training.uplift.study import STEPS, study_effect
    from training.uplift.units import read_experiment

    folder = data or settings.load().tables
    units = read_experiment(
        folder, lower_is_better=lower_is_better, acknowledge=acknowledge_sample_ratio
    )
    with steps_bar(console) as bar:
        task = bar.add_task("assignment", total=STEPS + 1)
        assignment = assignment_of(units, seed)
        found = study_effect(
            folder,
            units,
            assignment,
            seed,
            lambda step: bar.update(task, description=step, advance=1),
        )
        bar.update(task, completed=STEPS + 1, description="done")
    show(console, found)
    if report is not None:
        effect_page(units, found).write(report)
        console.print(f"written to {report}", soft_wrap=True)


def show(console: Console, found: Effect) -> None:
    """Print the estimates and what they survived."""
    for sentence in found.model.sentences():
        console.print(sentence)
    table = Table("estimate", "effect", "95 % interval", "note")
    for one in found.estimates:
        table.add_row(one.name, f"{one.value:.4g}", f"{one.lower:.4g} to {one.upper:.4g}", one.note)
    console.print(table)
    attempts = Table("refutation", "estimate", "survived")
    for attempt in found.refutations:
        verdict = "yes" if attempt.passed else "NO"
        attempts.add_row(attempt.name, f"{attempt.value:.4g} +- {attempt.spread:.2g}", verdict)
    console.print(attempts)
    strength = found.sensitivity
    console.print(
        f"unobserved cause: would have to explain {strength.robustness:.1%} of what is left of "
        f"both treatment and outcome; E-value {strength.e_value:.2f}, of the interval "
        f"{strength.e_value_interval:.2f}"
    )


def _count(console: Console, seeds: range) -> None:
    """Print how many intervals hold the truth, arm by arm."""
    from training.uplift.coverage import UNITS, Covered, covered

    found: list[Covered] = []
    with steps_bar(console) as bar:
        task = bar.add_task("generated experiments", total=2 * len(seeds))
        for one in covered(seeds):
            found.append(one)
            bar.advance(task)
    table = Table("arm", "experiments", "adjusted holds the truth", "difference of means does")
    for random in (True, False):
        arm = [one for one in found if one.random is random]
        table.add_row(
            "randomised" if random else "confounded",
            f"{len(arm):,} of {UNITS:,} units",
            f"{sum(one.adjusted for one in arm) / len(arm):.1%}",
            f"{sum(one.naive for one in arm) / len(arm):.1%}",
        )
    console.print(table)
