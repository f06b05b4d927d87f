"""The run of the next day: it reads that day alone, and gives the bits of a run from the first."""

from __future__ import annotations

import datetime as dt
import shutil
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

from serving.domain.replenishment import ReorderMethod
from tests.fakes.releases import sound, write
from training.batch.forecasts import ForecastQuestion
from training.batch.histories import write_history, write_peers
from training.batch.kept import folder_of
from training.batch.models import open_model
from training.batch.orders import ReorderQuestion
from training.batch.readings import open_reading
from training.batch.runs import BatchJob, BatchResult, run
from training.batch.workers import Hands
from training.tables.importing import Order, Sender, import_file
from training.tables.layers import locked
from training.world import LAST_DAY, Profile, generate

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from serving.adapters.demand import OnnxDemandModel
    from training.batch.questions import Question

DAY = dt.timedelta(days=1)
HORIZON = 5
PAST = "campaigns, outliers or closed days of those that were read have changed"
WORLD = Profile(name="next", skus=6, locations=2, days=60, plan_days=30, skus_per_part=6)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generate(WORLD, 5, tmp_path_factory.mktemp("next") / "world" / "tables").out


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("next") / "releases", sound(), "1")


@pytest.fixture(scope="module")
def model(release: Path) -> OnnxDemandModel:
    return open_model(release.parents[1], "1")


@dataclass
class Days:
    """A folder whose sales come day by day, a file each."""

    tables: Path
    sales: pl.DataFrame
    day: dt.date

    def __post_init__(self) -> None:
        self.write(self.sales.filter(pl.col("date") <= self.day))

    def write(self, rows: pl.DataFrame) -> None:
        (self.tables / "sales").mkdir(exist_ok=True)
        rows.sort("sku", "location", "date").write_parquet(
            self.tables / "sales" / f"{self.day}.parquet"
        )

    def next(self, change: Callable[[pl.DataFrame], pl.DataFrame] = lambda rows: rows) -> None:
        self.day += DAY
        self.write(change(self.sales.filter(pl.col("date") == self.day)))

    def change(self, table: str, change: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
        path = self.tables / f"{table}.parquet"
        change(pl.read_parquet(path)).write_parquet(path)


@pytest.fixture
def days(world: Path, tmp_path: Path) -> Days:
    tables = tmp_path / "tables"
    shutil.copytree(world, tables)
    sales = pl.read_parquet(tables / "sales.parquet")
    (tables / "sales.parquet").unlink()
    return Days(tables, sales, LAST_DAY - 3 * DAY)


class Runs:
    """Runs over a folder that keep what they read."""

    def __init__(self, folder: Path, tables: Path, model: OnnxDemandModel) -> None:
        self.folder, self.tables, self.model, self.count = folder, tables, model, 0

    def job(self, *, kept: bool, as_of: dt.date | None = None) -> BatchJob:
        self.count += 1
        place = self.folder / "kept" if kept else None
        out = self.folder / f"{self.count}.parquet"
        return BatchJob(self.tables, out, as_of, kept=place, part_series=5, block_series=7)

    def ask(
        self, question: Question, *, kept: bool, as_of: dt.date | None = None
    ) -> tuple[pl.DataFrame, BatchResult]:
        job = self.job(kept=kept, as_of=as_of)
        result = run(job, question, Hands(self.model), lambda *_: None)
        return pl.read_parquet(job.out), result

    def records(self, *, kept: bool, as_of: dt.date | None) -> dict[str, bytes]:
        """Return every record read, bit by bit."""
        place = folder_of(self.folder / "kept", self.tables) / "none" if kept else None
        reading = replace(open_reading(self.tables, as_of, place), place=None)
        files = [self.folder / name for name in ("series", "peers")]
        skus = [sku for sku, _ in reading.folder.sales.series_per_sku()]
        write_history(reading, 0, skus, files[0])
        write_peers(reading, files[:1], files[1])
        with np.load(files[0]) as series, np.load(files[1]) as peers:
            found = {name: series[name] for name in ("state", "future", "product", "location")}
            found |= dict(peers)
        return {name: values.tobytes() for name, values in found.items()}

    def on(self, as_of: dt.date | None = None) -> BatchResult:
        """Run on from what is kept, and hold every bit to a run from the first day."""
        assert self.records(kept=True, as_of=as_of) == self.records(kept=False, as_of=as_of)
        rows, result = self.ask(ForecastQuestion(HORIZON), kept=True, as_of=as_of)
        afresh, whole = self.ask(ForecastQuestion(HORIZON), kept=False, as_of=as_of)
        assert rows.equals(afresh)
        assert (result.read.days + result.read.taken, 0) == (whole.read.days, whole.read.taken)
        return result

    @property
    def readings(self) -> list[Path]:
        return [path for path in (self.folder / "kept").glob("*/*") if path.is_dir()]


@pytest.fixture
def runs(days: Days, model: OnnxDemandModel, tmp_path: Path) -> Runs:
    (tmp_path / "runs").mkdir()
    return Runs(tmp_path / "runs", days.tables, model)


def test_each_next_day_is_read_alone_and_changes_no_bit(days: Days, runs: Runs) -> None:
    first = runs.on()
    assert (first.read.taken, first.read.afresh) == (0, "")
    for _ in range(3):
        days.next()
        result = runs.on()
        assert result.read.days == 1
        assert result.read.size > 0
    assert len(runs.readings) == 1, "readings of days before are dropped"


def test_products_and_locations_that_are_new_change_no_bit(days: Days, runs: Runs) -> None:
    runs.on()

    def with_new(rows: pl.DataFrame) -> pl.DataFrame:
        product = rows.head(2).with_columns(sku=pl.lit("A-0"), discount=None, promoted=None)
        between = rows.head(1).with_columns(sku=pl.col("sku") + "-new")
        place = rows.head(1).with_columns(location=pl.lit("AAA"))
        return pl.concat([rows, product, between, place], how="vertical_relaxed")

    days.change(
        "products",
        lambda rows: pl.concat(
            [rows, rows.head(1).with_columns(sku=pl.lit("A-0"), category=pl.lit("aaa"))]
        ),
    )
    days.next(with_new)
    assert runs.on().read.days == 1
    days.next()
    assert runs.on().read.days == 1


def test_what_a_campaign_said_of_a_product_before_it_sold_still_holds(
    days: Days, runs: Runs
) -> None:
    begun = days.day - 20 * DAY
    announced = {"campaign_id": "new", "start_date": begun, "end_date": begun + 5 * DAY}
    row = pl.DataFrame(announced | {"sku": "A-0", "discount_percent": 25.0})
    row.write_parquet(days.tables / "campaigns.parquet")  # and no other campaign
    runs.on()
    days.next(
        lambda rows: pl.concat(
            [rows, rows.head(2).with_columns(sku=pl.lit("A-0"), discount=None, promoted=None)],
            how="vertical_relaxed",
        )
    )
    assert runs.on().read.days == 1


def test_days_without_sales_and_days_that_come_together_are_read_on(days: Days, runs: Runs) -> None:
    runs.on()
    days.next(lambda rows: rows.filter(pl.col("sku") < rows["sku"].max()).head(4))
    days.next()
    assert runs.on().read.days == 2


def test_a_later_day_of_the_same_files_is_read_on(days: Days, runs: Runs) -> None:
    runs.on(days.day - 2 * DAY)
    assert runs.on(days.day).read.days == 2
    days.next()
    assert runs.on(days.day).read.days == 1
    assert runs.on(days.day - DAY).read.afresh == "a day before the last one read is asked for"


def _restated(days: Days) -> None:
    path = next((days.tables / "sales").iterdir())
    rows = pl.read_parquet(path)
    rows.with_columns(quantity=pl.col("quantity") + 1).write_parquet(path)


def _late(days: Days) -> None:
    row = days.sales.filter(pl.col("date") == days.day).head(1).with_columns(sku=pl.lit("A-0"))
    row.write_parquet(days.tables / "sales" / "late.parquet")


def _another_category(days: Days) -> None:
    days.change("products", lambda rows: rows.with_columns(category=pl.lit("one")))


def _another_region(days: Days) -> None:
    days.change("locations", lambda rows: rows.with_columns(region=pl.lit("one")))


def _another_campaign(days: Days) -> None:
    past = {"campaign_id": "new", "start_date": days.day - DAY, "end_date": days.day + DAY}
    row = pl.DataFrame(past)
    days.change("campaigns", lambda rows: pl.concat([rows, row], how="diagonal_relaxed"))


def _outlier(days: Days) -> None:
    row = days.sales.filter(pl.col("date") == days.day).head(1).select("date", "sku", "location")
    marked = row.with_columns(tag=pl.lit("outlier"), author=pl.lit("me"))
    marked.write_parquet(days.tables / "demand_tags.parquet")


def _closed_day(days: Days) -> None:
    closed = pl.col("date") == days.day - DAY
    days.change("calendar", lambda rows: rows.with_columns(open=pl.when(closed).then(0.0)))


def _absent_days(days: Days) -> None:
    (days.tables / "dataset.toml").write_text('frequency = "day"\nabsent_days = "missing"\n')


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_restated, "files of sales that were read have changed or are gone"),
        (_late, "sales have come in of days that were read"),
        (_another_category, "categories of products have changed"),
        (_another_region, "regions of locations have changed"),
        (
            _another_campaign,
            PAST,
        ),
        (_outlier, PAST),
        (_closed_day, PAST),
        (_absent_days, "the days of the tables are meant otherwise"),
    ],
)
def test_a_past_that_is_told_otherwise_is_read_again(
    days: Days, runs: Runs, change: Callable[[Days], None], reason: str
) -> None:
    runs.on()
    change(days)
    days.next()
    result = runs.on()
    assert (result.read.afresh, result.read.taken) == (reason, 0)
    days.next()
    assert runs.on().read.days == 1


def test_a_column_recorded_for_the_first_time_is_carried_through_the_past(
    days: Days, runs: Runs
) -> None:
    days.day -= DAY
    days.sales = days.sales.with_columns(
        promoted=pl.when(pl.col("date") > days.day).then("promoted")
    )
    shutil.rmtree(days.tables / "sales")
    days.write(days.sales.filter(pl.col("date") <= days.day))
    runs.on()
    days.next()
    assert runs.on().read.afresh == "sales record a column they did not record before"


@pytest.mark.parametrize("step", ["reading", "answering"])
def test_a_run_that_was_killed_goes_on_to_the_same_bits(days: Days, runs: Runs, step: str) -> None:
    runs.on()
    days.next()
    job = runs.job(kept=True)

    def stop(at: str, done: int, total: int) -> None:
        if at == step and done * 2 > total:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(job, ForecastQuestion(HORIZON), Hands(runs.model), stop)
    result = run(job, ForecastQuestion(HORIZON), Hands(runs.model), lambda *_: None)
    assert result.read.days == 1
    assert (result.resumed > 0) == (step == "answering")
    afresh, _ = runs.ask(ForecastQuestion(HORIZON), kept=False)
    assert pl.read_parquet(job.out).equals(afresh)
    days.next()
    assert runs.on().read.days == 1


def test_another_question_of_the_day_reads_no_day(days: Days, runs: Runs) -> None:
    runs.on()
    question = ReorderQuestion(3, 0.9, ReorderMethod.DISTRIBUTION)
    orders, result = runs.ask(question, kept=True)
    assert result.read.days == 0
    assert orders.equals(runs.ask(question, kept=False)[0])
    days.next()
    assert runs.on().read.days == 1


def test_several_processes_read_on_as_one_does(days: Days, runs: Runs, release: Path) -> None:
    runs.on()
    days.next()
    job = runs.job(kept=True)
    hands = Hands(runs.model, release, workers=2)
    result = run(job, ForecastQuestion(HORIZON), hands, lambda *_: None)
    assert result.read.days == 1
    assert pl.read_parquet(job.out).equals(runs.ask(ForecastQuestion(HORIZON), kept=False)[0])


def test_a_run_beside_another_keeps_nothing_and_is_right(days: Days, runs: Runs) -> None:
    runs.on()
    days.next()
    (slot,) = (runs.folder / "kept").iterdir()
    with locked(slot, "a test holds"):
        assert runs.on().read.taken == 0
    assert runs.on().read.days == 1


def test_imported_sales_are_read_on_where_they_were_appended(
    world: Path, tmp_path: Path, model: OnnxDemandModel
) -> None:
    tables, sales = tmp_path / "tables", pl.read_parquet(world / "sales.parquet")
    now = dt.datetime(2026, 7, 1, tzinfo=dt.UTC)
    (tmp_path / "runs").mkdir()
    runs = Runs(tmp_path / "runs", tables, model)
    last = LAST_DAY - DAY

    def add(rows: pl.DataFrame, *, append: bool) -> None:
        rows.write_csv(tmp_path / "new.csv")
        order = Order(tmp_path / "new.csv", "sales", append=append)
        sender = Sender("me", now + len(runs.readings) * DAY)
        import_file(tables, order, sender, tell=lambda _: None)

    add(sales.filter(pl.col("date") <= last), append=False)
    runs.on()
    add(sales.filter(pl.col("date") > last), append=True)
    assert runs.on().read.days == 1


def test_a_week_is_read_on_once_it_is_another_one(days: Days, runs: Runs) -> None:
    (days.tables / "dataset.toml").write_text('frequency = "week"\nabsent_days = "zero"\n')
    assert days.day.isoweekday() == 6
    runs.on()
    days.next()
    assert runs.on().read.afresh == "sales have come in of days that were read"
    days.next()
    assert runs.on().read.days == 1


def test_a_reading_of_other_features_is_not_taken(
    days: Days, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs.on()
    days.next()
    monkeypatch.setattr("training.batch.kept.feature_set_hash", lambda: "another")
    assert runs.on().read.taken == 0
