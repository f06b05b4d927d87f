"""The four analytics of the cost domain, as named DuckDB queries over the tables.

Each reads the tables of a data folder as views of their names; a column a table lacks reads empty.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import polars as pl

from serving.errors import InvalidField, MissingInput
from training import tables
from training.tables.contracts import contract

if TYPE_CHECKING:
    from pathlib import Path

# A price is odd beyond this many of its own trailing deviations, of so many transactions before it.
ODD, WINDOW, LEAST = 3.0, 12, 6

QUERIES: dict[str, tuple[tuple[str, ...], str]] = {
    "variance": (
        ("cost_transactions", "products"),
        """
        SELECT plant_id, coalesce(category, '(none)') AS category,
               sum(budget_unit_cost * budget_volume * coalesce(budget_fx_rate, 1)) AS budget,
               sum(total_unit_cost * volume * coalesce(fx_rate, 1)) AS actual,
               actual - budget AS variance,
               variance / nullif(budget, 0) AS share,
               abs(share) > 0.05 AS alert
        FROM cost_transactions LEFT JOIN products USING (sku)
        WHERE budget_unit_cost IS NOT NULL AND budget_volume IS NOT NULL
        GROUP BY ALL ORDER BY abs(variance) DESC, plant_id, category
        """,
    ),
    "should-cost-gap": (
        ("quotes", "cost_transactions"),
        """
        WITH paid AS (
            SELECT sku, if(fx_rate IS NULL, currency_code, $home) AS currency_code,
                   sum(total_unit_cost * volume * coalesce(fx_rate, 1))
                       / nullif(sum(volume), 0) AS unit_cost
            FROM cost_transactions GROUP BY ALL
        )
        SELECT quote_id, quotes.sku, supplier_id, quotes.date, quantity, unit_price, unit_cost,
               unit_price / nullif(unit_cost, 0) - 1 AS gap,
               gap > 0.1 AS flag
        FROM quotes JOIN paid
            ON quotes.sku = paid.sku
            AND coalesce(quotes.currency_code, $home) = coalesce(paid.currency_code, $home)
        ORDER BY gap DESC, quote_id
        """,
    ),
    "supplier-performance": (
        ("purchase_orders",),
        """
        SELECT supplier_id, count(*) AS orders,
               count(*) FILTER (delivered_date IS NULL) AS open_orders,
               avg((delivered_date <= promised_date)::INT)
                   FILTER (promised_date IS NOT NULL) AS on_time,
               median(delivered_date - order_date) AS median_days,
               quantile_cont(delivered_date - order_date, 0.9) AS p90_days
        FROM purchase_orders GROUP BY supplier_id ORDER BY on_time, supplier_id
        """,
    ),
    "cost-anomaly": (
        ("cost_transactions",),
        f"""
        SELECT date, sku, plant_id, supplier_id, total_unit_cost,
               avg(total_unit_cost) OVER before AS usual,
               stddev_samp(total_unit_cost) OVER before AS spread,
               count(*) OVER before AS seen,
               (total_unit_cost - usual) / nullif(spread, 0) AS z,
               abs(z) > {ODD} AS flag
        FROM cost_transactions
        WINDOW before AS (
            PARTITION BY sku, plant_id, supplier_id ORDER BY date
            ROWS BETWEEN {WINDOW} PRECEDING AND 1 PRECEDING
        )
        QUALIFY seen >= {LEAST} AND z IS NOT NULL
        ORDER BY abs(z) DESC, date, sku
        """,  # noqa: S608 - the numbers are ours
    ),
}


def analyse(data_dir: Path, name: str) -> pl.DataFrame:
    """Run a named query over the tables of a folder.

    Args:
        data_dir: The data folder.
        name: One of QUERIES: ``variance`` of cost against budget by plant and category,
            ``should-cost-gap`` of quotes over what was paid, ``supplier-performance``,
            ``cost-anomaly`` by the deviation from the transactions before.

    Returns:
        The rows, the most telling first.

    Raises:
        InvalidField: If no query has that name.
        MissingInput: If a table it reads is not there.
    """
    if name not in QUERIES:
        raise InvalidField("query", f"must be one of {', '.join(QUERIES)}")
    needed, query = QUERIES[name]
    with duckdb.connect() as connection:
        for table in needed:
            connection.register(table, _whole(data_dir, name, table).to_arrow())
        asked = {"home": tables.dataset(data_dir).currency_code} if "$home" in query else None
        found: pl.DataFrame = connection.sql(query, params=asked).pl()
        return found


def _whole(data_dir: Path, name: str, table: str) -> pl.DataFrame:
    columns = [column.name for column in contract(table).columns]
    if tables.exists(data_dir, table):
        return tables.read(data_dir, table, columns=columns)
    if table == "products":  # only names the categories
        return pl.DataFrame(schema=dict.fromkeys(columns, pl.String))
    raise MissingInput(f"query {name}", table)
