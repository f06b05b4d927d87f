"""Recipes: how the columns of one source become canonical tables, as TOML.

    name = "shop"
    [dataset]                       # optional: frequency, absent_days, currency_code
    [source]                        # optional: separator, missing_values
    [[table]]                       # one per table made from the source, in order
    table = "sales"
    may_be_empty = false            # whether no rows at all is fine; the table is then skipped
    new_only = false                # whether --append leaves out rows that are stored already
    steps = [
      { do = "rename", columns = { item = "sku" } },
      { do = "returns", treat = "net" },
    ]

A step's settings are the fields of its class in ``column_steps`` and ``row_steps``.
"""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import polars as pl
from polars.exceptions import PolarsError

from serving.errors import InvalidField
from training.tables import column_steps, row_steps
from training.tables.building import build
from training.tables.checking import ROW
from training.tables.contracts import contract
from training.tables.datasets import parse_dataset
from training.tables.nearest import suggestion

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from training.tables.conditions import Context, Step
    from training.tables.datasets import Dataset

STEPS: dict[str, type] = {
    "rename": column_steps.Rename,
    "take": column_steps.Take,
    "constant": column_steps.Constant,
    "linear": column_steps.Linear,
    "product": column_steps.Product,
    "compose": column_steps.Compose,
    "first_known": column_steps.FirstKnown,
    "replace": column_steps.Replace,
    "day": column_steps.Day,
    "date_part": column_steps.DatePart,
    "keep": row_steps.Keep,
    "days_after": row_steps.DaysAfter,
    "in_order": row_steps.InOrder,
    "returns": row_steps.Returns,
    "sum": row_steps.Sum,
    "unpivot": row_steps.Unpivot,
    "stack": row_steps.Stack,
}


@dataclass(frozen=True, slots=True)
class Source:
    """How the received file is written.

    Attributes:
        separator: Character between CSV cells.
        missing_values: Texts that stand for an empty cell, as ``NA``.
    """

    separator: str = ","
    missing_values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Block:
    """How one table is made.

    Attributes:
        table: Canonical name.
        steps: Its steps in order.
        may_be_empty: Whether a source without rows for the table is fine.
        new_only: Whether an appending import leaves out rows whose key is stored already, instead
            of being refused for them; for attributes that every delivery repeats.
    """

    table: str
    steps: tuple[Step, ...]
    may_be_empty: bool = False
    new_only: bool = False


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one source becomes tables.

    Attributes:
        name: Shown in load records.
        sha256: Hash of the recipe's text.
        source: How the file is written.
        blocks: The tables it makes, in order.
        dataset: Settings of the data folder, or None to leave them as they are.
    """

    name: str
    sha256: str
    source: Source
    blocks: tuple[Block, ...]
    dataset: Dataset | None


def load_recipe(path: Path) -> Recipe:
    """Read a recipe file.

    Args:
        path: A TOML file.

    Returns:
        The recipe, every step checked.

    Raises:
        InvalidField: There is no such file, it is no TOML, or a setting is wrong; the field says
            which.
    """
    if not path.is_file():
        raise InvalidField("recipe", f"{path} does not exist")
    return parse_recipe(path.read_text(encoding="utf-8"), name=path.stem)


def parse_recipe(text: str, *, name: str) -> Recipe:
    """Build a recipe from its text.

    Args:
        text: The TOML.
        name: The name it has if it gives none itself.

    Returns:
        The recipe.

    Raises:
        InvalidField: As :func:`load_recipe`.
    """
    try:
        parsed = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidField(f"recipe {name}", f"is no TOML: {error}") from error
    for key in parsed:
        if key not in ("name", "dataset", "source", "table"):
            known = ("name", "dataset", "source", "table")
            raise InvalidField(f"recipe.{key}", f"is no setting{suggestion(key, known)}")
    blocks = parsed.get("table", [])
    if not isinstance(blocks, list) or not blocks:
        raise InvalidField("recipe.table", "must be given at least once, as [[table]]")
    made = tuple(_block(each, f"recipe.table[{at}]") for at, each in enumerate(blocks))
    if len({block.table for block in made}) < len(made):
        raise InvalidField("recipe.table", "must make each table once: merge the blocks")
    return Recipe(
        name=str(parsed.get("name", name)),
        sha256=hashlib.sha256(text.encode()).hexdigest(),
        source=build(Source, parsed.get("source", {}), "recipe.source"),
        blocks=made,
        dataset=parse_dataset(parsed["dataset"]) if "dataset" in parsed else None,
    )


def cook(block: Block, source: pl.DataFrame, context: Context) -> pl.DataFrame:
    """Make one table's rows out of a source.

    Args:
        block: The table and its steps.
        source: The received rows with their numbers in ``__row__``; they are not changed.
        context: What the steps may know.

    Returns:
        Rows for the table's contract, with ``__row__``.

    Raises:
        InvalidField: A step does not fit the columns, or reads one that is not there.
        TableRefused: A cell cannot be converted.
    """
    frame = source
    for at, step in enumerate(block.steps):
        try:
            frame = step.apply(frame, context)
        except PolarsError as error:
            there = ", ".join(name for name in frame.columns if name != ROW)
            reason = str(error).splitlines()[0]
            raise InvalidField(
                f"recipe: {block.table}, step {at + 1} ({type(step).__name__.lower()})",
                f"cannot be applied: {reason}; the columns are {there}",
            ) from error
    return frame


def blank_missing(source: pl.DataFrame, values: tuple[str, ...]) -> pl.DataFrame:
    """Empty the text cells that hold a word for missing."""
    text = pl.col(pl.String)
    return source.with_columns(pl.when(~text.is_in(list(values))).then(text)) if values else source


def _block(settings: Mapping[str, object], place: str) -> Block:
    known = ("table", "steps", "may_be_empty", "new_only")
    for key in settings:
        if key not in known:
            raise InvalidField(f"{place}.{key}", f"is no setting{suggestion(key, known)}")
    table = contract(str(settings.get("table", ""))).table
    steps = settings.get("steps", [])
    if not isinstance(steps, list):
        raise InvalidField(f"{place}.steps", "must be a list of steps")
    return Block(
        table=table,
        steps=tuple(_step(each, f"{place}.steps[{at}]") for at, each in enumerate(steps)),
        may_be_empty=settings.get("may_be_empty") is True,
        new_only=settings.get("new_only") is True,
    )


def _step(settings: Mapping[str, object], place: str) -> Step:
    if not isinstance(settings, dict) or "do" not in settings:
        raise InvalidField(place, "must name what to do, as { do = 'rename', ... }")
    name = str(settings["do"])
    if name not in STEPS:
        raise InvalidField(f"{place}.do", f"{name!r} is no step{suggestion(name, STEPS)}")
    rest = {key: value for key, value in settings.items() if key != "do"}
    return cast("Step", build(STEPS[name], rest, place))
