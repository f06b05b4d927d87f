"""The released model a batch run answers with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serving.adapters.releases import CURRENT, open_release
from serving.errors import NoModel, UnknownModel

if TYPE_CHECKING:
    from pathlib import Path

    from serving.adapters.onnx import OnnxDemandModel

FORECAST = "forecast"
CHAMPION = "champion"


def open_model(releases: Path, wanted: str) -> OnnxDemandModel:
    """Open a release of the demand model.

    Args:
        releases: Folder of the releases.
        wanted: A version, or ``current`` or ``champion`` for the one that serves.

    Returns:
        The model.

    Raises:
        NoModel: If none is promoted.
        UnknownModel: If there is no such version.
        ReleaseRefused: If the release fails a check.
    """
    folder = releases / FORECAST
    version = wanted
    if wanted in {CURRENT, CHAMPION}:
        try:
            version = (folder / CURRENT).readlink().name
        except OSError as error:
            raise NoModel(FORECAST, "parlevel train forecast") from error
    # A version is the name of a folder here, never a path to elsewhere.
    plain = version and "/" not in version and not version.startswith(".")
    if not plain or not (folder / version).is_dir():
        raise UnknownModel(f"{FORECAST}/{wanted}")
    return open_release(folder / version)
