"""The anomaly model from tables to answers: trained, promoted, served, scored in batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

from serving.adapters.anomaly import open_anomaly
from serving.adapters.profiles import PROFILE, read_profile
from serving.adapters.releases import Releases
from serving.domain.anomaly import AnomalyKind, AnomalyQuery
from serving.errors import InvalidField, NoModel
from serving.flows.anomaly import AnomalyFlow
from training.anomaly_batch import AnomalyJob, score_tables
from training.anomaly_rows import inputs_of
from training.anomaly_runs import AnomalyRun, rows_of, train_anomaly
from training.baseline import read_bands
from training.registry import Registry

if TYPE_CHECKING:
    from pathlib import Path

    from serving.settings import Settings


def test_a_model_is_trained_once_promoted_and_served(own_home: Settings, tmp_path: Path) -> None:
    run = AnomalyRun(own_home.tables, own_home.as_of, trees=10)
    with pytest.raises(NoModel):
        score_tables(own_home, AnomalyJob(own_home.tables, tmp_path / "a.parquet"), _nothing)
    first = train_anomaly(own_home, run, _nothing)
    assert "demand" in {name.removeprefix("rows/") for name in first.metrics}
    again = train_anomaly(own_home, run, _nothing)
    assert (again.skipped, again.version) == (True, first.version)
    Registry(own_home).promote("anomaly", first.version)
    releases = Releases(own_home.releases, "anomaly", open_anomaly)
    assert releases.refresh()
    assert releases.current().description.certificate.max_relative_difference <= 1e-6
    _check_batch(own_home, tmp_path / "a.parquet", AnomalyFlow(releases))


def _check_batch(home: Settings, out: Path, flow: AnomalyFlow) -> None:
    """The batch has the bits of single questions, and its drivers in words."""
    scored = score_tables(home, AnomalyJob(home.tables, out, home.as_of), _nothing)
    found = {one.kind: one for one in scored}
    assert found[AnomalyKind.DEMAND].rows > 500
    table = pl.read_parquet(out)
    assert table["p_value"].is_between(0, 1, closed="right").all()
    assert table["p_value"].is_sorted()
    rows = rows_of(home, home.tables, AnomalyKind.DEMAND, home.as_of)
    inputs = inputs_of(AnomalyKind.DEMAND, rows)
    for place in (0, len(inputs) // 2):
        answer = flow.score(AnomalyQuery(AnomalyKind.DEMAND, inputs[place : place + 1]))
        key = rows.select("date", "sku", "entity").row(place)
        same = table.filter(
            (pl.col("kind") == "demand")
            & (pl.col("date") == key[0])
            & (pl.col("sku") == key[1])
            & (pl.col("entity") == key[2])
        )
        assert same["score"].to_list() == answer.scores.tolist()
    top = table.row(0, named=True)
    assert "usually" in top["drivers"]


def test_a_batch_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidField, match="parquet"):
        AnomalyJob(tmp_path, tmp_path / "a.csv")
    with pytest.raises(InvalidField, match="false-discovery-rate"):
        AnomalyJob(tmp_path, tmp_path / "a.parquet", discovery_rate=0.0)


def test_a_forecast_version_has_its_profile_and_its_bands(home: Settings) -> None:
    release = home.releases / "forecast" / "1"
    profile = read_profile(release / PROFILE)
    assert profile is not None
    assert "weekday" not in profile.features
    assert profile.importances["scale"] >= 0.0
    assert len(profile.days) == len(profile.features["scale"]) == 28
    bands = read_bands(release)
    assert {"wmape/total", "wmape/category_location", "coverage_90"} <= set(bands)
    assert all(np.isfinite(low) and low < high for low, high in bands.values())


def _nothing(_: str) -> None: ...
