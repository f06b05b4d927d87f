"""Questions about drift: ``client.drift``."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from parlevel.client.options import CallOptions, check_options
from parlevel.client.wire.question import as_it_is, question
from parlevel.v1 import drift_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Unpack

    from parlevel.client.asks.asking import Ask, AsyncAsk
    from parlevel.client.wire.question import Question

    # Values of each feature by name, one a row: numbers or categories, None or NaN where missing.
    Columns = Mapping[str, Sequence[float | str | None]]

SERVICE = "/parlevel.v1.DriftService/"


class DriftOptions(CallOptions, total=False):
    """Options of ``client.drift.check``."""

    model_name: str
    """Model whose profile or traffic stands in for a side that is not sent."""
    model_version: str
    """Its version; default: the one that serves."""
    window_days: int
    """Latest days of traffic that count as current, 1 to 90; default: 7."""
    false_alarm_rate: float
    """Share of checks of unchanged data that may conclude drift; default: 0.05."""
    importances: Mapping[str, float]
    """Importance of features; default: all alike, or the model's own."""
    reference_blocks: Sequence[int]
    """Block of each reference row, as its day; default: rows stand alone."""
    current_blocks: Sequence[int]
    """Block of each current row."""


def check(
    reference: Columns | None, current: Columns | None, options: DriftOptions
) -> Question[pb.CheckDriftResponse]:
    """Ask whether current rows differ from reference rows."""
    check_options(options, DriftOptions)
    importances = options.get("importances", {})
    request = pb.CheckDriftRequest(
        reference=sample(reference, options.get("reference_blocks", ())),
        current=sample(current, options.get("current_blocks", ())),
        model_name=options.get("model_name", ""),
        model_version=options.get("model_version", ""),
        window_days=options.get("window_days"),
        false_alarm_rate=options.get("false_alarm_rate"),
        importances=[pb.Importance(name=name, value=one) for name, one in importances.items()],
    )
    answer = pb.CheckDriftResponse
    return question(f"{SERVICE}CheckDrift", request, answer, as_it_is, options)


def sample(columns: Columns | None, blocks: Sequence[int]) -> pb.Sample | None:
    """Write rows as the contract has them; None where there are none."""
    if columns is None:
        return None
    return pb.Sample(
        columns=[_column(name, values) for name, values in columns.items()], blocks=blocks
    )


def _column(name: str, values: Sequence[float | str | None]) -> pb.FeatureColumn:
    missing = [row for row, value in enumerate(values) if _is_missing(value)]
    if any(isinstance(value, str) for value in values):
        labels = ["" if value is None else str(value) for value in values]
        return pb.FeatureColumn(name=name, labels=labels, missing_rows=missing)
    gone = set(missing)
    numbers = [0.0 if row in gone else float(v or 0.0) for row, v in enumerate(values)]
    return pb.FeatureColumn(name=name, values=numbers, missing_rows=missing)


def _is_missing(value: float | str | None) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def retrain_verdict(
    model_name: str, options: CallOptions
) -> Question[pb.GetRetrainVerdictResponse]:
    """Ask what to do about a model."""
    check_options(options, CallOptions)
    request = pb.GetRetrainVerdictRequest(model_name=model_name)
    answer = pb.GetRetrainVerdictResponse
    return question(f"{SERVICE}GetRetrainVerdict", request, answer, as_it_is, options)


class DriftQuestions:
    """Whether data have drifted, and whether a model can still be trusted."""

    def __init__(self, ask: Ask) -> None:
        """Take what sends a question."""
        self._ask = ask

    def check(
        self,
        reference: Columns | None = None,
        current: Columns | None = None,
        **options: Unpack[DriftOptions],
    ) -> pb.CheckDriftResponse:
        """Check current rows against reference rows.

        Args:
            reference: Reference rows; None takes the training profile of ``model_name``.
            current: Current rows; None takes the latest traffic of ``model_name``.
            **options: See ``DriftOptions``.

        Returns:
            Verdict, features, findings and the joint test, as the contract says.

        Raises:
            ParlevelError: See ``parlevel.client.errors``.
        """
        return self._ask(check(reference, current, options))

    def retrain_verdict(
        self, model_name: str = "forecast", **options: Unpack[CallOptions]
    ) -> pb.GetRetrainVerdictResponse:
        """Say whether to keep a model, watch it, train it anew, or mend the data first.

        Args:
            model_name: Registered name.
            **options: See ``CallOptions``.

        Returns:
            The verdict with what every rule saw, as the contract says.

        Raises:
            ParlevelError: See ``parlevel.client.errors``.
        """
        return self._ask(retrain_verdict(model_name, options))


class AsyncDriftQuestions:
    """The questions of ``DriftQuestions`` for asyncio."""

    def __init__(self, ask: AsyncAsk) -> None:
        """Take what sends a question."""
        self._ask = ask

    async def check(
        self,
        reference: Columns | None = None,
        current: Columns | None = None,
        **options: Unpack[DriftOptions],
    ) -> pb.CheckDriftResponse:
        """Check current rows against reference rows.

        Args:
            reference: Reference rows; None takes the training profile of ``model_name``.
            current: Current rows; None takes the latest traffic of ``model_name``.
            **options: See ``DriftOptions``.

        Returns:
            Verdict, features, findings and the joint test, as the contract says.

        Raises:
            ParlevelError: See ``parlevel.client.errors``.
        """
        return await self._ask(check(reference, current, options))

    async def retrain_verdict(
        self, model_name: str = "forecast", **options: Unpack[CallOptions]
    ) -> pb.GetRetrainVerdictResponse:
        """Say whether to keep a model, watch it, train it anew, or mend the data first.

        Args:
            model_name: Registered name.
            **options: See ``CallOptions``.

        Returns:
            The verdict with what every rule saw, as the contract says.

        Raises:
            ParlevelError: See ``parlevel.client.errors``.
        """
        return await self._ask(retrain_verdict(model_name, options))
