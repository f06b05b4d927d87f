"""Where an answer came from, as the gRPC door sends it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlevel.v1 import provenance_pb2

if TYPE_CHECKING:
    from serving.domain.series import Provenance


def provenance_message(provenance: Provenance) -> provenance_pb2.Provenance:
    """Return the message of a provenance."""
    return provenance_pb2.Provenance(
        model_name=provenance.model_name,
        model_version=provenance.model_version,
        model_digest=provenance.model_digest,
        formula_version=provenance.formula_version,
        feature_set_hash=provenance.feature_set_hash,
        features_age_seconds=provenance.features_age_seconds,
        warnings=provenance.warnings,
    )
