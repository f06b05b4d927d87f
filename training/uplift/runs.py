"""Uplift training runs: an experiment in, a certified and registered version out."""

from __future__ import annotations

import datetime as dt
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
from rich.table import Table

from serving.adapters.uplift import NAME, NO_SIGNAL
from serving.domain.uplift import UpliftInterval
from serving.errors import InvalidField, MissingInput, ReleaseRefused
from training.registry import WITHHELD, Candidate, Registry
from training.tables import reading
from training.uplift.card import model_card
from training.uplift.certificate import certify
from training.uplift.evaluation import (
    CHANCE,
    SHARES,
    Figure,
    auuc,
    calibration_line,
    qini,
    root_error,
    uplift_at,
)
from training.uplift.graph import build_graph
from training.uplift.learners import FOREST, LEARNERS, assignment_of, fit_learner
from training.uplift.selection import SIGNAL, assess
from training.uplift.units import TABLE, TREATED_DATE, days_of, read_experiment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from serving.settings import Settings
    from training.uplift.content import UpliftRun
    from training.uplift.learners import Fitted
    from training.uplift.selection import Assessment
    from training.uplift.units import Units

HEADLINE = "auuc"
STEPS = len(LEARNERS) + 6  # steps a run tells of, for the progress bar
MOST_HELD = 2_000  # rows as they occur that the certificate is taken on


@dataclass(frozen=True, slots=True)
class UpliftResult:
    """What a run yields.

    Attributes:
        version: Registered version.
        skipped: The version was there already; the rest is None then.
        assessment: What held-out units say of each learner.
        metrics: Figures as registered.
        warnings: What was left out, in sentences.
    """

    version: str
    skipped: bool
    assessment: Assessment | None = None
    metrics: Mapping[str, float] | None = None
    warnings: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """What the figures say of the ranking."""
        return self.assessment.verdict if self.assessment else ""

    @property
    def withheld(self) -> bool:
        """Whether the version must not serve."""
        return self.verdict != SIGNAL

    def tables(self) -> list[Table]:
        """Return the learners and the figures of the chosen one as tables for the terminal."""
        if self.assessment is None or self.metrics is None:
            return []
        found = self.assessment
        learners = Table("learner", "AUUC (chance .5)", "doubly robust", "risk")
        for name in found.effects:
            mark = " *" if name == found.chosen else ""
            row = found.auuc[name], found.robust_auuc[name], f"{found.risk[name]:.5g}"
            learners.add_row(name.replace("_", " ") + mark, *map(str, row))
        figures = Table("held-out figure", "value")
        for name, value in self.metrics.items():
            if "/" not in name:
                figures.add_row(name.replace("_", " "), f"{value:.4f}")
        return [learners, figures]


def train_uplift(settings: Settings, run: UpliftRun, tell: Callable[[str], None]) -> UpliftResult:
    """Fit all learners, choose one on units it did not see, export, certify and register it.

    Args:
        settings: Where the registry and the releases are.
        run: What is asked.
        tell: Told the name of each step as it begins.

    Raises:
        TableRefused: If the table breaks its contract.
        InvalidField: If the experiment cannot be learned from.
        SampleRatioMismatch: If the treated share is not as promised, unacknowledged.
        ReleaseRefused: If the certificate does not pass.
    """
    registry = Registry(settings)
    tags = run.tags()
    known = None if run.force else registry.find(NAME, tags)
    if known is not None:
        return UpliftResult(known, skipped=True)
    units = read_experiment(
        run.data, lower_is_better=run.lower_is_better, acknowledge=run.acknowledge
    )
    assignment = assignment_of(units, run.seed)
    assessment = assess(units, assignment, run.seed, tell)
    tell("final model")
    fitted = fit_learner(assessment.chosen, units, assignment, run.seed)
    metrics = metrics_of(assessment)
    if run.truth is not None:
        truth = read_truth(run.truth, units.unit_ids.tolist())
        truth = -truth if run.lower_is_better else truth
        metrics |= beside_truth(assessment, truth)
    tell("export and certificate")
    line = calibration_line(assessment.effects[fitted.name], assessment.outcomes.scores)
    graph = build_graph(fitted, line, units.rows.shape[1])
    certificate = certify(graph, fitted, line, units.rows[:MOST_HELD])
    if not certificate["passed"]:
        failed = [check["name"] for check in certificate["checks"] if not check["passed"]]
        raise ReleaseRefused(NAME, f"its graph differs from its model on {', '.join(failed)}")
    tell("registration")
    facts = _facts(run, units, assessment, metrics)
    with tempfile.TemporaryDirectory() as scratch:
        card = model_card(
            Path(scratch) / "model_card.md", units=units, assessment=assessment, facts=facts
        )
        version = registry.register(
            Candidate(
                name=NAME,
                graph=graph,
                certificate=certificate,
                features=units.encoding.features,
                feature_set_hash=units.encoding.digest,
                facts=facts,
                headline=HEADLINE,
                parameters=_parameters(run, units, fitted),
                metrics=metrics,
                tags={**tags, "verdict": assessment.verdict},
                artifacts={"card": card},
            )
        )
    return UpliftResult(
        version, skipped=False, assessment=assessment, metrics=metrics, warnings=units.warnings
    )


def metrics_of(assessment: Assessment) -> dict[str, float]:
    """Return the figures of the chosen learner, and the areas of all, by name."""
    effects, outcomes = assessment.effects[assessment.chosen], assessment.outcomes
    mean, low, high = outcomes.average_effect
    line = calibration_line(effects, outcomes.scores)
    metrics = {
        "auuc": assessment.headline.value,
        "auuc_lower": assessment.headline.lower,
        "auuc_upper": assessment.headline.upper,
        "auuc_optimism": assessment.optimism,
        "qini": qini(effects, outcomes),
        "average_effect": mean,
        "average_effect_lower": low,
        "average_effect_upper": high,
        "calibration_slope": line.slope,
    }
    for share in SHARES:
        metrics[f"uplift_at_{share:.0%}".rstrip("%")] = uplift_at(effects, outcomes, share)
    for name, figure in assessment.auuc.items():
        metrics[f"auuc/{name}"] = figure.value
    return metrics


def beside_truth(assessment: Assessment, truth: NDArray[np.float64]) -> dict[str, float]:
    """Return the error of the chosen learner's effects, and how near its area is to the truth's.

    Args:
        assessment: What held-out units say of each learner.
        truth: Known effect of each unit, shape (n,).

    Returns:
        ``root_pehe``; ``oracle_auuc``, the area of a ranking by the known effects on the same
        outcomes; ``share_of_oracle``, what the chosen ranking is above chance over what that is,
        where that is above chance at all.
    """
    found = {
        "root_pehe": root_error(assessment.effects[assessment.chosen], truth),
        "oracle_auuc": auuc(truth, assessment.outcomes),
    }
    oracle = found["oracle_auuc"] - CHANCE
    if oracle > 0:
        found["share_of_oracle"] = (assessment.headline.value - CHANCE) / oracle
    return found


def read_truth(file: Path, unit_ids: list[str]) -> NDArray[np.float64]:
    """Read known effects of units from a parquet or CSV file of unit_id and effect.

    Raises:
        MissingInput: If a unit, or one of the columns, is not there.
        InvalidField: If there is no such file.
    """
    if not file.is_file():
        raise InvalidField("truth", f"{file} does not exist")
    frame = pl.read_parquet(file) if file.suffix == ".parquet" else pl.read_csv(file)
    for name in ("unit_id", "effect"):
        if name not in frame.columns:
            raise MissingInput(f"column {name!r} of the truth", TABLE)
    asked = pl.DataFrame({"unit_id": unit_ids})
    found = asked.join(
        frame.select(pl.col("unit_id").cast(pl.String), pl.col("effect").cast(pl.Float64)),
        on="unit_id",
        how="left",
        maintain_order="left",
    )["effect"]
    if found.null_count():
        raise MissingInput(f"the known effect of {found.null_count()} units", TABLE)
    return found.to_numpy()


def _facts(
    run: UpliftRun, units: Units, assessment: Assessment, metrics: Mapping[str, float]
) -> dict[str, Any]:
    forest = assessment.chosen == FOREST
    facts: dict[str, Any] = {
        "data_end": _data_end(run.data).isoformat(),
        "metrics": {name: value for name, value in metrics.items() if "/" not in name},
        "encoding": units.encoding.as_json(),
        "lower_is_better": run.lower_is_better,
        "interval": int(UpliftInterval.COVARIATES if forest else UpliftInterval.SCORE),
        "learner": assessment.chosen,
        "verdict": assessment.verdict,
    }
    if assessment.verdict != SIGNAL:
        figure = f"AUUC {_written(assessment.headline)}, chance is 0.5"
        facts[NO_SIGNAL] = figure
        facts[WITHHELD] = f"it shows no signal: {figure}"
    return facts


def _written(figure: Figure) -> str:
    return f"{figure.value:.3f}, {figure.lower:.3f} to {figure.upper:.3f}"


def _data_end(data: Path) -> dt.date:
    """Return the last day of treatment where the table tells it, else today."""
    frame = reading.read(data, TABLE)
    if TREATED_DATE in frame.columns:
        last = days_of(frame[TREATED_DATE]).max()
        if isinstance(last, dt.date):
            return last
    return dt.datetime.now(dt.UTC).date()


def _parameters(run: UpliftRun, units: Units, fitted: Fitted) -> dict[str, Any]:
    return {
        "learner": fitted.name,
        "seed": run.seed,
        "units": len(units.treated),
        "treated_units": int(units.treated.sum()),
        "features": units.rows.shape[1],
        "lower_is_better": run.lower_is_better,
    }
