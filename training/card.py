"""What a version is registered with for people: plots and a model card."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from serving.domain.features import FEATURES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from training.demand import DemandFit

SHOWN_FEATURES = 25
_CARD = """# Demand forecast

What it answers: the distribution of daily demand (or sales) per SKU and location, and of the sum of
demand over a cover of lead time plus review period.

How it was made: gradient-boosted quantiles (.05, .5, .95) and mean of demand over the series'
scale, one model for all series with the horizon as a feature, and conformal factors by target,
demand pattern, series scale and horizon, found on origins after the days the boosters were fitted
on, with a margin between weeks.

What to know before relying on it:

- Coverage is marginal, over all series and days together, and holds as far as the coming weeks are
  exchangeable with the calibration weeks. Errors of one week share its shocks.
- On stock-out days sales are a lower bound of demand: the demand target is trained on days in stock
  and on covers that were in stock; those days had lower demand than the days that sold out.
- Where nothing is planned the last known price, discount and promotion are taken to go on.

## Facts

{facts}

## Hold-out metrics

Measured on the graph of a model that saw neither the days scored nor calibrated on them; WMAPE on
the median, bias on the mean, positive bias means over-forecast.

{metrics}

## Parity certificate

{certificate}
"""


def model_card(
    file: Path,
    *,
    facts: Mapping[str, Any],
    certificate: Mapping[str, Any],
) -> Path:
    """Write the model card as markdown and return its file."""
    checks = {
        check["name"]: f"{check['rows']:,} rows, greatest difference "
        f"{check['max_relative_difference']:.1e}"
        for check in certificate["checks"]
    }
    file.write_text(
        _CARD.format(
            facts=_lines({name: value for name, value in facts.items() if name != "metrics"}),
            metrics=_lines({name: f"{value:.4f}" for name, value in facts["metrics"].items()}),
            certificate=_lines(checks),
        ),
        encoding="utf-8",
    )
    return file


def accuracy_plot(metrics: Mapping[str, float], file: Path) -> Path:
    """Draw the hold-out WMAPE of the model beside that of each baseline."""
    slices = {"demand, days in stock": "all", "sales, every day": "sales"}
    names = [f"wmape/sku_location/{one}" for one in slices.values()]
    rivals = sorted(
        {name.removeprefix(f"{names[0]}/") for name in metrics if f"{names[0]}/" in name}
    )
    figure, axes = _figure()
    places, width = np.arange(len(names)), 0.8 / (len(rivals) + 1)
    for index, rival in enumerate(["", *rivals]):
        heights = [metrics.get(f"{name}/{rival}".rstrip("/"), np.nan) for name in names]
        bars = axes.bar(places + index * width, heights, width, label=rival.replace("_", " "))
        axes.bar_label(bars, fmt="{:.1%}", fontsize=8)
        if not rival:
            bars.set_label("this model")
    axes.set_xticks(places + 0.4 - width / 2, list(slices))
    axes.set_ylabel("WMAPE, SKU x location x day")
    axes.set_title("Accuracy on the hold-out days")
    figure.legend(loc="outside lower center", ncols=len(rivals) + 1, frameon=False, fontsize=9)
    figure.savefig(file)
    return file


def importance_plot(fit: DemandFit, file: Path) -> Path:
    """Draw the gain each feature brought to the daily mean."""
    gain = np.asarray(fit.daily.boosters.mean.feature_importance("gain"), dtype=float)
    top = np.argsort(gain)[-SHOWN_FEATURES:]
    figure, axes = _figure(height=7.0)
    axes.barh([FEATURES[index] for index in top], gain[top] / max(gain.sum(), 1e-12))
    axes.set_xlabel("share of gain")
    axes.set_title("What the daily mean is split on")
    figure.savefig(file)
    return file


def _figure(height: float = 5.0) -> tuple[Any, Any]:

    figure = Figure(figsize=(7.0, height), dpi=120, layout="constrained")
    return figure, figure.subplots()


def _lines(values: Mapping[str, Any]) -> str:
    return "\n".join(f"- {name}: {value}" for name, value in values.items())
