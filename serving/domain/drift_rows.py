"""Rows sent for a check of drift, read alike by both doors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from serving.domain.drift import Column, Sample
from serving.domain.series import check_key
from serving.errors import InvalidField

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray


def sample_of(side: str, columns: Sequence[Mapping[str, Any]], blocks: NDArray[np.int64]) -> Sample:
    """Read the rows of one side.

    Args:
        side: Name of the field that holds them.
        columns: Fields of each column as sent.
        blocks: Block of each row, empty where rows stand alone.

    Returns:
        The rows.

    Raises:
        InvalidField: If a column breaks its rule.
        TooLarge: If there are more values than one call takes.
    """
    read = [_column(f"{side}.columns[{index}]", sent) for index, sent in enumerate(columns)]
    try:
        return Sample(tuple(read), blocks if blocks.size else None)
    except InvalidField as error:
        raise InvalidField(f"{side}.{error.field}", error.requirement) from None


def _column(at: str, sent: Mapping[str, Any]) -> Column:
    name, values, labels = sent["name"], sent["values"], sent["labels"]
    check_key(f"{at}.name", name)
    if bool(values.size) == bool(labels):
        raise InvalidField(at, "must have either values or labels")
    gone, rows = sent["missing_rows"], values.size or len(labels)
    if gone.size and not (gone.min() >= 0 and gone.max() < rows):
        raise InvalidField(f"{at}.missing_rows", f"must be from 0 to {rows - 1}")
    if values.size:
        filled = values.copy()
        filled[gone] = np.nan
        return Column(name, values=filled)
    missing = set(gone.tolist())
    known = (None if row in missing else label for row, label in enumerate(labels))
    return Column(name, labels=tuple(known))


def importances_of(sent: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Read the importance of features.

    Args:
        sent: Fields of each importance as sent.

    Returns:
        Importance by name.

    Raises:
        InvalidField: If a feature is named twice.
    """
    read: dict[str, float] = {}
    for index, one in enumerate(sent):
        if one["name"] in read:
            raise InvalidField(f"importances[{index}].name", "must stand once")
        read[one["name"]] = one["value"]
    return read
