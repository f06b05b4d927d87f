"""The command line ``parlevel``: every subcommand is imported when it is called, not before."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.markup import escape
from typer.core import TyperGroup
from typer.main import get_command

from serving.errors import ParlevelError
from serving.settings import load
from training import full_disk

if TYPE_CHECKING:
    from collections.abc import Sequence

    from typer._click.core import Command, Context
    from typer._click.formatting import HelpFormatter

# One line each: name -> (module that defines it as a Typer app or command, help). Help stands here
# so that `parlevel --help` imports none of them.
COMMANDS: dict[str, tuple[str, str]] = {
    "up": (
        "training.commands.up:up",
        "Do it all: data, training, features, service, first answers.",
    ),
    "import": ("training.commands.tables:import_table", "Import a CSV or parquet file as a table."),
    "validate": ("training.commands.tables:validate", "Check every table of a folder."),
    "world": ("training.commands.world:world", "Generate a synthetic world with its truth apart."),
    "features": ("training.commands.features:app", "Apply, materialize and check features."),
    "train": ("training.commands.train:app", "Train, export, certify and register a model."),
    "backtest": (
        "training.commands.backtest:backtest",
        "Score the exported graph on past origins.",
    ),
    "models": (
        "training.commands.models:app",
        "List, show, certify, promote and roll back models.",
    ),
    "forecast": ("training.commands.forecast:forecast", "Forecast every series of a folder."),
    "publish": (
        "training.commands.publish:publish",
        "Answer every stored series ahead, where serving looks it up.",
    ),
    "should-cost": (
        "training.commands.cost:should_cost",
        "Judge every quote of a folder against should-cost.",
    ),
    "overrides": (
        "training.commands.overrides:app",
        "Measure what planners' overrides were worth.",
    ),
    "reorder": ("training.commands.reorder:reorder", "Recommend orders for every series."),
    "segments": (
        "training.commands.segments:segments",
        "Sort series into classes and segments.",
    ),
    "simulate": (
        "training.commands.simulate:simulate",
        "Simulate stock policies on past days.",
    ),
    "report": ("training.commands.report:app", "Write report pages of one HTML file each."),
    "variance": (
        "training.commands.cost_analysis:variance",
        "Split cost against budget exactly, month by month.",
    ),
    "analytics": (
        "training.commands.cost_analysis:analytics",
        "Run a named query over the cost tables.",
    ),
    "suppliers": (
        "training.commands.suppliers:app",
        "Rank suppliers and predict lead times from purchase orders.",
    ),
    "anomalies": (
        "training.commands.anomalies:anomalies",
        "Score costs, demand and deliveries for anomalies.",
    ),
    "actuals": (
        "training.commands.actuals:actuals",
        "Hold sales that came true against the forecasts that were served.",
    ),
    "retrain": (
        "training.commands.retrain:retrain",
        "Say whether to train anew, and register a challenger; never promote.",
    ),
    "drift": ("training.commands.drift:app", "Check tables for drift; calibrate the check."),
    "uplift": ("training.commands.uplift:uplift", "Score the effect of an action on every unit."),
    "effect": (
        "training.commands.effect:effect",
        "Estimate and refute the average effect of an action.",
    ),
    "home": ("training.commands.home:app", "Back up, restore and upgrade the home."),
    "serve": ("training.commands.serve:app", "Run, stop and inspect the service."),
}
# These read a home that is there; one of a newer version is refused before anything is done.
OPENS_HOME = {
    *("up", "features", "train", "backtest", "models"),
    *("forecast", "reorder", "segments", "simulate", "report", "serve", "uplift"),
    *("anomalies", "actuals", "retrain", "should-cost"),
}


class LazyGroup(TyperGroup):
    """A group whose members are imported on use."""

    def list_commands(self, ctx: Context) -> list[str]:
        """Return the names of all subcommands without importing them."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: Context, cmd_name: str) -> Command | None:
        """Import and return one subcommand, or None where there is none of that name."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        if cmd_name in OPENS_HOME:
            from training.operations import layout_of

            layout_of(load().home)
        target, _ = COMMANDS[cmd_name]
        module, _, attribute = target.partition(":")
        member = getattr(importlib.import_module(module), attribute)
        if isinstance(member, typer.Typer):
            return get_command(member)
        app = typer.Typer(add_completion=False)
        app.command(name=cmd_name)(member)
        return get_command(app)

    def format_commands(self, ctx: Context, formatter: HelpFormatter) -> None:
        """Write the list of subcommands from the table above."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; an expected failure prints one sentence and exits with 2."""
    group = LazyGroup(
        name="parlevel",
        help="Typed supply-chain decisions from sales, stock, cost and supplier history.",
        context_settings={"help_option_names": ["-h", "--help"]},
        rich_markup_mode=None,
    )
    try:
        group.main(args=None if arguments is None else list(arguments), prog_name="parlevel")
    except ParlevelError as error:
        raise _ended(str(error)) from error
    except Exception as error:
        if not full_disk.is_full(error):
            raise
        raise _ended(full_disk.SENTENCE) from error


def _ended(sentence: str) -> SystemExit:
    """Print why the command ends, and return what ends it."""
    console = Console(stderr=True)
    console.print(f"[bold red]error:[/] {escape(sentence)}", highlight=False, soft_wrap=True)
    return SystemExit(2)
