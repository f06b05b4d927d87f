"""What may stand for the series of a batch, and what is said of the rest."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pandas as pd
import polars as pl
import pytest

from parlevel.client import errors, frames


@pytest.mark.parametrize(
    ("series", "field", "requirement"),
    [
        ([], "series", "must hold at least one row"),
        (pl.DataFrame({"sku": ["S1"]}), "series.location", "must be a column of the frame"),
        (pd.DataFrame({"location": ["L1"]}), "series.sku", "must be a column of the frame"),
        ([("S1", "L1"), ("S1",)], "series[1]", "must be a pair (sku, location)"),
        ([("S1", "L1"), "S2"], "series[1]", "must be a pair (sku, location)"),
        ([("S1", 7)], "series[0].location", "must be text, got 7"),
        (
            pd.DataFrame({"sku": ["S1", None], "location": ["L1", "L1"]}),
            "series[1].sku",
            "must be text, got None",
        ),
        (
            [("S1", "L1"), ("S2", "L1"), ("S1", "L1")],
            "series[2]",
            "must stand once, ('S1', 'L1') stands twice",
        ),
        ("S1", "series", "must be pairs (sku, location), or a pandas or polars frame"),
        (7, "series", "must be pairs (sku, location), or a pandas or polars frame"),
        (
            pl.DataFrame({"sku": ["S1"], "location": ["L1"]}).lazy(),
            "series",
            "must be pairs (sku, location), or a pandas or polars frame",
        ),
    ],
)
def test_a_malformed_series_is_named(series: Any, field: str, requirement: str) -> None:  # noqa: ANN401 - anything at all
    with pytest.raises(errors.InvalidArgument) as caught:
        frames.asked_rows(series)
    assert caught.value.failure.violations == (errors.FieldViolation(field, requirement),)


def test_only_the_wanted_columns_that_are_there_are_read() -> None:
    frame = pl.DataFrame({"sku": ["S1"], "location": ["L1"], "on_hand": [2.0], "note": ["x"]})
    rows = frames.asked_rows(frame, ("on_hand", "on_order"))
    assert rows.columns == {"on_hand": [2.0]}


def test_a_categorical_column_is_text() -> None:
    frame = pd.DataFrame({"sku": pd.Categorical(["S1", "S2"]), "location": ["L1", "L1"]})
    assert frames.asked_rows(frame).skus == ("S1", "S2")


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_a_missing_library_is_named(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(errors.MissingLibrary, match=rf"pip install 'parlevel-client\[{library}\]'"):
        getattr(frames, f"to_{library}")({"sku": ["S1"]})


def test_importing_the_client_imports_no_heavy_library() -> None:
    program = (
        "import sys, parlevel.client\n"
        "parlevel.client.Client('127.0.0.1:1').close()\n"
        "from parlevel.client import frames\n"
        "frames.asked_rows([('S1', 'L1')])\n"
        "print(sorted({'numpy', 'pandas', 'polars', 'pyarrow'} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert result.stdout.strip() == "[]"
