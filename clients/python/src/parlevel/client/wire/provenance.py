"""Reads where an answer came from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlevel.client.values.provenance import Provenance

if TYPE_CHECKING:
    from parlevel.v1 import provenance_pb2


def provenance(message: provenance_pb2.Provenance) -> Provenance:
    """Read the provenance of an answer.

    Args:
        message: As it came.

    Returns:
        The value; an age that was not sent is None.
    """
    aged = message.HasField("features_age_seconds")
    return Provenance(
        model_name=message.model_name,
        model_version=message.model_version,
        model_digest=message.model_digest,
        formula_version=message.formula_version,
        feature_set_hash=message.feature_set_hash,
        features_age_seconds=message.features_age_seconds if aged else None,
        warnings=tuple(message.warnings),
    )
