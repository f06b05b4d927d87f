"""Batch runs: whole outputs, resumed runs, and the numbers serving gives."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import multiprocessing
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

from serving.adapters.onnx import signature
from serving.adapters.releases import FORMAT
from serving.domain.demand import DemandTarget
from serving.domain.features import FEATURES, feature_set_hash
from serving.errors import BeyondTrained, Busy, InvalidField, MissingInput, NoModel, UnknownModel
from serving.flows.prediction import predict_cover, predict_daily
from tests.fakes.slow import SlowQuestion
from training.backtest.graphs import PastFit, fit_as_of
from training.batch import orders
from training.batch.forecasts import ForecastQuestion
from training.batch.models import find_release, open_model
from training.batch.orders import ReorderQuestion
from training.batch.runs import BatchJob, BatchResult, run
from training.batch.workers import Hands
from training.content import Recipe
from training.features.records import records_at
from training.features.stock import stock_inputs
from training.panel import load_panel
from training.world import Profile, generate

if TYPE_CHECKING:
    from serving.adapters.demand import OnnxDemandModel
    from training.batch.questions import Question

ROOT = Path(__file__).parents[2]
HORIZON = 14
WORLD = Profile(name="batch", skus=6, locations=2, days=120, plan_days=30, skus_per_part=6)
LEAN = ("duckdb", "econml", "feast", "lightgbm", "mlflow", "onnx", "sklearn")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generate(WORLD, 5, tmp_path_factory.mktemp("batch") / "world" / "tables").out


@pytest.fixture(scope="module")
def releases(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    recipe = Recipe(horizon=HORIZON, rows=4000, trees=10, leaves=7)
    last = load_panel(data).history.last_day.astype(object)
    folder = tmp_path_factory.mktemp("home") / "releases"
    write_release(folder / "forecast" / "1", fit_as_of(data, last, recipe, lambda _: None))
    (folder / "forecast" / "current").symlink_to("1")
    return folder


@pytest.fixture(scope="module")
def model(releases: Path) -> OnnxDemandModel:
    return open_model(releases, "1")


def write_release(folder: Path, fit: PastFit) -> None:
    folder.mkdir(parents=True)
    certificate = json.dumps(
        {
            "graph_sha256": fit.digest,
            "passed": True,
            "row_count": 1,
            "threshold_row_count": 1,
            "max_relative_difference": 0.0,
        }
    ).encode()
    manifest = {
        "format": FORMAT,
        "name": "forecast",
        "version": folder.name,
        "graph_sha256": fit.digest,
        "certificate_sha256": hashlib.sha256(certificate).hexdigest(),
        "signature": signature(fit.open()._session),
        "feature_set_hash": feature_set_hash(),
        "features": FEATURES,
        "quantile_levels": fit.quantile_levels,
        "cover_quantile_levels": fit.cover_quantile_levels,
        "max_horizon": fit.horizon,
        "max_cover": fit.horizon,
        "trained_time": dt.datetime(2026, 7, 1, tzinfo=dt.UTC).isoformat(),
        "data_end": str(fit.origin),
        "metrics": {},
    }
    (folder / "model.onnx").write_bytes(fit.graph)
    (folder / "certificate.json").write_bytes(certificate)
    (folder / "manifest.json").write_text(json.dumps(manifest))


def answer(
    data: Path, out: Path, question: Question, model: OnnxDemandModel, block_series: int = 5
) -> BatchResult:
    job = BatchJob(data_dir=data, out=out, part_series=5, block_series=block_series)
    return run(job, question, Hands(model), lambda *_: None)


def copy_of(data: Path, folder: Path, *without: str) -> Path:
    folder.mkdir()
    for path in data.iterdir():
        if path.is_file() and path.stem not in without:
            (folder / path.name).write_bytes(path.read_bytes())
    return folder


def test_every_series_has_each_day_once_in_the_columns_promised(
    data: Path, model: OnnxDemandModel, tmp_path: Path
) -> None:
    result = answer(data, tmp_path / "out.parquet", ForecastQuestion(HORIZON), model)
    rows = pl.read_parquet(tmp_path / "out.parquet")
    levels = [f"q{level:g}" for level in model.description.quantile_levels]
    assert rows.columns == ["sku", "location", "date", "mean", "model_mean", "tier", *levels]
    assert levels[0] == "q0.02"
    panel = load_panel(data)
    assert result.rows == rows.height == len(panel.skus) * HORIZON
    assert not rows.select("sku", "location", "date").is_duplicated().any()
    first = panel.history.last_day.astype(object) + dt.timedelta(days=1)
    assert rows["date"].min() == first
    assert rows.null_count().sum_horizontal().item() == 0


def test_the_numbers_are_those_of_the_serving_code_to_the_last_bit(
    data: Path, model: OnnxDemandModel, tmp_path: Path
) -> None:
    answer(data, tmp_path / "out.parquet", ForecastQuestion(HORIZON, DemandTarget.SALES), model)
    rows = pl.read_parquet(tmp_path / "out.parquet")
    panel = load_panel(data)
    ((_, records),) = records_at(panel, [panel.history.days - 1], future="planned")
    mean, quantiles = predict_daily(model, records, HORIZON, DemandTarget.SALES)
    assert rows["mean"].to_numpy().tobytes() == mean.tobytes()
    assert np.array_equal(
        rows.select(pl.col("^q0.*$")).to_numpy(), quantiles.reshape(-1, quantiles.shape[2])
    )
    assert rows["sku"].gather_every(HORIZON).to_list() == list(panel.skus)


def test_the_sizes_of_parts_and_blocks_change_no_bit(
    data: Path, model: OnnxDemandModel, tmp_path: Path
) -> None:
    for size in (1, 100):
        out = tmp_path / f"{size}.parquet"
        job = BatchJob(data, out, part_series=size, block_series=4 * size)
        told: list[tuple[str, int, int]] = []
        run(job, ForecastQuestion(7), Hands(model), lambda *done, told=told: told.append(done))
        series = WORLD.skus * WORLD.locations
        assert told[-1] == ("answering", series, series)
        assert ("reading", series, series) in told
    assert pl.read_parquet(tmp_path / "1.parquet").equals(pl.read_parquet(tmp_path / "100.parquet"))


def test_several_processes_answer_as_one_does(
    data: Path, releases: Path, model: OnnxDemandModel, tmp_path: Path
) -> None:
    alone, together = tmp_path / "alone", tmp_path / "together"
    for out, hands in (
        (alone, Hands(model)),
        (together, Hands(model, find_release(releases, "1"), workers=2)),
    ):
        job = BatchJob(data, out, by_location=True, block_series=4)
        run(job, ForecastQuestion(7), hands, lambda *_: None)
    files = sorted(path.relative_to(alone) for path in alone.glob("*/*.parquet"))
    assert len(files) == 3 * WORLD.locations
    assert files == sorted(path.relative_to(together) for path in together.glob("*/*.parquet"))
    for file in files:
        assert pl.read_parquet(alone / file).equals(pl.read_parquet(together / file))


def test_by_location_holds_the_rows_of_the_file(
    data: Path, model: OnnxDemandModel, tmp_path: Path
) -> None:
    answer(data, tmp_path / "out.parquet", ForecastQuestion(7), model)
    job = BatchJob(data, tmp_path / "out", by_location=True, block_series=5)
    result = run(job, ForecastQuestion(7), Hands(model), lambda *_: None)
    rows = pl.read_parquet(tmp_path / "out.parquet")
    shared = pl.read_parquet(tmp_path / "out", hive_schema={"location": pl.String})
    assert result.rows == rows.height
    for location in rows["location"].unique():
        own = shared.filter(pl.col("location") == location).select(rows.columns)
        assert own.equals(rows.filter(pl.col("location") == location))
    again = run(job, ForecastQuestion(7), Hands(model), lambda *_: None)
    assert again == BatchResult(rows.height, unchanged=True)


def test_a_killed_process_is_told_and_the_same_run_goes_on(
    data: Path, releases: Path, model: OnnxDemandModel, tmp_path: Path
) -> None:
    job = BatchJob(data, tmp_path / "out", by_location=True, block_series=2)
    hands = Hands(model, find_release(releases, "1"), workers=2)

    def kill(step: str, *_: int) -> None:
        if step == "answering":
            for process in multiprocessing.active_children():
                process.kill()

    with pytest.raises(Busy, match="goes on where it stopped"):
        run(job, SlowQuestion(7), hands, kill)
    assert not job.out.exists()
    result = run(job, SlowQuestion(7), hands, lambda *_: None)
    assert result.resumed > 0
    assert result.resumed + result.series == WORLD.skus * WORLD.locations


def test_other_levels_are_read_between_the_trained_ones(
    data: Path, model: OnnxDemandModel, tmp_path: Path
) -> None:
    answer(data, tmp_path / "out.parquet", ForecastQuestion(3, levels=(0.5, 0.6, 0.75)), model)
    rows = pl.read_parquet(tmp_path / "out.parquet")
    assert rows.columns[6:] == ["q0.5", "q0.6", "q0.75"]
    assert ((rows["q0.5"] <= rows["q0.6"]) & (rows["q0.6"] <= rows["q0.75"])).all()


def test_the_same_run_again_does_nothing(
    data: Path, model: OnnxDemandModel, tmp_path: Path
) -> None:
    out = tmp_path / "out.parquet"
    first = answer(data, out, ForecastQuestion(3), model)
    written = out.stat().st_mtime_ns
    again = answer(data, out, ForecastQuestion(3), model)
    assert again == BatchResult(first.rows, unchanged=True)
    assert out.stat().st_mtime_ns == written
    assert not answer(data, out, ForecastQuestion(4), model).unchanged


def test_changed_tables_are_answered_anew(
    data: Path, model: OnnxDemandModel, tmp_path: Path
) -> None:
    own, out = copy_of(data, tmp_path / "own"), tmp_path / "out.parquet"
    answer(own, out, ForecastQuestion(3), model)
    before = pl.read_parquet(out)
    sales = pl.read_parquet(own / "sales.parquet")
    sales.with_columns(quantity=pl.col("quantity") * 3).write_parquet(own / "sales.parquet")
    assert answer(own, out, ForecastQuestion(3), model).series > 0
    assert pl.read_parquet(out)["mean"].sum() > before["mean"].sum()


def test_a_killed_run_goes_on_where_it_stopped(
    data: Path, releases: Path, model: OnnxDemandModel, tmp_path: Path
) -> None:
    out, whole = tmp_path / "out.parquet", tmp_path / "whole.parquet"
    question = ForecastQuestion(3)
    answer(data, whole, question, model, 1)
    script = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from training.batch.forecasts import ForecastQuestion\n"
        "from training.batch.models import open_model\n"
        "from training.batch.runs import BatchJob, run\n"
        "from training.batch.workers import Hands\n"
        "data, out, releases = map(Path, sys.argv[1:])\n"
        "class Slow(ForecastQuestion):\n"
        "    def answerer(self, *of):\n"
        "        inner = ForecastQuestion.answerer(self, *of)\n"
        "        return lambda part: (time.sleep(0.3), inner(part))[1]\n"
        "run(BatchJob(data, out, block_series=1), Slow(3),\n"
        "    Hands(open_model(releases, 'current')), lambda *_: None)\n"
    )
    command = [sys.executable, "-c", script, str(data), str(out), str(releases)]
    with subprocess.Popen(command, cwd=ROOT) as process:
        deadline = time.monotonic() + 120
        parts = tmp_path / "out.parquet.parts"
        while len(list(parts.glob("*/0*.parquet"))) < 2 and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    assert not out.exists()
    result = answer(data, out, question, model, 1)
    assert result.resumed >= 2
    assert result.series == len(load_panel(data).skus) - result.resumed
    assert pl.read_parquet(out).equals(pl.read_parquet(whole))
    assert not parts.exists()


def test_a_run_that_fails_half_way_leaves_the_old_output(
    data: Path, model: OnnxDemandModel, tmp_path: Path
) -> None:
    out = tmp_path / "out.parquet"
    answer(data, out, ForecastQuestion(3), model)
    old = out.read_bytes()

    def fail(step: str, done: int, total: int) -> None:
        if step == "answering" and done * 2 > total:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(BatchJob(data, out, block_series=1), ForecastQuestion(5), Hands(model), fail)
    assert out.read_bytes() == old


@pytest.mark.parametrize("wanted", ["7", "challenger", "../forecast/1", ".", ""])
def test_an_unknown_version_is_refused_by_name(releases: Path, wanted: str) -> None:
    with pytest.raises(UnknownModel, match="has no release"):
        open_model(releases, wanted)


def test_champion_is_the_release_that_serves(releases: Path, tmp_path: Path) -> None:
    assert open_model(releases, "champion").description.version == "1"
    with pytest.raises(NoModel, match="parlevel train forecast"):
        open_model(tmp_path, "current")


@pytest.mark.parametrize(
    "question", [ForecastQuestion(HORIZON + 1), ReorderQuestion(cover_days=HORIZON + 1)]
)
def test_days_beyond_the_trained_ones_are_refused(
    data: Path, model: OnnxDemandModel, tmp_path: Path, question: Question
) -> None:
    with pytest.raises(BeyondTrained, match="from 1 to 14"):
        answer(data, tmp_path / "out.parquet", question, model)


def test_levels_beyond_the_trained_ones_are_refused(
    data: Path, model: OnnxDemandModel, tmp_path: Path
) -> None:
    with pytest.raises(BeyondTrained, match="quantile_levels"):
        answer(data, tmp_path / "out.parquet", ForecastQuestion(3, levels=(0.001,)), model)


def test_a_folder_without_sales_is_refused(
    data: Path, model: OnnxDemandModel, tmp_path: Path
) -> None:
    with pytest.raises(MissingInput, match="sales"):
        answer(tmp_path / "nowhere", tmp_path / "out.parquet", ForecastQuestion(3), model)
    own = copy_of(data, tmp_path / "own")
    pl.read_parquet(own / "sales.parquet").clear().write_parquet(own / "sales.parquet")
    with pytest.raises((MissingInput, InvalidField), match="sales"):
        answer(own, tmp_path / "out.parquet", ForecastQuestion(3), model)
    assert not (tmp_path / "out.parquet").exists()


def test_an_output_that_is_no_parquet_file_is_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidField, match=r"must end in \.parquet"):
        BatchJob(data, tmp_path / "out.csv")
    (tmp_path / "dir.parquet").mkdir()
    with pytest.raises(InvalidField, match="is a folder"):
        BatchJob(data, tmp_path / "dir.parquet")


def test_sales_alone_are_enough_for_a_forecast(
    data: Path, model: OnnxDemandModel, tmp_path: Path
) -> None:
    own = copy_of(data, tmp_path / "own", *(path.stem for path in data.iterdir()))
    (own / "sales.parquet").write_bytes((data / "sales.parquet").read_bytes())
    answer(own, tmp_path / "out.parquet", ForecastQuestion(3), model)
    assert np.isfinite(pl.read_parquet(tmp_path / "out.parquet")["mean"].to_numpy()).all()


def test_an_order_up_to_level_is_the_quantile_of_the_cover(
    data: Path, model: OnnxDemandModel, tmp_path: Path
) -> None:
    answer(data, tmp_path / "out.parquet", ReorderQuestion(7, 0.95), model)
    rows = pl.read_parquet(tmp_path / "out.parquet")
    panel = load_panel(data)
    ((_, records),) = records_at(panel, [panel.history.days - 1], future="planned")
    covers = np.full(len(panel.skus), 7)
    mean, quantiles = predict_cover(model, records, covers, DemandTarget.DEMAND)
    at = model.description.cover_quantile_levels.index(0.95)
    assert np.array_equal(rows["order_up_to"].to_numpy(), quantiles[:, at])
    assert np.array_equal(rows["expected_demand"].to_numpy(), mean)
    assert rows["reorder_point"].equals(rows["order_up_to"], check_names=False)
    assert rows["reason"].str.contains("^Order ").all()
    assert rows["order_quantity"].null_count() == 0
    assert rows.height == len(panel.skus)
    assert rows["expected_fill_rate"].is_between(0.0, 1.0).all()
    assert set(rows.columns) >= {"sku", "location", "safety_stock", "stockout_probability"}


def test_stock_and_terms_are_read_once_whatever_the_blocks(
    data: Path, model: OnnxDemandModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[pl.DataFrame] = []

    def counted(folder: Path, pairs: pl.DataFrame, day: dt.date) -> object:
        read.append(pairs)
        return stock_inputs(folder, pairs, day)

    monkeypatch.setattr(orders, "stock_inputs", counted)
    whole, cut = tmp_path / "whole.parquet", tmp_path / "cut.parquet"
    answer(data, whole, ReorderQuestion(7, 0.95), model, block_series=100)
    answer(data, cut, ReorderQuestion(7, 0.95), model, block_series=2)
    assert [pairs.height for pairs in read] == [WORLD.skus * WORLD.locations] * 2
    assert pl.read_parquet(cut).equals(pl.read_parquet(whole))


def test_without_inventory_the_level_is_told_and_the_order_is_null(
    data: Path, model: OnnxDemandModel, tmp_path: Path
) -> None:
    own = copy_of(data, tmp_path / "own", "inventory")
    answer(own, tmp_path / "out.parquet", ReorderQuestion(7, 0.95), model)
    rows = pl.read_parquet(tmp_path / "out.parquet")
    assert rows["order_up_to"].null_count() == 0
    assert rows["order_quantity"].null_count() == rows.height
    assert rows["stockout_probability"].null_count() == rows.height
    assert rows["reason"].str.contains("inventory").all()


def test_cover_and_service_come_from_the_tables_where_they_are_not_given(
    data: Path, model: OnnxDemandModel, tmp_path: Path
) -> None:
    own = copy_of(data, tmp_path / "own", "policy", "sourcing")
    pl.DataFrame({"service_target": [0.9], "review_days": [2.0]}).write_parquet(
        own / "policy.parquet"
    )
    skus = sorted(set(load_panel(own).skus))
    pl.DataFrame(
        {"sku": skus[1:], "supplier_id": "s", "lead_time_days": [3.0] * (len(skus) - 2) + [60.0]}
    ).write_parquet(own / "sourcing.parquet")
    answer(own, tmp_path / "out.parquet", ReorderQuestion(), model)
    rows = pl.read_parquet(tmp_path / "out.parquet")
    unknown, usual = (rows.filter(pl.col("sku") == sku) for sku in skus[:2])
    late = rows.filter(pl.col("sku") == skus[-1])
    assert set(usual["cover_days"]) == {5}
    assert set(usual["service_level"]) == {0.9}
    assert unknown["order_up_to"].null_count() == unknown.height
    assert unknown["reason"].str.contains("lead_time_days is needed").all()
    assert late["order_up_to"].null_count() == late.height
    assert late["reason"].str.contains("from 1 to 14 days").all()


def test_batch_runs_need_no_training_library(data: Path, releases: Path, tmp_path: Path) -> None:
    script = (
        "import sys\n"
        f"sys.modules.update(dict.fromkeys({LEAN!r}))\n"  # None there fails an import
        "from training.cli import main\n"
        "main(sys.argv[1:])\n"
    )
    for command in (["forecast", "--horizon", "3"], ["reorder", "--cover-days", "7"]):
        out = tmp_path / "new" / f"{command[0]}.parquet"
        done = subprocess.run(
            [sys.executable, "-c", script, *command, "--data", str(data), "--out", str(out)],
            cwd=ROOT,
            env={"PARLEVEL_HOME": str(releases.parent), "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        assert "wrote" in done.stdout
        assert pl.read_parquet(out).height > 0
