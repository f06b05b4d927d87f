"""A short load against the real service, in a process of its own: locust patches what it meets."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from loadtests.questions import QUESTIONS

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.e2e

# Wide enough for any machine: what is held here is the run and its verdict, not the speed.
WIDE = "".join(
    f"[question.{name}]\np95_ms = 5000\np99_ms = 5000\nerror_rate = 0.0\n"
    for name in ("forecast", "what_if", "reorder")
)
TIGHT = "[question.forecast]\np95_ms = 5000\np99_ms = 0.001\nerror_rate = 0.0\n"


def run_load(
    served: dict[str, str], tmp_path: Path, levels: str, *options: str
) -> subprocess.CompletedProcess[str]:
    slo = tmp_path / "slo.toml"
    slo.write_text(f"[availability]\nleast = 0.99\n{levels}", encoding="utf-8")
    kept = ["--slo", str(slo), "--html", str(tmp_path / "html"), "--out", str(tmp_path / "kept")]
    return subprocess.run(
        [sys.executable, "-m", "loadtests", "run", "--profile", "short", *kept, *options],
        env=served,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


def test_a_short_run_holds_its_levels_at_both_doors(served: dict[str, str], tmp_path: Path) -> None:
    done = run_load(served, tmp_path, WIDE, "--users", "20", "--seconds", "8")
    assert done.returncode == 0, done.stdout + done.stderr
    kept = json.loads((tmp_path / "kept.json").read_text(encoding="utf-8"))
    asked = {(one["door"], one["question"]): one for one in kept["runs"][0]["measured"]}
    assert set(asked) >= {(door, "forecast") for door in ("grpc", "http")}
    assert {question for _, question in asked} <= set(QUESTIONS)
    assert sum(one["failures"] for one in asked.values()) == 0
    assert "| forecast |" in (tmp_path / "kept.md").read_text(encoding="utf-8")
    (report,) = (tmp_path / "html").iterdir()
    assert b"<html" in report.read_bytes()


def test_a_broken_level_is_named_and_exits_with_three(
    served: dict[str, str], tmp_path: Path
) -> None:
    done = run_load(served, tmp_path, TIGHT, "--seconds", "3", "--host-http", "none")
    assert done.returncode == 3, done.stdout + done.stderr
    assert "BROKEN forecast over grpc: p99 is" in done.stdout


def test_a_door_that_is_shut_counts_as_not_available(
    served: dict[str, str], tmp_path: Path
) -> None:
    shut = ("--host-grpc", "127.0.0.1:1", "--host-http", "http://127.0.0.1:1")
    done = run_load(served, tmp_path, WIDE, "--users", "2", "--seconds", "3", *shut)
    assert done.returncode == 3, done.stdout + done.stderr
    assert "availability: 0.000%" in done.stdout


def test_an_unknown_question_is_refused_before_anything_runs(
    served: dict[str, str], tmp_path: Path
) -> None:
    done = run_load(served, tmp_path, "[question.weather]\np95_ms = 1\n")
    assert done.returncode == 2
    assert "question.weather is unknown" in done.stdout


def test_a_home_without_features_is_a_sentence(tmp_path: Path) -> None:
    done = run_load({"PARLEVEL_HOME": str(tmp_path / "empty")}, tmp_path, WIDE)
    assert done.returncode == 2
    assert "no features are stored" in done.stdout
