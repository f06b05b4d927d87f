"""Worlds made once for all tests of this folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from training.world import Profile, WorldSummary, generate

if TYPE_CHECKING:
    from pathlib import Path

TINY = Profile(name="tiny", skus=12, locations=3, days=120, plan_days=30, skus_per_part=12)


@pytest.fixture(scope="session")
def tiny() -> Profile:
    return TINY


@pytest.fixture(scope="session")
def tiny_world(tmp_path_factory: pytest.TempPathFactory) -> WorldSummary:
    folder: Path = tmp_path_factory.mktemp("worlds")
    return generate(TINY, 42, folder / "tiny")


@pytest.fixture(scope="session")
def demo_world(tmp_path_factory: pytest.TempPathFactory) -> WorldSummary:
    folder: Path = tmp_path_factory.mktemp("worlds")
    return generate("demo", 42, folder / "demo")


@pytest.fixture(scope="session")
def full_world(tmp_path_factory: pytest.TempPathFactory) -> WorldSummary:
    folder: Path = tmp_path_factory.mktemp("worlds")
    return generate("full", 42, folder / "full")
