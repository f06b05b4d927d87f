from __future__ import annotations

import dataclasses
import json
import math
import struct
import subprocess
import sys
import time
import traceback
from typing import TYPE_CHECKING

import numpy as np
import pytest
import redis

from serving.adapters.packed import STOCK_FIELDS
from serving.adapters.redis_features import RedisFeatures, RedisServer
from serving.domain.features import VIEWS, WIDTHS, feature_set_hash
from serving.domain.overrides import Override
from serving.domain.series import SEPARATOR
from serving.errors import (
    BrokenRecord,
    InvalidField,
    NoFeatures,
    ReleaseRefused,
    StoreUnavailable,
)
from serving.ports import StockInputs
from tests.fakes.redis_server import PASSWORD

if TYPE_CHECKING:
    from tests.fakes.redis_server import RedisProcess

TIME = 1_700_000_000
KEYS = 300
ROOT = "parlevel:features"
SAID = Override(day=20_000, author="ann", created=19_990, quantity=5.0)


def fill(view: str, number: float) -> bytes:
    values = np.arange(WIDTHS[view], dtype=np.float32) + np.float32(number)
    values[1] = np.nan
    return values.astype("<f4").tobytes()


def publish(server: RedisProcess, name: str, number: float = 0.5) -> None:
    """Write a generation by hand: these tests hold the layout, not its writer."""
    tables: dict[str, dict[str, bytes | str]] = {
        view: {
            f"s{place}{SEPARATOR}l" if view in {"demand_state", "known_future"} else f"s{place}": (
                struct.pack("<q", TIME + place) + fill(view, number + place)
            )
            for place in range(KEYS)
        }
        for view in VIEWS
    }
    known = {"on_hand": 5.0, "pack_size": 6.0}
    stock = [known.get(name, math.nan) for name in STOCK_FIELDS]
    tables["stock"] = {f"s1{SEPARATOR}l": struct.pack(f"<{len(stock)}d", *stock)}
    tables["overrides"] = {}
    tables["meta"] = {
        "feature_set_hash": feature_set_hash(),
        "event_times": f'{{"product": {TIME}}}',
    }
    for table, entries in tables.items():
        mark = str(8 * len(stock)) if table == "stock" else "0"
        server.client.hset(f"{ROOT}:{name}:{table}", mapping={**entries, "": mark})
    server.client.set(f"{ROOT}:current", name)


def drop(server: RedisProcess, name: str) -> None:
    server.client.unlink(*server.client.keys(f"{ROOT}:{name}:*"))


@pytest.fixture
def reader(redis_server: RedisProcess) -> RedisFeatures:
    publish(redis_server, "1")
    return RedisFeatures(redis_server.url)


def test_where_nothing_is_stored_the_command_to_run_is_named(redis_server: RedisProcess) -> None:
    reader = RedisFeatures(redis_server.url)
    assert not reader.refresh()
    with pytest.raises(NoFeatures, match="parlevel features materialize"):
        reader.snapshot()


def test_a_snapshot_says_what_it_was_materialised_for(reader: RedisFeatures) -> None:
    snapshot = reader.snapshot()
    assert snapshot.generation == "1"
    assert snapshot.feature_set_hash == feature_set_hash()
    assert snapshot.event_times == {"product": TIME}
    assert set(snapshot.meta) == {"feature_set_hash", "event_times"}
    assert sorted(snapshot.series()) == sorted((f"s{place}", "l") for place in range(KEYS))


@pytest.mark.parametrize("view", VIEWS)
def test_records_come_back_bit_for_bit_alone_and_together(reader: RedisFeatures, view: str) -> None:
    snapshot = reader.snapshot()
    pair = view in {"demand_state", "known_future"}
    places = (*range(KEYS - 1, -1, -1), 5, 5, 9999)
    keys = [(f"s{place}", "l") if pair else (f"s{place}",) for place in places]
    *found, unknown = snapshot.records(view, keys)
    assert unknown is snapshot.record(view, keys[-1]) is None
    for place, key, record in zip(places, keys, found, strict=False):
        alone = snapshot.record(view, key)
        assert record is not None
        assert alone is not None
        assert record.event_time == alone.event_time == TIME + place
        assert record.values.tobytes() == alone.values.tobytes() == fill(view, place + 0.5)
    assert snapshot.records(view, []) == []


def test_stock_and_overrides_are_known_as_far_as_the_tables_say(
    reader: RedisFeatures, redis_server: RedisProcess
) -> None:
    said = json.dumps([dataclasses.asdict(SAID)])
    redis_server.client.hset(f"{ROOT}:1:overrides", f"s1{SEPARATOR}l", said)
    snapshot = reader.snapshot()
    assert snapshot.stock("s1", "l") == StockInputs(on_hand=5.0, pack_size=6.0)
    assert snapshot.stock("s2", "l") == StockInputs()
    assert snapshot.overrides("s1", "l") == (SAID,)
    assert snapshot.overrides("s2", "l") == ()


def test_a_new_generation_is_read_from_the_refresh_on(
    reader: RedisFeatures, redis_server: RedisProcess
) -> None:
    old = reader.snapshot()
    assert not reader.refresh()
    publish(redis_server, "2", 100.5)
    assert reader.snapshot() is old
    assert reader.refresh()
    assert reader.snapshot().generation == "2"
    record, before = (one.record("product", ("s0",)) for one in (reader.snapshot(), old))
    assert record is not None
    assert before is not None
    assert (record.values[0], before.values[0]) == (100.5, 0.5)


def test_a_generation_dropped_under_its_reader_answers_nothing_until_the_refresh(
    reader: RedisFeatures, redis_server: RedisProcess
) -> None:
    old = reader.snapshot()
    publish(redis_server, "2", 100.5)
    drop(redis_server, "1")
    for ask in (
        lambda: old.record("demand_state", ("s1", "l")),
        lambda: old.records("known_future", [("s1", "l"), ("nobody", "l")]),
        lambda: old.stock("nobody", "l"),
        old.series,
    ):
        with pytest.raises(StoreUnavailable, match="does not hold features 1 any more: retry"):
            ask()
    assert reader.refresh()
    record = reader.snapshot().record("demand_state", ("s1", "l"))
    assert record is not None
    assert record.values[0] == 101.5


def test_a_store_that_lost_its_data_is_unavailable_and_serves_again_once_filled(
    reader: RedisFeatures, redis_server: RedisProcess
) -> None:
    old = reader.snapshot()
    redis_server.client.flushall()
    assert not reader.refresh()
    with pytest.raises(StoreUnavailable, match="parlevel features materialize"):
        old.record("demand_state", ("s1", "l"))
    with pytest.raises(NoFeatures):
        RedisFeatures(redis_server.url).snapshot()
    publish(redis_server, "1")
    assert old.record("demand_state", ("s1", "l")) is not None


@pytest.mark.parametrize("view", ["demand_state", "known_future"])
def test_a_short_record_is_refused_by_name(
    reader: RedisFeatures, redis_server: RedisProcess, view: str
) -> None:
    redis_server.client.hset(f"{ROOT}:1:{view}", f"s4{SEPARATOR}l", b"short")
    snapshot = reader.snapshot()
    with pytest.raises(BrokenRecord, match=f"record of s4/l in view '{view}'"):
        snapshot.record(view, ("s4", "l"))
    with pytest.raises(BrokenRecord, match="record of s4/l"):
        snapshot.records(view, [("s3", "l"), ("s4", "l")])
    assert snapshot.record(view, ("s3", "l")) is not None


def test_a_short_stock_record_is_refused(reader: RedisFeatures, redis_server: RedisProcess) -> None:
    redis_server.client.hset(f"{ROOT}:1:stock", f"s1{SEPARATOR}l", b"short")
    with pytest.raises(BrokenRecord, match="record of s1/l in view 'stock'"):
        reader.snapshot().stock("s1", "l")


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("meta/feature_set_hash", "other", f"feature set other, not {feature_set_hash()}"),
        ("stock/", "8", "other fields than this server reads"),
        ("product/s4", "short", "record of s4 in view 'product' is damaged"),
    ],
)
def test_a_generation_this_server_cannot_read_is_refused_and_the_one_before_stays_in_use(
    reader: RedisFeatures, redis_server: RedisProcess, field: str, value: str, reason: str
) -> None:
    old = reader.snapshot()
    publish(redis_server, "2")
    table, _, name = field.partition("/")
    redis_server.client.hset(f"{ROOT}:2:{table}", name, value)
    with pytest.raises(ReleaseRefused, match=reason):
        reader.refresh()
    assert reader.snapshot() is old
    assert old.record("demand_state", ("s1", "l")) is not None


def test_a_generation_without_one_of_its_tables_is_not_taken_up(
    reader: RedisFeatures, redis_server: RedisProcess
) -> None:
    old = reader.snapshot()
    publish(redis_server, "2")
    redis_server.client.unlink(f"{ROOT}:2:overrides")
    with pytest.raises(StoreUnavailable, match="features 2"):
        reader.refresh()
    assert reader.snapshot() is old


def test_a_server_that_stops_and_starts_is_read_again_after_a_refresh(
    reader: RedisFeatures, redis_server: RedisProcess
) -> None:
    snapshot = reader.snapshot()
    before = snapshot.record("demand_state", ("s1", "l"))
    redis_server.stop()
    with pytest.raises(StoreUnavailable, match="does not answer"):
        snapshot.record("demand_state", ("s1", "l"))
    with pytest.raises(StoreUnavailable):
        reader.refresh()
    redis_server.start()
    assert not reader.refresh()
    again = reader.snapshot().record("demand_state", ("s1", "l"))
    assert before is not None
    assert again is not None
    assert again.values.tobytes() == before.values.tobytes()


def test_a_restart_between_two_questions_is_not_noticed(
    reader: RedisFeatures, redis_server: RedisProcess
) -> None:
    snapshot = reader.snapshot()
    redis_server.stop()
    redis_server.start()
    assert snapshot.record("demand_state", ("s1", "l")) is not None


def test_a_server_that_hangs_is_waited_for_once(
    reader: RedisFeatures, redis_server: RedisProcess
) -> None:
    snapshot = reader.snapshot()
    redis_server.hang()
    begun = time.monotonic()
    for _ in range(100):
        with pytest.raises(StoreUnavailable):
            snapshot.record("demand_state", ("s1", "l"))
    assert time.monotonic() - begun < 2.0, "the first waits half a second, the others do not"
    redis_server.go_on()
    reader.refresh()
    assert snapshot.record("demand_state", ("s1", "l")) is not None


def test_a_server_that_was_never_there_is_named_without_its_password(
    redis_server: RedisProcess,
) -> None:
    redis_server.stop()
    reader = RedisFeatures(redis_server.url)
    for ask in (reader.refresh, reader.snapshot, reader.snapshot):
        with pytest.raises(StoreUnavailable) as caught:
            ask()
        said = str(caught.value)
        assert redis_server.address in said
        assert "PARLEVEL_ONLINE_STORE" in said
        assert PASSWORD not in f"{said} {vars(caught.value)}"
    redis_server.start()


def test_a_password_that_a_server_repeats_is_not_told(redis_server: RedisProcess) -> None:
    # A server that knows no passwords answers with the command it does not know, all of it.
    with pytest.raises(redis.ResponseError, match=PASSWORD):
        redis_server.client.execute_command("NOSUCH", PASSWORD)
    with pytest.raises(StoreUnavailable, match=r"NOSUCH.*\*\*\*") as caught:
        RedisServer(redis_server.url).look("NOSUCH", PASSWORD)
    assert PASSWORD not in "".join(traceback.format_exception(caught.value))


def test_a_wrong_password_is_said_to_be_wrong(redis_server: RedisProcess) -> None:
    with pytest.raises(StoreUnavailable, match="invalid username-password") as caught:
        RedisFeatures(redis_server.url.replace("@", "x@")).refresh()
    assert PASSWORD not in str(caught.value)


def test_records_fetched_together_are_those_of_each_alone(
    reader: RedisFeatures, redis_server: RedisProcess
) -> None:
    snapshot = reader.snapshot()
    series = [(f"s{place}", "l") for place in (*range(KEYS), 9999)]
    near = snapshot.fetched(series, "demand_state", "stock")
    assert near.generation == snapshot.generation
    before = redis_server.client.info("commandstats")["cmdstat_hmget"]["calls"]
    for key in series:
        one, other = (each.record("demand_state", key) for each in (near, snapshot))
        assert (one is None) is (other is None) is (key[0] == "s9999")
        if one is not None and other is not None:
            assert one.values.tobytes() == other.values.tobytes()
        assert near.stock(*key) == snapshot.stock(*key)
    asked = redis_server.client.info("commandstats")["cmdstat_hmget"]["calls"] - before
    assert asked == 2 * len(series), "those at hand are not asked for again"
    assert near.record("known_future", series[0]) is not None, "others are"


def test_records_fetched_together_are_of_one_generation_or_none(
    reader: RedisFeatures, redis_server: RedisProcess
) -> None:
    old = reader.snapshot()
    publish(redis_server, "2", 100.5)
    redis_server.client.unlink(f"{ROOT}:1:known_future")
    with pytest.raises(StoreUnavailable, match="features 1"):
        old.fetched([("s1", "l"), ("nobody", "l")], "demand_state", "known_future")


def test_a_short_record_fetched_with_others_fails_alone(
    reader: RedisFeatures, redis_server: RedisProcess
) -> None:
    redis_server.client.hset(f"{ROOT}:1:demand_state", f"s4{SEPARATOR}l", b"short")
    near = reader.snapshot().fetched([("s3", "l"), ("s4", "l")], "demand_state")
    assert near.record("demand_state", ("s3", "l")) is not None
    with pytest.raises(BrokenRecord, match="record of s4/l"):
        near.record("demand_state", ("s4", "l"))


def test_an_option_nobody_knows_is_refused_before_anything_is_asked() -> None:
    for option in ("colour=red", "socket_timeout=soon"):
        with pytest.raises(InvalidField, match="PARLEVEL_ONLINE_STORE has an option"):
            RedisFeatures(f"redis://127.0.0.1/0?{option}")


def test_files_are_served_without_the_client_of_redis() -> None:
    code = (
        "import sys\nfrom serving.adapters.features import features_of\n"
        "from serving.settings import Settings\nfeatures_of(Settings())\n"
        "sys.exit('redis' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
