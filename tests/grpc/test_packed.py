"""Arrays in packed fields are what a list in them is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import hypothesis.extra.numpy as arrays
import numpy as np
from hypothesis import given
from hypothesis import strategies as some

from parlevel.v1 import demand_pb2
from serving.grpc.packed import put_doubles

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHAPES = some.one_of(
    arrays.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=40), some.just((3, 700))
)


@given(arrays.arrays(np.float64, SHAPES, elements=some.floats(allow_nan=False)))
def test_merged_bytes_are_the_same_message(values: NDArray[np.float64]) -> None:
    merged, extended = demand_pb2.ForecastDemandResponse(), demand_pb2.ForecastDemandResponse()
    put_doubles(merged, quantiles=values, mean=values[::2])
    extended.quantiles.extend(values.ravel().tolist())
    extended.mean.extend(values[::2].ravel().tolist())
    assert merged == extended
