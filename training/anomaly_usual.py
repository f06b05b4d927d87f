"""Which rows of a history are so far out that they are no part of what is usual.

A model that is calibrated on its own anomalies finds none: a hundred of them in ten thousand rows
use up all that may be flagged at 1 in 100. So rows far beyond a feature's own tail are set aside
before a forest is grown or calibrated. What counts as far is foretold by the tail itself, between
its 80th and 95th percentile, which a few anomalies cannot move; a heavy tail is foretold heavy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from serving.domain.two_sample import adjusted

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Mask = NDArray[np.bool_]

LEVELS = (0.80, 0.90, 0.95)  # percentiles the tail is foretold from
SURPRISE = 0.1  # of the rows set aside at most this share is foretold by the tail
MOST_ASIDE = 0.04  # of more the tail is not the one foretold, and nothing is set aside
LEAST_KNOWN = 200  # values a tail is foretold from
ERRORS = 1.5  # standard errors by which the tail is taken to be heavier than it looks
ROUNDS = 3  # the tail is foretold anew without the rows that stood apart
HEAVIEST = 3.0  # tail index


def set_aside(rows: NDArray[np.float32]) -> Mask:
    """Say which rows stand so far out that they are no part of what is usual.

    Args:
        rows: Features of one kind of rows, NaN where missing, shape (n, features).

    Returns:
        True for rows to leave out, shape (n,). Of 10,000 rows without anomalies it is none where
        tails are normal, exponential or those of counts, and about 1 in 1,000 where they are as
        heavy as Student's with 3 degrees of freedom.
    """
    aside = np.zeros(len(rows), dtype=bool)
    for _ in range(ROUNDS):
        found = np.zeros(len(rows), dtype=bool)
        for column in rows.T.astype(np.float64):
            for side in (column, -column):
                chances = _chances(side, side[~aside])
                found |= adjusted(chances, np.ones(chances.size)) <= SURPRISE
        if found.mean() > MOST_ASIDE:
            return np.zeros(len(rows), dtype=bool)
        if np.array_equal(found, aside):
            break
        aside = found
    return aside


def _chances(values: Floats, usual: Floats) -> Floats:
    """Return how often the upper tail foretells a value as great as each, shape (n,).

    Source: Pickands (1975), Statistical inference using extreme order statistics, Ann. Stat. 3,
    for the index from three percentiles whose tail shares halve; its upper limit counts, and
    never a tail that ends.
    """
    known = usual[np.isfinite(usual)]
    if known.size < LEAST_KNOWN:
        return np.ones(values.size)
    near, middle, far = np.quantile(known, LEVELS, method="higher")
    first, second = middle - near, far - middle
    if first <= 0 or second <= 0:  # a value many rows share lies there: no tail to go by
        return np.ones(values.size)
    error = np.sqrt(2.0 / ((1.0 - LEVELS[2]) * known.size)) / np.log(2.0)
    index = np.clip(np.log2(second / first) + ERRORS * error, 1e-6, HEAVIEST)
    scale = max(first, second) * index / np.expm1(index * np.log(2.0))
    beyond = np.maximum(np.nan_to_num(values, nan=-np.inf) - middle, 0.0)
    foretold = (1.0 - LEVELS[1]) * (1.0 + index * beyond / scale) ** (-1.0 / index)
    return np.where(beyond > far - middle, foretold, 1.0)
