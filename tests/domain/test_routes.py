"""The table that says who answers for which series."""

from __future__ import annotations

import json

import numpy as np
import pytest

from serving.domain.history import STATE, STATE_WIDTH
from serving.domain.route_text import decode, encode
from serving.domain.routes import HISTORIES, cells_of, cover_sums
from serving.domain.tiers import DemandPattern
from tests.fakes.routes import routes


def test_a_table_reads_back_as_it_was_written() -> None:
    table = routes()
    again = decode(encode(table))
    assert encode(again) == encode(table)
    for tier, shapes in table.shapes.items():
        for mine, theirs in zip(shapes, again.shapes[tier], strict=True):
            assert np.array_equal(mine, theirs)


def test_a_table_of_another_layout_is_refused() -> None:
    said = json.loads(encode(routes()))
    said["layout"] = 99
    with pytest.raises(ValueError, match="layout 99"):
        decode(json.dumps(said))


@pytest.mark.parametrize(
    ("observed", "history"),
    [(0, 0), (1, 1), (13, 1), (14, 2), (55, 2), (56, 3), (363, 3), (364, 4), (2000, 4)],
)
def test_a_cell_is_the_pattern_by_the_length_of_history(observed: int, history: int) -> None:
    state = np.full((1, STATE_WIDTH), np.nan, dtype=np.float32)
    state[0, STATE["observed_days"].start] = observed
    assert cells_of(state).tolist() == [history]
    state[0, STATE["interval"].start], state[0, STATE["size_cv2"].start] = 2.0, 0.9
    lumpy = (DemandPattern.LUMPY - 1) * HISTORIES
    assert cells_of(state).tolist() == [lumpy + history]


def test_every_reason_names_pattern_and_history() -> None:
    table = routes()
    reasons = [table.reason(cell) for cell in range(table.cells.tier.size)]
    assert len(set(reasons)) == len(reasons)
    assert all(" demand with " in reason for reason in reasons)


def test_a_cover_is_the_sum_of_its_days() -> None:
    daily = np.arange(12.0).reshape(3, 4)
    assert cover_sums(daily, np.array([1, 4, 2])).tolist() == [0.0, 22.0, 17.0]
