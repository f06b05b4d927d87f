"""The path of an uplift request: units -> rows -> effects -> answer or plan."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from serving.domain.series import Provenance
from serving.domain.targeting import flags_of, plan_targeting
from serving.domain.uplift import OverlapFlag, Uplift

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from serving.domain.uplift import Targeting, TargetingQuery, UnitsQuery
    from serving.ports import ModelSource, UpliftModel

    Floats = NDArray[np.float64]

FORMULA_VERSION = "targeting/1"


class _Found(NamedTuple):
    """Effects in the good direction, the ends of their intervals, and what else is known."""

    effects: Floats
    lower: Floats
    upper: Floats
    propensities: Floats
    flags: tuple[OverlapFlag, ...]
    model: UpliftModel


class UpliftFlow:
    """Answers uplift questions from the model that is current."""

    def __init__(self, models: ModelSource[UpliftModel]) -> None:
        """Take the source of the model."""
        self._models = models

    def predict(self, query: UnitsQuery) -> Uplift:
        """Predict the effect of the action on each unit.

        Raises:
            InvalidField: If a covariate of the model is not sent.
            NoModel: If no model is promoted.
            NoSignal: If that is because the last training found no signal.
        """
        found = self._find(query)
        effects, lower, upper = found.effects, found.lower, found.upper
        if found.model.lower_is_better:  # the model's good direction is down
            effects, lower, upper = -effects, -upper, -lower
        return Uplift(
            provenance=_provenance(found, query.unit_ids),
            row_count=len(effects),
            effects=effects,
            lower=lower,
            upper=upper,
            propensities=found.propensities,
            overlap_flags=found.flags,
            interval=found.model.interval,
        )

    def plan_targeting(self, query: TargetingQuery) -> Targeting:
        """Choose the units to act on under a budget.

        Raises:
            InvalidField: If a covariate of the model is not sent.
            NoModel: If no model is promoted.
            NoSignal: If that is because the last training found no signal.
        """
        found = self._find(query.units)
        effects = found.effects, found.lower, found.upper
        provenance = dataclasses.replace(
            _provenance(found, query.units.unit_ids), formula_version=FORMULA_VERSION
        )
        return plan_targeting(query, effects, provenance)

    def _find(self, query: UnitsQuery) -> _Found:
        model = self._models.current()
        rows, outside = model.encoding.rows_of(query)
        effects, lower, upper, propensities = (
            np.ascontiguousarray(column) for column in model.effects(rows).T
        )
        flags = flags_of(propensities, outside)
        return _Found(effects, lower, upper, propensities, flags, model)


def _provenance(found: _Found, unit_ids: tuple[str, ...]) -> Provenance:
    said = found.model.description
    return Provenance(
        model_name=said.name,
        model_version=said.version,
        model_digest=said.digest,
        feature_set_hash=said.feature_set_hash,
        warnings=_warnings(found.flags, unit_ids),
    )


def _warnings(flags: tuple[OverlapFlag, ...], unit_ids: tuple[str, ...]) -> tuple[str, ...]:
    told = {
        OverlapFlag.OUTSIDE_RANGE: "have a covariate outside what the model learned from",
        OverlapFlag.ONE_ARM: "are of a kind that was seen in one arm only",
    }
    warnings = []
    for flag, what in told.items():
        rows = [row for row, one in enumerate(flags) if one is flag]
        if rows:
            warnings.append(
                f"{len(rows)} of {len(flags)} units, {unit_ids[rows[0]]!r} the first, {what}: "
                "their effect is extrapolated"
            )
    return tuple(warnings)
