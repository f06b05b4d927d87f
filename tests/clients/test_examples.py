"""The examples run as they are printed in the README."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import grpc
import polars as pl
import pytest

from tests.clients.fake_server import Script, status

EXAMPLES = Path(__file__).parents[2] / "clients" / "examples"


def run(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(EXAMPLES / name), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("name", "arguments", "printed"),
    [
        ("quickstart.py", ("S12", "L1"), "2025-07-01     12.00  [0.60, 11.40]"),
        ("quickstart_async.py", ("L1", "S1", "S2"), "S2     35.00 units in 7 days"),
        ("what_if.py", ("S1", "L1"), "plan of each day: request, request"),
        ("reorder.py", ("S3", "L1"), "order 18 units: The position is below"),
    ],
)
def test_an_example_prints_its_answer(
    address: str, name: str, arguments: tuple[str, ...], printed: str
) -> None:
    result = run(name, address, *arguments)
    assert (result.returncode, result.stderr) == (0, "")
    assert printed in result.stdout


def test_the_batch_example_writes_a_table(address: str, tmp_path: Path) -> None:
    source, target = tmp_path / "series.csv", tmp_path / "forecast.parquet"
    pl.DataFrame({"sku": ["S1", "unknown"], "location": ["1", "1"]}).write_csv(source)
    result = run("batch.py", address, str(source), str(target))
    assert result.stdout.splitlines() == ["1 of 2 series forecast", "unknown at 1: unknown_series"]
    assert pl.read_parquet(target).height == 28


def test_the_reorder_example_says_what_is_missing(address: str, script: Script) -> None:
    script.failures.append(status(grpc.StatusCode.FAILED_PRECONDITION, "on_hand is needed"))
    result = run("reorder.py", address, "S3", "L1")
    assert result.returncode == 1
    assert result.stderr == "no recommendation: FAILED_PRECONDITION: on_hand is needed\n"


def test_every_example_is_run_here() -> None:
    text = Path(__file__).read_text(encoding="utf-8")
    assert all(f'"{path.name}"' in text for path in EXAMPLES.glob("*.py"))
