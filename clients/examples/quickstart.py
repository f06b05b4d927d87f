"""Forecast one series: ``python quickstart.py HOST:PORT SKU LOCATION``."""

from __future__ import annotations

import sys

from parlevel.client import Client


def main(address: str, sku: str, location: str) -> None:
    """Print a week of demand with its 90 % interval."""
    with Client(address) as client:
        forecast = client.forecast(sku, location, 7, quantile_levels=[0.05, 0.5, 0.95])
    for day, mean, (low, _, high) in zip(
        forecast.dates, forecast.mean, forecast.quantiles, strict=True
    ):
        print(f"{day}  {mean:8.2f}  [{low:.2f}, {high:.2f}]")
    print(f"model {forecast.provenance.model_name} {forecast.provenance.model_version}")
    for warning in forecast.provenance.warnings:
        print(f"note: {warning}")


if __name__ == "__main__":
    main(*sys.argv[1:])
