"""Folders of a world: written beside their place, then put there whole.

A folder carries a manifest that names its files and their digest, so that a later run can tell a
world as it was written from anything else, and never replaces anything else unasked.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from serving.errors import InvalidField

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl

MANIFEST = "world.json"
CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Place:
    """A folder being written, and where it will stand.

    Attributes:
        target: the folder's place.
        staging: where it is written until it is complete.
    """

    target: Path
    staging: Path

    def write_table(self, name: str, frame: pl.DataFrame, part: int | None = None) -> None:
        """Write one table, or one part of it.

        Args:
            name: the table's name, below a folder where it is of a data folder of its own.
            frame: its rows.
            part: number of the part, or None where the table is one file.
        """
        path = self.staging / f"{name}.parquet"
        if part is not None:
            path = self.staging / name / f"part-{part:04d}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        frame.write_parquet(path, compression="zstd", compression_level=1)

    def write_manifest(self, entries: dict[str, Any]) -> str:
        """Write the manifest beside the finished tables.

        Args:
            entries: what the manifest says of the world, ready for JSON.

        Returns:
            The digest of every file but the manifest.
        """
        files = _list_files(self.staging)
        digest = _digest(self.staging, files)
        manifest = entries | {"digest": digest, "files": files}
        text = json.dumps(manifest, indent=2, sort_keys=True) + "\n"
        (self.staging / MANIFEST).write_text(text, encoding="utf-8")
        return digest


@contextmanager
def staged(target: Path) -> Iterator[Place]:
    """Write a folder beside its place; on success it replaces what stood there, else it is gone.

    Args:
        target: the folder's place; its parents are made.

    Yields:
        The place to write to.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    place = Place(target, target.with_name(f".{target.name}.new-{os.getpid()}"))
    # Process ids come round again, so a killed run may have left one of this name.
    shutil.rmtree(place.staging, ignore_errors=True)
    place.staging.mkdir()
    try:
        yield place
        _swap(place)
    finally:
        shutil.rmtree(place.staging, ignore_errors=True)


def _swap(place: Place) -> None:
    old = place.target.with_name(f".{place.target.name}.old-{os.getpid()}")
    if place.target.exists():
        shutil.rmtree(old, ignore_errors=True)
        place.target.rename(old)
    place.staging.rename(place.target)
    shutil.rmtree(old, ignore_errors=True)


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """Return the manifest of a world that stands as it was written.

    Args:
        folder: where it should stand.

    Returns:
        The manifest; None where there is none, or a file it names has changed.
    """
    path = folder / MANIFEST
    if not path.is_file():
        return None
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        intact = manifest["digest"] == _digest(folder, manifest["files"])
    except (ValueError, KeyError, TypeError, OSError):
        return None
    return dict(manifest) if intact else None


def check_replaceable(field: str, folder: Path, *, force: bool) -> None:
    """Refuse to replace anything but a world as it was written.

    Args:
        field: the option that named the folder.
        folder: the folder.
        force: replace whatever is there.

    Raises:
        InvalidField: when the folder holds anything else and ``force`` is off, when it is no
            folder, or when it holds the working directory.
    """
    if folder in (Path.cwd(), *Path.cwd().parents):
        raise InvalidField(field, f"must not be {folder}, which holds the working directory")
    if not folder.exists():
        return
    if not folder.is_dir():
        raise InvalidField(field, f"must be a folder, and {folder} is a file")
    if force or not any(folder.iterdir()):
        return
    manifest = read_manifest(folder)
    if manifest is None or manifest["files"] != _list_files(folder):
        raise InvalidField(
            field,
            f"names {folder}, which holds other files than an unchanged world: "
            "choose another folder, or replace it with --force",
        )


def _list_files(folder: Path) -> list[str]:
    paths = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(path.as_posix() for path in paths if path != Path(MANIFEST))


def _digest(folder: Path, files: list[str]) -> str:
    whole = hashlib.sha256()
    for name in files:
        whole.update(f"{name}\0".encode())
        with (folder / name).open("rb") as stream:
            while chunk := stream.read(CHUNK_BYTES):
                whole.update(chunk)
    return whole.hexdigest()
