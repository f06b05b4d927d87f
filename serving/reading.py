"""What both doors read alike: dates, numbers, and days of history sent with a request."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import math
import re
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from serving.domain.demand import MAX_HISTORY_DAYS
from serving.domain.history import History
from serving.domain.policies import FORMULAS
from serving.domain.policy_parts import CHOSEN, PARTS
from serving.domain.series import PlanDay
from serving.domain.supply import Supply
from serving.errors import InvalidField

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    E = TypeVar("E", bound=enum.IntEnum)
    V = TypeVar("V")

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_MOST = 1e12  # as tables hold; far beyond it the squares of float32 have no end
_DAY_RULES: dict[str, tuple[Callable[[float], bool], str]] = {
    "quantity": (lambda value: 0 <= value <= _MOST, f"must be from 0 to {_MOST:g}"),
    "available_fraction": (lambda value: 0 <= value <= 1, "must be from 0 to 1"),
    "price": (lambda value: 0 < value <= _MOST, f"must be above 0 and at most {_MOST:g}"),
    "discount": (lambda value: 0 <= value <= 1, "must be from 0 to 1"),
}

# Formulas by the type of their result.
FORMULA_OF_RESULT: dict[type[Any], str] = {one.result: name for name, one in FORMULAS.items()}


# Fields of a reorder request that make up its supply.
SUPPLY_FIELDS = tuple(part.name for part in dataclasses.fields(Supply))
_DATES = ("due_date", "expiry_date")


class SentDay(NamedTuple):
    """One day of history as sent; None where a field is absent."""

    date: str
    quantity: float | None
    available_fraction: float | None
    price: float | None
    discount: float | None
    promoted: bool | None


class SentPlan(NamedTuple):
    """One day of a plan as sent; None where a field is absent."""

    date: str
    price: float | None
    discount: float | None
    promoted: bool | None


def check_one_formula(formulas: Sequence[str]) -> str:
    """Return the one formula that was asked for.

    Raises:
        InvalidField: If none was, or more than one.
    """
    if len(formulas) != 1:
        raise InvalidField("formula", f"must be exactly one of {', '.join(FORMULAS)}")
    return formulas[0]


def built(kind: type[V], said: Mapping[str, Any], at: str = "") -> V:
    """Build a value of the domain from what a request says of it, values within it included.

    Args:
        kind: Type of the value.
        said: Its fields by name, values within it as mappings.
        at: Path of the value within the request, ending in a dot; empty for the request.

    Returns:
        The value.

    Raises:
        InvalidField: If a field breaks its rule; the path says which.
    """
    parts = PARTS.get(kind, {})
    fields = {
        name: _part(parts[name], value, f"{at}{name}") if name in parts else value
        for name, value in said.items()
    }
    for part in dataclasses.fields(kind):  # type: ignore[arg-type]
        if part.name not in fields and part.default is dataclasses.MISSING:
            raise InvalidField(f"{at}{part.name}", "is required")
    try:
        return kind(**fields)
    except InvalidField as error:
        raise InvalidField(f"{at}{error.field}", error.requirement) from None


def supply_of(said: Mapping[str, Any]) -> Supply:
    """Read what an order may draw on; texts that are dates become dates.

    Raises:
        InvalidField: If a field breaks its rule; the path says which.
    """
    dated = dict(said)
    for name in ("receipts", "lots"):
        dated[name] = tuple(
            {
                field: date_of(f"{name}[{index}].{field}", value) if field in _DATES else value
                for field, value in one.items()
                if value != "" or field == "due_date"
            }
            for index, one in enumerate(said.get(name, ()))
        )
    return built(Supply, dated)


def _part(kind: type[Any], value: Any, at: str) -> Any:  # noqa: ANN401 - any value of the domain
    if isinstance(value, tuple):
        return tuple(_part(kind, one, f"{at}[{index}]") for index, one in enumerate(value))
    if not issubclass(kind, enum.IntEnum):
        return built(kind, value, f"{at}.")
    if kind in CHOSEN and value == 0:
        raise InvalidField(at, "is required")
    return member_of(at, kind, value)


def date_of(field: str, text: str) -> dt.date:
    """Read a civil date.

    Raises:
        InvalidField: If it is no ISO 8601 date of the form YYYY-MM-DD.
    """
    if not text:
        raise InvalidField(field, "is required")
    try:
        if _DATE.fullmatch(text):
            return dt.date.fromisoformat(text)
    except ValueError:  # a day that no calendar has
        pass
    raise InvalidField(field, "must be a date of the form YYYY-MM-DD")


def member_of(field: str, kind: type[E], number: int) -> E:
    """Read an enum; absent (0) is read as the first member, which the contract makes the default.

    Raises:
        InvalidField: If the contract has no such number.
    """
    try:
        return kind(number or 1)
    except ValueError:
        known = ", ".join(member.name for member in kind)
        raise InvalidField(field, f"must be one of {known}") from None


def distinct(texts: Sequence[str]) -> tuple[list[str], list[int]]:
    """Return each different text once, in order of appearance, and the place of each.

    >>> distinct(["a", "b", "a"])
    (['a', 'b'], [0, 1, 0])
    """
    places: dict[str, int] = {}
    found = [places.setdefault(text, len(places)) for text in texts]
    return list(places), found


def required_member(kind: type[E], number: int, field: str) -> E:
    """Read an enum that has no default.

    Raises:
        InvalidField: If it is absent (0), or the contract has no such number.
    """
    if not number:
        raise InvalidField(field, "is required")
    return member_of(field, kind, number)


def column_of(values: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Return a column as it was sent, or ones where none was."""
    return values if values.size else np.ones(count)


def controls_of(columns: Sequence[NDArray[np.float64]], count: int) -> NDArray[np.float64]:
    """Return columns side by side, shape (count, columns).

    Raises:
        InvalidField: If one has another length.
    """
    for index, column in enumerate(columns):
        if len(column) != count:
            raise InvalidField(f"controls[{index}].values", f"must have {count} values")
    return np.column_stack(columns) if columns else np.empty((count, 0))


def finite(field: str, value: float) -> float:
    """Return a number as it is.

    Raises:
        InvalidField: If it is infinite or no number.
    """
    if not math.isfinite(value):
        raise InvalidField(field, "must be a finite number")
    return value


def all_finite(field: str, values: Sequence[float]) -> None:
    """Refuse numbers that are infinite or none.

    Raises:
        InvalidField: At the first of them.
    """
    for index, value in enumerate(values):
        if not math.isfinite(value):
            finite(f"{field}[{index}]", value)


def plan_of(days: Sequence[SentPlan]) -> tuple[PlanDay, ...]:
    """Read a plan.

    Raises:
        InvalidField: If a day breaks its rule; the index says which.
    """
    plan = []
    for index, day in enumerate(days):
        at = f"plan[{index}]"
        date = date_of(f"{at}.date", day.date)
        for name in ("price", "discount"):
            value = getattr(day, name)
            if value is not None:
                finite(f"{at}.{name}", value)
        try:
            plan.append(PlanDay(date, day.price, day.discount, day.promoted))
        except InvalidField as error:
            raise InvalidField(error.field.replace("plan", at, 1), error.requirement) from None
    return tuple(plan)


def history_of(days: Sequence[SentDay]) -> History | None:
    """Read the history of one series, or None where no day was sent.

    Raises:
        InvalidField: If a day breaks its rule or does not follow the one before it.
    """
    if not days:
        return None
    if len(days) > MAX_HISTORY_DAYS:
        raise InvalidField("history", f"must have at most {MAX_HISTORY_DAYS:,} days")
    first = date_of("history[0].date", days[0].date)
    for index, day in enumerate(days):
        at = f"history[{index}]"
        if date_of(f"{at}.date", day.date) != first + dt.timedelta(days=index):
            raise InvalidField(f"{at}.date", "must be the day after the one before it")
        _check_day(at, day)
    return History(
        first_day=np.datetime64(first, "D"),
        quantity=_column(days, "quantity", math.nan),
        available=_column(days, "available_fraction", 1.0),
        price=_column(days, "price", math.nan),
        discount=_column(days, "discount", 0.0),
        promoted=_column(days, "promoted", 0.0),
    )


def _check_day(at: str, day: SentDay) -> None:
    for name, (fits, requirement) in _DAY_RULES.items():
        value = getattr(day, name)
        if value is None:
            continue
        finite(f"{at}.{name}", value)
        if not fits(value):
            raise InvalidField(f"{at}.{name}", requirement)


def _column(days: Sequence[SentDay], name: str, absent: float) -> NDArray[np.float64]:
    values = [absent if (value := getattr(day, name)) is None else value for day in days]
    return np.array(values, dtype=np.float64)[:, None]
