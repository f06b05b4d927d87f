"""The path of an anomaly question: rows -> features -> model -> p-values and drivers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from serving.domain.anomaly import OWN_FEATURES, AnomalyAnswer, columns_of, feature_rows, p_values
from serving.domain.series import Provenance

if TYPE_CHECKING:
    from serving.domain.anomaly import AnomalyQuery
    from serving.ports import AnomalyModel, ModelSource


class AnomalyFlow:
    """Answers how unusual rows are, from the current model."""

    def __init__(self, models: ModelSource[AnomalyModel]) -> None:
        """Take the source of the model that answers."""
        self._models = models

    def score(self, query: AnomalyQuery) -> AnomalyAnswer:
        """Score rows of one kind.

        Raises:
            NoModel: If nothing has been promoted yet.
            BeyondTrained: If the model was trained without rows of the kind.
        """
        model = self._models.current()
        usual = model.usual(query.kind)
        rows = feature_rows(query.kind, query.inputs)
        scores, contributions = model.score(rows)
        own = columns_of(query.kind)
        credit, values = contributions[:, own].astype(np.float64), rows[:, own].astype(np.float64)
        drivers = np.argsort(-credit, axis=1, kind="stable")[:, : query.driver_count]
        found = p_values(scores.astype(np.float64), usual.scores)
        said = model.description
        return AnomalyAnswer(
            row_count=len(rows),
            scores=scores.astype(np.float64),
            p_values=found,
            flags=found <= query.false_alarm_rate,
            features=OWN_FEATURES[query.kind],
            driver_count=query.driver_count,
            driver_features=drivers.astype(np.int64),
            driver_contributions=np.take_along_axis(credit, drivers, axis=1),
            driver_values=np.nan_to_num(
                np.take_along_axis(values, drivers, axis=1), nan=0.0, posinf=0.0, neginf=0.0
            ),
            driver_usual_lows=usual.lows[drivers],
            driver_usual_highs=usual.highs[drivers],
            provenance=Provenance(
                model_name=said.name,
                model_version=said.version,
                model_digest=said.digest,
                feature_set_hash=said.feature_set_hash,
            ),
        )
