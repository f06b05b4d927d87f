"""Forecast every series of a table: ``python batch.py HOST:PORT SERIES.csv FORECAST.parquet``.

SERIES.csv has columns ``sku`` and ``location`` and any number of rows; needs polars.
"""

from __future__ import annotations

import sys

import polars as pl

from parlevel.client import Client


def main(address: str, source: str, target: str) -> None:
    """Write a long table of 28 days a series, and name the series that could not be forecast."""
    series = pl.read_csv(source, schema_overrides={"sku": pl.String, "location": pl.String})
    with Client(address) as client:
        batch = client.forecast_batch(series, 28)
    batch.to_polars().write_parquet(target)
    print(f"{len(batch) - len(batch.failures)} of {len(batch)} series forecast")
    for sku, location, status in batch.failures:
        print(f"{sku} at {location}: {status.value}")


if __name__ == "__main__":
    main(*sys.argv[1:])
