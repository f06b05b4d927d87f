"""Answers made ahead of their question, for as long as they are what the model would say."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from serving.domain.ready import ReadyForecast, ReadyKind
    from serving.ports import DemandModel, FeatureSnapshot, ReadyAnswers, ReadySource

    Key = tuple[str, str]

ASKED_ANYWAY = 128


class AnsweredAhead:
    """Looks answers up; one question in ASKED_ANYWAY is put to the model, so it stays watched.

    Attributes:
        anything: Whether anything can be made ahead.
        looked_up: Answers that were ready.
    """

    def __init__(self, source: ReadySource | None) -> None:
        """Take what was published, where anything may be."""
        self._source = source
        self.anything = source is not None
        self._asked = itertools.count(1)
        self.looked_up = 0

    def run(
        self, kind: ReadyKind, model: DemandModel, snapshot: FeatureSnapshot, days: int
    ) -> ReadyAnswers | None:
        """Return the run whose answers are those of this release from these features.

        Args:
            kind: What is asked for.
            model: The release.
            snapshot: The features.
            days: The last day ahead that is asked for.

        Returns:
            The run; None where there is none, or the question is for the model to answer.
        """
        run = None if self._source is None else self._source.run(kind)
        if run is None or days > run.horizon or next(self._asked) % ASKED_ANYWAY == 0:
            return None
        made_of = (model.description.digest, snapshot.generation)
        return run if (run.digest, run.features) == made_of else None

    def one(
        self, run: ReadyAnswers, snapshot: FeatureSnapshot, key: Key, since: float
    ) -> ReadyForecast | None:
        """Return what was answered for a series, unless it is older or a planner has a say."""
        if snapshot.overrides(*key):
            return None
        found = run.answer(*key)
        if found is None or found.oldest < since:
            return None
        self.looked_up += 1
        return found

    def many(
        self, run: ReadyAnswers, snapshot: FeatureSnapshot, keys: Sequence[Key], since: float
    ) -> tuple[NDArray[np.intp], NDArray[np.void]]:
        """Return what was answered for many series, as `one` does.

        Returns:
            Their rows, and their answers as `serving.domain.ready.layout` says, (found,) each.
        """
        rows, found = run.answers(keys)
        free = [not snapshot.overrides(*keys[row]) for row in rows.tolist()]
        mine = (found["oldest"] >= since) & np.array(free, dtype=np.bool_)
        self.looked_up += int(mine.sum())
        return rows[mine], found[mine]
