"""An image without a container engine: a Dockerfile read, and replayed in a folder."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

DOCKERFILE = Path(__file__).resolve().parents[2] / "deploy/Dockerfile"
FOLDERS = re.compile(r"(?<![\w.])/(build|opt|srv|tmp)\b")
PIP = re.compile(r"pip (--python \S+) install --no-cache-dir (.+)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Image:
    """What a container of the image would start with."""

    folder: Path
    environment: dict[str, str]
    entry: list[str]
    health: list[str]

    @property
    def python(self) -> Path:
        """The interpreter with the packages of the image and no others."""
        found = shutil.which("python", path=self.environment["PATH"])
        assert found is not None
        return Path(found)


def instructions() -> list[tuple[str, str]]:
    """Return name and rest of each instruction, lines joined."""
    text = DOCKERFILE.read_text(encoding="utf-8")
    kept = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    joined = re.sub(r"\\\n\s*", "", kept).splitlines()
    words = [line.split(maxsplit=1) for line in joined if line.strip()]
    return [(name, rest) for name, rest in words]


def given(name: str) -> list[str]:
    """Return the rest of each instruction of a name."""
    return [rest for found, rest in instructions() if found == name]


def environment() -> dict[str, str]:
    """Return what ENV sets."""
    return dict(pair.split("=", 1) for rest in given("ENV") for pair in rest.split())


def replay(context: Path, root: Path) -> Image:
    """Take the steps of both stages in one folder, which stands for the root of the file system."""
    folder, found = root, {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    for name, line in instructions():
        rest = FOLDERS.sub(rf"{root}/\1", line)
        if name == "WORKDIR":
            folder = Path(rest)
            folder.mkdir(parents=True)
        elif name == "COPY" and not rest.startswith("--from"):
            _copy(context, folder, rest)
        elif name == "ENV":
            pairs = dict(pair.split("=", 1) for pair in rest.split())
            found |= {key: value.replace("$PATH", found["PATH"]) for key, value in pairs.items()}
        elif name == "RUN" and "useradd" not in rest:
            _run(rest, folder, found)
    (health,) = given("HEALTHCHECK")
    (entry,) = given("ENTRYPOINT")
    return Image(folder, found, json.loads(entry), json.loads(health.partition("CMD ")[2]))


def _copy(context: Path, folder: Path, rest: str) -> None:
    source, target = rest.split()
    if (context / source).is_dir():
        shutil.copytree(context / source, folder / target)
    else:
        shutil.copy(context / source, folder / target)


def _run(rest: str, folder: Path, environment: dict[str, str]) -> None:
    """Run the steps of a RUN; uv stands for pip, since it need not fetch what it has fetched."""
    steps = []
    for step in rest.split("&&"):
        pip = PIP.search(step)
        if pip is not None:
            install = f"uv pip install --quiet {pip[1]} {pip[2]}"
            step = f"{{ {install} --offline 2>/dev/null || {install}; }}"  # noqa: PLW2901 - rewritten
        steps.append(step)
    home = {"HOME": os.environ["HOME"], "UV_LINK_MODE": "copy"}
    program = ["sh", "-euc", " && ".join(steps)]
    subprocess.run(program, cwd=folder, env={**home, **environment}, check=True, timeout=120)
