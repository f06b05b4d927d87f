"""From an experiment to a served model, and what happens where there is only noise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

from serving import settings
from serving.adapters.uplift import UpliftReleases
from serving.domain.uplift import CategoricalCovariate, NumericCovariate, UnitsQuery
from serving.errors import NoModel, NoSignal, ReleaseRefused, UnknownModel
from serving.flows.uplift import UpliftFlow
from tests.fakes.uplift import stored_units
from training.registry import Registry
from training.uplift.content import UpliftRun
from training.uplift.runs import STEPS, train_uplift
from training.uplift.scoring import score_units
from training.world.actions import draw_experiment

if TYPE_CHECKING:
    from pathlib import Path

    from serving.settings import Settings
    from training.uplift.runs import UpliftResult


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return settings.load({"PARLEVEL_HOME": str(tmp_path_factory.mktemp("home"))})


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("data")
    seen, known = draw_experiment(np.random.default_rng(3), 900, random=True)
    seen.write_parquet(folder / "experiment.parquet")
    known.write_parquet(folder / "truth.parquet")
    return folder


@pytest.fixture(scope="module")
def trained(home: Settings, data: Path) -> tuple[UpliftResult, list[str]]:
    steps: list[str] = []
    run = UpliftRun(data, truth=data / "truth.parquet")
    return train_uplift(home, run, steps.append), steps


def test_a_run_registers_what_it_found(
    trained: tuple[UpliftResult, list[str]], home: Settings
) -> None:
    result, steps = trained
    assert result.verdict == "signal"
    assert result.metrics is not None
    assert result.metrics["auuc_lower"] > 0.5
    assert result.metrics["root_pehe"] < 1.5
    assert result.metrics["oracle_auuc"] > 0.7
    assert 0.5 < result.metrics["share_of_oracle"] < 1.3
    assert len(steps) <= STEPS
    (version,) = Registry(home).versions("uplift")
    assert version.metrics["auuc"] == pytest.approx(result.metrics["auuc"])
    assert len(result.tables()) == 2


def test_the_same_run_again_does_nothing(
    trained: tuple[UpliftResult, list[str]], home: Settings, data: Path
) -> None:
    again = train_uplift(home, UpliftRun(data), lambda _: None)
    assert (again.skipped, again.version) == (True, trained[0].version)


def test_nothing_serves_before_it_is_promoted(
    trained: tuple[UpliftResult, list[str]], home: Settings
) -> None:
    del trained
    source = UpliftReleases(home.releases)
    source.refresh()
    with pytest.raises(NoModel):
        source.current()


def test_serving_and_batch_have_the_same_bits(
    trained: tuple[UpliftResult, list[str]], home: Settings, data: Path, tmp_path: Path
) -> None:
    Registry(home).promote("uplift", trained[0].version)
    source = UpliftReleases(home.releases)
    assert source.refresh()
    out = tmp_path / "effects.parquet"
    scored = score_units(home.releases, data, out, truth=data / "truth.parquet")
    written = pl.read_parquet(out)
    frame = pl.read_parquet(data / "experiment.parquet").sort("unit_id").head(50)
    encoding = source.current().encoding
    query = UnitsQuery(
        tuple(frame["unit_id"]),
        tuple(
            NumericCovariate(one.name, frame[one.name].cast(pl.Float64).to_numpy())
            for one in encoding.numeric
        ),
        tuple(
            CategoricalCovariate(one.name, tuple(frame[one.name])) for one in encoding.categorical
        ),
    )
    answer = UpliftFlow(source, stored_units(empty=True)).predict(query)
    rows = pl.DataFrame({"unit_id": query.unit_ids}).join(written, on="unit_id", how="left")
    assert np.array_equal(rows["effect"].to_numpy(), answer.effects)
    assert np.array_equal(rows["lower"].to_numpy(), answer.lower)
    assert scored.units == 900
    assert scored.auuc is not None
    assert scored.auuc.lower > 0.5
    assert scored.root_pehe is not None


def test_an_unknown_version_is_told(home: Settings, data: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownModel):
        score_units(home.releases, data, tmp_path / "x.parquet", model="99")


def test_noise_is_registered_and_never_served(tmp_path: Path) -> None:
    home = settings.load({"PARLEVEL_HOME": str(tmp_path / "home")})
    rng = np.random.default_rng(0)
    seen, _ = draw_experiment(rng, 400, random=True)
    noise = 1.0 * seen["treated"].to_numpy() + rng.standard_normal(400)
    seen = seen.with_columns(outcome=noise, pre_outcome=rng.standard_normal(400))
    data = tmp_path / "data"
    data.mkdir()
    seen.write_parquet(data / "experiment.parquet")
    result = train_uplift(home, UpliftRun(data), lambda _: None)
    assert result.withheld
    with pytest.raises(ReleaseRefused, match="no signal"):
        Registry(home).promote("uplift", result.version)
    with pytest.raises(NoSignal, match="AUUC"):
        UpliftReleases(home.releases).current()
    with pytest.raises(NoSignal):
        score_units(home.releases, data, tmp_path / "x.parquet")
