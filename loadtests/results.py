"""Results as they are kept: a small JSON file and the same as a markdown table, by date."""

from __future__ import annotations

import json
import os
import platform
from importlib import metadata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

DECISIVE = ("bentoml", "grpcio", "numpy", "onnxruntime", "protobuf")


def machine() -> dict[str, str]:
    """Return what a figure depends on beside our code: processor, cores, versions."""
    return {
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in DECISIVE},
    }


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123 - a device, no file of ours
            lines = [line for line in file if line.startswith("model name")]
    except OSError:
        lines = []
    return lines[0].partition(":")[2].strip() if lines else platform.processor() or "unknown"


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a markdown table; numbers stand right."""
    numeric = [
        all(isinstance(row[place], int | float) for row in rows) for place in range(len(columns))
    ]
    rule = ["---:" if right else "---" for right in numeric]
    lines = [columns, rule, *([_cell(value) for value in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"  # noqa: PLR2004 - digits that matter
    return f"{value:,}" if isinstance(value, int) else str(value)


def write(path: Path, content: Mapping[str, object], text: str) -> None:
    """Write a result as ``path`` with .json and .md; an older one of the name is replaced."""
    path.parent.mkdir(parents=True, exist_ok=True)
    encoded = json.dumps(content, indent=1, ensure_ascii=False)
    path.with_suffix(".json").write_text(encoded + "\n", encoding="utf-8")
    path.with_suffix(".md").write_text(text, encoding="utf-8")
