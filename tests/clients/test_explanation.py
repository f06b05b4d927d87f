"""What a forecast is made of, through both clients."""

from __future__ import annotations

import datetime as dt

from parlevel.client import DemandDriver, DemandFrequency, DemandTier
from tests.clients.conftest import Asker, call


def test_contributions_come_by_driver(ask: Asker) -> None:
    found = ask.one(call("explain_forecast", "S10", "L1", 2))
    assert found.contributions == {DemandDriver.LEVEL: (1.0, 1.0), DemandDriver.PRICE: (2.0, 2.0)}
    added = [sum(day) for day in zip(found.base, *found.contributions.values(), strict=True)]
    assert tuple(added) == found.mean
    assert (found.tier, found.sentence) == (DemandTier.SPARSE, "It is what it is.")


def test_months_are_dated_by_their_first_days(ask: Asker) -> None:
    found = ask.one(call("explain_forecast", "S10", "L1", 2))
    assert found.frequency is DemandFrequency.MONTH
    assert found.dates == (dt.date(2025, 7, 1), dt.date(2025, 8, 1))
