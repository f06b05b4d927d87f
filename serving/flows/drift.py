"""The path of a drift question: two sides -> profiles on one grid -> verdict."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from serving.domain.change_points import change_point
from serving.domain.drift import DriftVerdict
from serving.domain.drift_check import FORMULA, check, profile_of
from serving.domain.model import ModelDescription
from serving.domain.retrain import decide
from serving.domain.series import Provenance
from serving.domain.sketch import NumberSketch
from serving.errors import InvalidField, UnknownModel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serving.domain.drift import DriftQuery, DriftReport, FeatureDrift, Profile
    from serving.domain.retrain import RetrainAnswer
    from serving.ports import Clock, Describing, ReadingLog, Traffic, TrainingProfiles

FORECAST = "forecast"
MOST_DATED = 10  # drifted features whose change is dated: the most important ones
CHANGE_RATE = 0.01  # of false alarms of a change within the current days


class DriftFlow:
    """Answers whether data have drifted and whether a model can still be trusted."""

    def __init__(
        self,
        sources: Sequence[Describing],
        profiles: TrainingProfiles,
        traffic: Traffic,
        log: ReadingLog,
        clock: Clock,
    ) -> None:
        """Take the sources of models, of training profiles, traffic, readings and time."""
        self._sources = sources
        self._profiles = profiles
        self._traffic = traffic
        self._log = log
        self._clock = clock

    def check(self, query: DriftQuery) -> DriftReport:
        """Check current rows against reference rows.

        Raises:
            UnknownModel: If a model is named that does not serve.
            NothingMeasured: If a side is to be taken from a profile or traffic that is not there.
            InvalidField: If a side that was sent has no column.
        """
        for name, side in (("reference", query.reference), ("current", query.current)):
            if side is not None and not side.columns:
                raise InvalidField(f"{name}.columns", "is required: one feature at the least")
        if query.reference is not None and query.current is not None:
            reference = profile_of(query.reference)
            return check(reference, profile_of(query.current, reference), query)
        said = self._described(query.model_name)
        version = query.model_version or said.version
        reference, current = self._sides(query, version)
        if not query.importances:
            query = replace(query, importances=reference.importances or current.importances)
        report = check(reference, current, query)
        return replace(
            report,
            features=_dated(report.features, current),
            provenance=replace(_provenance(said, version), formula_version=FORMULA),
        )

    def verdict(self, name: str) -> RetrainAnswer:
        """Say what to do about a model.

        Args:
            name: Registered name; the forecast where empty.

        Raises:
            UnknownModel: If no such model serves.
            NothingMeasured: If nothing has been measured yet.
        """
        said = self._described(name or FORECAST)
        answer = decide(self._log.readings(said.name))
        formula = answer.provenance.formula_version
        return replace(
            answer, provenance=replace(_provenance(said, said.version), formula_version=formula)
        )

    def _sides(self, query: DriftQuery, version: str) -> tuple[Profile, Profile]:
        """Return both sides on one grid; the stored one brings it."""
        if query.current is not None:
            reference = self._profiles.training(query.model_name, version)
            return reference, profile_of(query.current, reference)
        last = self._clock.now().date()
        first = last - dt.timedelta(days=query.window_days - 1)
        current = self._traffic.window(query.model_name, version, first)
        if query.reference is None:
            return self._profiles.training(query.model_name, version), current
        return profile_of(query.reference, current), current

    def _described(self, name: str) -> ModelDescription:
        for source in self._sources:
            for said in source.descriptions():
                if said.name == name and isinstance(said, ModelDescription):
                    return said
        raise UnknownModel(name)


def _dated(features: Sequence[FeatureDrift], current: Profile) -> tuple[FeatureDrift, ...]:
    """Return the features, those that drifted with the day of the change where one shows."""
    drifted = [one for one in features if one.verdict is DriftVerdict.DRIFTED]
    wanted = {one.name for one in sorted(drifted, key=lambda one: -one.importance)[:MOST_DATED]}
    return tuple(
        replace(one, change_date=_change_date(one.name, current)) if one.name in wanted else one
        for one in features
    )


def _change_date(name: str, current: Profile) -> str | None:
    blocks = [one.counts for one in current.features[name] if isinstance(one, NumberSketch)]
    if len(blocks) != len(current.days):
        return None
    found = change_point(np.stack(blocks))
    if found is None or found.p_value > CHANGE_RATE:
        return None
    return current.days[found.first].isoformat()


def _provenance(said: ModelDescription, version: str) -> Provenance:
    serves = version == said.version
    return Provenance(
        model_name=said.name,
        model_version=version,
        model_digest=said.digest if serves else "",
        feature_set_hash=said.feature_set_hash if serves else "",
    )
