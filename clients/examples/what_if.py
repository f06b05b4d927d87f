"""Compare a week with and without a promotion: ``python what_if.py HOST:PORT SKU LOCATION``."""

from __future__ import annotations

import sys

from parlevel.client import Client, PlanDay


def main(address: str, sku: str, location: str) -> None:
    """Print the expected demand as planned, and with 20 % off on every day."""
    with Client(address) as client:
        planned = client.forecast(sku, location, 7)
        offer = [PlanDay(date=day, discount=0.2, promoted=True) for day in planned.dates]
        promoted = client.forecast(sku, location, 7, plan=offer)
    print(f"as planned  {sum(planned.mean):8.2f} units")
    print(f"20 % off    {sum(promoted.mean):8.2f} units")
    print("plan of each day:", ", ".join(source.value for source in promoted.plan_sources))


if __name__ == "__main__":
    main(*sys.argv[1:])
