"""Covariates of units as the tables hold them, where a question does not send them."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from serving.domain.uplift import (
    CategoricalCovariate,
    NumericCovariate,
    UnitsQuery,
    UpliftRowStatus,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from serving.domain.covariates import CategoricalSource, Encoding, NumericSource
    from serving.ports import Clock, ReferenceReader

    Record = Mapping[str, Any]

UNIT, UNITS = "unit", "units"  # kinds of documents: one a unit, and one about all of them
LAST_DAY = "last_day"  # in the latter: day on which the former were known; empty where not told


class Completed(NamedTuple):
    """A question with all that is known of its units.

    Attributes:
        query: The units that are known, with their covariates; None where none is.
        statuses: Outcome of each asked unit.
        age: Age of what was looked up, in seconds; None where nothing was, or nobody told its day.
    """

    query: UnitsQuery | None
    statuses: tuple[UpliftRowStatus, ...]
    age: int | None = None


class StoredUnits:
    """Looks up what a question leaves out."""

    def __init__(self, reference: ReferenceReader, clock: Clock) -> None:
        """Take the reader of what the tables say and the business clock."""
        self._reference = reference
        self._clock = clock

    def complete(self, query: UnitsQuery, encoding: Encoding) -> Completed:
        """Add the covariates a model reads and a question does not send.

        What is neither sent nor stored is left out, and for the model to refuse.
        """
        sent = {one.name for one in query.numeric} | {one.name for one in query.categorical}
        numbers = [one for one in encoding.numeric if one.name not in sent]
        kinds = [one for one in encoding.categorical if one.name not in sent]
        about = self._reference.document(UNITS, "") if numbers or kinds else None
        if about is None:
            return Completed(query, (UpliftRowStatus.OK,) * len(query.unit_ids))
        records = [self._reference.document(UNIT, unit) for unit in query.unit_ids]
        statuses = tuple(_status(record, numbers, kinds) for record in records)
        rows = [row for row, status in enumerate(statuses) if status is UpliftRowStatus.OK]
        known = [record for row in rows if (record := records[row]) is not None]
        if not known:
            return Completed(None, statuses)
        part = query if len(rows) == len(records) else _taken(query, rows)
        completed = UnitsQuery(
            part.unit_ids,
            (*part.numeric, *(_number(one.name, known) for one in numbers)),
            (*part.categorical, *(_category(one.name, known) for one in kinds)),
        )
        return Completed(completed, statuses, self._age(about[LAST_DAY]))

    def _age(self, last_day: str | None) -> int | None:
        if last_day is None:
            return None
        end = dt.datetime.fromisoformat(last_day).replace(tzinfo=dt.UTC) + dt.timedelta(days=1)
        return max(0, int((self._clock.now() - end).total_seconds()))


def _status(
    record: Record | None, numbers: Sequence[NumericSource], kinds: Sequence[CategoricalSource]
) -> UpliftRowStatus:
    if record is None:
        return UpliftRowStatus.UNKNOWN_UNIT
    for number in numbers:
        value = record.get(number.name)
        if not (number.may_miss if value is None else isinstance(value, int | float)):
            return UpliftRowStatus.MISSING_COVARIATE
    for kind in kinds:
        if not isinstance(record.get(kind.name, ""), str):  # a number since the model was trained
            return UpliftRowStatus.MISSING_COVARIATE
    return UpliftRowStatus.OK


def _number(name: str, records: Sequence[Record]) -> NumericCovariate:
    values = np.array([record.get(name, np.nan) for record in records], dtype=np.float64)
    return NumericCovariate(name, values, np.flatnonzero(np.isnan(values)))


def _category(name: str, records: Sequence[Record]) -> CategoricalCovariate:
    return CategoricalCovariate(name, tuple(record.get(name, "") for record in records))


def _taken(query: UnitsQuery, rows: Sequence[int]) -> UnitsQuery:
    """Return some of the units of a question with what was sent of them."""

    def number(column: NumericCovariate) -> NumericCovariate:
        missing = np.isin(rows, column.missing_rows)
        return NumericCovariate(column.name, column.values[rows], np.flatnonzero(missing))

    return UnitsQuery(
        tuple(query.unit_ids[row] for row in rows),
        tuple(number(column) for column in query.numeric),
        tuple(
            CategoricalCovariate(column.name, tuple(column.values[row] for row in rows))
            for column in query.categorical
        ),
    )
