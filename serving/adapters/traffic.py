"""Live traffic, sampled: what the rows a model answers look like, day by day, in bounded memory.

A request leaves one of its rows behind and goes on; a thread sketches what was left on the grids of
the model's training profile, adds it to the business day's sketches and saves them. Of busy traffic
every so many requests leave one, evenly over time. Memory holds MAX_WAITING rows and
MAX_WINDOW_DAYS days of counts, whatever the traffic.
"""

from __future__ import annotations

import logging
import random
import threading
from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np

from serving.adapters.profiles import read_profile, write_profile
from serving.domain.drift import MAX_WINDOW_DAYS, Profile
from serving.domain.sketch import NumberSketch, sketch_numbers
from serving.errors import NothingMeasured
from serving.ports import DemandModel

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from serving.adapters.releases import Releases
    from serving.domain.attribution import Boxes
    from serving.domain.model import ModelDescription, RefusedModel
    from serving.domain.routes import Routes
    from serving.domain.sketch import Sketch
    from serving.domain.totals import TotalShapes
    from serving.ports import Clock, TrainingProfiles

    Floats = NDArray[np.float32]

FOLD_SECONDS = 5.0
SAVE_FOLDS = 12  # folds between two saves: a crash costs at most a minute of the sample
FOLD_ROWS = 500  # rows a fold is to find: 100 a second, or 8.6 million a day
MAX_WAITING = 2_000  # rows between two folds; beyond it they are passed over
LARGE = 997  # rows of a large batch of which one is taken
_log = logging.getLogger(__name__)


class SampledTraffic:
    """The sampled traffic of one model."""

    def __init__(self, folder: Path, profiles: TrainingProfiles, clock: Clock) -> None:
        """Name the folder windows are saved in, the source of grids, and the business clock."""
        self._folder = folder
        self._profiles = profiles
        self._clock = clock
        self._waiting: deque[tuple[ModelDescription, Floats]] = deque(maxlen=MAX_WAITING)
        self._stride, self._left = 1, 0  # requests of which one is taken, and until the next
        self._windows: dict[tuple[str, str], Profile | None] = {}
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="traffic", daemon=True)

    def start(self) -> None:
        """Start sketching."""
        self._thread.start()

    def note(self, model: ModelDescription, rows: Floats) -> None:
        """Leave a row of a request behind; of a large batch one in LARGE."""
        self._left -= 1  # threads may race here: a row more or less is no matter
        if self._left > 0 or len(self._waiting) >= MAX_WAITING:
            return
        self._left = self._stride
        first = int(random.random() * min(len(rows), LARGE))  # noqa: S311 - a sample, no secret
        for row in rows[first::LARGE] if len(rows) > LARGE else (rows[first],):
            self._waiting.append((model, row.copy()))  # a view would hold the whole request

    def window(self, name: str, version: str, first_day: dt.date) -> Profile:
        """Return the profile of the rows answered from a day on, one block a day.

        Raises:
            NothingMeasured: If none was answered.
        """
        with self._lock:
            self._fold()
            window = self._stored(name, version)
        days = [] if window is None else [day for day in window.days if day >= first_day]
        if window is None or not days:
            raise NothingMeasured(
                f"version {version} of {name} has answered nothing since {first_day}",
                "ask it for forecasts, or send the current rows",
            )
        skipped = len(window.days) - len(days)
        features = {name: blocks[skipped:] for name, blocks in window.features.items()}
        return Profile(features, blocked=True, days=tuple(days), importances=window.importances)

    def close(self) -> None:
        """Sketch and save what is left and stop."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        folds = 0
        while not self._closing.wait(FOLD_SECONDS):
            folds += 1
            self._try_to_fold(save=folds % SAVE_FOLDS == 0)
        self._try_to_fold(save=True)

    def _try_to_fold(self, *, save: bool) -> None:
        with self._lock:
            try:
                self._fold()
                if save:
                    self._save()
            except Exception:  # noqa: BLE001 - a defect costs what waited, not what comes
                _log.exception("the traffic sample failed")

    def _fold(self) -> None:
        """Add the rows that wait to the sketches of the business day."""
        taken = [self._waiting.popleft() for _ in range(len(self._waiting))]
        self._stride = max(1, len(taken) * self._stride // FOLD_ROWS)
        self._left = 0
        models = {(model.name, model.version): model for model, _ in taken}
        day = self._clock.now().date()
        for key, model in models.items():
            rows = np.stack([row for one, row in taken if (one.name, one.version) == key])
            grids = self._grids(*key)
            if grids is not None:
                self._windows[key] = _added(self._stored(*key), grids, (day, model.features), rows)

    def _grids(self, name: str, version: str) -> Profile | None:
        """Return the profile whose grids the window lies on; None where the version has none."""
        try:
            return self._profiles.training(name, version)
        except NothingMeasured:
            return None

    def _stored(self, name: str, version: str) -> Profile | None:
        """Return the window kept so far, read anew after a restart."""
        key = (name, version)
        if key not in self._windows:
            self._windows[key] = read_profile(self._file(name, version))
        return self._windows[key]

    def _save(self) -> None:
        for (name, version), window in self._windows.items():
            if window is not None:
                try:
                    write_profile(self._file(name, version), window)
                except OSError as error:  # a full disk costs the sample, never answers
                    _log.warning("the traffic window of %s cannot be saved: %s", name, error)

    def _file(self, name: str, version: str) -> Path:
        return traffic_file(self._folder, name, version)


def traffic_file(folder: Path, name: str, version: str) -> Path:
    """Return the file below the monitoring folder that keeps a version's traffic."""
    return folder / name / f"traffic-{version}.npz"


def _added(
    window: Profile | None, grids: Profile, day: tuple[dt.date, Sequence[str]], rows: Floats
) -> Profile:
    """Return a window with rows of a day, in columns named beside it, added."""
    date, columns = day
    place = {name: column for column, name in enumerate(columns)}
    days = window.days if window is not None else ()
    if days:
        date = max(date, days[-1])  # a clock that was set back opens no day anew
    features: dict[str, tuple[Sketch, ...]] = {}
    for name, blocks in grids.features.items():
        if name not in place or not isinstance(blocks[0], NumberSketch):
            continue
        values = rows[:, place[name]].astype(np.float64)
        new: Sketch = sketch_numbers(values, blocks[0].grid)
        past = window.features.get(name, ()) if window is not None else ()
        if days and days[-1] == date:
            new, past = past[-1].plus(new), past[:-1]
        features[name] = (*past, new)[-MAX_WINDOW_DAYS:]
    if not days or days[-1] != date:
        days = (*days, date)[-MAX_WINDOW_DAYS:]
    return Profile(features, blocked=True, days=days, importances=grids.importances)


class WatchedModel:
    """A demand model that leaves a sample of the rows it answers behind."""

    def __init__(self, model: DemandModel, traffic: SampledTraffic) -> None:
        """Take the model, and where rows are left."""
        self.inner = model
        self._traffic = traffic

    @property
    def description(self) -> ModelDescription:
        """What the registry and the certificate say of it."""
        return self.inner.description

    @property
    def routes(self) -> Routes | None:
        """Who answers for which series; None where the graph answers for all."""
        return self.inner.routes

    @property
    def boxes(self) -> Boxes | None:
        """The leaves behind its mean, for attribution; None where the release carries none."""
        return self.inner.boxes

    @property
    def totals(self) -> TotalShapes | None:
        """How totals over series spread; None where the release does not say."""
        return self.inner.totals

    def daily(self, rows: Floats) -> tuple[Floats, Floats]:
        """Return mean (n,) and trained quantiles (n, levels) of daily rows (n, features)."""
        self._traffic.note(self.inner.description, rows)
        return self.inner.daily(rows)

    def cover(self, rows: Floats) -> tuple[Floats, Floats]:
        """Return mean (n,) and trained quantiles (n, levels) of cover rows (n, features)."""
        return self.inner.cover(rows)


M = TypeVar("M", bound=DemandModel)


class WatchedModels(Generic[M]):
    """The releases of a demand model, each watched while it serves."""

    def __init__(self, releases: Releases[M], traffic: SampledTraffic) -> None:
        """Take the releases, and where rows are left."""
        self._releases = releases
        self._traffic = traffic
        self._watched: WatchedModel | None = None

    def current(self) -> WatchedModel:
        """Return the model that serves; it stays open as long as the caller holds it.

        Raises:
            NoModel: If no release has been taken up.
        """
        model, watched = self._releases.current(), self._watched
        if watched is None or watched.inner is not model:
            watched = self._watched = WatchedModel(model, self._traffic)
        return watched

    def descriptions(self) -> Sequence[ModelDescription | RefusedModel]:
        """Return what is served now, and why a release was refused."""
        return self._releases.descriptions()

    def refresh(self) -> bool:
        """Take up the current release if it is new and sound; say whether the model changed.

        Raises:
            ReleaseRefused: If the release fails a check; the model that serves goes on.
        """
        return self._releases.refresh()
