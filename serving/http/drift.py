"""Drift at the HTTP door: JSON to query, report to JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from serving.domain.drift import DriftQuery
from serving.domain.drift import Sample as Rows
from serving.domain.drift_rows import importances_of, sample_of
from serving.http.fields import Int32, Int64, body_of, sent_fields
from serving.http.shape import Shape

if TYPE_CHECKING:
    from serving.gate import Flows


class FeatureColumn(Shape):
    """The values of one feature."""

    name: str = ""
    values: tuple[float, ...] = ()
    labels: tuple[str, ...] = ()
    missing_rows: tuple[Int64, ...] = ()


class Sample(Shape):
    """Rows of several features, column by column."""

    columns: tuple[FeatureColumn, ...] = ()
    blocks: tuple[Int64, ...] = ()


class Importance(Shape):
    """Importance of one feature."""

    name: str = ""
    value: float = 0.0


class CheckDriftRequest(Shape):
    """Asks whether current rows differ from reference rows."""

    reference: Sample | None = None
    current: Sample | None = None
    model_name: str = ""
    model_version: str = ""
    window_days: Int32 | None = None
    false_alarm_rate: float | None = None
    importances: tuple[Importance, ...] = ()


class GetRetrainVerdictRequest(Shape):
    """Asks for the verdict on a model."""

    model_name: str = ""


def check(flows: Flows, request: CheckDriftRequest) -> dict[str, Any]:
    """Check current rows against reference rows."""
    return body_of(flows.drift.check(drift_query(request)))


def retrain_verdict(flows: Flows, request: GetRetrainVerdictRequest) -> dict[str, Any]:
    """Say what to do about a model."""
    return body_of(flows.drift.verdict(request.model_name))


def drift_query(request: CheckDriftRequest) -> DriftQuery:
    """Read the question whether rows differ.

    Raises:
        InvalidField: If a field breaks its rule.
        TooLarge: If a side has more values than one call takes.
    """
    sent = sent_fields(request)
    sides = {side: sent.pop(side, None) for side in ("reference", "current")}
    return DriftQuery(
        reference=_sample("reference", sides["reference"]),
        current=_sample("current", sides["current"]),
        importances=importances_of([sent_fields(one) for one in request.importances]),
        **sent,
    )


def _sample(side: str, sent: Sample | None) -> Rows | None:
    if sent is None:
        return None
    columns = [sent_fields(column) for column in sent.columns]
    return sample_of(side, columns, sent_fields(sent)["blocks"])
