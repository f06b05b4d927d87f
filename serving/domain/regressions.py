"""Regressions with robust errors: least squares, Poisson and gamma pseudo-likelihood."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_ITERATIONS, _TOLERANCE = 100, 1e-10


def solved(columns: Floats, target: Floats) -> Floats:
    """Return the coefficients of least squares.

    Args:
        columns: What explains, shape (n, k).
        target: What is explained, shape (n,).

    Returns:
        The coefficients, shape (k,).
    """
    return np.asarray(np.linalg.lstsq(columns, target, rcond=None)[0], dtype=np.float64)


def least_squares(columns: Floats, target: Floats) -> tuple[Floats, Floats]:
    """Return the coefficients of least squares and their HC3 covariance.

    Args:
        columns: What explains, shape (n, k).
        target: What is explained, shape (n,).

    Returns:
        Coefficients of shape (k,), and their covariance of shape (k, k).

    Source: MacKinnon and White, J. Econometrics 29 (1985).
    """
    inverse = np.linalg.inv(columns.T @ columns)
    coefficients = inverse @ (columns.T @ target)
    leverage = ((columns @ inverse) * columns).sum(axis=1)
    spread = (target - columns @ coefficients) / np.maximum(1.0 - leverage, 1e-9)
    weighted = columns * spread[:, None]
    return coefficients, inverse @ (weighted.T @ weighted) @ inverse


def poisson(
    columns: Floats, quantity: Floats, offset: Floats | None = None
) -> tuple[Floats, Floats]:
    """Return coefficients of log mean = columns b + offset, and their HC3-like covariance.

    Args:
        columns: What explains, shape (n, k).
        quantity: What is explained, 0 or more, shape (n,).
        offset: What is known of the log mean, shape (n,); 0 where None.

    Returns:
        Coefficients of shape (k,), and their covariance of shape (k, k).

    Source: Santos Silva and Tenreyro, Review of Economics and Statistics 88 (2006).
    """
    known = np.zeros(len(quantity)) if offset is None else offset
    coefficients: Floats = _poisson_start(columns, quantity, known)
    for _ in range(_ITERATIONS):
        mean = np.exp(np.clip(columns @ coefficients + known, -50.0, 50.0))
        step = np.linalg.solve((columns * mean[:, None]).T @ columns, columns.T @ (quantity - mean))
        coefficients = coefficients + step * min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-300))
        if float(np.abs(step).max()) < _TOLERANCE:
            break
    mean = np.exp(np.clip(columns @ coefficients + known, -50.0, 50.0))
    inverse = np.linalg.inv((columns * mean[:, None]).T @ columns)
    leverage = mean * ((columns @ inverse) * columns).sum(axis=1)
    scores = columns * ((quantity - mean) / np.maximum(1.0 - leverage, 1e-9))[:, None]
    return coefficients, inverse @ (scores.T @ scores) @ inverse


def _poisson_start(columns: Floats, quantity: Floats, offset: Floats) -> Floats:
    target = np.log(quantity + max(float(quantity.mean()) / 10, 1e-12)) - offset
    return solved(columns, target)


def gamma(others: Floats, target: Floats, start: Floats) -> tuple[Floats, Floats]:
    """Return g and target / exp(others g), whose residual from 1 every column is free of.

    Args:
        others: Columns, a constant first, shape (n, k).
        target: What is explained, 0 or more, shape (n,).
        start: Where the search begins, shape (k,); zeros where nothing is known.

    Returns:
        The coefficients g of shape (k,), and the ratios of shape (n,).
    """
    mean = float(target.mean())
    fitted = start if start.any() else np.eye(others.shape[1])[0] * math.log(mean)
    for _ in range(_ITERATIONS):
        ratio = target * np.exp(np.clip(-(others @ fitted), -50.0, 50.0))
        step = np.linalg.solve((others * ratio[:, None]).T @ others, others.T @ (ratio - 1.0))
        fitted = fitted + step * min(1.0, 1.0 / max(float(np.abs(step).max()), 1e-300))
        if float(np.abs(step).max()) < _TOLERANCE:
            break
    return fitted, target * np.exp(np.clip(-(others @ fitted), -50.0, 50.0))


def robust_t(parts: Floats, free: int) -> float:
    """Return a sum over its robust standard error.

    Args:
        parts: What is summed, shape (n,).
        free: Degrees of freedom.

    Returns:
        The t ratio; 0 where nothing varies.
    """
    spread = math.sqrt(float((parts**2).sum()) * len(parts) / free)
    return float(parts.sum()) / spread if spread > 0 else 0.0
