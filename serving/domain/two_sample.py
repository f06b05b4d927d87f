"""Two-sample tests whose p-values hold at every sample size, ties or not.

Each test conditions on the pooled values, so that under exchangeability of the rows its p-value is
at most what it says: exact where the samples are small, by the limit law where they are large.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import chdtrc, gammaln, kolmogorov

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Counts = NDArray[np.int64]

EXACT_ROWS = 400  # rows of both samples up to which the Kolmogorov-Smirnov null is counted out
EXACT_TABLE = 4_000  # rows up to which a 2 x 2 table is counted out
EXPECTED = 5.0  # rows a cell of a table should expect for the chi-square law to hold
DRAWS = 1_999  # tables drawn where it does not
MOST_CELLS = 48  # categories a table tells apart; the rarest are taken together
ATOM_SHARE = 0.1  # share of rows on one value from which that value is tested on its own
FEW = 10  # values beside that one below which they are not tested
SEED = 20_260_630  # of drawn tables: the same question has the same answer


def ks_statistic(first: Counts, second: Counts) -> float:
    """Return the greatest gap between two empirical distributions on common cells.

    Args:
        first: Values in each cell, ascending cells, shape (c,).
        second: Likewise of the other sample, shape (c,).

    Returns:
        D from 0 to 1; 0 where a sample is empty.

    Example:
        >>> ks_statistic(np.array([5, 0]), np.array([0, 5]))
        1.0
    """
    n, m = first.sum(), second.sum()
    if not n or not m:
        return 0.0
    return float(np.abs(np.cumsum(first) / n - np.cumsum(second) / m).max())


def ks_p_value(first: Counts, second: Counts) -> float:
    """Return the p-value of the Kolmogorov-Smirnov test on the cells of a grid.

    Odd cells are single values and hold ties; what lies within an even cell, an interval, is taken
    as distinct, so that ties there make the test conservative, never the opposite.

    Args:
        first: Values in each cell of a grid, shape (2 k + 1,).
        second: Likewise of the other sample.

    Returns:
        P(D >= d) over all ways to share the pooled values out; 1 where a sample is empty. Of more
        than EXACT_ROWS rows the limit law, which is an upper bound under ties.

    Source: Schroer and Trenkler (1995), Exact and randomization distributions of
    Kolmogorov-Smirnov tests, Comput. Stat. Data Anal. 20; Smirnov (1948) for the limit law.

    Example:
        >>> from serving.domain.sketch import sketch_numbers
        >>> a, b = np.arange(1.0, 6.0), np.arange(6.0, 11.0)
        >>> cells = [sketch_numbers(one, a).counts for one in (a, b)]
        >>> round(ks_p_value(*cells), 7)
        0.0079365
    """
    n, m = int(first.sum()), int(second.sum())
    statistic = ks_statistic(first, second)
    if not n or not m or statistic <= 0:
        return 1.0
    if n + m <= EXACT_ROWS:
        return _exact_ks(statistic, n, m, first + second)
    root = np.sqrt(n * m / (n + m))
    return float(kolmogorov(root * statistic))


def _exact_ks(statistic: float, n: int, m: int, pooled: Counts) -> float:
    """Follow how many of the first sample are among the s least pooled values, s = 1 .. n + m."""
    total = n + m
    looked = np.ones(total + 1, dtype=bool)  # whether the gap is looked at after s values
    ends = np.cumsum(pooled)
    for cell in range(1, pooled.size, 2):
        looked[ends[cell] - pooled[cell] + 1 : ends[cell]] = False
    taken = np.arange(n + 1)
    chance = np.zeros(n + 1)
    chance[0] = 1.0
    limit = statistic - 1e-9
    for s in range(total):
        step = chance * (np.maximum(n - taken, 0) / (total - s))
        chance = chance - step
        chance[1:] += step[:-1]
        if looked[s + 1]:
            chance[np.abs(taken / n - (s + 1 - taken) / m) >= limit] = 0.0
    return float(min(1.0, max(0.0, 1.0 - chance.sum())))


def table_p_value(first: int, of_first: int, second: int, of_second: int) -> float:
    """Return the two-sided p-value that two shares are the same.

    Args:
        first: Rows of the first sample that count, from 0 to `of_first`.
        of_first: Rows of the first sample.
        second: Rows of the second sample that count.
        of_second: Rows of the second sample.

    Returns:
        Fisher's exact p-value up to EXACT_TABLE rows, beyond it the normal law of the permutation
        distribution; 1 where a sample is empty.

    Source: Fisher (1935), The logic of inductive inference, J. R. Stat. Soc. 98.

    Example:
        >>> round(table_p_value(3, 4, 1, 4), 4)
        0.4857
    """
    n, total, marked = of_first, of_first + of_second, first + second
    if not of_first or not of_second or marked in {0, total}:
        return 1.0
    if total > EXACT_TABLE:
        share = marked / total
        variance = share * (1.0 - share) * n * of_second / (total - 1)
        return float(chdtrc(1.0, (first - n * share) ** 2 / variance))
    possible = np.arange(max(0, marked - of_second), min(n, marked) + 1)

    def ways(of: int, chosen: Counts) -> Floats:
        return np.asarray(gammaln(of + 1) - gammaln(chosen + 1) - gammaln(of - chosen + 1))

    weight = ways(n, possible) + ways(of_second, marked - possible)
    weight = np.exp(weight - weight.max())
    here = weight[first - possible[0]]
    return float(min(1.0, weight[weight <= here * (1 + 1e-7)].sum() / weight.sum()))


def numeric_p_value(first: Counts, second: Counts) -> float:
    """Return the p-value that two samples of a numeric feature have one distribution.

    A value that many rows share, as the zeros of a sparse feature, is tested on its own and the
    rest beside it: given the pooled values the two tests are independent.

    Args:
        first: Values in each cell of a grid, shape (2 k + 1,).
        second: Likewise of the other sample.

    Returns:
        The p-value, Sidak's for two tests where there were two.

    Source: Sidak (1967), Rectangular confidence regions, J. Am. Stat. Assoc. 62.
    """
    pooled = first + second
    atoms = pooled[1::2]
    if not atoms.size or atoms.max() < ATOM_SHARE * pooled.sum():
        return ks_p_value(first, second)
    atom = 2 * int(atoms.argmax()) + 1
    n, m = int(first.sum()), int(second.sum())
    share = table_p_value(int(first[atom]), n, int(second[atom]), m)
    beside = pooled.copy()
    beside[atom] = 0
    one_value_left = (beside[1::2] > 0).sum() <= 1 and not beside[::2].any()
    if one_value_left or beside.sum() < FEW:
        return share
    rest = [np.where(np.arange(pooled.size) == atom, 0, one) for one in (first, second)]
    least = min(share, ks_p_value(*rest))
    return float(-np.expm1(2.0 * np.log1p(-least))) if least < 1 else 1.0


def chi_square(first: Counts, second: Counts) -> tuple[float, int]:
    """Return Pearson's statistic that two samples have the same shares, and its degrees of freedom.

    Args:
        first: Rows in each cell, shape (c,).
        second: Likewise of the other sample.

    Returns:
        The statistic, 0 where a sample is empty, and the cells that hold a row less one.
    """
    n, m, pooled = first.sum(), second.sum(), first + second
    used = pooled > 0
    if not n or not m:
        return 0.0, 0
    gaps = first[used] / n - second[used] / m
    return float((gaps**2 / pooled[used]).sum() * n * m), int(used.sum()) - 1


def category_p_value(first: Counts, second: Counts) -> float:
    """Return the p-value that two samples of a categorical feature have the same shares.

    Args:
        first: Rows of each category, shape (c,).
        second: Likewise of the other sample.

    Returns:
        The chi-square law's p-value where every cell expects EXPECTED rows, else that of DRAWS
        tables drawn with the same margins; 1 where there is one category.

    Source: Pearson (1900); Davison and Hinkley (1997), section 4.3, for drawn tables.
    """
    pooled = first + second
    order = np.argsort(-pooled, kind="stable")
    first, second = (_rarest_together(one[order]) for one in (first, second))
    statistic, freedom = chi_square(first, second)
    if freedom < 1 or statistic <= 0:
        return 1.0
    n, m, pooled = int(first.sum()), int(second.sum()), first + second
    used = pooled[pooled > 0]
    total = n + m
    if used.min() * min(n, m) / total >= EXPECTED:
        return float(chdtrc(freedom, statistic * (total - 1) / total))
    rng = np.random.default_rng(SEED)
    drawn = rng.multivariate_hypergeometric(used, n, size=DRAWS, method="marginals")
    gaps = drawn / n - (used - drawn) / m
    others = (gaps**2 / used).sum(axis=1) * n * m
    return float((1 + (others >= statistic * (1 - 1e-9)).sum()) / (DRAWS + 1))


def _rarest_together(counts: Counts) -> Counts:
    """Return the first cells as they are and the rest as one."""
    if counts.size <= MOST_CELLS:
        return counts
    return np.append(counts[: MOST_CELLS - 1], counts[MOST_CELLS - 1 :].sum())


def block_p_value(first: Counts, second: Counts) -> float:
    """Return the p-value of the Kolmogorov-Smirnov gap where rows stand or fall by blocks.

    Rows of one day resemble each other, so days, not rows, are dealt out anew.

    Args:
        first: Values in each cell by block, shape (b, c).
        second: Likewise of the other sample, shape (d, c).

    Returns:
        The share of deals, the one seen among them, with a gap as great; 1 where a sample is empty.

    Source: Politis, Romano and Wolf (1999), Subsampling, on dependence within blocks.
    """
    blocks = np.concatenate([first, second]).astype(np.float64)
    seen = ks_statistic(first.sum(axis=0), second.sum(axis=0))
    if not first.sum() or not second.sum() or seen <= 0:
        return 1.0
    rng = np.random.default_rng(SEED)
    dealt = np.zeros((DRAWS // 2, len(blocks)))
    places = rng.permuted(np.tile(np.arange(len(blocks)), (len(dealt), 1)), axis=1)
    np.put_along_axis(dealt, places[:, : len(first)], 1.0, axis=1)
    ours = np.cumsum(dealt @ blocks, axis=1)
    theirs = np.cumsum(blocks.sum(axis=0)) - ours
    sizes = np.maximum(ours[:, -1:], 1.0), np.maximum(theirs[:, -1:], 1.0)
    gaps = np.abs(ours / sizes[0] - theirs / sizes[1]).max(axis=1)
    return float((1 + (gaps >= seen - 1e-12).sum()) / (len(dealt) + 1))


def adjusted(p_values: Floats, weights: Floats) -> Floats:
    """Adjust p-values for how many there are, the important ones favoured.

    Args:
        p_values: One p-value a feature, shape (k,).
        weights: Importance of each, 0 or more, shape (k,); all alike where their sum is 0.

    Returns:
        Adjusted p-values, shape (k,): those at most a rate are a set whose expected share of false
        members is at most that rate.

    Source: Benjamini and Hochberg (1995), J. R. Stat. Soc. B 57; Genovese, Roeder and Wasserman
    (2006), False discovery control with p-value weighting, Biometrika 93.

    Example:
        >>> adjusted(np.array([0.01, 0.02, 0.5]), np.ones(3)).round(3).tolist()
        [0.03, 0.03, 0.5]
    """
    if not p_values.size:
        return p_values
    total = weights.sum()
    share = weights * (weights.size / total) if total > 0 else np.ones(weights.size)
    with np.errstate(divide="ignore"):
        weighted = np.minimum(1.0, np.where(share > 0, p_values / share, 1.0))
    order = np.argsort(weighted, kind="stable")
    scaled = weighted[order] * weighted.size / np.arange(1, weighted.size + 1)
    result = np.empty(weighted.size)
    result[order] = np.minimum(1.0, np.minimum.accumulate(scaled[::-1])[::-1])
    return result
