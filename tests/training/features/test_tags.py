"""Days that people tag as outliers."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from training.panel import load_panel

if TYPE_CHECKING:
    from pathlib import Path

FIRST = dt.date(2024, 1, 1)


def test_an_outlier_is_taken_for_not_recorded_and_an_event_is_not(tmp_path: Path) -> None:
    days = [FIRST + dt.timedelta(days=ahead) for ahead in range(40)]
    sold = [5.0] * 20 + [900.0] + [5.0] * 19
    pl.DataFrame({"date": days, "sku": "a", "location": "x", "quantity": sold}).write_parquet(
        tmp_path / "sales.parquet"
    )
    plain = load_panel(tmp_path).history.quantity[:, 0]
    assert plain[20] == 900.0
    tags = pl.DataFrame(
        {"date": [days[20], days[25]], "sku": "a", "location": "x", "tag": ["outlier", "event"]}
    )
    tags.write_parquet(tmp_path / "demand_tags.parquet")
    tagged = load_panel(tmp_path).history.quantity[:, 0]
    assert np.isnan(tagged[20])
    assert np.array_equal(np.delete(tagged, 20), np.delete(plain, 20))
