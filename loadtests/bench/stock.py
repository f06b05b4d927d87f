"""A stock BentoML endpoint on the same flow and graph: the floor of the HTTP door.

Usage: bentoml serve loadtests.bench.stock:StockForecast
"""

# No postponed annotations: BentoML reads them when the class is made.
import datetime as dt

import bentoml
from pydantic import BaseModel

from serving import compose, settings
from serving.domain.demand import ForecastQuery


class ForecastRequest(BaseModel):
    """Asks for the forecast of one series."""

    sku: str
    location: str
    horizon_days: int


class ForecastResponse(BaseModel):
    """The distribution of each day's demand."""

    sku: str
    location: str
    origin_date: dt.date
    model_version: str
    mean: list[float]
    quantile_levels: list[float]
    quantiles: list[list[float]]


@bentoml.service(workers=1)
class StockForecast:
    """Answers as BentoML's own examples do."""

    def __init__(self) -> None:
        """Open the model and the features."""
        read = settings.load()
        sources = compose.sources_of(read)
        sources.models.refresh()
        sources.features.refresh()
        self._flow = compose.flows_of(read, sources).demand

    @bentoml.api(route="/forecast")  # type: ignore[untyped-decorator]  # bentoml types it in part
    async def forecast(self, request: ForecastRequest, /) -> ForecastResponse:
        """Forecast one series."""
        query = ForecastQuery(request.sku, request.location, request.horizon_days)
        found = self._flow.forecast(query)
        return ForecastResponse(
            sku=query.sku,
            location=query.location,
            origin_date=found.origin,
            model_version=found.provenance.model_version,
            mean=found.mean.tolist(),
            quantile_levels=list(query.levels),
            quantiles=found.quantiles.tolist(),
        )
