"""What every answer to a reorder question says beside its figures."""

from __future__ import annotations

import dataclasses
import datetime as dt
import math
from typing import TYPE_CHECKING

import numpy as np

from serving.domain.replenishment import FORMULA_VERSION
from serving.domain.series import RowStatus

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from serving.domain.demand import Cover
    from serving.domain.series import Provenance

    Flags = NDArray[np.bool_]

FAR_DAYS = 365


def order_date(cover: Cover, spare: float, order: float) -> dt.date | None:
    """Return the day the position falls below the reorder point at the expected rate of demand.

    None where an order is due now, and where that day is more than a year away.
    """
    if order > 0 or cover.daily_mean <= 0:
        return None
    days = math.ceil(max(0.0, spare) / cover.daily_mean)
    return cover.origin + dt.timedelta(days=max(1, days)) if days <= FAR_DAYS else None


def provenance_of(forecast: Provenance, warnings: tuple[str, ...]) -> Provenance:
    """Return the provenance of a forecast, the formula and more warnings added."""
    return dataclasses.replace(
        forecast, formula_version=FORMULA_VERSION, warnings=forecast.warnings + warnings
    )


def warnings_of(
    assumed: Mapping[str, Flags], bounded: Flags, *, clipped: bool = False
) -> tuple[str, ...]:
    """Say which figures rest on an assumption or are bounds."""
    rows = bounded.size
    warnings = [
        f"{name} is neither sent nor in table 'inventory' for {count} of {rows} series: "
        "0 is assumed"
        for name, flags in assumed.items()
        if (count := int(flags.sum()))
    ]
    if count := int(bounded.sum()):
        warnings.append(
            f"stockout_probability is a bound for {count} of {rows} series: "
            "the inventory position lies beyond the trained quantiles"
        )
    if clipped:
        warnings.append(
            "lead times longer than the model was trained for are read as the longest it was"
        )
    return tuple(warnings)


def merged(
    statuses: Sequence[RowStatus], usable: Flags
) -> tuple[tuple[RowStatus, ...], NDArray[np.intp], NDArray[np.intp]]:
    """Lay missing inputs over the statuses of the forecast.

    Returns:
        The statuses, the asked rows that hold values, and their places among the forecast's.
    """
    forecast = np.array([status is RowStatus.OK for status in statuses])
    merged = tuple(
        RowStatus.MISSING_INPUT if known and not complete else status
        for status, known, complete in zip(statuses, forecast, usable, strict=True)
    )
    return merged, np.flatnonzero(forecast & usable), np.flatnonzero(usable[forecast])
