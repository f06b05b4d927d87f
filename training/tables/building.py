"""Build a dataclass from TOML settings, holding each one to its field's type."""

from __future__ import annotations

from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from serving.errors import InvalidField
from training.tables.nearest import suggestion

Made = TypeVar("Made")

_WORDS = {str: "text", bool: "true or false", int: "a whole number"}


def build(made: type[Made], settings: object, place: str) -> Made:
    """Build an instance from settings.

    Args:
        made: A dataclass whose fields are texts, numbers, flags, lists or tables of texts, lists
            of such dataclasses, or one of several literals.
        settings: A parsed TOML table.
        place: Dotted path of the table, for the refusal.

    Returns:
        The instance; absent settings have their default.

    Raises:
        InvalidField: A setting is unknown, absent without a default, or of another type.
    """
    if not isinstance(settings, dict):
        raise InvalidField(place, "must be a table of settings")
    hints = get_type_hints(made)
    for key in settings:
        if key not in hints:
            raise InvalidField(f"{place}.{key}", f"is no setting{suggestion(key, hints)}")
    values = {}
    for each in fields(made):  # type: ignore[arg-type]  # every caller passes a dataclass
        if each.name in settings:
            where = f"{place}.{each.name}"
            values[each.name] = _value(hints[each.name], settings[each.name], where)
        elif each.default is MISSING and each.default_factory is MISSING:
            raise InvalidField(f"{place}.{each.name}", "must be given")
    return made(**values)


def _value(hint: Any, value: object, place: str) -> object:  # noqa: ANN401  a type is any object
    """Convert one TOML value to the type of a field."""
    options = get_args(hint)
    origin = get_origin(hint)
    if origin is Literal:
        if value in options:
            return value
        raise InvalidField(place, f"must be one of {', '.join(options)}")
    if origin is tuple:
        if not isinstance(value, list) or not value:
            raise InvalidField(place, "must be a list that is not empty")
        return tuple(_value(options[0], each, f"{place}[{at}]") for at, each in enumerate(value))
    if origin is dict:
        if not isinstance(value, dict) or not value:
            raise InvalidField(place, "must be a table of texts")
        return {key: _value(str, each, f"{place}.{key}") for key, each in value.items()}
    return _single(options[0] if options else hint, value, place)


def _single(hint: type, value: object, place: str) -> object:
    if is_dataclass(hint):
        return build(hint, value, place)
    if hint is float:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
        raise InvalidField(place, "must be a number")
    if isinstance(value, hint):
        return value
    raise InvalidField(place, f"must be {_WORDS[hint]}")
