from __future__ import annotations

import datetime as dt
import importlib.util
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

from serving.domain.features import FUTURE, KNOWN_DAYS, LOCATION, NEVER
from serving.domain.history import demand_states
from serving.domain.periods import Frequency, first_day, frequency_of
from serving.errors import InvalidField, MissingInput
from training.features.calendars import DAYS_OF_LOCATION
from training.panel import Panel, iter_panels, load_panel
from training.tables.layers import Load, part_path, publish

if TYPE_CHECKING:
    from pathlib import Path

FIRST = dt.date(2024, 1, 1)
LAST_DAY = np.datetime64("2024-02-29")  # day 59


def place(panel: Panel, sku: str, location: str) -> int:
    return list(zip(panel.skus, panel.locations, strict=True)).index((sku, location))


def planned(panel: Panel, key: tuple[str, str], field: str) -> np.ndarray:
    return panel.future(LAST_DAY)[place(panel, *key), FUTURE[field]]


def on(day: int) -> int:
    """Return the column of a day of the year that follows the last day of sales."""
    return day - 60


def same(one: Panel, other: Panel) -> bool:
    return all(
        np.array_equal(getattr(one.history, name), getattr(other.history, name), equal_nan=True)
        for name in ("quantity", "available", "price", "discount", "promoted")
    )


def test_a_series_is_not_recorded_before_its_first_row_and_sells_nothing_on_days_without_one(
    folder: Path,
) -> None:
    panel = load_panel(folder)
    late, gap = place(panel, "s5", "west"), place(panel, "s0", "east")
    assert np.isnan(panel.history.quantity[:57, late]).all()
    assert not np.isnan(panel.history.quantity[57:, late]).any()
    assert (panel.history.quantity[10:15, gap] == 0).all()
    assert (panel.history.available[10:15, gap] == 1).all()


def test_a_day_without_a_row_is_unknown_where_the_data_set_says_so(folder: Path) -> None:
    (folder / "dataset.toml").write_text('absent_days = "missing"\n', encoding="utf-8")
    panel = load_panel(folder)
    assert np.isnan(panel.history.quantity[10:15, place(panel, "s0", "east")]).all()


def test_price_and_promotion_go_on_through_days_without_a_row(folder: Path) -> None:
    panel = load_panel(folder)
    gap = place(panel, "s0", "east")
    for name in ("price", "discount", "promoted"):
        values = getattr(panel.history, name)
        assert (values[10:15, gap] == values[9, gap]).all()


def test_chunks_of_products_together_are_the_whole(folder: Path) -> None:
    whole = load_panel(folder)
    chunks = list(iter_panels(folder, chunk=4))
    assert len(chunks) == 6
    assert [sku for chunk in chunks for sku in chunk.skus] == list(whole.skus)
    together = np.concatenate([chunk.history.quantity for chunk in chunks], axis=1)
    assert np.array_equal(together, whole.history.quantity, equal_nan=True)
    for chunk in chunks:
        for peers in ("products", "own", "locations"):
            one, other = getattr(chunk.peers, peers), getattr(whole.peers, peers)
            assert one.quantity.tobytes() == other.quantity.tobytes()
            assert one.price.tobytes() == other.price.tobytes()


def test_peers_of_a_selection_come_from_all_products(folder: Path) -> None:
    whole, some = load_panel(folder), load_panel(folder, skus=["s2"])
    assert set(some.skus) == {"s2"}
    assert some.peers.products.quantity.tobytes() == whole.peers.products.quantity.tobytes()


def test_an_earlier_last_day_gives_the_states_the_whole_gives_at_that_origin(folder: Path) -> None:
    whole = load_panel(folder)
    early = load_panel(folder, as_of=FIRST + dt.timedelta(days=40))
    assert early.history.days == 41
    (_, states, _) = next(iter(demand_states(early.history, [40])))
    (_, expected, _) = next(iter(demand_states(whole.history, [40])))
    kept = [place(whole, *key) for key in zip(early.skus, early.locations, strict=True)]
    assert states.tobytes() == expected[kept].tobytes()


def test_a_last_day_after_the_rows_stretches_the_grid(folder: Path) -> None:
    panel = load_panel(folder, as_of=FIRST + dt.timedelta(days=69))
    assert panel.history.days == 70
    assert (panel.history.quantity[60:] == 0).all()


def test_a_last_day_before_the_first_row_is_refused(folder: Path) -> None:
    with pytest.raises(InvalidField, match="as_of"):
        load_panel(folder, as_of=dt.date(2020, 1, 1))


def test_a_folder_without_sales_says_so(tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match="sales"):
        load_panel(tmp_path)


@pytest.mark.parametrize("frequency", ["week", "month"])
def test_days_are_brought_together_to_their_periods(folder: Path, frequency: str) -> None:
    days = load_panel(folder).history
    (folder / "dataset.toml").write_text(f'frequency = "{frequency}"\n', encoding="utf-8")
    panel = load_panel(folder)
    periods = panel.history
    assert frequency_of(periods.first_day) is Frequency[frequency.upper()]
    assert periods.days < days.days / 4
    assert np.nansum(periods.quantity) == pytest.approx(np.nansum(days.quantity))
    assert panel.index(first_day(panel.day(2)).astype(object)) == 2


def test_a_row_of_the_plan_goes_before_a_campaign(folder: Path) -> None:
    panel = load_panel(folder)
    discount = planned(panel, ("s1", "east"), "discount")
    assert discount[on(61)] == np.float32(0.5)
    assert discount[on(62)] == np.float32(0.2)
    assert planned(panel, ("s1", "east"), "promoted")[on(61)] == 1
    assert planned(panel, ("s1", "east"), "price")[on(61)] == 8


def test_a_campaign_without_product_holds_for_every_product_of_its_region(folder: Path) -> None:
    panel = load_panel(folder)
    for sku in panel.catalogue.products[:6]:
        assert planned(panel, (sku, "north"), "promoted")[on(62)] == 1
    assert np.isnan(planned(panel, ("s0", "east"), "promoted")).all()


def test_the_largest_of_several_campaigns_holds(folder: Path) -> None:
    panel = load_panel(folder)
    assert planned(panel, ("s1", "north"), "discount")[on(62)] == np.float32(0.2)
    assert planned(panel, ("s0", "north"), "discount")[on(62)] == np.float32(0.05)


def test_days_without_a_plan_are_unknown(folder: Path) -> None:
    panel = load_panel(folder)
    promoted = planned(panel, ("s2", "north"), "promoted")
    assert np.flatnonzero(~np.isnan(promoted)).tolist() == [on(62), on(70)]


def test_what_came_true_is_the_history_and_unknown_beyond_it(folder: Path) -> None:
    panel = load_panel(folder)
    values = panel.realised(49)[:, FUTURE["price"]]
    came = panel.history.price[50:].T.astype(np.float32)
    assert np.array_equal(values[:, :10], came, equal_nan=True)
    assert np.isnan(values[:, 10:]).all()


def test_what_is_never_recorded_is_never_planned(folder: Path) -> None:
    sales = pl.read_parquet(folder / "sales.parquet").drop("price", "discount", "promoted")
    sales.write_parquet(folder / "sales.parquet")
    (folder / "campaigns.parquet").unlink()
    assert np.isnan(load_panel(folder).realised(30)).all()


def test_holidays_are_counted_to_and_from_within_the_calendar(folder: Path) -> None:
    panel = load_panel(folder)
    days = panel.calendar(LAST_DAY)
    assert days.shape == (3, 6 * KNOWN_DAYS)
    east, north, west = days.reshape(3, 6, KNOWN_DAYS)
    assert east[0, on(63)] == 1
    assert north[0, on(63)] == 0
    assert east[1, on(60)] == 3
    assert north[1, on(60)] == 40
    assert east[2, on(64)] == 1
    assert east[2, on(60)] == 57
    assert east[3, on(65)] == west[3, on(65)] == 1  # a row without country holds for all
    assert west[1, on(60)] == west[2, on(60)] == NEVER
    assert np.isnan(east[4]).all()  # no table marks school holidays


def test_a_day_planned_closed_is_not_recorded_and_a_sure_zero_in_a_sum(folder: Path) -> None:
    path = folder / "calendar.parquet"
    shut = pl.read_parquet(path).with_columns(open=pl.lit(None, pl.Boolean))
    more = shut.clear(2).with_columns(
        date=pl.Series([dt.date(2024, 1, 13), dt.date(2024, 3, 2)]),
        region=pl.Series(["R1", "R1"]),
        open=pl.Series([False, False]),
    )
    pl.concat([shut, more]).write_parquet(path)
    usual = load_panel(folder)
    gap, other = place(usual, "s0", "east"), place(usual, "s0", "north")
    assert np.isnan(usual.history.quantity[12, gap])  # has no row that day
    assert usual.with_closed(usual.history.quantity)[12, gap] == 0
    sold = usual.history.quantity[12, place(usual, "s1", "east")]
    assert sold > 0 or np.isnan(sold)  # a sale says that the mark is wrong
    assert usual.history.quantity[12, other] >= 0
    ahead = usual.calendar(LAST_DAY)[:, -KNOWN_DAYS:]
    assert np.flatnonzero(ahead[0] == 1).tolist() == [on(61)]
    assert not (ahead[1] == 1).any()


def test_days_beyond_the_calendar_are_unknown(folder: Path) -> None:
    late = load_panel(folder).calendar(np.datetime64("2024-04-05")).reshape(3, 6, KNOWN_DAYS)
    assert late[0, 0, 4] == 1  # the last day of the calendar, day 100
    assert np.isnan(late[:, :, 5:]).all()


def test_without_a_calendar_no_day_is_known(folder: Path) -> None:
    (folder / "calendar.parquet").unlink()
    assert np.isnan(load_panel(folder).calendar(LAST_DAY)).all()


def test_the_day_fields_close_the_location_record() -> None:
    assert slice(LOCATION["holiday"].start, LOCATION["closed"].stop) == DAYS_OF_LOCATION


def test_panels_load_without_feast() -> None:
    assert importlib.util.find_spec("feast") is not None
    import subprocess
    import sys

    code = "import sys, training.panel, training.features.records; sys.exit('feast' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_imported_sales_in_several_parts_are_those_of_a_plain_table(folder: Path) -> None:
    plain = load_panel(folder)
    sales = pl.read_parquet(folder / "sales.parquet")
    loads = []
    for name, early in (("b", True), ("a", False)):  # parts neither sorted nor in time order
        load = Load(
            load_id=name,
            table="sales",
            status="published",
            who="",
            when="",
            source="sales.parquet",
            sha256="",
            recipe="",
            recipe_sha256="",
            appended=not early,
            rows_in=0,
            rows_written=0,
            rows_refused=0,
            first_date="",
            last_date="",
        )
        before = pl.col("date") < FIRST + dt.timedelta(days=30)
        part = sales.filter(before if early else ~before).sort("quantity")
        part_path(folder, load).parent.mkdir(parents=True, exist_ok=True)
        part.write_parquet(part_path(folder, load))
        loads.append(load)
    (folder / "sales.parquet").unlink()
    publish(folder, {"sales": tuple(loads)})
    imported = load_panel(folder)
    assert imported.skus == plain.skus
    assert same(imported, plain)
