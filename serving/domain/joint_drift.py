"""Joint drift: whether a small classifier tells current rows from reference rows.

Drift that shows in no feature alone, as two features that part ways, shows here. The classifier is
a ridge regression on normal scores, their squares and their products, so it sees means, spreads and
correlations and needs nothing but linear algebra. It is fitted on one half of the rows and judged
on the other, whose labels are exchangeable if nothing changed: the test holds whatever was fitted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr, ndtri

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from serving.domain.drift import Sample

    Floats = NDArray[np.float64]

MOST_ROWS = 3_000  # of each side
MOST_FEATURES = 20  # crossed with each other; the most important ones
RIDGE = 1e-2  # share of the rows
SEED = 20_260_630


def joint_p_value(reference: Floats, current: Floats) -> tuple[float, float]:
    """Test whether two samples of rows have one joint distribution.

    Args:
        reference: Reference rows, shape (n, features), no NaN.
        current: Current rows, shape (m, features), no NaN.

    Returns:
        The area under the curve on held-out rows, and its one-sided p-value.

    Source: Lopez-Paz and Oquab (2017), Revisiting classifier two-sample tests, ICLR; Mann and
    Whitney (1947) for the null of the area.
    """
    rng = np.random.default_rng(SEED)
    rows = np.concatenate([_some(reference, rng), _some(current, rng)])
    first = min(len(reference), MOST_ROWS)
    labels = np.arange(len(rows)) >= first
    crossed = _crossed(_normal_scores(rows))
    order = rng.permutation(len(rows))
    fit, judge = order[::2], order[1::2]
    centre = crossed[fit].mean(axis=0)
    inner = crossed[fit] - centre
    target = labels[fit] - labels[fit].mean()
    normal = inner.T @ inner + RIDGE * len(fit) * np.eye(inner.shape[1])
    weights = np.linalg.solve(normal, inner.T @ target)
    return _area((crossed[judge] - centre) @ weights, labels[judge])


def _some(rows: Floats, rng: np.random.Generator) -> Floats:
    if len(rows) <= MOST_ROWS:
        return rows
    return rows[np.sort(rng.choice(len(rows), MOST_ROWS, replace=False))]


def _normal_scores(rows: Floats) -> Floats:
    """Return each column's ranks as normal scores; equal values have equal scores."""
    scored = np.empty(rows.shape)
    for index, column in enumerate(rows.T):
        ordered = np.sort(column)
        below, upto = (np.searchsorted(ordered, column, side) for side in ("left", "right"))
        scored[:, index] = ndtri((below + upto + 1.0) / (2.0 * (column.size + 1)))
    return scored


def _crossed(scores: Floats) -> Floats:
    left, right = np.triu_indices(scores.shape[1])
    return np.concatenate([scores, scores[:, left] * scores[:, right]], axis=1)


def _area(scores: Floats, labels: NDArray[np.bool_]) -> tuple[float, float]:
    n, m = int((~labels).sum()), int(labels.sum())
    if not n or not m:
        return 0.5, 1.0
    others = np.sort(scores[~labels])
    below, upto = (np.searchsorted(others, scores[labels], side) for side in ("left", "right"))
    area = float((below + upto).sum() / (2.0 * n * m))
    deviation = np.sqrt((n + m + 1) / (12.0 * n * m))
    return area, float(ndtr(-(area - 0.5) / deviation))


def joint_rows(sample: Sample, features: list[str]) -> Floats:
    """Return the numeric features of rows as a matrix.

    Args:
        sample: Rows.
        features: Names of numeric features, the most important first.

    Returns:
        The first MOST_FEATURES of them, shape (rows, f); a missing value is the column's median.
    """
    by_name = {column.name: column.values for column in sample.columns}
    found = []
    for name in features[:MOST_FEATURES]:
        values = by_name[name]
        if values is None:
            continue
        known = np.isfinite(values)
        middle = float(np.median(values[known])) if known.any() else 0.0
        found.append(np.where(known, values, middle))
    return np.column_stack(found) if found else np.empty((sample.rows, 0))
