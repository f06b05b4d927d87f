from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from training.cli import main
from training.tables import read

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Written = Callable[..., Path]


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as end:
        main([str(argument) for argument in arguments])
    return int(end.value.code or 0)


def test_import_stores_a_table_and_says_so(
    written: Written, data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written("day,sku,location,sold\n2024-01-01,A,x,3\n")
    maps = ("--map", "day=date", "--map", "sold=quantity")

    assert run("import", path, "--table", "sales", *maps, "--out", data_dir) == 0
    assert "sales: 1 rows of 1 stored" in capsys.readouterr().out
    assert len(read(data_dir, "sales")) == 1

    assert run("import", path, "--table", "sales", *maps, "--out", data_dir) == 0
    assert "skipped: the same file" in capsys.readouterr().out


def test_import_of_a_broken_table_ends_with_two_and_names_the_row(
    written: Written, data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written("date,sku,location,quantity\n2024-01-01,A,x,-3\n")

    assert run("import", path, "--table", "sales", "--out", data_dir) == 2
    assert "row 1, column quantity: must be at least 0" in capsys.readouterr().err


def test_import_with_a_recipe_makes_all_of_its_tables(
    written: Written, tmp_path: Path, data_dir: Path
) -> None:
    recipe = tmp_path / "shop.toml"
    recipe.write_text(
        '[[table]]\ntable = "sales"\n'
        '[[table]]\ntable = "products"\nsteps = [{ do = "sum", by = ["sku"] }]\n'
    )

    assert run("import", written(), "--recipe", recipe, "--out", data_dir) == 0
    assert len(read(data_dir, "products")) == 1


def test_a_map_that_is_no_pair_is_refused(written: Written, data_dir: Path) -> None:
    assert run("import", written(), "--table", "sales", "--map", "x", "--out", data_dir) == 2


def test_validate_ends_with_two_only_if_a_rule_is_broken(
    data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data_dir.mkdir()
    (data_dir / "products.csv").write_text("sku,price\nA,1\nB,-2\n")

    assert run("validate", data_dir) == 2
    shown = capsys.readouterr().out
    assert "products: row 2, column price: must be at least 0" in shown
    assert "50.00%" in shown

    (data_dir / "products.csv").write_text("sku,price\nA,1\n")
    assert run("validate", data_dir) == 0


def test_validate_of_an_empty_folder_is_refused(data_dir: Path) -> None:
    data_dir.mkdir()

    assert run("validate", data_dir) == 2
