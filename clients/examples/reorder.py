"""Decide what to order: ``python reorder.py HOST:PORT SKU LOCATION``."""

from __future__ import annotations

import sys

from parlevel.client import Client
from parlevel.client.errors import FailedPrecondition, NotFound


def main(address: str, sku: str, location: str) -> None:
    """Print the order and what it rests on, or what is missing for one."""
    with Client(address) as client:
        try:
            order = client.recommend_reorder(
                sku, location, on_hand=12, lead_time_days=5, review_days=2, service_level=0.95
            )
        except (FailedPrecondition, NotFound) as error:
            sys.exit(f"no recommendation: {error}")
    print(f"order {order.order_quantity:g} units: {order.reason}")
    print(f"risk of running out without it: {order.stockout_probability:.0%}")
    print(f"from tables: {', '.join(order.table_inputs) or 'nothing'}")


if __name__ == "__main__":
    main(*sys.argv[1:])
