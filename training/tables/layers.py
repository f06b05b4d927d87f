"""Where an imported table lies: received files, clean parts, load records, and one manifest.

    DIR/raw/<table>/<load_id>.<ext>          the file as received
    DIR/clean/<table>/<load_id>.parquet      its rows in canonical form
    DIR/clean/manifest.json                  which parts are live; replacing it is the publication
    DIR/loads/<load_id>.json                 one record per load, refused ones too

A part the manifest does not name does not exist for a reader, so that a process killed at any
moment leaves the old or the new state whole; the next import sweeps what it left behind.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from serving.errors import Busy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

PARTIAL = ".partial"
_CHUNK_BYTES = 1 << 20
_LOAD_FILE = re.compile(r"\.?(?P<load_id>\d{8}T\d{12}Z-[0-9a-f]{8}-\w+)\.")


@dataclass(frozen=True, slots=True)
class Load:
    """One table's rows out of one received file.

    Attributes:
        load_id: UTC time, head of the source's hash, and table.
        table: Canonical table name.
        status: ``published`` or ``refused``.
        who: Account that ran the import.
        when: UTC time in ISO form.
        source: Name of the received file.
        sha256: Hash of the received bytes.
        recipe: Name of the recipe, empty where there was none.
        recipe_sha256: Hash of everything that decides how the source was read.
        appended: Whether the rows joined earlier ones.
        rows_in: Rows of the source.
        rows_written: Rows stored.
        rows_refused: Rows that broke the contract (nothing is stored then).
        first_date: First day of the rows in ISO form, empty where the table has none.
        last_date: Last day likewise.
    """

    load_id: str
    table: str
    status: str
    who: str
    when: str
    source: str
    sha256: str
    recipe: str
    recipe_sha256: str
    appended: bool
    rows_in: int
    rows_written: int
    rows_refused: int
    first_date: str
    last_date: str


Manifest = dict[str, tuple[Load, ...]]


def read_manifest(data_dir: Path) -> Manifest:
    """Read which loads are live.

    Args:
        data_dir: The data folder.

    Returns:
        The live loads of each imported table in load order; empty where nothing was imported.
    """
    path = _manifest_path(data_dir)
    if not path.exists():
        return {}
    stored = json.loads(path.read_text(encoding="utf-8"))
    return {table: tuple(Load(**each) for each in loads) for table, loads in stored.items()}


def part_path(data_dir: Path, load: Load) -> Path:
    """Return where the clean rows of a load lie."""
    return data_dir / "clean" / load.table / f"{load.load_id}.parquet"


def raw_path(data_dir: Path, load: Load) -> Path:
    """Return where the received file of a load lies."""
    name = load.source.lower()
    ending = next(each for each in (".csv.gz", ".csv", ".parquet") if name.endswith(each))
    return data_dir / "raw" / load.table / f"{load.load_id}{ending}"


def publish(data_dir: Path, manifest: Manifest) -> None:
    """Make a set of staged parts the live ones, in one step, and write their load records.

    Args:
        data_dir: The data folder.
        manifest: All live loads by table, the new ones included.
    """
    text = json.dumps(
        {table: [asdict(load) for load in loads] for table, loads in manifest.items()}, indent=1
    )
    write_text(_manifest_path(data_dir), text)
    _write_missing_records(data_dir, manifest)


def write_record(data_dir: Path, load: Load) -> None:
    """Write the record of one load."""
    write_text(_record_path(data_dir, load), json.dumps(asdict(load), indent=1))


def write_text(path: Path, text: str) -> None:
    """Replace a small file as a whole."""
    replace_file(path, lambda partial: partial.write_text(text, encoding="utf-8"))


def replace_file(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file beside its place, force it to disk, then move it there in one step.

    Args:
        path: The file to create or replace; its folder is made.
        write: Writes the whole content to the path it is given.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}{PARTIAL}")
    write(partial)
    _force_to_disk(partial)
    os.replace(partial, path)  # noqa: PTH105  one system call is the whole point
    _force_to_disk(path.parent)


def sweep(data_dir: Path) -> None:
    """Remove what a killed import left, and write the records it did not come to.

    Args:
        data_dir: The data folder; the caller holds its lock.
    """
    manifest = read_manifest(data_dir)
    _write_missing_records(data_dir, manifest)
    live = {load.load_id for loads in manifest.values() for load in loads}
    recorded = {path.stem for path in (data_dir / "loads").glob("*.json")}
    for layer, kept in (("clean", live), ("raw", recorded)):
        for path in (data_dir / layer).glob("*/*"):
            # Only what an import names itself: the folder may hold a person's own files.
            ours = _LOAD_FILE.match(path.name)
            if ours and (path.name.startswith(".") or ours["load_id"] not in kept):
                path.unlink()
    for folder in (data_dir, data_dir / "clean", data_dir / "loads"):
        for path in folder.glob(f".*{PARTIAL}"):
            path.unlink()


@contextmanager
def locked(folder: Path, busy: str) -> Iterator[None]:
    """Hold a folder against another process that writes to it.

    Args:
        folder: The folder; it is made.
        busy: What another process does that holds it, for the sentence of the refusal.

    Raises:
        Busy: Another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            message = f"{busy} {folder}: try again when it is done"
            raise Busy(message, retry_after_seconds=10.0) from error
        yield


def file_digest(path: Path) -> str:
    """Hash a file's bytes.

    Args:
        path: The file.

    Returns:
        SHA-256 in hexadecimal.
    """
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        while chunk := handle.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _manifest_path(data_dir: Path) -> Path:
    return data_dir / "clean" / "manifest.json"


def _record_path(data_dir: Path, load: Load) -> Path:
    return data_dir / "loads" / f"{load.load_id}.json"


def _write_missing_records(data_dir: Path, manifest: Mapping[str, tuple[Load, ...]]) -> None:
    for loads in manifest.values():
        for load in loads:
            if not _record_path(data_dir, load).exists():
                write_record(data_dir, load)


def _force_to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
