"""The first answers of a fresh service: the same questions on both doors, side by side."""

from __future__ import annotations

import contextlib
import json
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any

import polars as pl
from rich.table import Table

from parlevel.client import Client
from training import tables as data_tables

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from parlevel.client.options import ReorderOptions
    from training.service_process import Running

SERIES = 3
SAME, OTHER = "yes", "NO"
HORIZON = 7
LEAD_DAYS, REVIEW_DAYS, SERVICE_LEVEL = 5.0, 2.0, 0.95


def tables(running: Running, data: Path) -> Iterator[Table]:
    """Ask for forecasts and orders of the best-selling series and yield them as tables.

    Raises:
        ParlevelClientError: If the service refuses.
    """
    series = _best_sellers(data)
    with Client(f"{running.host}:{running.grpc_port}", timeout_seconds=10.0) as client:
        yield _forecasts(running, client, series)
        yield _orders(running, client, series)


def _best_sellers(data: Path) -> list[tuple[str, str]]:
    sales = data_tables.read(data, "sales", columns=["sku", "location", "quantity"])
    top = sales.group_by("sku", "location").agg(pl.col("quantity").sum())
    top = top.sort(["quantity", "sku", "location"], descending=[True, False, False]).head(SERIES)
    return [(sku, location) for sku, location, _ in top.iter_rows()]


def _forecasts(running: Running, client: Client, series: list[tuple[str, str]]) -> Table:
    table = Table(title=f"Demand, next {HORIZON} days (units a day: median, 90 % interval)")
    for column in ("sku", "location", "first day", "median", "5 %", "95 %", "HTTP same"):
        key = column in ("sku", "location")
        table.add_column(column, justify="left" if key else "right", no_wrap=key)
    for sku, location in series:
        answer = client.forecast(sku, location, HORIZON, quantile_levels=[0.05, 0.5, 0.95])
        body = {
            "sku": sku,
            "location": location,
            "horizon_days": HORIZON,
            "quantile_levels": [0.05, 0.5, 0.95],
        }
        other = _post(running, "/v1/demand:forecast", body)
        flat = [value for day in answer.quantiles for value in day]
        same = flat == other["quantiles"] and list(answer.mean) == other["mean"]
        low, median, high = answer.quantiles[0]
        table.add_row(
            sku,
            location,
            str(answer.dates[0]),
            f"{median:.1f}",
            f"{low:.1f}",
            f"{high:.1f}",
            SAME if same else OTHER,
        )
    return table


def _orders(running: Running, client: Client, series: list[tuple[str, str]]) -> Table:
    table = Table(
        title=f"Orders for an empty shelf at {SERVICE_LEVEL:.0%} cycle service, "
        f"lead time {LEAD_DAYS:g} days (deviation of the tables), review every {REVIEW_DAYS:g}"
    )
    for column in (
        "sku",
        "location",
        "expected demand",
        "safety stock",
        "order up to",
        "order now",
        "HTTP same",
    ):
        key = column in ("sku", "location")
        table.add_column(column, justify="left" if key else "right", no_wrap=key)
    for sku, location in series:
        ask: ReorderOptions = {
            "lead_time_days": LEAD_DAYS,
            "review_days": REVIEW_DAYS,
            "service_level": SERVICE_LEVEL,
            "on_hand": 0.0,
            "on_order": 0.0,
            "backorders": 0.0,
        }
        answer = client.recommend_reorder(sku, location, **ask)
        other = _post(running, "/v1/reorder:recommend", {"sku": sku, "location": location, **ask})
        same = (answer.order_up_to, answer.order_quantity) == (
            other["order_up_to"],
            other["order_quantity"],
        )
        table.add_row(
            sku,
            location,
            f"{answer.expected_demand:.1f}",
            f"{answer.safety_stock:.1f}",
            f"{answer.order_up_to:.1f}",
            f"{answer.order_quantity:g}",
            SAME if same else OTHER,
        )
    return table


def _post(running: Running, path: str, body: dict[str, Any]) -> dict[str, Any]:
    connection = HTTPConnection(running.host, running.http_port, timeout=10)
    with contextlib.closing(connection):
        content = json.dumps(body).encode()
        connection.request("POST", path, content, {"content-type": "application/json"})
        answer: dict[str, Any] = json.loads(connection.getresponse().read())
        return answer
