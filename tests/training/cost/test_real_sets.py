"""Real quotes and real orders, read by the shipped recipes, through training to served answers.

The bounds are those promised for all quotes, with slack for the few that are trained on here.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from rich.console import Console

from parlevel.v1 import cost_pb2
from serving import settings
from serving.grpc.cost import CostServicer
from training import tables
from training.cost.judging import Judgement, cost_flow, judge_quotes
from training.cost.model import CostRecipe
from training.cost.runs import CostRun, run_cost
from training.supplier_batch import covered, predict_orders
from training.tables.importing import Order, Sender, import_file
from training.tables.recipes import load_recipe

RECIPES = Path(__file__).parents[3] / "training" / "recipes"
SENDER = Sender("test", dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
ONE_IN = 8  # parts are trained on, and as many are judged
SMALL = CostRecipe(folds=2, trees=60, learning_rate=0.1, spread_trees=30)
SOURCES = (
    ("bill_of_materials", "bills", False),
    ("tube", "parts", False),
    ("specs", "specs", True),
    ("components", "components", True),
)
pytestmark = pytest.mark.real_data


@pytest.fixture(scope="module")
def real_data() -> Path:
    folder = settings.load().real_data
    if folder is None or not (folder / "caterpillar").is_dir():
        pytest.skip("PARLEVEL_REAL_DATA names no folder with caterpillar")
    return folder


def bring(source: Path, recipe: str, data: Path, *, append: bool = False) -> None:
    order = Order(source, recipe=load_recipe(RECIPES / f"{recipe}.toml"), append=append)
    import_file(data, order, SENDER, tell=lambda _: None)


def quotes_of(folder: Path, rest: int) -> pl.DataFrame:
    """Return the quotes of one part in ONE_IN, another one for each rest."""
    quotes = pl.read_csv(folder / "quotes_dev.csv.gz", infer_schema_length=None)
    number = pl.col("tube_assembly_id").str.extract(r"(\d+)").cast(pl.Int64)
    return quotes.filter(number % ONE_IN == rest)


@pytest.fixture(scope="module")
def data(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("caterpillar")
    quotes_of(real_data / "caterpillar", 0).write_csv(folder / "quotes.csv")
    bring(folder / "quotes.csv", "caterpillar_quotes", folder / "data")
    for name, recipe, append in SOURCES:
        source = real_data / "caterpillar" / f"{name}.csv.gz"
        bring(source, f"caterpillar_{recipe}", folder / "data", append=append)
    return folder / "data"


def test_real_quotes_are_estimated_and_judged_as_promised(
    real_data: Path, data: Path, tmp_path: Path
) -> None:
    configured = settings.load({"PARLEVEL_HOME": str(tmp_path / "home")})
    metrics = run_cost(configured, CostRun(data, SMALL), lambda _: None).metrics

    assert metrics["rmsle"] < 0.42
    assert metrics["within_10"] > 0.40
    assert metrics["false_flags"] < 0.07
    assert metrics["found_30"] > 0.25

    quotes_of(real_data / "caterpillar", 1).write_csv(tmp_path / "quotes.csv")
    bring(tmp_path / "quotes.csv", "caterpillar_quotes", data)
    judged = judge_quotes(
        Judgement(data, tmp_path / "judged.parquet", configured.releases), lambda *_: None
    ).judged

    assert set(judged["method"]) == {"quotes"}
    errors = judged["should_cost"].log1p() - judged["unit_price"].log1p()
    assert np.sqrt(np.mean(errors.to_numpy() ** 2)) < 0.42
    assert judged["flag"].to_numpy().mean() < 0.09
    quote = tables.read(data, "quotes").row(0, named=True)
    asked = cost_pb2.EstimateShouldCostRequest(
        sku=quote["sku"],
        as_of_date=quote["date"].isoformat(),
        quote=cost_pb2.Quote(unit_price=quote["unit_price"], quantity=quote["quantity"]),
    )
    door = CostServicer(cost_flow(data, configured.releases), None)  # type: ignore[arg-type]  # cost alone
    answer = door.EstimateShouldCost(asked)
    assert answer.should_cost_p10 < answer.should_cost < answer.should_cost_p90
    assert 0.0 < answer.gap.p_value < 1.0


def test_real_orders_arrive_within_their_p90_as_often_as_promised(
    real_data: Path, tmp_path: Path
) -> None:
    bring(real_data / "scms" / "dev.csv.gz", "scms", tmp_path / "all")
    orders = tables.read(tmp_path / "all", "purchase_orders")
    past = np.random.default_rng(0).random(orders.height) < 0.7
    for name, rows in (("past", past), ("new", ~past)):
        (tmp_path / name).mkdir()
        orders.filter(pl.Series(rows)).write_parquet(tmp_path / name / "purchase_orders.parquet")

    predicted = predict_orders(tmp_path / "past", tmp_path / "new", None, (0.9,))

    ((_, count, within),) = covered(predicted, (0.9,))
    Console().print(f"{within:.1%} of {count:,} orders kept aside came within the P90")
    assert count > 1_000
    assert 0.88 < within < 0.92
