"""An experiment is read as a model learns from it, and refused where nobody could."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

from serving.errors import InvalidField, MissingInput, SampleRatioMismatch
from training.tables.errors import TableRefused
from training.uplift.units import read_covariates, read_experiment

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def change(folder: Path, how: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
    file = folder / "experiment.parquet"
    how(pl.read_parquet(file)).write_parquet(file)


def test_numbers_and_categories_become_columns(folder: Path) -> None:
    units = read_experiment(folder)
    assert units.rows.shape == (300, len(units.encoding.features))
    assert "supplier_country=CN" in units.encoding.features
    assert "pre_outcome" in units.encoding.features
    known = {"unit_id", "treated", "outcome", "propensity", "treated_date"}
    assert not known & {one.name for one in units.encoding.numeric}


def test_an_unknown_number_has_a_stand_in_and_a_flag(folder: Path) -> None:
    blank = pl.when(pl.col("annual_spend") > 40_000).then(None).otherwise(pl.col("annual_spend"))
    change(folder, lambda frame: frame.with_columns(blank.alias("annual_spend")))
    units = read_experiment(folder)
    flag = units.rows[:, units.encoding.features.index("annual_spend:missing")]
    assert 0 < flag.mean() < 1
    assert np.isfinite(units.rows).all()


def test_lower_is_better_turns_the_outcome_around(folder: Path) -> None:
    turned = read_experiment(folder, lower_is_better=True)
    assert np.array_equal(turned.outcomes, -read_experiment(folder).outcomes)


def test_what_tells_nobody_apart_is_left_out_and_told(folder: Path) -> None:
    change(
        folder,
        lambda frame: frame.with_columns(same=pl.lit(1.0), name=pl.col("unit_id") + "-x"),
    )
    units = read_experiment(folder)
    assert not {"same", "name"} & set(units.covariates.columns)
    assert len(units.warnings) == 2


@pytest.mark.parametrize(
    ("how", "failure", "says"),
    [
        (
            lambda f: f.filter(~pl.col("treated")),
            InvalidField,
            "treated must have 30 units or more in the treated arm, got 0",
        ),
        (lambda f: f.with_columns(outcome=pl.lit(1.5)), InvalidField, "outcome must differ"),
        (
            lambda f: f.with_columns(treated=pl.Series([2] * len(f))),
            TableRefused,
            "treated",
        ),
        (
            lambda f: pl.concat([f, f.head(1).with_columns(treated=~pl.col("treated"))]),
            TableRefused,
            "unit_id",
        ),
        (
            lambda f: f.with_columns(
                gap_to_should_cost_date=pl.col("treated_date").dt.offset_by("1d")
            ),
            InvalidField,
            "gap_to_should_cost was measured after the treatment",
        ),
        (
            lambda f: f.select("unit_id", "treated", "outcome"),
            InvalidField,
            "must have a covariate",
        ),
        (
            lambda f: f.with_columns(propensity=pl.lit(0.5)),
            SampleRatioMismatch,
            "60 of 300 units are treated",
        ),
        (lambda f: f.with_columns(propensity=pl.lit(1.0)), InvalidField, "propensity"),
    ],
    ids=[
        "an empty arm",
        "a constant outcome",
        "a treatment that is not yes or no",
        "a unit in both arms",
        "a covariate measured after the treatment",
        "no covariate",
        "a sample ratio that was not meant",
        "a propensity without a control",
    ],
)
def test_an_experiment_nobody_could_learn_from_is_refused(
    folder: Path, how: Callable[[pl.DataFrame], pl.DataFrame], failure: type[Exception], says: str
) -> None:
    change(folder, how)
    with pytest.raises(failure, match=says):
        read_experiment(folder)


def test_a_mismatch_can_be_acknowledged(folder: Path) -> None:
    change(folder, lambda frame: frame.with_columns(propensity=pl.lit(0.5)))
    assert len(read_experiment(folder, acknowledge=True).treated) == 300


def test_units_to_score_need_no_outcome_but_every_covariate(folder: Path) -> None:
    encoding = read_experiment(folder).encoding
    change(folder, lambda frame: frame.drop("treated", "outcome"))
    ids, covariates = read_covariates(folder, encoding)
    assert len(ids) == len(covariates) == 300
    change(folder, lambda frame: frame.drop("annual_spend"))
    with pytest.raises(MissingInput, match="annual_spend"):
        read_covariates(folder, encoding)
