"""The benchmark's home, its figures and its verdicts."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np
import pytest

from loadtests.bench.bare import Bare
from loadtests.bench.cases import SIZES, Bodies, all_cases
from loadtests.bench.flame import shares
from loadtests.bench.rounds import Crossed, Measurements, Sample
from loadtests.bench.series import make_home
from loadtests.bench.singles import BOUNDS, UPLIFT, single_questions
from loadtests.bench.tables import content, page, targets
from loadtests.questions import REORDER
from loadtests.results import table, write
from loadtests.stored_keys import Series, read_series
from serving.adapters.features import PackedFeatures
from serving.domain.features import WIDTHS, feature_set_hash
from serving.errors import NoFeatures
from training.features.packing import features_writer, joined, new_generation

if TYPE_CHECKING:
    from pathlib import Path

LAST_DAY = dt.date(2026, 3, 31)
PLACES = [f"S{number}" for number in range(10)]


def write_home(home: Path) -> None:
    """Write a home of 20 series, two products at ten locations."""
    draw = np.random.default_rng(3)
    end = int(dt.datetime(2026, 4, 1, tzinfo=dt.UTC).timestamp())
    pairs = [(sku, place) for sku in ("P1", "P2") for place in PLACES]
    keys = {
        "demand_state": joined(*zip(*pairs, strict=True)),
        "known_future": joined(*zip(*pairs, strict=True)),
        "product": ["P1", "P2", "category:"],
        "location": [*PLACES, "region:"],
    }
    with new_generation(home / "features" / "online", "one", features_writer) as writer:
        for view, names in keys.items():
            values = draw.uniform(1, 2, (len(names), WIDTHS[view])).astype(np.float32)
            values[:, -1] = np.nan
            writer.write(view, names, np.full(len(names), end), values)
        times = dict.fromkeys(WIDTHS, end)
        writer.describe(
            {
                "feature_set_hash": feature_set_hash(),
                "event_times": times,
                "last_day": LAST_DAY.isoformat(),
            }
        )
    (home / "releases").mkdir()


def test_the_series_of_a_home_are_read_with_their_origin(tmp_path: Path) -> None:
    write_home(tmp_path)
    found = read_series(tmp_path / "features")
    assert len(found) == 20
    assert found[0] == Series("P1", "S0", LAST_DAY)


def test_a_bench_home_has_fresh_series_that_keep_their_gaps(tmp_path: Path) -> None:
    write_home(tmp_path / "source")
    home = make_home(tmp_path / "source", tmp_path / "bench", count=95)
    assert home.as_of == LAST_DAY
    assert len(set(home.keys)) == len(home.keys) == 95
    snapshot = PackedFeatures(home.folder / "features" / "online").snapshot()
    for view in ("demand_state", "known_future"):
        records = [one for one in snapshot.records(view, home.keys) if one is not None]
        values = np.stack([one.values for one in records])
        assert len(values) == 95
        assert np.isnan(values[:, -1]).all()
        assert not np.isnan(values[:, :-1]).any()
        if view == "demand_state":
            assert len(np.unique(values[:, 0])) > 90
    assert all(snapshot.record("product", (sku,)) for sku, _ in home.keys)
    assert all(snapshot.record("location", (place,)) for _, place in home.keys)
    assert (home.folder / "releases").is_symlink()


def test_a_bench_home_is_made_once(tmp_path: Path) -> None:
    write_home(tmp_path / "source")
    first = make_home(tmp_path / "source", tmp_path / "bench", count=10)
    made = (first.folder / "features/online/current/features.db").stat().st_mtime_ns
    assert make_home(tmp_path / "source", tmp_path / "bench", count=10) == first
    assert (first.folder / "features/online/current/features.db").stat().st_mtime_ns == made


def test_a_bench_without_features_says_how_to_make_them(tmp_path: Path) -> None:
    with pytest.raises(NoFeatures):
        make_home(tmp_path, tmp_path / "bench")


def test_requests_ask_about_other_series_each_time() -> None:
    bodies = Bodies.of_series([("P1", "S1"), ("P2", "S1"), ("P3", "S1")], 1)
    first, second = (next(bodies.of("http")) for _ in range(2))
    assert first == b'{"horizon_days":7,"sku":"P1","location":"S1"}'
    assert b"P2" in second


def sample(calls: float, p99_ms: float = 4.0) -> Sample:
    return Sample(calls, calls, 2.0, p99_ms, 0, 1.0, 0.5)


def measurements(ours: float) -> Measurements:
    """Return figures in which every floor answers 1,000 calls a second."""
    cases = {
        case: [sample(ours if case.server.startswith("parlevel") else 1000.0)] * 3
        for case in all_cases(list(SIZES), BOUNDS)
    }
    bare = {series: [Bare(0.9 / 1000, 0.1 / 1000)] * 3 for series in SIZES}
    crossed = {f"parlevel {kind}": [Crossed(1, 19, 500)] * 3 for kind in ("asyncio", "threads")}
    return Measurements(cases, bare, crossed)


def test_a_target_is_met_at_its_bound_and_missed_below_it() -> None:
    met = {one.name: one.met for one in targets(measurements(800))}
    missed = {one.name: one.met for one in targets(measurements(799))}
    assert met["parlevel asyncio: single gRPC calls/s over no-op grpc.aio"]
    assert not missed["parlevel asyncio: single gRPC calls/s over no-op grpc.aio"]
    assert met["parlevel threads: batch of 256 over bare model and reads"]
    assert not missed["parlevel threads: batch of 256 over bare model and reads"]
    assert met["parlevel asyncio: HTTP p99 in ms while gRPC is saturated"]
    assert not met["single HTTP calls/s over stock BentoML"]


def test_other_single_questions_are_held_to_bounds_of_their_own() -> None:
    name = f"parlevel threads: {UPLIFT} calls/s over no-op grpc.aio"
    verdicts = [
        {one.name: one.met for one in targets(measurements(ours))}[name] for ours in (600, 599)
    ]
    assert verdicts == [True, False]
    unasked = measurements(800)
    for case in all_cases([], BOUNDS):
        del unasked.cases[case]
    assert name not in {one.name for one in targets(unasked)}


def test_a_home_is_asked_what_it_can_answer(tmp_path: Path) -> None:
    write_home(tmp_path / "source")
    asked = single_questions(make_home(tmp_path / "source", tmp_path / "bench", count=10))
    assert set(asked) == {REORDER}
    bodies = Bodies.of_questions(asked[REORDER])
    assert b'"lead_time_days"' in next(bodies.of("http"))
    assert next(bodies.of("grpc")) != next(bodies.of("grpc"))


def test_ratios_compare_within_a_round() -> None:
    found = measurements(800)
    for case, samples in found.cases.items():
        # The machine halves its speed in the second round, for all alike.
        samples[:] = [samples[0], sample(samples[0].calls_per_second / 2), samples[0]]
        assert len(found.cases[case]) == 3
    rates = {one.name: one.measured for one in targets(found)}
    name = "parlevel asyncio: single gRPC calls/s over no-op grpc.aio"
    assert rates[name] == pytest.approx(0.8)


def test_the_page_and_the_content_show_every_case(tmp_path: Path) -> None:
    found = measurements(800)
    text = page(found)
    assert text.count("| parlevel threads | grpc |") == (
        sum(map(len, SIZES.values())) + len(BOUNDS)
    )
    write(tmp_path / "kept", content(found), text)
    assert (tmp_path / "kept.md").read_text(encoding="utf-8") == text
    assert b'"p99_ms": 4.0' in (tmp_path / "kept.json").read_bytes()


def test_a_table_sets_numbers_right() -> None:
    shown = table(("name", "calls"), [("a", 1234.5), ("b", 0.123456)])
    assert shown == "| name | calls |\n| --- | ---: |\n| a | 1,234 |\n| b | 0.123 |\n"


def test_shares_count_a_recursive_function_once_and_leave_waiting_out() -> None:
    lines = ["main;f;f 3", "main;g 1", "main;wait;Condition.wait (threading.py:295) 96"]
    found = {name: (own, whole) for name, own, whole in shares(lines)}
    assert found == {"main": (0.0, 1.0), "f": (0.75, 0.75), "g": (0.25, 0.25)}
