"""Packed records of all series at an origin: one code for training and for materialisation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from serving.domain.features import LOCATION, PRODUCT, WIDTHS, SeriesRecords
from serving.domain.history import STATE, WEEK, demand_states, walk_on
from training.features.calendars import DAYS_OF_LOCATION
from training.features.catalogue import ATTRIBUTES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from serving.domain.history import History, Walked
    from training.panel import Panel

    Floats = NDArray[np.float32]

Future = Literal["planned", "realised"]


class PeerRecords(NamedTuple):
    """Records of everything but the series themselves.

    Attributes:
        products: Records of the products of the catalogue, of its categories, and of everything,
            shape (products + categories + 1, WIDTHS["product"]).
        locations: Records of the locations of the catalogue, of its regions, and of everywhere,
            shape (locations + regions + 1, WIDTHS["location"]).
    """

    products: Floats
    locations: Floats


def product_keys(panel: Panel) -> list[str]:
    """Return the key of each product record: products, then stand-ins for unlisted ones."""
    names = panel.catalogue.category_names
    return [*panel.catalogue.products, *(f"category:{name}" for name in (*names, ""))]


def location_keys(panel: Panel) -> list[str]:
    """Return the key of each location record: locations, then stand-ins for unlisted ones."""
    names = panel.catalogue.region_names
    return [*panel.catalogue.locations, *(f"region:{name}" for name in (*names, ""))]


def records_at(
    panel: Panel, origins: Sequence[int], *, future: Future = "realised"
) -> Iterator[tuple[int, SeriesRecords]]:
    """Yield the records of every series at each origin, oldest origin first.

    Args:
        panel: The series.
        origins: Indices of the last known day, ascending.
        future: Take the days ahead from the plan, or as they came true (days beyond the grid are
            then unknown).

    Yields:
        The origin and the records in the order of the panel's series.

    Raises:
        InvalidField: If the origins are not ascending days of the panel.
    """
    walks = zip(peer_records(panel, origins), demand_states(panel.history, origins), strict=True)
    for (_, peers), (origin, state, _) in walks:
        day = panel.day(origin)
        yield (
            origin,
            SeriesRecords(
                origin=day,
                state=state,
                product=peers.products[panel.series.product],
                location=peers.locations[panel.series.location],
                future=panel.future(day) if future == "planned" else panel.realised(origin),
            ),
        )


def peer_records(panel: Panel, origins: Sequence[int]) -> Iterator[tuple[int, PeerRecords]]:
    """Yield the records of all products and locations at each origin, oldest origin first.

    Args:
        panel: Any panel of the folder.
        origins: Indices of the last known day, ascending.

    Yields:
        The origin and the records.

    Raises:
        InvalidField: If the origins are not ascending days of the panel.
    """
    walks = zip(*(demand_states(one, origins) for one in mean_series(panel)), strict=True)
    for (origin, categories, _), (_, own, _), (_, places, _) in walks:
        yield origin, _joined(panel, (categories, own, places), panel.day(origin))


def walk_peers(panel: Panel, past: Sequence[Walked]) -> tuple[PeerRecords, tuple[Walked, ...]]:
    """Return the records at the last day of a grid that goes on where another ended.

    Args:
        panel: Any panel of the folder, on the grid of the days that follow.
        past: What is known of the mean series of categories and everything, of products, and of
            locations, regions and everything, after the day before.

    Returns:
        The records `peer_records` yields for all days together, to the last bit, and what is known
        of the mean series after them.
    """
    walks = [walk_on(one, days) for one, days in zip(past, mean_series(panel), strict=True)]
    categories, own, places = (states for states, _ in walks)
    records = _joined(panel, (categories, own, places), panel.history.last_day)
    return records, tuple(walked for _, walked in walks)


def mean_series(panel: Panel) -> tuple[History, History, History]:
    """Return the mean series of categories, of products and of locations, as peers hold them."""
    return panel.peers.products, panel.peers.own, panel.peers.locations


def _joined(panel: Panel, states: tuple[Floats, Floats, Floats], day: np.datetime64) -> PeerRecords:
    """Return the records of a day from the states of the mean series."""
    categories, own, places = states
    return PeerRecords(
        products=_products(panel, categories, own), locations=_locations(panel, places, day)
    )


def _products(panel: Panel, categories: Floats, own_states: Floats) -> Floats:
    """Join attributes, category and the product's own mean series.

    A product without category takes everything's mean; the own series of a product that has never
    sold, and of a stand-in, is its category's.
    """
    catalogue = panel.catalogue
    every = categories.shape[0] - 1
    own = np.where(catalogue.category >= 0, catalogue.category, every)
    peer = np.concatenate([own, np.arange(every + 1)])
    out = np.full((peer.size, WIDTHS["product"]), np.nan, dtype=np.float32)
    first = PRODUCT[ATTRIBUTES[0]].start
    out[: own.size, first : first + len(ATTRIBUTES)] = catalogue.attributes
    start = PRODUCT["category_level"].start
    stop = PRODUCT["category_weekday"].stop
    fields = _peer_fields(categories)[peer]
    out[:, start:stop] = fields
    sold = own_states[:, STATE["observed_days"]] > 0
    fields[: own.size] = np.where(sold, _peer_fields(own_states), fields[: own.size])
    out[:, PRODUCT["product_level"].start : PRODUCT["product_weekday"].stop] = fields
    newest = _newest(categories)[peer]
    newest[: own.size] = np.where(sold, _newest(own_states), newest[: own.size])
    out[:, PRODUCT["product_last"].start : PRODUCT["product_last_three"].stop] = newest
    out[:, PRODUCT["category_state"]] = categories[peer]
    return out


def _locations(panel: Panel, places: Floats, day: np.datetime64) -> Floats:
    """Join the mean series with the calendar; a stand-in has the calendar all locations share."""
    out = np.full((places.shape[0], WIDTHS["location"]), np.nan, dtype=np.float32)
    start = LOCATION["location_level"].start
    out[:, start : LOCATION["location_weekday"].stop] = _peer_fields(places)
    marked = panel.calendar(day)
    out[: marked.shape[0], DAYS_OF_LOCATION] = marked
    regions = np.append(panel.catalogue.region, -1)
    for place in range(marked.shape[0], places.shape[0]):
        region = place - marked.shape[0]
        within = regions[:-1] == region
        members = marked[within] if within.any() else marked
        same = ((members == members[0]) | (np.isnan(members) & np.isnan(members[0]))).all(axis=0)
        out[place, DAYS_OF_LOCATION] = np.where(same, members[0], np.float32(np.nan))
    return out


def _peer_fields(states: Floats) -> Floats:
    """Return level, fast, slow, available and weekday factors of mean series, shape (n, 11)."""
    level = states[:, STATE["level"]]
    positive = np.where(level > 0, level, np.float32(np.nan))
    return np.concatenate(
        [
            level,
            states[:, STATE["level_fast"]] / positive,
            states[:, STATE["level_slow"]] / positive,
            states[:, STATE["available_7"]],
            states[:, STATE["weekday"]][:, :WEEK],
        ],
        axis=1,
    )


def _newest(states: Floats) -> Floats:
    """Return the last day, and the last three, over what is expected of them, shape (n, 2)."""
    level = states[:, STATE["level"]]
    # The last day has the weekday of the seventh day ahead, the one before that of the sixth.
    expected = np.where(level > 0, level, np.float32(np.nan)) * states[:, STATE["weekday"]]
    tail = states[:, STATE["tail"]]
    three = tail[:, -3:].sum(axis=1) / expected[:, -3:].sum(axis=1)
    return np.stack([tail[:, -1] / expected[:, -1], three], axis=1)
