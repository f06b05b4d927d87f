"""Small experiments, drawn once for all tests of this folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from training.uplift.coverage import units_of
from training.world.actions import draw_experiment

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

    from training.uplift.units import Units


def drawn(units: int, *, random: bool, seed: int = 3) -> tuple[pl.DataFrame, pl.DataFrame]:
    return draw_experiment(np.random.default_rng(seed), units, random=random)


@pytest.fixture(scope="session")
def lottery() -> Units:
    return units_of(drawn(1_500, random=True)[0])


@pytest.fixture(scope="session")
def chosen_by_buyers() -> Units:
    return units_of(drawn(1_500, random=False)[0])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder with a randomised experiment."""
    data = tmp_path / "data"
    data.mkdir()
    drawn(300, random=True)[0].write_parquet(data / "experiment.parquet")
    return data
