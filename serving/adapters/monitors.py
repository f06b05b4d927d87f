"""What watches the service from below its home: traffic, forecasts, profiles, readings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from serving.adapters.forecast_log import ForecastLog
from serving.adapters.profiles import StoredProfiles
from serving.adapters.readings import StoredReadings
from serving.adapters.traffic import SampledTraffic

if TYPE_CHECKING:
    from serving.ports import Clock
    from serving.settings import Settings


@dataclass(frozen=True, slots=True)
class Monitors:
    """What watches, and writes off the path of the requests.

    Attributes:
        profiles: Training profiles of the releases.
        traffic: Samples of the rows that models answer.
        forecasts: Forecasts that were served.
        readings: What the rules of the verdict saw.
    """

    profiles: StoredProfiles
    traffic: SampledTraffic
    forecasts: ForecastLog
    readings: StoredReadings

    def start(self) -> None:
        """Start writing."""
        self.traffic.start()
        self.forecasts.start()

    def close(self) -> None:
        """Write what is left and stop."""
        self.traffic.close()
        self.forecasts.close()


def monitors_of(settings: Settings, clock: Clock) -> Monitors:
    """Return what watches below the home folder; nothing is read or written yet."""
    profiles = StoredProfiles(settings.releases)
    return Monitors(
        profiles=profiles,
        traffic=SampledTraffic(settings.monitoring, profiles, clock),
        forecasts=ForecastLog(
            settings.home / "logs" / "forecasts", clock, settings.forecast_log_mib
        ),
        readings=StoredReadings(settings.monitoring),
    )
