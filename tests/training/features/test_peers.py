"""Sums over peers: the same bits however the series are brought together."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pytest

from serving.domain.history import History
from training.features.catalogue import ATTRIBUTES, Catalogue
from training.features.peers import PeerSums

if TYPE_CHECKING:
    from numpy.typing import NDArray

DAYS, PLACES = 9, 3
PRODUCTS = 101
FIRST = np.datetime64("2024-01-01")


def catalogue() -> Catalogue:
    return Catalogue(
        products=tuple(f"p{number:04d}" for number in range(PRODUCTS)),
        category_names=("x", "y"),
        category=np.arange(PRODUCTS) % 3 - 1,  # every third has none
        attributes=np.full((PRODUCTS, len(ATTRIBUTES)), np.nan),
        locations=tuple("abc"),
        region_names=("r",),
        region=np.array([0, 0, -1]),
        countries=("", "", ""),
    )


@pytest.fixture(scope="module")
def history() -> History:
    rng = np.random.default_rng(3)
    shape = (DAYS, PRODUCTS * PLACES)
    quantity = rng.gamma(0.3, 7.0, shape)
    quantity[rng.random(shape) < 0.2] = np.nan
    price = np.where(rng.random(shape) < 0.3, np.nan, rng.random(shape))
    return History(FIRST, quantity, rng.random(shape), price, rng.random(shape), rng.random(shape))


PRODUCT = np.repeat(np.arange(PRODUCTS), PLACES)
LOCATION = np.tile(np.arange(PLACES), PRODUCTS)


def of(history: History, series: NDArray[np.intp]) -> History:
    names = ("quantity", "available", "price", "discount", "promoted")
    return History(FIRST, *(getattr(history, name)[:, series] for name in names))


def bits(sums: PeerSums) -> list[bytes]:
    peers = sums.mean(FIRST)
    return [
        getattr(group, name).tobytes()
        for group in (peers.products, peers.own, peers.locations)
        for name in ("quantity", "available", "price", "discount", "promoted")
    ]


def whole(history: History) -> PeerSums:
    sums = PeerSums(catalogue(), DAYS)
    sums.add(history, PRODUCT, LOCATION)
    return sums


@pytest.mark.parametrize("width", [1, 7, 100])
def test_series_in_any_parts_and_order_give_the_bits_of_the_whole(
    history: History, width: int
) -> None:
    order = np.random.default_rng(width).permutation(PRODUCT.size)
    together = PeerSums(catalogue(), DAYS)
    for start in range(0, PRODUCT.size, width):
        cut = order[start : start + width]
        apart = PeerSums(catalogue(), DAYS).of(of(history, cut), PRODUCT[cut], LOCATION[cut])
        together.take(apart)
    assert bits(together) == bits(whole(history))


def test_a_series_that_begins_later_changes_no_bit_of_the_days_before(history: History) -> None:
    late = PRODUCT == 50
    quantity = np.where(late & (np.arange(DAYS) < DAYS - 1)[:, None], np.nan, history.quantity)
    grown = replace(history, quantity=quantity)
    before = PeerSums(catalogue(), DAYS)
    before.add(of(grown, np.flatnonzero(~late)), PRODUCT[~late], LOCATION[~late])
    after = whole(grown)
    assert after.shared[..., :-1].tobytes() == before.shared[..., :-1].tobytes()
    assert after.shared[..., -1].tobytes() != before.shared[..., -1].tobytes()


def test_a_huge_value_is_taken_for_a_billion(history: History) -> None:
    huge = replace(history, quantity=np.where(PRODUCT == 0, 1e300, history.quantity))
    billion = replace(history, quantity=np.where(PRODUCT == 0, 2.0**30, history.quantity))
    assert bits(whole(huge)) == bits(whole(billion))


def test_means_are_those_of_the_series_with_a_record(history: History) -> None:
    close = partial(np.testing.assert_allclose, atol=1e-9)  # values are taken to 2**-30
    peers = whole(history).mean(FIRST)
    close(peers.products.quantity[:, -1], np.nanmean(history.quantity, axis=1))
    of_b = history.quantity[:, LOCATION == 1]
    close(peers.locations.quantity[:, 1], np.nanmean(of_b, axis=1))
    of_x = history.quantity[:, PRODUCT % 3 == 1]
    close(peers.products.quantity[:, 0], np.nanmean(of_x, axis=1))
    known = ~np.isnan(history.quantity[:, PRODUCT == 7])
    sold = np.where(known, history.quantity[:, PRODUCT == 7], 0.0).sum(axis=1)
    with np.errstate(invalid="ignore"):
        close(peers.own.quantity[:, 7], sold / known.sum(axis=1))
