"""Backtest runs: train as of each origin, export, certify, open as serving does, and score."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from serving.domain.features import feature_set_hash
from serving.domain.periods import first_day
from serving.errors import InvalidField
from training import tables
from training.backtest.graphs import fit_as_of, keep_fit, kept_fit, write_whole
from training.backtest.scoring import score
from training.content import ROUTE_CODE
from training.features.sales import open_sales
from training.panel import load_panel

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from training.backtest.graphs import PastFit
    from training.content import Recipe
    from training.panel import Panel

    Progress = Callable[[str], None]

# What decides a fit and its scores; a change of any makes them anew.
_FIT_CODE = (
    *(f"serving/domain/{name}.py" for name in ("features", "history")),
    *(
        f"training/{name}.py"
        for name in (
            *("boosters", "conformal", "demand", "demand_rows", "graph", "panel"),
            *("features/records", *(file.removesuffix(".py") for file in ROUTE_CODE)),
        )
    ),
)
_SCORE_CODE = (
    "training/metrics.py",
    *(
        f"training/backtest/{name}.py"
        for name in (
            *("baselines", "coherence", "cover", "forecasts", "intervals"),
            *("levels", "scene", "scoring", "slices"),
        )
    ),
)


@dataclass(frozen=True, slots=True)
class BacktestJob:
    """What is asked of a backtest.

    Attributes:
        data_dir: The data folder.
        cache: Folder where fits and scores are kept by content.
        origins: Last known day of each fit.
        horizon: Days ahead that are scored, and the longest trained.
        recipe: How each fit is trained.
        hold_out: Every so many-th location is not trained on; 0 where all are.
    """

    data_dir: Path
    cache: Path
    origins: tuple[dt.date, ...]
    horizon: int
    recipe: Recipe
    hold_out: int = 0

    def __post_init__(self) -> None:
        """Refuse origins that stand twice, and a recipe for another horizon."""
        if not self.origins:
            raise InvalidField("origins", "is required: one date at the least")
        if len(set(self.origins)) < len(self.origins):
            raise InvalidField("origins", "must each stand once")
        if self.recipe.horizon != self.horizon:
            raise InvalidField("recipe.horizon", f"must be the horizon scored, {self.horizon}")
        if self.hold_out < 0 or self.hold_out == 1:
            raise InvalidField("hold_out", "must be 2 or more, or 0 to train on all")


@dataclass(frozen=True, slots=True)
class OriginScore:
    """How the model of one origin did.

    Attributes:
        origin: Its last known day.
        horizon: Days ahead that were scored.
        figures: Figures by name, as in training.backtest.scoring.
        graph_sha256: Digest of the graph that was scored.
        certified_rows: Rows on which graph and boosters were compared.
        cached: It was scored before.
    """

    origin: dt.date
    horizon: int
    figures: Mapping[str, float]
    graph_sha256: str
    certified_rows: int
    cached: bool = False


class _Keys(NamedTuple):
    """An origin and the hashes of what its fit and its scores depend on."""

    origin: dt.date
    fit: str
    scores: str


def backtest(job: BacktestJob, progress: Progress) -> list[OriginScore]:
    """Score the exported graph on rolling origins.

    Each fit sees the tables up to its origin; the days after it are read apart and only scored.

    Args:
        job: What is asked.
        progress: Told the name of each step as it begins.

    Returns:
        One score an origin, in the order asked.

    Raises:
        MissingInput: If there are no sales, or too few days before an origin.
        InvalidField: If an origin has no day with sales after it.
        ReleaseRefused: If an exported graph differs from its boosters.
    """
    keys = _keys(job)
    kept = [_kept_score(_scores(job, one)) for one in keys]
    found = [one for one in kept if one is not None]
    if len(found) == len(keys):
        return found
    progress("reading all days")
    panel = load_panel(job.data_dir)
    for origin in job.origins:
        index_of(panel, origin)  # a wrong one is refused before the first is fitted
    return [
        score_kept or _score_origin(job, panel, one, progress)
        for one, score_kept in zip(keys, kept, strict=True)
    ]


def past_fit(job: BacktestJob, progress: Progress) -> PastFit:
    """Return the fit of the first origin of a job: the kept one, else one made now and kept.

    Args:
        job: What is asked.
        progress: Told the name of each step as it begins.

    Raises:
        MissingInput: If there are too few days of sales up to the origin.
        ReleaseRefused: If the exported graph differs from its boosters.
    """
    return _past_fit(job, _keys(job)[0], progress)


def last_origins(data_dir: Path, horizon: int) -> tuple[dt.date, ...]:
    """Return the last two origins with a whole horizon after them, a horizon apart.

    Args:
        data_dir: The data folder.
        horizon: Days ahead.

    Raises:
        MissingInput: If the folder has no sales.
    """
    last = open_sales(data_dir, None).last_day
    return tuple(first_day(last - back * horizon).astype(object) for back in (2, 1))


def dates(text: str) -> tuple[dt.date, ...]:
    """Read dates with commas between them.

    Raises:
        InvalidField: If one is no date.
    """
    try:
        return tuple(dt.date.fromisoformat(part.strip()) for part in text.split(","))
    except ValueError as error:
        raise InvalidField("origins", f"must be dates as 2026-05-01, got {text!r}") from error


def mean_figures(scores: Sequence[OriginScore]) -> dict[str, float]:
    """Return the mean over origins of every figure that all of them have; rows are added up."""
    names = [name for name in scores[0].figures if all(name in one.figures for one in scores)]
    return {
        name: float((np.sum if name.startswith("rows/") else np.mean)(values))
        for name in names
        for values in [[one.figures[name] for one in scores]]
    }


def report(job: BacktestJob, scores: Sequence[OriginScore]) -> dict[str, Any]:
    """Return everything a backtest found, fit for JSON."""
    return {
        "horizon": job.horizon,
        "recipe": asdict(job.recipe),
        "hold_out": job.hold_out,
        "feature_set_hash": feature_set_hash(),
        "data_sha256": tables.digest(job.data_dir),
        "origins": [_record(one) for one in scores],
        "mean": mean_figures(scores),
    }


def asked(job: BacktestJob) -> dict[str, str]:
    """Return what a backtest was asked, as the parameters of a run."""
    return {
        "horizon": str(job.horizon),
        "origins": ",".join(str(origin) for origin in job.origins),
        "feature_set_hash": feature_set_hash(),
        "data_sha256": tables.digest(job.data_dir),
        **{f"recipe.{name}": str(value) for name, value in asdict(job.recipe).items()},
    }


def _score_origin(job: BacktestJob, panel: Panel, keys: _Keys, progress: Progress) -> OriginScore:
    """Fit as of one origin unless that is kept, score, and keep what was found."""
    origin = keys.origin

    def tell(step: str) -> None:
        progress(f"{origin}: {step}")

    fit = _past_fit(job, keys, tell)
    tell("scores")
    index = index_of(panel, origin)
    scored = OriginScore(
        origin=origin,
        horizon=min(job.horizon, panel.history.days - 1 - index),
        figures=score(panel, fit.open(), index, job.horizon, hold_out=job.hold_out),
        graph_sha256=fit.digest,
        certified_rows=fit.certificate.row_count,
    )
    write_whole(_scores(job, keys), json.dumps(_record(scored), indent=1).encode())
    return scored


def _past_fit(job: BacktestJob, keys: _Keys, progress: Progress) -> PastFit:
    folder = job.cache / "fits" / keys.fit
    fit = kept_fit(folder)
    if fit is None:
        fit = fit_as_of(job.data_dir, keys.origin, job.recipe, progress, hold_out=job.hold_out)
        keep_fit(folder, fit)
    return fit


def index_of(panel: Panel, origin: dt.date) -> int:
    """Return the place of an origin on the grid, which goes on after it."""
    first, last = (
        one.astype(object) for one in (first_day(panel.day(0)), first_day(panel.history.last_day))
    )
    if not first <= origin < last:
        before = last - dt.timedelta(days=1)
        raise InvalidField("origins", f"must be from {first} to {before}, got {origin}")
    return panel.index(origin)


def _keys(job: BacktestJob) -> list[_Keys]:
    """Return, for each origin, the hashes of everything its fit and its scores depend on."""
    content = {
        "data": tables.digest(job.data_dir),
        "features": feature_set_hash(),
        "recipe": asdict(job.recipe),
        "hold_out": job.hold_out,
        "fit_code": _code_hash(_FIT_CODE),
    }
    scoring = {"horizon": job.horizon, "score_code": _code_hash(_SCORE_CODE)}
    return [
        _Keys(origin, _hash({**content, "origin": str(origin)}), _hash({**scoring, **content}))
        for origin in job.origins
    ]


def _hash(content: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def _code_hash(files: Sequence[str]) -> str:
    code = hashlib.sha256()
    for file in files:
        code.update((Path(__file__).parents[2] / file).read_bytes())
    return code.hexdigest()


def _scores(job: BacktestJob, keys: _Keys) -> Path:
    return job.cache / "scores" / keys.scores / f"{keys.origin}.json"


def _kept_score(file: Path) -> OriginScore | None:
    try:
        found = json.loads(file.read_bytes())
    except FileNotFoundError:
        return None
    found["origin"] = dt.date.fromisoformat(found["origin"])
    return OriginScore(**{**found, "cached": True})


def _record(scored: OriginScore) -> dict[str, Any]:
    return {**asdict(scored), "origin": str(scored.origin), "figures": dict(scored.figures)}
