"""What reads and writes tables, killed: an import of two tables, and a materialisation."""

from __future__ import annotations

import datetime as dt
import hashlib
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from loadtests.kills.children import kill, require
from serving.adapters.features import CURRENT, DATABASE
from serving.adapters.packed import ENTITIES
from serving.domain.features import VIEWS
from training import tables
from training.features.materialize import Job, materialize
from training.features.offline import offline_file
from training.features.packing import STAGING
from training.features.store import ONLINE, offline_folder, open_store
from training.tables.importing import Order, Sender, import_file
from training.tables.layers import PARTIAL
from training.tables.recipes import parse_recipe

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from serving.settings import Settings

# One file makes two tables: both are the old ones or both are the new ones.
RECIPE = """
name = "kills"
[[table]]
table = "sales"
steps = []
[[table]]
table = "locations"
steps = [{ do = "sum", by = ["location"] }]
"""
COLUMNS = ("date", "sku", "location", "quantity")


class Import:
    """Imports the sales of all locations and of all but one, in turn."""

    def __init__(self, settings: Settings, scratch: Path) -> None:
        """Take the home whose sales are imported, and a folder to work in."""
        self._sales = settings.tables
        self._folder = scratch / "imported"
        self._files = [scratch / f"sales-{state}.parquet" for state in range(2)]

    def prepare(self) -> None:
        """Write the two files and import the second."""
        sales = tables.read(self._sales, "sales", columns=COLUMNS)
        last = sales["location"].sort()[-1]
        self._files[0].parent.mkdir(parents=True, exist_ok=True)
        for path, frame in zip(
            self._files, (sales, sales.filter(pl.col("location") != last)), strict=True
        ):
            frame.write_parquet(path)
        self._bring(1)

    def run(self, number: int, begin: Callable[[], None]) -> None:
        """Import the file of a round."""
        begin()
        self._bring(number % 2)

    def strike(self, child: int) -> None:
        """Kill the child that works."""
        kill(child)

    def check(self, number: int) -> None:
        """Find both tables of one file, import, and find those of the round's file."""
        files = [self._state(pl.read_parquet(path)) for path in self._files]
        require(self._stored() in files, "sales and locations are not those of one file")
        self._bring(number % 2)
        require(self._stored() == files[number % 2], "the import that came after was not whole")
        left = sorted(str(path) for path in self._folder.rglob(f"*{PARTIAL}"))
        require(not left, f"left behind: {left}")

    def _bring(self, state: int) -> None:
        order = Order(self._files[state], recipe=parse_recipe(RECIPE, name="kills"))
        import_file(
            self._folder, order, Sender("kills", dt.datetime.now(dt.UTC)), tell=lambda _: None
        )

    def _stored(self) -> tuple[list[object], list[str]]:
        sales = tables.read(self._folder, "sales", columns=COLUMNS)
        places = tables.read(self._folder, "locations", columns=["location"])["location"]
        return _rows(sales), sorted(places)

    def _state(self, sales: pl.DataFrame) -> tuple[list[object], list[str]]:
        return _rows(sales), sorted(sales["location"].unique())


class Materialize:
    """Materialises the last day and the day before it, in turn."""

    def __init__(self, settings: Settings, scratch: Path) -> None:
        """Take the home whose tables are materialised, and a folder to work in."""
        self._tables = settings.tables
        self._folder = scratch / "features"
        self._whole = scratch / "whole"

    def prepare(self) -> None:
        """Materialise both days whole, to know what they hold, and the second in its place."""
        for state in range(2):
            materialize(self._job(state, self._whole / str(state)), now=dt.datetime.now(dt.UTC))
        materialize(self._job(1, self._folder), now=dt.datetime.now(dt.UTC))

    def run(self, number: int, begin: Callable[[], None]) -> None:
        """Materialise the day of a round."""
        begin()
        materialize(self._job(number % 2, self._folder), now=dt.datetime.now(dt.UTC))

    def strike(self, child: int) -> None:
        """Kill the child that works."""
        kill(child)

    def check(self, number: int) -> None:
        """Find one day's records, materialise, and find those of the round's day everywhere."""
        days = [_content(self._whole / str(state)) for state in range(2)]
        require(_content(self._folder) in days, "the current generation is of no one day")
        there = materialize(self._job(number % 2, self._folder), now=dt.datetime.now(dt.UTC))
        require(_content(self._folder) == days[number % 2], "the run that came after was not whole")
        event_day = np.datetime64(there.last_day) + 1
        for view in VIEWS:
            file = offline_file(offline_folder(self._folder), view, event_day)
            require(pl.read_parquet(file).height == there.records[view], f"{file} is not whole")
        known = {view.name for view in open_store(self._folder).list_feature_views()}
        require(known == set(VIEWS), f"the registry knows {known}")
        left = sorted(str(path) for path in (self._folder / ONLINE).glob(f"{STAGING}*"))
        require(not left, f"left behind: {left}")

    def _job(self, state: int, folder: Path) -> Job:
        last_day: dt.date = tables.read(self._tables, "sales", columns=["date"])["date"].sort()[-1]
        return Job(self._tables, folder, last_day - dt.timedelta(days=state))


def _rows(sales: pl.DataFrame) -> list[object]:
    return list(sales.select(COLUMNS).sort(COLUMNS).iter_rows())


def _content(features: Path) -> str:
    """Return the digest of every record of the current generation."""
    digest = hashlib.sha256()
    path = features / ONLINE / CURRENT / DATABASE
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
        for table in (*ENTITIES, "stock"):
            for key, record in database.execute(
                f"SELECT key, record FROM {table} ORDER BY key"  # noqa: S608  names of ours
            ):
                digest.update(key.encode() + record)
    return digest.hexdigest()
