"""Training of the anomaly model: tables in, one certified and registered graph of all kinds out."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from serving.adapters.anomaly import ROWS, SCORE, encoded
from serving.adapters.onnx import open_session
from serving.domain.anomaly import (
    FEATURES,
    OWN_FEATURES,
    AnomalyKind,
    columns_of,
    feature_rows,
    feature_set_hash,
    p_values,
)
from serving.errors import MissingInput, NoModel, ReleaseRefused
from training import tables
from training.anomaly_certificate import certify
from training.anomaly_days import demand_rows
from training.anomaly_forest import PartingForest, joined
from training.anomaly_graph import build_graph
from training.anomaly_rows import cost_rows, delay_rows, inputs_of
from training.anomaly_usual import set_aside
from training.batch.models import open_model
from training.panel import load_panel
from training.registry import Candidate, Registry

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Mapping

    import polars as pl
    from numpy.typing import NDArray

    from serving.adapters.onnx import Session
    from serving.settings import Settings

    Rows = NDArray[np.float32]

ANOMALY = "anomaly"
HEADLINE = "flag_rate_1_percent"
STEPS = 8
LEAST_ROWS = 200  # of a kind; of fewer nothing usual can be said at 1 in 100
MOST_TRAINED, MOST_CALIBRATED, MOST_HELD = 40_000, 20_000, 10_000
CALIBRATED = 0.35  # share of the rows
HELD = 0.15
WEEKS = 12  # of sales
_CODE = tuple(
    f"anomaly_{part}.py"
    for part in ("days", "forest", "graph", "guards", "rows", "runs", "tree", "usual")
)


@dataclass(frozen=True, slots=True)
class AnomalyRun:
    """What a training run of the anomaly model is asked.

    Attributes:
        data: Data folder.
        as_of: Last day training may see; the last day of the tables where None.
        trees: Trees of the forest.
        seed: Seed of sampling and growing.
        force: Train even if a version of the same content is registered.
    """

    data: Path
    as_of: dt.date | None
    trees: int = 100
    seed: int = 7
    force: bool = False

    def tags(self) -> dict[str, str]:
        """Return the content hashes that identify what this run would register."""
        code = hashlib.sha256()
        for file in _CODE:
            code.update((Path(__file__).parent / file).read_bytes())
        recipe = {"trees": self.trees, "seed": self.seed}
        return {
            "data_sha256": tables.digest(self.data),
            "as_of": str(self.as_of or "last"),
            "recipe": json.dumps(recipe, sort_keys=True),
            "feature_set_hash": feature_set_hash(),
            "code_sha256": code.hexdigest(),
        }


@dataclass(frozen=True, slots=True)
class AnomalyResult:
    """What a run yields.

    Attributes:
        version: Registered version.
        skipped: The version was there already.
        metrics: Figures by name; empty where skipped.
        absent: Why a kind was left out, by its name.
    """

    version: str
    skipped: bool
    metrics: Mapping[str, float]
    absent: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Parts:
    """Usual rows of one kind, dealt out at random.

    Attributes:
        train: Rows the trees are grown on, shape (n, features).
        calibrate: Rows whose scores say what is usual.
        held: Rows that neither saw.
        aside: Rows that were too far out to be usual; in none of the parts.
    """

    train: Rows
    calibrate: Rows
    held: Rows
    aside: int


def train_anomaly(
    settings: Settings, run: AnomalyRun, tell: Callable[[str], None]
) -> AnomalyResult:
    """Train, export, certify and register the anomaly model.

    Args:
        settings: Where the registry and the releases are.
        run: What is asked.
        tell: Told the name of each step as it begins.

    Raises:
        MissingInput: If the tables hold too few rows of every kind.
        TableRefused: If a table breaks its contract.
        ReleaseRefused: If the certificate does not pass.
    """
    registry = Registry(settings)
    tags = run.tags()
    known = None if run.force else registry.find(ANOMALY, tags)
    if known is not None:
        return AnomalyResult(known, skipped=True, metrics={}, absent={})
    parts, absent, data_end = _parts(settings, run, tell)
    tell("forests")
    forests = {
        kind: PartingForest(run.trees, seed=run.seed).fit(part.train[:, columns_of(kind)])
        for kind, part in parts.items()
    }
    whole = joined(
        [(int(kind), columns_of(kind).start, forest) for kind, forest in forests.items()],
        len(FEATURES),
    )
    tell("export and certificate")
    graph = build_graph(whole)
    holdout = np.concatenate([part.held[:200] for part in parts.values()])
    certificate = certify(graph, whole, holdout)
    if not certificate["passed"]:
        raise ReleaseRefused(ANOMALY, "its graph differs from its forest")
    tell("registration")
    candidate = _candidate(run, graph, certificate, parts, data_end)
    version = registry.register(candidate)
    return AnomalyResult(version, skipped=False, metrics=candidate.metrics, absent=absent)


def _candidate(
    run: AnomalyRun,
    graph: bytes,
    certificate: Mapping[str, Any],
    parts: Mapping[AnomalyKind, Parts],
    data_end: dt.date,
) -> Candidate:
    """Return what is registered: the graph, and what is usual of each kind as the graph sees it."""
    session = open_session(graph)
    metrics = _metrics(session, parts)
    return Candidate(
        name=ANOMALY,
        graph=graph,
        certificate=certificate,
        features=FEATURES,
        feature_set_hash=feature_set_hash(),
        facts={
            "usual": _usual(session, parts),
            "data_end": data_end.isoformat(),
            "metrics": metrics,
        },
        headline=HEADLINE,
        parameters={name: value for name, value in asdict(run).items() if name != "data"},
        metrics=metrics,
        tags=run.tags(),
        artifacts={},
    )


def _parts(
    settings: Settings, run: AnomalyRun, tell: Callable[[str], None]
) -> tuple[dict[AnomalyKind, Parts], dict[str, str], dt.date]:
    """Return the rows of every kind the tables hold enough of, why others are absent, the end."""
    found: dict[AnomalyKind, Parts] = {}
    absent: dict[str, str] = {}
    ends: list[dt.date] = []
    for kind in AnomalyKind:
        tell(f"rows of {kind.name.lower()}")
        try:
            rows = rows_of(settings, run.data, kind, run.as_of)
        except (MissingInput, NoModel) as error:
            absent[kind.name.lower()] = str(error)
            continue
        if rows.height < LEAST_ROWS:
            absent[kind.name.lower()] = f"{rows.height} rows, {LEAST_ROWS} are needed"
            continue
        found[kind] = _dealt(kind, rows, run.seed)
        ends.append(rows["date"].max())  # type: ignore[arg-type]  # dates, by the contract
    if not found:
        raise MissingInput(f"rows to learn from ({'; '.join(absent.values())})", "purchase_orders")
    return found, absent, max(ends)


def rows_of(
    settings: Settings, data: Path, kind: AnomalyKind, as_of: dt.date | None
) -> pl.DataFrame:
    """Return the rows of a kind that tables hold.

    Args:
        settings: Where the demand model is.
        data: Data folder.
        kind: The kind.
        as_of: Last day that counts; the last one where None.

    Raises:
        MissingInput: If a table is absent or too short.
        NoModel: If the kind needs a demand model and none is registered.
    """
    if kind is AnomalyKind.COST:
        return cost_rows(data, as_of)
    if kind is AnomalyKind.SUPPLIER_DELAY:
        return delay_rows(data, as_of)
    model = open_model(settings.releases, "current")
    return demand_rows(load_panel(data, as_of=as_of), model, WEEKS)


def _dealt(kind: AnomalyKind, table: pl.DataFrame, seed: int) -> Parts:
    """Deal out the usual rows of a kind; each table they come from has tails of its own."""
    rows = feature_rows(kind, inputs_of(kind, table))
    aside = np.zeros(len(rows), dtype=bool)
    for source in table["source"].unique():
        here = (table["source"] == source).to_numpy()
        aside[here] = set_aside(rows[here, columns_of(kind)])
    rows = rows[~aside]
    order = np.random.default_rng(seed).permutation(len(rows))
    calibrated, held = int(len(rows) * CALIBRATED), int(len(rows) * HELD)
    cuts = np.split(rows[order], [calibrated, calibrated + held])
    return Parts(
        calibrate=cuts[0][:MOST_CALIBRATED],
        held=cuts[1][:MOST_HELD],
        train=cuts[2][:MOST_TRAINED],
        aside=int(aside.sum()),
    )


def _usual(session: Session, parts: Mapping[AnomalyKind, Parts]) -> dict[str, Any]:
    """Return what is usual of each kind, fit for a manifest."""
    found = {}
    for kind, part in parts.items():
        own = part.calibrate[:, columns_of(kind)].astype(np.float64)
        known = [column[np.isfinite(column)] for column in own.T]
        ends = [np.quantile(one, (0.05, 0.95)) if one.size else (0.0, 0.0) for one in known]
        found[kind.name] = {
            "scores": encoded(np.sort(scores_of(session, part.calibrate))),
            "lows": [float(low) for low, _ in ends],
            "highs": [float(high) for _, high in ends],
        }
    return found


def scores_of(session: Session, rows: Rows) -> Rows:
    """Return the scores of rows as the graph gives them, shape (n,)."""
    scores: Rows = session.run((SCORE,), {ROWS: rows})[0][:, 0]
    return scores


def _metrics(session: Session, parts: Mapping[AnomalyKind, Parts]) -> dict[str, float]:
    """Return how often held rows are flagged at 1 in 100, and how many rows there were."""
    found: dict[str, float] = {}
    for kind, part in parts.items():
        usual = np.sort(scores_of(session, part.calibrate)).astype(np.float64)
        flagged = p_values(scores_of(session, part.held).astype(np.float64), usual) <= 0.01  # noqa: PLR2004
        name = kind.name.lower()
        found[f"{HEADLINE}/{name}"] = float(flagged.mean())
        found[f"rows/{name}"] = float(sum(map(len, (part.train, part.calibrate, part.held))))
        found[f"set_aside/{name}"] = float(part.aside)
        found[f"features/{name}"] = float(len(OWN_FEATURES[kind]))
    found[HEADLINE] = float(np.mean([v for k, v in found.items() if k.startswith(f"{HEADLINE}/")]))
    return found
