"""Import a received file: all of its tables are checked and staged before any is published."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING

import polars as pl

from serving.errors import InvalidField
from training.tables import layers
from training.tables.checking import conform, unstored
from training.tables.column_steps import Rename
from training.tables.conditions import Context
from training.tables.contracts import contract
from training.tables.datasets import (
    Dataset,
    infer_frequency,
    store_dataset,
    stored_dataset,
)
from training.tables.errors import TableRefused, header_refusal
from training.tables.files import load_file
from training.tables.layers import Load
from training.tables.reading import plain_files
from training.tables.recipes import Block, Source, blank_missing, cook
from training.tables.staging import same_rows, with_rows, write_part

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from pathlib import Path

    from training.tables.recipes import Recipe


@dataclass(frozen=True, slots=True)
class Order:
    """What to import.

    Attributes:
        source: The received file, CSV or parquet.
        table: Canonical table the file holds; with a recipe, the one of its tables to take, or
            None for all of them.
        recipe: How to read the file, or None where its columns are canonical already.
        renames: Source column -> name, applied before the recipe.
        append: Whether the rows join those already stored instead of taking their place.
    """

    source: Path
    table: str | None = None
    recipe: Recipe | None = None
    renames: Mapping[str, str] = field(default_factory=dict)
    append: bool = False

    def blocks(self) -> tuple[Block, ...]:
        """Return the tables to make.

        Raises:
            InvalidField: No table is named, or the recipe does not make it.
        """
        if self.recipe is None:
            if self.table is None:
                raise InvalidField("table", "must be named with --table where there is no --recipe")
            return (Block(contract(self.table).table, steps=()),)
        chosen = tuple(b for b in self.recipe.blocks if self.table in (None, b.table))
        if not chosen:
            made = ", ".join(block.table for block in self.recipe.blocks)
            raise InvalidField(
                "table", f"{self.table!r} is not made by the recipe; it makes {made}"
            )
        return chosen

    def reading_digest(self) -> str:
        """Hash everything that decides how the source is read."""
        recipe = self.recipe.sha256 if self.recipe else ""
        return hashlib.sha256(f"{recipe} {sorted(self.renames.items())}".encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one table: its load, or why there was nothing to do."""

    table: str
    load: Load | None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Sender:
    """Who imports and when (UTC)."""

    who: str
    now: datetime


def import_file(
    data_dir: Path, order: Order, sender: Sender, *, tell: Callable[[str], None]
) -> tuple[Outcome, ...]:
    """Import one file into a data folder; all of its tables become visible at once, or none.

    Args:
        data_dir: The data folder; it is made.
        order: What to import.
        sender: Who imports and when, for the load records.
        tell: Called with a few words when a stage begins.

    Returns:
        One outcome per table, in recipe order.

    Raises:
        InvalidField: The order, the file's name or the recipe is wrong.
        TableRefused: A table breaks its contract; a record of the refusal is kept.
        Busy: Another import is writing to the folder.
    """
    blocks = order.blocks()
    for block in blocks:
        if plain := plain_files(data_dir, block.table):
            advice = "import into another folder or move it away"
            raise InvalidField(block.table, f"lies in {data_dir} as {plain[0].name}: {advice}")
    with layers.locked(data_dir, "another import is writing to"):
        layers.sweep(data_dir)
        attempt = _Attempt(data_dir, order, sender, tell)
        try:
            outcomes = attempt.run(blocks)
        except BaseException:
            # What was staged takes room, and a full disk may be why we are here.
            with contextlib.suppress(OSError):
                layers.sweep(data_dir)
            raise
        _settle_dataset(data_dir, order.recipe, attempt.days)
    return outcomes


class _Attempt:
    """One import under way: what it has staged so far, and the manifest it will publish."""

    def __init__(
        self, data_dir: Path, order: Order, sender: Sender, tell: Callable[[str], None]
    ) -> None:
        """Hash the source and start from the live manifest."""
        self.data_dir = data_dir
        self.order = order
        self.sender = sender
        self.tell = tell
        tell("hashing")
        if not order.source.is_file():
            raise InvalidField("file", f"{order.source} does not exist")
        self.sha256 = layers.file_digest(order.source)
        self.manifest = layers.read_manifest(data_dir)
        self.days: list[date] = []
        self._frame: pl.DataFrame | None = None

    def run(self, blocks: tuple[Block, ...]) -> tuple[Outcome, ...]:
        """Stage every table, then publish them together."""
        outcomes = tuple(self._table(block) for block in blocks)
        staged = [outcome.load for outcome in outcomes if outcome.load]
        if staged:
            self.tell("publishing")
            for load in staged:
                self._keep_raw(load, staged[0])
            layers.publish(self.data_dir, self.manifest)
        return outcomes

    def _table(self, block: Block) -> Outcome:
        """Check and stage one table."""
        draft = self._draft(block.table)
        live = self.manifest.get(block.table, ())
        if same_rows(draft, live):
            return Outcome(block.table, None, "skipped: the same file is already there")
        source = self._source(block.table)
        draft = replace(draft, rows_in=len(source))
        try:
            rows = self._checked(block, source)
        except TableRefused as refusal:
            record = replace(draft, status="refused", rows_refused=refusal.rows)
            layers.write_record(self.data_dir, record)
            raise
        if rows is None:
            return Outcome(block.table, None, "skipped: the source has no new rows for it")
        load = with_rows(draft, rows)
        self.tell(f"writing {block.table}")
        layers.replace_file(
            layers.part_path(self.data_dir, load), lambda path: write_part(rows, path)
        )
        self.manifest[block.table] = (*live, load) if self.order.append else (load,)
        if block.table == "sales":
            self.days = rows["date"].unique().sort().to_list()
        return Outcome(block.table, load)

    def _draft(self, table: str) -> Load:
        moment = self.sender.now
        return Load(
            load_id=f"{moment:%Y%m%dT%H%M%S%fZ}-{self.sha256[:8]}-{table}",
            table=table,
            status="published",
            who=self.sender.who,
            when=moment.isoformat(),
            source=self.order.source.name,
            sha256=self.sha256,
            recipe=self.order.recipe.name if self.order.recipe else "",
            recipe_sha256=self.order.reading_digest(),
            appended=self.order.append,
            rows_in=0,
            rows_written=0,
            rows_refused=0,
            first_date="",
            last_date="",
        )

    def _source(self, table: str) -> pl.DataFrame:
        """Read the file once, however many tables are made of it."""
        if self._frame is None:
            self.tell("reading")
            written = self.order.recipe.source if self.order.recipe else Source()
            frame = load_file(self.order.source, table=table, separator=written.separator)
            if self.order.renames:
                context = Context(table, self._last_days())
                frame = Rename(dict(self.order.renames)).apply(frame, context)
            self._frame = blank_missing(frame, written.missing_values)
        return self._frame

    def _checked(self, block: Block, source: pl.DataFrame) -> pl.DataFrame | None:
        """Make and check a table's rows; None where there are none to store."""
        self.tell(f"checking {block.table}")
        cooked = cook(block, source, Context(block.table, self._last_days()))
        if cooked.is_empty():
            if block.may_be_empty:
                return None
            raise header_refusal(block.table, ("(all)", "must have at least one row"))
        stored = self._stored_keys(block.table) if self.order.append else None
        if not block.new_only or stored is None:
            return conform(block.table, cooked, stored=stored)
        rows = unstored(block.table, conform(block.table, cooked), stored)
        return None if rows.is_empty() else rows

    def _stored_keys(self, table: str) -> pl.DataFrame | None:
        """Read the keys an appended row must not repeat; None where there are none."""
        key = contract(table).key
        parts = [layers.part_path(self.data_dir, load) for load in self.manifest.get(table, ())]
        if not key or not parts:
            return None
        there = [[name for name in key if name in pl.read_parquet_schema(path)] for path in parts]
        frames = [
            pl.read_parquet(path, columns=names) for path, names in zip(parts, there, strict=True)
        ]
        return pl.concat(frames, how="diagonal_relaxed")

    def _last_days(self) -> dict[str, date]:
        return {
            table: max(date.fromisoformat(load.last_date) for load in loads)
            for table, loads in self.manifest.items()
            if all(load.last_date for load in loads)
        }

    def _keep_raw(self, load: Load, first: Load) -> None:
        """Keep the received file; tables made of one file share its bytes where links work."""
        kept = layers.raw_path(self.data_dir, first)

        def place(path: Path) -> None:
            path.unlink(missing_ok=True)
            if load is first:
                shutil.copyfile(self.order.source, path)
                return
            try:
                os.link(kept, path)
            except OSError:
                shutil.copyfile(kept, path)

        layers.replace_file(layers.raw_path(self.data_dir, load), place)


def _settle_dataset(data_dir: Path, recipe: Recipe | None, days: list[date]) -> None:
    """Store the recipe's settings, or infer them when the first sales come without any."""
    if recipe and recipe.dataset:
        store_dataset(data_dir, recipe.dataset)
    elif days and stored_dataset(data_dir) is None:
        store_dataset(data_dir, Dataset(frequency=infer_frequency(days)))
