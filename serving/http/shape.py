"""The shape rules every JSON request shares: absent is the contract's default, enums by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict

from parlevel.v1 import anomaly_pb2, cost_pb2, demand_pb2, experiment_pb2, replenishment_pb2

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from google.protobuf.descriptor import EnumDescriptor


class Shape(BaseModel):
    """A JSON object of a request: no unknown field, no number that is none, no silent cast.

    A field that the contract calls required still has a default here, as it has in proto3: the
    value it makes refuses it, so that both doors say the same.
    """

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)


def _number_of(values: Iterable[tuple[str, int]]) -> Callable[[object], object]:
    numbers = dict(values)

    def read(value: object) -> object:
        """Return the number of an enum value given by name; a number stays as it is."""
        if not isinstance(value, str):
            return value
        if value not in numbers:
            raise ValueError(f"must be one of {', '.join(numbers)}")
        return numbers[value]

    return read


def enum_number(kind: EnumDescriptor) -> BeforeValidator:
    """Return what reads an enum of the contract given by name or number."""
    return BeforeValidator(_number_of((one.name, one.number) for one in kind.values))


DemandTargetNumber = Annotated[int, BeforeValidator(_number_of(demand_pb2.DemandTarget.items()))]
AnomalyKindNumber = Annotated[int, BeforeValidator(_number_of(anomaly_pb2.AnomalyKind.items()))]
ActionTypeNumber = Annotated[int, BeforeValidator(_number_of(cost_pb2.ActionType.items()))]
ExperimentDesignNumber = Annotated[
    int, BeforeValidator(_number_of(experiment_pb2.ExperimentDesign.items()))
]


def _names(values: Iterable[tuple[str, int]]) -> dict[int, str]:
    return {int(number): name for name, number in values}


# Names of the enums in answers, by number.
TARGET_NAMES = _names(demand_pb2.DemandTarget.items())
ROUTE_NAMES = _names(demand_pb2.ForecastRoute.items())
TIER_NAMES = _names(demand_pb2.DemandTier.items())
DRIVER_NAMES = _names(demand_pb2.DemandDriver.items())
FREQUENCY_NAMES = _names(demand_pb2.DemandFrequency.items())
PATTERN_NAMES = _names(demand_pb2.DemandPattern.items())
PLAN_SOURCE_NAMES = _names(demand_pb2.PlanSource.items())
ROW_STATUS_NAMES = _names(demand_pb2.RowStatus.items())
METHOD_NAMES = _names(replenishment_pb2.ReorderMethod.items())
FLAG_NAMES = _names(replenishment_pb2.WatchtowerFlag.items())
