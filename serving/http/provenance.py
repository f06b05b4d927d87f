"""Where an answer came from, as the HTTP door sends it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from serving.domain.series import Provenance


def provenance_body(provenance: Provenance) -> dict[str, Any]:
    """Return the JSON object of a provenance; an absent age is left out."""
    body: dict[str, Any] = {
        "model_name": provenance.model_name,
        "model_version": provenance.model_version,
        "model_digest": provenance.model_digest,
        "formula_version": provenance.formula_version,
        "feature_set_hash": provenance.feature_set_hash,
    }
    if provenance.features_age_seconds is not None:
        body["features_age_seconds"] = provenance.features_age_seconds
    body["warnings"] = provenance.warnings
    return body
