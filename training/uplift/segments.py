"""Whether the effect differs between segments, and which covariates tell units apart."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import lightgbm as lgb
import numpy as np
import polars as pl
from scipy.stats import chi2_contingency, kruskal

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.uplift.evaluation import Outcomes
    from training.uplift.units import Units

    Floats = NDArray[np.float64]

LEAST_UNITS = 20
BANDS = 4
TOP_SHARE = 0.3


@dataclass(frozen=True, slots=True)
class Segment:
    """Units that share a value of a covariate, or a quarter of its range.

    Attributes:
        name: The value or range.
        units: How many they are.
        predicted: Mean predicted effect.
        observed: Average effect among them, doubly robust.
        targeted: Share of them among the best 30 % of all units.
    """

    name: str
    units: int
    predicted: float
    observed: float
    targeted: float


@dataclass(frozen=True, slots=True)
class SegmentCheck:
    """One covariate's segments and whether they differ.

    Attributes:
        covariate: Name of the covariate.
        segments: Its segments.
        kruskal_p: Kruskal-Wallis p-value of equal predicted effects across segments.
        targeted_p: Chi-square p-value of equal shares among the best 30 %.
    """

    covariate: str
    segments: tuple[Segment, ...]
    kruskal_p: float
    targeted_p: float


def check_segments(units: Units, effects: Floats, outcomes: Outcomes) -> list[SegmentCheck]:
    """Compare predicted effects between the segments of each covariate.

    Source: Kruskal and Wallis, JASA 47 (1952); Pearson's chi-square on the targeted share.
    """
    targeted = np.zeros(len(effects), dtype=bool)
    targeted[np.argsort(-effects, kind="stable")[: round(TOP_SHARE * len(effects))]] = True
    checks = []
    for name in units.covariates.columns:
        labels = _labels(units.covariates[name])
        known = labels.drop_nulls().unique().sort().to_list()
        members = {str(one): (labels == one).fill_null(value=False).to_numpy() for one in known}
        members = {one: rows for one, rows in members.items() if rows.sum() >= LEAST_UNITS}
        if len(members) < 2:  # noqa: PLR2004 - nothing to compare
            continue
        groups = list(members.values())
        table = [[int(targeted[rows].sum()), int((~targeted[rows]).sum())] for rows in groups]
        flat = np.ptp(effects) == 0
        checks.append(
            SegmentCheck(
                covariate=name,
                segments=tuple(
                    Segment(
                        one,
                        int(rows.sum()),
                        float(effects[rows].mean()),
                        float(outcomes.scores[rows].mean()),
                        float(targeted[rows].mean()),
                    )
                    for one, rows in members.items()
                ),
                kruskal_p=1.0 if flat else float(kruskal(*(effects[rows] for rows in groups))[1]),
                targeted_p=1.0 if flat else float(chi2_contingency(table)[1]),
            )
        )
    return checks


def _labels(column: pl.Series) -> pl.Series:
    """Return the segment of each unit; segments of a range sort by it."""
    if column.dtype == pl.String or column.n_unique() <= BANDS:
        return column.cast(pl.String)
    quarters = {column.drop_nulls().quantile(at / BANDS) for at in range(1, BANDS)}
    cuts = [float(cut) for cut in sorted(quarters, key=lambda cut: cut or 0.0) if cut is not None]
    ends = ["least", *(f"{cut:.4g}" for cut in cuts), "most"]
    names = [f"{low} to {high}" for low, high in itertools.pairwise(ends)]
    places = np.searchsorted(cuts, column.fill_null(0.0).to_numpy(), side="left")
    found = pl.Series([names[place] for place in places], dtype=pl.Enum(names))
    return found.set(column.is_null(), None)


@dataclass(frozen=True, slots=True)
class Explanation:
    """What each covariate contributes to the effects, by exact attribution to a tree surrogate.

    Attributes:
        covariates: Names, greatest mean contribution first.
        contributions: What each adds to the effect of each unit, shape (n, covariates).
        start: The surrogate's mean effect; with a unit's contributions it sums to its effect.
        fidelity: Share of the effects' variance the surrogate explains.
    """

    covariates: tuple[str, ...]
    contributions: Floats
    start: float
    fidelity: float


def explain(units: Units, effects: Floats, seed: int) -> Explanation:
    """Attribute the effects to the covariates.

    Learners differ in form, so trees are fitted to the effects themselves and their predictions are
    attributed exactly: the Shapley values are those of the trees, and the fidelity says how far the
    trees are the learner.

    Source: Lundberg et al., "From local explanations to global understanding with explainable AI
    for trees", Nature Machine Intelligence 2 (2020).
    """
    parameters = {
        "objective": "regression",
        "learning_rate": 0.1,
        "num_leaves": 15,
        "min_data_in_leaf": max(5, len(effects) // 500),
        "seed": seed,
        "num_threads": 1,
        "verbosity": -1,
    }
    rows = units.rows.astype(np.float64)
    trees = lgb.train(parameters, lgb.Dataset(rows, effects), num_boost_round=200)
    found = np.asarray(trees.predict(rows, pred_contrib=True))
    left = effects - found.sum(axis=1)
    spread = float(effects.var())
    owners = [name.split(":")[0].split("=")[0] for name in units.encoding.features]
    names = list(dict.fromkeys(owners))
    whole = np.stack(
        [
            found[:, :-1][:, [at for at, one in enumerate(owners) if one == name]].sum(axis=1)
            for name in names
        ],
        axis=1,
    )
    order = np.argsort(-np.abs(whole).mean(axis=0))
    return Explanation(
        covariates=tuple(names[at] for at in order),
        contributions=whole[:, order],
        start=float(found[0, -1]),
        fidelity=1.0 - float(left.var()) / spread if spread else 1.0,
    )
