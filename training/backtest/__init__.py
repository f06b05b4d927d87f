"""Backtests: what the exported graph would have answered on past days, and how good it was."""

from __future__ import annotations

from training.backtest.scoring import score

__all__ = ["score"]
