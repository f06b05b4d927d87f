"""The time of an uplift row, beside that of a graph of one node."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from loadtests.uplift_speed import (
    BARE,
    CALLS,
    COLUMNS,
    main,
    one_node,
    row_seconds,
    wide_units,
)

if TYPE_CHECKING:
    import pytest


def test_every_call_of_each_graph_is_timed() -> None:
    rows = wide_units(400, random=False).rows
    assert rows.shape == (400, COLUMNS)
    taken = row_seconds([(one_node(COLUMNS), rows)] * 2, rounds=2)
    assert [one.shape for one in taken] == [(2 * CALLS,)] * 2
    assert (np.concatenate(taken) > 0).all()


def test_a_learner_stands_beside_one_node(capsys: pytest.CaptureFixture[str]) -> None:
    main(units=400, rounds=1, learners="s")
    said = capsys.readouterr().out
    assert said.count("estimated") == 2  # told once as it is fitted, once in the table
    assert BARE in said
