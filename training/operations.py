"""The home folder as a whole: its layout, backup, restore and upgrade."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from serving.adapters.features import CURRENT
from serving.errors import Busy, InvalidField, ParlevelError
from training import service_process
from training.tables.layers import locked, write_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from serving.settings import Settings

LAYOUT = 1  # raised when a home written before cannot be read as it stands
LAYOUT_FILE = "home.json"
REGISTRY = Path("mlflow", "mlflow.db")
ARTIFACTS = Path("mlflow", "artifacts")
ONLINE = Path("features", "online")
# Feast writes its registry in place, so a copy may hold half of it; all it holds follows from the
# definitions, and the next `features materialize` makes it anew.
LEFT_OUT = {Path("features", "registry.db"), Path("features", "registered"), REGISTRY}
SAVED = ("tables", "features", "mlflow", "releases", "monitoring")


class NewerHome(ParlevelError):
    """A home was written by a version newer than this one."""

    def __init__(self, home: Path, layout: int) -> None:
        """Name the home and the layout it has."""
        super().__init__(
            f"{home} has layout {layout}, this version reads up to {LAYOUT}: upgrade Parlevel"
        )
        self.home = home
        self.layout = layout


def open_home(home: Path) -> None:
    """Check that this version can read a home, and mark a new one with its layout.

    Raises:
        NewerHome: If a newer version wrote it.
    """
    if layout_of(home) == 0:
        write_text(home / LAYOUT_FILE, json.dumps({"layout": LAYOUT}) + "\n")


def layout_of(home: Path) -> int:
    """Return the layout of a home, 0 where it carries no mark.

    Raises:
        NewerHome: If it is newer than this version.
        InvalidField: If the mark cannot be read.
    """
    try:
        layout = json.loads((home / LAYOUT_FILE).read_text(encoding="utf-8"))["layout"]
    except FileNotFoundError:
        return 0
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidField(str(home / LAYOUT_FILE), "must say which layout the home has") from error
    if not isinstance(layout, int) or layout < 1:
        raise InvalidField(str(home / LAYOUT_FILE), "must say which layout the home has")
    if layout > LAYOUT:
        raise NewerHome(home, layout)
    return layout


def backup(home: Path, file: Path) -> int:
    """Save a home into one archive while its service runs; the archive appears whole or not at all.

    Imports, materialisation and promotions wait or are refused meanwhile. Of the features the
    current generation is saved.

    Args:
        home: The home folder.
        file: The archive to write, ``.tar.gz``.

    Returns:
        Its size in bytes.

    Raises:
        InvalidField: If there is no home, or the archive would lie within it.
        Busy: If an import or a materialisation is under way.
    """
    if not home.is_dir():
        raise InvalidField("home", f"must be a folder, {home} is none")
    if home.resolve() in file.resolve().parents:
        raise InvalidField("file", f"must lie outside {home}")
    open_home(home)
    partial = file.with_name(f".{file.name}.partial")
    with contextlib.ExitStack() as held:
        for folder in (home / "tables", home / "features", *(home / "releases").glob("*")):
            if folder.is_dir():
                held.enter_context(locked(folder, "another command writes to"))
        try:
            with tarfile.open(partial, "w:gz", compresslevel=3) as archive:
                archive.add(home / LAYOUT_FILE, LAYOUT_FILE)
                for path in _saved(home):
                    # A running service replaces its own windows and readings meanwhile.
                    with contextlib.suppress(FileNotFoundError):
                        archive.add(path, path.relative_to(home), recursive=False)
                _save_registry(home, archive)
            partial.replace(file)
        finally:
            partial.unlink(missing_ok=True)
    return file.stat().st_size


def restore(settings: Settings, file: Path, *, force: bool = False) -> None:
    """Put a saved home in place; what stood there stays until the saved one is whole.

    Args:
        settings: Name the home folder.
        file: The archive.
        force: Replace a home that is not empty.

    Raises:
        InvalidField: If the file is no archive of a home, or the home is not empty.
        NewerHome: If a newer version wrote the archive.
        Busy: If a service of this home runs.
    """
    home = settings.home
    if service_process.find(settings) is not None:
        raise Busy(f"the service of {home} runs: stop it first", retry_after_seconds=10.0)
    if home.exists() and any(home.iterdir()) and not force:
        raise InvalidField("home", f"{home} is not empty: restore elsewhere, or add --force")
    home.absolute().parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{home.name}.", dir=home.absolute().parent) as beside:
        new, old = Path(beside, "new"), Path(beside, "old")
        try:
            with tarfile.open(file, "r:gz") as archive:
                archive.extractall(new, filter="data")
        except (tarfile.TarError, OSError, EOFError) as error:
            raise InvalidField("file", f"{file} is no archive of a home ({error})") from error
        if layout_of(new) == 0:
            raise InvalidField("file", f"{file} is no archive of a home ({LAYOUT_FILE} is missing)")
        _move_artifacts(new, home)
        if home.exists():
            home.rename(old)
        new.rename(home)


def upgrade(home: Path) -> tuple[int, int]:
    """Bring a home to the layout of this version, and its registry to where it lies.

    Returns:
        The layout before, 0 where there was no mark, and after.

    Raises:
        InvalidField: If there is no home.
        NewerHome: If a newer version wrote it.
    """
    if not home.is_dir():
        raise InvalidField("home", f"must be a folder, {home} is none")
    before = layout_of(home)
    _move_artifacts(home, home)
    write_text(home / LAYOUT_FILE, json.dumps({"layout": LAYOUT}) + "\n")
    return before, LAYOUT


def _saved(home: Path) -> Iterator[Path]:
    """Yield what is saved as it stands, folders before what they hold."""
    generation = home / ONLINE / CURRENT
    current = generation.readlink().name if generation.is_symlink() else ""
    for top in SAVED:
        for folder, inner, files in os.walk(home / top):
            at = Path(folder)
            links = [name for name in inner if (at / name).is_symlink()]
            inner[:] = [name for name in inner if not name.startswith(".") and name not in links]
            if at == home / ONLINE:
                inner[:] = [name for name in inner if name == current]
            yield at
            for name in (*files, *links):
                path = at / name
                passing = name.startswith((".", REGISTRY.name))
                if not passing and path.relative_to(home) not in LEFT_OUT:
                    yield path


def _save_registry(home: Path, archive: tarfile.TarFile) -> None:
    """Save the registry through SQLite's own backup, which waits for no writer."""
    if not (home / REGISTRY).exists():
        return
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch, REGISTRY.name)
        with (
            contextlib.closing(sqlite3.connect(home / REGISTRY)) as source,
            contextlib.closing(sqlite3.connect(copy)) as target,
        ):
            source.backup(target)
        archive.add(copy, REGISTRY)


def _move_artifacts(home: Path, place: Path) -> None:
    """Let a registry name its artifacts where they will lie: MLflow keeps absolute addresses.

    Args:
        home: The home folder as it lies now.
        place: Where it will lie.
    """
    if not (home / REGISTRY).exists():
        return
    new = (place / ARTIFACTS).resolve().as_uri()
    with contextlib.closing(sqlite3.connect(home / REGISTRY)) as database, database:
        rows = database.execute("SELECT artifact_location FROM experiments").fetchall()
        past = {old for (old,) in rows if old and old.endswith(f"/{ARTIFACTS}") and old != new}
        for table, column in _text_columns(database) if past else []:
            for old in past:
                database.execute(
                    f'UPDATE "{table}" SET "{column}" = ? || substr("{column}", ?) '  # noqa: S608  names of its own schema
                    f'WHERE substr("{column}", 1, ?) = ?',
                    (new, len(old) + 1, len(old), old),
                )


def _text_columns(database: sqlite3.Connection) -> Iterator[tuple[str, str]]:
    """Yield table and name of every text column."""
    tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    for (table,) in tables:
        for _, column, kind, *_ in database.execute(f'PRAGMA table_info("{table}")').fetchall():
            if kind.upper().startswith(("VARCHAR", "TEXT")):
                yield table, column
