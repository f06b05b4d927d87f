"""What every question about a series shares: its keys, its plan, its provenance."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from serving.errors import InvalidField

if TYPE_CHECKING:
    import datetime as dt

MAX_KEY_LENGTH = 200
SEPARATOR = "\x1f"  # between the parts of a stored key; no printable part holds it


class RowStatus(enum.IntEnum):
    """Outcome of one row of a batch; numbers as in the contract."""

    OK = 1
    UNKNOWN_SERIES = 2
    STALE_FEATURES = 3
    MISSING_INPUT = 4


@dataclass(frozen=True, slots=True)
class PlanDay:
    """What is decided for one day to come; None leaves the stored plan in force.

    Attributes:
        date: The day.
        price: Selling price in the product's currency, above 0.
        discount: Share off the price, 0 to 1.
        promoted: Whether a promotion runs.
    """

    date: dt.date
    price: float | None = None
    discount: float | None = None
    promoted: bool | None = None

    def __post_init__(self) -> None:
        """Refuse prices and discounts outside their range."""
        if self.price is not None and not (math.isfinite(self.price) and self.price > 0):
            raise InvalidField("plan.price", "must be a finite number above 0")
        if self.discount is not None and not 0 <= self.discount <= 1:
            raise InvalidField("plan.discount", "must be from 0 to 1")


@dataclass(frozen=True, slots=True)
class ProductAttributes:
    """What is known of a product that is in no table.

    Attributes:
        category: Category whose history stands in.
        price: Regular selling price in the product's currency, above 0.
    """

    category: str
    price: float | None = None

    def __post_init__(self) -> None:
        """Refuse an empty category and a price that is none."""
        check_key("product.category", self.category)
        if self.price is not None and not (math.isfinite(self.price) and self.price > 0):
            raise InvalidField("product.price", "must be a finite number above 0")


@dataclass(frozen=True, slots=True)
class LocationAttributes:
    """What is known of a location that is in no table.

    Attributes:
        region: Region whose history stands in; all regions where None.
    """

    region: str | None = None


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where an answer came from: enough to replay it.

    Attributes:
        model_name: Registered name; empty where a formula answered.
        model_version: Registered version; empty where a formula answered.
        model_digest: SHA-256 of the served graph.
        formula_version: Version of the formula that answered; empty where a model did alone.
        feature_set_hash: Hash of the feature set the model reads.
        features_age_seconds: Age of the oldest feature used; None where none was used.
        warnings: What the caller should know before relying on the answer.
    """

    model_name: str = ""
    model_version: str = ""
    model_digest: str = ""
    formula_version: str = ""
    feature_set_hash: str = ""
    features_age_seconds: int | None = None
    warnings: tuple[str, ...] = ()


def check_key(field: str, value: str) -> None:
    """Refuse a key that is empty, too long or holds control characters.

    Args:
        field: Name of the field that holds it.
        value: The key.

    Raises:
        InvalidField: If the key breaks its rule.
    """
    if not value:
        raise InvalidField(field, "is required")
    if len(value) > MAX_KEY_LENGTH:
        raise InvalidField(field, f"must have at most {MAX_KEY_LENGTH} characters")
    if not value.isprintable():
        raise InvalidField(field, "must hold printable characters only")
