from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest

from serving.errors import InvalidField, MissingInput
from training.tables import TableRefused, dataset, digest, exists, present, read

if TYPE_CHECKING:
    from pathlib import Path

HEADER = "date,sku,location,quantity\n"


@pytest.fixture
def plain(data_dir: Path) -> Path:
    data_dir.mkdir()
    (data_dir / "sales.csv").write_text(HEADER + "2024-02-01,A,x,2\n2024-01-01,A,x,1\n")
    return data_dir


def test_a_plain_file_is_checked_and_sorted_when_read(plain: Path) -> None:
    assert read(plain, "sales")["quantity"].to_list() == [1.0, 2.0]


def test_a_broken_plain_file_is_refused_when_read(plain: Path) -> None:
    (plain / "sales.csv").write_text(HEADER + "2024-01-01,A,x,-1\n")

    with pytest.raises(TableRefused, match="row 1, column quantity"):
        read(plain, "sales")


def test_a_folder_of_files_is_one_table(data_dir: Path) -> None:
    (data_dir / "products").mkdir(parents=True)
    pl.DataFrame({"sku": ["B"]}).write_parquet(data_dir / "products/1.parquet")
    pl.DataFrame({"sku": ["A"], "price": [2]}).write_parquet(data_dir / "products/2.parquet")

    assert read(data_dir, "products").rows() == [("A", 2.0), ("B", None)]


def test_an_optional_column_that_is_not_there_comes_back_empty(plain: Path) -> None:
    frame = read(plain, "sales", columns=["quantity", "promoted"])

    assert frame.schema == {"quantity": pl.Float64, "promoted": pl.Boolean}
    assert frame["promoted"].null_count() == 2


def test_a_column_of_no_canonical_name_is_refused(plain: Path) -> None:
    with pytest.raises(InvalidField, match="did you mean 'quantity'"):
        read(plain, "sales", columns=["quantitty"])


def test_a_table_that_is_not_there_is_named(data_dir: Path) -> None:
    assert not exists(data_dir, "sales")
    with pytest.raises(MissingInput, match="sales"):
        read(data_dir, "sales")


def test_a_table_in_two_forms_is_refused(plain: Path) -> None:
    pl.DataFrame({"date": ["2024-01-01"]}).write_parquet(plain / "sales.parquet")

    with pytest.raises(InvalidField, match=r"sales\.parquet and sales\.csv: keep one"):
        read(plain, "sales")


def test_the_tables_of_a_folder_are_listed_in_canonical_order(plain: Path) -> None:
    (plain / "plants.csv").write_text("plant_id\np\n")
    (plain / "notes.csv").write_text("x\n1\n")

    assert present(plain) == ("sales", "plants")


def test_the_digest_of_plain_files_follows_their_bytes(plain: Path) -> None:
    before = digest(plain)
    (plain / "sales.csv").write_text(HEADER + "2024-01-01,A,x,1\n")

    assert digest(plain) != before


def test_the_frequency_of_plain_sales_is_inferred(plain: Path, tmp_path: Path) -> None:
    assert dataset(plain).frequency == "month"
    assert dataset(tmp_path / "empty").frequency == "day"


def test_a_wrong_setting_of_the_folder_is_refused(plain: Path) -> None:
    (plain / "dataset.toml").write_text('absent_days = "nil"')

    with pytest.raises(InvalidField, match="must be zero or missing"):
        dataset(plain)
