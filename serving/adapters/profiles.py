"""Profiles on disk: what rows looked like, one file a profile, written whole."""

from __future__ import annotations

import datetime as dt
import io
import json
import os
import zipfile
from typing import TYPE_CHECKING

import numpy as np

from serving.domain.drift import Profile
from serving.domain.sketch import NumberSketch
from serving.errors import NothingMeasured

if TYPE_CHECKING:
    from pathlib import Path

PROFILE = "profile.npz"
_MOMENTS = ("missing", "infinite", "low", "high", "mean", "squares")


def write_profile(path: Path, profile: Profile) -> None:
    """Write a profile of numeric features in one step: a reader sees the old file or the new one.

    Args:
        path: The file; its folder is made.
        profile: The profile, every feature of as many blocks.
    """
    names = list(profile.features)
    sketches = [
        [one for one in profile.features[name] if isinstance(one, NumberSketch)] for name in names
    ]
    widths = np.array([one[0].grid.size for one in sketches], dtype=np.int64)
    said = {
        "names": names,
        "blocked": profile.blocked,
        "days": [day.isoformat() for day in profile.days],
        "importances": dict(profile.importances),
    }
    content = io.BytesIO()
    np.savez_compressed(
        content,
        said=np.frombuffer(json.dumps(said).encode(), dtype=np.uint8),
        widths=widths,
        grids=np.concatenate([np.empty(0), *(one[0].grid for one in sketches)]),
        counts=np.concatenate(
            [np.empty(0, np.int64), *(block.counts for one in sketches for block in one)]
        ),
        moments=np.array(
            [[[getattr(block, part) for part in _MOMENTS] for block in one] for one in sketches],
            dtype=np.float64,
        ),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.{os.getpid()}")
    new.write_bytes(content.getvalue())
    new.replace(path)


def read_profile(path: Path) -> Profile | None:
    """Read a profile; None where there is none, or the file is damaged."""
    try:
        with np.load(path) as stored:
            parts = {name: stored[name] for name in stored.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):
        return None
    said = json.loads(parts["said"].tobytes())
    features, at, start = {}, 0, 0
    for name, width, moments in zip(said["names"], parts["widths"], parts["moments"], strict=True):
        grid, cells = parts["grids"][at : at + width], 2 * int(width) + 1
        at += int(width)
        blocks = []
        for block in moments:
            missing, infinite, low, high, mean, squares = block.tolist()
            counts = parts["counts"][start : start + cells]
            start += cells
            blocks.append(
                NumberSketch(grid, counts, int(missing), int(infinite), low, high, mean, squares)
            )
        features[name] = tuple(blocks)
    return Profile(
        features=features,
        blocked=said["blocked"],
        days=tuple(dt.date.fromisoformat(day) for day in said["days"]),
        importances=said["importances"],
    )


class StoredProfiles:
    """Training profiles beside the releases; each is read once."""

    def __init__(self, releases: Path) -> None:
        """Name the releases folder."""
        self._releases = releases
        self._read: dict[tuple[str, str], Profile] = {}

    def training(self, name: str, version: str) -> Profile:
        """Return the training profile of a model's version.

        Raises:
            NothingMeasured: If the version has none.
        """
        found = self._read.get((name, version))
        if found is None:
            found = read_profile(self._releases / name / version / PROFILE)
            if found is None:
                raise NothingMeasured(
                    f"version {version} of {name} has no training profile",
                    f"run `parlevel train {name}`, or send the reference rows",
                )
            self._read[name, version] = found
        return found
