"""Public data as a newcomer brings it: raw file and recipe in, decisions on both doors out."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from serving import settings

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "clients" / "examples" / "bring_your_own.sh"
ROWS = "8000"

pytestmark = [pytest.mark.e2e, pytest.mark.real_data]


def _folder() -> Path:
    folder = settings.load().real_data
    if folder is None or not folder.is_dir():
        pytest.skip("PARLEVEL_REAL_DATA names no folder of public data")
    return folder


def _free_ports() -> tuple[int, int]:
    with (
        socket.create_server(("127.0.0.1", 0)) as one,
        socket.create_server(("127.0.0.1", 0)) as two,
    ):
        return one.getsockname()[1], two.getsockname()[1]


def _bring(file: Path, recipe: str, home: Path) -> str:
    http_port, grpc_port = _free_ports()
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [SCRIPT, file, ROOT / "training" / "recipes" / recipe, ROWS],
        env={
            **os.environ,
            "PATH": path,
            "PARLEVEL_HOME": str(home),
            "PARLEVEL_HTTP_PORT": str(http_port),
            "PARLEVEL_GRPC_PORT": str(grpc_port),
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_fresh_food_sales_become_forecasts_and_orders_on_both_doors(tmp_path: Path) -> None:
    sales = pl.read_parquet(_folder() / "freshretailnet50k" / "dev.parquet")
    stores = sales["store_id"].unique().sort().head(3)
    sales.filter(pl.col("store_id").is_in(stores.implode())).write_parquet(
        tmp_path / "some.parquet"
    )
    printed = _bring(tmp_path / "some.parquet", "freshretailnet50k.toml", tmp_path / "home")
    assert (printed.count(" yes "), printed.count(" NO ")) == (6, 0)
    forecasts = pl.read_parquet(tmp_path / "home" / "forecasts.parquet")
    series = sales.filter(pl.col("store_id").is_in(stores.implode()))
    assert len(forecasts) == 7 * series.select("product_id", "store_id").n_unique()
    assert (forecasts["q0.05"] <= forecasts["q0.95"]).all()


def test_invoice_lines_become_forecasts_and_orders_on_both_doors(tmp_path: Path) -> None:
    lines = pl.read_parquet(_folder() / "online_retail" / "online_retail.parquet")
    busiest = lines["StockCode"].value_counts(sort=True)["StockCode"].head(20)
    lines.filter(pl.col("StockCode").is_in(busiest.implode())).write_parquet(
        tmp_path / "some.parquet"
    )
    printed = _bring(tmp_path / "some.parquet", "online_retail.toml", tmp_path / "home")
    assert (printed.count(" yes "), printed.count(" NO ")) == (6, 0)
    orders = pl.read_parquet(tmp_path / "home" / "orders.parquet")
    assert (orders["order_up_to"] >= 0).all()
