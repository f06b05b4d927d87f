"""A waterfall: steps that begin where the last one ended, and their sum."""

from __future__ import annotations

from typing import TYPE_CHECKING

from training.page import COLORS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WHOLE_FROM = 1_000.0  # money from which cents are not drawn


def draw_waterfall(axes: Axes, steps: list[tuple[str, float]], *, total: str) -> None:
    """Draw steps that begin where the last one ended, and their sum."""
    level = 0.0
    for place, (_, step) in enumerate(steps):
        color = COLORS[0] if place == 0 else COLORS[1] if step >= 0 else COLORS[2]
        axes.bar(place, step, bottom=level, color=color)
        level += step
        axes.annotate(
            _money(step),
            (place, max(level, level - step)),
            ha="center",
            va="bottom",
            fontsize=8,
            xytext=(0, 2),
            textcoords="offset points",
        )
    axes.bar(len(steps), level, color=COLORS[6])
    axes.annotate(_money(level), (len(steps), level), ha="center", va="bottom", fontsize=8)
    axes.yaxis.set_major_formatter("{x:,.10g}")
    axes.set_xticks(range(len(steps) + 1), [*(name for name, _ in steps), total])
    axes.margins(y=0.15)


def _money(amount: float) -> str:
    return f"{amount:,.0f}" if abs(amount) >= WHOLE_FROM else f"{amount:,.4g}"
