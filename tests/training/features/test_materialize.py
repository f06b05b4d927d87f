from __future__ import annotations

import datetime as dt
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

from serving.adapters.features import CURRENT, DATABASE, PackedFeatures
from serving.domain.features import FUTURE, VIEWS, feature_set_hash
from serving.domain.series import SEPARATOR
from serving.errors import Busy, InvalidField
from serving.ports import StockInputs
from training.features.materialize import Job, materialize
from training.features.offline import offline_days
from training.features.packing import event_time, generations
from training.features.records import records_at
from training.features.store import ONLINE, REGISTRY, offline_folder, open_store
from training.panel import load_panel

if TYPE_CHECKING:
    from pathlib import Path

NOW = dt.datetime(2024, 3, 1, 6, tzinfo=dt.UTC)


def later(minutes: int) -> dt.datetime:
    return NOW + dt.timedelta(minutes=minutes)


@pytest.fixture
def job(folder: Path, tmp_path: Path) -> Job:
    return Job(folder, tmp_path / "features", days_back=(7, 14))


def rows(path: Path, view: str) -> dict[str, bytes]:
    with closing(sqlite3.connect(path)) as database:
        return dict(database.execute(f"SELECT key, record FROM {view}").fetchall())  # noqa: S608  ours


def test_stored_records_are_those_training_computes(job: Job) -> None:
    found = materialize(job, now=NOW)
    assert found.last_day == dt.date(2024, 2, 29)
    assert found.records["demand_state"] == 18
    snapshot = PackedFeatures(job.features / ONLINE).snapshot()
    panel = load_panel(job.data_dir)
    ((_, records),) = records_at(panel, [59], future="planned")
    for place, key in enumerate(zip(panel.skus, panel.locations, strict=True)):
        state = snapshot.record("demand_state", key)
        assert state is not None
        assert state.event_time == event_time(np.datetime64("2024-02-29")) == 1709251200
        assert state.values.tobytes() == records.state[place].tobytes()
        for view, name, expected in (
            ("product", key[0], records.product[place]),
            ("location", key[1], records.location[place]),
        ):
            record = snapshot.record(view, (name,))
            assert record is not None
            assert record.values.tobytes() == expected.tobytes()


def test_a_plan_is_stored_only_where_something_is_planned(job: Job) -> None:
    materialize(job, now=NOW)
    snapshot = PackedFeatures(job.features / ONLINE).snapshot()
    assert snapshot.record("known_future", ("s0", "east")) is None
    planned = snapshot.record("known_future", ("s1", "east"))
    assert planned is not None
    assert planned.values[FUTURE["price"]][1] == 8


def test_a_planned_series_that_never_sold_has_its_plan(job: Job) -> None:
    materialize(job, now=NOW)
    snapshot = PackedFeatures(job.features / ONLINE).snapshot()
    assert snapshot.record("demand_state", ("unsold", "east")) is None
    planned = snapshot.record("known_future", ("unsold", "east"))
    assert planned is not None
    assert planned.values[FUTURE["price"]][1] == 6.5
    assert snapshot.record("product", ("unsold",)) is not None


def test_unchanged_tables_are_not_materialised_again(job: Job) -> None:
    first = materialize(job, now=NOW)
    again = materialize(job, now=later(1))
    assert (first.cached, again.cached) == (False, True)
    assert first.generation == again.generation
    assert generations(job.features / ONLINE) == [first.generation]


def test_a_change_of_the_tables_publishes_a_new_generation(job: Job) -> None:
    first = materialize(job, now=NOW)
    path = job.data_dir / "sales.parquet"
    pl.read_parquet(path).with_columns(pl.col("quantity") + 1).write_parquet(path)
    second = materialize(job, now=later(1))
    assert not second.cached
    assert (job.features / ONLINE / CURRENT).resolve().name == second.generation
    assert generations(job.features / ONLINE) == [first.generation, second.generation]


def test_the_last_two_generations_are_kept(job: Job) -> None:
    names = []
    for minute, back in enumerate([(7, 14), (7,), (14,)]):
        names.append(
            materialize(Job(job.data_dir, job.features, None, back), now=later(minute)).generation
        )
    assert generations(job.features / ONLINE) == names[1:]


def test_a_missing_offline_file_is_written_again(job: Job) -> None:
    materialize(job, now=NOW)
    lost = offline_folder(job.features) / "product" / "2024-02-23.parquet"
    lost.unlink()
    assert not materialize(job, now=later(1)).cached
    assert lost.exists()


def test_every_origin_asked_for_is_kept_offline(job: Job) -> None:
    materialize(job, now=NOW)
    days = [str(day) for day in offline_days(offline_folder(job.features))]
    assert days == ["2024-02-16", "2024-02-23", "2024-03-01"]


def test_origins_before_the_sales_are_refused_and_nothing_is_published(job: Job) -> None:
    with pytest.raises(InvalidField, match="60 days of sales"):
        materialize(Job(job.data_dir, job.features, None, (99,)), now=NOW)
    assert generations(job.features / ONLINE) == []


def test_two_runs_at_once_are_refused(job: Job) -> None:
    code = (
        "import fcntl, sys, time\n"
        "handle = open(sys.argv[1], 'w')\n"
        "fcntl.flock(handle, fcntl.LOCK_EX)\n"
        "print('held', flush=True)\n"
        "time.sleep(60)\n"
    )
    job.features.mkdir(parents=True)
    command = [sys.executable, "-c", code, str(job.features / ".lock")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(Busy, match="another run"):
            materialize(job, now=NOW)
        holder.kill()


@pytest.mark.parametrize("step", range(4))
def test_a_run_that_is_killed_leaves_the_generation_before_it(job: Job, step: int) -> None:
    before = materialize(job, now=NOW)
    path = job.data_dir / "sales.parquet"
    pl.read_parquet(path).with_columns(pl.col("quantity") + 1).write_parquet(path)
    code = (
        "import datetime as dt, os, pathlib, signal, sys\n"
        "import training.features.materialize as room\n"
        "steps = ('iter_panels', 'stock_inputs', 'joined', 'event_time')\n"
        "def die(*_, **__): os.kill(os.getpid(), signal.SIGKILL)\n"
        "setattr(room, steps[int(sys.argv[3])], die)\n"
        "job = room.Job(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))\n"
        "room.materialize(job, now=dt.datetime.now(dt.timezone.utc))\n"
    )
    command = [sys.executable, "-c", code, str(job.data_dir), str(job.features), str(step)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    snapshot = PackedFeatures(job.features / ONLINE).snapshot()
    assert snapshot.generation == before.generation
    after = materialize(job, now=later(5))
    assert not after.cached
    assert sorted(path.name for path in (job.features / ONLINE).iterdir()) == sorted(
        [before.generation, after.generation, CURRENT]
    )
    kept = list(offline_folder(job.features).glob("*/*.parquet"))
    assert len(kept) == 3 * len(VIEWS)


def test_feasts_own_materialisation_writes_the_same_bytes(job: Job, tmp_path: Path) -> None:
    materialize(job, now=NOW)
    own = tmp_path / "own"
    own.mkdir()
    store = open_store(job.features, generation=own)
    store.materialize(
        dt.datetime(2024, 2, 28, tzinfo=dt.UTC), dt.datetime(2024, 3, 2, tzinfo=dt.UTC)
    )
    current = job.features / ONLINE / CURRENT / DATABASE
    for view in VIEWS:
        ours, feasts = rows(current, view), rows(own / DATABASE, view)
        assert len(ours) > 0
        assert ours == feasts, view


def test_a_published_generation_cannot_be_written_to(job: Job) -> None:
    materialize(job, now=NOW)
    store = open_store(job.features)
    with pytest.raises(InvalidField, match="published"):
        store.materialize(
            dt.datetime(2024, 2, 28, tzinfo=dt.UTC), dt.datetime(2024, 3, 2, tzinfo=dt.UTC)
        )


def test_the_registry_knows_the_views_the_service_and_the_interval_once(job: Job) -> None:
    materialize(job, now=NOW)
    (job.features / "registered").unlink()
    materialize(job, now=later(1))
    store = open_store(job.features)
    start, end = (dt.datetime(2024, 2, 15, tzinfo=dt.UTC), dt.datetime(2024, 3, 1, tzinfo=dt.UTC))
    assert {view.name for view in store.list_feature_views()} == set(VIEWS)
    for view in store.list_feature_views():
        assert view.materialization_intervals == [(start, end)]
    assert [service.name for service in store.list_feature_services()] == [
        f"features_{feature_set_hash()}"
    ]


def test_a_registry_torn_by_a_killed_run_is_written_anew(job: Job) -> None:
    materialize(job, now=NOW)
    registry = job.features / REGISTRY
    registry.write_bytes(registry.read_bytes()[:100])
    (job.features / "registered").unlink()
    assert materialize(job, now=later(1)).cached
    assert len(open_store(job.features).list_feature_views()) == len(VIEWS)


@pytest.mark.parametrize(
    "damage", ["UPDATE meta SET value = 'other'", "UPDATE product SET record = x'00'"]
)
def test_a_generation_that_is_damaged_or_of_another_version_is_replaced(
    job: Job, damage: str
) -> None:
    materialize(job, now=NOW)
    with closing(sqlite3.connect(job.features / ONLINE / CURRENT / DATABASE)) as database:
        database.execute(damage)
        database.commit()
    assert not materialize(job, now=later(1)).cached
    snapshot = PackedFeatures(job.features / ONLINE).snapshot()
    assert snapshot.record("product", ("s0",)) is not None


def test_opening_the_store_leaves_the_environment_alone(job: Job) -> None:
    # Earlier tests may have loaded libraries that set it; the store must not.
    before = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    open_store(job.features)
    assert os.environ.get("PROMETHEUS_MULTIPROC_DIR") == before


def test_stock_and_supply_come_from_the_tables(job: Job) -> None:
    days = [dt.date(2024, 2, 1), dt.date(2024, 2, 20), dt.date(2024, 2, 20), dt.date(2024, 3, 9)]
    pl.DataFrame(
        {
            "date": [*days, dt.date(2024, 2, 3)],
            "sku": ["s0", "s0", "s0", "s0", "held"],
            "location": ["east", "east", "east", "east", "depot"],
            "on_hand": [99.0, 4.0, 3.0, 50.0, 8.0],
            "on_order": [None, 6.0, None, None, None],
            "lot_id": ["a", "a", "b", "a", "a"],
        },
        schema_overrides={"on_order": pl.Float64},
    ).write_parquet(job.data_dir / "inventory.parquet")
    pl.DataFrame(
        {
            "sku": ["s0", "s0", "s0", "s1", "s2"],
            "supplier_id": ["slow", "best", "near", "only", "best"],
            "location": [None, None, "west", None, None],
            "lead_time_days": [30.0, 9.0, 2.0, 5.0, None],
            "share": [0.8, 0.2, 1.0, 1.0, 1.0],
            "preferred": [False, True, True, None, None],
        }
    ).write_parquet(job.data_dir / "sourcing.parquet")
    pl.DataFrame(
        {
            "po_id": ["1", "2", "3"],
            "sku": ["s0"] * 3,
            "supplier_id": ["best"] * 3,
            "order_date": [dt.date(2024, 1, 1)] * 3,
            "delivered_date": [dt.date(2024, 1, 9), dt.date(2024, 1, 11), dt.date(2024, 3, 30)],
        }
    ).write_parquet(job.data_dir / "purchase_orders.parquet")
    pl.DataFrame(
        {
            "sku": [None, "s0", "s0", None],
            "location": [None, None, "west", "north"],
            "review_days": [7.0, 1.0, None, 3.0],
            "service_target": [0.9, None, 0.99, 0.95],
        }
    ).write_parquet(job.data_dir / "policy.parquet")
    materialize(Job(job.data_dir, job.features, as_of=dt.date(2024, 2, 29)), now=NOW)
    snapshot = PackedFeatures(job.features / ONLINE).snapshot()
    east = snapshot.stock("s0", "east")
    assert (east.on_hand, east.on_order, east.backorders) == (7.0, 6.0, None)
    # Two orders took 8 and 10 days, and one that is open has taken longer than both.
    assert (east.review_days, east.service_level) == (1.0, 0.9)
    assert east.lead_time_days == pytest.approx(28 / 3, abs=0.01)
    assert east.lead_time_std_days == pytest.approx(8**0.5 / 3, abs=0.02)
    assert (east.minimum_order_quantity, east.pack_size) == (12.0, 6.0)
    west = snapshot.stock("s0", "west")
    assert (west.on_hand, west.lead_time_days, west.lead_time_std_days) == (None, 2.0, None)
    assert (west.review_days, west.service_level) == (1.0, 0.99)
    north = snapshot.stock("s2", "north")
    assert north.review_days == 3.0
    # Nothing is agreed of it, and no order of it is known: those of its supplier tell.
    assert north.lead_time_days == pytest.approx(28 / 3, abs=0.5)
    assert snapshot.stock("held", "depot").on_hand == 8.0
    assert snapshot.stock("nothing", "nowhere") == StockInputs()


def test_keys_join_entities_in_order() -> None:
    from training.features.packing import joined

    assert joined(["a", "b"], ["x", "y"]) == [f"a{SEPARATOR}x", f"b{SEPARATOR}y"]


def test_materialising_is_quick_when_nothing_changed(job: Job) -> None:
    materialize(job, now=NOW)
    start = time.perf_counter()
    materialize(job, now=later(1))
    assert time.perf_counter() - start < 2
