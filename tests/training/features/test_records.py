from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from serving.domain.features import LOCATION, PRODUCT, daily_rows
from serving.domain.history import STATE, demand_states
from serving.errors import InvalidField
from training.features.records import location_keys, peer_records, product_keys, records_at
from training.panel import iter_panels, load_panel

if TYPE_CHECKING:
    from pathlib import Path


def test_a_category_of_one_product_at_one_location_has_the_state_of_its_only_series(
    folder: Path,
) -> None:
    import polars as pl

    path = folder / "sales.parquet"
    alone = (pl.col("sku") != "s4") | (pl.col("location") == "north")
    pl.read_parquet(path).filter(alone).write_parquet(path)
    panel = load_panel(folder)
    series = list(zip(panel.skus, panel.locations, strict=True)).index(("s4", "north"))
    (_, states, _) = next(iter(demand_states(panel.history, [50])))
    (_, peers) = next(iter(peer_records(panel, [50])))
    record = peers.products[product_keys(panel).index("s4")]
    assert record[PRODUCT["category_state"]].tobytes() == states[series].tobytes()
    assert record[PRODUCT["category_level"]] == states[series, STATE["level"]]
    assert record[PRODUCT["category_available"]] == states[series, STATE["available_7"]]


def test_a_category_sells_the_mean_of_its_series(folder: Path) -> None:
    panel = load_panel(folder)
    fresh = [place for place, sku in enumerate(panel.skus) if sku in {"s2", "s3"}]
    mean = panel.history.quantity[:, fresh].mean(axis=1)
    place = panel.catalogue.category_names.index("fresh")
    np.testing.assert_allclose(panel.peers.products.quantity[:, place], mean)


def test_a_products_own_series_is_the_mean_over_its_locations(folder: Path) -> None:
    panel = load_panel(folder)
    own = [place for place, sku in enumerate(panel.skus) if sku == "s2"]
    mean = panel.history.quantity[:, own].mean(axis=1)
    place = panel.catalogue.products.index("s2")
    np.testing.assert_allclose(panel.peers.own.quantity[:, place], mean)
    (_, states, _) = next(iter(demand_states(panel.peers.own, [50])))
    (_, peers) = next(iter(peer_records(panel, [50])))
    record = peers.products[product_keys(panel).index("s2")]
    assert record[PRODUCT["product_level"]] == states[place, STATE["level"]]
    assert record[PRODUCT["product_weekday"]].tobytes() == states[place, STATE["weekday"]].tobytes()
    stand_in = peers.products[product_keys(panel).index("category:fresh")]
    assert stand_in[PRODUCT["product_level"]] == stand_in[PRODUCT["category_level"]]


def test_a_products_newest_days_are_held_against_what_was_expected_of_them(folder: Path) -> None:
    panel = load_panel(folder)
    place = panel.catalogue.products.index("s2")
    ((_, states, completed),) = demand_states(panel.peers.own, [50])
    ((_, peers),) = peer_records(panel, [50])
    record = peers.products[product_keys(panel).index("s2")]
    # In the order of the weekdays ahead, the last three are those of the last three days.
    expected = states[place, STATE["level"]] * states[place, STATE["weekday"]][-3:]
    sold = completed[-3:, place]
    assert record[PRODUCT["product_last"]] == pytest.approx(sold[-1] / expected[-1], rel=1e-5)
    three = sold.sum() / expected.sum()
    assert record[PRODUCT["product_last_three"]] == pytest.approx(three, rel=1e-5)


def test_products_without_category_and_unlisted_ones_take_the_mean_of_everything(
    folder: Path,
) -> None:
    panel = load_panel(folder)
    (_, peers) = next(iter(peer_records(panel, [59])))
    keys = product_keys(panel)
    everything = peers.products[keys.index("category:")]
    own = peers.products[keys.index("s5")]
    assert (
        own[PRODUCT["category_state"]].tobytes() == everything[PRODUCT["category_state"]].tobytes()
    )
    assert np.isnan(everything[PRODUCT["price"]]).all()
    assert keys[-4:] == ["category:alone", "category:dry", "category:fresh", "category:"]


def test_attributes_of_products_are_unknown_where_the_table_is_silent(folder: Path) -> None:
    panel = load_panel(folder)
    (_, peers) = next(iter(peer_records(panel, [59])))
    records = dict(zip(product_keys(panel), peers.products, strict=True))
    assert records["s0"][:4].tolist() == [9.5, 1, 12, 6]
    assert np.isnan(records["s2"][:4]).all()
    assert "unsold" in records


def test_a_region_has_the_calendar_its_locations_share(folder: Path) -> None:
    panel = load_panel(folder)
    (_, peers) = next(iter(peer_records(panel, [59])))
    records = dict(zip(location_keys(panel), peers.locations, strict=True))
    assert location_keys(panel)[-3:] == ["region:R1", "region:R2", "region:"]
    days = slice(LOCATION["holiday"].start, None)
    assert records["region:R1"][days].tobytes() == records["east"][days].tobytes()
    everywhere = records["region:"][LOCATION["holiday"]]
    assert np.isnan(everywhere[63 - 60])  # a holiday in one region only
    assert everywhere[0] == 0


@pytest.mark.parametrize("future", ["planned", "realised"])
def test_records_of_many_origins_are_those_of_each_origin_alone(folder: Path, future: str) -> None:
    panel = load_panel(folder)
    together = dict(records_at(panel, [30, 45, 59], future=future))  # type: ignore[arg-type]
    for origin in (30, 45, 59):
        alone = dict(records_at(panel, [origin], future=future))[origin]  # type: ignore[arg-type]
        for name in ("state", "product", "location", "future"):
            assert getattr(together[origin], name).tobytes() == getattr(alone, name).tobytes()


def test_records_of_a_chunk_are_those_of_the_whole(folder: Path) -> None:
    whole = dict(records_at(load_panel(folder), [59]))[59]
    chunks = [dict(records_at(panel, [59]))[59] for panel in iter_panels(folder, chunk=5)]
    for name in ("state", "product", "location", "future"):
        together = np.concatenate([getattr(chunk, name) for chunk in chunks])
        assert together.tobytes() == getattr(whole, name).tobytes()


def test_records_make_feature_rows(folder: Path) -> None:
    ((_, records),) = records_at(load_panel(folder), [45])
    rows = daily_rows(records, 14, sales_target=False)
    assert rows.shape[:2] == (18, 14)
    assert not np.isinf(rows).any()


def test_origins_beyond_the_grid_are_refused(folder: Path) -> None:
    with pytest.raises(InvalidField, match="origins"):
        list(records_at(load_panel(folder), [60]))
