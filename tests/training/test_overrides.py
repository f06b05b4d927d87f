"""Overrides from table to answer, online and in batch, and what they were worth."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

from serving.domain.demand import DemandTarget
from serving.errors import InvalidField, MissingInput
from training.batch.forecasts import ForecastQuestion
from training.batch.models import open_model
from training.batch.runs import BatchJob, run
from training.batch.totals import write_totals
from training.batch.workers import Hands
from training.features.overrides import load_overrides
from training.overrides import EVERYONE, score_overrides
from training.world import LAST_DAY

if TYPE_CHECKING:
    from pathlib import Path

    from serving.settings import Settings
    from training.panel import Panel

ORIGIN = LAST_DAY - dt.timedelta(days=6)
FIRST = ORIGIN + dt.timedelta(days=1)
QUESTION = ForecastQuestion(5, DemandTarget.DEMAND)


def say(home: Settings, rows: list[tuple[object, ...]]) -> None:
    """Write table overrides: date, sku, location, quantity, factor, author."""
    names = ("date", "sku", "location", "quantity", "factor", "author")
    frame = pl.DataFrame(rows, schema=list(names), orient="row").with_columns(
        pl.col("quantity", "factor").cast(pl.Float64),
        created_date=pl.lit(ORIGIN),
        expires_date=pl.lit(None, dtype=pl.Date),
    )
    frame.write_parquet(home.tables / "overrides.parquet")


def forecast(home: Settings, out: Path) -> pl.DataFrame:
    """Forecast every series as of ORIGIN."""
    model = open_model(home.releases, "current")
    run(BatchJob(home.tables, out, ORIGIN), QUESTION, Hands(model), lambda *_: None)
    return pl.read_parquet(out)


def test_an_override_of_the_table_reaches_the_batch_and_is_scored(
    own_home: Settings, panel: Panel, tmp_path: Path
) -> None:
    sku, location = panel.skus[0], panel.locations[0]
    plain = forecast(own_home, tmp_path / "plain.parquet")
    assert plain["mean"].equals(plain["model_mean"])
    say(
        own_home,
        [
            (FIRST, sku, location, None, 3.0, "ana"),
            (FIRST, panel.skus[1], panel.locations[1], 8.0, None, "bob"),
        ],
    )
    found = forecast(own_home, tmp_path / "found.parquet")
    changed = found.filter(pl.col("mean") != pl.col("model_mean"))
    assert set(changed["date"]) == {FIRST}
    assert changed.height == 2
    assert found["model_mean"].equals(plain["mean"])
    row = changed.filter((pl.col("sku") == sku) & (pl.col("location") == location))
    assert row["mean"].item() == pytest.approx(3.0 * row["model_mean"].item())
    scores = {
        one.author: one for one in score_overrides(own_home.tables, [tmp_path / "found.parquet"])
    }
    assert scores[EVERYONE].days == sum(
        one.days for name, one in scores.items() if name != EVERYONE
    )


def test_what_nobody_overrode_cannot_be_scored(own_home: Settings, tmp_path: Path) -> None:
    forecast(own_home, tmp_path / "plain.parquet")
    with pytest.raises(MissingInput, match="overrid"):
        score_overrides(own_home.tables, [tmp_path / "plain.parquet"])


def test_a_row_that_says_two_things_is_refused(own_home: Settings, panel: Panel) -> None:
    say(own_home, [(FIRST, panel.skus[0], panel.locations[0], 3.0, 3.0, "ana")])
    with pytest.raises(InvalidField, match="one of quantity and factor"):
        load_overrides(own_home.tables)


def test_totals_add_up_at_every_level(own_home: Settings, tmp_path: Path) -> None:
    series = forecast(own_home, tmp_path / "series.parquet")
    model = open_model(own_home.releases, "current")
    out = tmp_path / "totals.parquet"
    write_totals(tmp_path / "series.parquet", out, QUESTION, model, own_home.tables)
    totals = pl.read_parquet(out)
    by_day = series.group_by("date").agg(pl.col("mean").sum()).sort("date")["mean"].to_numpy()
    for level in totals["level"].unique():
        some = totals.filter(pl.col("level") == level)
        summed = some.group_by("date").agg(pl.col("mean").sum()).sort("date")["mean"].to_numpy()
        assert np.allclose(summed, by_day, rtol=1e-12)
    levels = totals.select(pl.selectors.starts_with("q")).to_numpy()
    assert (np.diff(levels, axis=1) >= 0).all()
    assert (levels >= 0).all()
