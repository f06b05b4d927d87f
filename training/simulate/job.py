"""A simulation from the tables to its findings, with a model that has not seen the days."""

from __future__ import annotations

import datetime as dt
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from serving.errors import InvalidField
from training.backtest.runs import BacktestJob, past_fit
from training.batch.models import open_model
from training.content import Recipe
from training.panel import load_panel
from training.simulate.decisions import PROMISES, decide_levels
from training.simulate.fan import POLICY as SERVED
from training.simulate.fan import Fan, project
from training.simulate.running import Found, run_study
from training.simulate.study import Ground, lay_ground

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from serving.ports import DemandModel
    from training.simulate.scenarios import WhatIf
    from training.simulate.study import Study

    Progress = Callable[[str], None]

MIN_HORIZON = 14  # days a model fitted for a study is trained for at the least


@dataclass(frozen=True, slots=True)
class Models:
    """Where the model of a study comes from.

    Attributes:
        releases: Folder of the releases.
        cache: Folder where fits of past days are kept.
        wanted: A released version, or ``champion``; fitted as of the day before the first where
            empty.
    """

    releases: Path
    cache: Path
    wanted: str = ""


@dataclass(frozen=True, slots=True)
class Findings:
    """Everything a study found.

    Attributes:
        ground: What the policies met.
        found: What they achieved.
        fan: Projected stock of one series; None where no forecast was asked.
        model: Which model the forecast came from; empty where none was asked.
        seconds: Seconds the simulations took, without reading, fitting and deciding.
    """

    ground: Ground
    found: Found
    fan: Fan | None
    model: str
    seconds: float = 0.0


def investigate(
    study: Study, changes: Sequence[WhatIf], models: Models, progress: Progress
) -> Findings:
    """Read, decide and simulate.

    Args:
        study: What is asked.
        changes: What-ifs.
        models: Where the model comes from.
        progress: Told the name of each step as it begins.

    Raises:
        InvalidField: If the days, the policies or the model do not fit the data.
        MissingInput: If a term or a table is missing.
        BeyondTrained: If lead time and review together are beyond the model's cover.
    """
    progress("reading every day")
    ground = lay_ground(study, load_panel(study.data_dir))
    model = _model(study, ground, models, progress) if SERVED in study.policies else None
    promises = {one.service_level for one in changes if one.service_level is not None}
    decided = decide_levels(
        study, ground, model, progress, promises=sorted(promises.union(PROMISES))
    )
    started = time.monotonic()
    found = run_study(study, ground, decided, changes, progress)
    seconds = time.monotonic() - started
    if model is None:
        return Findings(ground, found, None, "", seconds)
    progress("projecting one series")
    fan = project(study, ground, decided.asked[SERVED], model)
    described = model.description
    return Findings(ground, found, fan, f"model {described.name} {described.version}", seconds)


def _model(study: Study, ground: Ground, models: Models, progress: Progress) -> DemandModel:
    """Return a model whose data end before the first day."""
    if models.wanted:
        model = open_model(models.releases, models.wanted)
        if model.description.data_end >= study.first:
            raise InvalidField(
                "model",
                f"must not have seen a simulated day: {models.wanted} was trained to "
                f"{model.description.data_end}; leave it out to fit one as of the day before",
            )
        return model
    horizon = max(int(ground.terms.reorder.cover_days.max()), MIN_HORIZON)
    origin = study.first - dt.timedelta(days=1)
    job = BacktestJob(study.data_dir, models.cache, (origin,), horizon, Recipe(horizon=horizon))
    return past_fit(job, progress).open()
