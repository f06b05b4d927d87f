"""Where an answer came from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where an answer came from: enough to replay it."""

    model_name: str
    """Registered name of the model that answered; empty where a formula did."""
    model_version: str
    """Registered version of the model that answered; empty where a formula did."""
    model_digest: str
    """SHA-256 of the served graph, lower-case hex; empty where a formula answered."""
    formula_version: str
    """Version of the formula that answered; empty where a model did alone."""
    feature_set_hash: str
    """Hash of the feature set the model reads, lower-case hex; empty for a formula."""
    features_age_seconds: int | None
    """Age of the oldest feature used, in seconds of the business clock; None where none was."""
    warnings: tuple[str, ...]
    """What to know before relying on the answer; one sentence each."""
