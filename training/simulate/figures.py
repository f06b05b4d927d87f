"""The figures of a simulation study."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from training.page import COLORS
from training.simulate.decisions import PROMISES
from training.simulate.measures import measure

if TYPE_CHECKING:
    from training.simulate.fan import Fan
    from training.simulate.running import Found
    from training.simulate.study import Study


def promise_figure(study: Study, found: Found) -> Figure:
    """Draw the cycle service each policy achieved over that it promised."""
    figure = Figure(figsize=(5.5, 5.0), layout="constrained")
    axes = figure.subplots()
    ends = [100 * PROMISES[0] - 2, 100]
    axes.plot(ends, ends, color="#bbbbbb", linewidth=1, zorder=0)
    for color, name in _colored(found):
        services = (measure(found.promised[name, at], study.seed) for at in PROMISES)
        values = [100 * one["cycle_service"].value for one in services]
        axes.plot([100 * at for at in PROMISES], values, "o-", color=color, label=name, ms=4)
    axes.set_xlabel("cycle service promised, %")
    axes.set_ylabel("cycle service achieved, %")
    axes.legend(frameon=False, fontsize=9)
    return figure


def frontier_figure(study: Study, found: Found) -> Figure:
    """Draw the stock each policy held over the service it achieved."""
    figure = Figure(figsize=(9.0, 4.2), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    for axis, (key, title) in zip(
        axes, (("cycle_service", "cycle service"), ("fill_rate", "fill rate")), strict=True
    ):
        for color, name in _colored(found):
            points = [measure(found.promised[name, at], study.seed) for at in PROMISES]
            axis.plot(
                [100 * one[key].value for one in points],
                [one["days_of_supply"].value for one in points],
                "o-",
                color=color,
                label=name,
                ms=4,
            )
        axis.set_xlabel(f"{title} achieved, %")
    axes[0].set_ylabel("days of supply held")
    # A policy that overdoes it would flatten all others on an even scale.
    axes[0].set_yscale("log")
    axes[0].yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes[0].yaxis.set_major_formatter("{x:g}")
    axes[0].yaxis.set_minor_formatter(NullFormatter())
    axes[0].legend(frameon=False, fontsize=9)
    return figure


def fan_figure(fan: Fan) -> Figure:
    """Draw the projected stock of one series as bands, and what came."""
    figure = Figure(figsize=(9.0, 3.8), layout="constrained")
    axes = figure.subplots()
    days = np.asarray(fan.dates, dtype="datetime64[D]").astype(object)
    for (low, high), alpha in zip(((0, 4), (1, 3)), (0.18, 0.35), strict=True):
        axes.fill_between(
            days,
            fan.stock[:, low],
            fan.stock[:, high],
            color=COLORS[0],
            alpha=alpha,
            linewidth=0,
            label=f"{fan.levels[low]:.0%} to {fan.levels[high]:.0%}",
        )
    axes.plot(days, fan.stock[:, 2], color=COLORS[0], label="median")
    axes.plot(days, fan.came, "o", color=COLORS[1], ms=3.5, label="as it came")
    axes.axhline(fan.order_up_to, color="#999999", linewidth=1, linestyle="--")
    axes.set_ylabel("units on the shelf at close")
    axes.set_ylim(bottom=0)
    figure.autofmt_xdate()
    figure.legend(loc="outside upper left", frameon=False, fontsize=9, ncols=4)
    return figure


def promised_policies(found: Found) -> list[str]:
    """Return the policies that were promised something."""
    return list(dict.fromkeys(name for name, _ in found.promised))


def _colored(found: Found) -> list[tuple[str, str]]:
    return list(zip(COLORS, promised_policies(found), strict=False))
