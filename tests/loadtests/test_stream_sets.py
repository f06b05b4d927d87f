"""Anomalies in streams: what is planted is found, and a real set is told as well as measured."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from loadtests.stream_sets import watch
from serving.settings import load


def test_a_planted_burst_is_found_and_a_quiet_stream_seldom_flagged() -> None:
    rng = np.random.default_rng(0)
    values = 100.0 + 5.0 * np.sin(np.arange(4_000) / 46.0) + rng.normal(size=4_000)
    inside = np.zeros(4_000, dtype=bool)
    inside[3_000:3_020] = True
    values[3_000:3_020] += 30.0
    told = watch(values, inside, 0.01)
    assert (told.windows, told.found) == (1, 1)
    assert told.alarms / told.outside <= 0.03


@pytest.mark.real_data
def test_windows_of_a_real_stream_are_found() -> None:
    folder = load().real_data
    if folder is None or not (folder / "nab").is_dir():
        pytest.skip("PARLEVEL_REAL_DATA names no folder with nab")
    stream = pl.read_parquet(folder / "nab" / "dev.parquet").filter(
        pl.col("file") == "realTweets/Twitter_volume_KO.csv"
    )
    told = watch(stream["value"].to_numpy(), stream["in_window"].to_numpy() == 1, 0.005)
    assert told.found == told.windows > 0
    assert told.alarms / told.outside <= 0.02
