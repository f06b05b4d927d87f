"""A world is the same bytes for the same seed, and never replaces what is not a world."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from serving.errors import InvalidField
from training.world import Profile, WorldJob, WorldSummary, find_profile, generate
from training.world.publish import staged
from training.world.world import stream


def hashes(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_same_seed_gives_same_bytes(tiny_world: WorldSummary, tmp_path: Path) -> None:
    again = generate(tiny_world.profile, tiny_world.seed, tmp_path / "again")
    assert hashes(again.out) == hashes(tiny_world.out)
    assert hashes(again.truth) == hashes(tiny_world.truth)


def test_another_process_with_other_hashes_gives_same_bytes(
    tiny_world: WorldSummary, tmp_path: Path
) -> None:
    profile = {name: getattr(tiny_world.profile, name) for name in Profile.__slots__}
    program = (
        "from pathlib import Path; from training.world import Profile, generate; "
        f"generate(Profile(**{profile!r}), {tiny_world.seed}, Path({str(tmp_path / 'w')!r}))"
    )
    environment = os.environ | {"PYTHONHASHSEED": "7", "POLARS_MAX_THREADS": "1"}
    root = Path(__file__).parents[3]
    subprocess.run([sys.executable, "-c", program], check=True, env=environment, cwd=root)
    assert hashes(tmp_path / "w") == hashes(tiny_world.out)


def test_another_seed_gives_another_world(tiny_world: WorldSummary, tmp_path: Path) -> None:
    other = generate(tiny_world.profile, tiny_world.seed + 1, tmp_path / "other")
    assert other.digest != tiny_world.digest
    assert hashes(other.out)["sales.parquet"] != hashes(tiny_world.out)["sales.parquet"]


def test_a_stream_depends_on_its_name_and_part_only() -> None:
    assert stream(1, "sales").random() == stream(1, "sales").random()
    assert stream(1, "sales").random() != stream(1, "demand").random()
    assert stream(1, "sales").random() != stream(1, "sales", 1).random()
    assert stream(1, "sales").random() != stream(2, "sales").random()


def test_a_partitioned_world_is_a_folder_of_parts(tiny: Profile, tmp_path: Path) -> None:
    profile = replace(tiny, skus_per_part=5, partitioned=True)
    summary = generate(profile, 42, tmp_path / "parts")
    names = sorted(path.name for path in (summary.out / "sales").iterdir())
    assert names == ["part-0000.parquet", "part-0001.parquet", "part-0002.parquet"]
    sales = pl.read_parquet(summary.out / "sales" / "*.parquet")
    assert sales.height == summary.rows["sales"]
    assert sales["sku"].n_unique() == profile.skus
    orders = pl.read_parquet(summary.out / "purchase_orders" / "*.parquet")
    assert orders["po_id"].is_unique().all()


def test_the_same_world_is_not_written_twice(tiny: Profile, tmp_path: Path) -> None:
    first = generate(tiny, 1, tmp_path / "w")
    written = (first.out / "sales.parquet").stat().st_mtime_ns
    second = generate(tiny, 1, tmp_path / "w")
    assert second.skipped
    assert not first.skipped
    assert (second.digest, second.rows, second.facts) == (first.digest, first.rows, first.facts)
    assert (second.out / "sales.parquet").stat().st_mtime_ns == written


def test_another_world_replaces_an_unchanged_one(tiny: Profile, tmp_path: Path) -> None:
    first = generate(tiny, 1, tmp_path / "w")
    second = generate(tiny, 2, tmp_path / "w")
    assert second.digest != first.digest
    assert sorted(path.name for path in tmp_path.iterdir()) == ["w", "w-truth"]


def test_a_lost_truth_is_written_again(tiny: Profile, tmp_path: Path) -> None:
    first = generate(tiny, 1, tmp_path / "w")
    (first.truth / "demand.parquet").unlink()
    with pytest.raises(InvalidField) as refusal:
        generate(tiny, 1, tmp_path / "w")
    assert refusal.value.field == "truth"
    assert not generate(tiny, 1, tmp_path / "w", force=True).skipped
    assert (first.truth / "demand.parquet").is_file()


def test_a_world_that_stands_there_is_left_unless_forced(tiny: Profile, tmp_path: Path) -> None:
    first = generate(tiny, 1, tmp_path / "w")
    written = (first.out / "sales.parquet").stat().st_mtime_ns
    assert generate(tiny, 1, tmp_path / "w").skipped
    assert (first.out / "sales.parquet").stat().st_mtime_ns == written
    forced = generate(tiny, 1, tmp_path / "w", force=True)
    assert (forced.skipped, forced.digest) == (False, first.digest)
    assert (first.out / "sales.parquet").stat().st_mtime_ns > written


def test_a_folder_of_other_files_is_refused_and_left_alone(tiny: Profile, tmp_path: Path) -> None:
    out = tmp_path / "mine"
    out.mkdir()
    (out / "sales.parquet").write_text("precious")
    with pytest.raises(InvalidField, match="--force"):
        generate(tiny, 1, out)
    assert (out / "sales.parquet").read_text() == "precious"
    assert list(tmp_path.iterdir()) == [out]
    assert generate(tiny, 1, out, force=True).rows["sales"] > 0


def test_a_world_with_an_added_or_changed_file_is_refused(tiny: Profile, tmp_path: Path) -> None:
    out = generate(tiny, 1, tmp_path / "w").out
    (out / "mine.csv").write_text("a,b\n")
    with pytest.raises(InvalidField, match="--force"):
        generate(tiny, 2, out)
    (out / "mine.csv").unlink()
    (out / "products.parquet").write_bytes(b"edited")
    with pytest.raises(InvalidField, match="--force"):
        generate(tiny, 2, out)


@pytest.mark.parametrize("text", ["{", "[]", '{"digest": "x"}', '{"digest": "x", "files": [1]}'])
def test_a_broken_manifest_is_no_world(tiny: Profile, tmp_path: Path, text: str) -> None:
    out = tmp_path / "w"
    out.mkdir()
    (out / "world.json").write_text(text)
    with pytest.raises(InvalidField, match="--force"):
        generate(tiny, 1, out)


def test_a_file_in_place_of_the_folder_is_refused(tiny: Profile, tmp_path: Path) -> None:
    out = tmp_path / "file"
    out.write_text("x")
    with pytest.raises(InvalidField, match="is a file"):
        generate(tiny, 1, out, force=True)


def test_the_working_directory_is_never_replaced(
    tiny: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = tmp_path / "a" / "b"
    inside.mkdir(parents=True)
    monkeypatch.chdir(inside)
    with pytest.raises(InvalidField, match="working directory"):
        generate(tiny, 1, tmp_path / "a", tmp_path / "t", force=True)


def test_truth_may_not_lie_within_the_tables_nor_around_them(tiny: Profile, tmp_path: Path) -> None:
    for out, truth in (("w", "w/truth"), ("t/w", "t"), ("w", "w")):
        with pytest.raises(InvalidField, match="outside"):
            WorldJob(tiny, 1, tmp_path / out, tmp_path / truth)


def test_a_failed_run_leaves_nothing_behind(tmp_path: Path) -> None:
    def fail_after_a_table() -> None:
        with staged(tmp_path / "w") as place:
            place.write_table("sales", pl.DataFrame({"a": [1]}))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_after_a_table()
    assert list(tmp_path.iterdir()) == []


def test_the_smallest_world_can_be_made(tmp_path: Path) -> None:
    smallest = Profile(name="one", skus=1, locations=1, days=28, plan_days=1)
    summary = generate(smallest, 3, tmp_path / "w")
    assert summary.rows["sales"] == 28
    assert summary.rows["plan"] == 1


def test_unknown_profile_and_negative_seed_are_refused(tiny: Profile, tmp_path: Path) -> None:
    with pytest.raises(InvalidField, match="quick, demo, full, scale"):
        find_profile("huge")
    with pytest.raises(InvalidField, match="0 or more"):
        generate(tiny, -1, tmp_path / "w")
    with pytest.raises(InvalidField, match="days"):
        replace(tiny, days=10)


def test_the_folder_says_how_to_read_it(tiny_world: WorldSummary) -> None:
    dataset = tomllib.loads((tiny_world.out / "dataset.toml").read_text())
    assert dataset == {
        "frequency": "day",
        "absent_days": "zero",
        "currency_code": "USD",
        "country": "US",
    }
    manifest = json.loads((tiny_world.out / "world.json").read_text())
    assert manifest["digest"] == tiny_world.digest
    assert manifest["seed"] == tiny_world.seed
    assert manifest["rows"] == tiny_world.rows


@pytest.mark.parametrize(
    ("name", "skus", "locations", "days"),
    [
        ("quick", 50, 3, 90),
        ("demo", 200, 10, 730),
        ("full", 500, 5, 1095),
        ("scale", 10_000, 50, 120),
    ],
)
def test_profiles_have_their_promised_size(name: str, skus: int, locations: int, days: int) -> None:
    profile = find_profile(name)
    assert (profile.skus, profile.locations, profile.days) == (skus, locations, days)
