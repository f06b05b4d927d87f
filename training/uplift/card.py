"""The model card of an uplift version."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from training.uplift.segments import check_segments, explain

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from training.uplift.selection import Assessment
    from training.uplift.units import Units

_CARD = """# Uplift

What it answers: the effect of the action on a unit, with the action less without, its interval, and
the probability that a unit like it was treated in the experiment it was learned from.

How it was made: S, T and X learner and a causal forest (EconML), each fitted on four fifths of the
units and judged on the rest in turn. Verdict: **{verdict}**; learner: **{learner}**.

What to know before relying on it:

- AUUC is 0.5 by chance; the 90 % interval is from resampled units that no learner saw, and what
  choosing the best of {count} learners adds by chance is taken off.
- The interval of a causal forest is that of the effect on units of the same covariates; the other
  learners' is that of the average effect on units of the same score.
- Without a randomised experiment the effects hold as far as the covariates hold everything that
  moved both treatment and outcome.

## Facts

{facts}

## Held-out figures

{metrics}

## What tells units apart

Mean absolute contribution of each covariate to the held-out effects: exact Shapley values of trees
fitted to the effects (they explain {fidelity:.1%} of the effects' variance).

{contributions}

## Effect by segment

Predicted effects are compared by Kruskal-Wallis, the share of a segment among the best 30 % by
chi-square. A difference is no unfairness by itself: see whether the segment should count.

{segments}
"""


def model_card(
    file: Path, *, units: Units, assessment: Assessment, facts: Mapping[str, Any]
) -> Path:
    """Write the model card as markdown and return its file."""
    effects = assessment.effects[assessment.chosen]
    explained = explain(units, effects, seed=0)
    sizes = np.abs(explained.contributions).mean(axis=0)
    lines = []
    for check in check_segments(units, effects, assessment.outcomes):
        lines.append(
            f"### {check.covariate}: Kruskal-Wallis p = {check.kruskal_p:.2g}, "
            f"targeted share p = {check.targeted_p:.2g}\n\n"
            "| segment | units | predicted | observed | among the best 30 % |\n"
            "|---|---|---|---|---|"
        )
        lines += [
            f"| {one.name} | {one.units:,} | {one.predicted:.4g} | {one.observed:.4g} | "
            f"{one.targeted:.1%} |"
            for one in check.segments
        ]
        lines.append("")
    shown = {name: value for name, value in facts.items() if name not in {"metrics", "encoding"}}
    file.write_text(
        _CARD.format(
            verdict=assessment.verdict,
            learner=assessment.chosen.replace("_", " "),
            count=len(assessment.effects),
            facts=_lines(shown),
            metrics=_lines({name: f"{value:.4f}" for name, value in facts["metrics"].items()}),
            fidelity=explained.fidelity,
            contributions=_lines(
                {
                    name: f"{size:.4g}"
                    for name, size in zip(explained.covariates, sizes, strict=True)
                }
            ),
            segments="\n".join(lines) or "No covariate has two segments to compare.",
        ),
        encoding="utf-8",
    )
    return file


def _lines(values: Mapping[str, Any]) -> str:
    return "\n".join(f"- {name}: {value}" for name, value in values.items())
