from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING

import pytest

from training.tables.importing import Order, Outcome, Sender, import_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SALES = "date,sku,location,quantity\n2024-01-01,A,x,3\n2024-01-02,A,x,0\n"


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Path]:
    """Write a received file and return where it lies."""

    def write(text: str = SALES, name: str = "received.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(text.encode())
        return path

    return write


@pytest.fixture
def bring(data_dir: Path) -> Callable[[Order], tuple[Outcome, ...]]:
    """Import into the data folder, each time a minute later."""
    minutes = count()

    def run(order: Order) -> tuple[Outcome, ...]:
        now = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=next(minutes))
        return import_file(data_dir, order, Sender("ana", now), tell=lambda _: None)

    return run
