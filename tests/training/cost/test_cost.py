"""The cost model from tables to judged quotes: held out by part, certified, judged as served."""

from __future__ import annotations

from typing import TYPE_CHECKING

import lightgbm as lgb
import numpy as np
import polars as pl
import pytest

from serving.domain.part_features import QUOTE_FEATURES, Part, PartEncoding, Terms
from serving.errors import InvalidField, MissingInput, UnknownModel
from serving.settings import load
from training.cost.encoding import find_encoding, quantities_of
from training.cost.judging import Judgement, judge_quotes
from training.cost.model import CostRecipe, folds_of, group_cuts, train
from training.cost.pairs import fit_pair
from training.cost.quotes import Catalogue, read_catalogue, read_quotes
from training.cost.runs import CostRun, run_cost
from training.registry import Registry

if TYPE_CHECKING:
    from pathlib import Path

    from serving.settings import Settings

PARTS, BRACKETS = 150, (1.0, 10.0, 100.0)
SMALL = CostRecipe(folds=3, trees=60, spread_trees=20, learning_rate=0.1)


def write_tables(folder: Path, parts: range, seed: int = 1) -> None:
    """Write quotes of parts that cost 20 an order and by their length and nuts a unit."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"TUBE-{number:04d}" for number in parts]
    length = rng.uniform(1.0, 9.0, size=len(names))
    nuts = rng.integers(1, 5, size=len(names)).astype(np.float64)
    row = np.repeat(np.arange(len(names)), len(BRACKETS))
    quantity = np.tile(BRACKETS, len(names))
    unit = 2.0 * length[row] + 3.0 * nuts[row]
    price = (20.0 / quantity + unit) * np.exp(rng.normal(0.0, 0.05, size=row.size))
    pl.DataFrame(
        {
            "quote_id": [f"Q{place}" for place in row],
            "date": ["2026-01-15"] * row.size,
            "sku": [names[place] for place in row],
            "supplier_id": ["S1"] * row.size,
            "quantity": quantity,
            "unit_price": price,
            "bracket_pricing": [True] * row.size,
        }
    ).write_csv(folder / "quotes.csv")
    pl.DataFrame(
        {"sku": names, "attribute": ["length"] * len(names), "value": length.astype(str)}
    ).vstack(pl.DataFrame({"sku": ["nut"], "attribute": ["weight"], "value": ["0.01"]})).write_csv(
        folder / "part_attributes.csv"
    )
    pl.DataFrame(
        {"sku": names, "component": "nut", "quantity": nuts, "mass_kg": length, "commodity": "tin"}
    ).write_csv(folder / "bills_of_material.csv")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("quotes") / "tables"
    write_tables(folder, range(PARTS))
    return folder


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return load({"PARLEVEL_HOME": str(tmp_path_factory.mktemp("home"))})


@pytest.fixture(scope="module")
def version(data: Path, settings: Settings) -> str:
    return run_cost(settings, CostRun(data, SMALL), lambda _: None).version


def test_a_version_is_registered_certified_and_promoted_and_trained_but_once(
    data: Path, settings: Settings, version: str
) -> None:
    assert run_cost(settings, CostRun(data, SMALL), lambda _: None).skipped
    assert Registry(settings).promote("cost", version)
    assert Registry(settings).serving("cost") == version


def test_quotes_of_parts_the_model_never_saw_are_judged(
    tmp_path: Path, settings: Settings, version: str
) -> None:
    write_tables(tmp_path / "new", range(PARTS, 2 * PARTS), seed=2)
    out = tmp_path / "judged.parquet"

    asked = Judgement(tmp_path / "new", out, settings.releases, version)
    summary = judge_quotes(asked, lambda *_: None)

    judged = pl.read_parquet(out)
    assert judged.columns[:6] == [
        "quote_id",
        "sku",
        "supplier_id",
        "quantity",
        "unit_price",
        "should_cost",
    ]
    assert summary.rows == judged.height == PARTS * len(BRACKETS)
    error = (judged["should_cost"] / judged["unit_price"]).log().abs()
    assert np.median(error.to_numpy()) < 0.1
    assert 0.005 < judged["flag"].to_numpy().mean() < 0.12
    assert ((judged["p_value"] <= 0.05) == judged["flag"]).all()
    assert (judged["p10"] <= judged["p90"]).all()
    assert judged["reason"].str.contains("is needed to price the bill").all()


def test_several_processes_judge_as_one_does(
    data: Path, tmp_path: Path, settings: Settings, version: str
) -> None:
    judged = [
        judge_quotes(
            Judgement(data, out, settings.releases, version, workers=workers, part=PARTS),
            lambda *_: None,
        ).judged
        for out, workers in ((tmp_path / "one.parquet", 1), (tmp_path / "two.parquet", 2))
    ]
    assert judged[0].equals(judged[1])
    assert pl.read_parquet(tmp_path / "two.parquet").equals(judged[0])


def test_an_overcharge_lowers_the_p_value(tmp_path: Path, settings: Settings, version: str) -> None:
    folder = tmp_path / "new"
    write_tables(folder, range(PARTS, 2 * PARTS), seed=2)
    honest = judge_quotes(
        Judgement(folder, tmp_path / "a.parquet", settings.releases, version), lambda *_: None
    ).judged
    quotes = pl.read_csv(folder / "quotes.csv").with_columns(pl.col("unit_price") * 1.3)
    quotes.write_csv(folder / "quotes.csv")
    charged = judge_quotes(
        Judgement(folder, tmp_path / "b.parquet", settings.releases, version), lambda *_: None
    ).judged
    assert (charged["p_value"] <= honest["p_value"]).all()
    assert charged["flag"].to_numpy().mean() > 0.6


def test_rows_in_training_are_the_rows_in_serving(data: Path) -> None:
    from serving.flows.cost_desk import CostDesk
    from training.cost.documents import cost_documents
    from training.cost.judging import _queries

    quotes, catalogue = read_quotes(data), read_catalogue(data)
    encoding = find_encoding(catalogue, sorted(set(quotes.skus)), quotes.terms.suppliers)
    trained = encoding.rows(quotes.skus, quotes.terms, catalogue.rows(encoding, quotes.skus))
    documents = {(kind, key): body for kind, key, body in cost_documents(data)}

    class Documents:
        generation = "1"

        def document(self, kind: str, key: str) -> object:
            return documents.get((kind, key))

    asked = list(_queries(quotes.frame, Judgement(data, data, data)))
    desk = CostDesk(Documents())  # type: ignore[arg-type]  # bodies as they were written
    served = desk.rows(encoding, asked, asked[0].as_of_date)  # type: ignore[arg-type]  # dated
    np.testing.assert_array_equal(trained, served)


def test_an_encoding_tells_numbers_from_words_and_adds_up_components() -> None:
    parts = {
        f"P{at}": Part(f"P{at}", {"wall": [str(at)], "end": ["flat"]}, (("nut", 2.0), ("cap", 1.0)))
        for at in range(6)
    }
    components = {"nut": {"weight": ["0.5"]}, "cap": {"weight": ["3"], "kind": ["cap"]}}
    encoding = find_encoding(Catalogue(parts, components), list(parts), ["S2", "S1", "S2"])

    assert encoding.numbers == ("wall",)
    assert encoding.words == (("end", "flat"),)
    assert encoding.suppliers == encoding.frequent_suppliers == ("S2", "S1")
    row = dict(
        zip(
            encoding.part_features,
            encoding.part_rows([parts["P3"]], components)[0].tolist(),
            strict=True,
        )
    )
    assert row["component_units"] == 3.0
    assert (row["wall"], row["end=flat"], row["component kind=cap"]) == (3.0, 1.0, 1.0)
    weights = [row[f"{kind} weight"] for kind in ("sum", "greatest", "least")]
    assert weights == [4.0, 3.0, 0.5]


def test_a_line_of_a_bill_counts_with_its_own_mass_and_minutes(tmp_path: Path) -> None:
    bill = {
        "sku": ["A", "A", "B"],
        "component": ["steel", "work", "steel"],
        "quantity": [2.0, 1.0, 1.0],
        "commodity": ["steel", None, "steel"],
        "mass_kg": [1.5, None, 4.0],
        "labor_minutes": [None, 6.0, None],
    }
    pl.DataFrame(bill).write_csv(tmp_path / "bills_of_material.csv")
    catalogue = read_catalogue(tmp_path)
    encoding = find_encoding(catalogue, ["A", "B"], ["S1"])

    rows = encoding.part_rows([catalogue.parts[name] for name in ("A", "B")], catalogue.components)

    names = encoding.part_features
    first, second = (dict(zip(names, row, strict=True)) for row in rows.tolist())
    assert (first["bill mass_kg"], second["bill mass_kg"]) == (3.0, 4.0)
    assert first["bill mass_kg of steel"] == 3.0
    assert (first["least used in bills"], first["greatest used in bills"]) == (1.0, 2.0)


def test_quantities_are_kept_each_where_they_are_few() -> None:
    assert quantities_of(np.array([50.0, 10.0, 50.0, 250.0])) == (10.0, 50.0, 250.0)
    assert quantities_of(np.arange(1.0, 200.0)) == (1.0, 199.0)


def test_quotes_of_a_frequent_supplier_count_in_a_column_of_its_own() -> None:
    encoding = PartEncoding((), (), (), (), ("S1", "S2", "S3"), ("S1", "S2"))
    unknown = np.full(4, np.nan)
    terms = Terms(
        **{name: unknown for name in Terms.__dataclass_fields__ if name != "suppliers"},
        suppliers=("S2", "S1", "S3", "new"),
    )

    rows = encoding.rows(["A"] * 4, terms, np.zeros((4, encoding.width)))

    assert encoding.features[-2:] == ("supplier=S1", "supplier=S2")
    np.testing.assert_array_equal(rows[:, -2:], [[0, 1], [1, 0], [0, 0], [0, 0]])
    np.testing.assert_array_equal(rows[:, QUOTE_FEATURES.index("supplier")], [1, 0, 2, np.nan])


def test_an_encoding_survives_its_manifest() -> None:
    encoding = PartEncoding(("a",), (("b", "c"),), ("d",), (("e", "f"),), ("S1", "S2"), ("S1",))
    assert PartEncoding.from_json(encoding.to_json()) == encoding
    other = PartEncoding(("a",), (("b", "c"),), ("d",), (("e", "f"),), ("S1", "S2"))
    assert other.digest != encoding.digest


def test_all_quotes_of_a_part_are_held_out_together() -> None:
    parts = np.repeat(np.arange(50), 4)
    fold = folds_of(parts, SMALL)
    assert all(np.unique(fold[parts == part]).size == 1 for part in range(50))
    assert np.bincount(fold).min() > 0


def test_calibration_groups_are_large_enough_to_calibrate() -> None:
    quantities = np.repeat([1.0, 2.0, 5.0, 9.0], [500, 100, 350, 450])
    cuts = group_cuts(quantities)
    sizes = np.bincount(np.searchsorted(cuts, quantities, side="right"))
    assert sizes.min() >= 400
    assert group_cuts(np.ones(50)) == ()


def test_a_pair_finds_the_charge_of_an_order_and_the_price_of_a_unit() -> None:
    rng = np.random.default_rng(3)
    rows = rng.uniform(0.0, 1.0, size=(2_000, 2)).astype(np.float32)
    quantities = rng.choice([1.0, 10.0, 100.0], size=2_000)
    price = (50.0 + 100.0 * rows[:, 0]) / quantities + 2.0 + 5.0 * rows[:, 1]
    parameters = {"learning_rate": 0.1, "num_threads": 1, "verbose": -1, "seed": 1}
    pair = fit_pair(rows, quantities, np.log(price), parameters, 120)

    found = [side.predict(rows) + start for side, start in zip(pair.sides, pair.start, strict=True)]
    fixed, unit = 50.0 + 100.0 * rows[:, 0], 2.0 + 5.0 * rows[:, 1]
    assert np.median(np.abs(found[0] - np.log(fixed))) < 0.1
    assert np.median(np.abs(found[1] - np.log(unit))) < 0.1
    assert isinstance(pair.booster, lgb.Booster)


def test_too_few_parts_are_refused_with_their_count() -> None:
    rows = np.ones((30, 12), dtype=np.float32)
    with pytest.raises(MissingInput, match=r"40 parts or more \(there are 30\)"):
        train(rows, np.ones(30), np.arange(30), SMALL, lambda _: None)


def test_quotes_in_several_currencies_are_refused(tmp_path: Path, settings: Settings) -> None:
    write_tables(tmp_path, range(PARTS))
    quotes = pl.read_csv(tmp_path / "quotes.csv").with_row_index("row")
    code = pl.when(pl.col("row") == 0).then(pl.lit("EUR")).otherwise(pl.lit("USD"))
    quotes.with_columns(currency_code=code).drop("row").write_csv(tmp_path / "quotes.csv")
    with pytest.raises(InvalidField, match=r"quotes.currency_code must be one"):
        run_cost(settings, CostRun(tmp_path, SMALL, evaluate=True), lambda _: None)


def test_an_unknown_version_is_refused(data: Path, tmp_path: Path, settings: Settings) -> None:
    asked = Judgement(data, tmp_path / "x.parquet", settings.releases, "99")
    with pytest.raises(UnknownModel):
        judge_quotes(asked, lambda *_: None)
    with pytest.raises(InvalidField, match="parquet"):
        judge_quotes(Judgement(data, tmp_path / "x.csv", settings.releases), lambda *_: None)
