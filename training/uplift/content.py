"""What an uplift training run is asked, and the content hashes that say whether it was done."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from training import tables


@dataclass(frozen=True, slots=True)
class UpliftRun:
    """What an uplift training run is asked.

    Attributes:
        data: Data folder with a table ``experiment``.
        truth: File of known effects, for a figure beside the others; never used to train or choose.
        lower_is_better: The action is to lower the outcome.
        acknowledge: Go on where the treated share is not the one the propensity promises.
        seed: Seed of folds, learners and resamples.
        force: Train even if a version of the same content is registered.
    """

    data: Path
    truth: Path | None = None
    lower_is_better: bool = False
    acknowledge: bool = False
    seed: int = 7
    force: bool = False

    def tags(self) -> dict[str, str]:
        """Return the content hashes that identify what this run would register."""
        code = hashlib.sha256()
        for file in sorted(Path(__file__).parent.glob("*.py")):
            code.update(file.read_bytes())
        return {
            "data_sha256": tables.digest(self.data),
            "recipe": json.dumps({"lower_is_better": self.lower_is_better, "seed": self.seed}),
            "code_sha256": code.hexdigest(),
        }
