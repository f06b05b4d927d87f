"""The release folders of one model: written whole, pointed to by a link, with what served before.

<model>/<version>/    model.onnx manifest.json certificate.json
<model>/current       link to the version that serves
<model>/history.json  versions that served before it, oldest first
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
from typing import TYPE_CHECKING

from serving.adapters.releases import CURRENT
from serving.errors import ReleaseRefused

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

HISTORY = "history.json"


class Shelf:
    """The folder of one model's releases."""

    def __init__(self, folder: Path) -> None:
        """Name the folder; it is made by the first release."""
        self._folder = folder

    def release(self, version: str) -> Path:
        """Return the folder of a version."""
        return self._folder / version

    def versions(self) -> list[int]:
        """Return the versions that have a folder, ascending."""
        return sorted(int(path.name) for path in self._folder.glob("[0-9]*") if path.is_dir())

    def serving(self) -> str | None:
        """Return the version the link points to, or None before the first promotion."""
        try:
            return (self._folder / CURRENT).readlink().name
        except OSError:
            return None

    def write(self, version: str, files: Mapping[str, bytes]) -> None:
        """Write a release whole: in a folder beside its place, forced to disk, then renamed.

        Raises:
            ReleaseRefused: If it cannot be written; nothing of it is left.
        """
        new = self._folder / f".{version}.new"
        with self._told_of(version):
            shutil.rmtree(new, ignore_errors=True)
            try:
                new.mkdir(parents=True)
                for file, content in files.items():
                    with (new / file).open("wb") as out:
                        out.write(content)
                        out.flush()
                        os.fsync(out.fileno())
                shutil.rmtree(self.release(version), ignore_errors=True)
                new.rename(self.release(version))
            finally:
                shutil.rmtree(new, ignore_errors=True)

    def point(self, version: str) -> None:
        """Let the link name a version, in one step.

        Raises:
            ReleaseRefused: If the link cannot be written; it names what it named.
        """
        link = self._folder / f".{CURRENT}.new"
        with self._told_of(version):
            link.unlink(missing_ok=True)
            link.symlink_to(version)
            link.replace(self._folder / CURRENT)

    def past(self) -> list[str]:
        """Return the versions that served before, oldest first."""
        try:
            past = json.loads((self._folder / HISTORY).read_bytes())
        except (FileNotFoundError, ValueError):
            return []
        return [str(version) for version in past]

    def remember(self, past: list[str]) -> None:
        """Replace the versions that served before.

        Raises:
            ReleaseRefused: If they cannot be written; what was remembered stays.
        """
        new = self._folder / f".{HISTORY}.new"
        with self._told_of(HISTORY):
            new.write_text(json.dumps(past), encoding="utf-8")
            new.replace(self._folder / HISTORY)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder: of two promotions at once the second waits for the first."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    @contextlib.contextmanager
    def _told_of(self, what: str) -> Iterator[None]:
        """Say which release could not be written, and why.

        Raises:
            ReleaseRefused: If the system refuses.
        """
        try:
            yield
        except OSError as error:
            release = f"{self._folder.name}/{what}"
            raise ReleaseRefused(release, f"it cannot be written ({error.strerror})") from error
