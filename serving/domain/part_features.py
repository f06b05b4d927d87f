"""What the cost model reads of a part and of a quote for it.

A part is described by attributes, and by the components of its bill with theirs. Nothing here knows
a name of an attribute: an encoding, found in training and stored with the model, says which numbers
and which words count and in which column.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Attributes = Mapping[str, Sequence[str]]

# What the terms of a quote say, in column order; the columns of the part follow.
QUOTE_FEATURES = (
    "quantity",
    "effective_quantity",
    "minimum_order_quantity",
    "annual_usage",
    "bracket_pricing",
    "bracket_count",
    "least_bracket",
    "greatest_bracket",
    "bracket_rank",
    "day",
    "supplier",
    "part_number",
)
_DIGITS = re.compile(r"\d{1,15}")


@dataclass(frozen=True, slots=True)
class Part:
    """What the tables say of one part.

    Attributes:
        sku: Its code.
        attributes: Values by name, as text.
        components: Code and quantity of each line of its bill.
        measures: What its bill weighs and takes, as `bill_measures` adds it up.
    """

    sku: str
    attributes: Attributes
    components: tuple[tuple[str, float], ...] = ()
    measures: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Terms of n quotes; every array has shape (n,) and NaN where a term is unknown.

    Attributes:
        quantity: Units quoted, above 0.
        minimum_order_quantity: Least units the supplier accepts.
        annual_usage: Units bought a year.
        bracket_pricing: 1 where the price is one of several by quantity, 0 where it is not.
        bracket_count: Quantities the supplier quoted together.
        least_bracket: Least of these quantities, in units.
        greatest_bracket: Greatest of them, in units.
        bracket_rank: Place of this quantity among them, from 1.
        day: Day of the quote, days since 1970-01-01.
        suppliers: Supplier of each quote; empty where unknown.
    """

    quantity: Floats
    minimum_order_quantity: Floats
    annual_usage: Floats
    bracket_pricing: Floats
    bracket_count: Floats
    least_bracket: Floats
    greatest_bracket: Floats
    bracket_rank: Floats
    day: Floats
    suppliers: tuple[str, ...]


@dataclass(frozen=True)
class PartEncoding:
    """Which attributes count, and in which column.

    Attributes:
        numbers: Attributes of the part that are numbers, and measures of its bill.
        words: Attribute and word of the part that count 1 where it has that word.
        component_numbers: Attributes of components that are numbers: their sum over the units of
            the bill, their greatest and their least value.
        component_words: Attribute and word of components: units of the bill that have it.
        suppliers: Suppliers by number of quotes, most first.
        frequent_suppliers: Those of them whose quotes count 1 in a column of their own.
        quoted_quantities: Units that were quoted, ascending, each where they are few, else the
            least and the most; empty where it was not noted.
    """

    numbers: tuple[str, ...]
    words: tuple[tuple[str, str], ...]
    component_numbers: tuple[str, ...]
    component_words: tuple[tuple[str, str], ...]
    suppliers: tuple[str, ...]
    frequent_suppliers: tuple[str, ...] = ()
    quoted_quantities: tuple[float, ...] = ()

    @cached_property
    def features(self) -> tuple[str, ...]:
        """Names of all columns in order."""
        named = (f"supplier={name}" for name in self.frequent_suppliers)
        return (*QUOTE_FEATURES, *self.part_features, *named)

    @cached_property
    def part_features(self) -> tuple[str, ...]:
        """Names of the columns of a part in order."""
        return (
            "component_units",
            "component_kinds",
            *self.numbers,
            *(f"{name}={word}" for name, word in self.words),
            *(
                f"{kind} {name}"
                for kind in ("sum", "greatest", "least")
                for name in self.component_numbers
            ),
            *(f"component {name}={word}" for name, word in self.component_words),
        )

    @cached_property
    def digest(self) -> str:
        """Hash of everything a row follows from."""
        said = asdict(self)
        del said["quoted_quantities"]  # a warning follows from them, no row
        text = json.dumps([QUOTE_FEATURES, said], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def to_json(self) -> dict[str, Any]:
        """Return the encoding fit for JSON."""
        return {name: list(value) for name, value in asdict(self).items()}

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> PartEncoding:
        """Read an encoding as `to_json` gives it.

        Args:
            said: The encoding as JSON.

        Returns:
            The encoding.

        Raises:
            KeyError: If a part of it is missing.
        """
        return cls(
            numbers=tuple(said["numbers"]),
            words=tuple((name, word) for name, word in said["words"]),
            component_numbers=tuple(said["component_numbers"]),
            component_words=tuple((name, word) for name, word in said["component_words"]),
            suppliers=tuple(said["suppliers"]),
            frequent_suppliers=tuple(said.get("frequent_suppliers", ())),
            quoted_quantities=tuple(said.get("quoted_quantities", ())),
        )

    @cached_property
    def _supplier_codes(self) -> dict[str, float]:
        return {name: float(code) for code, name in enumerate(self.suppliers)}

    @cached_property
    def _frequent_codes(self) -> Floats:
        return np.array([self._supplier_codes[name] for name in self.frequent_suppliers])

    @cached_property
    def _own(self) -> _Columns:
        return _Columns(self.numbers, self.words, start=2)

    @cached_property
    def _components(self) -> _Columns:
        return _Columns(self.component_numbers, self.component_words, start=0)

    @cached_property
    def _first(self) -> int:
        """Column of a part's row at which those of its components begin."""
        return 2 + len(self.numbers) + len(self.words)

    @cached_property
    def width(self) -> int:
        """Columns of a part, behind those of a quote."""
        return len(self.part_features)

    def part_rows(self, parts: Sequence[Part], components: Mapping[str, Attributes]) -> Floats:
        """Lay out what is known of some parts.

        Args:
            parts: The parts.
            components: Attributes of their components by code; those of others are not read.

        Returns:
            Their columns, NaN where a number is unknown, shape (n, width).
        """
        rows = np.zeros((len(parts), self.width))
        rows[:, 2 : 2 + len(self.numbers)] = np.nan
        start, count = self._first, len(self.component_numbers)
        rows[:, start + count : start + 3 * count] = np.nan
        for row, part in zip(rows, parts, strict=True):
            columns, values = self._own.of(part.attributes)
            row[columns] = values
            for name, measure in part.measures.items():
                column = self._own.number(name)
                if column is not None:
                    row[column] = measure
            row[0] = sum(quantity for _, quantity in part.components)
            row[1] = len(part.components)
        self._add_components(rows, parts, components)
        return rows

    def _add_components(
        self, rows: Floats, parts: Sequence[Part], components: Mapping[str, Attributes]
    ) -> None:
        """Add up the lines of all bills at once, each part's in the order of its bill."""
        lines = [(row, *line) for row, part in enumerate(parts) for line in part.components]
        if not lines:
            return
        row, codes, quantity = zip(*lines, strict=True)
        place = {code: place for place, code in enumerate(dict.fromkeys(codes))}
        said = [self._components.of(components.get(code, {})) for code in place]
        counts = np.array([len(columns) for columns, _ in said])
        line = np.array([place[code] for code in codes])
        repeats = counts[line]
        at = np.arange(repeats.sum()) - np.repeat(np.cumsum(repeats) - repeats, repeats)
        at += np.repeat((np.cumsum(counts) - counts)[line], repeats)
        column = np.concatenate([columns for columns, _ in said])[at]
        value = np.concatenate([values for _, values in said])[at]
        units = np.repeat(np.array(quantity, dtype=np.float64), repeats)
        self._add(rows, np.repeat(np.array(row), repeats), column, value, units)

    def _add(
        self,
        rows: Floats,
        row: NDArray[np.int64],
        column: NDArray[np.int64],
        value: Floats,
        units: Floats,
    ) -> None:
        count = len(self.component_numbers)
        number = column < count
        flat = rows.reshape(-1)
        place = row * self.width + self._first + column
        inner, inner_value = place[number], value[number]
        np.add.at(flat, inner, units[number] * inner_value)
        np.fmax.at(flat, inner + count, inner_value)
        np.fmin.at(flat, inner + 2 * count, inner_value)
        np.add.at(flat, place[~number] + 2 * count, units[~number])

    def rows(self, skus: Sequence[str], terms: Terms, parts: Floats) -> NDArray[np.float32]:
        """Lay out the rows the model reads.

        Args:
            skus: Code of each part.
            terms: Terms of each quote.
            parts: Columns of each part as `part_rows` gives them, shape (n, width).

        Returns:
            Rows, NaN where a term is unknown, shape (n, features).
        """
        out = np.empty((len(skus), len(self.features)), dtype=np.float32)
        bracketed = terms.bracket_pricing == 1.0
        least = np.where(bracketed, 0.0, np.nan_to_num(terms.minimum_order_quantity))
        supplier = np.array([self._supplier_codes.get(name, np.nan) for name in terms.suppliers])
        own = len(QUOTE_FEATURES)
        out[:, :own] = np.column_stack(
            [
                terms.quantity,
                np.maximum(terms.quantity, least),
                terms.minimum_order_quantity,
                terms.annual_usage,
                terms.bracket_pricing,
                terms.bracket_count,
                terms.least_bracket,
                terms.greatest_bracket,
                terms.bracket_rank,
                terms.day,
                supplier,
                [_number_in(sku) for sku in skus],
            ]
        )
        out[:, own : own + self.width] = parts
        out[:, own + self.width :] = supplier[:, None] == self._frequent_codes
        return out


class _Columns:
    """Where numbers and words of attributes stand."""

    def __init__(
        self, numbers: Sequence[str], words: Sequence[tuple[str, str]], *, start: int
    ) -> None:
        self._numbers = {name: start + place for place, name in enumerate(numbers)}
        first = start + len(numbers)
        self._words = {pair: first + place for place, pair in enumerate(words)}

    def number(self, name: str) -> int | None:
        """Return the column of a number, or None where it does not count."""
        return self._numbers.get(name)

    def of(self, attributes: Attributes) -> tuple[NDArray[np.int64], Floats]:
        """Return columns and values of what counts among the attributes."""
        found: dict[int, float] = {}
        for name, texts in attributes.items():
            column = self._numbers.get(name)
            if column is not None:
                values = [value for text in texts if (value := number_of(text)) is not None]
                if values:
                    found[column] = max(values)
                continue
            for text in texts:
                column = self._words.get((name, text))
                if column is not None:
                    found[column] = 1.0
        return np.array(list(found), dtype=np.int64), np.array(list(found.values()))


def bill_measures(lines: Iterable[tuple[float, str, float, float]]) -> dict[str, float]:
    """Add up what the lines of a bill weigh, in all and by commodity, and the work they take.

    Args:
        lines: Quantity, commodity (empty for none), kilograms and minutes a unit of each line.

    Returns:
        Sums by name; a sum of nothing is left out.

    Example:
        >>> bill_measures([(2.0, "steel", 1.5, 0.0), (1.0, "", 0.0, 4.0)])
        {'bill mass_kg': 3.0, 'bill mass_kg of steel': 3.0, 'bill labor_minutes': 4.0}
    """
    sums: dict[str, float] = {}
    for quantity, commodity, mass, minutes in lines:
        if mass:
            names = ("bill mass_kg", f"bill mass_kg of {commodity}")
            for name in names if commodity else names[:1]:
                sums[name] = sums.get(name, 0.0) + quantity * mass
        if minutes:
            name = "bill labor_minutes"
            sums[name] = sums.get(name, 0.0) + quantity * minutes
    return sums


def number_of(text: str) -> float | None:
    """Read the finite number a text is.

    Args:
        text: Any text.

    Returns:
        The number, or None where the text is a word.

    Example:
        >>> number_of("1.65"), number_of("EF-003")
        (1.65, None)
    """
    try:
        value = float(text)
    except ValueError:
        return None
    return value if np.isfinite(value) else None


def _number_in(sku: str) -> float:
    """Return the first number in a code: codes given one after another are often alike."""
    found = _DIGITS.search(sku)
    return float(found[0]) if found else float("nan")
