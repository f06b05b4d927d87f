"""Demand answers that are kept, so that what comes true can be held against them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serving.flows.demand import DemandFlow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serving.domain.demand import (
        BatchForecastQuery,
        Forecast,
        ForecastBatch,
        ForecastQuery,
    )
    from serving.errors import ParlevelError
    from serving.ports import (
        Clock,
        DemandModel,
        FeatureReader,
        ModelSource,
        ReadySource,
        ServedForecasts,
    )


class LoggedDemandFlow(DemandFlow):
    """Answers demand questions and leaves every forecast with a log."""

    def __init__(  # noqa: PLR0913 - one more than the flow it adds to
        self,
        models: ModelSource[DemandModel],
        features: FeatureReader,
        clock: Clock,
        *,
        feature_ttl_seconds: float,
        log: ServedForecasts,
        ready: ReadySource | None = None,
    ) -> None:
        """Take what `DemandFlow` takes, and the log."""
        super().__init__(
            models, features, clock, feature_ttl_seconds=feature_ttl_seconds, ready=ready
        )
        self._log = log

    def ready(self, query: ForecastQuery) -> Forecast | None:
        """Return a forecast made ahead, and keep it."""
        answer = super().ready(query)
        if answer is not None:
            self._log.note((answer,))
        return answer

    def forecast_many(self, queries: Sequence[ForecastQuery]) -> list[Forecast | ParlevelError]:
        """Answer questions that arrived together, and keep their forecasts.

        Raises:
            NotReady: If there is no model or no features yet.
        """
        answers = super().forecast_many(queries)
        self._log.note(answers)
        return answers

    def forecast_batch(self, query: BatchForecastQuery) -> ForecastBatch:
        """Forecast many series, and keep the forecasts.

        Raises:
            BeyondTrained: If the horizon or a level is beyond the model's.
            NotReady: If there is no model or no features yet.
        """
        batch = super().forecast_batch(query)
        self._log.note_batch(batch)
        return batch
