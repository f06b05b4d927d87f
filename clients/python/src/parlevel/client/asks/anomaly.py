"""Questions about anomalies: ``client.anomaly``."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import TYPE_CHECKING

from parlevel.client.errors import invalid
from parlevel.client.options import CallOptions, check_options
from parlevel.client.wire.question import as_it_is, named, question
from parlevel.v1 import anomaly_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Unpack

    from parlevel.client.asks.asking import Ask, AsyncAsk
    from parlevel.client.wire.question import Question

    # Values of each input by name, one a row; None or NaN where missing.
    Inputs = Mapping[str, Sequence[float | None]]

SERVICE = "/parlevel.v1.AnomalyService/"


class AnomalyKind(StrEnum):
    """What a row is about; the contract names the inputs of each."""

    COST = "cost"
    """A price paid."""
    DEMAND = "demand"
    """A day's sales beside their forecast."""
    SUPPLIER_DELAY = "supplier_delay"
    """A delivery."""


class AnomalyOptions(CallOptions, total=False):
    """Options of ``client.anomaly.score``."""

    false_alarm_rate: float
    """Share of usual rows that may be flagged; default: 0.01."""
    driver_count: int
    """Drivers named per row, 0 to 4; default: 3."""


def score(
    kind: AnomalyKind | str, inputs: Inputs, options: AnomalyOptions
) -> Question[pb.ScoreAnomaliesResponse]:
    """Ask how unusual rows are."""
    check_options(options, AnomalyOptions)
    if len({len(values) for values in inputs.values()}) != 1:
        raise invalid("inputs", "must be columns of equal length")
    values: list[float] = []
    missing: list[int] = []
    for row in zip(*inputs.values(), strict=True):
        for value in row:
            if value is None or math.isnan(value):
                missing.append(len(values))
                value = 0.0  # noqa: PLW2901 - what stands at a missing place is ignored
            values.append(value)
    request = pb.ScoreAnomaliesRequest(
        kind=named(kind, AnomalyKind, pb.AnomalyKind, "kind"),
        inputs=list(inputs),
        values=values,
        missing_places=missing,
        false_alarm_rate=options.get("false_alarm_rate"),
        driver_count=options.get("driver_count"),
    )
    answer = pb.ScoreAnomaliesResponse
    return question(f"{SERVICE}ScoreAnomalies", request, answer, as_it_is, options)


class AnomalyQuestions:
    """How unusual costs, days of sales and deliveries are."""

    def __init__(self, ask: Ask) -> None:
        """Take what sends a question."""
        self._ask = ask

    def score(
        self, kind: AnomalyKind | str, inputs: Inputs, **options: Unpack[AnomalyOptions]
    ) -> pb.ScoreAnomaliesResponse:
        """Score rows of one kind.

        Args:
            kind: Kind of all rows.
            inputs: Values of each input of the kind, one a row.
            **options: See ``AnomalyOptions``.

        Returns:
            Scores, p-values, flags and drivers, as the contract says.

        Raises:
            ParlevelError: See ``parlevel.client.errors``.
        """
        return self._ask(score(kind, inputs, options))


class AsyncAnomalyQuestions:
    """The questions of ``AnomalyQuestions`` for asyncio."""

    def __init__(self, ask: AsyncAsk) -> None:
        """Take what sends a question."""
        self._ask = ask

    async def score(
        self, kind: AnomalyKind | str, inputs: Inputs, **options: Unpack[AnomalyOptions]
    ) -> pb.ScoreAnomaliesResponse:
        """Score rows of one kind.

        Args:
            kind: Kind of all rows.
            inputs: Values of each input of the kind, one a row.
            **options: See ``AnomalyOptions``.

        Returns:
            Scores, p-values, flags and drivers, as the contract says.

        Raises:
            ParlevelError: See ``parlevel.client.errors``.
        """
        return await self._ask(score(kind, inputs, options))
