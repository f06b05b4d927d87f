from __future__ import annotations

import gzip
import json
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

from serving.errors import Busy, InvalidField
from training.tables import TableRefused, dataset, digest, exists, layers, read
from training.tables.importing import Order
from training.tables.recipes import parse_recipe

if TYPE_CHECKING:
    from collections.abc import Callable

    from training.tables.importing import Outcome

    Bring = Callable[[Order], tuple[Outcome, ...]]
    Written = Callable[..., Path]

HEADER = "date,sku,location,quantity\n"
OLD = HEADER + "2024-01-01,A,x,3\n2024-01-02,A,x,0\n"
NEW = HEADER + "2024-01-01,A,x,7\n"
LATER = HEADER + "2024-01-03,A,x,5\n"
TWO_TABLES = """
[[table]]
table = "sales"
[[table]]
table = "products"
steps = [{ do = "sum", by = ["sku"] }]
"""


def quantities(data_dir: Path) -> list[float]:
    return list(read(data_dir, "sales")["quantity"])


def test_an_import_keeps_the_file_the_clean_rows_and_a_record(
    bring: Bring, written: Written, data_dir: Path
) -> None:
    (outcome,) = bring(Order(written(OLD), table="sales"))

    assert outcome.load is not None
    name = outcome.load.load_id
    assert (data_dir / f"raw/sales/{name}.csv").read_text() == OLD
    assert pl.read_parquet(data_dir / f"clean/sales/{name}.parquet").height == 2
    record = json.loads((data_dir / f"loads/{name}.json").read_text())
    assert (record["who"], record["source"], record["table"]) == ("ana", "received.csv", "sales")
    assert (record["rows_in"], record["rows_written"], record["rows_refused"]) == (2, 2, 0)
    assert (record["first_date"], record["last_date"]) == ("2024-01-01", "2024-01-02")
    assert record["sha256"] == layers.file_digest(written(OLD))


def test_an_import_takes_the_place_of_the_earlier_one(
    bring: Bring, written: Written, data_dir: Path
) -> None:
    bring(Order(written(OLD), table="sales"))
    bring(Order(written(NEW), table="sales"))

    assert quantities(data_dir) == [7.0]


def test_appended_rows_join_the_earlier_ones_in_order(
    bring: Bring, written: Written, data_dir: Path
) -> None:
    bring(Order(written(LATER), table="sales"))
    bring(Order(written(OLD), table="sales", append=True))

    assert quantities(data_dir) == [3.0, 0.0, 5.0]


def test_appending_a_stored_key_is_refused_with_its_row(
    bring: Bring, written: Written, data_dir: Path
) -> None:
    bring(Order(written(OLD), table="sales"))

    with pytest.raises(TableRefused) as refusal:
        bring(Order(written(LATER + "2024-01-02,A,x,9\n"), table="sales", append=True))

    assert refusal.value.violations[0].row == 2
    assert "stored already" in refusal.value.violations[0].rule
    assert quantities(data_dir) == [3.0, 0.0]


def test_attributes_every_delivery_repeats_are_appended_once(
    bring: Bring, written: Written, data_dir: Path
) -> None:
    text = TWO_TABLES.replace('table = "products"', 'table = "products"\nnew_only = true')
    recipe = parse_recipe(text, name="daily")
    bring(Order(written(OLD), recipe=recipe, append=True))
    _, products = bring(Order(written(LATER), recipe=recipe, append=True))
    bring(Order(written(HEADER + "2024-01-04,B,x,1\n"), recipe=recipe, append=True))

    assert products.load is None
    assert quantities(data_dir) == [3.0, 0.0, 5.0, 1.0]
    assert read(data_dir, "products")["sku"].to_list() == ["A", "B"]


def test_the_same_file_is_recognised_and_skipped(
    bring: Bring, written: Written, data_dir: Path
) -> None:
    bring(Order(written(OLD), table="sales"))
    before = sorted(data_dir.rglob("*"))

    for append in (False, True):
        (outcome,) = bring(Order(written(OLD), table="sales", append=append))
        assert outcome.load is None
        assert "same file" in outcome.note

    assert sorted(data_dir.rglob("*")) == before


def test_the_same_file_read_another_way_is_not_skipped(
    bring: Bring, written: Written, data_dir: Path
) -> None:
    path = written("date,sku,location,quantity,price\n2024-01-01,A,x,3,4\n")
    bring(Order(path, table="sales"))
    bring(Order(path, table="sales", renames={"quantity": "price", "price": "quantity"}))

    assert quantities(data_dir) == [4.0]


def test_a_refused_import_changes_nothing_and_leaves_a_record(
    bring: Bring, written: Written, data_dir: Path
) -> None:
    bring(Order(written(OLD), table="sales"))

    with pytest.raises(TableRefused):
        bring(Order(written(HEADER + "2024-01-01,A,x,-1\n"), table="sales"))

    assert quantities(data_dir) == [3.0, 0.0]
    records = [json.loads(path.read_text()) for path in (data_dir / "loads").iterdir()]
    refused = [each for each in records if each["status"] == "refused"]
    assert [(each["rows_in"], each["rows_refused"]) for each in refused] == [(1, 1)]
    assert len(list((data_dir / "raw/sales").iterdir())) == 1


def test_when_one_table_of_a_recipe_is_refused_none_is_stored(
    bring: Bring, written: Written, data_dir: Path
) -> None:
    recipe = parse_recipe(TWO_TABLES.replace('"sku"', '"date"'), name="two")

    with pytest.raises(TableRefused, match="table products is refused"):
        bring(Order(written(OLD), recipe=recipe))

    assert not exists(data_dir, "sales")
    assert not list(data_dir.glob("clean/sales/*"))


def test_tables_of_one_file_share_its_kept_bytes(
    bring: Bring, written: Written, data_dir: Path
) -> None:
    bring(Order(written(OLD), recipe=parse_recipe(TWO_TABLES, name="two")))

    one, other = data_dir.glob("raw/*/*.csv")
    assert one.samefile(other)


def test_a_second_import_at_the_same_time_is_turned_away(
    bring: Bring, written: Written, data_dir: Path
) -> None:
    with layers.locked(data_dir, "held:"), pytest.raises(Busy, match="another import"):
        bring(Order(written(OLD), table="sales"))


def test_an_import_beside_a_plain_table_is_refused(
    bring: Bring, written: Written, data_dir: Path
) -> None:
    data_dir.mkdir()
    (data_dir / "sales.csv").write_text(OLD)

    with pytest.raises(InvalidField, match=r"sales\.csv"):
        bring(Order(written(NEW), table="sales"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the file is empty"),
        (HEADER, "must have at least one row"),
        (HEADER + "2024-01-01,A,x,1,extra,cells\n", "cannot be read"),
        (OLD.replace(",", ";"), "cells are not separated by ','"),
    ],
)
def test_an_empty_or_ragged_file_is_refused(
    bring: Bring, written: Written, text: str, said: str
) -> None:
    with pytest.raises(TableRefused, match=said):
        bring(Order(written(text), table="sales"))


def test_a_file_that_is_no_parquet_inside_is_refused(bring: Bring, written: Written) -> None:
    with pytest.raises(TableRefused, match="cannot be read"):
        bring(Order(written(OLD, name="received.parquet"), table="sales"))


def test_a_compressed_file_that_was_cut_off_is_refused(bring: Bring, tmp_path: Path) -> None:
    days = pl.date_range(date(2000, 1, 1), date(2020, 1, 1), eager=True)
    text = HEADER + "".join(f"{day},A,x,{day.day}\n" for day in days)
    path = tmp_path / "received.csv.gz"
    path.write_bytes(gzip.compress(text.encode())[:-2000])

    with pytest.raises(TableRefused, match="cannot be read"):
        bring(Order(path, table="sales"))


def test_a_file_that_is_not_utf8_is_refused(bring: Bring, tmp_path: Path) -> None:
    path = tmp_path / "latin.csv"
    path.write_bytes((HEADER + "2024-01-01,Käse,x,1\n").encode("latin-1"))

    with pytest.raises(TableRefused, match="save it as UTF-8"):
        bring(Order(path, table="sales"))


def test_a_byte_order_mark_is_no_part_of_the_first_name(
    bring: Bring, written: Written, data_dir: Path
) -> None:
    bring(Order(written("\ufeff" + OLD), table="sales"))

    assert quantities(data_dir) == [3.0, 0.0]


def test_a_compressed_file_is_read_and_kept_as_it_came(
    bring: Bring, tmp_path: Path, data_dir: Path
) -> None:
    path = tmp_path / "received.csv.gz"
    path.write_bytes(gzip.compress(OLD.encode()))

    bring(Order(path, table="sales"))

    assert quantities(data_dir) == [3.0, 0.0]
    (kept,) = data_dir.glob("raw/sales/*.csv.gz")
    assert kept.read_bytes() == path.read_bytes()


def test_a_rename_makes_a_foreign_column_canonical(
    bring: Bring, written: Written, data_dir: Path
) -> None:
    path = written(OLD.replace("quantity", "qty"))

    bring(Order(path, table="sales", renames={"qty": "quantity"}))

    assert quantities(data_dir) == [3.0, 0.0]


@pytest.mark.parametrize(
    ("order", "said"),
    [
        ({"table": None}, "must be named with --table"),
        ({"table": "sale"}, "did you mean 'sales'"),
        ({"table": "sales", "renames": {"qty": "quantity"}}, "names 'qty', but there are only"),
        ({"table": "sales", "renames": {"sku": "quantity"}}, "is taken"),
        (
            {"table": "plan", "recipe": parse_recipe(TWO_TABLES, name="two")},
            "not made by the recipe",
        ),
    ],
)
def test_a_wrong_order_is_refused_with_what_to_do(
    bring: Bring, written: Written, order: dict[str, object], said: str
) -> None:
    with pytest.raises(InvalidField, match=said):
        bring(Order(written(OLD), **order))  # type: ignore[arg-type]


def test_a_missing_file_or_another_ending_is_refused(bring: Bring, written: Written) -> None:
    with pytest.raises(InvalidField, match="does not exist"):
        bring(Order(Path("nowhere.csv"), table="sales"))
    with pytest.raises(InvalidField, match="must end in"):
        bring(Order(written(OLD, name="sales.xlsx"), table="sales"))


def test_a_million_rows_are_all_stored(bring: Bring, tmp_path: Path, data_dir: Path) -> None:
    rows = np.arange(1_000_000)
    frame = pl.DataFrame(
        {
            "date": pl.Series(19_000 + rows % 1000).cast(pl.Int32).cast(pl.Date),
            "sku": rows // 1000,
            "location": "x",
            "quantity": rows % 7,
        }
    )
    frame.write_csv(tmp_path / "million.csv")

    bring(Order(tmp_path / "million.csv", table="sales"))

    stored = read(data_dir, "sales")
    assert len(stored) == 1_000_000
    assert stored["quantity"].sum() == frame["quantity"].sum()


def test_the_frequency_is_inferred_from_the_first_sales(
    bring: Bring, written: Written, data_dir: Path
) -> None:
    bring(Order(written(HEADER + "2024-01-01,A,x,1\n2024-01-08,A,x,1\n"), table="sales"))

    assert dataset(data_dir).frequency == "week"
    assert 'frequency = "week"' in (data_dir / "dataset.toml").read_text()


def test_the_digest_follows_the_content_and_not_the_time(
    bring: Bring, written: Written, data_dir: Path
) -> None:
    bring(Order(written(OLD), table="sales"))
    first = digest(data_dir)
    bring(Order(written(NEW), table="sales"))
    second = digest(data_dir)
    bring(Order(written(OLD), table="sales"))

    assert first == digest(data_dir) != second
