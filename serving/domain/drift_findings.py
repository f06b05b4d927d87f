"""What is wrong with data beside drift: gone, new, of another type, out of its range."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import gammaln

from serving.domain.drift import DataFinding, FindingKind
from serving.domain.sketch import OTHER, CategorySketch, NumberSketch
from serving.domain.two_sample import table_p_value

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from serving.domain.sketch import Sketch

EXCESS = 0.05  # share of rows by which missing values must exceed the reference's to break the data
NAMED = 5  # new categories a sentence names
FAR = 1.0  # widths of the reference range beyond which a single value is out of range


def schema_findings(
    reference: Mapping[str, Sketch], current: Mapping[str, Sketch]
) -> Iterator[DataFinding]:
    """Yield where the features themselves differ.

    Args:
        reference: Reference features by name.
        current: Current features by name.

    Yields:
        A finding for each feature that is gone, new, or of another type.
    """
    for name, before in reference.items():
        now = current.get(name)
        if now is None:
            yield DataFinding(
                name, FindingKind.MISSING_FEATURE, 0, 1.0, f"{name} is not sent any more"
            )
        elif type(now) is not type(before):
            was, became = (_kind(one) for one in (before, now))
            detail = f"{name} was {was} and is {became}"
            yield DataFinding(name, FindingKind.CHANGED_TYPE, now.rows, 1.0, detail)
    for name in current:
        if name not in reference:
            detail = f"{name} was not in the reference"
            yield DataFinding(name, FindingKind.NEW_FEATURE, current[name].rows, 1.0, detail)


def _kind(sketch: Sketch) -> str:
    return "numeric" if isinstance(sketch, NumberSketch) else "categorical"


def missing_findings(name: str, before: Sketch, now: Sketch, rate: float) -> Iterator[DataFinding]:
    """Yield whether values are missing that were not before.

    Args:
        name: Name of the feature.
        before: Its reference.
        now: Its current values.
        rate: Rate of false alarms of this one finding.

    Yields:
        A finding where current values are missing more often than the reference's, by more than
        EXCESS of the rows and by more than chance allows.
    """
    if not now.rows:
        return
    gone = now.missing / now.rows
    usual = before.missing / before.rows if before.rows else 0.0
    p = table_p_value(before.missing, before.rows, now.missing, now.rows)
    if gone - usual <= EXCESS or (now.size and p > rate):
        return
    detail = f"{name} is missing in {gone:.1%} of the rows, in {usual:.1%} of the reference"
    yield DataFinding(name, FindingKind.MISSING_DATA, now.missing, gone, detail)


def number_findings(
    name: str, before: NumberSketch, now: NumberSketch, rate: float
) -> Iterator[DataFinding]:
    """Yield what is wrong with the values of a numeric feature.

    Args:
        name: Name of the feature.
        before: Its reference.
        now: Its current values, on the same grid.
        rate: Rate of false alarms of each finding; at 0 only values far out of range are found.

    Yields:
        Findings on infinite values, values out of the reference's range, a constant reference.
    """
    if now.infinite:
        detail = f"{name} is infinite in {now.infinite:,} rows"
        share = now.infinite / now.rows
        yield DataFinding(name, FindingKind.NOT_FINITE, now.infinite, share, detail)
    if not before.size:
        yield DataFinding(
            name, FindingKind.CONSTANT_REFERENCE, 0, 0.0, f"{name} has no reference value"
        )
        return
    if before.low == before.high:
        detail = f"{name} is always {before.low:g} in the reference"
        yield DataFinding(name, FindingKind.CONSTANT_REFERENCE, 0, 0.0, detail)
    if not now.size:
        return
    beyond = _beyond(before, now, rate)
    if beyond:
        detail = (
            f"{name} ran from {before.low:g} to {before.high:g} and runs from {now.low:g} "
            f"to {now.high:g}: {beyond:,} rows lie outside"
        )
        yield DataFinding(name, FindingKind.OUT_OF_RANGE, beyond, beyond / now.rows, detail)


def _beyond(before: NumberSketch, now: NumberSketch, rate: float) -> int:
    """Return rows outside the reference's range where chance does not explain them, else 0."""
    if before.grid[0] > before.low or before.grid[-1] < before.high:
        return 0  # the grid was laid before the reference was complete: its ends are not its range
    width, beyond = before.high - before.low, 0
    far_below = now.low < before.low - FAR * width
    far_above = now.high > before.high + FAR * width
    for cell, far in ((0, far_below), (-1, far_above)):
        rows = int(now.counts[cell])
        if rows and width and (far or exceedance(rows, before.size, now.size) < rate / 2):
            beyond += rows
    return beyond


def exceedance(extreme: int, reference: int, current: int) -> float:
    """Return the probability that the most extreme values of two samples are all of the second.

    Args:
        extreme: How many values lie beyond every reference value.
        reference: Size of the reference.
        current: Size of the second sample.

    Returns:
        C(n + m - k, n) / C(n + m, n) for values in random order.

    Source: the precedence test, Nelson (1963), Technometrics 5.

    Example:
        >>> exceedance(1, 30, 30)
        0.5
    """
    total = reference + current
    parts = gammaln([total - extreme + 1, current - extreme + 1, total + 1, current + 1])
    return float(min(1.0, np.exp(parts[0] - parts[1] - parts[2] + parts[3]).round(9)))


def category_findings(
    name: str, before: CategorySketch, now: CategorySketch
) -> Iterator[DataFinding]:
    """Yield what is wrong with the values of a categorical feature.

    Args:
        name: Name of the feature.
        before: Its reference.
        now: Its current values.

    Yields:
        Findings on categories the reference has not, and on a reference of one category.
    """
    if len(before.counts) < 2:  # noqa: PLR2004 - one category, or none
        only = ", ".join(before.counts) or "nothing"
        detail = f"{name} is always {only} in the reference"
        yield DataFinding(name, FindingKind.CONSTANT_REFERENCE, 0, 0.0, detail)
    if OTHER in before.counts:
        return  # not every reference category is known by name
    new = {label: count for label, count in now.counts.items() if label not in before.counts}
    if new:
        first = sorted(new, key=lambda label: (-new[label], label))[:NAMED]
        more = f" and {len(new) - NAMED} more" if len(new) > NAMED else ""
        rows = sum(new.values())
        detail = f"{name} has new categories {', '.join(first)}{more} in {rows:,} rows"
        yield DataFinding(name, FindingKind.NEW_CATEGORY, rows, rows / now.rows, detail)
