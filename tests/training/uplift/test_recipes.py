"""The shipped recipes of real experiments, on made-up files of their shape."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import polars as pl

from training.tables import read
from training.tables.importing import Order, Sender, import_file
from training.tables.recipes import load_recipe

RECIPES = Path(__file__).parents[3] / "training" / "recipes"


def brought(source: Path, recipe: str, data: Path) -> pl.DataFrame:
    sender = Sender("test", dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
    order = Order(source, recipe=load_recipe(RECIPES / recipe))
    import_file(data, order, sender, tell=lambda _: None)
    return read(data, "experiment")


def test_hillstrom_keeps_one_mail_against_none_and_no_later_outcome(tmp_path: Path) -> None:
    source = tmp_path / "mail.csv"
    source.write_text(
        "recency,history_segment,history,mens,womens,zip_code,newbie,channel,segment,visit,"
        "conversion,spend\n"
        "10,2) $100 - $200,142.44,1,0,Surburban,0,Phone,Womens E-Mail,1,0,0.0\n"
        "6,3) $200 - $350,329.08,1,1,Rural,1,Web,No E-Mail,0,0,0.0\n"
        "7,2) $100 - $200,180.65,0,1,Surburban,1,Web,Mens E-Mail,1,1,9.5\n",
        encoding="utf-8",
    )
    frame = brought(source, "hillstrom.toml", tmp_path / "data")
    assert frame["unit_id"].to_list() == ["1", "2"]
    assert frame["treated"].to_list() == [True, False]
    assert frame["outcome"].to_list() == [1.0, 0.0]
    assert not {"conversion", "spend", "segment", "visit"} & set(frame.columns)


def test_the_infant_program_keeps_one_replication_and_no_known_effect(tmp_path: Path) -> None:
    columns = {f"x{number}": [0.5, 1.5, 2.5] for number in range(1, 26)}
    source = tmp_path / "ihdp.parquet"
    pl.DataFrame(
        {
            "replication": [1, 1, 2],
            "treatment": [1, 0, 1],
            "y_factual": [5.0, 3.0, 4.0],
            "y_cfactual": [1.0, 7.0, 2.0],
            "mu0": [1.0, 3.0, 2.0],
            "mu1": [5.0, 7.0, 4.0],
            **columns,
        }
    ).write_parquet(source)
    frame = brought(source, "ihdp.toml", tmp_path / "data")
    assert frame["treated"].to_list() == [True, False]
    assert frame["outcome"].to_list() == [5.0, 3.0]
    assert not {"mu0", "mu1", "y_cfactual", "replication"} & set(frame.columns)
    assert frame.width == 3 + 25
