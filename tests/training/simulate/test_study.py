"""A study of a small world, from its tables to its page."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

from serving.errors import InvalidField, MissingInput
from tests.fakes.demand import FakeModel
from training.batch.orders import ReorderQuestion
from training.batch.questions import Block, Part
from training.cli import main
from training.features.records import PeerRecords, records_at
from training.panel import load_panel
from training.simulate.decisions import PROMISES, decide_levels, decision_days
from training.simulate.events import simulate
from training.simulate.fan import demand_paths
from training.simulate.inputs import Demand, Levels, Supply
from training.simulate.job import Findings
from training.simulate.report import study_page
from training.simulate.running import run_study, steady_opening
from training.simulate.scenarios import WhatIf
from training.simulate.study import Study, lay_ground
from training.simulate.terms import Asked, draw_lead_times, read_terms
from training.world import Profile, generate
from training.world.generation import default_truth

if TYPE_CHECKING:
    from pathlib import Path

    from training.panel import Panel
    from training.simulate.study import Ground

WORLD = Profile(name="simulated", skus=6, locations=3, days=120, plan_days=30, skus_per_part=6)
FIRST, LAST = dt.date(2026, 5, 20), dt.date(2026, 6, 16)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generate(WORLD, 5, tmp_path_factory.mktemp("simulated") / "tables").out


@pytest.fixture(scope="module")
def panel(data: Path) -> Panel:
    return load_panel(data)


@pytest.fixture(scope="module")
def study(data: Path) -> Study:
    asked = Asked(lead_time_days=3, review_days=7, service_level=0.9, minimum_order_quantity=0)
    return Study(data, FIRST, LAST, ("forecast", "textbook", "current"), asked)


@pytest.fixture(scope="module")
def ground(study: Study, panel: Panel) -> Ground:
    return lay_ground(study, panel)


def test_levels_are_those_a_batch_of_orders_would_raise_to(
    study: Study, ground: Ground, panel: Panel, data: Path, tmp_path: Path
) -> None:
    model = FakeModel()
    decided = decide_levels(study, ground, model, lambda _: None)
    ((_, records),) = records_at(panel, [ground.origin + 14])
    question = ReorderQuestion(cover_days=10, service_level=0.9)
    series = np.arange(len(panel.skus))
    part = Part(panel.skus, panel.locations, series, records)
    block = Block(
        skus=panel.skus,
        locations=panel.locations,
        origin=panel.history.last_day,
        state=records.state,
        future=records.future,
        product=series,
        location=series,
        peers=PeerRecords(records.product, records.location),
    )
    stock = tmp_path / "stock"
    question.gather(panel.folder, data, stock)
    batch = pl.from_arrow(question.answerer(model, block, data, stock)(part))
    assert isinstance(batch, pl.DataFrame)
    wanted = batch["order_up_to"].to_numpy()[ground.series]
    assert decided.asked["forecast"].order_up_to[2].tolist() == wanted.tolist()


def test_no_level_knows_what_came_after_its_review(
    study: Study, data: Path, tmp_path: Path
) -> None:
    # The same world with other sales from the second review on decides the same before it.
    cut = FIRST + dt.timedelta(days=7)
    other = tmp_path / "other"
    other.mkdir()
    for file in data.iterdir():
        if file.suffix in {".parquet", ".toml"}:
            (other / file.name).write_bytes(file.read_bytes())
    sales = pl.read_parquet(data / "sales.parquet")
    later = pl.when(pl.col("date") >= cut).then(7.0).otherwise(pl.col("quantity"))
    sales.with_columns(quantity=later).write_parquet(other / "sales.parquet")
    levels = []
    for folder in (data, other):
        asked = dataclasses.replace(study, data_dir=folder, policies=("forecast", "pooled"))
        ground = lay_ground(asked, load_panel(folder))
        levels.append(decide_levels(asked, ground, FakeModel(), lambda _: None).asked)
    for policy in ("forecast", "pooled"):
        before, after = (one[policy].order_up_to for one in levels)
        assert (before[:2] == after[:2]).all()
        assert (before[2:] != after[2:]).any()


def test_the_policy_in_force_keeps_its_own_target(study: Study, ground: Ground) -> None:
    decided = decide_levels(study, ground, FakeModel(), lambda _: None)
    assert {name for name, _ in decided.promised} == {"forecast", "textbook"}
    gap = decided.asked["current"].order_up_to - decided.asked["textbook"].order_up_to
    higher = (ground.terms.target > 0.9) & (ground.recent_mean() > 0)
    assert (gap[:, higher] > 0).all()
    assert np.isclose(gap[:, ground.terms.target == 0.9], 0).all()


def test_the_truth_gives_the_demand_that_was_drawn(study: Study, panel: Panel) -> None:
    truth = default_truth(study.data_dir)
    known = lay_ground(dataclasses.replace(study, truth=truth), panel)
    drawn = pl.read_parquet(truth / "demand.parquet").filter(pl.col("date").is_between(FIRST, LAST))
    assert known.course.demand.sum() == drawn["demand"].sum()
    assert known.estimated == 0
    assert known.known.all()


def test_estimated_demand_is_what_empty_shelves_hid(ground: Ground, panel: Panel) -> None:
    sold = panel.history.quantity[ground.origin + 1 : ground.origin + 29, ground.series]
    assert (ground.course.demand >= sold - 1e-9).all()
    assert ground.estimated == pytest.approx(1 - sold.sum() / ground.course.demand.sum(), abs=1e-3)


def test_a_page_tells_all_and_loads_nothing(study: Study, ground: Ground, tmp_path: Path) -> None:
    model = FakeModel()
    what_if = WhatIf(service_level=0.97)
    decided = decide_levels(study, ground, model, lambda _: None, promises=(*PROMISES, 0.97))
    found = run_study(study, ground, decided, [what_if], lambda _: None)
    assert set(found.what_ifs[0][1]) == {"forecast", "textbook"}
    page = study_page(study, Findings(ground, found, None, "model x"))
    page.write(tmp_path / "page.html")
    html = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "cost against current" in html
    assert "service_level=0.97" in html
    assert html.count("<img ") == 2
    assert "http" not in html.replace("http-equiv", "")


def test_steady_stock_stays_where_it_began() -> None:
    # Demand that is its own mean: what is ordered arrives as what is on the way does.
    level = np.full((1, 3), 40.0)
    levels = Levels(np.zeros(1, dtype=np.int64), level, level)
    supply = Supply(
        review_days=np.array([1, 4, 0]),
        lead_time=np.array([[6, 6, 6]]),
        pack_size=np.zeros(3),
        minimum=np.zeros(3),
        shelf_life=np.full(3, np.inf),
    )
    opening = steady_opening(levels, supply, np.full(3, 2.0))
    demand = Demand(np.full((24, 3), 2.0))
    stock = simulate(demand, levels, supply, opening, traced=True).stock
    assert (stock[:12] == stock[12:]).all()


def test_lead_times_have_the_moments_asked_and_are_fixed_without_a_deviation() -> None:
    rng = np.random.default_rng(4)
    mean, deviation = np.array([9.0, 5.0]), np.array([2.0, 0.0])
    drawn = draw_lead_times(mean, deviation, 20_000, rng)
    assert drawn[:, 0].mean() == pytest.approx(9.0, abs=0.05)
    assert drawn[:, 0].std() == pytest.approx(2.0, abs=0.05)
    assert (drawn[:, 1] == 5).all()
    assert draw_lead_times(mean, np.zeros(2), 30, rng).shape == (1, 2)


def test_paths_have_the_days_and_the_sum_that_are_asked() -> None:
    levels = (0.05, 0.25, 0.5, 0.75, 0.95)
    daily = np.tile([0.0, 5.0, 10.0, 15.0, 20.0], (7, 1))
    rng = np.random.default_rng(1)
    apart = demand_paths(levels, daily, (7, 0.0), rng)
    wide = demand_paths(levels, daily, (7, 90.0), np.random.default_rng(1))
    for paths in (apart, wide):
        assert np.quantile(paths, 0.5) == pytest.approx(10.0, abs=0.5)
    low, high = np.quantile(wide.sum(axis=1), (0.1, 0.9))
    assert high - low == pytest.approx(90.0, rel=0.02)
    assert np.corrcoef(apart[:, 0], apart[:, 1]).min() == pytest.approx(0.0, abs=0.1)


def test_review_days_decide_when_levels_are_decided() -> None:
    assert decision_days(np.array([7.0, 14.0]), 20) == [0, 7, 14]
    assert decision_days(np.array([0.0, 3.0]), 8) == [0, 3, 6, 7]


def test_terms_nobody_gives_are_named(data: Path, tmp_path: Path) -> None:
    pairs = pl.DataFrame({"sku": ["A"], "location": ["B"]})
    (tmp_path / "sales.parquet").write_bytes((data / "sales.parquet").read_bytes())
    with pytest.raises(MissingInput, match="lead_time_days"):
        read_terms(tmp_path, pairs, FIRST, Asked())
    terms = read_terms(
        tmp_path, pairs, FIRST, Asked(lead_time_days=1, review_days=1, service_level=0.9)
    )
    assert terms.money is None


@pytest.mark.parametrize(
    ("first", "last"),
    [
        (dt.date(2020, 1, 1), LAST),
        (FIRST, dt.date(2031, 1, 1)),
        (LAST, FIRST),
    ],
)
def test_days_outside_the_sales_are_refused(
    study: Study, panel: Panel, first: dt.date, last: dt.date
) -> None:
    with pytest.raises(InvalidField):
        lay_ground(dataclasses.replace(study, first=first, last=last), panel)


def test_the_command_writes_a_page(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PARLEVEL_HOME", str(tmp_path / "home"))
    page = tmp_path / "page.html"
    days = ["--from", str(FIRST), "--to", str(LAST), "--report", str(page)]
    with pytest.raises(SystemExit) as done:
        main(["simulate", "--data", str(data), "--policy", "current", *days])
    assert done.value.code == 0
    out = capsys.readouterr().out
    assert "current" in out
    assert "5 simulations of 18 series over 28 days" in out  # one as asked, four scenarios
    assert page.exists()
