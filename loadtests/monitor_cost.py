"""What watching costs: CPU time a forecast with and without traffic windows and forecast log.

    PARLEVEL_HOME=... PARLEVEL_AS_OF=... python -m loadtests.monitor_cost

Rounds alternate, and CPU time of all threads counts, so that work done beside the requests is seen.
The log and the windows are written to a scratch folder.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console
from rich.progress import track

from loadtests.stored_keys import read_series
from serving import settings
from serving.adapters.clock import BusinessClock
from serving.adapters.demand import open_demand
from serving.adapters.features import PackedFeatures
from serving.adapters.forecast_log import ForecastLog
from serving.adapters.profiles import StoredProfiles
from serving.adapters.releases import Releases
from serving.adapters.traffic import SampledTraffic, WatchedModels
from serving.domain.demand import ForecastQuery
from serving.flows.demand import DemandFlow
from serving.flows.logged_demand import LoggedDemandFlow

if TYPE_CHECKING:
    from collections.abc import Sequence

# Rounds are short and many: other work on the machine moves both alike.
ROUNDS, SECONDS, HORIZON = 30, 0.8, 14


def main() -> None:
    """Print the CPU time of a forecast plain and watched, and the ratio of the medians."""
    configured = settings.load()
    clock = BusinessClock(configured.as_of)
    features = PackedFeatures(configured.features / "online")
    features.refresh()
    releases = Releases(configured.releases, "forecast", open_demand)
    releases.refresh()
    series = read_series(configured.features)
    queries = [ForecastQuery(one.sku, one.location, HORIZON) for one in series]
    ttl = configured.feature_ttl_hours * 3600
    console = Console()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        traffic = SampledTraffic(folder, StoredProfiles(configured.releases), clock)
        log = ForecastLog(folder / "forecasts", clock, 64)
        plain = DemandFlow(releases, features, clock, feature_ttl_seconds=ttl)
        watched = LoggedDemandFlow(
            WatchedModels(releases, traffic), features, clock, feature_ttl_seconds=ttl, log=log
        )
        traffic.start()
        log.start()
        taken: dict[str, list[float]] = {"plain": [], "watched": []}
        flows = {"plain": plain, "watched": watched}
        for number in track(range(ROUNDS), "rounds", console=console):
            for name in sorted(flows, reverse=bool(number % 2)):
                taken[name].append(_cpu_seconds(flows[name], queries))
        traffic.close()
        log.close()
    medians = {name: float(np.median(seconds)) for name, seconds in taken.items()}
    for name, seconds in medians.items():
        console.print(f"{name}: {seconds * 1e6:.1f} us of CPU a forecast of {HORIZON} days")
    ratios = np.array(taken["watched"]) / np.array(taken["plain"])
    cost = float(np.median(ratios)) - 1.0
    console.print(f"watching costs {cost:+.1%}")


def _cpu_seconds(flow: DemandFlow, queries: Sequence[ForecastQuery]) -> float:
    """Ask one forecast after another for SECONDS of wall time; return CPU seconds of each."""
    asked, begun, until = 0, time.process_time(), time.monotonic() + SECONDS
    while time.monotonic() < until:
        flow.forecast(queries[asked % len(queries)])
        asked += 1
    return (time.process_time() - begun) / asked


if __name__ == "__main__":
    main()
