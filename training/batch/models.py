"""The released model a batch run answers with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serving.adapters.demand import open_demand
from serving.adapters.releases import CURRENT, open_release
from serving.errors import NoModel, UnknownModel

if TYPE_CHECKING:
    from pathlib import Path

    from serving.adapters.demand import OnnxDemandModel

FORECAST = "forecast"
CHAMPION = "champion"


def open_model(releases: Path, wanted: str) -> OnnxDemandModel:
    """Open a release of the demand model.

    Args:
        releases: Folder of the releases.
        wanted: A version, or ``current`` or ``champion`` for the one that serves: the newest one
            where nothing has been promoted yet.

    Returns:
        The model.

    Raises:
        NoModel: If none is registered.
        UnknownModel: If there is no such version.
        ReleaseRefused: If the release fails a check.
    """
    return open_release(find_release(releases, wanted), open_demand)


def find_release(releases: Path, wanted: str) -> Path:
    """Return the folder of a release of the demand model; see `open_model`."""
    folder = releases / FORECAST
    version = wanted
    if wanted in {CURRENT, CHAMPION}:
        version = _serving(folder)
    # A version is the name of a folder here, never a path to elsewhere.
    plain = version and "/" not in version and not version.startswith(".")
    if not plain or not (folder / version).is_dir():
        raise UnknownModel(f"{FORECAST}/{wanted}")
    return folder / version


def _serving(folder: Path) -> str:
    """Return the version that serves, the newest one before the first promotion."""
    try:
        return (folder / CURRENT).readlink().name
    except OSError:
        versions = [path.name for path in folder.glob("[0-9]*") if path.is_dir()]
    if not versions:
        raise NoModel(FORECAST, "parlevel train forecast")
    return max(versions, key=int)
