"""The contract of every canonical table, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serving.errors import InvalidField
from training.tables.cost_tables import COST_TABLES
from training.tables.demand_tables import DEMAND_TABLES
from training.tables.nearest import suggestion
from training.tables.supply_tables import SUPPLY_TABLES

if TYPE_CHECKING:
    from training.tables.columns import Contract

CONTRACTS: dict[str, Contract] = {
    each.table: each for each in (*DEMAND_TABLES, *SUPPLY_TABLES, *COST_TABLES)
}


def contract(table: str) -> Contract:
    """Look up the contract of a table.

    Args:
        table: Canonical table name.

    Returns:
        Its contract.

    Raises:
        InvalidField: No canonical table has that name.
    """
    if table not in CONTRACTS:
        raise InvalidField(
            "table", f"{table!r} is no canonical table{suggestion(table, CONTRACTS)}"
        )
    return CONTRACTS[table]
