"""Forecast several series at once: ``python quickstart_async.py HOST:PORT LOCATION SKU...``."""

from __future__ import annotations

import asyncio
import sys

from parlevel.client import AsyncClient


async def main(address: str, location: str, *skus: str) -> None:
    """Print the expected demand of a week of each SKU at one location."""
    async with AsyncClient(address) as client:
        forecasts = await asyncio.gather(*(client.forecast(sku, location, 7) for sku in skus))
    for forecast in forecasts:
        print(f"{forecast.sku}  {sum(forecast.mean):8.2f} units in 7 days")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
