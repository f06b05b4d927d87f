"""Report pages: what an uplift model is worth, and whether the effect behind it stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure as Drawing

from training.page import COLORS, Page, share
from training.uplift.evaluation import (
    INTERVAL,
    calibration,
    calibration_line,
    gain_curve,
    resamples,
)
from training.uplift.segments import check_segments, explain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from training.uplift.causal import CausalModel, Estimate
    from training.uplift.refutations import Refutation, Sensitivity
    from training.uplift.selection import Assessment
    from training.uplift.units import Units

    Floats = NDArray[np.float64]

BAND_DRAWS = 60
POINTS = 101
PANELS = 3  # side by side


@dataclass(frozen=True, slots=True)
class Effect:
    """What is known of the average effect.

    Attributes:
        model: What is assumed.
        estimates: The estimates, the one relied on first.
        refutations: Attempts to refute it.
        sensitivity: What a cause nobody measured would take.
    """

    model: CausalModel
    estimates: Sequence[Estimate]
    refutations: Sequence[Refutation]
    sensitivity: Sensitivity


def effect_page(units: Units, effect: Effect) -> Page:
    """Return the page of the average effect alone."""
    page = Page("Effect of the action")
    page.text(
        f"{len(units.treated):,} units, {int(units.treated.sum()):,} of them treated. Effects are "
        "in units of the outcome, in its good direction."
    )
    add_effect(page, effect)
    return page


def uplift_page(units: Units, assessment: Assessment, effect: Effect) -> Page:
    """Return the page of an uplift model."""
    page = Page("Uplift: whom the action pays for")
    mean, low, high = assessment.outcomes.average_effect
    page.text(
        f"Verdict: {assessment.verdict}. {len(units.treated):,} units, "
        f"{int(units.treated.sum()):,} of them treated; average effect {mean:.4g} "
        f"({low:.4g} to {high:.4g}). Every figure is on units the learner did not see."
    )
    for warning in units.warnings:
        page.text(warning)
    _add_learners(page, assessment)
    _add_curves(page, assessment)
    _add_effects(page, assessment)
    _add_targeting(page, assessment)
    _add_covariates(page, units, assessment)
    add_effect(page, effect)
    return page


def _add_learners(page: Page, found: Assessment) -> None:
    page.section("Learners")
    page.table(
        ("learner", "AUUC", "90 % interval", "doubly robust", "90 % interval", "risk"),
        [
            (
                name.replace("_", " ") + (" (chosen)" if name == found.chosen else ""),
                found.auuc[name].value,
                f"{found.auuc[name].lower:.3f} to {found.auuc[name].upper:.3f}",
                found.robust_auuc[name].value,
                f"{found.robust_auuc[name].lower:.3f} to {found.robust_auuc[name].upper:.3f}",
                found.risk[name],
            )
            for name in found.effects
        ],
        "AUUC is 0.5 by chance. Of the learners whose risk is near the least (one standard error, "
        "or half a percent), a mean of several is taken, the steady one of S learner and X on "
        "stumps first, else the one of the greatest robust AUUC; "
        f"choosing adds {found.optimism:.3f} by chance, so the chosen one's is "
        f"{found.headline}.",
    )


def _add_curves(page: Page, found: Assessment) -> None:
    """Draw a panel a learner: nine bands in one would hide each other."""
    outcomes, size = found.outcomes, len(found.outcomes.treated)
    at = np.linspace(0, size, POINTS).astype(int)
    draws = resamples(size, seed=0, times=BAND_DRAWS)
    lines = -(-len(found.effects) // PANELS)
    drawing = Drawing(figsize=(9.0, 2.4 * lines + 0.4), layout="constrained")
    panels = drawing.subplots(lines, PANELS, sharex=True, sharey=True, squeeze=False).ravel()
    for axes, (name, effects) in zip(panels, found.effects.items(), strict=False):
        color = COLORS[1] if name == found.chosen else COLORS[0]
        many = [gain_curve(effects, outcomes, one)[at] / size for one in draws]
        low, high = np.quantile(many, INTERVAL, axis=0)
        curve = gain_curve(effects, outcomes)[at] / size
        axes.fill_between(at / size, low, high, color=color, alpha=0.2, linewidth=0)
        axes.plot(at / size, curve, color=color)
        axes.plot([0, 1], [0, curve[-1]], "k:", linewidth=1)
        mark = " (chosen)" if name == found.chosen else ""
        axes.set_title(f"{name.replace('_', ' ')}{mark}: {found.auuc[name].value:.3f}", fontsize=9)
    for axes in panels[len(found.effects) :]:
        axes.set_axis_off()
    drawing.supxlabel("share of units acted on, best first", fontsize=9)
    drawing.supylabel("gain a unit of all", fontsize=9)
    page.figure(
        drawing,
        "Qini curve of each learner with its 90 % interval from resampled units, and its AUUC; "
        "dotted: by chance.",
    )


def _add_effects(page: Page, found: Assessment) -> None:
    page.section("Effects and their calibration")
    effects = found.effects[found.chosen]
    drawing, (left, right) = _pair()
    left.hist(effects, bins=50, color=COLORS[0])
    left.axvline(0.0, color="black", linewidth=1)
    left.set_xlabel("predicted effect")
    left.set_ylabel("units")
    groups = calibration(effects, found.outcomes)
    predicted = [one.predicted for one in groups]
    seen = [one.observed.value for one in groups]
    half = [one.observed.upper - one.observed.value for one in groups]
    right.errorbar(predicted, seen, yerr=half, fmt="o", color=COLORS[0], capsize=2)
    ends = [min(predicted + seen), max(predicted + seen)]
    right.plot(ends, ends, "k:", linewidth=1)
    right.set_xlabel("predicted effect of a tenth of the units")
    right.set_ylabel("observed, doubly robust")
    line = calibration_line(effects, found.outcomes.scores)
    page.figure(
        drawing,
        "Left: predicted effects. Right: calibration by tenths with 95 % intervals; a slope of "
        f"{line.slope:.2f} (1 is calibrated).",
    )


def _add_targeting(page: Page, found: Assessment) -> None:
    page.section("Targeting")
    effects, outcomes = found.effects[found.chosen], found.outcomes
    size = len(effects)
    curve = gain_curve(effects, outcomes)
    rows = []
    for part in (0.1, 0.2, 0.3, 0.5, 1.0):
        first = max(1, round(part * size))
        rows.append((share(part, 0), first, curve[first] / first, curve[first]))
    page.table(
        ("acted on", "units", "effect a unit", "gain in all"),
        rows,
        "Gain of acting on the best units only, as held-out outcomes tell it; with a cost per "
        "action, act while the effect is worth more.",
    )
    drawing, axes = _drawing()
    at = np.linspace(0, size, POINTS).astype(int)[1:]
    draws = [gain_curve(effects, outcomes, one)[at] for one in resamples(size, 1, BAND_DRAWS)]
    low, high = np.quantile(draws, INTERVAL, axis=0)
    axes.fill_between(at / size, low, high, color=COLORS[2], alpha=0.2, linewidth=0)
    axes.plot(at / size, curve[at], color=COLORS[2])
    axes.set_xlabel("share of units acted on, best first")
    axes.set_ylabel("gain in all, units of the outcome")
    page.figure(drawing, "Targeting curve with its 90 % interval.")


def _add_covariates(page: Page, units: Units, found: Assessment) -> None:
    page.section("What tells units apart")
    effects = found.effects[found.chosen]
    explained = explain(units, effects, seed=0)
    sizes = np.abs(explained.contributions).mean(axis=0)
    drawing, axes = _drawing(height=0.35 * len(sizes) + 1.2)
    axes.barh(explained.covariates[::-1], sizes[::-1], color=COLORS[0])
    axes.set_xlabel("mean absolute contribution to the effect")
    page.figure(
        drawing,
        "Exact Shapley values of trees fitted to the effects; the trees explain "
        f"{share(explained.fidelity)} of the effects' variance.",
    )
    checks = check_segments(units, effects, found.outcomes)
    rows = [
        (check.covariate, one.name, one.units, one.predicted, one.observed, share(one.targeted))
        for check in checks
        for one in check.segments
    ]
    page.table(
        ("covariate", "segment", "units", "predicted", "observed", "among the best 30 %"),
        rows,
        "; ".join(
            f"{check.covariate}: Kruskal-Wallis p {_small(check.kruskal_p)}, chi-square p "
            f"{_small(check.targeted_p)}"
            for check in checks
        ),
        text_columns=("covariate", "segment"),
    )


def add_effect(page: Page, effect: Effect) -> None:
    """Add what is assumed, what is estimated and what it survives."""
    page.section("The average effect: model and identification")
    for sentence in effect.model.sentences():
        page.text(sentence)
    page.section("Estimates")
    page.table(
        ("estimate", "effect", "95 % interval", "p-value", "note"),
        [
            (one.name, one.value, f"{one.lower:.4g} to {one.upper:.4g}", one.p_value, one.note)
            for one in effect.estimates
        ],
        text_columns=("estimate", "note"),
    )
    page.section("Refutations")
    page.table(
        ("attempt", "estimate", "spread", "survived", "what surviving means"),
        [
            (one.name, one.value, one.spread, "yes" if one.passed else "NO", one.meaning)
            for one in effect.refutations
        ],
        text_columns=("attempt", "survived", "what surviving means"),
    )
    _add_sensitivity(page, effect)


def _add_sensitivity(page: Page, effect: Effect) -> None:
    found, estimate = effect.sensitivity, effect.estimates[0]
    drawing, axes = _drawing()
    axes.plot(found.strengths, found.estimates, color=COLORS[1])
    half = estimate.upper - estimate.value
    axes.fill_between(
        found.strengths, found.estimates - half, found.estimates + half, color=COLORS[1], alpha=0.15
    )
    axes.axhline(0.0, color="black", linewidth=1)
    axes.set_xlabel("share of what is left of treatment and outcome that the cause explains")
    axes.set_ylabel("estimate with such a cause against it")
    page.figure(
        drawing,
        f"A cause nobody measured would have to explain {share(found.robustness)} of what is left "
        "of both treatment and outcome to bring the estimate to 0. E-value "
        f"{found.e_value:.2f}, of the interval's near end {found.e_value_interval:.2f}: the risk "
        "ratio it would need with both.",
    )


def _small(p_value: float) -> str:
    return "below 1e-12" if p_value < 1e-12 else f"{p_value:.1g}"  # noqa: PLR2004 - beyond doubt


def _drawing(height: float = 4.0) -> tuple[Drawing, Axes]:
    drawing = Drawing(figsize=(8.0, height), layout="constrained")
    return drawing, drawing.subplots()


def _pair() -> tuple[Drawing, tuple[Axes, Axes]]:
    drawing = Drawing(figsize=(9.0, 3.8), layout="constrained")
    left, right = drawing.subplots(1, 2)
    return drawing, (left, right)
