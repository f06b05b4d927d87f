"""What holds for a data folder as a whole: frequency, absent days, currency."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, fields
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING, Literal, get_args

from serving.errors import InvalidField
from training.tables.layers import write_text
from training.tables.nearest import suggestion

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date
    from pathlib import Path

Frequency = Literal["day", "week", "month"]
AbsentDays = Literal["zero", "missing"]

_FILE = "dataset.toml"
# The shortest step, in days, that is no longer daily, and the shortest that is no longer weekly.
_WEEK_FROM, _MONTH_FROM = 4.0, 18.0
_CURRENCY_LETTERS = 3
_COUNTRY = re.compile("[A-Z]{2}")


@dataclass(frozen=True, slots=True)
class Dataset:
    """The settings of a data folder.

    Attributes:
        frequency: Length of a period; what is named by days counts periods.
        absent_days: What a period without a row means between a series' first and last one.
        currency_code: ISO 4217 code of amounts without one of their own; empty if unknown.
        country: ISO 3166 code of the country goods go to unless said otherwise; empty if unknown.
    """

    frequency: Frequency = "day"
    absent_days: AbsentDays = "zero"
    currency_code: str = ""
    country: str = ""

    def __post_init__(self) -> None:
        """Refuse values outside their lists."""
        if self.frequency not in get_args(Frequency):
            raise InvalidField("dataset.frequency", "must be day, week or month")
        if self.absent_days not in get_args(AbsentDays):
            raise InvalidField("dataset.absent_days", "must be zero or missing")
        code = self.currency_code
        if code and not (len(code) == _CURRENCY_LETTERS and code.isascii() and code.isupper()):
            raise InvalidField("dataset.currency_code", "must be three capital letters, as EUR")
        if self.country and not _COUNTRY.fullmatch(self.country):
            raise InvalidField("dataset.country", "must be two capital letters, as DE")


def parse_dataset(settings: Mapping[str, object]) -> Dataset:
    """Build the settings from a TOML table.

    Args:
        settings: Any of frequency, absent_days, currency_code.

    Returns:
        The settings; what is absent has its default.

    Raises:
        InvalidField: A name is unknown or a value outside its list.
    """
    known = [field.name for field in fields(Dataset)]
    for name, value in settings.items():
        if name not in known:
            raise InvalidField(f"dataset.{name}", f"is no setting{suggestion(name, known)}")
        if not isinstance(value, str):
            raise InvalidField(f"dataset.{name}", "must be text")
    return Dataset(**settings)  # type: ignore[arg-type]  # __post_init__ holds the values to lists


def stored_dataset(data_dir: Path) -> Dataset | None:
    """Read ``dataset.toml`` of a folder, or None where there is none.

    Raises:
        InvalidField: The file is no TOML or holds a wrong setting.
    """
    path = data_dir / _FILE
    if not path.exists():
        return None
    try:
        return parse_dataset(tomllib.loads(path.read_text(encoding="utf-8")))
    except tomllib.TOMLDecodeError as error:
        raise InvalidField(str(path), f"is no TOML: {error}") from error


def store_dataset(data_dir: Path, dataset: Dataset) -> None:
    """Write ``dataset.toml`` of a folder."""
    lines = [f'{field.name} = "{getattr(dataset, field.name)}"' for field in fields(Dataset)]
    write_text(data_dir / _FILE, "\n".join(lines) + "\n")


def infer_frequency(days: list[date]) -> Frequency:
    """Infer the length of a period from the days that have rows.

    Args:
        days: Distinct days in rising order.

    Returns:
        The frequency whose length is nearest the median step; ``day`` for fewer than two days.

    >>> from datetime import date
    >>> infer_frequency([date(2024, 1, 1), date(2024, 2, 1), date(2024, 3, 1)])
    'month'
    """
    steps = [(after - before).days for before, after in pairwise(days)]
    if not steps or median(steps) < _WEEK_FROM:
        return "day"
    return "week" if median(steps) < _MONTH_FROM else "month"
