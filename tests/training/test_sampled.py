"""What is trained on where there are more series than memory should hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from training.panel import load_panel
from training.sampled import held_out, load_training_panel, without

if TYPE_CHECKING:
    from serving.settings import Settings
    from training.panel import Panel


def test_few_series_are_all_trained_on(home: Settings, panel: Panel) -> None:
    assert load_training_panel(home.tables).skus == panel.skus


def test_of_many_whole_products_are_drawn_and_peers_come_from_all(
    home: Settings, panel: Panel
) -> None:
    most = len(panel.skus) // 2
    drawn = load_training_panel(home.tables, most=most)
    assert 0 < len(drawn.skus) <= most + panel.skus.count(panel.skus[0])
    products = sorted(set(panel.skus))
    kept = sorted(set(drawn.skus))
    assert kept == products[:: products.index(kept[1])]
    for sku in kept:
        assert drawn.skus.count(sku) == panel.skus.count(sku), "at all its locations"
    assert np.array_equal(
        drawn.peers.products.quantity, panel.peers.products.quantity, equal_nan=True
    )


def test_the_last_day_asked_for_is_the_last_of_the_grid(home: Settings) -> None:
    whole = load_panel(home.tables)
    day = whole.day(150).astype(object)
    assert load_training_panel(home.tables, as_of=day, most=20).history.days == 151


def test_locations_held_out_leave_nothing_to_learn_and_the_others_as_they_are(
    panel: Panel,
) -> None:
    hidden = held_out(panel, 3)
    places = np.asarray(panel.locations)
    assert set(places[hidden]).isdisjoint(places[~hidden])
    assert 0 < hidden.sum() < hidden.size / 2
    rest = without(panel, hidden).history
    assert np.isnan(rest.quantity[:, hidden]).all()
    assert np.array_equal(
        rest.quantity[:, ~hidden], panel.history.quantity[:, ~hidden], equal_nan=True
    )
