"""Rules, dashboard and runbook: they speak of metrics that are there, and of each alert."""

from __future__ import annotations

import datetime as dt
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from serving.adapters.metrics import Metrics
from serving.adapters.verdict_metrics import VerdictMetrics
from serving.domain.retrain import Reading
from serving.gate import Call, Gate
from tests.fakes.doors import DESCRIPTION

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "deploy/prometheus/parlevel.rules.yaml"
BOARD = ROOT / "deploy/grafana/parlevel.json"
FOREIGN = {"up"}  # Prometheus' own


class OneReading:
    def readings(self, name: str) -> list[Reading]:
        assert name == "forecast"
        return [Reading(dt.date(2026, 6, 1), "coverage", 0.5, 0.9, broken=True, detail="low")]


def names_on_the_page() -> set[str]:
    metrics = Metrics()
    metrics.watch_gate(Gate("grpc", 1, ()))
    metrics.watch_models(lambda: [DESCRIPTION])
    metrics.watch(VerdictMetrics(OneReading()))
    metrics.refresh_failed("models")
    call = Call("grpc", "ForecastDemand", "1", "", code="INTERNAL")
    metrics.record(call, 0.1)
    return set(re.findall(r"^(\w+)(?:\{| )", metrics.page().decode(), re.MULTILINE))


def expressions() -> Iterator[str]:
    board: dict[str, Any] = json.loads(BOARD.read_text(encoding="utf-8"))
    for panel in board["panels"]:
        for target in panel["targets"]:
            yield target["expr"]
    text = RULES.read_text(encoding="utf-8")
    yield from re.findall(r"expr: (?!\|)(.+)", text)
    yield from re.findall(r"expr: \|\n((?: {10}.+\n)+)", text)


def test_every_metric_that_is_asked_for_is_on_the_page() -> None:
    asked = {
        name for one in expressions() for name in re.findall(r"\b(?:parlevel|process)_\w+", one)
    }
    assert len(asked) >= 9
    assert asked - names_on_the_page() == set()


def test_every_alert_stands_in_the_runbook() -> None:
    alerts = re.findall(r"alert: (\w+)", RULES.read_text(encoding="utf-8"))
    runbook = (ROOT / "docs/monitoring.md").read_text(encoding="utf-8")
    assert len(alerts) >= 8
    assert [name for name in alerts if f"### {name}" not in runbook] == []


def test_the_dashboard_has_no_panel_upon_another() -> None:
    panels = json.loads(BOARD.read_text(encoding="utf-8"))["panels"]
    cells = [
        (x, y)
        for grid in (panel["gridPos"] for panel in panels)
        for x in range(grid["x"], grid["x"] + grid["w"])
        for y in range(grid["y"], grid["y"] + grid["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
    assert len({panel["id"] for panel in panels}) == len(panels)


def test_prometheus_takes_the_rules_and_the_scrape_configuration() -> None:
    tool = shutil.which("promtool")
    if tool is None:
        pytest.skip("promtool is not installed")
    for what, file in (("rules", RULES), ("config", RULES.with_name("prometheus.yaml"))):
        done = subprocess.run(
            [tool, "check", what, file], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr


def test_grafanas_own_types_take_the_dashboard(tmp_path: Path) -> None:
    modules = ROOT / "node_modules"
    compiler = modules / ".bin" / "tsc"
    if not compiler.exists() or not (modules / "@grafana" / "schema").exists():
        pytest.skip("@grafana/schema and typescript are not installed: run `make check`")
    (tmp_path / "node_modules").symlink_to(modules)
    board = BOARD.read_text(encoding="utf-8")
    asked = ("--noEmit", "--strict", "--skipLibCheck", "--module", "esnext")

    def said_of(text: str) -> str:
        file = tmp_path / "board.ts"
        typed = 'import type { Dashboard } from "@grafana/schema";\nexport const board: Dashboard ='
        file.write_text(f"{typed} {text};\n", encoding="utf-8")
        command = [str(compiler), *asked, "--moduleResolution", "bundler", str(file)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
        return str(done.stdout)

    assert said_of(board) == ""
    assert "gridPlace" in said_of(board.replace('"gridPos"', '"gridPlace"', 1))


def test_nothing_is_shown_of_rules_before_anything_was_measured() -> None:
    from serving.errors import NothingMeasured

    class Nothing:
        def readings(self, name: str) -> list[Reading]:
            raise NothingMeasured(name, "measure")

    assert list(VerdictMetrics(Nothing()).collect()) == []
