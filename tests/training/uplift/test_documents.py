"""Units are published to be looked up, with what was known before the action and nothing else."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import polars as pl
import pytest

from serving.adapters.reference import Reference
from serving.domain.uplift import UnitsQuery, UpliftRowStatus
from serving.errors import InvalidField
from serving.flows.stored_units import LAST_DAY, UNIT, UNITS, StoredUnits
from tests.fakes.cost import FakeClock
from training.features.reference import materialize_reference
from training.uplift.documents import unit_documents
from training.uplift.units import encode, read_experiment

if TYPE_CHECKING:
    from pathlib import Path


def test_a_unit_is_published_without_outcome_and_treatment(folder: Path) -> None:
    documents = {(kind, key): body for kind, key, body in unit_documents(folder, None)}
    units = read_experiment(folder)
    assert len(documents) == len(units.unit_ids) + 1
    body = documents[UNIT, units.unit_ids[0]]
    assert set(body) == set(units.covariates.columns)
    assert documents[UNITS, ""] == {LAST_DAY: "2026-04-01"}  # the last day of treatment


def test_stored_units_become_the_rows_the_model_learned_from(folder: Path, tmp_path: Path) -> None:
    assert materialize_reference(folder, tmp_path / "features", dt.date(2026, 6, 29)) > 300
    reference = Reference(tmp_path / "features" / "reference")
    assert reference.refresh()
    units = read_experiment(folder)
    asked = UnitsQuery((*units.unit_ids[:20].tolist(), "nobody"))
    found = StoredUnits(reference, FakeClock()).complete(asked, units.encoding)
    assert found.query is not None
    rows, _ = units.encoding.rows_of(found.query)
    assert (rows == encode(units.encoding, units.covariates[:20])[0]).all()
    assert found.statuses[-1] is UpliftRowStatus.UNKNOWN_UNIT
    assert found.age == 24 * 3600


def test_units_without_an_outcome_are_published_too(tmp_path: Path) -> None:
    day = dt.date(2026, 3, 1)
    frame = pl.DataFrame(
        {"unit_id": [1, 2], "age": [30, None], "vip": [True, False], "treated_date": [day, None]}
    )
    frame.write_parquet(tmp_path / "experiment.parquet")
    documents = {(kind, key): body for kind, key, body in unit_documents(tmp_path, None)}
    assert documents[UNIT, "1"] == {"age": 30.0, "vip": 1.0}
    assert documents[UNIT, "2"] == {"vip": 0.0}
    assert documents[UNITS, ""] == {LAST_DAY: "2026-03-01"}


def test_a_unit_that_stands_twice_is_refused(tmp_path: Path) -> None:
    pl.DataFrame({"unit_id": [1, 1], "age": [30, 31]}).write_parquet(
        tmp_path / "experiment.parquet"
    )
    with pytest.raises(InvalidField, match="unit_id"):
        list(unit_documents(tmp_path, None))
