"""A small data folder with every table features read."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

if TYPE_CHECKING:
    from pathlib import Path

FIRST = dt.date(2024, 1, 1)
DAYS = 60
LAST = FIRST + dt.timedelta(days=DAYS - 1)
SKUS = tuple(f"s{place}" for place in range(6))
LOCATIONS = ("east", "north", "west")
LATE = ("s5", "west")  # sells from day 57 only, so that its past is shorter than every window
GAP = ("s0", "east")  # has no rows on days 10 to 14


def day(number: int) -> dt.date:
    return FIRST + dt.timedelta(days=number)


def sales_rows() -> pl.DataFrame:
    chance = np.random.default_rng(7)
    rows = []
    for sku in SKUS:
        for location in LOCATIONS:
            begin = 57 if (sku, location) == LATE else 0
            for number in range(begin, DAYS):
                if (sku, location) == GAP and 10 <= number < 15:
                    continue
                rows.append(
                    {
                        "date": day(number),
                        "sku": sku,
                        "location": location,
                        "quantity": float(chance.poisson(3)),
                        "available_fraction": float(chance.choice([1.0, 1.0, 0.25])),
                        "price": float(chance.choice([9.0, 10.0])),
                        "discount": float(chance.choice([0.0, 0.1])),
                        "promoted": bool(chance.random() < 0.2),
                    }
                )
    return pl.DataFrame(rows)


def write(folder: Path, table: str, frame: pl.DataFrame) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    frame.write_parquet(folder / f"{table}.parquet")


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tables")
    write(folder, "sales", sales_rows())
    write(
        folder,
        "products",
        pl.DataFrame(
            {
                "sku": [*SKUS, "unsold"],
                "category": ["dry", "dry", "fresh", "fresh", "alone", None, "dry"],
                "price": [9.5, 9.5, None, 3.0, 4.0, 5.0, 6.0],
                "seasonal": [True, False, None, None, False, False, False],
                "minimum_order_quantity": [12.0, None, None, 1.0, 1.0, 1.0, 1.0],
                "pack_size": [6.0, None, None, 1.0, 1.0, 1.0, 1.0],
            }
        ),
    )
    write(
        folder,
        "locations",
        pl.DataFrame(
            {"location": ["east", "north"], "region": ["R1", "R2"], "country": ["DE", "DE"]}
        ),
    )
    write(
        folder,
        "calendar",
        pl.DataFrame(
            {
                "date": [day(3), day(63), day(65), day(100)],
                "country": ["DE", "DE", None, "DE"],
                "region": [None, "R1", None, None],
                "holiday_name": ["Epiphany", "Regional", None, "May"],
                "payday": [False, False, True, False],
            }
        ),
    )
    write(
        folder,
        "campaigns",
        pl.DataFrame(
            {
                "campaign_id": ["a", "b"],
                "start_date": [day(61), day(62)],
                "end_date": [day(64), day(62)],
                "sku": ["s1", None],
                "discount_percent": [20.0, 5.0],
                "region": [None, "R2"],
            }
        ),
    )
    write(
        folder,
        "plan",
        pl.DataFrame(
            {
                "date": [day(61), day(61), day(70)],
                "sku": ["s1", "unsold", "s2"],
                "location": ["east", "east", "north"],
                "price": [8.0, 6.5, None],
                "discount": [0.5, None, None],
                "promoted": [None, None, True],
            }
        ),
    )
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    own = tmp_path / "tables"
    own.mkdir()
    for path in made.iterdir():
        (own / path.name).write_bytes(path.read_bytes())
    return own
