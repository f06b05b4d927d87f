"""Training runs: data in, a certified and registered version out; nothing is done twice."""

from __future__ import annotations

import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.table import Table

from serving.domain.demand import QUANTILE_LEVELS
from serving.domain.features import FEATURES, feature_set_hash
from serving.domain.periods import last_day
from serving.errors import ReleaseRefused
from training.backtest.graphs import certified_rows
from training.backtest.scoring import score
from training.baseline import accuracy_bands, keep_bands, keep_baseline
from training.card import accuracy_plot, importance_plot, model_card
from training.certificate import certify
from training.demand import COVER_LEVELS, train
from training.panel import load_panel
from training.registry import Candidate, Registry
from training.routed import as_of_fit, routed
from training.sampled import load_training_panel

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from serving.settings import Settings
    from training.content import ForecastRun
    from training.demand import Training
    from training.panel import Panel

FORECAST = "forecast"
HEADLINE = "wmape/sku_location/all"
# The figures of a run that the terminal, the release and the model card show.
SHOWN = (
    HEADLINE,
    "gain/sku_location/all",
    "bias/sku_location/all",
    "wmape/sku_location/every_day",
    "coverage_90/sku_location/all",
    "wmape/category_location/all",
    "wmape/total/all",
    "service_95/cover/full_stock",
)
STEPS = 26  # steps a run tells of, for the progress bar
# What hold-out metrics are measured on; `parlevel backtest` scores everything.
SCORED_SERIES, SCORED_DAYS = 2_000, 28


@dataclass(frozen=True, slots=True)
class RunResult:
    """What a run yields.

    Attributes:
        version: Registered version.
        skipped: The version was there already.
        metrics: Hold-out metrics by name; empty where skipped.
    """

    version: str
    skipped: bool
    metrics: Mapping[str, float]

    def table(self) -> Table:
        """Return the hold-out metrics as a table for the terminal."""
        table = Table("hold-out metric", "value")
        for name in SHOWN:
            if name in self.metrics:
                table.add_row(name, f"{self.metrics[name]:.4f}")
        return table


def train_forecast(settings: Settings, run: ForecastRun, tell: Callable[[str], None]) -> RunResult:
    """Train, export, certify and register the demand model.

    Args:
        settings: Where the registry and the releases are.
        run: What is asked.
        tell: Told the name of each step as it begins.

    Raises:
        MissingInput: If there are no sales, or too few days of them.
        TableRefused: If a table breaks its contract.
        ReleaseRefused: If the certificate does not pass.
    """
    registry = Registry(settings)
    tags = run.tags()
    known = None if run.force else registry.find(FORECAST, tags)
    if known is not None:
        return RunResult(known, skipped=True, metrics={})
    panel = load_training_panel(run.data, as_of=run.as_of)
    training = train(panel, run.recipe, tell)
    tell("routes")
    graph, held = routed(panel, training)
    tell("hold-out metrics")
    metrics = _holdout_metrics(_scored_panel(run, panel), training, held)
    tell("export and certificate")
    certificate = certify(graph, training.final, certified_rows(panel, training.final.horizon))
    if not certificate["passed"]:
        failed = [check["name"] for check in certificate["checks"] if not check["passed"]]
        raise ReleaseRefused(FORECAST, f"its graph differs from its model on {', '.join(failed)}")
    tell("registration")
    data_end = last_day(panel.history.last_day).astype(object)
    facts = {
        "quantile_levels": list(QUANTILE_LEVELS),
        "cover_quantile_levels": list(COVER_LEVELS),
        "max_horizon": training.final.horizon,
        "max_cover": training.final.horizon,
        "frequency": panel.folder.sales.frequency.name.lower(),
        "data_end": data_end.isoformat(),
        "metrics": {name: metrics[name] for name in SHOWN if name in metrics},
    }
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        artifacts = {
            "accuracy": accuracy_plot(metrics, folder / "accuracy.png"),
            "importance": importance_plot(training.final, folder / "importance.png"),
            "card": model_card(folder / "model_card.md", facts=facts, certificate=certificate),
        }
        version = registry.register(
            Candidate(
                name=FORECAST,
                graph=graph,
                certificate=certificate,
                features=FEATURES,
                feature_set_hash=feature_set_hash(),
                facts=facts,
                headline=HEADLINE,
                parameters={**asdict(run.recipe), "features": len(FEATURES)},
                metrics=metrics,
                tags={**tags, "data_end": facts["data_end"]},
                artifacts=artifacts,
            )
        )
    release = settings.releases / FORECAST / version
    keep_baseline(release, panel, training.final)
    past = as_of_fit(panel, training.holdout, held, training.holdout_origin)
    keep_bands(release, accuracy_bands(panel, past.open(), training.holdout_origin))
    return RunResult(version, skipped=False, metrics=metrics)


def _holdout_metrics(panel: Panel, training: Training, graph: bytes) -> dict[str, float]:
    """Score the hold-out model, as exported and through the serving code, after its origin."""
    fit, origin = training.holdout, training.holdout_origin
    horizon = min(fit.horizon, SCORED_DAYS, panel.history.days - 1 - origin)
    past = as_of_fit(panel, fit, graph, origin)
    scored = score(panel, past.open(), origin, horizon)
    return {name: value for name, value in scored.items() if np.isfinite(value)}


def _scored_panel(run: ForecastRun, panel: Panel) -> Panel:
    """Return a panel of at most about SCORED_SERIES series, products drawn evenly."""
    if len(panel.skus) <= SCORED_SERIES:
        return panel
    skus = sorted(set(panel.skus))
    step = -(-len(panel.skus) // SCORED_SERIES)
    return load_panel(run.data, as_of=run.as_of, skus=skus[::step])
