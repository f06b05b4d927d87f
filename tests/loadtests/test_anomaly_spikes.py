"""Labels of a world beside the scores of its days of sales."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import polars as pl

from loadtests.anomaly_spikes import judged

if TYPE_CHECKING:
    from pathlib import Path

FIRST = dt.date(2026, 6, 1)
DAYS = [FIRST + dt.timedelta(days=day) for day in range(4)]


def test_spikes_count_as_findable_above_their_forecast_and_drifts_from_their_onset(
    tmp_path: Path,
) -> None:
    spikes = {"kind": ["demand", "demand", "cost"], "date": [DAYS[0], DAYS[1], DAYS[2]]}
    pl.DataFrame(spikes | {"sku": ["S"] * 3, "entity": ["east"] * 3}).write_parquet(
        tmp_path / "anomalies.parquet"
    )
    pl.DataFrame({"location": ["east"], "onset_date": [DAYS[3]]}).write_parquet(
        tmp_path / "drift.parquet"
    )
    keys = {"date": DAYS * 2, "sku": ["S"] * 8, "entity": ["east"] * 4 + ["west"] * 4}
    scored = pl.DataFrame({"kind": ["demand"] * 8, **keys, "p_value": [0.5] * 8}).with_columns(
        flagged=pl.lit(value=False)
    )
    rows = pl.DataFrame({**keys, "quantity": [90.0, 9.0] * 4, "forecast_high": [10.0] * 8})
    found = judged(scored, rows, tmp_path)
    assert found.height == 8
    assert found["spike"].to_list() == [True, True] + [False] * 6
    assert found["findable"].to_list() == [True] + [False] * 7
    assert found["drifted"].to_list() == [False] * 3 + [True] + [False] * 4
