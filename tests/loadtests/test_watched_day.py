"""A day of answers pressed into seconds: windows and log stay within their bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadtests.watched_day import watch_a_day
from serving.adapters import forecast_log, traffic

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

ROWS, LIMIT = 560_000, 4  # rows, and MiB: all of the rows would take 20
ONE_FILE = 1.3  # MiB of the most forecasts that may wait


def test_a_day_of_traffic_is_watched_in_bounded_memory_and_space(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(traffic, "FOLD_SECONDS", 0.1)
    monkeypatch.setattr(forecast_log, "FLUSH_SECONDS", 0.1)
    monkeypatch.setattr(forecast_log, "MAX_WAITING", 2_000)
    looks = list(watch_a_day(ROWS, 3.0, tmp_path, limit_mib=LIMIT))
    half, last = looks[len(looks) // 2], looks[-1]
    assert last.rows == ROWS
    # One file is written before an old one goes, and one may be on its way.
    assert max(look.log_mib for look in looks) <= LIMIT + 2 * ONE_FILE
    assert last.log_mib >= LIMIT / 2
    assert 1_000 <= last.window_rows <= ROWS // 14
    assert 0 < last.window_kib < 500
    assert last.memory_mib - half.memory_mib < 40
    assert {path.name for path in (tmp_path / "log").iterdir()} <= {
        "day=2026-06-01",
        "day=2026-06-02",
    }
