"""Checks current rows against reference rows: sketches in, verdicts out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from serving.domain.drift import (
    BREAKING,
    MIN_ROWS,
    DriftReport,
    DriftVerdict,
    FeatureDrift,
    JointDrift,
    Profile,
)
from serving.domain.drift_findings import (
    category_findings,
    missing_findings,
    number_findings,
    schema_findings,
)
from serving.domain.drift_measures import (
    aligned,
    decile_bins,
    detectable_shift,
    psi,
    read_psi,
    shares,
    wasserstein,
)
from serving.domain.joint_drift import joint_p_value, joint_rows
from serving.domain.series import Provenance
from serving.domain.sketch import (
    CategorySketch,
    NumberSketch,
    lay_grid,
    sketch_categories,
    sketch_numbers,
    summed,
)
from serving.domain.two_sample import (
    adjusted,
    block_p_value,
    category_p_value,
    chi_square,
    ks_statistic,
    numeric_p_value,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from serving.domain.drift import Column, DataFinding, DriftQuery, Sample
    from serving.domain.sketch import Sketch

    Floats = NDArray[np.float64]

FORMULA = "drift-1"
BLOCK_POINTS = 63  # of a grid whose counts are kept for each block


def profile_of(sample: Sample, grids: Profile | None = None) -> Profile:
    """Sketch rows, feature by feature and block by block.

    Args:
        sample: The rows.
        grids: Profile whose grids are used, so that both compare; own grids where None.

    Returns:
        The profile; a numeric feature the other profile has not gets a grid of its own.
    """
    groups = [slice(None)] if sample.blocks is None else _groups(sample.blocks)
    features: dict[str, tuple[Sketch, ...]] = {}
    for column in sample.columns:
        if column.values is None:
            features[column.name] = tuple(_labels(column, rows) for rows in groups)
            continue
        grid = _grid(column.name, column.values, grids, blocked=sample.blocks is not None)
        features[column.name] = tuple(sketch_numbers(column.values[rows], grid) for rows in groups)
    return Profile(features, blocked=sample.blocks is not None)


def _groups(blocks: NDArray[np.int64]) -> list[NDArray[np.intp]]:
    order = np.argsort(blocks, kind="stable")
    cuts = np.flatnonzero(np.diff(blocks[order])) + 1
    return np.split(order, cuts)


def _labels(column: Column, rows: slice | NDArray[np.intp]) -> CategorySketch:
    labels = column.labels or ()
    chosen = labels if isinstance(rows, slice) else [labels[row] for row in rows]
    known = [label for label in chosen if label is not None]
    return sketch_categories(known, len(chosen) - len(known))


def _grid(name: str, values: Floats, grids: Profile | None, *, blocked: bool) -> Floats:
    given = grids.features.get(name) if grids is not None else None
    if given and isinstance(given[0], NumberSketch):
        return given[0].grid
    return lay_grid(values, BLOCK_POINTS) if blocked else lay_grid(values)


def check(reference: Profile, current: Profile, query: DriftQuery) -> DriftReport:
    """Check current rows against reference rows.

    Args:
        reference: The reference; its grids are those of both.
        current: The current rows.
        query: The rate of false alarms, importances, and rows for the joint test where sent.

    Returns:
        The report, its provenance empty.
    """
    before = {name: summed(blocks) for name, blocks in reference.features.items()}
    now = {name: summed(blocks) for name, blocks in current.features.items()}
    findings = list(schema_findings(before, now))
    rate = query.false_alarm_rate
    common = [name for name in before if type(now.get(name)) is type(before[name])]
    blocked = reference.blocked and current.blocked
    for name in common:
        each = rate / max(len(common), 1)
        findings += _findings(name, before[name], now[name], each, blocked=blocked)
    weights = _weights(common, query)
    found = [_measure(name, reference, current) for name in common]
    joint = _joint(common, weights, query)
    tested = np.array([one.p_value is not None for one in found], dtype=bool)
    everything = np.array(
        [one.p_value for one in (*found, joint) if one and one.p_value is not None]
    )
    importance = np.append(weights[tested], [weights.mean()] if joint else [])
    corrected = adjusted(everything, importance)
    if joint:
        joint = replace(joint, adjusted_p_value=float(corrected[-1]))
    features = _concluded(found, corrected, weights, rate)
    rows = _rows(before), _rows(now)
    shift = detectable_shift(rows, rate)
    return DriftReport(
        verdict=_verdict(rows, features, findings, joint, rate),
        features=features,
        findings=tuple(findings),
        joint=joint,
        reference_row_count=rows[0],
        current_row_count=rows[1],
        detectable_shift=shift if np.isfinite(shift) else None,
        drifted_importance=float(
            sum(one.importance for one in features if one.verdict is DriftVerdict.DRIFTED)
        ),
        false_alarm_rate=rate,
        provenance=Provenance(formula_version=FORMULA),
    )


def _rows(sketches: dict[str, Sketch]) -> int:
    return max((one.rows for one in sketches.values()), default=0)


def _findings(
    name: str, before: Sketch, now: Sketch, rate: float, *, blocked: bool
) -> list[DataFinding]:
    found = list(missing_findings(name, before, now, rate))
    if isinstance(before, NumberSketch) and isinstance(now, NumberSketch):
        # Rows of a block move together: chance puts many of them beyond the range at once.
        found += number_findings(name, before, now, 0.0 if blocked else rate)
    elif isinstance(before, CategorySketch) and isinstance(now, CategorySketch):
        found += category_findings(name, before, now)
    return found


def _weights(names: Sequence[str], query: DriftQuery) -> Floats:
    """Return the importance of each feature, in shares."""
    given = [query.importances[name] for name in names if name in query.importances]
    usual = float(np.mean(given)) if given else 1.0
    weights = np.array([query.importances.get(name, usual) for name in names])
    total = weights.sum()
    return weights / total if total > 0 else np.full(len(names), 1.0 / max(len(names), 1))


def _measure(name: str, reference: Profile, current: Profile) -> FeatureDrift:
    """Return the figures of one feature, nothing concluded yet."""
    before, now = (summed(one.features[name]) for one in (reference, current))
    ks = distance = None
    if isinstance(before, NumberSketch) and isinstance(now, NumberSketch):
        ks = ks_statistic(before.counts, now.counts)
        distance = wasserstein(before, now) / before.std if before.std > 0 else None
        cells = decile_bins(before.counts, now.counts)
        p_value = _numeric_p_value(name, reference, current)
    else:
        cells = aligned(*_category_counts(before, now))
        p_value = category_p_value(*cells)
    least = min(before.size, now.size)
    index = psi(*(shares(one) for one in cells))
    return FeatureDrift(
        name=name,
        verdict=DriftVerdict.STABLE if least >= MIN_ROWS else DriftVerdict.TOO_FEW_ROWS,
        p_value=p_value if least else None,
        adjusted_p_value=None,
        ks=ks if least else None,
        chi_square=chi_square(*cells)[0] if least else None,
        psi=index if least else None,
        psi_reading=read_psi(index if least else 0.0),
        wasserstein=distance if least else None,
        reference_missing_share=before.missing / before.rows if before.rows else 0.0,
        current_missing_share=now.missing / now.rows if now.rows else 0.0,
        importance=0.0,
    )


def _category_counts(before: Sketch, now: Sketch) -> tuple[dict[str, int], dict[str, int]]:
    found = [dict(one.counts) if isinstance(one, CategorySketch) else {} for one in (before, now)]
    return found[0], found[1]


def _numeric_p_value(name: str, reference: Profile, current: Profile) -> float:
    sides = [
        np.stack([one.counts for one in side.features[name] if isinstance(one, NumberSketch)])
        for side in (reference, current)
    ]
    if reference.blocked and current.blocked:
        return block_p_value(*sides)
    return numeric_p_value(*(side.sum(axis=0) for side in sides))


def _joint(names: Sequence[str], weights: Floats, query: DriftQuery) -> JointDrift | None:
    """Return the joint test where both sides' rows are at hand, stand alone, and are enough."""
    sides = (query.reference, query.current)
    if any(one is None or one.blocks is not None or one.rows < MIN_ROWS for one in sides):
        return None
    ranked = [names[index] for index in np.argsort(-weights, kind="stable")]
    rows = [joint_rows(one, ranked) for one in sides if one is not None]
    if rows[0].shape[1] < 2:  # noqa: PLR2004 - one feature has no joint distribution
        return None
    area, p_value = joint_p_value(rows[0], rows[1])
    return JointDrift(auc=area, p_value=p_value, adjusted_p_value=p_value)


def _concluded(
    found: Sequence[FeatureDrift], corrected: Floats, weights: Floats, rate: float
) -> tuple[FeatureDrift, ...]:
    """Return the features with what their adjusted p-values conclude."""
    p_values = iter(corrected.tolist())
    concluded = []
    for one, weight in zip(found, weights.tolist(), strict=True):
        p_value = None if one.p_value is None else next(p_values)
        verdict = one.verdict
        if verdict is DriftVerdict.STABLE and p_value is not None and p_value <= rate:
            verdict = DriftVerdict.DRIFTED
        concluded.append(replace(one, verdict=verdict, adjusted_p_value=p_value, importance=weight))
    return tuple(concluded)


def _verdict(
    rows: tuple[int, int],
    features: Sequence[FeatureDrift],
    findings: Sequence[DataFinding],
    joint: JointDrift | None,
    rate: float,
) -> DriftVerdict:
    if any(finding.kind in BREAKING for finding in findings):
        return DriftVerdict.BROKEN_DATA
    if min(rows) < MIN_ROWS:
        return DriftVerdict.TOO_FEW_ROWS
    drifted = any(one.verdict is DriftVerdict.DRIFTED for one in features)
    if drifted or (joint is not None and joint.adjusted_p_value <= rate):
        return DriftVerdict.DRIFTED
    return DriftVerdict.STABLE
