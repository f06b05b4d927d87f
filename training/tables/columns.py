"""What a contract is made of: columns with kind and range, keys, and relations between columns.

A number without an upper bound of its own must stay within ``MAGNITUDE``: what is larger is a
broken export, and its square would lose every digit downstream.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

MAGNITUDE = 1e12
FIRST_DAY = date(1900, 1, 1)
LAST_DAY = date(2199, 12, 31)

Kind = Literal["text", "number", "whole", "date", "flag"]
Sign = Literal[">=", "<=", "!="]


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its kind, whether every row must fill it, and its range (both ends included)."""

    name: str
    kind: Kind
    required: bool = False
    low: float = -MAGNITUDE
    high: float = MAGNITUDE
    positive: bool = False
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Relation:
    """Two columns of one row that must stand in an order; rows lacking either are not judged."""

    column: str
    sign: Sign
    other: str

    @property
    def rule(self) -> str:
        """What the relation requires, in words."""
        words = {">=": "not be before", "<=": "not exceed", "!=": "differ from"}
        return f"must {words[self.sign]} {self.other}"


@dataclass(frozen=True, slots=True)
class Contract:
    """What a table must hold.

    Attributes:
        table: Canonical name.
        columns: Its columns in canonical order.
        key: Columns whose values together occur once; empty where rows may repeat.
        relations: Orders between columns of one row.
        extra: Which columns beyond the canonical ones are taken.
        recorded: Column that dates a row as a fact of the past, empty where rows may look ahead.
    """

    table: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    relations: tuple[Relation, ...] = ()
    extra: Literal["none", "number", "any"] = "none"
    recorded: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The canonical column names in order."""
        return tuple(column.name for column in self.columns)

    @property
    def required(self) -> tuple[str, ...]:
        """The columns every row must fill."""
        return tuple(column.name for column in self.columns if column.required)

    @property
    def order(self) -> tuple[str, ...]:
        """The columns stored rows are sorted by: series first, time last."""
        dated = {column.name for column in self.columns if column.kind == "date"}
        keys = self.key or self.required
        return tuple(sorted(keys, key=lambda name: (name in dated, keys.index(name))))


def ids(*names: str) -> tuple[Column, ...]:
    """Declare names every row must fill."""
    return tuple(Column(name, "text", required=True) for name in names)


def texts(*names: str) -> tuple[Column, ...]:
    """Declare optional texts."""
    return tuple(Column(name, "text") for name in names)


def dates(*names: str, required: bool = False) -> tuple[Column, ...]:
    """Declare civil dates."""
    return tuple(Column(name, "date", required) for name in names)


def flags(*names: str, required: bool = False) -> tuple[Column, ...]:
    """Declare yes-no columns."""
    return tuple(Column(name, "flag", required) for name in names)


def amounts(*names: str, required: bool = False) -> tuple[Column, ...]:
    """Declare numbers of zero or more."""
    return tuple(Column(name, "number", required, low=0.0) for name in names)


def signed(*names: str, required: bool = False) -> tuple[Column, ...]:
    """Declare numbers of either sign."""
    return tuple(Column(name, "number", required) for name in names)


def shares(*names: str) -> tuple[Column, ...]:
    """Declare numbers from 0 to 1."""
    return tuple(Column(name, "number", low=0.0, high=1.0) for name in names)


def counts(*names: str) -> tuple[Column, ...]:
    """Declare whole numbers of zero or more."""
    return tuple(Column(name, "whole", low=0.0) for name in names)


DAY = dates("date", required=True)
SERIES = (*DAY, *ids("sku", "location"))
CURRENCY = texts("currency_code")
