"""Packed records read beside Feast's own reading of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from loadtests.packed_read import main
from serving.errors import InvalidField
from training.features.sharing import share

if TYPE_CHECKING:
    from serving.settings import Settings
    from tests.fakes.redis_server import RedisProcess


@pytest.fixture
def in_home(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARLEVEL_HOME", str(home.home))


@pytest.mark.usefixtures("in_home")
def test_both_read_the_same_values_and_are_timed(capsys: pytest.CaptureFixture[str]) -> None:
    main(entities=4, rounds=2)
    said = capsys.readouterr().out
    assert "all equal" in said
    assert "Feast" in said


@pytest.mark.usefixtures("in_home")
def test_a_store_that_is_set_is_read_beside_them(
    home: Settings,
    redis_server: RedisProcess,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    share(home.features, redis_server.url, lambda _: None)
    monkeypatch.setenv("PARLEVEL_ONLINE_STORE", redis_server.url)
    main(entities=4, rounds=2)
    said = capsys.readouterr().out
    assert "all equal" in said
    assert "Redis" in said


@pytest.mark.usefixtures("in_home")
def test_more_series_than_are_stored_are_refused() -> None:
    with pytest.raises(InvalidField, match="series stored"):
        main(entities=10_000, rounds=1)
