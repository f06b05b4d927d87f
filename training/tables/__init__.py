"""Canonical tables: contracts, import with recipes, reading and quality.

Reading needs polars alone; pandera is imported when something has to be checked.
"""

from __future__ import annotations

from training.tables.checking import conform
from training.tables.columns import Column, Contract
from training.tables.contracts import CONTRACTS, contract
from training.tables.datasets import Dataset, store_dataset
from training.tables.errors import TableRefused, Violation
from training.tables.reading import dataset, digest, exists, present, read
from training.tables.scanning import scan

__all__ = [
    "CONTRACTS",
    "Column",
    "Contract",
    "Dataset",
    "TableRefused",
    "Violation",
    "conform",
    "contract",
    "dataset",
    "digest",
    "exists",
    "present",
    "read",
    "scan",
    "store_dataset",
]
