"""Batch scoring: the effect on every unit of a folder, by the served graph, to one parquet file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from serving.adapters.releases import CURRENT, open_release
from serving.adapters.uplift import NAME, UpliftReleases, open_uplift
from serving.domain.targeting import flags_of
from serving.errors import UnknownModel
from training.tables import reading
from training.uplift.evaluation import (
    INTERVAL,
    Figure,
    Outcomes,
    Ranking,
    auuc,
    resamples,
    root_error,
)
from training.uplift.runs import read_truth
from training.uplift.units import TABLE, encode, read_covariates

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from serving.adapters.uplift import OnnxUpliftModel

CHUNK = 65_536


@dataclass(frozen=True, slots=True)
class Scored:
    """What a scoring run wrote.

    Attributes:
        version: Version that answered.
        units: Units scored.
        extrapolated: Units the data of the model says nothing of.
        auuc: Area under the gain curve where the folder holds treatment and outcome.
        root_pehe: Root error of the effects where known ones were given.
    """

    version: str
    units: int
    extrapolated: int
    auuc: Figure | None
    root_pehe: float | None


def score_units(
    releases: Path, data: Path, out: Path, *, model: str = CURRENT, truth: Path | None = None
) -> Scored:
    """Score the units of a folder, those without an outcome too.

    Args:
        releases: Folder of the releases.
        data: Folder with a table ``experiment``.
        out: Parquet file to write: unit_id, effect, lower, upper, propensity, overlap.
        model: A version, or ``current`` for the one that serves.
        truth: File of known effects.

    Raises:
        NoModel: If none is promoted.
        NoSignal: If that is because the last training found no signal.
        UnknownModel: If there is no such version.
        MissingInput: If the table, or a covariate of the model, is not there.
    """
    served = open_version(releases, model)
    ids, covariates = read_covariates(data, served.encoding)
    parts, outside = [], []
    for start in range(0, len(ids), CHUNK):
        rows, beyond = encode(served.encoding, covariates[start : start + CHUNK])
        parts.append(served.effects(rows))
        outside.append(beyond)
    found = np.concatenate(parts)
    flags = flags_of(found[:, 3], np.concatenate(outside))
    effect, lower, upper = found[:, 0], found[:, 1], found[:, 2]
    if served.lower_is_better:
        effect, lower, upper = -effect, -upper, -lower
    frame = pl.DataFrame(
        {
            "unit_id": ids,
            "effect": effect,
            "lower": lower,
            "upper": upper,
            "propensity": found[:, 3],
            "overlap": [flag.name.lower() for flag in flags],
        }
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    new = out.with_name(f".{out.name}.new")
    frame.write_parquet(new)
    new.replace(out)
    return Scored(
        version=served.description.version,
        units=len(ids),
        extrapolated=int((frame["overlap"] != "ok").sum()),
        auuc=_area(data, ids, found, served),
        root_pehe=None if truth is None else root_error(effect, read_truth(truth, ids)),
    )


def open_version(releases: Path, wanted: str) -> OnnxUpliftModel:
    """Open a version, or the one that serves.

    Raises:
        NoModel: If none is promoted.
        NoSignal: If that is because the last training found no signal.
        UnknownModel: If there is no such version.
        ReleaseRefused: If the release fails a check.
    """
    if wanted == CURRENT:
        current = UpliftReleases(releases)
        current.refresh()
        return current.current()
    folder = releases / NAME / wanted
    if "/" in wanted or wanted.startswith(".") or not folder.is_dir():
        raise UnknownModel(f"{NAME}/{wanted}")
    return open_release(folder, open_uplift)


def _area(
    data: Path, ids: list[str], found: NDArray[np.float64], served: OnnxUpliftModel
) -> Figure | None:
    """Return the area under the gain curve where treatment and outcome are there, else None."""
    plain = reading.plain_files(data, TABLE)
    if plain:
        columns = reading.load_plain(data, TABLE).columns
        if not {"treated", "outcome"} <= set(columns):
            return None
    frame = pl.DataFrame({"unit_id": ids}).join(
        reading.read(data, TABLE), on="unit_id", how="left", maintain_order="left"
    )
    treated = frame["treated"].to_numpy().astype(bool)
    if treated.all() or not treated.any():
        return None
    outcome = frame["outcome"].to_numpy().astype(np.float64)
    known = "propensity" in frame.columns and frame["propensity"].null_count() == 0
    on = frame["propensity"].to_numpy() if known else found[:, 3]
    good = -outcome if served.lower_is_better else outcome
    outcomes = Outcomes(treated, good, on, good)
    rank = Ranking.of(found[:, 0], outcomes)
    drawn = [rank.area(one) for one in resamples(len(good), seed=0)]
    lower, upper = np.quantile(drawn, INTERVAL).tolist()
    return Figure(auuc(found[:, 0], outcomes), lower, upper)
