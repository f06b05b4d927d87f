"""The path of an uplift request: units -> rows -> effects -> answer or plan."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from serving.domain.series import Provenance
from serving.domain.targeting import flags_of, plan_targeting
from serving.domain.uplift import OverlapFlag, Uplift, UpliftRowStatus
from serving.errors import MissingInput, ParlevelError, UnknownUnit
from serving.flows.answers import only

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from serving.domain.uplift import Targeting, TargetingQuery, UnitsQuery
    from serving.flows.stored_units import StoredUnits
    from serving.ports import ModelSource, UpliftModel

    Floats = NDArray[np.float64]
    Rows = NDArray[np.float32]
    Flags = NDArray[np.bool_]

FORMULA_VERSION = "targeting/1"
TABLE = "experiment"


class _Draft(NamedTuple):
    """A question as rows of the model.

    Attributes:
        unit_ids: The units that are answered.
        rows: Their columns, shape (n, features).
        outside: Whether a covariate lies outside what the model learned from, shape (n,).
        statuses: Outcome of each asked unit.
        age: Age of what was looked up, in seconds.
    """

    unit_ids: tuple[str, ...]
    rows: Rows
    outside: Flags
    statuses: tuple[UpliftRowStatus, ...]
    age: int | None


class UpliftFlow:
    """Answers uplift questions from the model that is current."""

    def __init__(self, models: ModelSource[UpliftModel], stored: StoredUnits) -> None:
        """Take the source of the model and what the tables hold of units."""
        self._models = models
        self._stored = stored

    def predict(self, query: UnitsQuery) -> Uplift:
        """Predict the effect of the action on each unit.

        Raises:
            InvalidField: If a covariate of the model is neither sent nor stored.
            NoModel: If no model is promoted.
            NoSignal: If that is because the last training found no signal.
        """
        return only(self.predict_many([query]))

    def predict_many(self, queries: Sequence[UnitsQuery]) -> list[Uplift | ParlevelError]:
        """Answer questions that arrived together, each to the bits it would have alone.

        Args:
            queries: The questions; one model answers them all.

        Returns:
            Each question's answer, or its failure as `predict` raises it, in order.

        Raises:
            NoModel: If no model is promoted.
            NoSignal: If that is because the last training found no signal.
        """
        model = self._models.current()
        drafts = [self._try_draft(model, query) for query in queries]
        sound = [draft for draft in drafts if isinstance(draft, _Draft)]
        found, flags = _answers(model, sound)
        if model.lower_is_better:  # the model's good direction is down
            found = np.stack([-found[0], -found[2], -found[1], found[3]])
        answers: list[Uplift | ParlevelError] = []
        start = 0
        for draft in drafts:
            if isinstance(draft, ParlevelError):
                answers.append(draft)
                continue
            end = start + len(draft.unit_ids)
            answers.append(_uplift(model, draft, found[:, start:end], flags[start:end]))
            start = end
        return answers

    def plan_targeting(self, query: TargetingQuery) -> Targeting:
        """Choose the units to act on under a budget.

        Raises:
            InvalidField: If a covariate of the model is neither sent nor stored.
            UnknownUnit: If the tables do not know a unit whose covariates are not all sent.
            MissingInput: If they lack a number of it that the model cannot do without.
            NoModel: If no model is promoted.
            NoSignal: If that is because the last training found no signal.
        """
        model = self._models.current()
        draft = self._draft(model, query.units)
        for row, status in enumerate(draft.statuses):
            if status is UpliftRowStatus.UNKNOWN_UNIT:
                raise UnknownUnit(f"unit_ids[{row}]", query.units.unit_ids[row])
            if status is UpliftRowStatus.MISSING_COVARIATE:
                raise MissingInput(f"a covariate of {query.units.unit_ids[row]!r}", TABLE)
        found, flags = _answers(model, [draft])
        provenance = dataclasses.replace(
            _provenance(model, draft, flags), formula_version=FORMULA_VERSION
        )
        return plan_targeting(query, (found[0], found[1], found[2]), provenance)

    def _try_draft(self, model: UpliftModel, query: UnitsQuery) -> _Draft | ParlevelError:
        try:
            return self._draft(model, query)
        except ParlevelError as error:
            return error

    def _draft(self, model: UpliftModel, query: UnitsQuery) -> _Draft:
        encoding = model.encoding
        known, statuses, age = self._stored.complete(query, encoding)
        if known is None:
            rows = np.empty((0, encoding.width), dtype=np.float32)
            return _Draft((), rows, np.empty(0, dtype=np.bool_), statuses, age)
        rows, outside = encoding.rows_of(known)
        return _Draft(known.unit_ids, rows, outside, statuses, age)


def _answers(
    model: UpliftModel, drafts: Sequence[_Draft]
) -> tuple[Floats, tuple[OverlapFlag, ...]]:
    """Return effect, lower, upper and propensity of all rows, shape (4, n), and their flags."""
    rows = [draft.rows for draft in drafts if len(draft.rows)]
    if not rows:
        return np.empty((4, 0)), ()
    joint = rows[0] if len(rows) == 1 else np.concatenate(rows)
    found = np.ascontiguousarray(model.effects(joint).T)
    outside = np.concatenate([draft.outside for draft in drafts])
    return found, flags_of(found[3], outside)


def _uplift(
    model: UpliftModel, draft: _Draft, found: Floats, flags: tuple[OverlapFlag, ...]
) -> Uplift:
    return Uplift(
        provenance=_provenance(model, draft, flags),
        row_count=len(flags),
        effects=found[0],
        lower=found[1],
        upper=found[2],
        propensities=found[3],
        overlap_flags=flags,
        interval=model.interval,
        row_statuses=draft.statuses,
    )


def _provenance(model: UpliftModel, draft: _Draft, flags: tuple[OverlapFlag, ...]) -> Provenance:
    said = model.description
    return Provenance(
        model_name=said.name,
        model_version=said.version,
        model_digest=said.digest,
        feature_set_hash=said.feature_set_hash,
        features_age_seconds=draft.age,
        warnings=_warnings(flags, draft.unit_ids),
    )


def _warnings(flags: tuple[OverlapFlag, ...], unit_ids: tuple[str, ...]) -> tuple[str, ...]:
    if flags.count(OverlapFlag.OK) == len(flags):
        return ()
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
