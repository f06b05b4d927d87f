"""Sums over peers: the same bits however the series are brought together."""

from __future__ import annotations

import numpy as np
import pytest

from serving.domain.history import History
from training.features.catalogue import ATTRIBUTES, Catalogue
from training.features.peers import SPAN_PRODUCTS, PeerSums

DAYS, PLACES = 9, 3
PRODUCTS = 3 * SPAN_PRODUCTS + 5
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


def of(history: History, series: slice) -> History:
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


@pytest.mark.parametrize("spans", [1, 2])
def test_chunks_of_whole_spans_give_the_bits_of_the_whole(history: History, spans: int) -> None:
    sums, width = PeerSums(catalogue(), DAYS), spans * SPAN_PRODUCTS * PLACES
    for start in range(0, PRODUCT.size, width):
        cut = slice(start, start + width)
        sums.add(of(history, cut), PRODUCT[cut], LOCATION[cut])
    assert bits(sums) == bits(whole(history))


def test_spans_summed_apart_and_brought_together_give_the_bits_of_the_whole(
    history: History,
) -> None:
    half = 2 * SPAN_PRODUCTS * PLACES
    apart = [
        list(PeerSums(catalogue(), DAYS).spans(of(history, cut), PRODUCT[cut], LOCATION[cut]))
        for cut in (slice(0, half), slice(half, None))
    ]
    together = PeerSums(catalogue(), DAYS)
    for sums in (*apart[0], *apart[1]):
        together.take(sums)
    assert bits(together) == bits(whole(history))


def test_means_are_those_of_the_series_with_a_record(history: History) -> None:
    peers = whole(history).mean(FIRST)
    np.testing.assert_allclose(peers.products.quantity[:, -1], np.nanmean(history.quantity, axis=1))
    of_b = history.quantity[:, LOCATION == 1]
    np.testing.assert_allclose(peers.locations.quantity[:, 1], np.nanmean(of_b, axis=1))
    of_x = history.quantity[:, PRODUCT % 3 == 1]
    np.testing.assert_allclose(peers.products.quantity[:, 0], np.nanmean(of_x, axis=1))
    known = ~np.isnan(history.quantity[:, PRODUCT == 7])
    sold = np.where(known, history.quantity[:, PRODUCT == 7], 0.0).sum(axis=1)
    with np.errstate(invalid="ignore"):
        np.testing.assert_allclose(peers.own.quantity[:, 7], sold / known.sum(axis=1))
