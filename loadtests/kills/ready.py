"""What publishes forecasts, killed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadtests.kills.children import kill, require
from serving.adapters.features import CURRENT, PackedFeatures
from serving.adapters.ready import ANSWERS, KEYS, META, ReadyRun
from serving.domain.ready import ReadyKind
from training.batch.models import CHAMPION, open_model
from training.features.packing import STAGING
from training.ready import ReadyJob, publish

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from serving.settings import Settings

HORIZONS = (4, 5)


class Publish:
    """Publishes forecasts of one horizon and of another, in turn."""

    def __init__(self, settings: Settings, scratch: Path) -> None:
        """Take the home whose series are answered, and a folder to work in."""
        self._settings = settings
        self._folder = scratch / "ready"
        self._whole = scratch / "ready-whole"

    def prepare(self) -> None:
        """Publish both horizons whole, to know what they hold, and the second in its place."""
        for state in range(2):
            self._publish(state, self._whole / str(state))
        self._publish(1, self._folder)

    def run(self, number: int, begin: Callable[[], None]) -> None:
        """Publish the horizon of a round."""
        begin()
        self._publish(number % 2, self._folder)

    def strike(self, child: int) -> None:
        """Kill the child that works."""
        kill(child)

    def check(self, number: int) -> None:
        """Find one horizon's answers, publish, and find those of the round's horizon."""
        both = [_content(self._whole / str(state)) for state in range(2)]
        require(_content(self._folder) in both, "the current answers are of no one run")
        self._publish(number % 2, self._folder)
        require(_content(self._folder) == both[number % 2], "the run that came after was not whole")
        left = sorted(str(path) for path in self._folder.rglob(f"{STAGING}*"))
        require(not left, f"left behind: {left}")

    def _publish(self, state: int, folder: Path) -> None:
        model = open_model(self._settings.releases, CHAMPION)
        snapshot = PackedFeatures(self._settings.features / "online").snapshot()
        publish(
            ReadyJob(model, snapshot, HORIZONS[state], ReadyKind.DEMAND),
            folder,
            lambda *_: None,
        )


def _content(folder: Path) -> list[bytes]:
    run = folder / ReadyKind.DEMAND / CURRENT
    ReadyRun(run.resolve())  # it can be read
    return [(run / name).read_bytes() for name in (ANSWERS, KEYS, META)]
